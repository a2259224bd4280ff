"""A verified answer: the problem stated, checks written, the answer computed, checked, and corrected.

One row of `session_states` is written at every step, so what is shown while it goes on is what is stored. A
turn drives it: `prepare` before the question goes to the agents, `check` after each answer, which says what
to tell them when a check failed, and `end` when the turn is over, however it ended.
"""

import asyncio
import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from google.adk.models.base_llm import BaseLlm

from agents import model_errors
from agents.card import data_card
from agents.checking import Answer, Checker
from agents.planner.llm import PlannerLlm
from agents.planner.programs import intent_of
from agents.problem import NoProblem, Planned, state_problem
from agents.settings import Settings
from analysis.checks import Check, passed
from sandbox.errors import SandboxError
from sandbox.pool import WorkerPool
from storage.keys import SessionKey
from storage.results import RUN_PYTHON, Result
from storage.session_states import SessionState
from storage.store import Store
from storage.turns import TurnRecord

logger = logging.getLogger(__name__)
MAX_ATTEMPTS = 3
MAX_RESULTS = 5
"""So many of an attempt's last results are checked."""
PREPARE_SECONDS = 60.0
# What each tool's results are about.
TOPICS = {
    "query": "aggregation", "rows": "summary", "find_values": "summary", "sql": "aggregation",
    "profile": "summary", "missing": "cleaning", "describe": "summary", "distribution": "distribution",
    "outliers": "outliers", "correlate": "correlation", "compare": "comparison",
    "crosstab": "comparison", "trend": "time_series", "show": "visualization",
    "clean_data": "cleaning", "join_tables": "cleaning",
}  # fmt: skip
STATISTICS = ("correlate", "compare", "outliers", "trend")
AGAIN = """Your answer to the question below was checked, and it does not hold:
{failed}

The question: {question}

Find the mistake, compute the numbers again and answer anew. State no number of the answer before."""
UNANSWERED = "The question is answered with numbers."
NO_NUMBERS = "The answer holds no numbers."
NOT_HELD = "The checks found a mistake in this attempt, so the answer was computed again."
DETERMINISTIC = "The built-in planner would compute the same again, so there is no second attempt."


class Verification:
    """One question; its methods are called one after the other, on the event loop."""

    def __init__(
        self,
        *,
        store: Store,
        pool: WorkerPool,
        settings: Settings,
        llm: Callable[[], BaseLlm],
        key: SessionKey,
        question: str,
        max_attempts: int = MAX_ATTEMPTS,
    ) -> None:
        self._store = store
        self._pool = pool
        self._llm = llm
        self._key = key
        self._checker = Checker(store, pool, settings, key)
        self._planned: list[Planned] = []
        self._began = self._seen = 0
        self._max_attempts = max_attempts
        self.state = SessionState(
            thread_id=str(uuid.uuid4()), user_prompt=question, session_id=key.session_id, user_id=key.user_id
        )

    @property
    def part(self) -> dict[str, Any]:
        """What a turn's record says of it."""
        return {"kind": "verification", "thread_id": self.state.thread_id}

    async def prepare(self, record: TurnRecord) -> None:
        """States the problem and has checks written, before there is an answer."""
        await self._save(problem_attempts=1)
        self._seen = len(record.parts)
        if not self._by_planner and self._pool.isolation.runs_code:
            await self._state_problem(record, [])

    async def check(self, record: TurnRecord) -> str:
        """Checks what was added to the record since the last call.

        Returns what to ask the agents next, or nothing when there is a verdict.
        """
        if record.status != "running" or record.error is not None:
            return ""
        answer = await asyncio.to_thread(self._answer, record)
        await self._save(
            run_id=record.invocation_id or self.state.run_id, code_attempts=self.state.code_attempts + 1
        )
        if not answer.results:
            missing = Check("answered", UNANSWERED, False, False, NO_NUMBERS)
            return await self._failed(record, [missing])
        await self._save(**self._described(answer.final))
        checks = await self._checked(record, answer)
        if passed(checks):
            await self._save(problem_tests=_json(checks), tests_passed=True, workflow_status="completed")
            return ""
        return await self._failed(record, checks)

    async def end(self, record: TurnRecord) -> None:
        """Leaves no run open, whatever broke it off."""
        if self.state.workflow_status != "running":
            return
        reason = str((record.error or {}).get("message") or "")
        if reason and not self.state.problem_tests:
            broken = Check("answered", UNANSWERED, False, False, reason)
            await self._save(problem_tests=_json([broken]))
        await self._save(
            run_id=record.invocation_id or self.state.run_id, workflow_status="failed", tests_passed=False
        )

    def stop(self) -> None:
        """Ends checks that are running, from any thread."""
        self._checker.stop()

    @property
    def _by_planner(self) -> bool:
        return isinstance(self._llm(), PlannerLlm)

    async def _state_problem(self, record: TurnRecord, broken: list[Check]) -> None:
        datasets = await asyncio.to_thread(self._store.datasets.for_session, self._key)
        question = self.state.user_prompt
        try:
            async with asyncio.timeout(PREPARE_SECONDS):
                problem = await state_problem(self._llm(), data_card(datasets), question, broken)
        except NoProblem as error:
            logger.warning("the model wrote no checks: %s", error)
            return
        except Exception as error:
            found = model_errors.from_exception(error)
            logger.warning("the model wrote no checks: %s (%s)", found.kind, type(error).__name__)
            return
        record.tokens += problem.tokens
        if broken:
            names = {check.name for check in broken}
            kept = [item for item in self._planned if item.name not in names]
            self._planned = [*kept, *(item for item in problem.checks if item.name in names)]
            return
        self._planned = problem.checks
        await self._save(
            topic=problem.topic,
            difficulty=problem.difficulty,
            problem_description=problem.text,
            problem_tests=_json([item.waiting() for item in self._planned]),
        )

    async def _checked(self, record: TurnRecord, answer: Answer) -> list[Check]:
        checks = await self._run(answer)
        names = {item.name for item in self._planned}
        broken = [check for check in checks if check.passed is None and check.name in names]
        if not broken or self.state.problem_attempts >= self._max_attempts:
            return checks
        # A check that cannot run says nothing of the answer, so it is the check that is written again.
        await self._save(problem_tests=_json(checks), problem_attempts=self.state.problem_attempts + 1)
        await self._state_problem(record, broken)
        return await self._run(answer)

    async def _run(self, answer: Answer) -> list[Check]:
        try:
            return await asyncio.to_thread(self._checker.check, answer, list(self._planned))
        except asyncio.CancelledError:
            # The thread goes on otherwise, with nobody to wait for it.
            self._checker.stop()
            raise
        except SandboxError as error:
            return [Check("checks", "The checks of the answer run.", False, None, str(error))]

    async def _failed(self, record: TurnRecord, checks: list[Check]) -> str:
        if self._by_planner:
            checks = [*checks, Check("second attempt", DETERMINISTIC, False, None)]
        last = self._by_planner or self.state.code_attempts >= self._max_attempts
        status = "failed" if last else "running"
        await self._save(problem_tests=_json(checks), tests_passed=False, workflow_status=status)
        wrong = [check for check in checks if check.passed is False]
        # An answer that no check speaks against is not made better by another one.
        if last or not wrong:
            await self._save(workflow_status="failed")
            return ""
        record.parts[self._began :] = _without_words(record.parts[self._began :])
        self._seen = len(record.parts)
        told = "\n".join(f"- {check.name}: {check.statement} Found: {check.detail}" for check in wrong)
        return AGAIN.format(failed=told, question=self.state.user_prompt)

    def _answer(self, record: TurnRecord) -> Answer:
        self._began, self._seen = self._seen, len(record.parts)
        added = record.parts[self._began :]
        ids = [part["id"] for part in added if part["kind"] == "result" and not part.get("failed")]
        found = [self._store.results.get(self._key.user_id, result_id) for result_id in ids]
        numbers = [r for r in found if r is not None and ("table" in r.output or "figure" in r.output)]
        return Answer(numbers[-MAX_RESULTS:], self._by_planner)

    def _described(self, result: Result) -> dict[str, Any]:
        """The row's words for what was computed; those of the model stay."""
        state, (tool, arguments) = self.state, _call(result)
        return {
            "topic": state.topic or TOPICS.get(tool),
            "difficulty": state.difficulty or _difficulty(tool, arguments),
            "problem_description": state.problem_description or result.title,
            "code": result.code,
        }

    async def _save(self, **changes: Any) -> None:
        state = replace(self.state, **changes)
        self.state = await asyncio.to_thread(self._store.session_states.save_session_state, state)


def _without_words(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """An attempt that did not hold: what it computed stays to be seen, what it said does not."""
    kept = [part for part in parts if part["kind"] != "text"]
    return [*kept, {"kind": "text", "text": NOT_HELD}]


def _call(result: Result) -> tuple[str, dict[str, Any]]:
    if result.tool != RUN_PYTHON:
        return result.tool, result.arguments
    return intent_of(result.code) or (RUN_PYTHON, {})


def _difficulty(tool: str, arguments: dict[str, Any]) -> str:
    """By what the answer took: one aggregation, filters or several groups, or a statistical test."""
    if tool in STATISTICS or tool not in TOPICS:
        return "hard"
    by = arguments.get("by") or []
    involved = arguments.get("where") or (isinstance(by, list) and len(by) > 1)
    return "medium" if involved else "easy"


def _json(checks: Sequence[Check]) -> list[dict[str, Any]]:
    return [check.as_json() for check in checks]

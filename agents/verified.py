"""A verified answer: ask, state what was asked, check the numbers on another path, retry within bounds.

One row of `session_states` is written at every step, so the record is there before the answer is shown.
"""

import time
import uuid
from dataclasses import replace

from agents.settings import Settings
from agents.turns import RunningTurn, Turns
from analysis.checks import Check, check, passed
from analysis.engine import Engine
from sandbox.pool import WorkerPool
from storage.keys import SessionKey
from storage.results import Result
from storage.session_states import SessionState
from storage.store import Store
from storage.turns import TurnRecord

# What each tool's results are about.
TOPICS = {
    "query": "aggregation", "rows": "summary", "find_values": "summary", "sql": "aggregation",
    "profile": "summary", "missing": "cleaning", "describe": "summary", "distribution": "distribution",
    "outliers": "outliers", "correlate": "correlation", "compare": "comparison",
    "crosstab": "comparison", "trend": "time_series", "show": "visualization",
}  # fmt: skip
STATISTICS = ("correlate", "compare", "outliers", "trend")
GRACE_SECONDS = 10.0


class Verification:
    """Runs verified answers, one after the other in each session."""

    def __init__(self, store: Store, pool: WorkerPool, turns: Turns, settings: Settings) -> None:
        self._store = store
        self._pool = pool
        self._turns = turns
        self._settings = settings

    def run(self, key: SessionKey, question: str, *, max_attempts: int = 3) -> SessionState:
        """Blocks until there is a verdict, and returns what is stored.

        `tests_passed` is true only if every check passed and one of them came to the numbers on another path.
        Raises TurnRefused when the question cannot be taken now.
        """
        state = SessionState(
            thread_id=str(uuid.uuid4()), user_prompt=question, session_id=key.session_id, user_id=key.user_id
        )
        for attempt in range(1, max_attempts + 1):
            running = self._turns.start(key, question)
            state = self._save(replace(state, problem_attempts=attempt))
            try:
                state = self._attempt(key, running, state)
            except Exception:
                # No run is left open, whatever broke it off.
                self._save(replace(state, workflow_status="failed", tests_passed=False))
                raise
            if state.workflow_status == "completed":
                return state
        return self._save(replace(state, workflow_status="failed"))

    def _attempt(self, key: SessionKey, running: RunningTurn, state: SessionState) -> SessionState:
        turn = self._ended(running)
        state = replace(state, run_id=turn.invocation_id or state.run_id)
        result = self._result(key, turn)
        if result is None:
            return self._save(replace(state, tests_passed=False, problem_tests=[_unanswered(turn)]))
        state = self._save(
            replace(
                state,
                topic=TOPICS.get(result.tool),
                difficulty=_difficulty(result),
                problem_description=result.title,
                code=result.code,
                code_attempts=state.code_attempts + 1,
            )
        )
        checks = self._checked(key, result)
        verdict = passed(checks)
        return self._save(
            replace(
                state,
                problem_tests=[item.as_json() for item in checks],
                tests_passed=verdict,
                workflow_status="completed" if verdict else "running",
            )
        )

    def _save(self, state: SessionState) -> SessionState:
        return self._store.session_states.save_session_state(state)

    def _ended(self, running: RunningTurn) -> TurnRecord:
        deadline = time.monotonic() + self._settings.turn_timeout_seconds + GRACE_SECONDS
        while not running.done and time.monotonic() < deadline:
            running.wait(running.version, 1.0)
        return running.record

    def _result(self, key: SessionKey, turn: TurnRecord) -> Result | None:
        """The turn's last result that has numbers."""
        ids = [part["id"] for part in turn.parts if part["kind"] == "result"]
        found = self._store.results.get(key.user_id, ids[-1]) if ids and turn.status == "completed" else None
        return found if found is not None and "table" in found.output else None

    def _checked(self, key: SessionKey, result: Result) -> list[Check]:
        datasets = self._store.datasets.for_session(key)
        worker = self._pool.worker(key.session_id)
        return check(Engine(worker, datasets, key=key, invocation_id=result.invocation_id), result)


def _unanswered(turn: TurnRecord) -> dict[str, object]:
    reason = (turn.error or {}).get("message") or "The answer holds no numbers."
    statement = "The question is answered with numbers."
    return Check("answered", statement, False, False, str(reason)).as_json()


def _difficulty(result: Result) -> str:
    """By what the answer took: one aggregation, filters or several groups, or a statistical test."""
    if result.tool in STATISTICS or result.language == "python":
        return "hard"
    involved = result.arguments.get("where") or len(result.arguments.get("by") or []) > 1
    return "medium" if involved else "easy"

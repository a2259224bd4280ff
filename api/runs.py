"""Runs: the record of each verified workflow."""

import asyncio
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from api.context import Me
from api.errors import Refused, problems
from api.fields import Identifier, Question, ThreadId
from api.media import JSON, returns, sends
from api.requests import Sent
from storage.session_states import DIFFICULTIES, TOPICS, SessionState

router = APIRouter(
    tags=["runs"], dependencies=[Depends(returns(JSON))], responses=problems(401, 403, 406, 422, 429, 503)
)
Topic = Literal[
    "summary", "aggregation", "comparison", "correlation", "distribution", "outliers", "time_series",
    "cleaning", "modelling", "visualization",
]  # fmt: skip
Difficulty = Literal["easy", "medium", "hard"]
WorkflowStatus = Literal["running", "completed", "failed"]


class RunFilter(BaseModel):
    """Which runs to list."""

    model_config = ConfigDict(extra="forbid")

    topic: Topic | None = Field(default=None, description="Only this topic.")
    difficulty: Difficulty | None = Field(default=None, description="Only this difficulty.")
    workflow_status: WorkflowStatus | None = Field(default=None, description="Only this status.")
    tests_passed: bool | None = Field(default=None, description="false: checks were run and failed.")
    limit: int = Field(default=50, ge=1, le=100, description="Most runs returned.")
    offset: int = Field(default=0, ge=0, le=1_000_000, description="Runs to leave out first.")


class NewProblem(Sent):
    """A question to answer with checks that any right answer must pass."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"question": "total revenue by region", "chat_id": "…"}}
    )

    question: Question
    chat_id: Identifier


class Run(BaseModel):
    """One verified workflow."""

    id: str
    created_at: datetime
    updated_at: datetime
    thread_id: str
    run_id: str | None
    user_prompt: str
    topic: str | None
    difficulty: str | None
    problem_description: str | None
    problem_tests: Any = Field(default=None, description="The checks that any right answer must pass.")
    code: str | None
    tests_passed: bool | None = Field(description="null until the checks were run.")
    code_attempts: int
    problem_attempts: int
    workflow_status: WorkflowStatus
    session_id: str | None = Field(description="The chat.")

    @classmethod
    def of(cls, state: SessionState) -> "Run":
        """From the store's."""
        return cls.model_validate(asdict(state))


class RunList(BaseModel):
    """Runs, newest first."""

    items: list[Run]


class Analytics(BaseModel):
    """Totals over your runs."""

    total: int
    success_rate: float | None = Field(description="Completed with checks passed, of those that ended.")
    mean_code_attempts: float | None
    mean_problem_attempts: float | None
    topic: dict[str, int]
    difficulty: dict[str, int]
    workflow_status: dict[str, int]


class Words(BaseModel):
    """The words of a field."""

    items: list[str]


@router.get("/sessions/analytics", operation_id="getAnalytics", summary="Totals over runs")
def analytics(me: Me) -> Analytics:
    """Success rate, mean attempts, and how many runs there are of each kind."""
    found = me.assistant.store.session_states.get_session_analytics(user_id=me.user_id)
    return Analytics.model_validate(found)


@router.get("/sessions", operation_id="listRuns", summary="List runs")
def list_runs(me: Me, wanted: Annotated[RunFilter, Query()]) -> RunList:
    """Runs that meet all that is given, newest first."""
    states = me.assistant.store.session_states
    found = states.get_session_states_by_criteria(user_id=me.user_id, **wanted.model_dump())
    return RunList(items=[Run.of(state) for state in found])


@router.get("/sessions/{thread_id}", operation_id="getRun", summary="Read a run", responses=problems(404))
def get_run(me: Me, thread_id: ThreadId) -> Run:
    """One run by its thread."""
    found = me.assistant.store.session_states.get_session_state(thread_id, user_id=me.user_id)
    if found is None:
        raise Refused(404, "You have no run with this thread id.", "List yours with GET /sessions.")
    return Run.of(found)


@router.delete(
    "/sessions/{thread_id}",
    operation_id="deleteRun",
    summary="Delete a run",
    status_code=204,
    responses=problems(404),
)
def delete_run(me: Me, thread_id: ThreadId) -> None:
    """Deletes the record; the chat stays."""
    if not me.assistant.store.session_states.delete_session_state(thread_id, user_id=me.user_id):
        raise Refused(404, "You have no run with this thread id.", "List yours with GET /sessions.")


@router.post(
    "/problems/verified",
    operation_id="solveVerified",
    summary="Answer with checks",
    status_code=201,
    dependencies=[Depends(sends(JSON))],
    responses=problems(404, 409, 410, 413, 415),
)
async def solve_verified(me: Me, new: NewProblem) -> Run:
    """Answers, checks the numbers on another path, and tries again within bounds; waits for the verdict."""

    def solve() -> Run:
        return Run.of(me.assistant.verified(me.open_chat(new.chat_id), new.question.strip()))

    return await asyncio.get_running_loop().run_in_executor(me.context.verifying, solve)


@router.get("/topics", operation_id="listTopics", summary="List topics")
def topics(me: Me) -> Words:
    """What a run can be about."""
    return Words(items=list(TOPICS))


@router.get("/difficulties", operation_id="listDifficulties", summary="List difficulties")
def difficulties(me: Me) -> Words:
    """How difficult a run's problem can be."""
    return Words(items=list(DIFFICULTIES))

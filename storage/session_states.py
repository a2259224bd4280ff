"""Runs: one row of `session_states` for each verified workflow.

A row is written when the workflow starts and at each of its steps, so what is shown is stored.
"""

import json
import uuid
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from storage.database import Connection, Database
from storage.errors import StorageError

TOPICS = (
    "summary", "aggregation", "comparison", "correlation", "distribution", "outliers", "time_series",
    "cleaning", "modelling", "visualization",
)  # fmt: skip
DIFFICULTIES = ("easy", "medium", "hard")
WORKFLOW_STATUSES = ("running", "completed", "failed")
DEFAULT_LIMIT = 50
MAX_LIMIT = 100


@dataclass(frozen=True)
class SessionState:
    """One verified workflow. Times are ISO 8601 in UTC."""

    thread_id: str
    user_prompt: str
    run_id: str | None = None
    topic: str | None = None
    """One of TOPICS."""
    difficulty: str | None = None
    """easy, medium or hard."""
    problem_description: str | None = None
    problem_tests: Any = None
    """JSON: the checks that any right answer must pass."""
    code: str | None = None
    tests_passed: bool | None = None
    """None until the checks were run."""
    code_attempts: int = 0
    problem_attempts: int = 0
    workflow_status: str = "running"
    """running, completed or failed."""
    session_id: str | None = None
    user_id: str | None = None
    id: str = ""
    created_at: str = ""
    updated_at: str = ""


GIVEN = [f.name for f in fields(SessionState) if f.name not in ("id", "created_at", "updated_at")]


class SessionStates:
    """The table's functions. `user_id` None is the server's own work, on the rows of all users."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save_session_state(self, state: SessionState) -> SessionState:
        """Inserts, or updates by `thread_id`; a missing `run_id` keeps the stored one.

        Returns what is stored now. Raises ValueError for an unknown topic, difficulty or status, or a
        negative count, and StorageError when the thread is somebody else's.
        """
        _check(state)
        # To the microsecond, so that rows of one moment keep their order.
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        values = {name: getattr(state, name) for name in GIVEN}
        values["problem_tests"] = None if state.problem_tests is None else json.dumps(state.problem_tests)
        values |= {"id": str(uuid.uuid4()), "created_at": now, "updated_at": now}
        kept = ("thread_id", "run_id", "user_id", "id", "created_at")
        updates = [f"{name} = excluded.{name}" for name in values if name not in kept]
        updates.append("run_id = coalesce(excluded.run_id, session_states.run_id)")
        statement = (
            f"INSERT INTO session_states ({', '.join(values)}) VALUES ({', '.join('?' for _ in values)})"
            f" ON CONFLICT (thread_id) DO UPDATE SET {', '.join(updates)}"
            " WHERE session_states.user_id = excluded.user_id"
            " OR (session_states.user_id IS NULL AND excluded.user_id IS NULL)"
        )

        def save(connection: Connection) -> Any:
            # The database's role for a user does not see another's row, so ownership is asked as the server.
            count = connection.execute(statement, tuple(values.values())).rowcount
            return count and _find(connection, state.thread_id)

        row = self._database.write(save, user=None, patient=True)
        if not row:
            raise StorageError(f"The run {state.thread_id} belongs to somebody else.")
        return _state(row)

    def get_session_state(self, thread_id: str, *, user_id: str | None) -> SessionState | None:
        """The workflow of a thread, or None."""
        row = self._database.read(lambda c: _find(c, thread_id, user_id), user=user_id)
        return None if row is None else _state(row)

    def get_session_states_by_criteria(
        self,
        *,
        user_id: str | None,
        topic: str | None = None,
        difficulty: str | None = None,
        workflow_status: str | None = None,
        tests_passed: bool | None = None,
        limit: int = DEFAULT_LIMIT,
        offset: int = 0,
    ) -> list[SessionState]:
        """Workflows that meet all criteria given, newest first, at most 100 (50 unless said).

        `tests_passed=False` is a criterion: checks were run and failed. Raises ValueError for a limit outside
        1 to 100, a negative offset and unknown words.
        """
        if not 1 <= limit <= MAX_LIMIT:
            raise ValueError(f"limit is from 1 to {MAX_LIMIT}, not {limit}.")
        if offset < 0:
            raise ValueError(f"offset is 0 or more, not {offset}.")
        _check_words(topic, difficulty, workflow_status)
        criteria = {
            "user_id": user_id,
            "topic": topic,
            "difficulty": difficulty,
            "workflow_status": workflow_status,
            "tests_passed": tests_passed,
        }
        given = {name: value for name, value in criteria.items() if value is not None}
        where = " AND ".join(f"{name} = ?" for name in given) or "true"
        rows = self._database.read(
            lambda c: c.execute(
                f"SELECT * FROM session_states WHERE {where}"
                " ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?",
                (*given.values(), limit, offset),
            ).fetchall(),
            user=user_id,
        )
        return [_state(row) for row in rows]

    def delete_session_state(self, thread_id: str, *, user_id: str | None) -> bool:
        """True when there was one to delete."""
        mine = "" if user_id is None else " AND user_id = ?"
        values = (thread_id,) if user_id is None else (thread_id, user_id)
        count = self._database.write(
            lambda c: c.execute(f"DELETE FROM session_states WHERE thread_id = ?{mine}", values).rowcount,
            user=user_id,
        )
        return count > 0

    def get_session_analytics(self, *, user_id: str | None) -> dict[str, Any]:
        """Totals over workflows.

        `total`; `success_rate`: completed with checks passed, of those that ended (None before any ended);
        `mean_code_attempts`, `mean_problem_attempts` (None for no rows); and how many there are by `topic`,
        `difficulty` and `workflow_status`, without rows that have none.
        """
        where, values = ("true", ()) if user_id is None else ("user_id = ?", (user_id,))

        def read(connection: Connection) -> dict[str, Any]:
            totals = connection.execute(
                "SELECT count(*), sum(CASE WHEN workflow_status <> 'running' THEN 1 ELSE 0 END),"
                " sum(CASE WHEN workflow_status = 'completed' AND tests_passed THEN 1 ELSE 0 END),"
                " sum(code_attempts), sum(problem_attempts)"
                f" FROM session_states WHERE {where}",
                values,
            ).fetchone()
            total, ended, passed, code, problem = (int(value or 0) for value in totals)
            return {
                "total": total,
                "success_rate": passed / ended if ended else None,
                "mean_code_attempts": code / total if total else None,
                "mean_problem_attempts": problem / total if total else None,
            } | {
                name: {
                    row[0]: row[1]
                    for row in connection.execute(
                        f"SELECT {name}, count(*) FROM session_states WHERE {where} AND {name} IS NOT NULL"
                        f" GROUP BY {name} ORDER BY {name}",
                        values,
                    )
                }
                for name in ("topic", "difficulty", "workflow_status")
            }

        return self._database.read(read, user=user_id)


def _find(connection: Connection, thread_id: str, user_id: str | None = None) -> Any:
    mine = "" if user_id is None else " AND user_id = ?"
    values = (thread_id,) if user_id is None else (thread_id, user_id)
    return connection.execute(f"SELECT * FROM session_states WHERE thread_id = ?{mine}", values).fetchone()


def _check(state: SessionState) -> None:
    _check_words(state.topic, state.difficulty, state.workflow_status)
    if not state.thread_id:
        raise ValueError("thread_id must not be empty.")
    if state.code_attempts < 0 or state.problem_attempts < 0:
        raise ValueError("Attempts are 0 or more.")


def _check_words(topic: str | None, difficulty: str | None, workflow_status: str | None) -> None:
    for name, value, allowed in (
        ("topic", topic, TOPICS),
        ("difficulty", difficulty, DIFFICULTIES),
        ("workflow_status", workflow_status, WORKFLOW_STATUSES),
    ):
        if value is not None and value not in allowed:
            raise ValueError(f"{name} is one of {', '.join(allowed)}, not {value!r}.")


def _state(row: Any) -> SessionState:
    values = {f.name: row[f.name] for f in fields(SessionState)}
    tests, passed = values["problem_tests"], values["tests_passed"]
    values["problem_tests"] = None if tests is None else json.loads(tests)
    values["tests_passed"] = None if passed is None else bool(passed)
    values["id"] = str(values["id"])
    for name in ("created_at", "updated_at"):
        values[name] = _moment(values[name])
    return SessionState(**values)


def _moment(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return str(value)

"""One question and its answer, as the page shows it.

ADK's events are the model's memory; this is the reader's: what was said, step by step, also when the
model broke off, was stopped, or the server died, none of which ADK keeps.
"""

import json
import sqlite3
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from storage.conversations import session_key
from storage.database import Database
from storage.keys import SessionKey

STATUSES = ("running", "completed", "stopped", "failed", "interrupted")


@dataclass
class TurnRecord:
    """A turn. Times are Unix seconds."""

    id: str
    key: SessionKey
    question: str
    mode: str
    model: str
    """The label of the model that answered, as shown."""
    status: str = "running"
    invocation_id: str | None = None
    """ADK's invocation; results of this turn carry the same one."""
    parts: list[dict[str, Any]] = field(default_factory=list)
    """In order: {"kind": "text", "text"}, {"kind": "step", "tool", "label", "status", "detail"},
    {"kind": "result", "id"}. A step's status is running, done or failed."""
    error: dict[str, Any] | None = None
    """{"kind", "message", "action"} of a failed turn."""
    tokens: int = 0
    started_at: float = 0.0
    finished_at: float | None = None


class TurnRecords:
    """Stored turns."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(self, key: SessionKey, question: str, mode: str, model: str, owner: str) -> TurnRecord:
        """Stores a new running turn. `owner` names the server process that runs it."""
        turn = TurnRecord(uuid.uuid4().hex, key, question, mode, model, started_at=time.time())

        def insert(connection: sqlite3.Connection) -> None:
            row_key = session_key(connection, key)
            connection.execute(
                "INSERT INTO turns (id, session_key, position, question, status, mode, model,"
                " owner, started_at) VALUES (?, ?, (SELECT coalesce(max(position), 0) + 1"
                " FROM turns WHERE session_key = ?), ?, 'running', ?, ?, ?, ?)",
                (turn.id, row_key, row_key, question, mode, model, owner, turn.started_at),
            )
            connection.execute(
                "UPDATE adk_sessions SET updated_at = max(updated_at, ?) WHERE key = ?",
                (turn.started_at, row_key),
            )

        self._database.write(insert)
        return turn

    def save(self, turn: TurnRecord) -> None:
        """Stores what the turn is now."""
        values = (
            turn.invocation_id,
            turn.status,
            json.dumps(turn.parts),
            None if turn.error is None else json.dumps(turn.error),
            turn.tokens,
            turn.finished_at,
            turn.id,
        )
        self._database.write(
            lambda c: (
                c.execute(
                    "UPDATE turns SET invocation_id = ?, status = ?, parts = ?, error = ?, tokens = ?,"
                    " finished_at = ? WHERE id = ?",
                    values,
                ).rowcount
            )
        )

    def get(self, turn_id: str) -> TurnRecord | None:
        """One turn by its id."""
        found = self._select("t.id = ?", (turn_id,))
        return found[0] if found else None

    def for_session(self, key: SessionKey) -> list[TurnRecord]:
        """All turns of a session, oldest first."""
        return self._select(
            "s.app_name = ? AND s.user_id = ? AND s.id = ?",
            (key.app_name, key.user_id, key.session_id),
        )

    def count(self, key: SessionKey) -> int:
        """How many turns the session has."""
        row = self._database.read(
            lambda c: c.execute(
                "SELECT count(*) FROM turns t JOIN adk_sessions s ON s.key = t.session_key"
                " WHERE s.app_name = ? AND s.user_id = ? AND s.id = ?",
                (key.app_name, key.user_id, key.session_id),
            ).fetchone()
        )
        return int(row[0])

    def interrupt_running(self, alive: set[str]) -> int:
        """Marks running turns of processes that are not alive as interrupted; returns how many."""
        marks = ", ".join("?" for _ in alive)
        return self._database.write(
            lambda c: (
                c.execute(
                    "UPDATE turns SET status = 'interrupted', finished_at = ?"
                    f" WHERE status = 'running' AND owner NOT IN ({marks})",
                    (time.time(), *alive),
                ).rowcount
            )
        )

    def _select(self, where: str, values: tuple[Any, ...]) -> list[TurnRecord]:
        rows = self._database.read(
            lambda c: c.execute(
                "SELECT t.*, s.app_name, s.user_id, s.id AS session_id FROM turns t"
                f" JOIN adk_sessions s ON s.key = t.session_key WHERE {where} ORDER BY t.position",
                values,
            ).fetchall()
        )
        return [_turn(row) for row in rows]


def _turn(row: sqlite3.Row) -> TurnRecord:
    return TurnRecord(
        id=row["id"],
        key=SessionKey(row["app_name"], row["user_id"], row["session_id"]),
        question=row["question"],
        mode=row["mode"],
        model=row["model"],
        status=row["status"],
        invocation_id=row["invocation_id"],
        parts=json.loads(row["parts"]),
        error=None if row["error"] is None else json.loads(row["error"]),
        tokens=row["tokens"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
    )

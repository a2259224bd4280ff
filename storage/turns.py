"""One question and its answer, as the page shows it.

ADK's events are the model's memory; this is the reader's: what was said, step by step, also when the
model broke off, was stopped, or the server died, none of which ADK keeps.
"""

import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from storage.conversations import find_session, session_key, touch
from storage.database import Connection, Database
from storage.errors import NotFound, StorageError
from storage.jsonsafe import clean_text
from storage.keys import SessionKey

STATUSES = ("running", "completed", "stopped", "failed", "interrupted")
LEASE_SECONDS = 10.0


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
    {"kind": "result", "id"}. A step's status is running, done or failed. A result of somebody's Python has
    besides "run", and "failed" if it did; one that was edited and run again has "version_of"."""
    error: dict[str, Any] | None = None
    """{"kind", "message", "action"} of a failed turn."""
    tokens: int = 0
    owner: str = ""
    """The server process that answers."""
    started_at: float = 0.0
    finished_at: float | None = None


class TurnRunning(StorageError):
    """Another answer is being made in this session."""


class TurnRecords:
    """Stored turns.

    The server that answers holds a lease, which it renews; when it lapses, the turn is interrupted, and only
    then may another be started in its session. So a turn is run by one server, whoever else sees it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(self, key: SessionKey, question: str, mode: str, model: str, owner: str) -> TurnRecord:
        """Stores a new running turn. `owner` names the server process that runs it.

        Raises TurnRunning while another has the lease, NotFound and SessionExpired.
        """
        turn = TurnRecord(
            uuid.uuid4().hex,
            key,
            clean_text(question.replace("\0", "")),
            mode,
            model,
            owner=owner,
            started_at=time.time(),
        )

        def insert(connection: Connection) -> None:
            row_key = session_key(connection, key)
            _end_lapsed(connection, "session_key = ?", (row_key,))
            connection.execute(
                "INSERT INTO turns (id, session_key, position, question, status, mode, model,"
                " owner, lease_until, started_at) VALUES (?, ?, (SELECT coalesce(max(position), 0) + 1"
                f" FROM turns WHERE session_key = ?), ?, 'running', ?, ?, ?, {connection.clock} + ?, ?)"
                " ON CONFLICT DO NOTHING",
                (
                    turn.id,
                    row_key,
                    row_key,
                    turn.question,
                    mode,
                    model,
                    owner,
                    LEASE_SECONDS,
                    turn.started_at,
                ),
            )
            if connection.execute("SELECT 1 FROM turns WHERE id = ?", (turn.id,)).fetchone() is None:
                raise TurnRunning("An answer is still being made here. Wait for it, or stop it.")
            touch(connection, row_key, turn.started_at)

        self._database.write(insert, user=key.user_id)
        return turn

    def save(self, turn: TurnRecord, *, patient: bool = False) -> None:
        """Stores what the turn is now; a running one only while its lease holds."""
        values = (
            turn.invocation_id,
            turn.model,
            turn.status,
            json.dumps(turn.parts),
            None if turn.error is None else json.dumps(turn.error),
            turn.tokens,
            turn.finished_at,
            turn.id,
        )
        held = " AND status = 'running'" if turn.status == "running" else ""
        self._database.write(
            lambda c: (
                c.execute(
                    "UPDATE turns SET invocation_id = ?, model = ?, status = ?, parts = ?, error = ?,"
                    f" tokens = ?, finished_at = ? WHERE id = ?{held}",
                    values,
                ).rowcount
            ),
            user=turn.key.user_id,
            patient=patient,
        )

    def append_parts(self, turn: TurnRecord, parts: list[dict[str, Any]]) -> None:
        """Adds to the parts of a turn that ended, whoever else adds to them. Raises NotFound."""

        def append(connection: Connection) -> None:
            row_key = session_key(connection, turn.key)
            mine = (turn.id, row_key)
            row = connection.execute(
                "SELECT parts FROM turns WHERE id = ? AND session_key = ?", mine
            ).fetchone()
            if row is None:
                raise NotFound("This question is no longer stored.")
            connection.execute(
                "UPDATE turns SET parts = ? WHERE id = ? AND session_key = ?",
                (json.dumps([*json.loads(row["parts"]), *parts]), *mine),
            )
            touch(connection, row_key, time.time())

        self._database.write(append, user=turn.key.user_id, patient=True)

    def get(self, user_id: str, turn_id: str) -> TurnRecord | None:
        """One of the user's turns by its id."""
        found = self._select(user_id, "t.id = ? AND s.user_id = ?", (turn_id, user_id))
        return found[0] if found else None

    def for_session(self, key: SessionKey) -> list[TurnRecord]:
        """All turns of a session, oldest first."""
        return self._select(
            key.user_id,
            "s.app_name = ? AND s.user_id = ? AND s.id = ?",
            (key.app_name, key.user_id, key.session_id),
        )

    def change_mark(self, key: SessionKey) -> tuple[int, int, int]:
        """How many turns there are, how many run, and how many parts the running ones have."""
        rows = self._database.read(
            lambda c: c.execute(
                "SELECT t.status, CASE WHEN t.status = 'running' THEN t.parts ELSE '[]' END AS parts"
                " FROM turns t JOIN adk_sessions s ON s.key = t.session_key"
                " WHERE s.app_name = ? AND s.user_id = ? AND s.id = ?",
                (key.app_name, key.user_id, key.session_id),
            ).fetchall(),
            user=key.user_id,
        )
        running = sum(row["status"] == "running" for row in rows)
        return len(rows), running, sum(len(json.loads(row["parts"])) for row in rows)

    def request_stop(self, key: SessionKey) -> None:
        """Asks the server that runs the session's turn, whichever it is, to stop it."""
        self._database.write(
            lambda c: (
                c.execute(
                    "UPDATE turns SET stop_requested = 1 WHERE status = 'running' AND session_key = ?",
                    (find_session(c, key)["key"],),
                ).rowcount
            ),
            user=key.user_id,
        )

    def renew(self, owner: str) -> set[str]:
        """Renews the leases of a server; returns the ids of its turns that somebody asked to stop.

        Ends turns whose lease lapsed.
        """

        def beat(connection: Connection) -> set[str]:
            connection.execute(
                f"UPDATE turns SET lease_until = {connection.clock} + ?"
                " WHERE status = 'running' AND owner = ?",
                (LEASE_SECONDS, owner),
            )
            _end_lapsed(connection, "owner <> ?", (owner,))
            rows = connection.execute(
                "SELECT id FROM turns WHERE status = 'running' AND owner = ? AND stop_requested = 1", (owner,)
            )
            return {row[0] for row in rows}

        return self._database.write(beat, user=None)

    def interrupt_dead(self, folder: str, alive: set[str]) -> int:
        """Ends running turns of servers of this home folder that are not alive; returns how many."""
        marks = ", ".join("?" for _ in alive)
        return self._database.write(
            lambda c: (
                c.execute(
                    "UPDATE turns SET status = 'interrupted', finished_at = ?"
                    f" WHERE status = 'running' AND owner LIKE ? AND owner NOT IN ({marks})",
                    (time.time(), f"{folder}.%", *alive),
                ).rowcount
            ),
            user=None,
        )

    def _select(self, user_id: str, where: str, values: tuple[Any, ...]) -> list[TurnRecord]:
        rows = self._database.read(
            lambda c: c.execute(
                "SELECT t.*, s.app_name, s.user_id, s.id AS session_id FROM turns t"
                f" JOIN adk_sessions s ON s.key = t.session_key WHERE {where} ORDER BY t.position",
                values,
            ).fetchall(),
            user=user_id,
        )
        return [_turn(row) for row in rows]


def _end_lapsed(connection: Connection, where: str, values: tuple[Any, ...]) -> None:
    connection.execute(
        "UPDATE turns SET status = 'interrupted', finished_at = ?"
        f" WHERE status = 'running' AND lease_until < {connection.clock} AND {where}",
        (time.time(), *values),
    )


def _turn(row: Any) -> TurnRecord:
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
        owner=row["owner"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
    )

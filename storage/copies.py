"""A whole session as plain records: read to leave in a file, written to make a session of its own.

Turns and results get new ids in the copy, since an id names one record of the whole store; they are replaced
wherever they are cited.
"""

import json
import re
import uuid
from dataclasses import dataclass
from typing import Any

from google.adk.events.event import Event
from pydantic import BaseModel, ConfigDict, Field

from storage import session_rows as rows
from storage.conversations import find_session
from storage.database import Connection, Database
from storage.errors import InvalidExport, StorageError
from storage.event_cache import parse_event
from storage.keys import SessionKey
from storage.results import run_columns
from storage.search import words_column
from storage.window import marks_of

ID = r"[0-9a-f]{32}"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SessionRecord(_Record):
    """Life-cycle fields and state."""

    title: str = Field(max_length=200)
    mode: str = Field(pattern="^(direct|code)$")
    created_at: float
    updated_at: float
    turn_count: int = Field(ge=0)
    total_tokens: int = Field(ge=0)
    metadata: dict[str, Any]
    state: dict[str, Any]
    """Without user and app state, which belong to more than this session."""


class TurnLine(_Record):
    """A stored turn."""

    id: str = Field(pattern=f"^{ID}$")
    invocation_id: str | None
    question: str
    status: str = Field(pattern="^(running|completed|stopped|failed|interrupted)$")
    mode: str
    model: str
    parts: list[dict[str, Any]]
    error: dict[str, Any] | None
    tokens: int
    started_at: float
    finished_at: float | None


class ResultLine(_Record):
    """A stored result."""

    id: str = Field(pattern=f"^{ID}$")
    invocation_id: str
    kind: str = Field(pattern="^(value|table|figure|model|image|text|file)$")
    created_at: float
    record: dict[str, Any]


@dataclass(frozen=True)
class SessionCopy:
    """All that a session holds, but for files."""

    session: SessionRecord
    events: list[str]
    """JSON of each event, in order."""
    turns: list[TurnLine]
    results: list[ResultLine]


def read_copy(database: Database, key: SessionKey) -> SessionCopy:
    """Raises NotFound."""

    def read(connection: Connection) -> SessionCopy:
        row = find_session(connection, key)
        mine = (row["key"],)
        state = connection.execute("SELECT name, value FROM adk_state WHERE session_key = ?", mine)
        turns = connection.execute("SELECT * FROM turns WHERE session_key = ? ORDER BY position", mine)
        results = connection.execute("SELECT * FROM results WHERE session_key = ? ORDER BY position", mine)
        return SessionCopy(
            SessionRecord(
                **{name: row[name] for name in ("title", "mode", "created_at", "updated_at")},
                **{name: row[name] for name in ("turn_count", "total_tokens")},
                metadata=json.loads(row["metadata"]),
                state={found[0]: json.loads(found[1]) for found in state},
            ),
            [data for _, data in rows.events_after(connection, row["key"], 0)],
            [_turn_line(turn) for turn in turns],
            [_result_line(result) for result in results],
        )

    return database.read(read, user=key.user_id)


def write_copy(
    database: Database,
    key: SessionKey,
    copy: SessionCopy,
    *,
    parent: str | None = None,
    expires_after: float | None = None,
) -> None:
    """Makes the session `key` of a copy.

    Raises InvalidExport when an event is none, and StorageError when the id is taken.
    """
    ids = [turn.id for turn in copy.turns] + [result.id for result in copy.results]
    renamed = {known: uuid.uuid4().hex for known in ids}

    def cited(text: str) -> str:
        return re.sub(ID, lambda found: renamed.get(found.group(), found.group()), text)

    events = [_event_row(cited(data)) for data in copy.events]

    def write(connection: Connection) -> None:
        row_key = rows.insert(connection, key, copy.session.created_at, expires_after)
        if row_key is None:
            raise StorageError(f"There is a conversation {key.session_id} already.")
        connection.execute(
            "UPDATE adk_sessions SET title = ?, mode = ?, updated_at = ?, turn_count = ?, total_tokens = ?,"
            " metadata = ?, parent_session_id = ?, revision = ? WHERE key = ?",
            (
                copy.session.title, copy.session.mode, copy.session.updated_at, copy.session.turn_count,
                copy.session.total_tokens, json.dumps(copy.session.metadata), parent, len(events), row_key,
            ),
        )  # fmt: skip
        rows.write_state(connection, key, row_key, _own_state(copy.session.state))
        for number, (data, event) in enumerate(events, 1):
            insert_event(connection, row_key, number, data, event)
        for position, turn in enumerate(copy.turns, 1):
            _insert_turn(connection, row_key, position, turn, renamed[turn.id], cited)
        for position, result in enumerate(copy.results, 1):
            _insert_result(connection, row_key, position, result, renamed[result.id], cited)

    database.write(write, user=key.user_id)


def insert_event(connection: Connection, row_key: int, number: int, data: str, event: Event | None) -> bool:
    """Stores the JSON of a session's event `number`, counted from 1.

    `event` is None when this version of ADK cannot read it. False when the session has an event of that id.
    """
    sequence = rows.span(row_key)[0] + number
    record = json.loads(data)
    column, words, texts = words_column(connection, event)
    added = connection.execute(
        f"INSERT INTO adk_events (sequence, session_key, {rows.EVENT_FIELDS}{column})"
        f" VALUES (?, ?, ?, ?, ?, ?, ?{words}) ON CONFLICT DO NOTHING RETURNING sequence",
        (
            sequence, row_key, str(record.get("id") or uuid.uuid4()), str(record.get("invocation_id") or ""),
            float(record.get("timestamp") or 0.0), data,
            marks_of(event) if event else 0, *texts,
        ),
    ).fetchone()  # fmt: skip
    return added is not None


def _event_row(data: str) -> tuple[str, Event | None]:
    try:
        record = json.loads(data)
        float(record.get("timestamp") or 0.0)
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidExport("The file holds an event that cannot be read. Nothing was imported.") from error
    return data, parse_event(data)


def _own_state(state: dict[str, Any]) -> dict[str, Any]:
    shared = (rows.APP, rows.USER)
    return {name: value for name, value in state.items() if not name.startswith(shared)}


def _turn_line(row: Any) -> TurnLine:
    values = {name: row[name] for name in TurnLine.model_fields}
    values["parts"] = json.loads(row["parts"])
    values["error"] = None if row["error"] is None else json.loads(row["error"])
    return TurnLine(**values)


def _result_line(row: Any) -> ResultLine:
    values = {name: row[name] for name in ResultLine.model_fields}
    return ResultLine(**values | {"record": json.loads(row["record"])})


def _insert_turn(
    connection: Connection, row_key: int, position: int, turn: TurnLine, new_id: str, cited: Any
) -> None:
    status = "interrupted" if turn.status == "running" else turn.status
    connection.execute(
        "INSERT INTO turns (id, session_key, position, invocation_id, question, status, mode, model, parts,"
        " error, tokens, started_at, finished_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            new_id, row_key, position, turn.invocation_id, turn.question.replace("\0", ""), status,
            turn.mode, turn.model, cited(json.dumps(turn.parts)),
            None if turn.error is None else json.dumps(turn.error), turn.tokens, turn.started_at,
            turn.finished_at,
        ),
    )  # fmt: skip


def _insert_result(
    connection: Connection, row_key: int, position: int, result: ResultLine, new_id: str, cited: Any
) -> None:
    record = cited(json.dumps(result.record, allow_nan=False))
    connection.execute(
        "INSERT INTO results (id, session_key, position, invocation_id, kind, created_at, record, run_id,"
        " run_code) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            new_id, row_key, position, result.invocation_id, result.kind, result.created_at, record,
            *run_columns(result.record),
        ),
    )  # fmt: skip

"""Sessions out of the files that ADK's own session services keep.

Each session is stored in one transaction, event by event, so a session of any length needs little memory.
What is here already stays as it is, so an import can be done again, also after one that was broken off.
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from storage import session_rows as rows
from storage.adk_files import AdkFile, Row
from storage.copies import insert_event
from storage.database import Connection, Database
from storage.errors import StorageError, StoreUnavailable
from storage.event_cache import UNREAD_FIELDS, parse_event
from storage.keys import SessionKey
from storage.window import QUESTION, marks_of


@dataclass
class Imported:
    """What became of a file."""

    sessions: int = 0
    events: int = 0
    known: int = 0
    """Sessions that were here already, and were left alone."""
    unreadable: int = 0
    """Events that this version of ADK cannot read; they are kept for one that can."""
    strays: int = 0
    """Events of no session."""
    broken: list[str] = field(default_factory=list)
    """One sentence for each row that was left out."""


@dataclass
class _Tally:
    """What one session brought."""

    events: int = 0
    turns: int = 0
    tokens: int = 0
    unreadable: int = 0
    broken: list[str] = field(default_factory=list)


class _Broken(Exception):
    """A row that cannot be stored, and why."""


FAILURES = (_Broken, StorageError, UnicodeError)


def import_adk(database: Database, file: AdkFile) -> Imported:
    """Imports a file's sessions, and the state of its users and apps.

    State that is here already is not overwritten. Raises StoreUnavailable when the database fails; sessions
    before that are stored.
    """
    done = Imported()
    for row in file.app_states():
        _import_shared(database, rows.APP, SessionKey(row["app_name"], "", ""), row["state"], done)
    for row in file.user_states():
        owner = SessionKey(row["app_name"], row["user_id"], "")
        _import_shared(database, rows.USER, owner, row["state"], done)
    for number in file.sessions():
        _import_session(database, file, number, done)
    done.strays = file.strays()
    return done


def _import_shared(database: Database, prefix: str, owner: SessionKey, data: Any, done: Imported) -> None:
    try:
        _check_names(owner)
        state = {prefix + name: value for name, value in _object(data, "state").items()}
        database.write(lambda c: _add_state(c, owner, state), user=None)
    except FAILURES as error:
        _raise_if_away(database, error)
        whose = f"the user {owner.user_id}" if prefix == rows.USER else "all users"
        done.broken.append(f"The state of {whose} (app {owner.app_name}) was left out: {error}")


def _add_state(connection: Connection, owner: SessionKey, state: dict[str, Any]) -> None:
    known = rows.read_state(connection, owner, 0)
    new = {name: value for name, value in state.items() if name not in known}
    rows.write_state(connection, owner, 0, new)


def _import_session(database: Database, file: AdkFile, number: int, done: Imported) -> None:
    name = f"in row {number}"
    try:
        row = file.session(number)
        name = f"{row['id']} of the user {row['user_id']} (app {row['app_name']})"
        key, state = _key(file, row), _object(row["state"], "state")
        tally = database.write(lambda c: _add_session(c, file, number, row, key, state), user=None)
    except FAILURES as error:
        _raise_if_away(database, error)
        done.broken.append(f"The session {name} was left out: {error}")
        return
    if tally is None:
        done.known += 1
        return
    done.sessions += 1
    done.events += tally.events
    done.unreadable += tally.unreadable
    done.broken += [f"In the session {name} {reason}" for reason in tally.broken]


def _add_session(
    connection: Connection, file: AdkFile, number: int, row: Row, key: SessionKey, state: dict[str, Any]
) -> _Tally | None:
    """Stores a session with its events and state; None when it is here already."""
    created_at, updated_at = _moment(row["create_time"]), _moment(row["update_time"])
    row_key = rows.insert(connection, key, created_at)
    if row_key is None:
        return None
    shared = (rows.APP, rows.USER)
    own = {name: value for name, value in state.items() if not name.startswith(shared)}
    rows.write_state(connection, key, row_key, own)
    tally = _Tally()
    for event_row in file.events(number):
        try:
            _add_event(connection, row_key, event_row, tally)
        except _Broken as error:
            tally.broken.append(f"the event {event_row['id']} was left out: {error}")
    connection.execute(
        "UPDATE adk_sessions SET revision = ?, updated_at = ?, turn_count = ?, total_tokens = ?"
        " WHERE key = ?",
        (tally.events, updated_at, tally.turns, tally.tokens, row_key),
    )
    return tally


def _add_event(connection: Connection, row_key: int, row: Row, tally: _Tally) -> None:
    data = _whole(row)
    event = parse_event(data)
    try:
        added = insert_event(connection, row_key, tally.events + 1, data, event)
    except (ValueError, TypeError) as error:
        raise _Broken(f"{error}.") from error
    if not added:
        raise _Broken("another event has its id.")
    tally.events += 1
    if event is None or UNREAD_FIELDS in (event.custom_metadata or {}):
        tally.unreadable += 1
    if event is None:
        return
    usage = event.usage_metadata
    tally.turns += marks_of(event) == QUESTION
    tally.tokens += max((usage.total_token_count or 0) if usage else 0, 0)


def _whole(row: Row) -> str:
    """An event's JSON as it is, unless only its row knows a field."""
    data = row["event_data"] or "{}"
    record = _object(data, "data")
    of_row = {"id": row["id"], "invocation_id": row["invocation_id"]}
    if record.get("timestamp") is None:
        of_row["timestamp"] = _moment(row["timestamp"])
    if any(record.get(name) != value for name, value in of_row.items()):
        return json.dumps(record | of_row)
    return str(data)


def _object(data: Any, what: str) -> dict[str, Any]:
    """A JSON object."""
    try:
        found = json.loads(data) if isinstance(data, str) else None
    except (ValueError, RecursionError) as error:
        raise _Broken(f"its {what} cannot be read ({error}).") from error
    if not isinstance(found, dict):
        raise _Broken(f"its {what} is no JSON object.")
    return found


def _key(file: AdkFile, row: Row) -> SessionKey:
    """The session's name as our service looks for it: without spaces around the id."""
    key = SessionKey(row["app_name"], row["user_id"], str(row["id"] or "").strip())
    _check_names(key)
    if not key.session_id:
        raise _Broken("it has no id.")
    if key.session_id != row["id"] and file.has_session(row, key.session_id):
        raise _Broken("its id differs from another's by spaces only.")
    return key


def _check_names(key: SessionKey) -> None:
    if not isinstance(key.app_name, str) or not isinstance(key.user_id, str):
        raise _Broken("it names no app or no user.")


def _moment(value: Any) -> float:
    """Unix seconds of a number, or of text that is a time in UTC."""
    if isinstance(value, (int, float)):
        return float(value)
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise _Broken(f"{value!r} is no time.") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _raise_if_away(database: Database, error: Exception) -> None:
    """Ends the import when the database fails altogether, rather than at one row."""
    if isinstance(error, StoreUnavailable):
        database.read(lambda c: c.execute("SELECT 1").fetchone(), user=None)

"""The SQL behind the session service: plain functions on a connection, each inside a transaction."""

import json
from typing import TYPE_CHECKING, Any

from storage.database import Connection
from storage.jsonsafe import to_json_safe
from storage.keys import SessionKey
from storage.search import words_column

if TYPE_CHECKING:
    from google.adk.events.event import Event

APP, USER, TEMP = "app:", "user:", "temp:"
SCOPES = {APP: "APP", USER: "USER"}
EVENT_FIELDS = "id, invocation_id, timestamp, event_data, marks"
FIELDS = "key, created_at, revision, updated_at, status, expires_at"


def find(connection: Connection, key: SessionKey, *, lock: bool = False) -> Any | None:
    """The session's row, or None; `lock` keeps other writers away until the transaction ends."""
    return connection.execute(
        f"SELECT {FIELDS} FROM adk_sessions WHERE app_name = ? AND user_id = ? AND id = ?"
        + (connection.for_update if lock else ""),
        (key.app_name, key.user_id, key.session_id),
    ).fetchone()


def insert(
    connection: Connection, key: SessionKey, now: float, expires_after: float | None = None
) -> int | None:
    """A new session; returns its row key, or None when the id is taken."""
    expires_at = None if expires_after is None else now + expires_after
    row = connection.execute(
        "INSERT INTO adk_sessions (app_name, user_id, id, created_at, updated_at, expires_after, expires_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING key",
        (key.app_name, key.user_id, key.session_id, now, now, expires_after, expires_at),
    ).fetchone()
    return None if row is None else int(row[0])


def insert_event(
    connection: Connection,
    key: SessionKey,
    revision: int,
    now: float,
    event: "Event",
    data: str,
    marks: int,
) -> int | None:
    """Stores an event in an open session of that revision.

    Returns the session's row key; None when there is no such session, or the event is stored already.
    """
    column, words, texts = words_column(connection, event)
    row = connection.execute(
        f"INSERT INTO adk_events (sequence, session_key, {EVENT_FIELDS}{column})"
        f" SELECT (key << 32) + revision + 1, key, ?, ?, ?, ?, ?{words} FROM adk_sessions"
        " WHERE app_name = ? AND user_id = ? AND id = ? AND revision = ?"
        " AND (status = 'completed' OR status <> 'expired' AND coalesce(expires_at > ?, true))"
        f"{connection.for_update} ON CONFLICT DO NOTHING RETURNING session_key",
        (
            event.id, event.invocation_id, event.timestamp, data, marks, *texts,
            key.app_name, key.user_id, key.session_id, revision, now,
        ),
    ).fetchone()  # fmt: skip
    return None if row is None else int(row[0])


def bump(
    connection: Connection, row_key: int, moment: float, now: float, *, turns: int = 0, tokens: int = 0
) -> tuple[int, float]:
    """A new revision of a changed session, which is active again and expires later.

    Returns the revision and the update time, which never goes back.
    """
    row = connection.execute(
        "UPDATE adk_sessions SET revision = revision + 1, status = 'active',"
        " updated_at = CASE WHEN updated_at > ? THEN updated_at ELSE ? END,"
        " expires_at = CASE WHEN expires_after IS NULL THEN expires_at ELSE ? + expires_after END,"
        " turn_count = turn_count + ?, total_tokens = total_tokens + ?"
        " WHERE key = ? RETURNING revision, updated_at",
        (moment, moment, now, turns, tokens, row_key),
    ).fetchone()
    return int(row[0]), float(row[1])


def span(row_key: int) -> tuple[int, int]:
    """Sequences of a session's events are between these two."""
    return row_key << 32, (row_key + 1) << 32


def counts(connection: Connection) -> dict[str, float]:
    """How many sessions, events and state keys are stored."""
    tables = {"sessions": "adk_sessions", "events": "adk_events", "state_keys": "adk_state"}
    return {
        name: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        for name, table in tables.items()
    }


def events_after(connection: Connection, row_key: int, sequence: int) -> list[tuple[int, str]]:
    """Rows (sequence, JSON) of a session beyond `sequence`, in append order."""
    low, high = span(row_key)
    return connection.execute(
        "SELECT sequence, event_data FROM adk_events WHERE sequence > ? AND sequence < ? ORDER BY sequence",
        (max(low, sequence), high),
    ).fetchall()


def recent_events(connection: Connection, row_key: int, limit: int | None, after: float | None) -> list[str]:
    """The newest `limit` events not older than `after`, in append order."""
    rows = connection.execute(
        "SELECT event_data FROM adk_events WHERE sequence > ? AND sequence < ? AND timestamp >= ?"
        " ORDER BY sequence DESC LIMIT ?",
        (*span(row_key), after if after else -1e300, 1 << 62 if limit is None else limit),
    ).fetchall()
    return [row[0] for row in reversed(rows)]


def write_state(connection: Connection, key: SessionKey, row_key: int, delta: dict[str, Any]) -> None:
    """Stores each value under its scope; None is a value; `temp:` is never stored."""
    for name, value in sorted(delta.items()):
        if name.startswith(TEMP):
            continue
        scope, owner, session, bare = _scoped(name, key, row_key)
        target = "(session_key, name) WHERE session_key IS NOT NULL"
        if session is None:
            target = "(app_name, user_id, name) WHERE session_key IS NULL"
        connection.execute(
            "INSERT INTO adk_state (scope, app_name, user_id, session_key, name, value)"
            f" VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT {target} DO UPDATE SET value = excluded.value",
            (scope, key.app_name, owner, session, bare, json.dumps(to_json_safe(value))),
        )


def delete_state(connection: Connection, key: SessionKey, row_key: int, name: str) -> None:
    """Removes one key."""
    _, owner, session, bare = _scoped(name, key, row_key)
    if session is None:
        connection.execute(
            "DELETE FROM adk_state WHERE session_key IS NULL AND app_name = ? AND user_id = ? AND name = ?",
            (key.app_name, owner, bare),
        )
    else:
        connection.execute("DELETE FROM adk_state WHERE session_key = ? AND name = ?", (session, bare))


def read_state(connection: Connection, key: SessionKey, row_key: int) -> dict[str, Any]:
    """App, user and session state, merged, with prefixes."""
    rows = connection.execute(
        "SELECT scope, name, value FROM adk_state WHERE session_key IS NULL AND app_name = ?"
        " AND user_id IN ('', ?) UNION ALL SELECT scope, name, value FROM adk_state WHERE session_key = ?",
        (key.app_name, _owner(key.user_id), row_key),
    )
    prefixes = {"APP": APP, "USER": USER, "SESSION": ""}
    return {prefixes[row[0]] + row[1]: json.loads(row[2]) for row in rows}


def user_state(connection: Connection, app_name: str, user_id: str) -> dict[str, Any]:
    """A user's state without prefixes."""
    rows = connection.execute(
        "SELECT name, value FROM adk_state WHERE session_key IS NULL AND app_name = ? AND user_id = ?",
        (app_name, _owner(user_id)),
    )
    return {row[0]: json.loads(row[1]) for row in rows}


def list_all(connection: Connection, app_name: str, user_id: str | None) -> list[tuple[Any, dict[str, Any]]]:
    """Rows of sessions (key, user_id, id, revision, updated_at) with their state, oldest updated first."""
    where, values = ("app_name = ?", (app_name,)) if user_id is None else (
        "app_name = ? AND user_id = ?", (app_name, user_id)
    )  # fmt: skip
    found = connection.execute(
        f"SELECT key, user_id, id, revision, updated_at FROM adk_sessions WHERE {where}"
        " ORDER BY updated_at, key",
        values,
    ).fetchall()
    of_session: dict[int, dict[str, Any]] = {}
    for row in connection.execute(
        "SELECT session_key, name, value FROM adk_state WHERE session_key IN"
        f" (SELECT key FROM adk_sessions WHERE {where})",
        values,
    ):
        of_session.setdefault(row[0], {})[row[1]] = json.loads(row[2])
    shared: dict[str, dict[str, Any]] = {}
    for row in connection.execute(
        "SELECT scope, user_id, name, value FROM adk_state WHERE session_key IS NULL AND app_name = ?",
        (app_name,),
    ):
        prefix = APP if row[0] == "APP" else USER
        shared.setdefault(row[1], {})[prefix + row[2]] = json.loads(row[3])
    return [
        (row, shared.get("", {}) | shared.get(_owner(row[1]), {}) | of_session.get(row[0], {}))
        for row in found
    ]


def _owner(user_id: str) -> str:
    """Owners of users are marked, so that an empty user id is not the app."""
    return f"u:{user_id}"


def _scoped(name: str, key: SessionKey, row_key: int) -> tuple[str, str, int | None, str]:
    """Scope, owner, session and bare name of a state key."""
    if name.startswith(APP):
        return "APP", "", None, name.removeprefix(APP)
    if name.startswith(USER):
        return "USER", _owner(key.user_id), None, name.removeprefix(USER)
    return "SESSION", "", row_key, name

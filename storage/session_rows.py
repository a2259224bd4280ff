"""The SQL behind the session service: plain functions on a connection, each inside a transaction."""

import json
import sqlite3
from typing import Any

from storage.jsonsafe import to_json_safe

APP, USER, TEMP = "app:", "user:", "temp:"


def find(connection: sqlite3.Connection, app_name: str, user_id: str, session_id: str) -> sqlite3.Row | None:
    """The session's row, or None."""
    row: sqlite3.Row | None = connection.execute(
        "SELECT key, revision, updated_at FROM adk_sessions WHERE app_name = ? AND user_id = ? AND id = ?",
        (app_name, user_id, session_id),
    ).fetchone()
    return row


def insert(connection: sqlite3.Connection, app_name: str, user_id: str, session_id: str, now: float) -> int:
    """A new session; returns its row key. Raises sqlite3.IntegrityError when the id is taken."""
    cursor = connection.execute(
        "INSERT INTO adk_sessions (app_name, user_id, id, created_at, updated_at) VALUES (?, ?, ?, ?, ?)",
        (app_name, user_id, session_id, now, now),
    )
    return int(cursor.lastrowid or 0)


def bump(connection: sqlite3.Connection, key: int, revision: int, moment: float) -> float:
    """Sets the new revision; returns the update time, which never goes back."""
    row = connection.execute(
        "UPDATE adk_sessions SET revision = ?, updated_at = max(updated_at, ?) WHERE key = ?"
        " RETURNING updated_at",
        (revision, moment, key),
    ).fetchone()
    return float(row[0])


def events_after(connection: sqlite3.Connection, key: int, sequence: int) -> list[tuple[int, str]]:
    """Rows (sequence, JSON) beyond `sequence`, in append order."""
    return [
        (row[0], row[1])
        for row in connection.execute(
            "SELECT sequence, event_data FROM adk_events WHERE session_key = ? AND sequence > ?"
            " ORDER BY sequence",
            (key, sequence),
        )
    ]


def recent_events(
    connection: sqlite3.Connection, key: int, limit: int | None, after: float | None
) -> list[str]:
    """The newest `limit` events not older than `after`, in append order."""
    rows = connection.execute(
        "SELECT event_data FROM adk_events WHERE session_key = ? AND timestamp >= ?"
        " ORDER BY sequence DESC LIMIT ?",
        (key, after if after else -1e300, -1 if limit is None else limit),
    ).fetchall()
    return [row[0] for row in reversed(rows)]


def write_state(
    connection: sqlite3.Connection, app_name: str, user_id: str, key: int, delta: dict[str, Any]
) -> None:
    """Stores each value under its scope; None is a value; `temp:` is never stored."""
    for name, value in delta.items():
        scope, owner, row_key, bare = _scoped(name, user_id, key)
        if scope is None:
            continue
        target = "(session_key, name) WHERE session_key IS NOT NULL"
        if row_key is None:
            target = "(app_name, user_id, name) WHERE session_key IS NULL"
        connection.execute(
            "INSERT INTO adk_state (scope, app_name, user_id, session_key, name, value)"
            f" VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT {target} DO UPDATE SET value = excluded.value",
            (scope, app_name, owner, row_key, bare, json.dumps(to_json_safe(value))),
        )


def delete_state(connection: sqlite3.Connection, app_name: str, user_id: str, key: int, name: str) -> None:
    """Removes one key."""
    scope, owner, row_key, bare = _scoped(name, user_id, key)
    connection.execute(
        "DELETE FROM adk_state WHERE scope IS ? AND app_name = ? AND user_id = ?"
        " AND session_key IS ? AND name = ?",
        (scope, app_name, owner, row_key, bare),
    )


def read_state(
    connection: sqlite3.Connection, app_name: str, user_id: str, key: int | None
) -> dict[str, Any]:
    """App, user and (with a key) session state, merged, with prefixes."""
    state: dict[str, Any] = {}
    for name, value in connection.execute(
        "SELECT name, value FROM adk_state WHERE session_key IS NULL AND app_name = ?"
        " AND user_id = '' AND scope = 'APP'",
        (app_name,),
    ):
        state[APP + name] = json.loads(value)
    for name, value in user_state(connection, app_name, user_id).items():
        state[USER + name] = value
    if key is not None:
        for name, value in connection.execute(
            "SELECT name, value FROM adk_state WHERE session_key = ?", (key,)
        ):
            state[name] = json.loads(value)
    return state


def user_state(connection: sqlite3.Connection, app_name: str, user_id: str) -> dict[str, Any]:
    """A user's state without prefixes."""
    rows = connection.execute(
        "SELECT name, value FROM adk_state WHERE session_key IS NULL AND app_name = ?"
        " AND user_id = ? AND scope = 'USER'",
        (app_name, f"u:{user_id}"),
    )
    return {name: json.loads(value) for name, value in rows}


def _scoped(name: str, user_id: str, key: int) -> tuple[str | None, str, int | None, str]:
    """Scope, owner, session and bare name of a state key. Owners of users are marked, so that an
    empty user id is not the app."""
    if name.startswith(TEMP):
        return None, "", None, name
    if name.startswith(APP):
        return "APP", "", None, name.removeprefix(APP)
    if name.startswith(USER):
        return "USER", f"u:{user_id}", None, name.removeprefix(USER)
    return "SESSION", "", key, name

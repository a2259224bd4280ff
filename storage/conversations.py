"""A session as people see it: title, mode, status, counts; the list in the sidebar."""

import json
import sqlite3
import time
from dataclasses import dataclass
from typing import Any

from storage.database import Database
from storage.errors import NotFound
from storage.keys import SessionKey

MODES = ("direct", "code")
# A session that nobody asked anything in and brought no data to.
NOT_EMPTY = (
    "(turn_count > 0 OR EXISTS (SELECT 1 FROM turns t WHERE t.session_key = s.key)"
    " OR EXISTS (SELECT 1 FROM session_datasets d WHERE d.session_key = s.key))"
)


@dataclass(frozen=True)
class Conversation:
    """One session's life-cycle fields. Times are Unix seconds."""

    key: SessionKey
    title: str
    status: str
    mode: str
    created_at: float
    updated_at: float
    expires_at: float | None
    turn_count: int
    total_tokens: int
    metadata: dict[str, Any]


@dataclass(frozen=True)
class Page:
    """Part of a list; `next_cursor` is None on the last page."""

    items: list[Conversation]
    next_cursor: str | None


def session_key(connection: sqlite3.Connection, key: SessionKey) -> int:
    """The row key of a session. Raises NotFound."""
    row = connection.execute(
        "SELECT key FROM adk_sessions WHERE app_name = ? AND user_id = ? AND id = ?",
        (key.app_name, key.user_id, key.session_id),
    ).fetchone()
    if row is None:
        raise NotFound(f"The conversation {key.session_id} does not exist.")
    return int(row["key"])


class Conversations:
    """Reads and changes conversations; every call is safe from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: SessionKey) -> Conversation | None:
        """The conversation, or None when this user has none by that id."""
        row = self._database.read(
            lambda c: c.execute(
                "SELECT * FROM adk_sessions WHERE app_name = ? AND user_id = ? AND id = ?",
                (key.app_name, key.user_id, key.session_id),
            ).fetchone()
        )
        return None if row is None else _conversation(row)

    def ensure(self, key: SessionKey) -> None:
        """Makes the row of a session that a service of ADK's own keeps in memory."""
        now = time.time()
        self._database.write(
            lambda c: (
                c.execute(
                    "INSERT OR IGNORE INTO adk_sessions (app_name, user_id, id, created_at, updated_at)"
                    " VALUES (?, ?, ?, ?, ?)",
                    (key.app_name, key.user_id, key.session_id, now, now),
                ).rowcount
            )
        )

    def page(
        self,
        app_name: str,
        user_id: str,
        *,
        limit: int = 50,
        cursor: str | None = None,
        include_empty: bool = False,
    ) -> Page:
        """Conversations, last changed first, `limit` at a time."""
        where = "app_name = ? AND user_id = ?"
        parameters: list[Any] = [app_name, user_id]
        if not include_empty:
            where += f" AND {NOT_EMPTY}"
        if cursor is not None:
            updated_at, row_key = json.loads(cursor)
            where += " AND (updated_at, key) < (?, ?)"
            parameters += [updated_at, row_key]
        rows = self._database.read(
            lambda c: c.execute(
                f"SELECT * FROM adk_sessions s WHERE {where} ORDER BY updated_at DESC, key DESC LIMIT ?",
                (*parameters, limit + 1),
            ).fetchall()
        )
        shown = rows[:limit]
        more = len(rows) > limit
        following = json.dumps([shown[-1]["updated_at"], shown[-1]["key"]]) if more else None
        return Page([_conversation(row) for row in shown], following)

    def rename(self, key: SessionKey, title: str) -> None:
        """Sets the title."""
        self._update(key, "title = ?", (title,))

    def set_title_if_empty(self, key: SessionKey, title: str) -> None:
        """Gives the title that the first question suggests."""
        self._update(key, "title = CASE WHEN title = '' THEN ? ELSE title END", (title,))

    def set_mode(self, key: SessionKey, mode: str) -> None:
        """Sets `direct` or `code`. Raises ValueError for another word."""
        if mode not in MODES:
            raise ValueError(f"A mode is one of {', '.join(MODES)}, not {mode!r}.")
        self._update(key, "mode = ?", (mode,))

    def set_metadata(self, key: SessionKey, **values: Any) -> None:
        """Merges `values` into the metadata; None removes a name."""
        self._update(key, "metadata = json_patch(metadata, ?)", (json.dumps(values),))

    def add_usage(self, key: SessionKey, *, turns: int = 0, tokens: int = 0) -> None:
        """Counts turns that ran and tokens that were used."""
        self._update(key, "turn_count = turn_count + ?, total_tokens = total_tokens + ?", (turns, tokens))

    def delete(self, key: SessionKey) -> None:
        """Deletes the conversation with its events, state, turns and results."""
        self._database.write(
            lambda c: c.execute("DELETE FROM adk_sessions WHERE key = ?", (session_key(c, key),)).rowcount
        )

    def _update(self, key: SessionKey, assignment: str, values: tuple[Any, ...]) -> None:
        self._database.write(
            lambda c: (
                c.execute(
                    f"UPDATE adk_sessions SET {assignment} WHERE key = ?",
                    (*values, session_key(c, key)),
                ).rowcount
            )
        )


def _conversation(row: sqlite3.Row) -> Conversation:
    return Conversation(
        key=SessionKey(row["app_name"], row["user_id"], row["id"]),
        title=row["title"],
        status=row["status"],
        mode=row["mode"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        expires_at=row["expires_at"],
        turn_count=row["turn_count"],
        total_tokens=row["total_tokens"],
        metadata=json.loads(row["metadata"]),
    )

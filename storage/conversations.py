"""A session as people see it: title, status, mode, counts, expiry; the list in the sidebar.

Statuses: an active session can be paused or completed (put in the archive) and becomes active again when it
is reopened or something is said in it. One whose time has come is expired: it can be read, renewed and
deleted, no more.
"""

import base64
import json
import time
from dataclasses import dataclass
from typing import Any

from storage.database import Connection, Database
from storage.errors import NotAllowed, NotFound, SessionExpired
from storage.jsonsafe import clean_text
from storage.keys import SessionKey
from storage.search import catch_up, is_behind, matching

MODES = ("direct", "code")
STATUSES = ("active", "paused", "completed", "expired")
ALLOWED = {
    "active": ("paused", "completed"),
    "paused": ("active", "completed"),
    "completed": ("active",),
    "expired": (),
}
LONGEST_TITLE = 200
# A session that nobody asked anything in and brought no data to.
NOT_EMPTY = (
    "(s.turn_count > 0 OR EXISTS (SELECT 1 FROM turns t WHERE t.session_key = s.key)"
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
    parent_session_id: str | None = None
    forked_at_event: str | None = None


@dataclass(frozen=True)
class Page:
    """Part of a list; `next_cursor` is None on the last page."""

    items: list[Conversation]
    next_cursor: str | None


def find_session(connection: Connection, key: SessionKey, *, lock: bool = False) -> Any:
    """The row of a session; `lock` keeps other writers away. Raises NotFound."""
    row = connection.execute(
        "SELECT * FROM adk_sessions s WHERE app_name = ? AND user_id = ? AND id = ?"
        + (connection.for_update if lock else ""),
        (key.app_name, key.user_id, key.session_id),
    ).fetchone()
    if row is None:
        raise NotFound(f"The conversation {key.session_id} does not exist.")
    return row


def session_key(connection: Connection, key: SessionKey) -> int:
    """The row key of a session that is about to be changed. Raises NotFound and SessionExpired."""
    row = find_session(connection, key, lock=True)
    check_open(row, key.session_id)
    return int(row["key"])


def touch(connection: Connection, row_key: int, now: float) -> None:
    """Notes that something happened in a session: it is active, and expires later."""
    connection.execute(
        "UPDATE adk_sessions SET status = 'active',"
        " updated_at = CASE WHEN updated_at > ? THEN updated_at ELSE ? END,"
        " expires_at = CASE WHEN expires_after IS NULL THEN expires_at ELSE ? + expires_after END"
        " WHERE key = ?",
        (now, now, now, row_key),
    )


def check_open(row: Any, session_id: str) -> None:
    """Raises SessionExpired for a session whose time has come, whether it was swept or not."""
    if _status(row) == "expired":
        raise SessionExpired(f"The conversation {session_id} has expired. Renew it to go on.")


class Conversations:
    """Reads and changes conversations; every call is safe from any thread.

    Changes raise NotFound, and SessionExpired for all but `renew` and `delete`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: SessionKey) -> Conversation | None:
        """The conversation, or None when this user has none by that id."""

        def find(connection: Connection) -> Any:
            try:
                return find_session(connection, key)
            except NotFound:
                return None

        row = self._database.read(find, user=key.user_id)
        return None if row is None else _conversation(row)

    def keys(self) -> list[SessionKey]:
        """Every session of every user, for those who clean up."""
        rows = self._database.read(
            lambda c: c.execute("SELECT app_name, user_id, id FROM adk_sessions").fetchall(), user=None
        )
        return [SessionKey(row["app_name"], row["user_id"], row["id"]) for row in rows]

    def ensure(self, key: SessionKey) -> None:
        """Makes the row of a session that a service of ADK's own keeps in memory."""
        now = time.time()
        self._database.write(
            lambda c: (
                c.execute(
                    "INSERT INTO adk_sessions (app_name, user_id, id, created_at, updated_at)"
                    " VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    (key.app_name, key.user_id, key.session_id, now, now),
                ).rowcount
            ),
            user=key.user_id,
        )

    def page(
        self,
        app_name: str,
        user_id: str,
        *,
        limit: int = 50,
        cursor: str | None = None,
        query: str = "",
        status: str | None = None,
        archived: bool | None = None,
        include_empty: bool = False,
    ) -> Page:
        """Conversations, last changed first, `limit` at a time.

        `query` finds words of titles and messages. Without a `status`, all are listed; `archived` lists
        only the completed ones, or all others. Raises ValueError for a status or cursor that is none.
        """
        listing = _Listing(app_name, user_id, limit, cursor, query, status, archived, include_empty)
        if query and self._database.read(is_behind, user=None):
            self._database.write(catch_up, user=None)
        return self._database.read(listing.read, user=user_id)

    def rename(self, key: SessionKey, title: str) -> None:
        """Sets the title, at most 200 characters of it. Raises ValueError for an empty one."""
        title = _one_line(title)
        if not title:
            raise ValueError("A title needs at least one character.")
        self._update(key, "title = ?", (title,))

    def set_title_if_empty(self, key: SessionKey, title: str) -> None:
        """Gives the title that the first question suggests."""
        self._update(key, "title = CASE WHEN title = '' THEN ? ELSE title END", (_one_line(title),))

    def set_mode(self, key: SessionKey, mode: str) -> None:
        """Sets `direct` or `code`. Raises ValueError for another word."""
        if mode not in MODES:
            raise ValueError(f"A mode is one of {', '.join(MODES)}, not {mode!r}.")
        self._update(key, "mode = ?", (mode,))

    def set_status(self, key: SessionKey, status: str) -> None:
        """Pauses, completes (archives) or reopens. To the status it has, nothing happens.

        Raises ValueError for another word, and NotAllowed for a step that the statuses do not have.
        """
        check_status(status)

        def change(connection: Connection) -> None:
            row = find_session(connection, key, lock=True)
            check_open(row, key.session_id)
            if status == row["status"]:
                return
            if status not in ALLOWED[row["status"]]:
                raise NotAllowed(f"A conversation that is {row['status']} cannot become {status}.")
            # One that lay in the archive begins its idle time anew.
            at = None if row["expires_after"] is None else time.time() + row["expires_after"]
            connection.execute(
                "UPDATE adk_sessions SET status = ?, expires_at = ? WHERE key = ?",
                (status, at if status == "active" else row["expires_at"], row["key"]),
            )

        self._database.write(change, user=key.user_id)

    def set_expiry(self, key: SessionKey, expires_after: float | None) -> None:
        """Expires the session when idle for so many seconds: 0 is at once, None never."""
        at = None if expires_after is None else time.time() + expires_after
        self._update(key, "expires_after = ?, expires_at = ?", (expires_after, at))

    def renew(self, key: SessionKey) -> None:
        """Makes an expired session active again, for as long as it had at first."""
        now = time.time()

        def change(connection: Connection) -> None:
            row = find_session(connection, key, lock=True)
            # A session that expires at once would be expired again; renewed, it stays.
            after = row["expires_after"] or None
            at = None if after is None else now + after
            status = "active" if _status(row) == "expired" else row["status"]
            connection.execute(
                "UPDATE adk_sessions SET status = ?, expires_after = ?, expires_at = ? WHERE key = ?",
                (status, after, at, row["key"]),
            )

        self._database.write(change, user=key.user_id)

    def set_metadata(self, key: SessionKey, /, **values: Any) -> None:
        """Merges `values` into the metadata; None removes a name."""

        def change(connection: Connection) -> None:
            row = find_session(connection, key, lock=True)
            check_open(row, key.session_id)
            merged = json.loads(row["metadata"]) | values
            kept = {name: value for name, value in merged.items() if value is not None}
            connection.execute(
                "UPDATE adk_sessions SET metadata = ? WHERE key = ?", (json.dumps(kept), row["key"])
            )

        self._database.write(change, user=key.user_id)

    def add_usage(self, key: SessionKey, *, turns: int = 0, tokens: int = 0) -> None:
        """Counts for a session that a service of ADK's own keeps in memory; ours counts what it stores."""
        self._update(key, "turn_count = turn_count + ?, total_tokens = total_tokens + ?", (turns, tokens))

    def delete(self, key: SessionKey) -> None:
        """Deletes the conversation with its events, state, turns and results."""
        self._database.write(
            lambda c: (
                c.execute(
                    "DELETE FROM adk_sessions WHERE key = ?", (find_session(c, key, lock=True)["key"],)
                ).rowcount
            ),
            user=key.user_id,
        )

    def _update(self, key: SessionKey, assignment: str, values: tuple[Any, ...]) -> None:
        self._database.write(
            lambda c: (
                c.execute(
                    f"UPDATE adk_sessions SET {assignment} WHERE key = ?", (*values, session_key(c, key))
                ).rowcount
            ),
            user=key.user_id,
        )


class _Listing:
    """One page of a list, as SQL."""

    def __init__(
        self,
        app_name: str,
        user_id: str,
        limit: int,
        cursor: str | None,
        query: str,
        status: str | None,
        archived: bool | None,
        include_empty: bool,
    ) -> None:
        self._limit = limit
        self._query = query
        self._where = ["s.app_name = ?", "s.user_id = ?"]
        self._values: list[Any] = [app_name, user_id]
        if not include_empty:
            self._where.append(NOT_EMPTY)
        if archived is not None:
            self._where.append(f"s.status {'=' if archived else '<>'} 'completed'")
        if status is not None:
            check_status(status)
            now = time.time()
            passed = "(s.expires_at IS NOT NULL AND s.expires_at <= ? AND s.status IN ('active', 'paused'))"
            self._where.append(
                f"(s.status = 'expired' OR {passed})"
                if status == "expired"
                else f"s.status = ? AND NOT {passed}"
            )
            self._values += [now] if status == "expired" else [status, now]
        if cursor is not None:
            self._where.append("(s.updated_at, s.key) < (?, ?)")
            self._values += _decode(cursor)

    def read(self, connection: Connection) -> Page:
        """The page."""
        condition, words = matching(connection, self._query)
        rows = connection.execute(
            f"SELECT s.* FROM adk_sessions s WHERE {' AND '.join([*self._where, condition])}"
            " ORDER BY s.updated_at DESC, s.key DESC LIMIT ?",
            (*self._values, *words, self._limit + 1),
        ).fetchall()
        shown = rows[: self._limit]
        more = len(rows) > self._limit and shown
        return Page([_conversation(row) for row in shown], _encode(shown[-1]) if more else None)


def _one_line(title: str) -> str:
    return " ".join(clean_text(title.replace("\0", " ")).split())[:LONGEST_TITLE]


def check_status(status: str) -> None:
    """Raises ValueError for a word that is no status."""
    if status not in STATUSES:
        raise ValueError(f"A status is one of {', '.join(STATUSES)}, not {status!r}.")


def _encode(row: Any) -> str:
    text = json.dumps([row["updated_at"], row["key"]])
    return base64.urlsafe_b64encode(text.encode()).decode()


def _decode(cursor: str) -> list[Any]:
    try:
        updated_at, key = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        if not 0 <= int(key) < 1 << 62:
            raise ValueError(key)
        return [float(updated_at), int(key)]
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError("This is no cursor of this list.") from error


def _status(row: Any) -> str:
    passed = row["expires_at"] is not None and row["expires_at"] <= time.time()
    if passed and row["status"] in ("active", "paused"):
        return "expired"
    return str(row["status"])


def _conversation(row: Any) -> Conversation:
    return Conversation(
        key=SessionKey(row["app_name"], row["user_id"], row["id"]),
        title=row["title"],
        status=_status(row),
        mode=row["mode"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        expires_at=row["expires_at"],
        turn_count=row["turn_count"],
        total_tokens=row["total_tokens"],
        metadata=json.loads(row["metadata"]),
        parent_session_id=row["parent_session_id"],
        forked_at_event=row["forked_at_event"],
    )

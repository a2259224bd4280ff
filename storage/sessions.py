"""ADK's session service on our database.

Decisions: events are stored whole and in append order by an integer sequence, because clocks tie and go
back. Each session has an integer revision, changed in the transaction that stores an event, so a stale
writer is always told. The revision a writer holds is read and renewed on the one writer thread, so
concurrent appends to the same Session object queue instead of refusing each other.
"""

import os
import sqlite3
import time
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from google.adk.errors import StaleSessionError
from google.adk.errors.already_exists_error import AlreadyExistsError
from google.adk.errors.session_not_found_error import SessionNotFoundError
from google.adk.events.event import Event
from google.adk.sessions.base_session_service import (
    BaseSessionService,
    GetSessionConfig,
    ListSessionsResponse,
)
from google.adk.sessions.session import Session
from typing_extensions import override

from storage import session_rows as rows
from storage.database import Database
from storage.errors import StorageError
from storage.event_cache import EventCache, parse
from storage.jsonsafe import to_json_safe

DATABASE_NAME = "assistant.sqlite3"
DEFAULT_HOME = ".assistant"


def default_home() -> Path:
    """$ASSISTANT_HOME, else ./.assistant."""
    return Path(os.environ.get("ASSISTANT_HOME") or DEFAULT_HOME)


def sqlite_path(url: str | None) -> Path:
    """The file that a `sqlite:///path` URL, a plain path or None (the home's) names.

    Raises StorageError for another kind of URL.
    """
    if not url:
        return default_home() / DATABASE_NAME
    parsed = urlparse(url)
    if "://" not in url:
        return Path(url)
    if parsed.scheme not in ("sqlite", "sqlite+aiosqlite"):
        raise StorageError(f"Sessions are kept in SQLite: give a path or sqlite:///path, not {url}.")
    return Path(unquote(parsed.path)[1:])


class DatabaseSessionService(BaseSessionService):
    """Drop-in for ADK's session services; one object serves all threads and event loops."""

    def __init__(self, url: str | None = None, *, database: Database | None = None) -> None:
        self._owns_database = database is None
        self._database = database or Database(sqlite_path(url))
        self._cache = EventCache()

    @override
    async def create_session(
        self,
        *,
        app_name: str,
        user_id: str,
        state: dict[str, Any] | None = None,
        session_id: str | None = None,
    ) -> Session:
        """A new session; an id is made if none is given. Raises AlreadyExistsError."""
        return await self._database.awrite(lambda c: self._create(c, app_name, user_id, state, session_id))

    def create_session_sync(
        self,
        *,
        app_name: str,
        user_id: str,
        state: dict[str, Any] | None = None,
        session_id: str | None = None,
    ) -> Session:
        """`create_session` for callers with no loop."""
        return self._database.write(lambda c: self._create(c, app_name, user_id, state, session_id))

    @override
    async def get_session(
        self,
        *,
        app_name: str,
        user_id: str,
        session_id: str,
        config: GetSessionConfig | None = None,
    ) -> Session | None:
        """The session with the events that `config` asks for (all without one), or None."""
        return await self._database.aread(lambda c: self._get(c, app_name, user_id, session_id, config))

    def get_session_sync(
        self,
        *,
        app_name: str,
        user_id: str,
        session_id: str,
        config: GetSessionConfig | None = None,
    ) -> Session | None:
        """`get_session` for callers with no loop."""
        return self._database.read(lambda c: self._get(c, app_name, user_id, session_id, config))

    @override
    async def list_sessions(self, *, app_name: str, user_id: str | None = None) -> ListSessionsResponse:
        """Sessions without events, the one updated last at the end."""
        return await self._database.aread(lambda c: self._list(c, app_name, user_id))

    @override
    async def delete_session(self, *, app_name: str, user_id: str, session_id: str) -> None:
        """Deletes the session and all that hangs on it; nothing happens if there is none."""
        key = await self._database.awrite(lambda c: self._delete(c, app_name, user_id, session_id))
        if key is not None:
            self._cache.forget(key)

    @override
    async def get_user_state(self, *, app_name: str, user_id: str) -> dict[str, Any]:
        """The user's state, names without `user:`."""
        return await self._database.aread(lambda c: rows.user_state(c, app_name, user_id))

    @override
    async def append_event(self, session: Session, event: Event) -> Event:
        """Stores the event with its state in one transaction; a partial event is left alone.

        Raises SessionNotFoundError, and StaleSessionError when `session` is not the newest.
        """
        if event.partial:
            return event
        self._apply_temp_state(session, event)
        event = self._trim_temp_delta_state(event)
        make_json_safe(event)
        data = event.model_dump_json(exclude_none=True)
        if await self._database.awrite(lambda c: self._append(c, session, event, data)):
            self._commit_event_to_session(session, event)
        return event

    async def update_keys(self, app_name: str, user_id: str, session_id: str, delta: dict[str, Any]) -> None:
        """Writes several state keys at once; here None deletes. Raises SessionNotFoundError."""
        await self._database.awrite(lambda c: self._update_keys(c, app_name, user_id, session_id, delta))

    async def get_event_count(self, *, app_name: str, user_id: str, session_id: str) -> int:
        """How many events are stored; 0 for no such session."""
        count: int = await self._database.aread(
            lambda c: c.execute(
                "SELECT count(*) FROM adk_events e JOIN adk_sessions s ON s.key = e.session_key"
                " WHERE s.app_name = ? AND s.user_id = ? AND s.id = ?",
                (app_name, user_id, session_id.strip()),
            ).fetchone()[0]
        )
        return count

    def events_since_question(self, *, app_name: str, user_id: str, session_id: str, questions: int) -> int:
        """How many of the newest events hold the last `questions` user messages and what followed.

        A window cut there never separates a tool's answer from its call.
        """
        count: int = self._database.read(
            lambda c: c.execute(
                "WITH mine AS (SELECT sequence, author FROM adk_events e"
                " JOIN adk_sessions s ON s.key = e.session_key"
                " WHERE s.app_name = ? AND s.user_id = ? AND s.id = ?)"
                " SELECT count(*) FROM mine WHERE sequence >= coalesce((SELECT sequence FROM mine"
                " WHERE author = 'user' ORDER BY sequence DESC LIMIT 1 OFFSET ?), 0)",
                (app_name, user_id, session_id, questions - 1),
            ).fetchone()[0]
        )
        return count

    def get_stats(self) -> dict[str, float]:
        """Counts of sessions, events and state keys, and the file's size in MB."""
        names = {"sessions": "adk_sessions", "events": "adk_events", "state_keys": "adk_state"}
        stats: dict[str, float] = self._database.read(
            lambda c: {
                name: c.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                for name, table in names.items()
            }
        )
        return stats | {"db_size_mb": self._database.path.stat().st_size / 1e6}

    def vacuum(self) -> None:
        """Gives the space of deleted rows back to the disk."""

        def run(connection: sqlite3.Connection) -> None:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

        self._database.outside_transaction(run)

    def backup(self, path: str | Path) -> None:
        """Copies the database to `path` while it is in use; the copy is of one moment."""

        def run(connection: sqlite3.Connection) -> None:
            target = sqlite3.connect(path)
            try:
                connection.backup(target)
            finally:
                target.close()

        self._database.outside_transaction(run)

    def close(self) -> None:
        """Finishes queued writes; closes the database if this object opened it."""
        if self._owns_database:
            self._database.close()

    def _create(
        self,
        connection: sqlite3.Connection,
        app_name: str,
        user_id: str,
        state: dict[str, Any] | None,
        session_id: str | None,
    ) -> Session:
        session_id = (session_id or "").strip() or str(uuid.uuid4())
        now = time.time()
        try:
            key = rows.insert(connection, app_name, user_id, session_id, now)
        except sqlite3.IntegrityError as error:
            raise AlreadyExistsError(f"Session with id {session_id} already exists.") from error
        rows.write_state(connection, app_name, user_id, key, state or {})
        session = Session(
            id=session_id,
            app_name=app_name,
            user_id=user_id,
            state=rows.read_state(connection, app_name, user_id, key),
            last_update_time=now,
        )
        session._storage_update_marker = "0"
        return session

    def _get(
        self,
        connection: sqlite3.Connection,
        app_name: str,
        user_id: str,
        session_id: str,
        config: GetSessionConfig | None,
    ) -> Session | None:
        session_id = session_id.strip()
        row = rows.find(connection, app_name, user_id, session_id)
        if row is None:
            return None
        session = Session(
            id=session_id,
            app_name=app_name,
            user_id=user_id,
            state=rows.read_state(connection, app_name, user_id, row["key"]),
            events=self._events(connection, row["key"], config),
            last_update_time=row["updated_at"],
        )
        session._storage_update_marker = str(row["revision"])
        return session

    def _events(
        self, connection: sqlite3.Connection, key: int, config: GetSessionConfig | None
    ) -> list[Event]:
        limit = config.num_recent_events if config else None
        after = config.after_timestamp if config else None
        if limit == 0:
            return []
        known = self._cache.get(key)
        if known.sequence == 0 and (limit is not None or after):
            return parse(rows.recent_events(connection, key, limit, after))
        events = self._cache.extend(key, known, rows.events_after(connection, key, known.sequence))
        if after:
            events = [event for event in events if event.timestamp >= after]
        return events if limit is None else events[-limit:]

    def _list(
        self, connection: sqlite3.Connection, app_name: str, user_id: str | None
    ) -> ListSessionsResponse:
        found = connection.execute(
            "SELECT key, user_id, id, revision, updated_at FROM adk_sessions WHERE app_name = ?"
            " AND (? IS NULL OR user_id = ?) ORDER BY updated_at, key",
            (app_name, user_id, user_id),
        ).fetchall()
        sessions = []
        for row in found:
            session = Session(
                id=row["id"],
                app_name=app_name,
                user_id=row["user_id"],
                state=rows.read_state(connection, app_name, row["user_id"], row["key"]),
                last_update_time=row["updated_at"],
            )
            session._storage_update_marker = str(row["revision"])
            sessions.append(session)
        return ListSessionsResponse(sessions=sessions)

    def _delete(
        self, connection: sqlite3.Connection, app_name: str, user_id: str, session_id: str
    ) -> int | None:
        row = rows.find(connection, app_name, user_id, session_id.strip())
        if row is None:
            return None
        connection.execute("DELETE FROM adk_sessions WHERE key = ?", (row["key"],))
        return int(row["key"])

    def _append(self, connection: sqlite3.Connection, session: Session, event: Event, data: str) -> bool:
        """Stores the event; False when this very event is already there."""
        row = rows.find(connection, session.app_name, session.user_id, session.id)
        if row is None:
            raise SessionNotFoundError(f"Session {session.id} not found.")
        stored = connection.execute(
            "SELECT event_data FROM adk_events WHERE session_key = ? AND id = ?",
            (row["key"], event.id),
        ).fetchone()
        if stored is not None:
            if stored[0] == data:
                return False
            raise AlreadyExistsError(f"Another event with id {event.id} is already stored.")
        check_fresh(session, row)
        revision = row["revision"] + 1
        connection.execute(
            "INSERT INTO adk_events (session_key, id, invocation_id, author, timestamp, event_data)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (row["key"], event.id, event.invocation_id, event.author, event.timestamp, data),
        )
        if event.actions and event.actions.state_delta:
            rows.write_state(
                connection, session.app_name, session.user_id, row["key"], event.actions.state_delta
            )
        updated_at = rows.bump(connection, row["key"], revision, event.timestamp)
        connection.execute("COMMIT")
        # Renewed here, on the writer thread, so that the next queued append of this object is fresh.
        session._storage_update_marker = str(revision)
        session.last_update_time = updated_at
        return True

    def _update_keys(
        self,
        connection: sqlite3.Connection,
        app_name: str,
        user_id: str,
        session_id: str,
        delta: dict[str, Any],
    ) -> None:
        row = rows.find(connection, app_name, user_id, session_id.strip())
        if row is None:
            raise SessionNotFoundError(f"Session {session_id} not found.")
        kept = {name: value for name, value in delta.items() if value is not None}
        rows.write_state(connection, app_name, user_id, row["key"], kept)
        for name in delta.keys() - kept.keys():
            rows.delete_state(connection, app_name, user_id, row["key"], name)
        rows.bump(connection, row["key"], row["revision"] + 1, time.time())


def check_fresh(session: Session, row: sqlite3.Row) -> None:
    """Raises StaleSessionError unless `session` is of the stored revision.

    A Session built by hand has no revision; its update time must then not be behind.
    """
    marker = session._storage_update_marker
    stale = session.last_update_time < row["updated_at"] if marker is None else marker != str(row["revision"])
    if stale:
        raise StaleSessionError(
            f"Session {session.id} was changed since it was read. Read it again and retry."
        )


def make_json_safe(event: Event) -> None:
    """Replaces what is no JSON in tool calls, tool answers and state by the stated rules."""
    for part in (event.content.parts or []) if event.content else []:
        if part.function_response is not None and part.function_response.response is not None:
            part.function_response.response = to_json_safe(part.function_response.response)
        if part.function_call is not None and part.function_call.args is not None:
            part.function_call.args = to_json_safe(part.function_call.args)
    if event.actions and event.actions.state_delta:
        event.actions.state_delta = to_json_safe(event.actions.state_delta)
    if event.custom_metadata:
        event.custom_metadata = to_json_safe(event.custom_metadata)
    if event.output is not None:
        event.output = to_json_safe(event.output)

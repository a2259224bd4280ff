"""ADK's session service on our database.

Decisions: events are stored whole and in append order by an integer sequence, because clocks tie and go
back. Each session has an integer revision, changed in the transaction that stores an event, so a stale
writer is always told. The revision a writer holds is renewed before the next append of this process may
begin, so concurrent appends to the same Session object queue instead of refusing each other.
"""

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from storage.conversations import Conversations, Page, check_open
from storage.database import Connection, Database, open_database
from storage.event_cache import CacheKey, EventCache, Rows, parse
from storage.jsonsafe import make_json_safe
from storage.keys import SessionKey
from storage.urls import sqlite_path
from storage.window import QUESTION, History, find_window, marks_of

MOST_TOKENS = 1_000_000_000


class DatabaseSessionService(BaseSessionService):
    """Drop-in for ADK's session services; one object serves all threads and event loops.

    `url` is a path, `sqlite:///path` or `postgresql://…`; None is `$ASSISTANT_HOME/assistant.sqlite3`.
    Sessions that are idle for `expires_after` seconds expire; None is never.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        database: Database | None = None,
        expires_after: float | None = None,
    ) -> None:
        self._owns_database = database is None
        self._database = database or open_database(url or str(sqlite_path(None)))
        self._expires_after = expires_after
        self._cache = EventCache()
        self._conversations = Conversations(self._database)

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
        return await self._database.awrite(self._creation(app_name, user_id, state, session_id), user=user_id)

    def create_session_sync(
        self,
        *,
        app_name: str,
        user_id: str,
        state: dict[str, Any] | None = None,
        session_id: str | None = None,
    ) -> Session:
        """`create_session` for callers with no loop."""
        return self._database.write(self._creation(app_name, user_id, state, session_id), user=user_id)

    @override
    async def get_session(
        self,
        *,
        app_name: str,
        user_id: str,
        session_id: str,
        config: GetSessionConfig | None = None,
    ) -> Session | None:
        """The session with the events that `config` asks for (all without one), or None.

        With a `storage.window.History` as `config`, the events that the next turn needs.
        """
        key = SessionKey(app_name, user_id, session_id.strip())
        return await self._database.aread(lambda c: self._get(c, key, config), user=user_id)

    def get_session_sync(
        self,
        *,
        app_name: str,
        user_id: str,
        session_id: str,
        config: GetSessionConfig | None = None,
    ) -> Session | None:
        """`get_session` for callers with no loop."""
        key = SessionKey(app_name, user_id, session_id.strip())
        return self._database.read(lambda c: self._get(c, key, config), user=user_id)

    @override
    async def list_sessions(self, *, app_name: str, user_id: str | None = None) -> ListSessionsResponse:
        """Sessions without events, the one updated last at the end."""
        found = await self._database.aread(lambda c: rows.list_all(c, app_name, user_id), user=user_id)
        return ListSessionsResponse(
            sessions=[_session(SessionKey(app_name, row[1], row[2]), row, state) for row, state in found]
        )

    async def list_sessions_page(
        self,
        app_name: str,
        user_id: str,
        *,
        limit: int = 50,
        cursor: str | None = None,
        query: str = "",
        status: str | None = None,
    ) -> Page:
        """Life-cycle fields of sessions, last changed first, `limit` at a time.

        `query` finds words of titles and messages; `status` is one of the four. Raises ValueError for a
        status or cursor that is none.
        """
        return await asyncio.to_thread(
            self._conversations.page,
            app_name,
            user_id,
            limit=limit,
            cursor=cursor,
            query=query,
            status=status,
            include_empty=True,
        )

    @override
    async def delete_session(self, *, app_name: str, user_id: str, session_id: str) -> None:
        """Deletes the session and all that hangs on it; nothing happens if there is none."""
        key = SessionKey(app_name, user_id, session_id.strip())
        # On another thread, because a long session takes a while.
        cache_key = await asyncio.to_thread(
            self._database.write, lambda c: _delete(c, key), user=user_id, patient=True
        )
        if cache_key is not None:
            self._cache.forget(cache_key)

    @override
    async def get_user_state(self, *, app_name: str, user_id: str) -> dict[str, Any]:
        """The user's state, names without `user:`."""
        return await self._database.aread(lambda c: rows.user_state(c, app_name, user_id), user=user_id)

    @override
    async def append_event(self, session: Session, event: Event) -> Event:
        """Stores the event with its state in one transaction; a partial event is left alone.

        Raises SessionNotFoundError, StaleSessionError when `session` is not the newest, SessionExpired, and
        AlreadyExistsError when another event has its id. The same event again changes nothing.
        """
        if event.partial:
            return event
        self._apply_temp_state(session, event)
        event = self._trim_temp_delta_state(event)
        data = make_json_safe(event)
        key = SessionKey(session.app_name, session.user_id, session.id)
        appended = await self._database.awrite(
            lambda c: _append(c, key, session, event, data),
            user=session.user_id,
            then=lambda done: done.renew(session),
            queue=session.id,
        )
        if appended.new or all(known.id != event.id for known in reversed(session.events)):
            self._commit_event_to_session(session, event)
        return event

    async def update_keys(self, app_name: str, user_id: str, session_id: str, delta: dict[str, Any]) -> None:
        """Writes several state keys at once; here None deletes.

        Raises SessionNotFoundError and SessionExpired.
        """
        key = SessionKey(app_name, user_id, session_id.strip())
        await self._database.awrite(lambda c: _update_keys(c, key, delta), user=user_id)

    async def get_event_count(self, *, app_name: str, user_id: str, session_id: str) -> int:
        """How many events are stored; 0 for no such session."""
        count: int = await self._database.aread(
            lambda c: c.execute(
                "SELECT count(*) FROM adk_events e JOIN adk_sessions s ON s.key = e.session_key"
                " WHERE s.app_name = ? AND s.user_id = ? AND s.id = ?",
                (app_name, user_id, session_id.strip()),
            ).fetchone()[0],
            user=user_id,
        )
        return count

    def get_stats(self) -> dict[str, float]:
        """Counts of sessions, events and state keys, and the size on disk in MB."""
        return self._database.read(rows.counts, user=None) | {"db_size_mb": self._database.size_bytes() / 1e6}

    def vacuum(self) -> None:
        """Gives the space of deleted rows back to the disk."""
        self._database.vacuum()

    def backup(self, path: str | Path) -> None:
        """Copies the database to `path` while it is in use; the copy is of one moment."""
        self._database.backup(Path(path))

    def close(self) -> None:
        """Finishes queued writes; closes the database if this object opened it."""
        if self._owns_database:
            self._database.close()

    def _creation(
        self, app_name: str, user_id: str, state: dict[str, Any] | None, session_id: str | None
    ) -> Callable[[Connection], Session]:
        key = SessionKey(app_name, user_id, (session_id or "").strip() or str(uuid.uuid4()))
        now = time.time()

        def create(connection: Connection) -> Session:
            row_key = rows.insert(connection, key, now, self._expires_after)
            if row_key is None:
                row = rows.find(connection, key)
                # Made by this very call, whose commit was not heard of.
                if row is None or row["created_at"] != now or row["revision"] != 0:
                    raise AlreadyExistsError(f"Session with id {key.session_id} already exists.")
                row_key = row["key"]
            rows.write_state(connection, key, row_key, state or {})
            merged = rows.read_state(connection, key, row_key)
            return _session(key, {"updated_at": now, "revision": 0}, merged)

        return create

    def _get(
        self, connection: Connection, key: SessionKey, config: GetSessionConfig | None
    ) -> Session | None:
        row = rows.find(connection, key)
        if row is None:
            return None
        state = rows.read_state(connection, key, row["key"])
        return _session(key, row, state, self._events(connection, row, config))

    def _events(self, connection: Connection, row: Any, config: GetSessionConfig | None) -> list[Event]:
        row_key, cache_key = row["key"], (row["key"], row["created_at"])

        def fetch(sequence: int) -> Rows:
            return rows.events_after(connection, row_key, sequence - 1)

        if isinstance(config, History):
            window = find_window(connection, row_key, config.questions)
            known = self._cache.read(cache_key, window.start, fetch)
            return window.before + [e for s, e in known.from_row(window.start) if window.keeps(s)]
        limit = config.num_recent_events if config else None
        after = config.after_timestamp if config else None
        if limit == 0:
            return []
        if (limit is not None or after) and not self._cache.has_all(cache_key):
            recent = rows.recent_events(connection, row_key, limit, after)
            return [event for _, event in parse([(0, data) for data in recent])]
        events = list(self._cache.read(cache_key, 0, fetch).events)
        if after:
            events = [event for event in events if event.timestamp >= after]
        return events if limit is None else events[-limit:]


@dataclass(frozen=True)
class _Appended:
    revision: int
    updated_at: float
    new: bool
    """False when this very event was stored before."""
    newest: bool = True
    """Whether the session that was appended to now holds all that is stored."""

    def renew(self, session: Session) -> None:
        """Makes the session's marker that of the stored session."""
        if self.newest:
            session._storage_update_marker = str(self.revision)
            session.last_update_time = self.updated_at


def _append(connection: Connection, key: SessionKey, session: Session, event: Event, data: str) -> _Appended:
    marks, now = marks_of(event), time.time()
    revision = _held_revision(connection, key, session)
    row_key = rows.insert_event(connection, key, revision, now, event, data, marks)
    if row_key is None:
        return _not_added(connection, key, session, event, data)
    if event.actions and event.actions.state_delta:
        rows.write_state(connection, key, row_key, event.actions.state_delta)
    usage = event.usage_metadata
    # A server may report anything.
    tokens = min(max(usage.total_token_count or 0, 0), MOST_TOKENS) if usage else 0
    revision, updated_at = rows.bump(
        connection, row_key, event.timestamp, now, turns=int(marks == QUESTION), tokens=tokens
    )
    return _Appended(revision, updated_at, new=True)


def _held_revision(connection: Connection, key: SessionKey, session: Session) -> int:
    """The revision that the writer has read; -1 for one that is behind.

    A Session built by hand has no revision; its update time must then not be behind, or its last event be
    the last one stored, as ADK's own service has it.
    """
    marker = session._storage_update_marker
    if marker is not None:
        return int(marker) if marker.isdecimal() else -1
    row = rows.find(connection, key)
    if row is None:
        return -1
    if session.last_update_time < row["updated_at"]:
        last = connection.execute(
            "SELECT id FROM adk_events WHERE sequence > ? AND sequence < ? ORDER BY sequence DESC LIMIT 1",
            rows.span(row["key"]),
        ).fetchone()
        if last is None or not session.events or last[0] != session.events[-1].id:
            return -1
    return int(row["revision"])


def _not_added(
    connection: Connection, key: SessionKey, session: Session, event: Event, data: str
) -> _Appended:
    """Why an event was not stored; it may be here, by an earlier delivery or a commit not heard of."""
    row = rows.find(connection, key)
    if row is None:
        raise SessionNotFoundError(f"Session {key.session_id} not found.")
    held = session._storage_update_marker
    stored = connection.execute(
        "SELECT event_data, sequence = (SELECT max(sequence) FROM adk_events WHERE sequence < ?)"
        " FROM adk_events WHERE session_key = ? AND id = ?",
        (rows.span(row["key"])[1], row["key"], event.id),
    ).fetchone()
    if stored is not None and stored[0] == data:
        newest = bool(stored[1]) and held in (str(row["revision"] - 1), str(row["revision"]))
        return _Appended(row["revision"], row["updated_at"], new=False, newest=newest)
    check_open(row, key.session_id)
    if _held_revision(connection, key, session) != row["revision"]:
        raise StaleSessionError(
            "The session has been modified in storage since it was loaded. Read it again and retry."
        )
    raise AlreadyExistsError(f"Another event with id {event.id} is already stored.")


def _delete(connection: Connection, key: SessionKey) -> CacheKey | None:
    row = rows.find(connection, key, lock=True)
    if row is None:
        return None
    connection.execute("DELETE FROM adk_sessions WHERE key = ?", (row["key"],))
    return row["key"], row["created_at"]


def _update_keys(connection: Connection, key: SessionKey, delta: dict[str, Any]) -> None:
    row = rows.find(connection, key, lock=True)
    if row is None:
        raise SessionNotFoundError(f"Session {key.session_id} not found.")
    check_open(row, key.session_id)
    rows.write_state(connection, key, row["key"], {n: v for n, v in delta.items() if v is not None})
    for name in sorted(name for name, value in delta.items() if value is None):
        rows.delete_state(connection, key, row["key"], name)
    now = time.time()
    rows.bump(connection, row["key"], now, now)


def _session(key: SessionKey, row: Any, state: dict[str, Any], events: list[Event] | None = None) -> Session:
    session = Session(
        id=key.session_id,
        app_name=key.app_name,
        user_id=key.user_id,
        state=state,
        events=events or [],
        last_update_time=row["updated_at"],
    )
    session._storage_update_marker = str(row["revision"])
    return session

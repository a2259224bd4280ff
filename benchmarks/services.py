"""The services that are compared, behind one small interface, and the floor: plain sqlite3."""

import importlib.util
import sqlite3
import uuid
from pathlib import Path
from typing import Any, Protocol

from google.adk.events.event import Event
from google.adk.sessions.base_session_service import BaseSessionService, GetSessionConfig
from google.adk.sessions.in_memory_session_service import InMemorySessionService
from google.adk.sessions.session import Session

from benchmarks.events import to_json
from storage.sessions import DatabaseSessionService

APP, USER = "benchmark", "user"
STATE = {"dataset": "sales", "mode": "direct"}
OURS, MEMORY, SQLITE, DATABASE, RAW = "ours", "memory", "sqlite", "database", "raw"
NEEDS = {SQLITE: ("aiosqlite",), DATABASE: ("aiosqlite", "sqlalchemy", "greenlet")}
RAW_SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, state TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS events (
    sequence INTEGER PRIMARY KEY, session TEXT NOT NULL, event_data TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS events_by_session ON events (session, sequence);
"""


class Contender(Protocol):
    """What is measured of a service."""

    async def create(self, session_id: str | None = None) -> None:
        """Makes a session."""

    async def hold(self, session_id: str) -> None:
        """Reads a session that events are to be appended to."""

    def prepare(self, event: Event) -> Any:
        """What `append` takes for an event."""

    async def append(self, session_id: str, prepared: Any) -> None:
        """Stores one event, committed when this returns."""

    async def read(self, session_id: str, recent: int | None = None) -> int:
        """Reads a session; returns how many events came."""

    async def first_page(self, limit: int) -> int:
        """Reads the newest sessions, or all of them where there are no pages; returns how many came."""

    async def close(self) -> None:
        """Releases the file."""


class Adk:
    """A session service of ADK's interface."""

    def __init__(self, service: BaseSessionService) -> None:
        self.service = service
        self._held: dict[str, Session] = {}

    async def create(self, session_id: str | None = None) -> None:
        session = await self.service.create_session(
            app_name=APP, user_id=USER, state=dict(STATE), session_id=session_id
        )
        self._held[session.id] = session

    async def hold(self, session_id: str) -> None:
        self._held[session_id] = await self._get(session_id, 1)

    def prepare(self, event: Event) -> Any:
        return event

    async def append(self, session_id: str, prepared: Any) -> None:
        await self.service.append_event(self._held[session_id], prepared)

    async def read(self, session_id: str, recent: int | None = None) -> int:
        return len((await self._get(session_id, recent)).events)

    async def first_page(self, limit: int) -> int:
        listed = await self.service.list_sessions(app_name=APP, user_id=USER)
        return len(listed.sessions)

    async def close(self) -> None:
        closing = getattr(self.service, "close", None)
        if closing is not None:
            waiting = closing()
            if waiting is not None:
                await waiting

    async def _get(self, session_id: str, recent: int | None) -> Session:
        config = None if recent is None else GetSessionConfig(num_recent_events=recent)
        session = await self.service.get_session(
            app_name=APP, user_id=USER, session_id=session_id, config=config
        )
        if session is None:
            raise LookupError(session_id)
        return session


class Ours(Adk):
    """This project's service."""

    def __init__(self, path: Path) -> None:
        self.ours = DatabaseSessionService(str(path))
        super().__init__(self.ours)

    async def first_page(self, limit: int) -> int:
        page = await self.ours.list_sessions_page(APP, USER, limit=limit)
        return len(page.items)

    async def close(self) -> None:
        self.ours.close()


class Raw:
    """The floor: one table, one connection, write-ahead log, one INSERT a commit, no parsing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = self._connect()
        self._connection.executescript(RAW_SCHEMA)

    def another(self) -> "Raw":
        """A connection of its own, for a thread."""
        return Raw(self._path)

    async def create(self, session_id: str | None = None) -> None:
        name = session_id or str(uuid.uuid4())
        self._write("INSERT INTO sessions VALUES (?, ?)", (name, str(STATE)))

    async def hold(self, session_id: str) -> None:
        pass

    def prepare(self, event: Event) -> Any:
        return to_json(event)

    async def append(self, session_id: str, prepared: Any) -> None:
        self._write("INSERT INTO events (session, event_data) VALUES (?, ?)", (session_id, prepared))

    async def read(self, session_id: str, recent: int | None = None) -> int:
        rows = self._connection.execute(
            "SELECT event_data FROM events WHERE session = ? ORDER BY sequence DESC LIMIT ?",
            (session_id, -1 if recent is None else recent),
        ).fetchall()
        return len(rows)

    async def first_page(self, limit: int) -> int:
        return len(self._connection.execute("SELECT * FROM sessions LIMIT ?", (limit,)).fetchall())

    async def close(self) -> None:
        self._connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, timeout=10)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def _write(self, statement: str, values: tuple[str, str]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute(statement, values)
        self._connection.execute("COMMIT")


def installed() -> list[str]:
    """The names whose libraries are there."""
    names = (OURS, MEMORY, SQLITE, DATABASE, RAW)
    return [name for name in names if all(importlib.util.find_spec(need) for need in NEEDS.get(name, ()))]


def adk_service(name: str, path: Path) -> BaseSessionService:
    """One of ADK's own services on a file (in memory: without)."""
    if name == SQLITE:
        from google.adk.sessions.sqlite_session_service import SqliteSessionService

        return SqliteSessionService(str(path))
    if name == DATABASE:
        from google.adk.sessions.database_session_service import DatabaseSessionService as OfAdk

        return OfAdk(f"sqlite+aiosqlite:///{path}")
    return InMemorySessionService()


def opened(name: str, path: Path) -> Contender:
    """A contender on the file `path`."""
    if name == OURS:
        return Ours(path)
    return Raw(path) if name == RAW else Adk(adk_service(name, path))


def load(name: str) -> None:
    """Imports all that `opened` needs, so that no measurement includes it."""
    if name == OURS:
        importlib.import_module("storage.sqlite")
    if name in NEEDS:
        adk_service(name, Path("unused.sqlite3"))

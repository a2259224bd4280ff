"""Connections that settings name: opened when first used, each query bounded, ended by Stop, errors scrubbed.

A driver's call cannot be relied on to come back, so each runs on a thread of its own: a stop or the end of
the time cancels it at the engine and gives up waiting for it.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import SecretStr

from analysis.errors import AnalysisError, BadQuery, ConnectionRefused, LimitExceeded
from analysis.remote.cells import table as typed_table
from analysis.remote.gate import Place, top_limit
from analysis.remote.sessions import Rows, Session, open_session
from analysis.remote.urls import Kind, kind_of_url, scrubbed, secrets_of
from sandbox.errors import ProgramFailed, QueryFailed, SandboxError
from sandbox.table import Table

logger = logging.getLogger(__name__)
T = TypeVar("T")
Watch = Callable[[Callable[[], None]], AbstractContextManager[None]]
"""While it is entered, a stop calls what it was given."""
QUERY_SECONDS = 120.0
LEAVING_SECONDS = 2.0
TICK_SECONDS = 0.2
IDLE_SESSIONS = 2
LISTED = 2_000
ROWS_FETCHED = 100_000
OWN_SCHEMAS = ("information_schema", "pg_catalog", "pg_toast", "performance_schema", "mysql", "sys")


@dataclass(frozen=True)
class Found:
    """A table of a connection."""

    schema: str
    name: str

    @property
    def place(self) -> Place:
        """Its names for SQL."""
        return (self.schema, self.name) if self.schema else (self.name,)


class Connection:
    """One engine under a name; safe from any thread."""

    def __init__(self, name: str, url: SecretStr, seconds: float = QUERY_SECONDS) -> None:
        """Raises ConnectionRefused for a URL that names no engine."""
        self.name = name
        self.kind: Kind = kind_of_url(url.get_secret_value())
        self._url = url
        self._secrets = secrets_of(url.get_secret_value())
        self._seconds = seconds
        self._idle: list[Session] = []
        self._lock = threading.Lock()
        self._version = ""
        self._backend: Any = None

    def __repr__(self) -> str:
        return f"Connection({self.name!r}, {self.kind.name})"

    @property
    def versions(self) -> dict[str, str]:
        """The engine and its version, known once it was used."""
        return {self.kind.name: self._version}

    def schemas(self, watch: Watch | None = None) -> list[str]:
        """Names of the schemas that hold tables, the engine's own left out."""
        found = self._call(lambda session: session.schemas(), watch)
        return sorted(n for n in found if n.lower() not in OWN_SCHEMAS and not n.startswith("pg_"))[:LISTED]

    def tables(self, schema: str, watch: Watch | None = None) -> list[Found]:
        """The tables and views of a schema, at most 2,000."""
        found = self._call(lambda session: session.tables(schema), watch)
        return [Found(schema, name) for name in sorted(found)[:LISTED]]

    def schema(self, found: Found, watch: Watch | None = None) -> Any:
        """The columns of a table, as an Ibis schema. Raises BadQuery when there is no such table."""
        return self._call(lambda session: session.columns(found.schema, found.name), watch)

    def compile(self, expression: Any) -> str:
        """An Ibis expression as this engine's SQL. Raises BadQuery for what the engine cannot do."""
        if self._backend is None:
            self._call(lambda session: None, None)
        try:
            return str(self._backend.compile(expression, pretty=True))
        except Exception as error:
            raise self._told(error) from None

    def query(self, text: str, schema: Any = None, *, limit: int | None, watch: Watch | None = None) -> Table:
        """Runs one SELECT: at most `limit` rows (100,000 for None, and more is refused), all counted.

        `text` has passed the gate or was compiled here. Raises BadQuery, ConnectionRefused, LimitExceeded.
        """
        began = time.perf_counter()
        most = ROWS_FETCHED if limit is None else limit

        def work(session: Session) -> tuple[list[str], Rows, int]:
            names, rows = session.rows(limited(text, most + 1, self.kind.dialect))
            if len(rows) <= most:
                return names, rows, len(rows)
            if limit is None:
                raise LimitExceeded(
                    f"More than {most:,} rows would have to come back. Group or filter first."
                )
            return names, rows[:most], int(session.rows(counted(text))[1][0][0])

        names, rows, count = self._call(work, watch)
        return typed_table(names, rows, schema, count, began)

    def batches(
        self,
        text: str,
        size: int,
        take: Callable[[list[str], Rows], None],
        watch: Watch | None = None,
        seconds: float = 0,
        tick: Callable[[], None] | None = None,
    ) -> None:
        """Hands all rows of a SELECT to `take`, `size` at a time; what `take` raises ends it.

        `take` is called on another thread, `tick` some times a second on this one.
        """

        def work(session: Session) -> None:
            for names, rows in session.batches(text, size):
                take(names, rows)

        self._call(work, watch, seconds, tick)

    def close(self) -> None:
        """Ends the idle sessions."""
        with self._lock:
            idle, self._idle = self._idle, []
        for session in idle:
            _close(session)

    def _call(
        self,
        work: Callable[[Session], T],
        watch: Watch | None,
        seconds: float = 0,
        tick: Callable[[], None] | None = None,
    ) -> T:
        call = _Call(self, work)
        # A second more than the engine's own limit, whose message says more.
        until = (seconds or self._seconds) + 1
        with (watch or _unwatched)(call.stop):
            over = call.wait(until, tick)
        if call.stopped or not over:
            call.end()
            raise LimitExceeded(
                "It was stopped." if call.stopped else f"{self.name} did not answer within {until:.0f} s."
            )
        if call.error is not None:
            raise self._told(call.error) from None
        return call.value  # type: ignore[no-any-return]

    def open(self) -> Session:
        """An idle session or a new one. Raises what the driver raises."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
        session = open_session(self.kind, self._url.get_secret_value(), self._seconds)
        self._version, self._backend = session.version, session.backend
        return session

    def keep(self, session: Session) -> None:
        """Takes a session back that ended well."""
        with self._lock:
            if len(self._idle) < IDLE_SESSIONS:
                self._idle.append(session)
                return
        _close(session)

    def _told(self, error: Exception) -> AnalysisError:
        """A driver's error as ours, without anything secret, and without the error itself."""
        if isinstance(error, AnalysisError):
            return error
        said = scrubbed(str(error), self._secrets)
        logger.info("connection %s: %s", self.name, type(error).__name__)
        if isinstance(error, _NotOpened):
            return ConnectionRefused(f"{self.name} ({self.kind.name}) cannot be reached: {said}")
        if isinstance(error, SandboxError) and not isinstance(error, (QueryFailed, ProgramFailed)):
            return LimitExceeded(said)
        if type(error).__name__ == "QueryCanceled":
            return LimitExceeded(f"{self.name} ended the query: {said}")
        if type(error).__name__ in ("OperationNotDefinedError", "UnsupportedOperationError"):
            why = said.partition(".")[0]
            return BadQuery(f"{self.kind.name} cannot compute this: {why}. Bring a copy of the table here.")
        if type(error).__name__ == "TableNotFound":
            return BadQuery(f"{self.name} has no such table: {said}.")
        return BadQuery(f"{self.name} ({self.kind.name}) refused the query: {said}")


class Connections(Mapping[str, Connection]):
    """All connections by name."""

    def __init__(self, urls: Mapping[str, SecretStr], seconds: float = QUERY_SECONDS) -> None:
        """Raises ConnectionRefused that names the connection whose URL cannot be used."""
        self._found: dict[str, Connection] = {}
        for name, url in urls.items():
            try:
                self._found[name] = Connection(name, url, seconds)
            except ConnectionRefused as error:
                raise ConnectionRefused(f"The connection {name!r} cannot be used: {error}.") from None

    def __getitem__(self, name: str) -> Connection:
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def named(self, name: str) -> Connection:
        """Raises ConnectionRefused for one that settings no longer name."""
        if name not in self._found:
            known = ", ".join(self._found) or "none"
            raise ConnectionRefused(f"There is no connection {name!r} in the settings. There is: {known}.")
        return self._found[name]

    def close(self) -> None:
        """Closes all."""
        for connection in self._found.values():
            connection.close()


class _NotOpened(Exception):
    """The engine could not be reached."""


class _Call:
    """Work on a thread of its own, with a session that is kept only when all went well."""

    def __init__(self, connection: Connection, work: Callable[[Session], Any]) -> None:
        self.over = threading.Event()
        self.stopped = False
        self.value: Any = None
        self.error: Exception | None = None
        self._connection, self._work = connection, work
        self._session: Session | None = None
        self._left = threading.Event()
        threading.Thread(target=self._run, name=f"connection-{connection.name}", daemon=True).start()

    def wait(self, seconds: float, tick: Callable[[], None] | None) -> bool:
        """Whether it was over in that time."""
        if tick is None:
            return self.over.wait(seconds)
        until = time.monotonic() + seconds
        while not (over := self.over.wait(TICK_SECONDS)) and time.monotonic() < until:
            tick()
        tick()
        return over

    def stop(self) -> None:
        """Ends it from another thread."""
        self.stopped = True
        self.over.set()

    def end(self) -> None:
        """Cancels what still runs at the engine, and waits a little for it."""
        if not self._left.is_set() and self._session is not None:
            session = self._session
            cancelling = threading.Thread(target=_quietly, args=(session.cancel,), daemon=True)
            cancelling.start()
            self._left.wait(LEAVING_SECONDS)

    def _run(self) -> None:
        try:
            try:
                self._session = self._connection.open()
            except AnalysisError:
                raise
            except Exception as error:
                raise _NotOpened(str(error)) from None
            if not self.stopped:
                self.value = self._work(self._session)
                if not self.over.is_set():
                    self._connection.keep(self._session)
                    self._session = None
        except Exception as error:
            self.error = error
        finally:
            self._left.set()
            self.over.set()
            if self._session is not None:
                _close(self._session)


def limited(text: str, rows: int, dialect: str) -> str:
    """The query with at most `rows` rows, still in its own order."""
    own = top_limit(text, dialect)
    if own is None:
        return f"{text}\nLIMIT {rows}"
    # Around a query with a limit of its own, engines keep its order.
    return text if 0 <= own <= rows else f"SELECT * FROM (\n{text}\n) AS kept LIMIT {rows}"


def counted(text: str) -> str:
    """How many rows the query has."""
    return f"SELECT count(*) AS n FROM (\n{text}\n) AS kept"


@contextmanager
def _unwatched(stop: Callable[[], None]) -> Iterator[None]:
    yield


def _quietly(work: Callable[[], None]) -> None:
    try:
        work()
    except Exception as error:
        logger.info("a query could not be cancelled: %s", type(error).__name__)


def _close(session: Session) -> None:
    """Ends a session; a server that is gone is not waited for."""
    closing = threading.Thread(target=_quietly, args=(session.close,), daemon=True)
    closing.start()
    closing.join(LEAVING_SECONDS)

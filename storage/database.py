"""One SQLite file for any number of threads and event loops.

All writes go through one connection on one thread, each in its own BEGIN IMMEDIATE transaction, so
writers queue instead of failing with "database is locked", and no lock belongs to an event loop.
Reads use a few connections on threads of their own; the write-ahead log lets them run beside a write.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from storage.errors import StoreUnavailable

T = TypeVar("T")
Job = Callable[[sqlite3.Connection], T]
MIGRATIONS = Path(__file__).parent / "migrations" / "sqlite"
BUSY_MILLISECONDS = 10_000
READERS = 4
CACHED_STATEMENTS = 256


class Database:
    """A file at `path`, made and brought to the newest schema if need be.

    Raises StoreUnavailable when the file cannot be opened, is no database, or has a newer schema;
    the file is then left as it was.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._connections_lock = threading.Lock()
        with self._explained():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._migrate()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="storage-writer")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="storage-reader")

    def write(self, job: Job[T]) -> T:
        """Runs `job` in one transaction, committed when this returns, undone when it raises."""
        return self._writer.submit(self._transact, job).result()

    async def awrite(self, job: Job[T]) -> T:
        """`write` for coroutines of any loop."""
        return await asyncio.wrap_future(self._writer.submit(self._transact, job))

    def read(self, job: Job[T]) -> T:
        """Runs `job` on one consistent view of the data."""
        return self._readers.submit(self._snapshot, job).result()

    async def aread(self, job: Job[T]) -> T:
        """`read` for coroutines of any loop."""
        return await asyncio.wrap_future(self._readers.submit(self._snapshot, job))

    def outside_transaction(self, job: Job[T]) -> T:
        """Runs `job` on the writer with no transaction open (VACUUM, backup)."""

        def run() -> T:
            with self._explained():
                return job(self._connection())

        return self._writer.submit(run).result()

    def close(self) -> None:
        """Finishes queued writes and closes every connection."""
        self._writer.shutdown(wait=True)
        self._readers.shutdown(wait=True)
        with self._connections_lock:
            for connection in self._connections:
                connection.close()
            self._connections.clear()

    def _transact(self, job: Job[T]) -> T:
        with self._explained():
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE")
            try:
                answer = job(connection)
                if connection.in_transaction:
                    connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            return answer

    def _snapshot(self, job: Job[T]) -> T:
        with self._explained():
            connection = self._connection()
            connection.execute("BEGIN")
            try:
                return job(connection)
            finally:
                connection.execute("COMMIT")

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect()
            with self._connections_lock:
                self._connections.append(connection)
        return connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=CACHED_STATEMENTS,
        )
        connection.row_factory = sqlite3.Row
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def _migrate(self) -> None:
        files = sorted(MIGRATIONS.glob("*.sql"))
        newest = int(files[-1].name[:4])
        connection = self._connect()
        try:
            if self._version(connection) > newest:
                raise StoreUnavailable(
                    f"{self.path} was written by a newer version of this app. "
                    "Update the app, or set ASSISTANT_HOME to another folder."
                )
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            if mode != "wal":
                raise StoreUnavailable(
                    f"{self.path} cannot use a write-ahead log (got {mode}). "
                    "Set ASSISTANT_HOME to a folder on a local disk."
                )
            connection.execute("BEGIN IMMEDIATE")
            version = self._version(connection)
            for file in files[version:]:
                for statement in statements(file.read_text()):
                    connection.execute(statement)
                connection.execute(
                    "INSERT INTO schema_version VALUES (?, unixepoch())", (int(file.name[:4]),)
                )
            connection.execute("COMMIT")
        finally:
            connection.close()

    @staticmethod
    def _version(connection: sqlite3.Connection) -> int:
        if connection.in_transaction:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS schema_version "
                "(version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL)"
            )
        known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'schema_version'").fetchone()
        if known is None:
            return 0
        version = connection.execute("SELECT max(version) FROM schema_version").fetchone()[0]
        return int(version or 0)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except (sqlite3.DatabaseError, OSError) as error:
            raise StoreUnavailable(
                f"The store {self.path} cannot be used: {error}. Check that the folder exists, is "
                "writable and has space, or set ASSISTANT_HOME to another folder."
            ) from error


def statements(script: str) -> Iterator[str]:
    """The statements of an SQL script; a trigger's body counts as one."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            if pending.strip():
                yield pending
            pending = ""

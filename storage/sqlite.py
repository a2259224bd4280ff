"""One SQLite file for any number of threads, event loops and processes.

Writes run one at a time, each in a BEGIN IMMEDIATE transaction: at once on the caller's thread when nobody
else writes, which saves the time of two thread switches, else in the queue of one thread, so that writers
wait instead of failing with "database is locked", and no event loop waits for a lock. What waits in the queue
is committed together, before any of it is acknowledged. Reads use a few connections on threads of their own;
the write-ahead log lets them run beside a write.
"""

import asyncio
import random
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from typing_extensions import override

from storage.database import Database, Job, migrations
from storage.errors import StorageError, StoreClosed, StoreUnavailable
from storage.sqlite_file import check_backup, damage, open_read_only, schema_version_of, statements

T = TypeVar("T")
BUSY_MILLISECONDS = 10_000
# The queue's thread writes the log back into the file, because that waits for the disk.
LOG_BYTES = 16 * 1024 * 1024
LONGEST_LOG_BYTES = 4 * LOG_BYTES
WRITES_BETWEEN_LOOKS = 16
BUSY_PAUSE_SECONDS = (0.002, 0.03)
READERS = 4
CACHED_STATEMENTS = 256


class SqliteConnection(sqlite3.Connection):
    """sqlite3's own, which says what it is."""

    dialect = "sqlite"
    for_update = ""
    clock = "((julianday('now') - 2440587.5) * 86400.0)"


class _Waiting:
    """A job in the queue."""

    def __init__(self, job: Job[Any], then: Callable[[Any], None] | None) -> None:
        self.job = job
        self.then = then
        self.done: Future[Any] = Future()


class SqliteDatabase(Database):
    """A file at `path`, made and brought to the newest schema if need be.

    Raises StoreUnavailable when the file cannot be opened, is no database, or has a newer schema;
    the file is then left as it was.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.place = str(path)
        self._log = path.with_name(f"{path.name}-wal")
        self._writing = threading.Lock()
        self._counting = threading.Lock()
        self._queued = 0
        self._queue: deque[_Waiting] = deque()
        self._writes = 0
        self._log_limit = LOG_BYTES
        self._log_is_due = False
        self._closed = False
        self._changing: SqliteConnection | None = None
        self._idle: deque[SqliteConnection] = deque()
        with self._explained():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._idle.append(self._migrated())
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="storage-writer")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="storage-reader")

    @override
    def submit(
        self,
        job: Job[T],
        *,
        user: str | None,
        writing: bool,
        patient: bool = False,
        then: Callable[[T], None] | None = None,
        queue: str = "",
    ) -> Future[T]:
        try:
            if not writing:
                return self._readers.submit(self._snapshot, job)
            waiting = _Waiting(job, then)
            self._count(1)
            self._queue.append(waiting)
            self._writer.submit(self._write_queued)
        except RuntimeError:
            raise StoreClosed("The store was closed. Start the app again.") from None
        return waiting.done

    @override
    def write(self, job: Job[T], *, user: str | None, patient: bool = False) -> T:
        if self._begin_at_once():
            return self._finish_at_once(job, None)
        return self.submit(job, user=user, writing=True).result()

    @override
    async def awrite(
        self, job: Job[T], *, user: str | None, then: Callable[[T], None] | None = None, queue: str = ""
    ) -> T:
        if self._begin_at_once():
            return self._finish_at_once(job, then)
        return await asyncio.wrap_future(self.submit(job, user=user, writing=True, then=then))

    @override
    def size_bytes(self) -> int:
        return self.path.stat().st_size + self._log_bytes()

    @override
    def vacuum(self) -> None:
        def run(connection: SqliteConnection) -> None:
            # Words of deleted messages stay in the index until its parts are merged.
            connection.execute("INSERT INTO words (words) VALUES ('optimize')")
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

        self._outside_transaction(run)

    @override
    def backup(self, path: Path) -> None:
        if path.exists():
            raise StoreUnavailable(f"{path} exists already. Name a new file for the backup.")

        partial = path.with_name(path.name + ".partial")
        # A connection of its own, so that nobody who writes waits for it.
        with self._explained(), closing(self._connect()) as source:
            try:
                with closing(sqlite3.connect(partial)) as target:
                    source.backup(target)
                    # One file holds it all, also when it lies on a disk that cannot be written.
                    target.execute("PRAGMA journal_mode = DELETE")
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)

    @override
    def restore(self, path: Path) -> None:
        check_backup(path)
        if path.samefile(self.path):
            raise StoreUnavailable(f"{path} is the store itself. Name a backup of it.")

        def run(connection: SqliteConnection) -> None:
            with closing(open_read_only(path)) as source:
                source.backup(connection)

        self._outside_transaction(run)
        with self._explained():
            self._migrated().close()

    @override
    def check(self) -> list[str]:
        def look() -> list[str]:
            with self._reading() as connection:
                return damage(connection)

        return self._readers.submit(look).result()

    @override
    def close(self) -> None:
        self._closed = True
        self._writer.shutdown(wait=True)
        self._readers.shutdown(wait=True)
        for connection in [*self._idle, *([self._changing] if self._changing else [])]:
            connection.close()
        self._idle.clear()

    def _outside_transaction(self, run: Callable[[SqliteConnection], None]) -> None:
        def explained() -> None:
            with self._writing, self._explained(), closing(self._connect()) as connection:
                run(connection)

        self._writer.submit(explained).result()

    def _begin_at_once(self) -> bool:
        """Begins a transaction that `_finish_at_once` ends, unless somebody writes or is queued to."""
        if self._queued or self._closed or not self._writing.acquire(blocking=False):
            return False
        try:
            self._writable.execute("BEGIN IMMEDIATE")
        except sqlite3.Error:
            self._writing.release()
            return False
        return True

    def _begin(self, patience: float) -> None:
        """Waits for other processes, with shorter pauses than SQLite's own, which leave the file unused."""
        deadline = time.monotonic() + patience
        while True:
            try:
                self._writable.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() > deadline:
                    raise
            time.sleep(random.uniform(*BUSY_PAUSE_SECONDS))

    @property
    def _writable(self) -> SqliteConnection:
        """The one connection that changes anything; for those who hold `_writing`."""
        if self._changing is None:
            self._changing = self._connect(busy_milliseconds=0)
        return self._changing

    def _finish_at_once(self, job: Job[T], then: Callable[[T], None] | None) -> T:
        try:
            return self._transact(self._writable, job, then)
        except (sqlite3.DatabaseError, OSError, UnicodeEncodeError) as error:
            raise self._explanation(error) from error
        finally:
            self._writing.release()

    def _write_queued(self) -> None:
        """All that waits, in one transaction; if one of them fails, each in its own."""
        with self._writing:
            queued = [self._queue.popleft() for _ in range(len(self._queue))]
            batch = [waiting for waiting in queued if waiting.done.set_running_or_notify_cancel()]
            self._count(len(batch) - len(queued))
            if len(batch) > 1 and self._written_together(batch):
                return
            for waiting in batch:
                try:
                    with self._explained():
                        self._begin(BUSY_MILLISECONDS / 1000)
                        answer = self._transact(self._writable, waiting.job, waiting.then)
                except BaseException as error:
                    self._count(-1)
                    waiting.done.set_exception(error)
                else:
                    self._count(-1)
                    waiting.done.set_result(answer)

    def _written_together(self, batch: "list[_Waiting]") -> bool:
        try:
            self._begin(BUSY_MILLISECONDS / 1000)
            answers = self._transact(self._writable, lambda c: [waiting.job(c) for waiting in batch], None)
        except Exception:
            return False
        for waiting, answer in zip(batch, answers, strict=True):
            if waiting.then is not None:
                waiting.then(answer)
            self._count(-1)
            waiting.done.set_result(answer)
        return True

    def _count(self, change: int) -> None:
        with self._counting:
            self._queued += change

    def _transact(self, connection: SqliteConnection, job: Job[T], then: Callable[[T], None] | None) -> T:
        try:
            answer = job(connection)
            connection.execute("COMMIT")
        except BaseException:
            # SQLite undoes a transaction itself when the disk is full.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        if then is not None:
            then(answer)
        self._writes += 1
        if (
            self._writes % WRITES_BETWEEN_LOOKS == 0
            and not self._log_is_due
            and self._log_bytes() > self._log_limit
        ):
            self._log_is_due = True
            self._writer.submit(self._checkpoint)
        return answer

    def _log_bytes(self) -> int:
        try:
            return self._log.stat().st_size
        except FileNotFoundError:
            return 0

    def _checkpoint(self) -> None:
        """Writers queue meanwhile, as only a log that is written back whole starts anew.

        Other processes go on, unless the log has become long because of it.
        """
        mode = "RESTART" if self._log_bytes() > LONGEST_LOG_BYTES else "PASSIVE"
        try:
            with self._writing, suppress(sqlite3.OperationalError):
                self._writable.execute(f"PRAGMA wal_checkpoint({mode})")
        finally:
            self._log_limit = self._log_bytes() + LOG_BYTES
            self._log_is_due = False

    def _snapshot(self, job: Job[T]) -> T:
        with self._explained(), self._reading() as connection:
            connection.execute("BEGIN")
            try:
                return job(connection)
            finally:
                connection.execute("COMMIT")

    @contextmanager
    def _reading(self) -> Iterator[SqliteConnection]:
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._connect()
        try:
            yield connection
        finally:
            self._idle.append(connection)

    def _connect(self, busy_milliseconds: int = BUSY_MILLISECONDS) -> SqliteConnection:
        connection = sqlite3.connect(
            self.path,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=CACHED_STATEMENTS,
            factory=SqliteConnection,
        )
        connection.row_factory = sqlite3.Row
        connection.execute(f"PRAGMA busy_timeout = {busy_milliseconds}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
        return connection

    def _migrated(self) -> SqliteConnection:
        """A connection to the file, whose schema is the newest now."""
        scripts = migrations("sqlite")
        connection = self._connect()
        try:
            if schema_version_of(connection) > scripts[-1][0]:
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
            if schema_version_of(connection) == scripts[-1][0]:
                return connection
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS schema_version "
                "(version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL)"
            )
            version = schema_version_of(connection)
            for number, script in scripts:
                if number > version:
                    for statement in statements(script):
                        connection.execute(statement)
                    connection.execute("INSERT INTO schema_version VALUES (?, ?)", (number, int(time.time())))
            connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.DatabaseError, OSError, UnicodeEncodeError) as error:
            raise self._explanation(error) from error

    def _explanation(self, error: Exception) -> StorageError:
        if isinstance(error, UnicodeEncodeError):
            return StorageError(f"This text cannot be stored: {error}.")
        return StoreUnavailable(
            f"The store {self.path} cannot be used: {error}. Check that the folder exists, is "
            "writable and has space, or set ASSISTANT_HOME to another folder."
        )

"""What a store runs on: one SQLite file by default, PostgreSQL by URL, behind the same few calls.

A job is a plain function on a connection, in the SQL that both understand, with `?` for each value. It runs
in one transaction and may run again when a connection broke, so it must come to the same end twice. `user`
says whose rows a job may touch: PostgreSQL enforces it row by row; None is the server's own work.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
MIGRATIONS = Path(__file__).parent / "migrations"


class Cursor(Protocol):
    """Rows are read by position and by name."""

    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...
    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """A connection inside a transaction."""

    dialect: str
    """sqlite or postgresql."""
    for_update: str
    """Added to a SELECT, locks its rows where writers do not queue by themselves."""
    clock: str
    """SQL of the database's own time, Unix seconds."""

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Cursor: ...


Job = Callable[[Connection], T]


class Database(ABC):
    """An open database of the newest schema; every call is safe from any thread and event loop.

    Each raises StoreUnavailable when the database cannot do it. Coroutines wait some seconds for a database
    that went away; the others say so at once.
    """

    place: str
    """What it is called in messages: a path, or server and database without a password."""
    trouble: str = ""
    """A sentence while the database cannot be reached."""

    @abstractmethod
    def submit(
        self,
        job: Job[T],
        *,
        user: str | None,
        writing: bool,
        patient: bool = False,
        then: Callable[[T], None] | None = None,
        queue: str = "",
    ) -> "Future[T]":
        """Runs `job` on another thread, then `then` with its committed answer.

        Writing jobs of this process with the same `queue` run one after the other, `then` included.
        """

    def write(self, job: Job[T], *, user: str | None, patient: bool = False) -> T:
        """Runs `job` in one transaction, committed when this returns, undone when it raises."""
        return self.submit(job, user=user, writing=True, patient=patient).result()

    async def awrite(
        self,
        job: Job[T],
        *,
        user: str | None,
        then: Callable[[T], None] | None = None,
        queue: str = "",
    ) -> T:
        """`write` for coroutines of any loop."""
        return await asyncio.wrap_future(
            self.submit(job, user=user, writing=True, patient=True, then=then, queue=queue)
        )

    def read(self, job: Job[T], *, user: str | None) -> T:
        """Runs `job` on one consistent view of the data."""
        return self.submit(job, user=user, writing=False).result()

    async def aread(self, job: Job[T], *, user: str | None) -> T:
        """`read` for coroutines of any loop."""
        return await asyncio.wrap_future(self.submit(job, user=user, writing=False, patient=True))

    @abstractmethod
    def size_bytes(self) -> int:
        """Space on the disk."""

    @abstractmethod
    def vacuum(self) -> None:
        """Gives the space of deleted rows back."""

    @abstractmethod
    def backup(self, path: Path) -> None:
        """Copies everything, as of one moment, to a new file while the database is in use."""

    @abstractmethod
    def restore(self, path: Path) -> None:
        """Replaces everything by a backup."""

    @abstractmethod
    def check(self) -> list[str]:
        """What is damaged, one sentence each; empty when all is well."""

    @abstractmethod
    def close(self) -> None:
        """Finishes what was submitted and closes every connection."""


def open_database(url: str) -> Database:
    """Opens `postgresql://…`, `sqlite:///path` or a plain path, and brings its schema up to date.

    Raises StoreUnavailable when it cannot be opened or was written by a newer version, which is then left
    as it was, and StorageError for another kind of URL.
    """
    from storage.urls import is_postgres, sqlite_path

    if is_postgres(url):
        from storage.postgres import PostgresDatabase

        return PostgresDatabase(url)
    from storage.sqlite import SqliteDatabase

    return SqliteDatabase(sqlite_path(url))


def stored_version(url: str) -> int:
    """The schema version of what is at `url`, 0 when nothing of ours is there; nothing is made or changed.

    Raises StoreUnavailable when it cannot be read or is another program's, and StorageError for another
    kind of URL.
    """
    from storage.urls import is_postgres, sqlite_path

    if is_postgres(url):
        from storage import postgres

        return postgres.stored_version(url)
    from storage import sqlite_file

    return sqlite_file.stored_version(sqlite_path(url))


def migrations(dialect: str) -> list[tuple[int, str]]:
    """Numbered scripts of a dialect, in order."""
    files = sorted((MIGRATIONS / dialect).glob("*.sql"))
    return [(int(file.name[:4]), file.read_text()) for file in files]

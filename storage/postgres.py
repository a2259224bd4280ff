"""PostgreSQL by URL: a bounded pool, rows kept apart by user on the server, and patience with a lost server.

Everything is in the schema `assistant`. Each transaction names its user, and row-level security shows it that
user's rows only. A role that row-level security does not bind (a superuser, or one with BYPASSRLS) hands each
transaction over to the role `assistant_app`, which it does bind. Nothing outlives a transaction on the
server's side, so poolers that share connections between transactions work too.
"""

import logging
import re
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from psycopg import sql
from psycopg.types.json import set_json_loads
from psycopg_pool import ConnectionPool, PoolTimeout
from typing_extensions import override

from storage.database import Cursor, Database, Job, migrations
from storage.errors import StorageError, StoreClosed, StoreUnavailable
from storage.postgres_tables import SCHEMA, copy_in, copy_out, tables, whole_copy
from storage.urls import without_password

logger = logging.getLogger(__name__)
T = TypeVar("T")
ROLE = "assistant_app"
POOL_SIZE = 8
CONNECT_SECONDS = 3
WAIT_FOR_CONNECTION_SECONDS = 5.0
STATEMENT_MILLISECONDS = 30_000
QUICK_SECONDS = 1.0
PATIENT_SECONDS = 60.0
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 1.0
MIGRATION_LOCK = 7_305_117_940
# A server that is gone is noticed within seconds, also when it says nothing.
LINK = {
    "connect_timeout": CONNECT_SECONDS,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "application_name": "data-analysis-assistant",
}
# Classes of errors that another try may not meet again: the link broke, the server is starting, ending or
# short of something, or gave way to another writer.
PASSING = ("08", "40", "53", "57")


class Row(tuple[Any, ...]):
    """A row that is read by position and by name."""

    names: dict[str, int]

    def __getitem__(self, item: Any) -> Any:
        return tuple.__getitem__(self, self.names[item] if isinstance(item, str) else item)

    def keys(self) -> list[str]:
        return list(self.names)


def _row_factory(cursor: Any) -> Callable[[Sequence[Any]], Row]:
    names = {column.name: place for place, column in enumerate(cursor.description or ())}
    return type("Row", (Row,), {"names": names})


class PostgresConnection:
    """A psycopg connection that takes `?` for values."""

    dialect = "postgresql"
    for_update = " FOR UPDATE"
    clock = "extract(epoch FROM clock_timestamp())::float8"

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.raw = connection

    def execute(self, statement: str, parameters: Sequence[Any] = (), /) -> Cursor:
        return self.raw.execute(_placeholders(statement), parameters)


def _as_text(data: str | bytes) -> str:
    """JSON columns come as text, as from SQLite."""
    return data if isinstance(data, str) else bytes(data).decode()


@cache
def _placeholders(statement: str) -> bytes:
    return statement.replace("%", "%%").replace("?", "%s").encode()


class PostgresDatabase(Database):
    """A server's database, its tables made and brought to the newest schema if need be.

    Raises StoreUnavailable when it cannot be reached or has a newer schema.
    """

    def __init__(self, url: str, *, pool_size: int = POOL_SIZE, patience: float = PATIENT_SECONDS) -> None:
        self.place = without_password(url)
        self._patience = patience
        self._url = url
        self._begin = ""
        with self._explained(), psycopg.connect(url, autocommit=True, **LINK) as connection:  # type: ignore[arg-type]
            self._migrate(connection)
            role = _own_role(connection)
        self._begin = (
            f"SELECT set_config('search_path', '{SCHEMA}', true),"
            f" set_config('statement_timeout', '{STATEMENT_MILLISECONDS}', true),"
            f" set_config('idle_in_transaction_session_timeout', '{STATEMENT_MILLISECONDS}', true)"
            + (f", set_config('role', '{ROLE}', true)" if role else "")
        )
        self._pool: ConnectionPool[psycopg.Connection[Any]] = ConnectionPool(
            url,
            min_size=1,
            max_size=pool_size,
            timeout=WAIT_FOR_CONNECTION_SECONDS,
            reconnect_timeout=CONNECT_SECONDS,
            kwargs={
                "autocommit": True,
                "prepare_threshold": None,
                "row_factory": _row_factory,
                **LINK,
            },
            configure=lambda connection: set_json_loads(_as_text, connection),
            open=True,
        )
        self._workers = ThreadPoolExecutor(pool_size, thread_name_prefix="storage-postgres")
        self._lanes = [ThreadPoolExecutor(1, thread_name_prefix="storage-lane") for _ in range(pool_size)]

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
        place = self._lanes[hash(queue) % len(self._lanes)] if queue else self._workers

        def run() -> T:
            answer = self._persist(job, user, writing, patient)
            if then is not None:
                then(answer)
            return answer

        try:
            return place.submit(run)
        except RuntimeError:
            raise StoreClosed("The store was closed. Start the app again.") from None

    @override
    def write(self, job: Job[T], *, user: str | None, patient: bool = False) -> T:
        return self._persist(job, user, True, patient)

    @override
    def read(self, job: Job[T], *, user: str | None) -> T:
        return self._persist(job, user, False, False)

    def _persist(self, job: Job[T], user: str | None, writing: bool, patient: bool) -> T:
        """Tries again while the server is away, for as long as the caller has patience."""
        give_up = time.monotonic() + (self._patience if patient else QUICK_SECONDS)
        pause = FIRST_PAUSE_SECONDS
        with self._explained():
            while True:
                try:
                    answer = self._attempt(job, user, writing, give_up)
                    self.trouble = ""
                    return answer
                except (psycopg.Error, PoolTimeout) as error:
                    if time.monotonic() + pause > give_up or not _passes(error):
                        raise
                    if not isinstance(error, psycopg.errors.TransactionRollback):
                        self._note(error)
                time.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _note(self, error: BaseException) -> None:
        if not self.trouble:
            logger.warning("%s cannot be reached: %s", self.place, _first_line(error))
        self.trouble = f"The database {self.place} cannot be reached. Trying again; nothing is lost."

    def _attempt(self, job: Job[T], user: str | None, writing: bool, give_up: float) -> T:
        wait = min(WAIT_FOR_CONNECTION_SECONDS, max(give_up - time.monotonic(), 0.1))
        with self._pool.connection(wait) as connection:
            kind = "READ WRITE" if writing else "ISOLATION LEVEL REPEATABLE READ READ ONLY"
            connection.execute(_opening(f"BEGIN {kind}; {self._begin}", user))
            try:
                answer = job(PostgresConnection(connection))
                connection.execute("COMMIT")
            except BaseException:
                if not connection.broken:
                    connection.rollback()
                raise
            return answer

    @override
    def size_bytes(self) -> int:
        size: int = self.read(
            lambda c: c.execute(
                "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class"
                f" WHERE relkind = 'r' AND relnamespace = '{SCHEMA}'::regnamespace"
            ).fetchone()[0],
            user=None,
        )
        return size

    @override
    def vacuum(self) -> None:
        with self._explained(), psycopg.connect(self._url, autocommit=True, **LINK) as connection:  # type: ignore[arg-type]
            for table in tables(connection):
                connection.execute(sql.SQL("VACUUM (FULL, ANALYZE) {}").format(sql.Identifier(SCHEMA, table)))

    @override
    def backup(self, path: Path) -> None:
        if path.exists():
            raise StoreUnavailable(f"{path} exists already. Name a new file for the backup.")
        partial = path.with_name(path.name + ".partial")
        try:
            with self._explained(), self._owner() as connection:
                copy_out(connection, partial)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    @override
    def restore(self, path: Path) -> None:
        with whole_copy(path) as file, self._explained(), self._owner(writing=True) as connection:
            copy_in(connection, file, path)

    @override
    def check(self) -> list[str]:
        """Rows that refer to nothing; the server itself checks its pages."""
        found = self.read(
            lambda c: c.execute(
                "SELECT count(*) FROM adk_events e LEFT JOIN adk_sessions s ON s.key = e.session_key"
                " WHERE s.key IS NULL"
            ).fetchone()[0],
            user=None,
        )
        return [f"{found} events belong to no session"] if found else []

    @override
    def close(self) -> None:
        for executor in (self._workers, *self._lanes):
            executor.shutdown(wait=True)
        self._pool.close()

    @contextmanager
    def _owner(self, *, writing: bool = False) -> Iterator[psycopg.Connection[Any]]:
        """A transaction on one view of all rows, as the role that owns the tables."""
        kind = "READ WRITE" if writing else "ISOLATION LEVEL REPEATABLE READ READ ONLY"
        with psycopg.connect(self._url, autocommit=True, **LINK) as connection:  # type: ignore[arg-type]
            connection.execute(_opening(f"BEGIN {kind}; SELECT 1", None))
            yield connection
            connection.execute("COMMIT")

    def _migrate(self, connection: psycopg.Connection[Any]) -> None:
        scripts = migrations("postgresql")
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (MIGRATION_LOCK,))
            connection.execute(f"SET LOCAL search_path = {SCHEMA}")
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS schema_version"
                " (version INTEGER PRIMARY KEY, applied_at BIGINT NOT NULL)"
            )
            row = connection.execute("SELECT coalesce(max(version), 0) FROM schema_version").fetchone()
            version = int(row[0]) if row else 0
            if version > scripts[-1][0]:
                raise StoreUnavailable(
                    f"The database {self.place} was written by a newer version of this app. Update the app."
                )
            for number, script in scripts:
                if number > version:
                    connection.execute(script.encode())
                    connection.execute(
                        "INSERT INTO schema_version VALUES (%s, %s)", (number, int(time.time()))
                    )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except psycopg.errors.QueryCanceled as error:
            raise StoreUnavailable(f"The database {self.place} took too long to answer. Retry.") from error
        except (psycopg.Error, PoolTimeout, UnicodeEncodeError) as error:
            if not _passes(error):
                raise self._refusal(error) from error
            self._note(error)
            raise StoreUnavailable(
                f"The database {self.place} cannot be reached: {_first_line(error)}. Nothing is lost; "
                "retry when it is back."
            ) from error

    def _refusal(self, error: Exception) -> StorageError:
        if isinstance(error, psycopg.errors.InsufficientPrivilege):
            return StoreUnavailable(
                f"The database {self.place} does not allow this: {_first_line(error)}. Give its role the "
                f"right to create and use the schema {SCHEMA}."
            )
        if isinstance(error, (psycopg.DataError, UnicodeEncodeError)):
            return StorageError(f"This text cannot be stored: {_first_line(error)}.")
        return StoreUnavailable(f"The database {self.place} failed: {_first_line(error)}.")


def _passes(error: BaseException) -> bool:
    """Whether the same may go well a moment later."""
    if isinstance(error, psycopg.errors.QueryCanceled):
        return False
    if not isinstance(error, psycopg.Error):
        return isinstance(error, PoolTimeout)
    if error.sqlstate is None:
        return isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))
    return error.sqlstate.startswith(PASSING)


def stored_version(url: str) -> int:
    """The schema version of a database, 0 when it has none of our tables.

    Raises StoreUnavailable when it cannot be read.
    """
    try:
        with psycopg.connect(url, autocommit=True, **LINK) as connection:  # type: ignore[arg-type]
            found = connection.execute("SELECT to_regclass(%s)", (f"{SCHEMA}.schema_version",)).fetchone()
            if found is None or found[0] is None:
                return 0
            row = connection.execute(f"SELECT max(version) FROM {SCHEMA}.schema_version").fetchone()
            return int(row[0] or 0) if row else 0
    except psycopg.Error as error:
        place = without_password(url)
        raise StoreUnavailable(f"The database {place} cannot be read: {_first_line(error)}.") from error


def _opening(begin: str, user: str | None) -> sql.Composed:
    return sql.SQL(
        "{}, set_config('assistant.everyone', {}, true), set_config('assistant.user', {}, true)"
    ).format(
        sql.SQL(begin),
        "on" if user is None else "off",
        user or "",
    )


def _own_role(connection: psycopg.Connection[Any]) -> bool:
    """Whether transactions have to change role to be bound by row-level security."""
    row = connection.execute(
        "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    if row is None or not row[0]:
        return False
    try:
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (MIGRATION_LOCK,))
            if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (ROLE,)).fetchone() is None:
                connection.execute(f"CREATE ROLE {ROLE} NOLOGIN")
            connection.execute(f"GRANT {ROLE} TO current_user")
            connection.execute(f"GRANT USAGE ON SCHEMA {SCHEMA} TO {ROLE}")
            connection.execute(
                f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {SCHEMA} TO {ROLE}"
            )
            connection.execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA {SCHEMA} TO {ROLE}")
    except psycopg.errors.InsufficientPrivilege:
        logger.warning("This database role is not bound by row-level security and may not make one that is.")
        return False
    return True


def _first_line(error: BaseException) -> str:
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return re.sub(r"://[^@/\s]*@", "://", line)

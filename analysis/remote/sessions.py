"""One open connection to an engine: read-only where the engine has that, in UTC, ended from any thread."""

import contextlib
import importlib.util
import sqlite3
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import ibis

from analysis.remote import mysql, urls
from analysis.remote import sqlite as additions
from analysis.remote.duckdb_file import DuckDBFile

Rows = list[tuple[Any, ...]]
CONNECT_SECONDS = 15
BATCH_ROWS = 10_000


class Session(Protocol):
    """What every engine's connection can do. Errors are the driver's own."""

    @property
    def backend(self) -> Any:
        """What compiles expressions for the engine."""

    @property
    def version(self) -> str:
        """The engine's version."""

    def schemas(self) -> list[str]:
        """Names of all schemas."""

    def tables(self, schema: str) -> list[str]:
        """Names of the tables and views of a schema."""

    def columns(self, schema: str, table: str) -> Any:
        """The columns of a table, as an Ibis schema."""

    def rows(self, text: str) -> tuple[list[str], Rows]:
        """Column names and all rows, which the query bounds."""

    def batches(self, text: str, size: int) -> Iterator[tuple[list[str], Rows]]:
        """Column names and at most `size` rows at a time; one empty batch at the end."""

    def cancel(self) -> None:
        """Ends what runs, from another thread."""

    def close(self) -> None:
        """Ends the connection."""


def open_session(kind: urls.Kind, url: str, seconds: float) -> Session:
    """Connects; statements end at the engine after `seconds` where it can do that."""
    urls.require_installed(kind)
    openers: dict[urls.Kind, Callable[[str, float], Session]] = {
        urls.POSTGRESQL: _Postgres, urls.SQLITE: _Sqlite, urls.DUCKDB: DuckDBFile, urls.SPARK: _Spark,
        urls.BIGQUERY: _BigQuery, urls.MYSQL: _MySQL,
    }  # fmt: skip
    with warnings.catch_warnings():
        # PySpark warns of pandas 3, and of old protocols, when it is imported.
        warnings.simplefilter("ignore")
        return openers.get(kind, _Cursors)(url, seconds)


class _Listed:
    """Lists tables with Ibis."""

    backend: Any

    def schemas(self) -> list[str]:
        return list(self.backend.list_databases())

    def tables(self, schema: str) -> list[str]:
        return list(self.backend.list_tables(database=schema or None))

    def columns(self, schema: str, table: str) -> Any:
        return self.backend.get_schema(table, database=schema or None)

    def rows(self, text: str) -> tuple[list[str], Rows]:
        names: list[str] = []
        rows: Rows = []
        for columns, batch in self.batches(text, BATCH_ROWS):
            names, rows = columns, rows + batch
        return names, rows

    def batches(self, text: str, size: int) -> Iterator[tuple[list[str], Rows]]:
        raise NotImplementedError


class _Cursors(_Listed):
    """An engine with a driver of Python's database interface, connected by Ibis from its URL."""

    def __init__(self, url: str, seconds: float) -> None:
        self._seconds = seconds
        self.backend: Any = self._connect(url)
        self._cursor: Any = None

    def _connect(self, url: str) -> Any:
        return ibis.connect(url)

    @property
    def version(self) -> str:
        return str(self.backend.version)

    def batches(self, text: str, size: int) -> Iterator[tuple[list[str], Rows]]:
        with contextlib.closing(self.backend.con.cursor()) as cursor:
            self._cursor = cursor
            self._execute(cursor, text)
            yield from _of_cursor(cursor, size)

    def _execute(self, cursor: Any, text: str) -> None:
        cursor.execute(text)

    def cancel(self) -> None:
        if hasattr(self._cursor, "cancel"):
            self._cursor.cancel()
        else:
            self.close()

    def close(self) -> None:
        self.backend.disconnect()


class _MySQL(_Cursors):
    def _connect(self, url: str) -> Any:
        _use_pymysql()
        backend = ibis.connect(url)
        backend.compiler = mysql.compiler
        with contextlib.closing(backend.con.cursor()) as cursor:
            cursor.execute("SET SESSION TRANSACTION READ ONLY")
            # MySQL counts in milliseconds and only of SELECTs, MariaDB in seconds.
            milliseconds = int(self._seconds * 1000)
            for limit in (f"MAX_EXECUTION_TIME = {milliseconds}", f"max_statement_time = {self._seconds}"):
                with contextlib.suppress(Exception):
                    cursor.execute(f"SET SESSION {limit}")
        self._url = url
        return backend

    @property
    def version(self) -> str:
        return str(self.backend.con.get_server_info())

    def cancel(self) -> None:
        other = ibis.connect(self._url)
        try:
            with contextlib.closing(other.con.cursor()) as cursor:
                cursor.execute(f"KILL QUERY {int(self.backend.con.thread_id())}")
        finally:
            other.disconnect()


class _Postgres(_Cursors):
    def _connect(self, url: str) -> Any:
        import psycopg

        bounds = f"-c default_transaction_read_only=on -c statement_timeout={int(self._seconds * 1000)}"
        given: dict[str, Any] = psycopg.conninfo.conninfo_to_dict(url)
        given |= {"options": f"{given.get('options') or ''} {bounds}".strip()}
        given |= {"connect_timeout": CONNECT_SECONDS, "application_name": "data analysis assistant"}
        connection = psycopg.connect(**given, autocommit=True)
        connection.read_only = True
        return ibis.postgres.from_connection(connection)

    def batches(self, text: str, size: int) -> Iterator[tuple[list[str], Rows]]:
        connection = self.backend.con
        with connection.transaction(), connection.cursor(name="answer") as cursor:
            cursor.execute(text)
            yield from _of_cursor(cursor, size)

    def cancel(self) -> None:
        self.backend.con.cancel_safe(timeout=5)

    def close(self) -> None:
        self.backend.con.close()


class _Sqlite(_Cursors):
    def schemas(self) -> list[str]:
        return ["main"]

    def _connect(self, url: str) -> Any:
        address = f"file:{urls.path_of(url)}?mode=ro"
        connection = sqlite3.connect(address, uri=True, check_same_thread=False)
        backend = ibis.sqlite.from_connection(connection)
        backend.compiler = additions.compiler
        additions.add_functions(connection)
        connection.execute("PRAGMA query_only = ON")
        return backend

    def cancel(self) -> None:
        self.backend.con.interrupt()

    def close(self) -> None:
        self.backend.con.close()


class _Spark(_Listed):
    """A session of its own at a Spark Connect server."""

    def __init__(self, url: str, seconds: float) -> None:
        from pyspark.sql import SparkSession

        address = url if url.startswith("sc://") else f"sc://{url.partition('://')[2]}"
        self._session: Any = SparkSession.builder.remote(address).create()
        self.backend = ibis.pyspark.connect(self._session)

    @property
    def version(self) -> str:
        return str(self._session.version)

    def rows(self, text: str) -> tuple[list[str], Rows]:
        table = self._session.sql(text).toArrow()
        return list(table.column_names), list(zip(*(c.to_pylist() for c in table.columns), strict=True))

    def batches(self, text: str, size: int) -> Iterator[tuple[list[str], Rows]]:
        frame = self._session.sql(text)
        names, batch = list(frame.columns), []
        for row in frame.toLocalIterator():
            batch.append(tuple(row))
            if len(batch) == size:
                yield names, batch
                batch = []
        yield names, batch

    def cancel(self) -> None:
        self._session.interruptAll()

    def close(self) -> None:
        self._session.stop()


class _BigQuery(_Cursors):
    def batches(self, text: str, size: int) -> Iterator[tuple[list[str], Rows]]:
        self._job = self.backend.client.query(text)
        found = self._job.result(page_size=size, timeout=self._seconds)
        names = [field.name for field in found.schema]
        for page in found.pages:
            yield names, [row.values() for row in page]
        yield names, []

    def cancel(self) -> None:
        self._job.cancel()


def _use_pymysql() -> None:
    """Has PyMySQL, which needs no compiler to be installed, stand in for the driver that Ibis imports."""
    if importlib.util.find_spec("MySQLdb") is None and "MySQLdb" not in sys.modules:
        importlib.import_module("pymysql").install_as_MySQLdb()


def _of_cursor(cursor: Any, size: int) -> Iterator[tuple[list[str], Rows]]:
    names = [column[0] for column in cursor.description]
    while rows := cursor.fetchmany(size):
        yield names, [tuple(row) for row in rows]
    yield names, []

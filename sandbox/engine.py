"""What runs inside the worker: DuckDB over Parquet views, locked before any query."""

import contextlib
import io
import time
import traceback
from pathlib import Path
from typing import Any

import duckdb

from sandbox.errors import ProgramFailed, QueryFailed
from sandbox.gate import check
from sandbox.table import Column, Table

LOCK = (
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET temp_directory = ''",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)
ANSWER = "__answer"


class Engine:
    """One conversation's DuckDB; opened again only when the set of tables changes."""

    def __init__(self, memory_mb: int, threads: int) -> None:
        self._config: dict[str, Any] = {
            "memory_limit": f"{memory_mb}MB",
            "threads": threads,
            "python_enable_replacements": False,
        }
        self._tables: dict[str, str] = {}
        self._connection: duckdb.DuckDBPyConnection | None = None

    def query(self, sql: str, tables: dict[str, str], limit: int | None) -> Table:
        """The answer of a reading statement: at most `limit` rows, and how many there are."""
        connection = self._open(tables)
        check(connection, sql)
        started = time.perf_counter()
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {ANSWER} AS {sql.strip().rstrip(';')}")
        try:
            return self._fetch(connection, ANSWER, limit, started)
        finally:
            connection.execute(f"DROP TABLE IF EXISTS {ANSWER}")

    def program(self, code: str, tables: dict[str, str]) -> dict[str, Any]:
        """Runs Python with `con` bound to the views; its `output` comes back as tables or values."""
        connection = self._open(tables)
        printed = io.StringIO()
        scope: dict[str, Any] = {"con": connection, "__name__": "__main__"}
        try:
            with contextlib.redirect_stdout(printed):
                exec(compile(code, "<program>", "exec"), scope)
        except MemoryError:
            raise
        except Exception as error:
            reason = traceback.format_exception_only(error)[-1].strip()
            raise ProgramFailed(reason) from error
        output = scope.get("output")
        named = output if isinstance(output, dict) else {"output": output}
        frames = {k: self._frame(connection, v) for k, v in named.items() if hasattr(v, "iloc")}
        return {
            "tables": {name: table.to_json() for name, table in frames.items()},
            "values": {k: v for k, v in named.items() if k not in frames},
            "stdout": printed.getvalue(),
        }

    def _frame(self, connection: duckdb.DuckDBPyConnection, frame: Any) -> Table:
        connection.register(ANSWER, frame)
        try:
            return self._fetch(connection, ANSWER, None, time.perf_counter())
        finally:
            connection.unregister(ANSWER)

    def _open(self, tables: dict[str, str]) -> duckdb.DuckDBPyConnection:
        if self._connection is not None and tables == self._tables:
            return self._connection
        connection = duckdb.connect(":memory:", config=self._config)
        for name, path in tables.items():
            if not Path(path).exists():
                raise QueryFailed(f"The stored table {name} is gone. Upload its file again.")
            connection.execute(f"CREATE VIEW {quoted(name)} AS SELECT * FROM read_parquet({literal(path)})")
        allowed = ", ".join(literal(path) for path in tables.values())
        connection.execute(f"SET allowed_paths = [{allowed}]")
        for statement in LOCK:
            connection.execute(statement)
        self._connection, self._tables = connection, dict(tables)
        return connection

    @staticmethod
    def _fetch(connection: duckdb.DuckDBPyConnection, name: str, limit: int | None, started: float) -> Table:
        counted = connection.execute(f"SELECT count(*) FROM {name}").fetchone()
        row_count = int(counted[0]) if counted else 0
        cursor = connection.execute(f"SELECT * FROM {name}" + ("" if limit is None else f" LIMIT {limit}"))
        columns = [Column(item[0], str(item[1])) for item in cursor.description or []]
        rows = [list(row) for row in cursor.fetchall()]
        elapsed = time.perf_counter() - started
        return Table(columns, rows, row_count, len(rows) < row_count, elapsed)


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """An SQL string."""
    return "'" + text.replace("'", "''") + "'"

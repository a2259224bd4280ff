"""What runs inside the worker: DuckDB over Parquet views, locked before any query."""

import base64
import contextlib
import io
import time
import traceback
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import duckdb
from duckdb import connect  # DuckDB's own, also where `sandbox.connections` stands in for it

from sandbox.errors import ProgramFailed, QueryFailed
from sandbox.gate import check
from sandbox.table import Column, Table

NO_SPILL, SPILL = "SET temp_directory = ''", "SET temp_directory = {}"
LOCK = (
    "SET TimeZone = 'UTC'",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    NO_SPILL,
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)
ANSWER = "__answer"
Progress = Callable[[float, str], None]
T = TypeVar("T")
PRINTED_CHARACTERS = 100_000
ZONED = ("TIMESTAMP WITH TIME ZONE", "TIME WITH TIME ZONE")


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
        self._spare: duckdb.DuckDBPyConnection | None = None
        """For the next program, over `_tables`."""
        self._asked = False
        """Whether a program ran; most conversations have none for a while."""

    def query(self, sql: str, tables: dict[str, str], limit: int | None) -> Table:
        """The answer of a reading statement: at most `limit` rows, and how many there are."""
        if self._connection is None or tables != self._tables:
            self._use(tables)
            self._connection = self.open(tables)
        connection = self._connection
        check(connection, sql, tables)
        started = time.perf_counter()
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {ANSWER} AS {sql.strip().rstrip(';')}")
        try:
            return _fetch(connection, limit, started)
        finally:
            connection.execute(f"DROP TABLE IF EXISTS {ANSWER}")

    def program(
        self, code: str, tables: dict[str, str], files: dict[str, str], progress: Progress
    ) -> dict[str, Any]:
        """Runs Python with `con` bound to the views; its `output` comes back as tables, values or bytes.

        It finds `files` (name to path) and may call `progress(part, text)`, part between 0 and 1.

        The connection is the program's own, so that nothing it makes or closes reaches a later query.
        """
        self._use(tables)
        connection, self._spare, self._asked = self._spare or self.open(tables), None, True
        printed = io.StringIO()
        scope: dict[str, Any] = {
            "con": connection, "files": files, "progress": progress, "__name__": "__main__",
        }  # fmt: skip
        try:
            with contextlib.redirect_stdout(printed):
                exec(compile(code, "<program>", "exec"), scope)
            return _output(scope.get("output")) | {"stdout": _shortened(printed.getvalue())}
        except (MemoryError, ProgramFailed, duckdb.OutOfMemoryException):
            raise
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            raise ProgramFailed(_reason(error)) from error
        finally:
            connection.close()

    def reading(self, tables: dict[str, str], read: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        """What `read` makes of a locked connection to the tables, which is its own."""
        connection = self.open(tables)
        try:
            return read(connection)
        finally:
            connection.close()

    def rest(self) -> None:
        """Between two calls: opens what the next program would wait for."""
        if self._asked and self._spare is None:
            # A table may be gone; the program is told so then.
            with contextlib.suppress(QueryFailed, duckdb.Error):
                self._spare = self.open(self._tables)

    def _use(self, tables: dict[str, str]) -> None:
        if tables != self._tables:
            self._connection, self._spare, self._tables = None, None, dict(tables)

    def open(self, tables: dict[str, str], *, write: str = "", spill: str = "") -> duckdb.DuckDBPyConnection:
        """A connection with a view for each table, locked; it may write the file `write`, and use the folder
        `spill` for what does not fit in memory."""
        connection = connect(":memory:", config=self._config)
        for name, path in tables.items():
            if not Path(path).exists():
                raise QueryFailed(f"The stored table {name} is gone. Upload its file again.")
            connection.execute(f"CREATE VIEW {quoted(name)} AS SELECT * FROM read_parquet({literal(path)})")
        allowed = ", ".join(literal(path) for path in [*tables.values(), *filter(None, [write])])
        connection.execute(f"SET allowed_paths = [{allowed}]")
        for statement in LOCK:
            connection.execute(SPILL.format(literal(spill)) if spill and statement == NO_SPILL else statement)
        return connection


def _fetch(connection: duckdb.DuckDBPyConnection, limit: int | None, started: float) -> Table:
    counted = connection.execute(f"SELECT count(*) FROM {ANSWER}").fetchone()
    row_count = int(counted[0]) if counted else 0
    described = connection.execute(f"SELECT * FROM {ANSWER} LIMIT 0").description or []
    columns = [Column(name, str(kind)) for name, kind, *_ in described]
    # Python gets times with a zone only through a module that nothing else here needs.
    wanted = [
        f"CAST({quoted(c.name)} AS VARCHAR)" if "WITH TIME ZONE" in c.type else quoted(c.name)
        for c in columns
    ]
    rows_wanted = "" if limit is None else f" LIMIT {limit}"
    found = connection.execute(f"SELECT {', '.join(wanted)} FROM {ANSWER}{rows_wanted}").fetchall()
    columns = [
        Column(c.name, "VARCHAR") if "WITH TIME ZONE" in c.type and c.type not in ZONED else c
        for c in columns
    ]
    elapsed = time.perf_counter() - started
    return Table(columns, [list(row) for row in found], row_count, len(found) < row_count, elapsed)


def _output(output: Any) -> dict[str, Any]:
    """DataFrames as tables, bytes as files, the rest as JSON; raises ProgramFailed for anything else."""
    named = output if isinstance(output, dict) else {"output": output}
    tables, values, files = {}, {}, {}
    for key, value in named.items():
        if hasattr(value, "iloc"):
            tables[str(key)] = _frame(str(key), value).to_json()
        elif isinstance(value, bytes):
            files[str(key)] = base64.b64encode(value).decode()
        else:
            values[str(key)] = plain(str(key), value)
    return {"tables": tables, "values": values, "files": files}


def _frame(name: str, frame: Any) -> Table:
    if hasattr(frame, "to_frame"):
        frame = frame.to_frame()
    if not len(frame.columns):
        raise ProgramFailed(f"The table {name!r} has no columns.")
    started = time.perf_counter()
    connection = _frames()
    connection.register("frame", frame)
    try:
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {ANSWER} AS FROM frame")
        return _fetch(connection, None, started)
    finally:
        connection.execute(f"DROP TABLE IF EXISTS {ANSWER}")
        connection.unregister("frame")


@cache
def _frames() -> duckdb.DuckDBPyConnection:
    """A connection that turns DataFrames to tables; opening one takes longer than most of them."""
    connection = connect(":memory:")
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def plain(name: str, value: Any) -> Any:
    """A value as JSON: numbers, text, lists and dictionaries; dates as ISO text, NaN as it is."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    if hasattr(value, "tolist"):
        return plain(name, value.tolist())
    if isinstance(value, dict):
        return {str(key): plain(name, item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(name, item) for item in value]
    if type(value).__name__ in ("Decimal", "UUID"):
        return str(value)
    raise ProgramFailed(
        f"{name!r} is a {type(value).__name__}, which cannot be returned. Assign to output a DataFrame, or "
        "a dictionary of DataFrames, numbers, text, lists and dictionaries."
    )


def _reason(error: BaseException) -> str:
    """The last line of the traceback, with the program's own line where it failed."""
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == "<program>"]
    reason = traceback.format_exception_only(error)[-1].strip()
    return f"{reason} (line {lines[-1]})" if lines else reason


def _shortened(printed: str) -> str:
    more = len(printed) - PRINTED_CHARACTERS
    return printed if more <= 0 else f"{printed[:PRINTED_CHARACTERS]}\n[{more:,} more characters]"


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """An SQL string."""
    return "'" + text.replace("'", "''") + "'"

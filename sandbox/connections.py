"""DuckDB for somebody's code: one engine, opened before the process is locked, and every connection on it.

DuckDB reads /proc/self/cgroup when it opens an engine and ends the process when that is refused, so a locked
process opens none: `duckdb.connect` gives a connection to a database of its own inside the one engine.
"""

import functools
import itertools
from pathlib import Path
from typing import Any

import duckdb

from sandbox.engine import literal, quoted

IN_MEMORY = ("", ":memory:", ":default:")
_numbers = itertools.count(1)
_engine: duckdb.DuckDBPyConnection | None = None


def prepare() -> None:
    """Opens the engine, and has `duckdb.connect` use it."""
    global _engine
    if _engine is not None:
        return
    original = duckdb.connect
    _engine = original(
        ":memory:",
        config={
            "threads": "1",
            # Threads that only wait for files; a fork would lose them.
            "async_threads": "0",
            "temp_directory": "",
            "python_enable_replacements": "true",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        },
    )
    _engine.execute("SET GLOBAL TimeZone = 'UTC'")
    duckdb.connect = functools.wraps(original)(connect)


def connect(
    database: Any = ":memory:", read_only: bool = False, config: dict[str, Any] | None = None
) -> duckdb.DuckDBPyConnection:
    """Stands for `duckdb.connect`: a database in memory, or the file of that name in the current folder."""
    connection = cursor()
    name = str(database)
    if name.startswith(":memory:") or name in IN_MEMORY:
        alias, source = f"memory_{next(_numbers)}", ":memory:"
    else:
        alias, source = f"{Path(name).stem}_{next(_numbers)}", name
    options = " (READ_ONLY)" if read_only else ""
    connection.execute(f"ATTACH {literal(source)} AS {quoted(alias)}{options}")
    connection.execute(f"USE {quoted(alias)}")
    for setting, value in (config or {}).items():
        connection.execute(f"SET {setting} = {literal(str(value))}")
    return connection


def cursor() -> duckdb.DuckDBPyConnection:
    """A connection to the engine's own database."""
    prepare()
    assert _engine is not None
    return _engine.cursor()


def wake(memory_mb: int, threads: int) -> None:
    """Lets the engine use that much."""
    with cursor() as connection:
        connection.execute(f"SET memory_limit = '{memory_mb}MB'; SET threads = {threads}")


def rest() -> None:
    """Ends every thread of the engine."""
    with cursor() as connection:
        connection.execute("SET threads = 1")

"""A DuckDB file as a connection: read in a locked process of its own, which a stop kills.

DuckDB does not always heed its interrupt nor its memory limit, so it does not run in the app's process.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ibis
import ibis.common.exceptions as com
from ibis.backends.sql.datatypes import DuckDBType

from analysis.errors import ConnectionRefused
from analysis.remote import urls
from sandbox.database import FILE, DatabaseWorker

Rows = list[tuple[Any, ...]]
CONFIG = {"memory_limit": "1GB", "threads": 2, "temp_directory": "", "python_enable_replacements": False}
LOCK = (
    "SET TimeZone = 'UTC'",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)
CODE = """from sandbox.engine import connect  # DuckDB's own, also where another stands in for it

with connect(files[{file!r}], read_only=True, config={config!r}) as connection:
    for statement in {lock!r}:
        connection.execute(statement)
    connection.execute({text!r}, {values!r})
    names = [column[0] for column in connection.description]
    kinds = [str(column[1]) for column in connection.description]
    rows = connection.fetchall()
    version = connection.execute("SELECT version()").fetchone()[0].removeprefix("v")
    output = {{"names": names, "kinds": kinds, "rows": rows, "version": version}}
"""
TABLES = (
    "SELECT table_schema, table_name FROM information_schema.tables WHERE table_catalog = current_database()"
)
COLUMNS = (
    "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = current_database()"
    " AND schema_name = ? AND table_name = ? ORDER BY column_index"
)


class DuckDBFile:
    """One process on the file; used by one thread at a time, ended from any."""

    def __init__(self, url: str, seconds: float) -> None:
        path = Path(urls.path_of(url))
        if not path.is_file():
            raise ConnectionRefused("there is no such file")
        self._worker, self._seconds = DatabaseWorker(path), seconds
        self.version = self._run("SELECT 1")["version"]

    @property
    def backend(self) -> Any:
        """What compiles expressions for it."""
        return _Compiler

    def schemas(self) -> list[str]:
        return sorted({row[0] for row in self._run(TABLES)["rows"]})

    def tables(self, schema: str) -> list[str]:
        return [row[1] for row in self._run(TABLES)["rows"] if row[0] == schema]

    def columns(self, schema: str, table: str) -> Any:
        found = self._run(COLUMNS, [schema, table])["rows"]
        if not found:
            raise com.TableNotFound(table)
        return ibis.schema({name: DuckDBType.from_string(kind) for name, kind in found})

    def rows(self, text: str) -> tuple[list[str], Rows]:
        found = self._run(text)
        return found["names"], [tuple(row) for row in found["rows"]]

    def batches(self, text: str, size: int) -> Iterator[tuple[list[str], Rows]]:
        start, more = 0, True
        while more:
            names, rows = self.rows(f"SELECT * FROM (\n{text}\n) AS kept LIMIT {size} OFFSET {start}")
            yield names, rows
            start, more = start + size, bool(rows)

    def cancel(self) -> None:
        self._worker.kill()

    def close(self) -> None:
        self._worker.close()

    def _run(self, text: str, values: list[str] | None = None) -> dict[str, Any]:
        code = CODE.format(file=FILE, config=CONFIG, lock=LOCK, text=text, values=values or [])
        return self._worker.program(code, {}, timeout=self._seconds).values


class _Compiler:
    @staticmethod
    def compile(expression: Any, pretty: bool) -> str:
        return str(ibis.to_sql(expression, dialect="duckdb", pretty=True))

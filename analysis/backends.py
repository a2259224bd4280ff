"""Where a dataset's rows are, and what runs there: DuckDB in the conversation's worker, or another engine.

Analyses are written once, as Ibis expressions over datasets by name; a backend compiles them for its engine
and gives back the same typed table.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import duckdb
import ibis
import ibis.expr.operations as ops

from analysis.errors import BadQuery, LimitExceeded
from analysis.remote.connections import Connection, Watch
from analysis.remote.gate import Place, only_reads
from sandbox import errors as sandbox_errors
from sandbox.client import Worker
from sandbox.table import Table, encode
from storage.datasets import Dataset
from storage.jsonsafe import to_json_safe

RANGES = ("duckdb", "postgres", "pyspark", "snowflake", "databricks")
"""Dialects that can make the rows of a range, so that empty periods and bins are filled in there."""
FILLED_HERE = "-- The rows below are what "
"""How SQL begins that runs here over the rows of another engine's answer."""
GIVEN = "# What "
"""How Python begins that does."""


ARRAYS = ("duckdb", "postgres", "snowflake")


class Backend(Protocol):
    """An engine that holds datasets."""

    name: str
    """As people write it."""
    ranges: bool
    """Whether it makes rows of a range."""
    arrays: bool
    """Whether it collects values to ordered lists."""

    @property
    def versions(self) -> dict[str, str]:
        """Names of the engines with their versions."""

    def compile(self, expression: Any) -> str:
        """An Ibis expression over datasets by name, as SQL that runs there."""

    def query(self, text: str, schema: Any, limit: int | None) -> Table:
        """Runs SQL that was compiled here; `schema` is Ibis's, None reads types off the values."""

    def written(self, text: str) -> str:
        """SQL that somebody wrote, as it may run there. Raises BadQuery."""


class LocalBackend:
    """DuckDB over Parquet files, in the conversation's locked process, which checks what it runs."""

    name = "DuckDB"
    ranges = arrays = True

    def __init__(self, worker: Worker, tables: Mapping[str, Path]) -> None:
        self._worker, self._tables = worker, tables

    @property
    def versions(self) -> dict[str, str]:
        return {"duckdb": duckdb.__version__}

    def compile(self, expression: Any) -> str:
        return compile_sql(expression)

    def query(self, text: str, schema: Any, limit: int | None) -> Table:
        with refusals():
            return self._worker.query(text, self._tables, limit=limit)

    def written(self, text: str) -> str:
        return text


class IbisBackend:
    """A named connection, with the datasets that are tables of it."""

    def __init__(self, connection: Connection, datasets: Sequence[Dataset], watch: Watch) -> None:
        self.name = connection.kind.name
        self.ranges = connection.kind.dialect in RANGES
        self.arrays = connection.kind.dialect in ARRAYS
        self.connection = connection
        self._places = {dataset.name.lower(): place_of(dataset) for dataset in datasets}
        self._watch = watch

    @property
    def versions(self) -> dict[str, str]:
        return self.connection.versions

    def compile(self, expression: Any) -> str:
        return self.connection.compile(self._placed(expression))

    def query(self, text: str, schema: Any, limit: int | None) -> Table:
        return self.connection.query(text, schema, limit=limit, watch=self._watch)

    def written(self, text: str) -> str:
        return only_reads(text, self._places, self.connection.kind.dialect)

    def _placed(self, expression: Any) -> Any:
        """The expression over the engine's own tables."""
        swaps = {}
        for table in expression.op().find(ops.UnboundTable):
            *outer, name = self._places[table.name.lower()]
            namespace = ops.Namespace(database=outer[-1] if outer else None)
            swaps[table] = ops.UnboundTable(name=name, schema=table.schema, namespace=namespace)
        return expression.op().replace(swaps).to_expr() if swaps else expression


@contextmanager
def refusals() -> Iterator[None]:
    """The worker's errors as those of an analysis."""
    try:
        yield
    except sandbox_errors.QueryFailed as error:
        raise BadQuery(f"The query was refused: {error}") from error
    except sandbox_errors.SandboxError as error:
        raise LimitExceeded(str(error)) from error


def place_of(dataset: Dataset) -> Place:
    """Where a remote dataset is at its engine."""
    schema, table = dataset.source.get("schema", ""), dataset.source["table"]
    return (schema, table) if schema else (table,)


def tables_of(expression: Any) -> set[str]:
    """Names of the datasets in an expression."""
    return {table.name for table in expression.op().find(ops.UnboundTable)}


def compile_sql(expression: Any) -> str:
    """An expression as DuckDB's SQL."""
    return str(ibis.to_sql(expression, dialect="duckdb", pretty=True))


@dataclass(frozen=True)
class Compiled:
    """SQL and where it runs."""

    text: str
    backend: Backend
    versions: Mapping[str, str]
    """Of every engine whose rows are in it; of a remote one, known once it was used."""


@dataclass(frozen=True)
class Gathered:
    """Rows that another engine answered, for a query here."""

    name: str
    """How the query calls them."""
    table: Table
    sql: str
    """What the engine answered to."""
    backend: Backend


def with_rows(text: str, gathered: Sequence[Gathered]) -> str:
    """DuckDB's SQL over gathered rows, with the rows written into it, so that it runs anywhere."""
    said: list[str] = []
    for part in gathered:
        lines = [f"--   {line}" for line in part.sql.splitlines()]
        said += [f"{FILLED_HERE}{part.backend.name} answered to:", *lines]
    given = ",\n".join(_values(part.name, part.table) for part in gathered)
    rest = f", {text.removeprefix('WITH ')}" if text.startswith("WITH ") else f"\n{text}"
    return "\n".join([*said, f"WITH {given}{rest}"])


def written_out(name: str, table: Table, engine: str, sql: str) -> str:
    """Python that sets `name` to the rows, as a list of dictionaries, and says where they are from."""
    said = [f"{GIVEN}{engine} answered to:", *(f"#   {line}" for line in sql.splitlines())]
    rows = [f"    {_plain(record)!r}," for record in table.records()]
    return "\n".join([*said, f"{name} = [", *rows, "]"])


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    """A row as Python writes it without imports: decimals as floats, dates as ISO text."""
    return {
        name: float(value) if isinstance(value, Decimal) else to_json_safe(value)
        for name, value in record.items()
    }


def _values(name: str, table: Table) -> str:
    columns = [f"c{index}" for index in range(len(table.columns))]
    rows = [", ".join(_literal(value) for value in row) for row in table.rows]
    values = ",\n".join(f"  ({row})" for row in rows) or f"  ({', '.join('NULL' for _ in columns)})"
    kept = ", ".join(
        f"CAST({short} AS {column.type}) AS {_quoted(column.name)}"
        for short, column in zip(columns, table.columns, strict=True)
    )
    none = "" if rows else " WHERE false"
    return f"{name} AS (\nSELECT {kept} FROM (VALUES\n{values}\n) AS v({', '.join(columns)}){none}\n)"


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    plain = encode(value)
    return "'" + (plain if isinstance(plain, str) else repr(plain)).replace("'", "''") + "'"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'

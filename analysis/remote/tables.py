"""A table of another engine as a dataset's columns: types, gaps, ranges and frequent values, found there."""

import hashlib
from dataclasses import replace
from typing import Any

import ibis
from ibis.backends.sql.datatypes import DuckDBType

from analysis.column_kinds import kind_of
from analysis.errors import BadQuery
from analysis.remote.cells import duckdb_type
from analysis.remote.connections import Connection, Found, Watch
from sandbox.table import Table
from storage.datasets import ColumnInfo
from storage.jsonsafe import to_json_safe

FEW_DISTINCT, LISTED_VALUES = 200, 30
MIN_MAX_KINDS = ("integer", "number", "date", "datetime", "time")
VALUE_KINDS = ("text", "boolean", "integer")
COLUMNS = 300
COLUMNS_A_QUERY = 50
COLUMNS_WITH_VALUES = 30
EXACT_ROWS = 2_000_000
"""Above this, different values are counted by the engine's approximation where it has one."""


def source_sha256(connection: str, found: Found) -> str:
    """What stands for the bytes of a table that stays where it is."""
    return hashlib.sha256("\n".join((connection, found.schema, found.name)).encode()).hexdigest()


def look(
    connection: Connection, found: Found, watch: Watch | None = None
) -> tuple[list[ColumnInfo], int, list[str]]:
    """Columns, rows and what is to be said of them. Raises BadQuery for a table without usable columns."""
    schema = connection.schema(found, watch)
    kinds = {name: kind for name, kind in schema.items() if _usable(kind)}
    notes = [f"A table of {connection.name} ({connection.kind.name}), read there each time; no copy is here."]
    left_out = [name for name in schema if name not in kinds]
    if left_out:
        notes.append(f"Columns of types that cannot be analysed are left out: {', '.join(left_out[:20])}.")
    if len(kinds) > COLUMNS:
        notes.append(f"The first {COLUMNS} of {len(kinds):,} columns are used.")
        kinds = dict(list(kinds.items())[:COLUMNS])
    if not kinds:
        raise BadQuery(f"{found.name} has no column that can be analysed.")
    table = ibis.table(kinds, name=found.name, database=found.schema or None)
    rows = int(_fetch(connection, table.aggregate(n=table.count()), watch).rows[0][0])
    exact = rows <= EXACT_ROWS
    columns: list[ColumnInfo] = []
    names = list(kinds)
    for start in range(0, len(names), COLUMNS_A_QUERY):
        batch = [_blank(name, kinds[name]) for name in names[start : start + COLUMNS_A_QUERY]]
        measures = {k: v for i, c in enumerate(batch) for k, v in _measures(i, table, c, exact).items()}
        record = _fetch(connection, table.aggregate(**measures), watch).records()[0]
        columns += [_info(i, column, record, rows) for i, column in enumerate(batch)]
    if not exact:
        notes.append("Different values are counted approximately.")
    return _with_values(connection, table, columns, watch), rows, notes


def _usable(kind: Any) -> bool:
    if kind.is_nested() or kind.is_json() or kind.is_geospatial() or kind.is_binary() or kind.is_unknown():
        return False
    try:
        DuckDBType.from_string(duckdb_type(kind))
    except Exception:
        return False
    return True


def _blank(name: str, kind: Any) -> ColumnInfo:
    written = duckdb_type(kind)
    return ColumnInfo(name, written, kind_of(written), original_name=name)


def _measures(index: int, table: Any, column: ColumnInfo, exact: bool) -> dict[str, Any]:
    field = table[column.name]
    distinct = field.nunique() if exact else field.approx_nunique()
    found = {f"present_{index}": field.count(), f"distinct_{index}": distinct}
    if column.kind in MIN_MAX_KINDS:
        found |= {f"min_{index}": field.min(), f"max_{index}": field.max()}
    if column.kind in ("integer", "number"):
        found[f"mean_{index}"] = field.cast("float64").mean()
    return found


def _info(index: int, column: ColumnInfo, record: dict[str, Any], rows: int) -> ColumnInfo:
    def ended(end: str) -> Any:
        value = record.get(f"{end}_{index}")
        return value.isoformat(sep=" ") if column.kind == "datetime" and value else to_json_safe(value)

    return replace(
        column,
        missing=rows - record[f"present_{index}"],
        distinct=record[f"distinct_{index}"],
        min=ended("min"),
        max=ended("max"),
        mean=to_json_safe(record.get(f"mean_{index}")),
    )


def _with_values(
    connection: Connection, table: Any, columns: list[ColumnInfo], watch: Watch | None
) -> list[ColumnInfo]:
    """The columns with their most frequent values, where they have few."""
    few = [c.name for c in columns if c.kind in VALUE_KINDS and 0 < c.distinct <= FEW_DISTINCT]
    values: dict[str, list[Any]] = {}
    for name in few[:COLUMNS_WITH_VALUES]:
        whole = table.filter(table[name].notnull())
        counts = whole.group_by(value=whole[name]).aggregate(n=whole.count())
        top = counts.order_by([ibis.desc("n"), ibis.asc("value")]).limit(LISTED_VALUES)
        values[name] = to_json_safe(_fetch(connection, top, watch).column("value"))
    return [replace(column, values=values.get(column.name, [])) for column in columns]


def _fetch(connection: Connection, expression: Any, watch: Watch | None) -> Table:
    text = connection.compile(expression)
    return connection.query(text, expression.schema(), limit=None, watch=watch)

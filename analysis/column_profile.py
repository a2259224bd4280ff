"""What one scan of all rows says about each column of a converted table."""

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

from sandbox.client import Worker
from sandbox.table import base_type
from storage.datasets import ColumnInfo
from storage.jsonsafe import to_json_safe

COLUMNS_A_QUERY = 100
# Below this, collecting a column costs a tenth of DuckDB's hash table for count(DISTINCT).
FEW_ROWS = 100_000
LISTED_VALUES = 30
FEW_DISTINCT = 200
COLUMNS_WITH_VALUES = 300
KINDS = {
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMP": "datetime",
    "TIMESTAMP WITH TIME ZONE": "datetime",
    "TIME": "time",
    "VARCHAR": "text",
    "DOUBLE": "number",
    "FLOAT": "number",
    "DECIMAL": "number",
}
MIN_MAX_KINDS = ("integer", "number", "date", "datetime", "time")
VALUE_KINDS = ("text", "boolean", "integer")


def kind_of(type_name: str) -> str:
    """integer, number, text, date, datetime, time, boolean or other."""
    base = base_type(type_name)
    return KINDS.get(base, "integer" if base.endswith("INT") or base == "INTEGER" else "other")


def profile_columns(
    worker: Worker, path: Path, rows: int, columns: list[tuple[str, str]], originals: dict[str, str]
) -> list[ColumnInfo]:
    """Exact missing and distinct counts, range, mean and frequent values of each column."""
    tables = {"t": path}
    found: list[ColumnInfo] = []
    for start in range(0, len(columns), COLUMNS_A_QUERY):
        batch = columns[start : start + COLUMNS_A_QUERY]
        parts = [part for index, column in enumerate(batch) for part in _measures(index, column, rows)]
        row = worker.query(f"SELECT {', '.join(parts)} FROM t", tables, timeout=600).records()[0]
        found += [_info(index, column, row, originals) for index, column in enumerate(batch)]
    values = frequent_values(worker, tables, found)
    return [replace(column, values=values.get(column.name, [])) for column in found]


def frequent_values(
    worker: Worker, tables: dict[str, Path], columns: list[ColumnInfo]
) -> dict[str, list[Any]]:
    """The most frequent values of the columns that have few; many columns to a scan."""
    few = [c for c in columns if c.kind in VALUE_KINDS and 0 < c.distinct <= FEW_DISTINCT]
    values: dict[str, list[Any]] = {}
    for start in range(0, min(len(few), COLUMNS_WITH_VALUES), COLUMNS_A_QUERY):
        batch = few[start : start + COLUMNS_A_QUERY]
        parts = [f"map_entries(histogram({quoted(c.name)})) AS h{i}" for i, c in enumerate(batch)]
        row = worker.query(f"SELECT {', '.join(parts)} FROM t", tables, timeout=600).rows[0]
        for column, entries in zip(batch, row, strict=True):
            ranked = sorted(entries or [], key=lambda e: (-e["value"], str(e["key"])))
            values[column.name] = [entry["key"] for entry in ranked[:LISTED_VALUES]]
    return values


def _measures(index: int, column: tuple[str, str], rows: int) -> list[str]:
    name, kind = quoted(column[0]), kind_of(column[1])
    few = rows <= FEW_ROWS
    distinct = f"coalesce(len(list_distinct(list({name}))), 0)" if few else f"count(DISTINCT {name})"
    parts = [
        f"count(*) - count({name}) AS missing_{index}",
        f"{distinct} AS distinct_{index}",
    ]
    if kind in MIN_MAX_KINDS:
        parts += [f"min({name}) AS min_{index}", f"max({name}) AS max_{index}"]
    if kind in ("integer", "number"):
        parts.append(f"avg({name}) AS mean_{index}")
    return parts


def _info(index: int, column: tuple[str, str], row: dict[str, Any], originals: dict[str, str]) -> ColumnInfo:
    return ColumnInfo(
        name=column[0],
        type=column[1],
        kind=kind_of(column[1]),
        missing=row[f"missing_{index}"],
        distinct=row[f"distinct_{index}"],
        min=_plain(row.get(f"min_{index}")),
        max=_plain(row.get(f"max_{index}")),
        mean=to_json_safe(row.get(f"mean_{index}")),
        original_name=originals.get(column[0], column[0]),
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    return to_json_safe(value)


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'

"""Aggregates and time intervals by name, as Ibis expressions; shared by all analyses that group."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import ibis

from analysis.conditions import Filtered, Selection
from analysis.engine import Engine
from analysis.errors import NotNumeric, require_option
from storage.datasets import ColumnInfo, Dataset

AGGREGATES = ("sum", "mean", "median", "count", "min", "max", "std", "distinct")
ANY_KIND = ("count", "distinct")
WORDS = {
    "sum": "sum of",
    "mean": "average",
    "median": "median",
    "count": "count of",
    "min": "lowest",
    "max": "highest",
    "std": "standard deviation of",
    "distinct": "number of different",
}
INTERVALS = ("year", "quarter", "month", "week", "day", "hour", "weekday")
UNITS = {"year": "Y", "quarter": "Q", "month": "M", "week": "W", "day": "D", "hour": "h"}
ROWS = "rows"


def label(aggregate: str, measure: str, taken: Iterable[str] = ()) -> str:
    """The name of an aggregated column: 'sum of revenue', 'rows'; another one where it is taken."""
    return free_name(f"{WORDS[aggregate]} {measure}" if measure else ROWS, taken)


def free_name(name: str, taken: Iterable[str]) -> str:
    """`name`, numbered if one of `taken` is the same for DuckDB, which ignores case."""
    used = {other.lower() for other in taken}
    found, number = name, 1
    while found.lower() in used:
        number += 1
        found = f"{name} ({number})"
    return found


def aggregated(table: Any, aggregate: str, column: ColumnInfo | None) -> Any:
    """One aggregate over a group; a missing column counts rows. Missing values are left out.

    Standard deviation is the sample's (n - 1); the median interpolates, as pandas does.
    """
    if column is None:
        return table.count()
    field = table[column.name]
    if aggregate in ("count", "distinct"):
        return field.count() if aggregate == "count" else field.nunique()
    if aggregate in ("min", "max"):
        return field.min() if aggregate == "min" else field.max()
    require_numeric(column, aggregate)
    if column.kind == "boolean":
        # Not int64: PostgreSQL knows the way from truth values to its usual integers only.
        field = field.cast("int32")
    if aggregate == "sum":
        return field.sum()
    if aggregate == "mean":
        return field.cast("float64").mean()
    if aggregate == "median":
        return field.cast("float64").quantile(0.5)
    return field.cast("float64").std(how="sample")


def require_numeric(column: ColumnInfo, what: str) -> None:
    """Raises NotNumeric when `column` holds no numbers (yes/no counts as 1/0)."""
    if column.kind not in ("integer", "number", "boolean"):
        raise NotNumeric(
            f"{column.name} holds {column.kind} values, so {what} makes no sense. "
            "Count them, or choose a column of numbers."
        )


def is_identifier(column: ColumnInfo, rows: int) -> bool:
    """Whether a whole-number column only names rows: a different value in each, or called an id."""
    named = column.name.lower().replace("_", " ").split()[-1:] == ["id"]
    return column.kind == "integer" and (named or (rows > 20 and column.distinct == rows))


def numeric_columns(dataset: Dataset) -> list[ColumnInfo]:
    """The columns that hold numbers which measure something."""
    numbers = [c for c in dataset.columns if c.kind in ("integer", "number")]
    return [c for c in numbers if not is_identifier(c, dataset.rows)]


def date_columns(dataset: Dataset) -> list[ColumnInfo]:
    """The columns that hold dates."""
    return [c for c in dataset.columns if c.kind in ("date", "datetime")]


def automatic_interval(column: ColumnInfo) -> str:
    """A period that gives some dozens of points: by the column's whole range."""
    if column.min is None or column.max is None:
        return "month"
    first, last = (dt.datetime.fromisoformat(str(value)) for value in (column.min, column.max))
    days = (last - first).days
    if days > 12 * 365:
        return "year"
    if days > 92:
        return "month"
    return "day" if days > 2 or column.kind == "date" else "hour"


def selected_interval(engine: Engine, selection: Filtered, column: ColumnInfo) -> str:
    """The automatic interval of the rows that are selected."""
    if column.kind not in ("date", "datetime"):
        return ""
    if selection.known:
        return automatic_interval(column)
    field = selection.table[column.name]
    low, high = engine.fetch(selection.table.aggregate(low=field.min(), high=field.max())).rows[0]
    return automatic_interval(replace(column, min=low, max=high))


def grouping(table: Any, column: ColumnInfo, interval: str) -> tuple[dict[str, Any], str]:
    """Key expressions by output name, the last one the label, and the interval that was used.

    A weekday has its number (Monday is 0) before its name, so that it can be sorted.
    """
    field = table[column.name]
    if column.kind not in ("date", "datetime"):
        return {column.name: field}, ""
    chosen = require_option(interval or automatic_interval(column), INTERVALS, "interval")
    if chosen == "weekday":
        return {"__weekday": field.day_of_week.index(), "weekday": field.day_of_week.full_name()}, chosen
    name = column.name if chosen == "day" else f"{column.name} ({chosen})"
    if chosen == "hour":
        return {name: field.cast("timestamp").truncate("h")}, chosen
    return {name: field.cast("timestamp").truncate(UNITS[chosen]).cast("date")}, chosen


def group_text(engine: Engine, selection: Selection, column: ColumnInfo) -> Any:
    """A group as text; dates by their automatic period. A missing one stays missing."""
    keys, _ = grouping(selection.table, column, selected_interval(engine, selection, column))
    return as_text(column, next(iter(keys.values())))


def as_text(column: ColumnInfo, field: Any) -> Any:
    """A value as text, the same at every engine: a truth value is a number at some."""
    if column.kind == "boolean":
        return ibis.cases((field, "true"), (~field, "false"), else_=None)
    return field.cast("string")


def missing_note(selection: Selection, what: str) -> list[str]:
    """Says how many rows had no value."""
    left_out = selection.rows - selection.used
    return [f"{left_out:,} row(s) without {what} are left out."] if left_out else []

"""A measure period by period, as every analysis over time starts: cut, aggregated, its last period whole."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ibis

from analysis.conditions import Condition, Selection, select
from analysis.engine import Engine
from analysis.errors import TooFew, UnknownColumn, require_option
from analysis.measures import (
    AGGREGATES,
    UNITS,
    aggregated,
    date_columns,
    label,
    missing_note,
    selected_interval,
)
from storage.datasets import ColumnInfo, Dataset
from storage.results import Result

INTERVALS = ("year", "quarter", "month", "week", "day", "hour")
CYCLES = {"year": 1, "quarter": 4, "month": 12, "week": 52, "day": 7, "hour": 24}
"""Periods after which the seasons come again."""
STEPS = {
    "year": ibis.interval(years=1),
    "quarter": ibis.interval(months=3),
    "month": ibis.interval(months=1),
    "week": ibis.interval(weeks=1),
    "day": ibis.interval(days=1),
    "hour": ibis.interval(hours=1),
}
ADDED = ("sum", "count", "distinct")


@dataclass(frozen=True)
class Series:
    """What is followed, and the expression of its periods that have rows: `period`, `value`."""

    dataset: Dataset
    selection: Selection
    moment: ColumnInfo
    measure: ColumnInfo | None
    aggregate: str
    unit: str
    expression: Any
    used: int
    notes: list[str]

    @property
    def name(self) -> str:
        """What the value is called: 'sum of revenue'."""
        return label(self.aggregate, self.measure.name if self.measure else "")

    @property
    def options(self) -> dict[str, Any]:
        """What programs need to know to make it regular."""
        return {"unit": self.unit, "empty": 0.0 if self.aggregate in ADDED else None}

    @property
    def title(self) -> str:
        """What it is, by which period and for which rows."""
        return f"{self.name} by {self.unit}{self.selection.words}"

    def about(self, tool: str, arguments: dict[str, Any], **more: Any) -> dict[str, Any]:
        """What is recorded of every result over time."""
        facts = {"of": self.name, "interval": self.unit, "aggregate": self.aggregate}
        return {
            "tool": tool, "arguments": arguments, "datasets": [self.dataset], "rows_used": self.used,
            "notes": list(self.notes), "facts": facts, **more,
        }  # fmt: skip


def series(
    engine: Engine,
    measure: str,
    date: str,
    aggregate: str,
    interval: str,
    dataset: str,
    where: Sequence[Condition],
    *,
    whole: bool = True,
) -> Series:
    """`measure` (rows without one) per period of `date`; with `whole`, without periods that the data
    covers only in part at its ends, which is said.

    Raises UnknownColumn when there is no date column, TooFew for a single period.
    """
    data = engine.dataset(dataset)
    moment = date_column(engine, data, date)
    column = engine.column(data, measure) if measure else None
    default = "sum" if column is None or column.kind in ("integer", "number") else "count"
    chosen = require_option(aggregate or default, AGGREGATES, "aggregate")
    chosen = "count" if column is None else chosen
    selection = select(engine, dataset, where, moment, column)
    unit = require_option(interval or selected_interval(engine, selection, moment), INTERVALS, "interval")
    table = selection.table.filter(selection.table[moment.name].notnull())
    cut = table[moment.name].cast("timestamp").truncate(UNITS[unit])
    grouped = table.group_by(period=cut).aggregate(value=aggregated(table, chosen, column).cast("float64"))
    used = selection.used
    notes = missing_note(selection, f"{moment.name}{f' and {column.name}' if column else ''}")
    if whole:
        first, last, said = _partial(engine, selection, moment, unit, where)
        notes += said
        for edge in (first, last):
            if edge is not None:
                grouped = grouped.filter(grouped["period"] != ibis.timestamp(str(edge)))
    expression = grouped.order_by("period")
    return Series(data, selection, moment, column, chosen, unit, expression, used, notes)


def date_column(engine: Engine, data: Dataset, date: str) -> ColumnInfo:
    """The date column of that name, or the first one. Raises UnknownColumn."""
    known = date_columns(data)
    if date:
        column = engine.column(data, date)
        if column.kind not in ("date", "datetime"):
            names = [c.name for c in known]
            hint = f"Date columns: {', '.join(names)}." if names else "There is no date column."
            raise UnknownColumn(f"{column.name} holds no dates. {hint}", names)
        return column
    if not known:
        raise UnknownColumn(f"{data.file_name} has no date column, so there is nothing over time.")
    return known[0]


def covered(
    engine: Engine, selection: Selection, moment: ColumnInfo, where: Sequence[Condition]
) -> tuple[dt.datetime, dt.datetime, dt.timedelta] | None:
    """First and last moment of the data, and the time between rows that is usual: twice the mean gap.

    Other filters than one on the date leave the time covered as it was. None when all dates are missing.
    """
    filtered = any(engine.column(selection.dataset, c["column"]).name == moment.name for c in where)
    table = selection.table if filtered else engine.table(selection.dataset)
    field = table[moment.name].cast("timestamp")
    row = table.aggregate(first=field.min(), last=field.max(), days=field.truncate("D").nunique())
    first, last, days = engine.fetch(row).rows[0]
    if first is None:
        return None
    gap = 2 * (last - first) / max(days - 1, 1)
    return first, last, max(gap, dt.timedelta(days=1))


def _partial(
    engine: Engine, selection: Selection, moment: ColumnInfo, unit: str, where: Sequence[Condition]
) -> tuple[dt.datetime | None, dt.datetime | None, list[str]]:
    """The first and last period where the data covers only a part of them."""
    known = covered(engine, selection, moment, where)
    if known is None:
        return None, None, []
    first, last, usual = known
    cut = selection.table[moment.name].cast("timestamp").truncate(UNITS[unit])
    row = selection.table.aggregate(start=cut.min(), final=cut.max(), end=cut.max() + STEPS[unit])
    start, final, end = engine.fetch(row).rows[0]
    if start is None:
        raise TooFew(f"No row has a date in {moment.name}.")
    if start == final:
        raise TooFew(f"All rows fall in one {unit}; choose a shorter interval.")
    slack = dt.timedelta(hours=1) if unit == "hour" else usual
    # Rows dated by the start of their period stand for it whole.
    if usual >= (end - final):
        return None, None, []
    notes, edges = [], []
    for edge, missing, word, day in (
        (start, first - start, "first", f"starts on {first:%Y-%m-%d}"),
        (final, end - last, "last", f"ends on {last:%Y-%m-%d}"),
    ):
        dropped = missing > slack
        edges.append(edge if dropped else None)
        if dropped:
            notes.append(f"The {word} {unit} is incomplete (the data {day}) and is left out.")
    return edges[0], edges[1], notes


def require_periods(result: Result, least: int, what: str) -> None:
    """Raises TooFew when a result over time has fewer periods than its analysis needs."""
    found = int(result.facts.get("periods", 0))
    if found < least:
        raise TooFew(f"{what} needs at least {least} periods, and there are {found}. Use a shorter interval.")

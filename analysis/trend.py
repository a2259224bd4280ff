"""A measure over time, period by period, with its change; empty periods are shown, not skipped."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import ibis
import pandas as pd

from analysis.conditions import Condition, Selection, select
from analysis.engine import Engine, result_table
from analysis.errors import BadValue, TooFew, UnknownColumn, require_option
from analysis.facts import extremes, is_number, with_facts
from analysis.measures import (
    AGGREGATES,
    UNITS,
    aggregated,
    date_columns,
    free_name,
    label,
    missing_note,
    selected_interval,
)
from sandbox.table import Table
from storage.datasets import ColumnInfo
from storage.results import Result

INTERVALS = ("year", "quarter", "month", "week", "day", "hour")
STEPS = {
    "year": ibis.interval(years=1),
    "quarter": ibis.interval(months=3),
    "month": ibis.interval(months=1),
    "week": ibis.interval(weeks=1),
    "day": ibis.interval(days=1),
    "hour": ibis.interval(hours=1),
}
OFFSETS = {
    "year": pd.DateOffset(years=1),
    "quarter": pd.DateOffset(months=3),
    "month": pd.DateOffset(months=1),
    "week": pd.DateOffset(weeks=1),
    "day": pd.DateOffset(days=1),
    "hour": pd.DateOffset(hours=1),
}
ROWS_OF_PERIOD = "__rows"
"""Counts besides, and is taken out of what is shown."""
ADDED = ("sum", "count", "distinct")
MAX_PERIODS = 5_000
SHORTEST = {
    "year": dt.timedelta(days=365), "quarter": dt.timedelta(days=90), "month": dt.timedelta(days=28),
    "week": dt.timedelta(days=7), "day": dt.timedelta(days=1), "hour": dt.timedelta(hours=1),
}  # fmt: skip


@dataclass(frozen=True)
class _Series:
    """What is followed over time, and what its columns are called."""

    moment: ColumnInfo
    measure: ColumnInfo | None
    group: ColumnInfo | None
    aggregate: str
    unit: str

    @cached_property
    def names(self) -> dict[str, str]:
        """Names of period, value, change and percent; none is the group's."""
        taken = [self.group.name] if self.group else []
        named = {}
        wanted = {
            "period": self.unit,
            "value": label(self.aggregate, self.measure.name if self.measure else ""),
            "change": "change",
            "percent": "change %",
        }
        for role, name in wanted.items():
            named[role] = free_name(name, taken)
            taken.append(named[role])
        return named

    @property
    def empty_is_zero(self) -> bool:
        """Whether a period without rows counts 0."""
        return self.aggregate in ADDED

    @property
    def numeric(self) -> bool:
        """Whether values can be subtracted."""
        of_numbers = self.measure is None or self.measure.kind in ("integer", "number", "boolean")
        return of_numbers or self.empty_is_zero


def trend(
    engine: Engine,
    measure: str = "",
    date: str = "",
    aggregate: str = "",
    interval: str = "",
    by: str = "",
    dataset: str = "",
    where: Sequence[Condition] = (),
) -> Result:
    """`measure` (rows without one) per period of `date`, with change and % change to the period before.

    An empty period counts 0 for sum, count and distinct, and is missing for the rest. % change is
    missing where the period before was 0 or negative. With `by`, one series a group. Raises
    UnknownColumn when there is no date column, TooFew for a single period.
    """
    data = engine.dataset(dataset)
    moment = _date_column(engine, dataset, date)
    column = engine.column(data, measure) if measure else None
    group = engine.column(data, by) if by else None
    if group is not None and group.name == moment.name:
        group = None
    default = "sum" if column is None or column.kind in ("integer", "number") else "count"
    chosen = require_option(aggregate or default, AGGREGATES, "aggregate")
    chosen = "count" if column is None else chosen
    selection = select(engine, dataset, where, moment, column)
    unit = interval or selected_interval(engine, selection, moment)
    series = _Series(moment, column, group, chosen, require_option(unit, INTERVALS, "interval"))
    covered = _covered(engine, selection, moment)
    shown = _expression(engine, selection, series, _periods(covered, series.unit))
    counted = engine.fetch(shown)
    periods = dict.fromkeys(counted.column(series.names["period"]))
    if len(periods) < 2:
        raise TooFew(f"All rows fall in one {series.unit}; choose a shorter interval.")
    name = series.names["value"]
    result = engine.keep(
        counted.without(ROWS_OF_PERIOD),
        shown.drop(ROWS_OF_PERIOD),
        title=f"{name[:1].upper()}{name[1:]} by {series.unit}{f' and {group.name}' if group else ''}"
        f"{selection.words}",
        tool="trend",
        arguments={
            "measure": measure, "date": moment.name, "aggregate": aggregate, "interval": series.unit,
            "by": by, "dataset": dataset, "where": list(where),
        },
        datasets=[data],
        rows_used=selection.used,
        notes=[
            *missing_note(selection, f"{moment.name}{f' and {column.name}' if column else ''}"),
            *_empty_note(counted, series),
            *_edge_notes(engine, selection, series, list(periods), where),
        ],
        facts={"interval": series.unit},
    )  # fmt: skip
    return result if group else with_facts(result, _ends(result_table(result), series))


def _date_column(engine: Engine, dataset: str, date: str) -> ColumnInfo:
    data = engine.dataset(dataset)
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


def _expression(engine: Engine, selection: Selection, series: _Series, periods: Any) -> Any:
    dated = selection.table.filter(selection.table[series.moment.name].notnull())
    group = series.group
    keys = [_cut(dated, series).name("__period")] + ([dated[group.name].name("__series")] if group else [])
    value = aggregated(dated, series.aggregate, series.measure)
    grouped = dated.group_by(keys).aggregate(__value=value, **{ROWS_OF_PERIOD: dated.count()})
    grouped = engine.gather(grouped)
    if group:
        every = grouped.select("__series").distinct().rename(__of_series="__series")
        periods = periods.cross_join(every)
    matches = [periods["__start"] == grouped["__period"]]
    if group:
        matches.append(periods["__of_series"].identical_to(grouped["__series"]))
    joined = periods.left_join(grouped, matches)
    value = joined["__value"].fill_null(0) if series.empty_is_zero else joined["__value"]
    start = periods["__start"] if series.unit == "hour" else periods["__start"].cast("date")
    kept = {series.names["period"]: start}
    if group:
        kept[group.name] = periods["__of_series"]
    kept |= {series.names["value"]: value, ROWS_OF_PERIOD: joined[ROWS_OF_PERIOD]}
    return _with_change(joined.select(**kept), series)


def _with_change(filled: Any, series: _Series) -> Any:
    names, group = series.names, [series.group.name] if series.group else []
    if series.numeric:
        window = ibis.window(group_by=group or None, order_by=names["period"])
        before = filled[names["value"]].lag().over(window)
        change = filled[names["value"]] - before
        percent = ibis.cases((before > 0, 100.0 * change.cast("float64") / before), else_=None)
        filled = filled.mutate(**{names["change"]: change, names["percent"]: percent})
    return filled.order_by([*group, names["period"]])


def _cut(table: Any, series: _Series) -> Any:
    return table[series.moment.name].cast("timestamp").truncate(UNITS[series.unit])


def _covered(engine: Engine, selection: Selection, moment: ColumnInfo) -> tuple[dt.datetime, dt.datetime]:
    """The first and the last moment of the selected rows; from the profile where it knows."""
    first, last = moment.min, moment.max
    if not selection.known:
        field = selection.table[moment.name].cast("timestamp")
        first, last = engine.fetch(selection.table.aggregate(first=field.min(), last=field.max())).rows[0]
    if first is None or last is None:
        raise TooFew(f"{moment.name} has no values here.")
    return dt.datetime.fromisoformat(str(first)), dt.datetime.fromisoformat(str(last))


def _periods(covered: tuple[dt.datetime, dt.datetime], unit: str) -> Any:
    """The start of every period from the first to the last that has rows. Raises BadValue for too many."""
    first, last = covered
    if (last - first) / SHORTEST[unit] > MAX_PERIODS:
        raise BadValue(f"That is more than {MAX_PERIODS:,} periods; choose a longer interval.")
    start = ibis.timestamp(str(first)).truncate(UNITS[unit])
    # One second more: the range leaves its end out.
    span = ibis.range(start, ibis.timestamp(str(last + dt.timedelta(seconds=1))), STEPS[unit])
    return span.unnest().name("__start").as_table()


def _empty_note(counted: Table, series: _Series) -> list[str]:
    period = counted.names.index(series.names["period"])
    rows = counted.names.index(ROWS_OF_PERIOD)
    filled = {row[period] for row in counted.rows if row[rows] is not None}
    empty = len({row[period] for row in counted.rows} - filled)
    shown = "0" if series.empty_is_zero else "missing"
    return [f"{empty:,} {series.unit}(s) without any row are shown as {shown}."] if empty else []


def _edge_notes(
    engine: Engine,
    selection: Selection,
    series: _Series,
    periods: list[dt.date],
    where: Sequence[Condition],
) -> list[str]:
    """Says when the first or the last period is only partly covered by the data.

    Dates that all lie on the start of a period stand for it whole. Other filters than one on the date
    itself leave the time covered as it was.
    """
    named = series.moment.name
    filtered = any(engine.column(selection.dataset, c["column"]).name == named for c in where)
    covering = selection.table if filtered else engine.table(selection.dataset)
    within = selection if filtered else replace(selection, words="", table=covering)
    first, last = _covered(engine, within, series.moment)
    start, end = pd.Timestamp(periods[0]), pd.Timestamp(periods[-1]) + OFFSETS[series.unit]
    slack, notes = dt.timedelta(hours=1) if series.unit == "hour" else dt.timedelta(days=1), []
    if first - start >= slack:
        notes.append(f"The first {series.unit} may be incomplete: the data starts on {first:%Y-%m-%d}.")
    if end - last > slack:
        notes.append(f"The last {series.unit} may be incomplete: the data ends on {last:%Y-%m-%d}.")
    if notes:
        inside = covering.filter(covering[named].cast("timestamp") != _cut(covering, series)).limit(1)
        return notes if engine.fetch(inside.aggregate(n=inside.count())).rows[0][0] else []
    return []


def _ends(table: Table, series: _Series) -> dict[str, Any]:
    """The first and last periods that have a value, and the highest and lowest ones."""
    period, value = series.names["period"], series.names["value"]
    known = [r for r in table.records() if is_number(r[value])]
    if not known:
        return {}
    first, last = ({"period": r[period], "value": r[value]} for r in (known[0], known[-1]))
    return {"periods": table.row_count, "first": first, "last": last} | extremes(table, [period], value)

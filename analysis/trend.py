"""A measure over time, period by period, with its change; empty periods are shown, not skipped."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import ibis

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
    present,
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
    selection = select(engine, dataset, where)
    unit = interval or selected_interval(engine, selection, moment)
    series = _Series(moment, column, group, chosen, require_option(unit, INTERVALS, "interval"))
    periods, notes = _periods(engine, selection, series)
    used = present(engine, selection, moment, column)
    name = series.names["value"]
    result = engine.run(
        _expression(selection, series, periods),
        title=f"{name[:1].upper()}{name[1:]} by {series.unit}{f' and {group.name}' if group else ''}"
        f"{selection.words}",
        tool="trend",
        arguments={
            "measure": measure, "date": moment.name, "aggregate": aggregate, "interval": series.unit,
            "by": by, "dataset": dataset, "where": list(where),
        },
        datasets=[data],
        rows_used=used,
        notes=[
            *missing_note(selection, used, f"{moment.name}{f' and {column.name}' if column else ''}"),
            *notes,
            *_edge_notes(engine, selection, series, where),
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


def _expression(selection: Selection, series: _Series, periods: Any) -> Any:
    dated = selection.table.filter(selection.table[series.moment.name].notnull())
    group = series.group
    keys = [_cut(dated, series).name("__period")] + ([dated[group.name].name("__series")] if group else [])
    grouped = dated.group_by(keys).aggregate(__value=aggregated(dated, series.aggregate, series.measure))
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
    return _with_change(joined.select(**kept, **{series.names["value"]: value}), series)


def _with_change(filled: Any, series: _Series) -> Any:
    names, group = series.names, [series.group.name] if series.group else []
    if series.numeric:
        window = ibis.window(group_by=group or None, order_by=names["period"])
        before = filled[names["value"]].lag().over(window)
        change = filled[names["value"]] - before
        percent = ibis.cases((before > 0, 100.0 * change / before), else_=None)
        filled = filled.mutate(**{names["change"]: change, names["percent"]: percent})
    return filled.order_by([*group, names["period"]])


def _cut(table: Any, series: _Series) -> Any:
    return table[series.moment.name].cast("timestamp").truncate(UNITS[series.unit])


def _periods(engine: Engine, selection: Selection, series: _Series) -> tuple[Any, list[str]]:
    """Every period from the first to the last that has rows, and what is said of those without."""
    cut, unit = _cut(selection.table, series), series.unit
    bounds = selection.table.aggregate(first=cut.min(), last=cut.max(), filled=cut.nunique())
    first, last, filled = engine.fetch(bounds).rows[0]
    if first == last:
        raise TooFew(f"All rows fall in one {unit}; choose a shorter interval.")
    if (last - first) / SHORTEST[unit] > MAX_PERIODS:
        raise BadValue(f"That is more than {MAX_PERIODS:,} periods; choose a longer interval.")
    # One second more: the range leaves its end out.
    stop = last + dt.timedelta(seconds=1)
    span = ibis.range(ibis.timestamp(str(first)), ibis.timestamp(str(stop)), STEPS[unit])
    periods = span.unnest().name("__start").as_table()
    empty = engine.fetch(periods.aggregate(n=periods.count())).rows[0][0] - filled
    shown = "0" if series.empty_is_zero else "missing"
    return periods, [f"{empty:,} {unit}(s) without any row are shown as {shown}."] if empty else []


def _edge_notes(
    engine: Engine, selection: Selection, series: _Series, where: Sequence[Condition]
) -> list[str]:
    """Says when the first or the last period is only partly covered by the data.

    Dates that all lie on the start of a period stand for it whole. Other filters than one on the date
    itself leave the time covered as it was.
    """
    named = series.moment.name
    filtered = any(engine.column(selection.dataset, c["column"]).name == named for c in where)
    covering = selection.table if filtered else engine.table(selection.dataset)
    field, chosen = covering[named].cast("timestamp"), _cut(selection.table, series)
    starts = engine.fetch(
        selection.table.aggregate(start=chosen.min(), end=chosen.max() + STEPS[series.unit])
    ).rows[0]
    first, last, whole = engine.fetch(
        covering.aggregate(first=field.min(), last=field.max(), whole=(field == _cut(covering, series)).all())
    ).rows[0]
    if whole:
        return []
    slack, notes = dt.timedelta(hours=1) if series.unit == "hour" else dt.timedelta(days=1), []
    if first - starts[0] >= slack:
        notes.append(f"The first {series.unit} may be incomplete: the data starts on {first:%Y-%m-%d}.")
    if starts[1] - last > slack:
        notes.append(f"The last {series.unit} may be incomplete: the data ends on {last:%Y-%m-%d}.")
    return notes


def _ends(table: Table, series: _Series) -> dict[str, Any]:
    """The first and last periods that have a value, and the highest and lowest ones."""
    period, value = series.names["period"], series.names["value"]
    known = [r for r in table.records() if is_number(r[value])]
    if not known:
        return {}
    first, last = ({"period": r[period], "value": r[value]} for r in (known[0], known[-1]))
    return {"periods": table.row_count, "first": first, "last": last} | extremes(table, [period], value)

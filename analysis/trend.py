"""A measure over time, period by period, with its change; empty periods are shown, not skipped."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import ibis

from analysis.conditions import Condition, Selection, select
from analysis.engine import Engine
from analysis.errors import AnalysisError, TooFew, UnknownColumn, require_option
from analysis.measures import (
    AGGREGATES,
    UNITS,
    aggregated,
    automatic_interval,
    date_columns,
    label,
    missing_note,
    present,
)
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

    An empty period counts 0 for sum and count and is missing for the rest. % change is missing where
    the period before was 0 or negative. With `by`, one series a group. Raises UnknownColumn when there
    is no date column, TooFew for a single period.
    """
    data = engine.dataset(dataset)
    moment = _date_column(engine, dataset, date)
    column = engine.column(data, measure) if measure else None
    group = engine.column(data, by) if by else None
    if group is not None and group.name == moment.name:
        group = None
    default = "sum" if column is None or column.kind in ("integer", "number") else "count"
    chosen = require_option(aggregate or default, AGGREGATES, "aggregate")
    unit = require_option(interval or automatic_interval(moment), INTERVALS, "interval")
    selection = select(engine, dataset, where)
    used = present(engine, selection, moment, column)
    name = label(chosen, column.name if column else "")
    expression = _series(engine, selection, moment, column, group, chosen, unit, name)
    notes = missing_note(selection, used, f"{moment.name}{f' and {column.name}' if column else ''}")
    return engine.run(
        expression,
        title=f"{name[:1].upper()}{name[1:]} by {unit}{f' and {group.name}' if group else ''}"
        f"{selection.words}",
        tool="trend",
        arguments={
            "measure": measure, "date": moment.name, "aggregate": aggregate, "interval": unit,
            "by": by, "dataset": dataset, "where": list(where),
        },
        datasets=[data],
        rows_used=used,
        notes=notes + _edge_notes(engine, selection, moment, unit),
        facts={"interval": unit},
    )  # fmt: skip


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


def _series(
    engine: Engine,
    selection: Selection,
    moment: ColumnInfo,
    column: ColumnInfo | None,
    group: ColumnInfo | None,
    aggregate: str,
    unit: str,
    name: str,
) -> Any:
    dated = selection.table.filter(selection.table[moment.name].notnull())
    cut = dated[moment.name].cast("timestamp").truncate(UNITS[unit])
    bounds = engine.fetch(dated.aggregate(first=cut.min(), last=cut.max())).rows[0]
    periods = _periods(bounds[0], bounds[1], unit)
    keys = [cut.name("period")] + ([dated[group.name].name("series")] if group else [])
    grouped = dated.group_by(keys).aggregate(value=aggregated(dated, aggregate, column))
    if group:
        series = grouped.select("series").distinct().rename(of_series="series")
        periods = periods.cross_join(series)
    matches = [periods["period"] == grouped["period"]]
    if group:
        matches.append(periods["of_series"].identical_to(grouped["series"]))
    joined = periods.left_join(grouped, matches)
    value = joined["value"].fill_null(0) if aggregate in ADDED else joined["value"]
    kept = {unit: periods["period"] if unit == "hour" else periods["period"].cast("date")}
    if group:
        kept[group.name] = periods["of_series"]
    filled = joined.select(**kept, **{name: value})
    window = ibis.window(group_by=group.name if group else None, order_by=unit)
    before = filled[name].lag().over(window)
    change = filled[name] - before
    percent = ibis.cases((before > 0, (100.0 * change / before).round(2)), else_=None)
    if _is_number(column, aggregate):
        filled = filled.mutate(change=change, **{"change %": percent})
    return filled.order_by([*([group.name] if group else []), unit])


def _is_number(column: ColumnInfo | None, aggregate: str) -> bool:
    return column is None or aggregate in ADDED or column.kind in ("integer", "number", "boolean")


def _periods(first: dt.datetime, last: dt.datetime, unit: str) -> Any:
    if first == last:
        raise TooFew(f"All rows fall in one {unit}; choose a shorter interval.")
    shortest = {"hour": 1 / 24, "day": 1, "week": 7, "month": 28, "quarter": 90, "year": 365}[unit]
    if (last - first).days / shortest > MAX_PERIODS:
        raise AnalysisError(f"That is more than {MAX_PERIODS:,} periods; choose a longer interval.")
    # One second more: the range leaves its end out.
    stop = last + dt.timedelta(seconds=1)
    span = ibis.range(ibis.timestamp(str(first)), ibis.timestamp(str(stop)), STEPS[unit])
    return span.unnest().name("period").as_table()


def _edge_notes(engine: Engine, selection: Selection, moment: ColumnInfo, unit: str) -> list[str]:
    field = selection.table[moment.name].cast("timestamp")
    edges = selection.table.aggregate(last=field.max(), end=field.max().truncate(UNITS[unit]) + STEPS[unit])
    last, end = engine.fetch(edges).rows[0]
    slack = dt.timedelta(hours=1) if unit == "hour" else dt.timedelta(days=1)
    if last is None or end - last <= slack:
        return []
    return [f"The last {unit} may be incomplete: the data ends on {last:%Y-%m-%d}."]

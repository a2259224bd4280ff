"""Which segments a change comes from, and how one period compares with another.

Contributions are arithmetic, not causes: they say where a change shows, not why it came about.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import ibis

from analysis.conditions import Condition, Selection, select
from analysis.engine import Engine, result_table
from analysis.errors import UnknownOption, require_option
from analysis.facts import with_facts
from analysis.measures import free_name, is_identifier, require_numeric
from analysis.programs import run
from analysis.series.periods import date_column
from analysis.windows import Pair, Window, moved, pair
from storage.datasets import ColumnInfo, Dataset
from storage.results import Result

AGGREGATES = ("", "sum", "mean", "count")
MAX_DIMENSIONS = 8
MAX_SEGMENTS = 50
SHOWN = "The contributions say where the change shows, not what caused it."


def drivers(
    engine: Engine,
    measure: str = "",
    date: str = "",
    period: str = "",
    versus: str = "",
    by: Sequence[str] = (),
    aggregate: str = "",
    interval: str = "",
    dataset: str = "",
    where: Sequence[Condition] = (),
) -> Result:
    """How much each segment of the columns `by` (without any, of all with few groups) adds to the change
    of `measure` (rows without one) from one period to another, the largest contribution first.

    `period` is 2025, 2025-Q2, 2025-05 or a day, else the newest whole one; `versus` is previous (the one
    before), year (a year before) or another period. Raises UnknownOption, NotNumeric, EmptySelection.
    """
    data = engine.dataset(dataset)
    moment = date_column(engine, data, date)
    column, chosen = _measured(engine, data, measure, aggregate)
    segments = _dimensions(engine, data, by, moment)
    selection = select(engine, dataset, where)
    periods = pair(engine, selection, moment, period, versus, interval, where, whole=True)
    expression = _grouped(selection, moment, column, segments, periods)
    what = "rows" if column is None else f"{chosen} of {column.name}"
    result = run(
        engine, "contributions", "contributions", expression, {"aggregate": chosen},
        title=f"Change of the {what} from {periods.earlier.words} to {periods.later.words}{selection.words}",
        tool="drivers",
        arguments={
            "measure": measure, "date": moment.name, "period": period, "versus": versus, "by": list(by),
            "aggregate": chosen, "interval": interval, "dataset": dataset, "where": list(where),
        },
        datasets=[data], notes=[*periods.notes, SHOWN],
        facts={
            "of": what, "earlier": periods.earlier.words, "later": periods.later.words,
            "dimensions": [c.name for c in segments],
        },
    )  # fmt: skip
    used = result.facts["rows_before"] + result.facts["rows_after"]
    return replace(result, rows_used=used, rows_total=data.rows)


def compare_periods(
    engine: Engine,
    measure: str = "",
    date: str = "",
    period: str = "",
    aggregate: str = "",
    interval: str = "",
    dataset: str = "",
    where: Sequence[Condition] = (),
) -> Result:
    """`measure` in a period (the newest unless `period` names one), in the one before and in the same one a
    year before; an incomplete period is compared with as many days of the others, which is said."""
    data = engine.dataset(dataset)
    moment = date_column(engine, data, date)
    column, chosen = _measured(engine, data, measure, aggregate)
    selection = select(engine, dataset, where)
    periods = pair(engine, selection, moment, period, "previous", interval, where, whole=False)
    windows = {"this": periods.later, "before": periods.earlier}
    if periods.unit != "year":
        start, end = (moved(edge, "year", -1) for edge in (periods.later.start, periods.later.end))
        windows["a year before"] = Window(start, end)
    table = selection.table
    field = table[moment.name].cast("timestamp")
    parts = []
    for place, (name, window) in enumerate(windows.items()):
        inside = table.filter(window.holds(field))
        value = _value(inside, column, chosen)
        parts.append(
            inside.aggregate(value=value, rows=inside.count()).mutate(
                place=ibis.literal(place), compared=ibis.literal(name), period=ibis.literal(window.words)
            )
        )
    what = "rows" if column is None else f"{chosen} of {column.name}"
    joined = ibis.union(*parts).cross_join(parts[0].select(newest=parts[0]["value"]))
    later, value = joined["place"] > 0, joined["value"]
    change = joined["newest"] - value
    counted = {} if column is None else {free_name("rows", [what]): joined["rows"]}
    expression = (
        joined.select(
            place=joined["place"],
            compared=joined["compared"],
            period=joined["period"],
            **{what: value},
            **counted,
            change=ibis.cases((later, change), else_=None),
            percent=ibis.cases((later & (value > 0), 100.0 * change / value), else_=None),
        )
        .order_by("place")
        .drop("place")
    )
    result = engine.run(
        expression,
        title=f"{what[:1].upper()}{what[1:]}: {periods.later.words} and before{selection.words}",
        tool="compare_periods",
        arguments={
            "measure": measure, "date": moment.name, "period": period, "aggregate": chosen,
            "interval": interval, "dataset": dataset, "where": list(where),
        },
        datasets=[data], notes=periods.notes,
    )  # fmt: skip
    rows = result_table(result).rows
    facts = {
        "of": what,
        "this": {"period": rows[0][1], "value": rows[0][2]},
        "before": _compared(rows[1]),
    }
    if len(rows) > 2:
        facts["a_year_before"] = _compared(rows[2])
    return with_facts(result, facts)


def _compared(row: list[Any]) -> dict[str, Any]:
    return {"period": row[1], "value": row[2], "change": row[-2], "percent": row[-1]}


def _measured(engine: Engine, data: Dataset, measure: str, aggregate: str) -> tuple[ColumnInfo | None, str]:
    """The column and how it is aggregated: a sum unless said otherwise, rows without a column."""
    chosen = require_option(aggregate, AGGREGATES, "aggregate")
    if not measure:
        return None, "count"
    column = engine.column(data, measure)
    if chosen != "count":
        require_numeric(column, "a change")
    return column, chosen or "sum"


def _value(table: Any, column: ColumnInfo | None, chosen: str) -> Any:
    if column is None:
        return table.count()
    if chosen == "count":
        return table[column.name].count()
    field = table[column.name].cast("float64")
    return field.sum() if chosen == "sum" else field.mean()


def _dimensions(engine: Engine, data: Dataset, by: Sequence[str], moment: ColumnInfo) -> list[ColumnInfo]:
    if by:
        found = [engine.column(data, name) for name in by]
        wide = [c.name for c in found if c.distinct > 20 * MAX_SEGMENTS]
        if wide or any(c.name == moment.name for c in found):
            named = ", ".join(wide) or moment.name
            raise UnknownOption(f"{named} has too many different values to be segments.")
        return found[:MAX_DIMENSIONS]
    found = [
        c
        for c in data.columns
        if c.kind in ("text", "boolean")
        and 1 < c.distinct <= MAX_SEGMENTS
        and not is_identifier(c, data.rows)
    ]
    if not found:
        raise UnknownOption(
            f"{data.file_name} has no column with 2 to {MAX_SEGMENTS} groups to look for the change in. "
            "Name the columns."
        )
    return found[:MAX_DIMENSIONS]


def _grouped(
    selection: Selection,
    moment: ColumnInfo,
    column: ColumnInfo | None,
    segments: list[ColumnInfo],
    periods: Pair,
) -> Any:
    """Rows and total of every segment in both periods, all dimensions below each other."""
    table = selection.table
    field = table[moment.name].cast("timestamp")
    inside = table.filter(periods.later.holds(field) | periods.earlier.holds(field))
    if column is not None:
        inside = inside.filter(inside[column.name].notnull())
    parts = []
    for segment in segments:
        when = inside[moment.name].cast("timestamp")
        numeric = column is not None and column.kind in ("integer", "number", "boolean")
        value = inside[column.name].cast("float64") if column is not None and numeric else ibis.literal(1.0)
        keyed = inside.select(
            segment=inside[segment.name].cast("string"), later=periods.later.holds(when), value=value
        )
        grouped = keyed.group_by(["segment", "later"]).aggregate(
            rows=keyed.count(), total=keyed["value"].sum()
        )
        parts.append(grouped.mutate(dimension=ibis.literal(segment.name)))
    made = ibis.union(*parts) if len(parts) > 1 else parts[0]
    return made.order_by(["dimension", "segment", "later"])

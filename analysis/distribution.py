"""How values spread: equal bins for numbers, counts for everything else."""

import math
from collections.abc import Sequence
from typing import Any

import ibis

from analysis.conditions import Condition, Selection, select
from analysis.engine import Engine, not_finite
from analysis.errors import TooFew
from analysis.measures import ROWS, free_name, grouping, missing_note, selected_interval
from storage.datasets import ColumnInfo
from storage.results import Result

DEFAULT_BINS = 20
NEAR = 5e-10
"""What rounding may take from a quotient that is a whole number."""
MAX_BINS = 200
SHOWN_VALUES = 50


def distribution(
    engine: Engine,
    column: str,
    bins: int = 0,
    dataset: str = "",
    where: Sequence[Condition] = (),
) -> Result:
    """Numbers: rows per bin of a round width (about `bins` of them, default 20); bins hold their lower
    edge. Dates: rows per period. Others: rows per value, most first. Raises TooFew for no values."""
    data = engine.dataset(dataset)
    info = engine.column(data, column)
    selection = select(engine, dataset, where, info)
    if selection.used == 0:
        raise TooFew(f"{info.name} has no values here.")
    notes = missing_note(selection, info.name)
    facts: dict[str, Any] = {"values": selection.used}
    if info.kind in ("integer", "number"):
        expression = _binned(engine, selection, info, min(max(bins, 0), MAX_BINS) or DEFAULT_BINS)
    else:
        expression, more = _counted(engine, selection, info)
        notes += more
    return engine.run(
        expression,
        title=f"Distribution of {info.name}{selection.words}",
        tool="distribution",
        arguments={"column": column, "bins": bins, "dataset": dataset, "where": list(where)},
        datasets=[data],
        rows_used=selection.used,
        notes=notes,
        facts=facts,
    )


def _binned(engine: Engine, selection: Selection, info: ColumnInfo, bins: int) -> Any:
    field = selection.table[info.name].cast("float64")
    low, high = info.min, info.max
    if not selection.known or not_finite(info):
        low, high = engine.fetch(selection.table.aggregate(low=field.min(), high=field.max())).rows[0]
    low, high = float(low), float(high)
    width = round_width(low, high, bins, whole=info.kind == "integer")
    start = math.floor(low / width) * width
    whole = selection.table.filter(field.notnull())
    # 0.3 / 0.1 is 2.9999999999999996, and 0.3 belongs to the bin that starts there.
    number = ((whole[info.name].cast("float64") - start) / width + NEAR).floor().cast("int64")
    grouped = whole.group_by(number.name("bin")).aggregate(rows=whole.count())
    grouped = engine.gather(grouped)
    numbers = ibis.range(0, math.floor(round((high - start) / width, 9)) + 1).unnest().name("bin").as_table()
    joined = numbers.left_join(grouped, numbers["bin"] == grouped["bin"])
    rows = joined["rows"].fill_null(0)
    edge, digits = numbers["bin"].cast("float64"), max(0, 3 - math.floor(math.log10(width)))
    return joined.select(
        **{"from": (edge * width + start).round(digits), "to": ((edge + 1) * width + start).round(digits)},
        rows=rows,
        **{"share %": 100.0 * rows.cast("float64") / selection.used},
    ).order_by("from")


def round_width(low: float, high: float, bins: int, *, whole: bool) -> float:
    """A width of 1, 2, 2.5 or 5 times a power of ten that gives at most about `bins` bins."""
    if high == low:
        return 1.0
    raw = (high - low) / bins
    power = 10.0 ** math.floor(math.log10(raw))
    width = next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= raw * 0.999)
    return max(1.0, float(round(width))) if whole else float(width)


def _counted(engine: Engine, selection: Selection, info: ColumnInfo) -> tuple[Any, list[str]]:
    whole = selection.table.filter(selection.table[info.name].notnull())
    keys, period = grouping(whole, info, selected_interval(engine, selection, info))
    ((name, key),) = keys.items()
    rows, share = free_name(ROWS, [name]), free_name("share %", [name])
    grouped = whole.group_by(key.name(name)).aggregate(**{rows: whole.count()})
    grouped = grouped.mutate(**{share: 100.0 * grouped[rows].cast("float64") / selection.used})
    if period:
        return grouped.order_by(ibis.asc(name)), []
    ordered = grouped.order_by([ibis.desc(rows), ibis.asc(name)]).limit(SHOWN_VALUES)
    distinct = engine.fetch(whole.aggregate(n=whole[info.name].nunique())).rows[0][0]
    more = distinct - SHOWN_VALUES
    return ordered, [f"{more:,} rarer values are not shown."] if more > 0 else []

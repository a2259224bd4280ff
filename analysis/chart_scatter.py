"""Points of two number columns; the least-squares line is of all rows, also when fewer are drawn."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import ibis

from analysis import chart
from analysis.backends import compile_sql
from analysis.conditions import Condition, Selection, select
from analysis.engine import Engine, python_text, result_table
from analysis.errors import NotNumeric, TooFew
from analysis.measures import missing_note, numeric_columns, require_numeric
from storage.datasets import ColumnInfo, Dataset
from storage.results import Result

DRAWN_POINTS = 5_000
GOLDEN, SPREAD = 2_654_435_769, 2**32
CODE = """points = con.sql({points}).df()
((n, var_x, var_y, covariance, r, mean_x, mean_y, low, high),) = con.execute({line}).fetchall()
trend = None
if var_x and r is not None and r == r:
    slope = covariance / var_x
    trend = {{"slope": slope, "intercept": mean_y - slope * mean_x, "r": round(r, 12), "n": n}}
    trend |= {{"low": low, "high": high}}
output = {{"table": points, "trend": trend, "rows": n}}
"""


def scatter(
    engine: Engine, x: str, y: str, by: str, where: Sequence[Condition], dataset: str, **about: Any
) -> tuple[Result, dict[str, Any], str]:
    """The result, its figure and its text. Raises NotNumeric, TooFew for fewer than two rows."""
    data = engine.dataset(dataset)
    across, up = _axes(engine, data, x, y)
    group = engine.column(data, by) if by else None
    selection = select(engine, dataset, where, across, up)
    if selection.used < 2:
        raise TooFew(f"Fewer than two rows have both {across.name} and {up.name}.")
    whole = _whole(selection, across, up, group)
    about |= {"title": f"{up.name} against {across.name}{selection.words}", "datasets": [data]}
    notes = missing_note(selection, f"both {across.name} and {up.name}")
    about |= {"rows_used": selection.used, "notes": notes}
    if data.source:
        return _figure(_there(engine, whole, selection.used, **about), across, up, group)
    points, more = _drawn_points(whole, selection.used)
    about["notes"] = notes + more
    _, base = engine.program(
        CODE.format(points=python_text(compile_sql(points)), line=python_text(compile_sql(_line(whole)))),
        **about,
    )
    return _figure(base, across, up, group)


def _figure(
    base: Result, across: ColumnInfo, up: ColumnInfo, group: ColumnInfo | None
) -> tuple[Result, dict[str, Any], str]:
    line = base.facts["trend"]
    groups, left_out = _series(base, group)
    alt = f"Scatter chart: {base.title}, {base.rows_used:,} rows. {_said(line)}"
    base = replace(base, notes=[*base.notes, *left_out, _said(line)])
    return base, chart.scatter(groups, across.name, up.name, line), alt


def _there(engine: Engine, whole: Any, used: int, **about: Any) -> Result:
    """Points and line of a table at another engine; which points are drawn is chance there."""
    points = whole
    if used > DRAWN_POINTS:
        points = whole.filter(ibis.random() < DRAWN_POINTS / used).limit(DRAWN_POINTS)
        drawn = f"About {DRAWN_POINTS:,} points are drawn, chosen by chance"
        about["notes"] = [*about["notes"], f"{drawn}; the trend line uses all {used:,} rows."]
    x, y = whole["x"], whole["y"]
    ends = whole.aggregate(mean_x=x.mean(), mean_y=y.mean(), low=x.min(), high=x.max())
    mean_x, mean_y, low, high = engine.fetch(ends).rows[0]
    x, y = x - mean_x, y - mean_y
    sums = whole.aggregate(xx=(x * x).sum(), yy=(y * y).sum(), xy=(x * y).sum())
    xx, yy, xy = engine.fetch(sums).rows[0]
    line = None
    if xx and yy and low != high:
        slope, r = xy / xx, round(xy / (xx**0.5 * yy**0.5), 12)
        line = {"slope": slope, "intercept": mean_y - slope * mean_x, "r": r, "n": used}
        line |= {"low": low, "high": high}
    return engine.run(points, facts={"trend": line, "rows": used}, **about)


def _said(line: dict[str, Any] | None) -> str:
    if line is None:
        return "There is no trend line: one of the two has the same value in every row."
    return f"Trend over all rows: slope {line['slope']:,.4g}, r = {line['r']:.3f}, n = {line['n']:,}."


def _series(
    base: Result, group: ColumnInfo | None
) -> tuple[dict[str, tuple[list[Any], list[Any]]], list[str]]:
    """Points by group, at most the 12 largest groups."""
    groups = chart.series(result_table(base), "x", "y", "series" if group else "")
    if group is None:
        return {"rows": groups["y"]}, []
    if len(groups) <= chart.MAX_SERIES:
        return groups, []
    largest = sorted(groups, key=lambda name: -len(groups[name][0]))[: chart.MAX_SERIES]
    note = f"The {chart.MAX_SERIES} largest of {len(groups)} groups of {group.name} are drawn."
    return {name: groups[name] for name in groups if name in largest}, [note]


def _axes(engine: Engine, data: Dataset, x: str, y: str) -> tuple[ColumnInfo, ColumnInfo]:
    numbers = numeric_columns(data)
    if not (x and y) and len(numbers) < 2:
        raise NotNumeric("A scatter chart needs two number columns: name x and y.")
    up = engine.column(data, y) if y else None
    across = engine.column(data, x) if x else next(c for c in numbers if up is None or c.name != up.name)
    up = up or next(c for c in numbers if c.name != across.name)
    for column in (across, up):
        require_numeric(column, "a scatter chart")
    return across, up


def _whole(selection: Selection, x: ColumnInfo, y: ColumnInfo, group: ColumnInfo | None) -> Any:
    table = selection.table
    whole = table.filter(table[x.name].notnull() & table[y.name].notnull())
    named = {"series": whole[group.name].cast("string")} if group else {}
    return whole.select(x=whole[x.name].cast("float64"), y=whole[y.name].cast("float64"), **named)


def _drawn_points(whole: Any, used: int) -> tuple[Any, list[str]]:
    if used <= DRAWN_POINTS:
        return whole, []
    # Multiples of the golden ratio fall evenly, whatever period the rows have; every k-th row would not.
    numbered = whole.mutate(__row=ibis.row_number())
    share = int(SPREAD * DRAWN_POINTS * 0.99 / used)
    points = numbered.filter((numbered["__row"] * GOLDEN) % SPREAD < share).drop("__row")
    return points, [f"About {DRAWN_POINTS:,} points are drawn; the trend line uses all {used:,} rows."]


def _line(whole: Any) -> Any:
    """Least squares: slope = cov / var of x, through the means."""
    x, y = whole["x"], whole["y"]
    return whole.aggregate(
        n=whole.count(), var_x=x.var(how="pop"), var_y=y.var(how="pop"), covariance=x.cov(y, how="pop"),
        r=x.corr(y, how="pop"), mean_x=x.mean(), mean_y=y.mean(), low=x.min(), high=x.max(),
    )  # fmt: skip

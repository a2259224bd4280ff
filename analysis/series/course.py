"""Resampling, the test of a trend, seasons, and periods that stand out."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from analysis import chart
from analysis.chart_result import Axes, drawn
from analysis.conditions import Condition
from analysis.engine import Engine, result_table
from analysis.errors import BadValue, TooFew, require_option
from analysis.programs import run
from analysis.series.periods import CYCLES, require_periods, series
from sandbox.table import Table
from storage.results import Result

FAR = 4.5
"""Robust standard deviations: with few periods, smoothing leaves calm ones out at 3.5 too often."""
FILLS = ("", "zero", "previous", "linear", "none")


def resample(
    engine: Engine,
    measure: str = "",
    date: str = "",
    aggregate: str = "",
    interval: str = "",
    fill: str = "",
    dataset: str = "",
    where: Sequence[Condition] = (),
) -> Result:
    """One value for every period, with gaps filled as asked: zero, previous, linear or none; "" is zero
    for sums and counts, else none. Incomplete periods at the ends stay in, and nothing is left out."""
    chosen = require_option(fill, FILLS, "way to fill gaps")
    made = series(engine, measure, date, aggregate, interval, dataset, where, whole=False)
    given = {
        "measure": measure, "date": made.moment.name, "aggregate": made.aggregate, "interval": made.unit,
        "fill": chosen, "dataset": dataset, "where": list(where),
    }  # fmt: skip
    result = run(
        engine, "course", "resample", made.expression, made.options | {"fill": chosen},
        title=f"Resampled {made.title}", **made.about("resample", given),
    )  # fmt: skip
    return _renamed(result, "value", made.name)


def trend_test(
    engine: Engine,
    measure: str = "",
    date: str = "",
    aggregate: str = "",
    interval: str = "",
    dataset: str = "",
    where: Sequence[Condition] = (),
) -> Result:
    """Whether `measure` rises or falls over time, by how much a period, with 95% intervals.

    Raises TooFew (under 4 periods) and NotComputable (it never changes).
    """
    made = series(engine, measure, date, aggregate, interval, dataset, where)
    given = {
        "measure": measure, "date": made.moment.name, "aggregate": made.aggregate, "interval": made.unit,
        "dataset": dataset, "where": list(where),
    }  # fmt: skip
    result = run(
        engine, "course", "trend_test", made.expression, made.options,
        title=f"Test of the trend of {made.title}", **made.about("trend_test", given),
    )  # fmt: skip
    require_periods(result, 4, "A test of a trend")
    return result


def seasonality(
    engine: Engine,
    measure: str = "",
    date: str = "",
    aggregate: str = "",
    interval: str = "",
    dataset: str = "",
    where: Sequence[Condition] = (),
) -> Result:
    """Trend, season and rest of `measure` (STL), how strong they are, and a chart of them.

    Seasons are the months of a year, its quarters or weeks, the days of a week, the hours of a day.
    Raises TooFew without two whole cycles.
    """
    if interval == "year":
        raise BadValue("Years have no seasons. Choose quarter, month, week, day or hour.")
    made = series(engine, measure, date, aggregate, interval, dataset, where)
    if CYCLES[made.unit] == 1:
        made = series(engine, measure, date, aggregate, "month", dataset, where)
    given = {
        "measure": measure, "date": made.moment.name, "aggregate": made.aggregate, "interval": made.unit,
        "dataset": dataset, "where": list(where),
    }  # fmt: skip
    result = run(
        engine, "course", "seasonality", made.expression, made.options,
        title=f"Seasonality of {made.title}", **made.about("seasonality", given),
    )  # fmt: skip
    least = 2 * CYCLES[made.unit]
    if "cycle" not in result.facts:
        found = result.facts["periods"]
        raise TooFew(
            f"Two whole cycles are {least} {made.unit}s, and there are {found}. Choose another interval."
        )
    return _parts(result, made.unit, made.name)


def odd_periods(
    engine: Engine,
    measure: str = "",
    date: str = "",
    aggregate: str = "",
    interval: str = "",
    threshold: float = 0,
    dataset: str = "",
    where: Sequence[Condition] = (),
) -> Result:
    """Periods whose value is far from what trend and season let expect, the farthest first, as a chart.

    `threshold` is in robust standard deviations, 4.5 unless given. Raises TooFew, BadValue, NotComputable.
    """
    if not 0 <= threshold < float("inf"):
        raise BadValue("The threshold must be a number above 0.")
    made = series(engine, measure, date, aggregate, interval, dataset, where)
    given = {
        "measure": measure, "date": made.moment.name, "aggregate": made.aggregate, "interval": made.unit,
        "threshold": threshold, "dataset": dataset, "where": list(where),
    }  # fmt: skip
    result = run(
        engine, "course", "odd_periods", made.expression,
        made.options | {"threshold": threshold or FAR},
        title=f"{made.unit.title()}s that stand out in {made.title}", **made.about("odd_periods", given),
    )  # fmt: skip
    require_periods(result, 8, "Looking for odd periods")
    every = Table.from_json(result.output["every"])
    odd = result_table(result)
    traces: list[dict[str, Any]] = [
        _line(every, made.unit, "value", made.name),
        _line(every, made.unit, "expected", "expected") | {"line": {"dash": "dot"}},
    ]
    traces.append(
        {
            "type": "scatter", "mode": "markers", "name": "stands out", "marker": {"size": 10},
            "x": [chart.plain(v) for v in odd.column(made.unit)],
            "y": [chart.plain(v) for v in odd.column("value")],
        }
    )  # fmt: skip
    figure = chart.figure(traces, made.unit, made.name, hovermode="x unified")
    alt = f"Line chart: {result.title}. {odd.row_count} of {every.row_count} periods stand out."
    return drawn(result, figure, alt, axes=Axes(made.unit, "value"))


def _parts(result: Result, unit: str, name: str) -> Result:
    """The decomposition as three panels over one axis of time."""
    table = result_table(result)
    shown = [("observed", "y"), ("trend", "y"), ("seasonal", "y2"), ("residual", "y3")]
    traces = [
        _line(table, unit, column, name if column == "observed" else column) | {"yaxis": axis}
        for column, axis in shown
    ]
    figure = chart.figure(
        traces, unit, name, height=520, hovermode="x unified",
        yaxis={"title": {"text": chart.titled(name)}, "domain": [0.48, 1]},
        yaxis2={"title": {"text": "seasonal"}, "domain": [0.24, 0.44]},
        yaxis3={"title": {"text": "residual"}, "domain": [0, 0.2]},
    )  # fmt: skip
    facts = result.facts
    alt = (
        f"Chart of trend, season and rest: {result.title}. Highest in {facts['peak']}, "
        f"lowest in {facts['trough']}."
    )
    return drawn(result, figure, alt, axes=Axes(unit, "observed"))


def _line(table: Table, x: str, y: str, name: str) -> dict[str, Any]:
    return {
        "type": "scatter", "mode": "lines", "name": name,
        "x": [chart.plain(value) for value in table.column(x)],
        "y": [chart.plain(value) for value in table.column(y)],
    }  # fmt: skip


def _renamed(result: Result, column: str, name: str) -> Result:
    """The stored table with a column under the name that people know."""
    table = result.output["table"]
    columns = [c | {"name": name} if c["name"] == column else c for c in table["columns"]]
    return replace(result, output=result.output | {"table": table | {"columns": columns}})

"""A forecast with its backtest, as a chart of what was and what may come."""

from collections.abc import Sequence
from typing import Any

from analysis import chart
from analysis.chart_result import Axes, drawn
from analysis.conditions import Condition
from analysis.engine import Engine, result_table
from analysis.errors import BadValue
from analysis.programs import run
from analysis.series.periods import require_periods, series
from sandbox.table import Table
from storage.results import Result

HORIZONS = {"year": 3, "quarter": 4, "month": 6, "week": 8, "day": 14, "hour": 24}
LONGEST = 120
LEAST = 8


def forecast(
    engine: Engine,
    measure: str = "",
    date: str = "",
    horizon: int = 0,
    interval: str = "",
    aggregate: str = "",
    dataset: str = "",
    where: Sequence[Condition] = (),
) -> Result:
    """The next `horizon` periods of `measure` (rows without one), with 95% intervals.

    Several models are backtested from several origins against the value of a season before; the best one
    forecasts. An incomplete last period is left out. Raises TooFew under 8 periods, BadValue.
    """
    if not 0 <= horizon <= LONGEST:
        raise BadValue(f"A forecast reaches from 1 to {LONGEST} periods ahead.")
    made = series(engine, measure, date, aggregate, interval, dataset, where)
    ahead = horizon or HORIZONS[made.unit]
    given = {
        "measure": measure, "date": made.moment.name, "horizon": ahead, "interval": made.unit,
        "aggregate": made.aggregate, "dataset": dataset, "where": list(where),
    }  # fmt: skip
    result = run(
        engine, "forecasting", "forecast", made.expression, made.options | {"horizon": ahead},
        title=f"Forecast of {made.title}, {ahead} ahead", **made.about("forecast", given),
    )  # fmt: skip
    require_periods(result, LEAST, "A forecast")
    return _drawn(result, made.unit, made.name)


def _drawn(result: Result, unit: str, name: str) -> Result:
    past, future = Table.from_json(result.output["history"]), result_table(result)
    then = [chart.plain(value) for value in past.column(unit)]
    coming = [chart.plain(value) for value in future.column(unit)]
    values = [chart.plain(value) for value in past.column("value")]
    # From the last known value on, so that a single period has a band too.
    after, last = [then[-1], *coming], values[-1]
    line: dict[str, Any] = {"type": "scatter", "mode": "lines"}
    edge = line | {"x": after, "line": {"width": 0}, "hoverinfo": "skip"}
    low, high, middle = (
        [last, *map(chart.plain, future.column(column))] for column in ("low", "high", "forecast")
    )
    # The band is grey, in light and dark: it belongs to the forecast and is no series.
    band = {"fill": "tonexty", "fillcolor": "rgba(128, 128, 128, 0.2)"}
    traces: list[dict[str, Any]] = [
        line | {"name": name, "x": then, "y": values},
        line | {"name": "forecast", "x": after, "y": middle, "line": {"dash": "dash"}},
        edge | {"name": "lower end", "y": low, "showlegend": False},
        edge | {"name": "95% interval", "y": high} | band,
    ]
    figure = chart.figure(traces, unit, name, hovermode="x unified")
    facts = result.facts
    alt = (
        f"Line chart: {result.title}. The last value is {facts['last']['value']:,.6g}, the next is "
        "forecast at "
        f"{facts['next']['value']:,.6g}."
    )
    return drawn(result, figure, alt, axes=Axes(unit, "forecast"))

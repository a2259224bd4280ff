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
    line: dict[str, Any] = {"type": "scatter", "mode": "lines"}
    traces: list[dict[str, Any]] = [
        line | {"name": name, "x": then, "y": values},
        line
        | {
            "name": "forecast", "x": [then[-1], *coming], "line": {"dash": "dash"},
            "y": [values[-1], *map(chart.plain, future.column("forecast"))],
        },
        line | {"name": "95% low", "x": coming, "y": future.column("low"), "line": {"width": 0.5}},
        line
        | {
            "name": "95% high", "x": coming, "y": future.column("high"), "line": {"width": 0.5},
            "fill": "tonexty",
        },
    ]  # fmt: skip
    figure = chart.figure(traces, unit, name, hovermode="x unified")
    facts = result.facts
    alt = (
        f"Line chart: {result.title}. The last value is {facts['last']['value']:,.6g}, the next is "
        "forecast at "
        f"{facts['next']['value']:,.6g}."
    )
    return drawn(result, figure, alt, axes=Axes(unit, "forecast"))

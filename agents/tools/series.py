"""Over time: resampling, the test of a trend, seasons, odd periods, forecasts."""

from typing import Any

from google.adk.tools.tool_context import ToolContext

from agents.tools.running import Filter, conditions, run
from analysis.series import course, forecasting


async def forecast(
    tool_context: ToolContext,
    measure: str = "",
    date: str = "",
    horizon: int = 0,
    interval: str = "",
    aggregate: str = "",
    where: list[Filter] | None = None,
    dataset: str = "",
) -> dict[str, Any]:
    """Forecasts a measure with 95% intervals and a chart, by the model that did best in a backtest.

    Say the model, its error against the baseline, and the interval; never a forecast without them.

    Args:
        measure: Column to aggregate; empty counts rows.
        date: The date column; empty takes the first one.
        horizon: How many periods ahead; 0 chooses.
        interval: year, quarter, month, week, day or hour; empty chooses.
        aggregate: sum, mean, median, count, min, max, std or distinct.
        where: Conditions that rows must all meet.
        dataset: Name of the dataset; empty is the current one.
    """
    return await run(
        tool_context,
        lambda engine: forecasting.forecast(
            engine, measure, date, horizon, interval, aggregate, dataset, conditions(where)
        ),
    )


async def seasonality(
    tool_context: ToolContext,
    measure: str = "",
    date: str = "",
    aggregate: str = "",
    interval: str = "",
    where: list[Filter] | None = None,
    dataset: str = "",
) -> dict[str, Any]:
    """Splits a measure over time into trend, season and rest (STL), with how strong each is, as a chart.

    Args:
        measure: Column to aggregate; empty counts rows.
        date: The date column; empty takes the first one.
        aggregate: sum, mean, median, count, min, max, std or distinct.
        interval: quarter, month or week (seasons of a year), day (of a week) or hour (of a day).
        where: Conditions that rows must all meet.
        dataset: Name of the dataset; empty is the current one.
    """
    return await run(
        tool_context,
        lambda engine: course.seasonality(
            engine, measure, date, aggregate, interval, dataset, conditions(where)
        ),
    )


async def trend_test(
    tool_context: ToolContext,
    measure: str = "",
    date: str = "",
    aggregate: str = "",
    interval: str = "",
    where: list[Filter] | None = None,
    dataset: str = "",
) -> dict[str, Any]:
    """Whether a measure rises or falls significantly over time, and by how much a period (Mann-Kendall,
    Sen's slope, least squares). For the numbers themselves use trend.

    Args:
        measure: Column to aggregate; empty counts rows.
        date: The date column; empty takes the first one.
        aggregate: sum, mean, median, count, min, max, std or distinct.
        interval: year, quarter, month, week, day or hour; empty chooses.
        where: Conditions that rows must all meet.
        dataset: Name of the dataset; empty is the current one.
    """
    return await run(
        tool_context,
        lambda engine: course.trend_test(
            engine, measure, date, aggregate, interval, dataset, conditions(where)
        ),
    )


async def resample(
    tool_context: ToolContext,
    measure: str = "",
    date: str = "",
    aggregate: str = "",
    interval: str = "",
    fill: str = "",
    where: list[Filter] | None = None,
    dataset: str = "",
) -> dict[str, Any]:
    """A measure as a regular series: one value for every period, with gaps filled as asked.

    Args:
        measure: Column to aggregate; empty counts rows.
        date: The date column; empty takes the first one.
        aggregate: sum, mean, median, count, min, max, std or distinct.
        interval: year, quarter, month, week, day or hour; empty chooses.
        fill: zero, previous, linear or none; empty is zero for sums and counts, else none.
        where: Conditions that rows must all meet.
        dataset: Name of the dataset; empty is the current one.
    """
    return await run(
        tool_context,
        lambda engine: course.resample(
            engine, measure, date, aggregate, interval, fill, dataset, conditions(where)
        ),
    )


async def odd_periods(
    tool_context: ToolContext,
    measure: str = "",
    date: str = "",
    aggregate: str = "",
    interval: str = "",
    threshold: float = 0,
    where: list[Filter] | None = None,
    dataset: str = "",
) -> dict[str, Any]:
    """Periods whose value is far from what trend and season let expect, as a chart with a list.

    Args:
        measure: Column to aggregate; empty counts rows.
        date: The date column; empty takes the first one.
        aggregate: sum, mean, median, count, min, max, std or distinct.
        interval: year, quarter, month, week, day or hour; empty chooses.
        threshold: How many robust standard deviations count as far; 0 takes 4.5.
        where: Conditions that rows must all meet.
        dataset: Name of the dataset; empty is the current one.
    """
    return await run(
        tool_context,
        lambda engine: course.odd_periods(
            engine, measure, date, aggregate, interval, threshold, dataset, conditions(where)
        ),
    )

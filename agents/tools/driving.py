"""Where a change comes from, and periods compared."""

from typing import Any

from google.adk.tools.tool_context import ToolContext

from agents.tools.running import Filter, conditions, run
from analysis import drivers as driving


async def drivers(
    tool_context: ToolContext,
    measure: str = "",
    date: str = "",
    period: str = "",
    versus: str = "",
    by: list[str] | None = None,
    aggregate: str = "",
    interval: str = "",
    where: list[Filter] | None = None,
    dataset: str = "",
) -> dict[str, Any]:
    """For "why did it drop" or "what drove the change": how much each segment adds to the change from one
    period to another, by number of rows and by value. It shows where, never claim that it shows why.

    Args:
        measure: Column to aggregate; empty counts rows.
        date: The date column; empty takes the first one.
        period: The later period, as 2025, 2025-Q2, 2025-05 or 2025-05-07; empty is the newest whole one.
        versus: previous (the one before), year (a year before) or another period.
        by: Columns that hold the segments; empty takes all with few groups.
        aggregate: sum, mean or count.
        interval: year, quarter, month, week or day, when no period is named.
        where: Conditions that rows must all meet.
        dataset: Name of the dataset; empty is the current one.
    """
    return await run(
        tool_context,
        lambda engine: driving.drivers(
            engine, measure, date, period, versus, by or [], aggregate, interval, dataset, conditions(where)
        ),
    )


async def compare_periods(
    tool_context: ToolContext,
    measure: str = "",
    date: str = "",
    period: str = "",
    aggregate: str = "",
    interval: str = "",
    where: list[Filter] | None = None,
    dataset: str = "",
) -> dict[str, Any]:
    """A measure in one period beside the period before and the same one a year before; an incomplete period
    is compared with as many days.

    Args:
        measure: Column to aggregate; empty counts rows.
        date: The date column; empty takes the first one.
        period: The period, as 2025, 2025-Q2, 2025-05 or 2025-05-07; empty is the newest one.
        aggregate: sum, mean or count.
        interval: year, quarter, month, week or day, when no period is named.
        where: Conditions that rows must all meet.
        dataset: Name of the dataset; empty is the current one.
    """
    return await run(
        tool_context,
        lambda engine: driving.compare_periods(
            engine, measure, date, period, aggregate, interval, dataset, conditions(where)
        ),
    )

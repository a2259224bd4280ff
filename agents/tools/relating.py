"""Relations: correlation, comparison of groups, two-way tables, change over time."""

from typing import Any

from google.adk.tools.tool_context import ToolContext

from agents.tools.running import Filter, conditions, run
from analysis import compare as comparing
from analysis import correlate as correlating
from analysis import crosstab as crossing
from analysis import trend as trending


async def correlate(
    tool_context: ToolContext,
    x: str = "",
    y: str = "",
    columns: list[str] | None = None,
    method: str = "pearson",
    where: list[Filter] | None = None,
    dataset: str = "",
) -> dict[str, Any]:
    """Correlates two number columns (r, p-value, n), or many as a matrix.

    Args:
        x: First column; leave x and y empty for a matrix.
        y: Second column.
        columns: Columns of the matrix; empty takes all numbers.
        method: pearson (linear) or spearman (ranks).
        where: Conditions that rows must all meet.
        dataset: Name of the dataset; empty is the current one.
    """
    return await run(
        tool_context,
        lambda engine: correlating.correlate(engine, x, y, columns or [], method, dataset, conditions(where)),
    )


async def compare(
    tool_context: ToolContext,
    measure: str,
    by: str,
    groups: list[str] | None = None,
    where: list[Filter] | None = None,
    dataset: str = "",
) -> dict[str, Any]:
    """Compares a number between groups, with a significance test and effect size.

    Args:
        measure: A column of numbers.
        by: The column that holds the groups.
        groups: Only these groups; empty takes all.
        where: Conditions that rows must all meet.
        dataset: Name of the dataset; empty is the current one.
    """
    return await run(
        tool_context,
        lambda engine: comparing.compare(engine, measure, by, groups or [], dataset, conditions(where)),
    )


async def crosstab(
    tool_context: ToolContext,
    rows: str,
    columns: str,
    measure: str = "",
    aggregate: str = "",
    normalize: str = "",
    where: list[Filter] | None = None,
    dataset: str = "",
) -> dict[str, Any]:
    """Two-way table: one column's values down, another's across.

    Args:
        rows: Column whose values go down.
        columns: Column whose values go across, at most 25 different ones.
        measure: Column to aggregate; empty counts rows.
        aggregate: sum, mean, median, count, min, max, std or distinct.
        normalize: rows, columns or all for percentages; empty for plain numbers.
        where: Conditions that rows must all meet.
        dataset: Name of the dataset; empty is the current one.
    """
    return await run(
        tool_context,
        lambda engine: crossing.crosstab(
            engine, rows, columns, measure, aggregate, normalize, dataset, conditions(where)
        ),
    )


async def trend(
    tool_context: ToolContext,
    measure: str = "",
    date: str = "",
    aggregate: str = "",
    interval: str = "",
    by: str = "",
    where: list[Filter] | None = None,
    dataset: str = "",
) -> dict[str, Any]:
    """A measure over time with its change to the period before, as a table. For the picture use
    show(kind="line").

    Args:
        measure: Column to aggregate; empty counts rows.
        date: The date column; empty takes the first one.
        aggregate: sum, mean, median, count, min, max, std or distinct.
        interval: year, quarter, month, week, day or hour; empty chooses.
        by: Column for one series a group.
        where: Conditions that rows must all meet.
        dataset: Name of the dataset; empty is the current one.
    """
    return await run(
        tool_context,
        lambda engine: trending.trend(
            engine, measure, date, aggregate, interval, by, dataset, conditions(where)
        ),
    )

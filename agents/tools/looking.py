"""Looking at one dataset or column: summary, gaps, spread, outliers."""

from typing import Any

from google.adk.tools.tool_context import ToolContext

from agents.tools.running import Filter, conditions, run
from analysis import describe as describing
from analysis import distribution as distributing
from analysis import outliers as excepting
from analysis import profile as profiling


async def profile(tool_context: ToolContext, dataset: str = "") -> dict[str, Any]:
    """Summarises the whole dataset: type, missing, different values, range, mean of every column.

    Args:
        dataset: Name of the dataset; empty is the current one.
    """
    return await run(tool_context, lambda engine: profiling.profile(engine, dataset))


async def missing(tool_context: ToolContext, dataset: str = "") -> dict[str, Any]:
    """Counts missing values in every column.

    Args:
        dataset: Name of the dataset; empty is the current one.
    """
    return await run(tool_context, lambda engine: profiling.missing(engine, dataset))


async def describe(
    tool_context: ToolContext, column: str, where: list[Filter] | None = None, dataset: str = ""
) -> dict[str, Any]:
    """Describes one column: statistics of numbers, range of dates, most frequent values of text.

    Args:
        column: The column.
        where: Conditions that rows must all meet.
        dataset: Name of the dataset; empty is the current one.
    """
    return await run(
        tool_context, lambda engine: describing.describe(engine, column, dataset, conditions(where))
    )


async def distribution(
    tool_context: ToolContext,
    column: str,
    bins: int = 0,
    where: list[Filter] | None = None,
    dataset: str = "",
) -> dict[str, Any]:
    """Counts how one column's values spread, as a table. For the picture use show(kind="histogram").

    Args:
        column: The column.
        bins: About how many bins for numbers; 0 chooses.
        where: Conditions that rows must all meet.
        dataset: Name of the dataset; empty is the current one.
    """
    return await run(
        tool_context,
        lambda engine: distributing.distribution(engine, column, bins, dataset, conditions(where)),
    )


async def outliers(
    tool_context: ToolContext,
    column: str,
    method: str = "iqr",
    threshold: float = 0,
    where: list[Filter] | None = None,
    dataset: str = "",
) -> dict[str, Any]:
    """Lists rows whose value is unusually far from the rest.

    Args:
        column: A column of numbers.
        method: iqr (beyond the quartile fences) or zscore (far from the mean).
        threshold: 0 for the usual one: 1.5 IQR, or 3 standard deviations.
        where: Conditions that rows must all meet.
        dataset: Name of the dataset; empty is the current one.
    """
    return await run(
        tool_context,
        lambda engine: excepting.outliers(engine, column, method, threshold, dataset, conditions(where)),
    )

"""General questions: aggregate, list rows, look a value up, or write SQL."""

from typing import Any

from google.adk.tools.tool_context import ToolContext

from agents.tools.running import Filter, conditions, run
from analysis import find_values as finding
from analysis import query as querying
from analysis import rows as listing
from analysis import sql as writing


async def query(
    tool_context: ToolContext,
    measure: str = "",
    aggregate: list[str] | None = None,
    by: list[str] | None = None,
    where: list[Filter] | None = None,
    order: str = "",
    limit: int = 0,
    interval: str = "",
    dataset: str = "",
) -> dict[str, Any]:
    """Aggregates a column over all rows, in total or by groups. The tool for most questions.

    Use it for totals, averages, counts, top-n, shares by group. Not for single rows (rows), change over
    time (trend) or two-way tables (crosstab).

    Args:
        measure: Column to aggregate; empty counts rows.
        aggregate: Any of sum, mean, median, count, min, max, std, distinct.
        by: Columns to group by; empty gives one number.
        where: Conditions that rows must all meet.
        order: descending or ascending by the first aggregate, or group.
        limit: How many groups to keep, for top-n; 0 keeps all.
        interval: For a date in `by`: year, quarter, month, week, day, hour or weekday.
        dataset: Name of the dataset; empty is the current one.
    """
    return await run(
        tool_context,
        lambda engine: querying.query(
            engine,
            dataset,
            measure,
            aggregate or [],
            by or [],
            conditions(where),
            order,
            limit,
            interval,
        ),
    )


async def rows(
    tool_context: ToolContext,
    where: list[Filter] | None = None,
    columns: list[str] | None = None,
    order_by: str = "",
    descending: bool = False,
    limit: int = 0,
    dataset: str = "",
) -> dict[str, Any]:
    """Lists the rows that meet the conditions, and counts all of them. Not for totals (query).

    Args:
        where: Conditions that rows must all meet.
        columns: Columns to show; empty shows all.
        order_by: Column to sort by.
        descending: Largest first.
        limit: How many rows to show; 0 shows up to 1,000.
        dataset: Name of the dataset; empty is the current one.
    """
    return await run(
        tool_context,
        lambda engine: listing.rows(
            engine, dataset, conditions(where), columns or [], order_by, descending, limit
        ),
    )


async def find_values(tool_context: ToolContext, text: str, dataset: str = "") -> dict[str, Any]:
    """Finds which text columns hold a value, before filtering by a name that the data card lacks.

    Args:
        text: The value or a part of it.
        dataset: Name of the dataset; empty is the current one.
    """
    return await run(tool_context, lambda engine: finding.find_values(engine, text, dataset))


async def sql(tool_context: ToolContext, query: str) -> dict[str, Any]:
    """Runs one SELECT in DuckDB's SQL over the datasets by name, for what no other tool can do: joins
    between datasets, computed columns, several conditions at once.

    Args:
        query: One SELECT statement. Quote names with double quotes.
    """
    return await run(tool_context, lambda engine: writing.sql(engine, query))

"""Charts."""

from typing import Any

from google.adk.tools.tool_context import ToolContext

from agents.tools.running import Filter, conditions, failure, run, session_key
from agents.workspace import workspace
from analysis import show as drawing

LAST = "last"


async def show(
    tool_context: ToolContext,
    kind: str,
    x: str = "",
    y: str = "",
    aggregate: str = "",
    by: str = "",
    where: list[Filter] | None = None,
    interval: str = "",
    bins: int = 0,
    limit: int = 0,
    result_id: str = "",
    title: str = "",
    dataset: str = "",
) -> dict[str, Any]:
    """Draws an interactive chart on the page, computed on all rows.

    Args:
        kind: bar, line, area, scatter (with trend line), histogram, box, heatmap or pie.
        x: Column along the axis: group or date for bar, line, area and pie; number for scatter and
            histogram; first grouping of a heatmap (empty draws correlations).
        y: Column of numbers; empty counts rows.
        aggregate: sum, mean, median, count, min, max, std or distinct.
        by: Column for one series or box a group.
        where: Conditions that rows must all meet.
        interval: For a date: year, quarter, month, week, day, hour or weekday.
        bins: About how many bins of a histogram; 0 chooses.
        limit: How many groups; 0 draws all.
        result_id: Draw this earlier result instead; "last" is the newest one.
        title: Own title; empty describes the chart.
        dataset: Name of the dataset; empty is the current one.
    """
    results = workspace().store.results
    earlier = None
    if result_id:
        key = session_key(tool_context)
        earlier = results.last(key) if result_id == LAST else results.get(key.user_id, result_id)
        if earlier is None or earlier.key != key:
            return failure("unknown_result", "There is no such earlier result to draw.")
    return await run(
        tool_context,
        lambda engine: drawing.show(
            engine, kind, earlier, x, y, aggregate, by, conditions(where), interval, bins, limit,
            dataset, title,
        ),
    )  # fmt: skip

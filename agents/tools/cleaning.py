"""Several tables and cleaning: each step makes a new version of a table, and can be undone."""

from typing import Any

from google.adk.tools.tool_context import ToolContext

from agents.tools.running import Filter, change, conditions, restore, run, run_stored
from analysis import cleaning, joining, versions


async def clean_data(
    tool_context: ToolContext,
    step: str,
    columns: list[str] | None = None,
    to: str = "",
    format: str = "",
    on_error: str = "",
    method: str = "",
    value: str | float | bool | None = None,
    old: list[str | float] | None = None,
    by: list[str] | None = None,
    order_by: str = "",
    descending: bool = False,
    keep: str = "",
    threshold: float = 0,
    action: str = "",
    names: list[str] | None = None,
    name: str = "",
    expression: str = "",
    where: list[Filter] | None = None,
    separator: str = "",
    edges: list[float] | None = None,
    bins: int = 0,
    aggregate: str = "",
    others: list[str] | None = None,
    limit: int = 0,
    share: float = 0,
    seed: int = 0,
    dataset: str = "",
) -> dict[str, Any]:
    """Changes a table for all questions from now on: one recorded step that makes its next version and can be
    undone. Only when the user asks to change the data; a question about some rows takes `where` instead.

    Steps and what they take:
    change_type(columns, to: number, integer, text, date, datetime or boolean, format such as dd.mm.yyyy or
    1.234,5, on_error: refuse or missing); fill_missing(columns, method: value, mean, median, mode, previous
    or next, value, by, order_by); drop_missing(columns, method: any or all); drop_duplicates(columns, keep:
    first, last or none, order_by, descending); outliers(columns, method: iqr or zscore, threshold, action:
    remove, clip or mark); rename(columns, names); drop_columns(columns); keep_columns(columns);
    replace_values(columns, old, value, method: whole or part); clean_text(columns, method: trim, squeeze,
    lower, upper or title); derive(name, expression in DuckDB's SQL over columns); filter(where, keep:
    matching or others); split_column(columns, separator, names); bin(columns, edges or bins, method: width
    or quantile, names, name); scale(columns, method: minmax or standard); one_hot(columns);
    unpivot(columns, by, names); pivot(columns, value, by, aggregate); append(others, name);
    sort(by, descending, limit); sample(limit or share, seed).

    Args:
        step: One of the steps above.
        columns: The columns it is about.
        to: New type.
        format: How the text is written.
        on_error: What becomes of values that do not fit.
        method: The step's way.
        value: New value; for pivot the column in the cells.
        old: Values to replace.
        by: Columns of the groups, or to sort by, or that stay.
        order_by: Column that gives the order.
        descending: Largest first.
        keep: What stays.
        threshold: 0 for the usual one.
        action: What becomes of outliers.
        names: New names, or labels, in order.
        name: Name of one new column.
        expression: The new column's formula.
        where: Conditions that rows must all meet.
        separator: Where to cut text.
        edges: Edges of ranges.
        bins: How many ranges.
        aggregate: sum, mean, median, count, min or max.
        others: Tables to add below.
        limit: How many rows stay.
        share: Which part of the rows stays, between 0 and 1.
        seed: Another number gives another sample.
        dataset: Name of the dataset; empty is the current one.
    """
    given: dict[str, Any] = {
        "columns": columns, "to": to, "format": format, "on_error": on_error, "method": method,
        "value": value, "old": old, "by": by, "order_by": order_by, "descending": descending, "keep": keep,
        "threshold": threshold, "action": action, "names": names, "name": name, "expression": expression,
        "where": conditions(where), "separator": separator, "edges": edges, "bins": bins,
        "aggregate": aggregate, "others": others, "limit": limit, "share": share, "seed": seed,
    }  # fmt: skip
    # False, 0 and "" are values to fill in; elsewhere they say nothing.
    options = {key: v for key, v in given.items() if v or (key == "value" and v is not None)}
    return await change(
        tool_context, lambda engine, store: cleaning.clean(engine, store, step, dataset, **options)
    )


async def join_tables(
    tool_context: ToolContext,
    right: str = "",
    left_on: list[str] | None = None,
    right_on: list[str] | None = None,
    how: str = "left",
    allow_many: bool = False,
    left: str = "",
) -> dict[str, Any]:
    """Joins two tables: the left one's next version has the columns of both. Says how keys repeat and which
    rows have no partner. Needed once before questions that take columns of both.

    Args:
        right: Table whose columns are added; empty takes the only other one.
        left_on: Key columns of the left table; empty takes the proposed ones.
        right_on: Key columns of the right table; empty takes the same names.
        how: left (keep all rows of the left table), inner or outer.
        allow_many: Whether rows may multiply where keys repeat on both sides; only if the user agreed.
        left: Table that is extended; empty is the current one.
    """
    return await change(
        tool_context,
        lambda engine, store: cleaning.join_tables(
            engine, store, left, right, how, left_on or [], right_on or [], allow_many
        ),
    )


async def check_join(
    tool_context: ToolContext,
    right: str = "",
    left_on: list[str] | None = None,
    right_on: list[str] | None = None,
    left: str = "",
) -> dict[str, Any]:
    """Counts what joining two tables would do, without joining: how keys repeat, rows without a partner.

    Args:
        right: The other table; empty takes the only other one.
        left_on: Key columns of the left table; empty takes the proposed ones.
        right_on: Key columns of the right table; empty takes the same names.
        left: Table that would be extended; empty is the current one.
    """
    return await run(
        tool_context, lambda engine: joining.check(engine, left, right, left_on or [], right_on or [])
    )


async def undo_cleaning(tool_context: ToolContext, dataset: str = "") -> dict[str, Any]:
    """Takes the last cleaning step or join of a table back: its version before is current again.

    Args:
        dataset: Name of the dataset; empty is the current one.
    """
    return await restore(tool_context, dataset)


async def list_tables(tool_context: ToolContext) -> dict[str, Any]:
    """Lists the tables of this conversation, their rows and columns, and which one is current."""
    return await run(tool_context, versions.tables)


async def cleaning_steps(tool_context: ToolContext, dataset: str = "") -> dict[str, Any]:
    """Lists the cleaning steps that made a table, in order.

    Args:
        dataset: Name of the dataset; empty is the current one.
    """
    return await run_stored(
        tool_context,
        lambda engine, store: versions.steps_table(engine, versions.history(store, engine.dataset(dataset))),
    )

"""The general question: a measure, how to aggregate it, by what, where, in which order, how many."""

from collections.abc import Sequence
from typing import Any

import ibis

from analysis.conditions import Condition, Selection, select
from analysis.engine import Engine, result_table
from analysis.errors import require_option
from analysis.facts import extremes, with_facts
from analysis.measures import (
    AGGREGATES,
    aggregated,
    grouping,
    label,
    missing_note,
    present,
    selected_interval,
)
from storage.datasets import ColumnInfo
from storage.results import Result

ORDERS = ("descending", "ascending", "group")


def query(
    engine: Engine,
    dataset: str = "",
    measure: str = "",
    aggregate: Sequence[str] = (),
    by: Sequence[str] = (),
    where: Sequence[Condition] = (),
    order: str = "",
    limit: int = 0,
    interval: str = "",
) -> Result:
    """Aggregates `measure` (rows are counted without one) over the rows that pass `where`.

    With `by`, one row a group, a missing group being a group of its own; without, a single value.
    Dates in `by` are cut to `interval`. `order` is by the first aggregate, or by the group, which is
    the default for dates. Raises AnalysisError for unknown names and options, and an empty filter.
    """
    arguments = {
        "dataset": dataset, "measure": measure, "aggregate": list(aggregate), "by": list(by),
        "where": list(where), "order": order, "limit": limit, "interval": interval,
    }  # fmt: skip
    data = engine.dataset(dataset)
    column = engine.column(data, measure) if measure else None
    groups = list({c.name: c for c in (engine.column(data, name) for name in by)}.values())
    names = _aggregates(aggregate, column)
    selection = select(engine, dataset, where)
    used = present(engine, selection, column)
    notes = missing_note(selection, used, column.name) if column else []
    expressions = {
        label(name, column.name if column else "", (c.name for c in groups)): aggregated(
            selection.table, name, column
        )
        for name in names
    }
    measures = " and ".join(expressions) if column else "number of rows"
    about: dict[str, Any] = {
        "tool": "query", "arguments": arguments, "datasets": [data], "rows_used": used,
    }  # fmt: skip
    if not groups:
        title = _title(f"{measures}{selection.words}")
        result = engine.run(
            selection.table.aggregate(**expressions), title=title, kind="value", notes=notes, **about
        )
        return with_facts(result, {"value": result_table(result).rows[0][0], "rows": used})
    expression, shown, chosen = _grouped(engine, selection, groups, expressions, interval)
    by_words = " and ".join(shown)
    wanted = order or ("group" if chosen else "descending")
    wanted = require_option(wanted, ORDERS, "order")
    ordered = _ordered(expression, shown, next(iter(expressions)), wanted)
    if limit and limit > 0:
        notes += _limit_notes(engine, ordered, next(iter(expressions)), limit)
        ordered = ordered.limit(limit)
    ordered = ordered.drop(*_hidden(ordered, shown))
    top = f" ({'top' if wanted == 'descending' else 'first'} {limit})" if limit else ""
    title = _title(f"{measures} by {by_words}{selection.words}{top}")
    result = engine.run(ordered, title=title, notes=notes, **about)
    table = result_table(result)
    return with_facts(
        result, {"groups": table.row_count, "rows": used} | extremes(table, shown, next(iter(expressions)))
    )


def _title(words: str) -> str:
    return words[:1].upper() + words[1:]


def _aggregates(aggregate: Sequence[str] | str, column: ColumnInfo | None) -> list[str]:
    given = [aggregate] if isinstance(aggregate, str) else list(aggregate)
    names = [require_option(name, AGGREGATES, "aggregate") for name in given if name]
    if column is None:
        return ["count"]
    if not names:
        names = ["sum" if column.kind in ("integer", "number") else "count"]
    return list(dict.fromkeys(names))


def _grouped(
    engine: Engine,
    selection: Selection,
    groups: list[ColumnInfo],
    expressions: dict[str, Any],
    interval: str,
) -> tuple[Any, list[str], str]:
    keys: dict[str, Any] = {}
    shown, chosen = [], ""
    for column in groups:
        unit = interval or selected_interval(engine, selection, column)
        named, used = grouping(selection.table, column, unit)
        keys |= named
        shown.append(list(named)[-1])
        chosen = chosen or used
    named_keys = [expression.name(name) for name, expression in keys.items()]
    return selection.table.group_by(named_keys).aggregate(**expressions), shown, chosen


def _ordered(expression: Any, shown: list[str], first: str, order: str) -> Any:
    keys = [ibis.asc(name) for name in _hidden(expression, shown) + shown]
    if order == "group":
        return expression.order_by(keys)
    direction = ibis.desc(first, nulls_first=False) if order == "descending" else ibis.asc(first)
    return expression.order_by([direction, *keys])


def _hidden(expression: Any, shown: list[str]) -> list[str]:
    """Columns that only sort."""
    return [name for name in expression.columns if name.startswith("__") and name not in shown]


def _limit_notes(engine: Engine, ordered: Any, first: str, limit: int) -> list[str]:
    total = engine.fetch(ordered.aggregate(n=ordered.count())).rows[0][0]
    if total <= limit:
        return []
    edge = engine.fetch(ordered.limit(2, offset=limit - 1)).column(first)
    notes = [f"{total - limit:,} more group(s) are not shown."]
    if len(edge) == 2 and edge[0] == edge[1]:
        notes.append("The last one shown ties with at least one that is not shown.")
    return notes

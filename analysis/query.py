"""The general question: a measure, how to aggregate it, by what, where, in which order, how many."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import ibis

from analysis.conditions import Condition, Filtered, Selection, complete, narrow, select
from analysis.engine import ROW_LIMIT, Engine, result_table
from analysis.errors import require_option
from analysis.facts import extremes, with_facts
from analysis.measures import (
    AGGREGATES,
    aggregated,
    grouping,
    label,
    missing_note,
    selected_interval,
)
from sandbox.table import Table
from storage.datasets import ColumnInfo
from storage.results import Result

GROUPS, MATCHING, USED = "__groups", "__matching", "__used"
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
    found = narrow(engine, dataset, where)
    expressions = {
        label(name, column.name if column else "", (c.name for c in groups)): aggregated(
            found.table, name, column
        )
        for name in names
    }
    about: dict[str, Any] = {"tool": "query", "arguments": arguments, "datasets": [data]}
    if not groups:
        return _single(engine, select(engine, dataset, where, column), column, expressions, about)
    expression, shown, chosen = _grouped(engine, found, groups, expressions, interval)
    wanted = require_option(order or ("group" if chosen else "descending"), ORDERS, "order")
    first = next(iter(expressions))
    top = f" ({'top' if wanted == 'descending' else 'first'} {limit})" if limit > 0 else ""
    about["title"] = _title(f"{_measures(expressions, column)} by {' and '.join(shown)}{found.words}{top}")
    keys, hidden = _order(expression, shown, first, wanted), _hidden(expression, shown)
    shown_groups = expression.order_by(keys).drop(*hidden)
    # What is said of all groups is counted in the same scan. One group more may tie with the last shown.
    kept = min(limit, ROW_LIMIT) if limit > 0 else ROW_LIMIT
    counts = {MATCHING: found.table.count(), USED: complete(found.table, [column] if column else [])}
    expression, *_ = _grouped(engine, found, groups, expressions | counts, interval)
    totals = {name: expression[name].sum().over(ibis.window()) for name in counts}
    counted = expression.mutate(**totals, **{GROUPS: expression.count().over(ibis.window())})
    answer = engine.fetch(counted.order_by(keys).limit(kept + 1).drop(*hidden))
    if not answer.rows:
        raise found.empty
    matching, used, number = (int(answer.column(name)[0]) for name in (MATCHING, USED, GROUPS))
    selection = Selection(data, found.table, found.words, matching, used)
    notes = missing_note(selection, column.name) if column else []
    table = answer.without(MATCHING).without(USED).without(GROUPS)
    table = replace(table, rows=table.rows[:kept], row_count=number, truncated=number > kept)
    if limit > 0:
        notes += _limit_notes(answer, first, kept, number)
        table = replace(table, row_count=len(table.rows), truncated=False)
        shown_groups = shown_groups.limit(kept)
    result = engine.keep(table, shown_groups, rows_used=used, notes=notes, **about)
    ends = extremes(result_table(result), shown, first)
    return with_facts(result, {"groups": table.row_count, "rows": used} | ends)


def _single(
    engine: Engine,
    selection: Selection,
    column: ColumnInfo | None,
    expressions: dict[str, Any],
    about: dict[str, Any],
) -> Result:
    result = engine.run(
        selection.table.aggregate(**expressions),
        title=_title(f"{_measures(expressions, column)}{selection.words}"),
        kind="value",
        rows_used=selection.used,
        notes=missing_note(selection, column.name) if column else [],
        **about,
    )
    return with_facts(result, {"value": result_table(result).rows[0][0], "rows": selection.used})


def _measures(expressions: dict[str, Any], column: ColumnInfo | None) -> str:
    return " and ".join(expressions) if column else "number of rows"


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
    selection: Filtered,
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


def _order(expression: Any, shown: list[str], first: str, order: str) -> list[Any]:
    keys = [ibis.asc(name) for name in _hidden(expression, shown) + shown]
    if order == "group":
        return keys
    direction = ibis.desc(first, nulls_first=False) if order == "descending" else ibis.asc(first)
    return [direction, *keys]


def _hidden(expression: Any, shown: list[str]) -> list[str]:
    """Columns that only sort."""
    return [name for name in expression.columns if name.startswith("__") and name not in shown]


def _limit_notes(answer: Table, first: str, limit: int, groups: int) -> list[str]:
    if groups <= limit:
        return []
    edge = answer.column(first)[limit - 1 :]
    notes = [f"{groups - limit:,} more group(s) are not shown."]
    if edge[0] == edge[1]:
        notes.append("The last one shown ties with at least one that is not shown.")
    return notes

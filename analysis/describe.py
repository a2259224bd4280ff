"""One column, described as what it is: numbers, dates, or names with counts."""

from collections.abc import Sequence
from typing import Any

import ibis

from analysis.conditions import Condition, select
from analysis.engine import Engine, not_finite, result_table
from analysis.facts import with_facts
from analysis.measures import ROWS, free_name, missing_note
from storage.results import Result

TOP_VALUES = 20


def describe(engine: Engine, column: str, dataset: str = "", where: Sequence[Condition] = ()) -> Result:
    """Numbers: count, mean, spread, quartiles. Dates: range and days. Else: the frequent values."""
    data = engine.dataset(dataset)
    info = engine.column(data, column)
    selection = select(engine, dataset, where, info)
    field = selection.table[info.name]
    distinct = info.distinct
    if not selection.known or not_finite(info):
        distinct = engine.fetch(selection.table.aggregate(n=field.nunique())).rows[0][0]
    notes, present = missing_note(selection, info.name), selection.used
    facts = {"present": present, "missing": selection.rows - present, "distinct": distinct}
    about: dict[str, Any] = {
        "title": f"{info.name}{selection.words}", "tool": "describe",
        "arguments": {"column": column, "dataset": dataset, "where": list(where)},
        "datasets": [data], "rows_used": present, "facts": facts,
    }  # fmt: skip
    if info.kind not in ("integer", "number", "date", "datetime"):
        if distinct > TOP_VALUES:
            notes.append(f"The {TOP_VALUES} most frequent of {distinct:,} different values.")
        return engine.run(_frequent(selection.table, info.name), notes=notes, **about)
    numeric = info.kind in ("integer", "number")
    row = selection.table.aggregate(**(_statistics(field) if numeric else _range(field)))
    result = engine.run(row, kind="value", notes=notes, **about)
    return with_facts(result, result_table(result).records()[0])


def _statistics(field: Any) -> dict[str, Any]:
    number = field.cast("float64")
    return {
        "count": field.count(),
        "mean": number.mean(),
        "standard deviation": number.std(how="sample"),
        "lowest": field.min(),
        **{f"{part}%": number.quantile(part / 100) for part in (25, 50, 75)},
        "highest": field.max(),
        "sum": field.sum(),
    }


def _range(field: Any) -> dict[str, Any]:
    first, last, days = field.min().cast("date"), field.max().cast("date"), field.cast("date").nunique()
    covered = last.delta(first, unit="day") + 1
    return {
        "count": field.count(),
        "earliest": field.min(),
        "latest": field.max(),
        "days covered": covered,
        "different days": days,
        "days without rows": covered - days,
    }


def _frequent(table: Any, name: str) -> Any:
    whole = table.filter(table[name].notnull())
    rows = free_name(ROWS, [name])
    grouped = whole.group_by(name).aggregate(**{rows: whole.count()})
    return grouped.order_by([ibis.desc(rows), ibis.asc(name)]).limit(TOP_VALUES)

"""The whole dataset at a glance, and its gaps: one line a column, one scan.

Written as SQL over lists: an expression a column would scan a table of 2,000 columns 2,000 times.
"""

from collections.abc import Callable
from typing import Any

from analysis.column_kinds import quoted
from analysis.engine import Engine, not_finite, result_table
from analysis.facts import with_facts
from analysis.remote import summaries
from storage.datasets import ColumnInfo, Dataset
from storage.results import Result

MAX_COLUMNS = 300
Measure = Callable[[ColumnInfo, str], str]


def profile(engine: Engine, dataset: str = "") -> Result:
    """Type, missing, different values, range, mean, median and spread of every column."""
    data = engine.dataset(dataset)
    if data.source:
        return _there(engine, data, dataset)
    measures: dict[str, Measure] = {
        "missing": lambda c, f: f"count(*) - count({f})",
        "different": lambda c, f: f"count(DISTINCT {f})",
        "lowest": lambda c, f: "NULL" if c.kind == "other" else f"CAST(min({f}) AS VARCHAR)",
        "highest": lambda c, f: "NULL" if c.kind == "other" else f"CAST(max({f}) AS VARCHAR)",
        "mean": lambda c, f: f"avg({f})" if numeric(c) else "NULL",
        "median": lambda c, f: f"quantile_cont({f}, 0.5)" if numeric(c) else "NULL",
        "standard deviation": lambda c, f: f"stddev_samp({f})" if numeric(c) else "NULL",
    }
    result_columns = data.columns[:MAX_COLUMNS]
    complete = sum(1 for c in data.columns if not c.missing and not not_finite(c))
    return engine.sql(
        listed(data.name, result_columns, measures, with_kind=True),
        title=f"Summary of {data.file_name}",
        tool="profile",
        arguments={"dataset": dataset},
        datasets=[data],
        rows_used=data.rows,
        notes=limited(len(data.columns)),
        facts={
            "rows": data.rows,
            "columns": len(data.columns),
            "numeric_columns": sum(map(numeric, data.columns)),
            "complete_columns": complete,
        },
    )


def _there(engine: Engine, data: Dataset, dataset: str) -> Result:
    """The same of a table at another engine."""
    rows = engine.rows(data)
    result = summaries.profile(
        engine, data, data.columns[:MAX_COLUMNS], title=f"Summary of {data.file_name}", tool="profile",
        arguments={"dataset": dataset}, datasets=[data], rows_used=rows, notes=limited(len(data.columns)),
    )  # fmt: skip
    lacking = [count for count in result_table(result).column("missing") if count]
    numbers = sum(map(numeric, data.columns))
    complete = len(result_table(result).rows) - len(lacking)
    facts = {"rows": rows, "columns": len(data.columns), "numeric_columns": numbers}
    return with_facts(result, facts | {"complete_columns": complete})


def missing(engine: Engine, dataset: str = "") -> Result:
    """How many values each column lacks, most first."""
    data = engine.dataset(dataset)
    measures: dict[str, Measure] = {
        "missing": lambda c, f: f"count(*) - count({f})",
        "missing %": lambda c, f: f"100.0 * (count(*) - count({f})) / count(*)",
    }
    about: dict[str, Any] = {
        "title": f"Missing values in {data.file_name}", "tool": "missing", "arguments": {"dataset": dataset},
        "datasets": [data], "rows_used": engine.rows(data),
    }  # fmt: skip
    cells = engine.rows(data) * len(data.columns)
    if data.source:
        return _with_counts(summaries.missing(engine, data, data.columns, **about), cells)
    inner = listed(data.name, data.columns, measures, with_kind=False)
    text = f'SELECT * FROM (\n{inner}\n) ORDER BY missing DESC, "column"'
    return _with_counts(engine.sql(text, **about), cells)


def _with_counts(result: Result, cells: int) -> Result:
    counts = result_table(result).column("missing")
    lacking = {"missing_cells": sum(counts), "cells": cells, "columns_with_missing": sum(map(bool, counts))}
    return with_facts(result, lacking)


def listed(table: str, columns: list[ColumnInfo], measures: dict[str, Measure], *, with_kind: bool) -> str:
    """SQL for one row a column: parallel lists, unnested together."""
    kind = [f'  unnest([{", ".join(literal(c.kind) for c in columns)}]) AS "type"'] if with_kind else []
    names = f'  unnest([{", ".join(literal(c.name) for c in columns)}]) AS "column"'
    lists = [
        f"  unnest([{', '.join(measure(c, field(c)) for c in columns)}]) AS {quoted(name)}"
        for name, measure in measures.items()
    ]
    return "SELECT\n" + ",\n".join([names, *kind, *lists]) + f"\nFROM {quoted(table)}"


def field(column: ColumnInfo) -> str:
    """The column in SQL; NaN and infinities count as missing."""
    name = quoted(column.name)
    return f"CASE WHEN isfinite({name}) THEN {name} END" if not_finite(column) else name


def numeric(column: ColumnInfo) -> bool:
    """Whether the column holds numbers."""
    return column.kind in ("integer", "number")


def literal(text: str) -> str:
    """An SQL string."""
    return "'" + text.replace("'", "''") + "'"


def limited(columns: int) -> list[str]:
    """Says when not every column is listed."""
    if columns <= MAX_COLUMNS:
        return []
    return [f"The first {MAX_COLUMNS} of {columns:,} columns are listed."]

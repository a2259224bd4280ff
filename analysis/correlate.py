"""Correlation of two columns with its p-value, or of many as a matrix.

Pearson's r is DuckDB's `corr`, with p as `scipy.stats.pearsonr` has it (two-sided, exact beta distribution);
Spearman's are `scipy.stats.spearmanr`'s (average ranks for ties, t distribution, n - 2 degrees of freedom).
Rows lacking either value are left out.
"""

from collections.abc import Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any

from analysis.backends import compile_sql
from analysis.conditions import Condition, Selection, select
from analysis.engine import Engine, python_text, result_table
from analysis.errors import ConstantColumn, NotNumeric, TooFew, require_option
from analysis.facts import is_number, with_facts
from analysis.measures import free_name, missing_note, numeric_columns, require_numeric
from analysis.remote import relations
from storage.datasets import ColumnInfo
from storage.results import Result

METHODS = ("pearson", "spearman")
MINIMUM = 3
MAX_COLUMNS = 30
PEARSON = """import math

import pandas
from scipy import stats

whole = con.sql({sql}).filter("x IS NOT NULL AND y IS NOT NULL")
try:
    r, n = whole.aggregate("corr(x, y), count(*)").fetchall()[0]
except Exception as error:
    if "out of range" not in str(error).lower():
        raise
    r, n = None, whole.aggregate("count(*)").fetchall()[0][0]
defined = n > 2 and r is not None and math.isfinite(r)
# Twelve digits: what is left of a perfect correlation is rounding of the arithmetic.
r = round(r, 12) if defined else None
# Two-sided and exact for normal data, as in scipy.stats.pearsonr.
p = float(2 * stats.beta.sf(abs(r), n / 2 - 1, n / 2 - 1, loc=-1, scale=2)) if defined else None
row = {{"x": {x!r}, "y": {y!r}, "method": "pearson", "r": r, "p": p, "n": n}}
output = {{"table": pandas.DataFrame([row]), "r": r, "p": p, "n": n}}
"""
SPEARMAN = """import pandas
from scipy import stats

data = con.sql({sql}).df().dropna()
n = len(data)
defined = n > 2 and data.nunique().min() > 1
r, p = map(float, stats.spearmanr(data["x"], data["y"])) if defined else (None, None)
r = round(r, 12) if defined else None
row = {{"x": {x!r}, "y": {y!r}, "method": "spearman", "r": r, "p": p, "n": n}}
output = {{"table": pandas.DataFrame([row]), "r": r, "p": p, "n": n}}
"""
MATRIX = """data = con.sql({sql}).df()
matrix = data.corr(method={method!r}, min_periods=3).round(12)
matrix.insert(0, {first!r}, matrix.columns)
output = {{"table": matrix}}
"""


def correlate(
    engine: Engine,
    x: str = "",
    y: str = "",
    columns: Sequence[str] = (),
    method: str = "pearson",
    dataset: str = "",
    where: Sequence[Condition] = (),
) -> Result:
    """r, p and n of `x` and `y`; without them the matrix of `columns` or of all number columns.

    Raises NotNumeric, ConstantColumn (its correlation is undefined) and TooFew (under 3 rows).
    """
    chosen = require_option(method or "pearson", METHODS, "method")
    data = engine.dataset(dataset)
    names = [name for name in (x, y) if name] or list(columns)
    found = [engine.column(data, name) for name in names]
    if not (x and y):
        found = list({column.name: column for column in found}.values())
    for column in found:
        require_numeric(column, "correlation")
    arguments: dict[str, Any] = {
        "x": x, "y": y, "columns": list(columns), "method": chosen, "dataset": dataset,
        "where": list(where),
    }  # fmt: skip
    if len(found) == 1:
        found += [c for c in numeric_columns(data) if c.name != found[0].name]
    if not found:
        found = numeric_columns(data)
    if len(found) < 2:
        raise NotNumeric(f"{data.file_name} has fewer than two columns of numbers to correlate.")
    selection = select(engine, dataset, where)
    if len(found) == 2:
        return _pair(engine, selection, found[0], found[1], chosen, arguments)
    return _matrix(engine, selection, found, chosen, arguments)


def _pair(
    engine: Engine,
    selection: Selection,
    x: ColumnInfo,
    y: ColumnInfo,
    method: str,
    arguments: dict[str, Any],
) -> Result:
    table = selection.table
    about: dict[str, Any] = {
        "title": f"{method.title()} correlation of {x.name} and {y.name}{selection.words}",
        "tool": "correlate", "arguments": arguments, "datasets": [selection.dataset], "kind": "value",
    }  # fmt: skip
    if selection.dataset.source:
        result = relations.pair(engine, selection, x, y, method, **about)
    else:
        sql = compile_sql(table.select(x=table[x.name].cast("float64"), y=table[y.name].cast("float64")))
        template = PEARSON if method == "pearson" else SPEARMAN
        _, result = engine.program(template.format(sql=python_text(sql), x=x.name, y=y.name), **about)
    selection = replace(selection, used=result.facts["n"])
    used, both = selection.used, f"both {x.name} and {y.name}"
    if used < MINIMUM:
        raise TooFew(f"Only {used} row(s) have {both}; at least {MINIMUM} are needed.")
    if result.facts["r"] is None:
        raise _undefined(engine, selection, x, y)
    notes = missing_note(selection, both)
    if used < 30:
        notes.append(f"Only {used} rows: read the p-value with care.")
    return replace(result, rows_used=used, rows_total=engine.rows(selection.dataset), notes=notes)


def _undefined(engine: Engine, selection: Selection, x: ColumnInfo, y: ColumnInfo) -> ConstantColumn:
    """Why there is no correlation."""
    table = selection.table
    whole = table.filter(table[x.name].notnull() & table[y.name].notnull())
    spread = engine.fetch(whole.aggregate(x=whole[x.name].nunique(), y=whole[y.name].nunique())).rows[0]
    for column, different in zip((x, y), spread, strict=True):
        if different < 2:
            return ConstantColumn(
                f"{column.name} has the same value in every row used, so its correlation with "
                "anything is undefined."
            )
    return ConstantColumn(
        f"The values of {x.name} or {y.name} are too close together or too large for a correlation."
    )


def _matrix(
    engine: Engine,
    selection: Selection,
    columns: list[ColumnInfo],
    method: str,
    arguments: dict[str, Any],
) -> Result:
    ranked_there = method == "spearman" and selection.dataset.source
    shown = columns[: relations.RANKED_COLUMNS if ranked_there else MAX_COLUMNS]
    table = selection.table
    names = [c.name for c in shown]
    notes = ["Each pair uses the rows that have both values."]
    if len(columns) > len(shown):
        notes.append(f"The first {len(shown)} of {len(columns)} number columns.")
    about: dict[str, Any] = {
        "title": f"{method.title()} correlations{selection.words}", "tool": "correlate",
        "arguments": arguments, "datasets": [selection.dataset], "rows_used": selection.rows, "notes": notes,
        "facts": {"columns": names},
    }  # fmt: skip
    first = free_name("column", names)
    if selection.dataset.source:
        result = relations.matrix(engine, selection, shown, method, first, **about)
    else:
        sql = compile_sql(table.select(**{c.name: table[c.name].cast("float64") for c in shown}))
        code = MATRIX.format(sql=python_text(sql), method=method, first=first)
        _, result = engine.program(code, **about)
    cells = [row[1:] for row in result_table(result).rows]
    flat = [name for i, name in enumerate(names) if not is_number(cells[i][i])]
    if flat:
        undefined = f"Undefined, for want of different values: {', '.join(flat)}."
        result = replace(result, notes=[*result.notes, undefined])
    pairs = [
        (abs(cells[i][j]), {"x": names[j], "y": names[i], "r": cells[i][j]})
        for i in range(len(names))
        for j in range(i)
        if is_number(cells[i][j])
    ]
    return with_facts(result, {"strongest": max(pairs, key=itemgetter(0))[1]}) if pairs else result

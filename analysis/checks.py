"""Checks that a right answer must pass, made from a result's own record and run against the data again.

The second formulation takes the selected rows out of the database and aggregates them in pandas, so it
shares the filter and the cut of dates with the first, and no arithmetic.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import ibis

from analysis.agreement import TOLERANCE, difference
from analysis.backends import compile_sql
from analysis.conditions import Selection, select
from analysis.engine import Engine, python_text, result_table
from analysis.errors import AnalysisError, ElsewhereOnly
from analysis.measures import aggregated, free_name, grouping, selected_interval
from storage.results import Result

PANDAS = {
    "sum": "sum(min_count=1)", "mean": "mean()", "median": "median()", "count": "count()", "min": "min()",
    "max": "max()", "std": "std()", "distinct": "nunique()",
}  # fmt: skip
ADDING = ("sum", "count")
SECOND = "second formulation"
SECOND_STATEMENT = "Aggregated in pandas from the selected rows, the numbers are the same."
CODE = """import pandas

data = con.sql({sql}).df()
measured = {measured!r}
if data[measured].dtype == bool:
    data[measured] = data[measured].astype("int64")
groups = [name for name in data.columns if name != measured]
values = data.groupby(groups, dropna=False)[measured] if groups else data[measured]
found = {{{found}}}
table = pandas.DataFrame(found).reset_index() if groups else pandas.DataFrame([found])
output = {{"table": table}}
"""


@dataclass(frozen=True)
class Check:
    """One check and how it ended."""

    name: str
    statement: str
    """What must be true of any right answer."""
    independent: bool
    """Whether it came to the numbers on another path."""
    passed: bool | None
    """None until it ran, and when it could not be run."""
    detail: str = ""
    """What was found instead, or why it was not run."""
    code: str = ""
    """What was run to find out, where that is its own."""

    def as_json(self) -> dict[str, Any]:
        """How a run stores it."""
        return asdict(self)


def check(engine: Engine, result: Result) -> list[Check]:
    """All checks that fit the result, run."""
    checks = [_again(engine, result)]
    if result.tool == "query":
        try:
            checks += _of_query(engine, result)
        except ElsewhereOnly as error:
            checks.append(Check(SECOND, SECOND_STATEMENT, True, None, str(error)))
        except AnalysisError as error:
            checks.append(Check(SECOND, SECOND_STATEMENT, True, False, str(error)))
    return checks


def _of_query(engine: Engine, result: Result) -> list[Check]:
    selection = select(engine, result.arguments["dataset"], result.arguments["where"])
    return [_second_formulation(engine, result, selection), *_sums(engine, result, selection)]


def sums(engine: Engine, result: Result) -> list[Check]:
    """Whether the groups of a query's table add up to the total, where they must."""
    return _sums(engine, result, select(engine, result.arguments["dataset"], result.arguments["where"]))


def _sums(engine: Engine, result: Result, selection: Selection) -> list[Check]:
    aggregates = _aggregates(engine, result)
    if not result.arguments["by"] or result.arguments["limit"] or aggregates[0] not in ADDING:
        return []
    return [_parts_and_total(engine, result, selection, aggregates[0])]


def passed(checks: Sequence[Check]) -> bool:
    """Whether all ran and passed, one of them on another path at least."""
    return all(item.passed is True for item in checks) and any(item.independent for item in checks)


def _again(engine: Engine, result: Result) -> Check:
    statement = "The stored code gives the same numbers once more."
    try:
        if result.language == "sql":
            rows = result_table(engine.sql(result.code, **_about(engine, result))).rows
        else:
            rows = result_table(engine.program(result.code, **_about(engine, result))[1]).rows
    except AnalysisError as error:
        return Check("same code again", statement, False, False, str(error))
    detail = difference(result_table(result).rows, rows)
    return Check("same code again", statement, False, not detail, detail)


def _second_formulation(engine: Engine, result: Result, selection: Selection) -> Check:
    aggregates = _aggregates(engine, result)
    sql, labels, measured = _rows_sql(engine, result, selection)
    made = ", ".join(f'"{aggregate}": values.{PANDAS[aggregate]}' for aggregate in aggregates)
    code = CODE.format(sql=python_text(sql), measured=measured, found=made)
    found = result_table(engine.program(code, **_about(engine, result))[1])
    width = len(labels)
    expected = {_key(row[:width]): row[width:] for row in found.rows}
    shown = result_table(result)
    places = [shown.names.index(label) for label in labels]
    for row in shown.rows:
        key = _key([row[place] for place in places])
        values = [value for place, value in enumerate(row) if place not in places]
        if key not in expected or difference([values], [expected[key]]):
            detail = f"{key}: {values} here, {expected.get(key)} there"
            return Check(SECOND, SECOND_STATEMENT, True, False, detail, code)
    if not result.arguments["limit"] and len(shown.rows) != len(expected) and not shown.truncated:
        detail = f"{len(shown.rows)} groups here, {len(expected)} there"
        return Check(SECOND, SECOND_STATEMENT, True, False, detail, code)
    return Check(SECOND, SECOND_STATEMENT, True, True, code=code)


def _rows_sql(engine: Engine, result: Result, selection: Selection) -> tuple[str, list[str], str]:
    """SQL of the selected rows with their group labels and the measure, the labels' and its name."""
    arguments = result.arguments
    data = engine.dataset(arguments["dataset"])
    labels: dict[str, Any] = {}
    for name in arguments["by"]:
        column = engine.column(data, name)
        unit = arguments["interval"] or selected_interval(engine, selection, column)
        named, _ = grouping(selection.table, column, unit)
        label = list(named)[-1]
        labels[label] = named[label]
    table = selection.table
    measured = arguments["measure"]
    value = table[engine.column(data, measured).name] if measured else ibis.literal(1)
    name = free_name("value", labels)
    return compile_sql(table.select(**labels, **{name: value})), list(labels), name


def _parts_and_total(engine: Engine, result: Result, selection: Selection, aggregate: str) -> Check:
    statement = "The groups add up to the total over all selected rows."
    measure, data = result.arguments["measure"], engine.dataset(result.arguments["dataset"])
    column = engine.column(data, measure) if measure else None
    summed = selection.table.aggregate(n=aggregated(selection.table, aggregate, column))
    total = engine.fetch(summed).rows[0][0]
    shown = result_table(result)
    place = len(shown.names) - len(_aggregates(engine, result))
    parts = math.fsum(float(row[place] or 0) for row in shown.rows)
    same = math.isclose(parts, float(total or 0), rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return Check("parts and total", statement, True, same, "" if same else f"{parts} against {total}")


def _aggregates(engine: Engine, result: Result) -> list[str]:
    arguments = result.arguments
    if not arguments["measure"]:
        return ["count"]
    given = [name for name in arguments["aggregate"] if name]
    column = engine.column(engine.dataset(arguments["dataset"]), arguments["measure"])
    return list(dict.fromkeys(given)) or ["sum" if column.kind in ("integer", "number") else "count"]


def _about(engine: Engine, result: Result) -> dict[str, Any]:
    used = [engine.dataset(ref.dataset) for ref in result.inputs]
    return {"title": "check", "tool": "check", "arguments": {}, "datasets": used or engine.datasets}


def _key(labels: Sequence[Any]) -> tuple[str, ...]:
    return tuple("" if label is None else str(label).removesuffix(" 00:00:00") for label in labels)

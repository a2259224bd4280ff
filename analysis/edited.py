"""A result's SQL after somebody changed it: run again, and drawn again where it was a chart."""

import time
from dataclasses import replace
from typing import Any

from analysis.chart_result import draw
from analysis.engine import Engine, result_table
from analysis.errors import AnalysisError, UnknownOption
from analysis.show import OF_GROUPS
from analysis.sql import sql
from storage.results import Result

FROM_ALL_ROWS = "A {} needs every row, and an edited query gives a table. Choose a bar, a line or a table."


def edited(engine: Engine, result: Result, query: str) -> Result:
    """The query's result under the title of `result`, as a chart of the same kind if that was one.

    A chart that the new table does not fit stays a table, with a note. Raises AnalysisError.
    """
    made = replace(sql(engine, query), title=result.title, parents=[result.id])
    if "kind" not in (about := _about_chart(result)):
        one_row = result_table(made).row_count == 1
        return replace(made, kind="value") if result.kind == "value" and one_row else made
    names = result_table(made).names
    axes = {role: about[role] if about[role] in names else "" for role in ("x", "y", "by")}
    try:
        drawn = _drawn(made, about["kind"], **axes)
    except AnalysisError as error:
        drawn = replace(made, notes=[*made.notes, f"No chart was drawn: {error}"])
    return replace(drawn, tool="show", arguments=about | {"query": query})


def refused(engine: Engine, result: Result, query: str, error: AnalysisError, began: float) -> Result:
    """The record of an edited query that was refused."""
    reason = {
        "type": error.kind, "message": str(error), "line": None, "trace": "",
        "suggestions": error.suggestions,
    }  # fmt: skip
    record = engine.record(
        {"text": "", "printed": "", "failure": reason},
        query,
        "sql",
        time.perf_counter() - began,
        title=result.title,
        tool="show" if "kind" in _about_chart(result) else "sql",
        arguments=_about_chart(result) | {"query": query},
        datasets=[],
        kind="text",
        parents=[result.id],
    )
    return replace(record, status="failed")


def _about_chart(result: Result) -> dict[str, Any]:
    """Kind and columns of a chart, also of an edit of one that failed; nothing for other results."""
    if result.tool != "show":
        return {}
    axes = result.output.get("axes") or result.arguments
    return {"kind": result.arguments["kind"]} | {role: axes.get(role) or "" for role in ("x", "y", "by")}


def _drawn(made: Result, kind: str, x: str, y: str, by: str) -> Result:
    binned = {"from", "to", "rows"} <= set(result_table(made).names)
    if kind not in OF_GROUPS and not (kind == "histogram" and binned):
        raise UnknownOption(FROM_ALL_ROWS.format(kind))
    return draw(kind, replace(made, kind="table"), x, y, by)

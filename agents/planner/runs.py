"""Sentences about a program that ran, made only of what it showed; and about one that failed."""

from typing import Any

from agents.planner.answers import answer, failed
from agents.planner.programs import intent_of
from agents.planner.saying import Response
from analysis.measures import label

INSTEAD = "Ask the same question in direct mode: the tools there compute it another way."
NO_NUMBER = ("nan", "<NA>")
MIDNIGHT = ("T00:00:00", " 00:00:00")


def run_answer(arguments: dict[str, Any], response: Response, notes: list[str]) -> str:
    """The answer to a run of the planner's own code."""
    if response.get("status") != "ok":
        return _broken(response)
    tool, asked = intent_of(str(arguments.get("code", ""))) or ("", {})
    tables = [item for item in response.get("outputs") or [] if item.get("columns") and "rows" in item]
    title = str(arguments.get("title") or "")
    if not tables:
        return f"Here is what the code gave.\n\n*Understood: {title}.*"
    rows = [[_plain(cell) for cell in row] for row in tables[-1]["rows"]]
    shown = tables[-1] | {"status": "ok", "title": title, "rows": rows}
    return answer(tool, asked, shown | _as_tool(tool, asked, shown), notes)


def _broken(response: Response) -> str:
    line = response.get("line")
    told = dict(response)
    if line and response.get("message"):
        told["message"] = f"{response['message']} (line {line} of the code)"
    return f"{failed(told)} {INSTEAD}"


def _plain(cell: Any) -> Any:
    """pandas has no days, only their first moment, and a missing number is not a number."""
    if cell in NO_NUMBER:
        return None
    return cell[:10] if isinstance(cell, str) and cell[10:] in MIDNIGHT else cell


def _as_tool(tool: str, asked: dict[str, Any], shown: Response) -> Response:
    """What a tool's response has besides the table."""
    rows = shown["rows"]
    first = dict(zip(shown["columns"], rows[0], strict=True)) if len(rows) == 1 else {}
    facts: dict[str, Any] = {}
    if tool == "query" and not asked.get("by"):
        return {"kind": "value", "facts": facts, "columns": _labels(asked, shown)}
    if "r" in first and tool == "correlate":
        facts = first
    if "slope" in first and tool == "show":
        facts = {"trend": first}
    return {"facts": facts}


def _labels(asked: dict[str, Any], shown: Response) -> list[str]:
    """A single value has no name of its own."""
    if len(shown["columns"]) > 1:
        return list(shown["columns"])
    measure = str(asked.get("measure") or "")
    aggregate = next(iter(asked.get("aggregate") or []), "sum" if measure else "count")
    return [label(aggregate, measure)]

"""An understood question as Python that a person can read and edit; its numbers are the tool's numbers.

The program is made from the intent, never from the question's text. Its first line is the intent itself,
written as the call of the tool, so that a follow-up finds what it changes, and a reader what was asked.
"""

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agents.planner.draft import Draft, Unfit, laid_out, literal
from agents.planner.draft_charts import show
from agents.planner.draft_query import query
from agents.planner.draft_tables import correlate, crosstab, describe, distribution, rows, trend
from agents.planner.schema import Schema

RUN = "run_python"
WRITERS: dict[str, Callable[[Draft, dict[str, Any]], str]] = {
    "query": query,
    "rows": rows,
    "describe": describe,
    "distribution": distribution,
    "correlate": correlate,
    "crosstab": crosstab,
    "trend": trend,
    "show": show,
}
"""Tools that a short program stands in for; the others compute what would be long to write."""
TITLE_LENGTH = 120


@dataclass(frozen=True)
class Program:
    """Code and what it computes, in words."""

    code: str
    title: str


def program(tool: str, arguments: dict[str, Any], schema: Schema) -> Program | None:
    """The program that computes what the call would; None where the tool does it better."""
    writer = WRITERS.get(tool)
    named = arguments.get("dataset")
    about = schema if not named else next((s for s in [schema, *schema.others] if s.name == named), None)
    if writer is None or about is None:
        return None
    draft = Draft(about)
    try:
        title = writer(draft, arguments)
    except Unfit:
        return None
    title = str(arguments.get("title") or title)
    short = title if len(title) <= TITLE_LENGTH else f"{title[: TITLE_LENGTH - 1]}…"
    if draft.lines[-1].isidentifier():
        # A name alone would be shown under that name.
        draft.lines[-1:] = laid_out("show(", [draft.lines[-1], literal(short)], ")")
    return Program(draft.text(_first_line(tool, arguments)), short)


def intent_of(code: str) -> tuple[str, dict[str, Any]] | None:
    """The call that a program's first line tells; None for code of another hand."""
    first = code.split("\n", 1)[0]
    if not first.startswith("# "):
        return None
    try:
        made = ast.parse(first[2:], mode="eval").body
        if not isinstance(made, ast.Call) or not isinstance(made.func, ast.Name) or made.args:
            return None
        given = {item.arg: ast.literal_eval(item.value) for item in made.keywords if item.arg}
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return (made.func.id, given) if made.func.id in WRITERS else None


def _first_line(tool: str, arguments: dict[str, Any]) -> str:
    given = {
        name: value
        for name, value in arguments.items()
        if name.isidentifier() and value not in (None, "", [])
    }
    return f"# {tool}({', '.join(f'{name}={literal(value)}' for name, value in given.items())})"

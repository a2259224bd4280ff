"""Talks to the planner as ADK does: contents with the card before the newest question, the real tools."""

import asyncio
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from google.adk.models.llm_request import LlmRequest
from google.adk.models.llm_response import LlmResponse
from google.adk.tools.function_tool import FunctionTool
from google.adk.tools.transfer_to_agent_tool import TransferToAgentTool
from google.genai import types

from agents.agent import ANALYSES, DRAWING
from agents.planner.llm import PlannerLlm
from tests.planner.tables import CARDS, card_text

Call = tuple[str, dict[str, Any]]
ASKED: Call = ("ask", {})
TOOLS: list[Callable[..., Any]] = [*ANALYSES, *DRAWING]
MAX_STEPS = 6
DEFAULTS: dict[str, Any] = {"aggregate": ["sum"], "order": "descending", "method": "pearson"}


def response_to(name: str, number: int = 1) -> dict[str, Any]:
    """A small answer of the shape that every tool returns."""
    if name == "find_values":
        columns, rows = ["column", "value", "rows", "exact"], [["city", "Hamburg", 12, True]]
    else:
        columns, rows = ["group", "amount"], [["A", 10.5], ["B", 7]]
    return {
        "status": "ok", "result_id": f"r{number}", "title": "Title", "kind": "table", "columns": columns,
        "rows": rows, "row_count": len(rows), "rows_shown": len(rows), "rows_used": 17, "rows_total": 20,
        "notes": [], "facts": FACTS.get(name, {}),
    }  # fmt: skip


FACTS: dict[str, dict[str, Any]] = {
    "profile": {"rows": 20, "columns": 3, "numeric_columns": 1, "complete_columns": 2},
    "missing": {"missing_cells": 0, "cells": 60, "columns_with_missing": 0},
    "correlate": {"r": 0.5, "p": 0.01, "n": 17},
    "outliers": {"outliers": 0, "values": 17},
}
PLAIN = ("compare", "describe", "distribution")
"""Tools whose answers need their own columns; here their call is all that is looked at."""


@dataclass
class Talk:
    """One conversation; what was called and said in the newest turn."""

    schema: str
    tools: list[Any] = field(default_factory=lambda: [FunctionTool(f) for f in dict.fromkeys(TOOLS)])
    contents: list[types.Content] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    text: str = ""
    responses: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Answers of tools to give instead of the usual small ones."""

    def ask(self, question: str) -> "Talk":
        """One whole turn."""
        self.calls, self.text = [], ""
        self.contents.append(types.UserContent(parts=[types.Part(text=question)]))
        for _ in range(MAX_STEPS):
            final = self.step()[-1]
            assert final.content and final.content.parts
            self.contents.append(final.content)
            called = [part.function_call for part in final.content.parts if part.function_call]
            if not called:
                self.text = "".join(part.text or "" for part in final.content.parts)
                return self
            self.calls += [(c.name or "", dict(c.args or {})) for c in called]
            if called[-1].name == "transfer_to_agent":
                return self
            self.contents.append(self._answers([c.name or "" for c in called]))
        raise AssertionError(f"no end after {MAX_STEPS} steps: {self.calls}")

    def step(self, *, stream: bool = False) -> list[LlmResponse]:
        """One model call."""
        request = LlmRequest(model="built-in-planner", contents=self._with_card())
        request.append_tools(self.tools)

        async def collect() -> list[LlmResponse]:
            return [r async for r in PlannerLlm().generate_content_async(request, stream=stream)]

        return asyncio.run(collect())

    def _with_card(self) -> list[types.Content]:
        card = types.Content(role="user", parts=[types.Part(text=card_text(self.schema))])
        questions = [
            i for i, c in enumerate(self.contents) if c.role == "user" and any(p.text for p in c.parts or [])
        ]
        return [*self.contents[: questions[-1]], card, *self.contents[questions[-1] :]]

    def _answers(self, names: list[str]) -> types.Content:
        parts = []
        for name in names:
            usual = {"status": "error", "message": "not computed"} if name in PLAIN else response_to(name)
            made = self.responses.get(name, usual)
            parts.append(types.Part.from_function_response(name=name, response=made))
        return types.Content(role="user", parts=parts)


def coordinator_tools() -> list[Any]:
    """What the coordinator has: the handover alone."""
    return [TransferToAgentTool(agent_names=["analysis_agent", "visualization_agent"])]


def first_call(schema: str, questions: list[str]) -> Call:
    """The first call of the last question of a conversation; `ASKED` when it only says something."""
    talk = Talk(schema)
    for question in questions:
        talk.ask(question)
    return talk.calls[0] if talk.calls else ASKED


def same(schema: str, made: Call, expected: Call) -> bool:
    """Whether two calls compute the same: defaults and the spelling of periods make no difference."""
    return made[0] == expected[0] and plain(schema, made) == plain(schema, expected)


def plain(schema: str, call: Call) -> dict[str, Any]:
    """Arguments without defaults; filters on dates as intervals."""
    name, given = call
    arguments = {key: value for key, value in given.items() if value not in ("", None, [], 0)}
    for key, usual in DEFAULTS.items():
        if arguments.get(key) in (usual, usual[0] if isinstance(usual, list) else usual):
            del arguments[key]
    arguments.pop("descending" if arguments.get("descending") is False else "", None)
    meant = next((d for d in CARDS[schema] if d["name"] == given.get("dataset")), CARDS[schema][-1])
    columns = {c["name"]: c for c in meant["columns"]}
    first_date = next((n for n, c in columns.items() if c["kind"] in ("date", "datetime")), "")
    if name == "show" and arguments.get("kind") in ("line", "area") and "x" not in arguments:
        arguments["x"] = first_date
    if name == "trend" and arguments.get("date") == first_date:
        del arguments["date"]
    if not arguments.get("measure") and name == "query" and arguments.get("aggregate") == ["count"]:
        del arguments["aggregate"]
    if arguments.get("aggregate") == "count" and name in ("show", "trend", "crosstab"):
        del arguments["aggregate"]
    if "groups" in arguments:
        arguments["groups"] = sorted(arguments["groups"])
    if "where" in arguments:
        arguments["where"] = sorted(map(repr, _filters(columns, arguments["where"])))
    return arguments


def _filters(columns: dict[str, Any], where: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    periods: dict[str, list[str]] = {}
    found: list[tuple[Any, ...]] = []
    for condition in where:
        name, op = condition["column"], condition.get("op", "equals")
        value = condition.get("values") or condition.get("value")
        if columns.get(name, {}).get("kind") in ("date", "datetime") and op not in (
            "is_missing",
            "is_present",
        ):
            low, high = periods.setdefault(name, ["", "9999"])
            start, end = _bounds(str(value))
            if op in ("equals", "at_least", "greater_than"):
                low = max(low, end if op == "greater_than" else start)
            if op in ("equals", "at_most", "less_than"):
                high = min(high, start if op == "less_than" else end)
            periods[name] = [low, high]
        else:
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                value = float(value)
            found.append((name, op, [*map(str, value)] if isinstance(value, list) else value))
    return found + [(name, *bounds) for name, bounds in periods.items()]


def _bounds(text: str) -> tuple[str, str]:
    parts = [int(part) for part in text[:10].split("-")]
    if len(parts) == 1:
        return f"{parts[0]}-01-01", f"{parts[0] + 1}-01-01"
    if len(parts) == 2:
        year, month = parts[0] + parts[1] // 12, parts[1] % 12 + 1
        return f"{parts[0]}-{parts[1]:02}-01", f"{year}-{month:02}-01"
    day = dt.date(*parts)
    return day.isoformat(), (day + dt.timedelta(days=1)).isoformat()

"""One question computed on two paths: by the analyses in SQL, and by a program of the planner in pandas."""

from collections.abc import Callable, Mapping
from typing import Any

from agents.planner.programs import WRITERS, Program, program
from agents.planner.schema import Schema
from agents.tools.running import Filter, conditions
from analysis.correlate import correlate
from analysis.crosstab import crosstab
from analysis.describe import describe
from analysis.distribution import distribution
from analysis.engine import Engine
from analysis.query import query
from analysis.rows import rows
from analysis.show import show
from analysis.trend import trend
from storage.results import Result

ANALYSES: dict[str, Callable[..., Result]] = {
    "query": query, "rows": rows, "describe": describe, "distribution": distribution,
    "correlate": correlate, "crosstab": crosstab, "trend": trend, "show": show,
}  # fmt: skip
FROM_EVERY_ROW = ("scatter", "box")
"""Charts whose tables the two paths make in different shapes."""


def computed(engine: Engine, tool: str, arguments: Mapping[str, Any]) -> Result:
    """What the tool of that name computes. Raises AnalysisError."""
    given = {name: value for name, value in arguments.items() if name != "where"}
    filters = [Filter.model_validate(_filter(item)) for item in arguments.get("where") or []]
    return ANALYSES[tool](engine, where=conditions(filters), **given)


def written(schema: Schema, tool: str, arguments: Mapping[str, Any]) -> Program | None:
    """The program of the same question; None where there is none to compare."""
    if tool not in WRITERS or not comparable(tool, arguments):
        return None
    return program(tool, dict(arguments), schema)


def comparable(tool: str, arguments: Mapping[str, Any]) -> bool:
    """Whether the tables of both paths have one shape. A chart of an earlier result is about that one."""
    return tool != "show" or not (arguments.get("result") or arguments.get("kind") in FROM_EVERY_ROW)


def _filter(item: Mapping[str, Any]) -> dict[str, Any]:
    """A stored condition has a list as its value, a filter of a tool under its own name."""
    value = item.get("value")
    return {**item, "value": None, "values": list(value)} if isinstance(value, (list, tuple)) else dict(item)

"""Runs the planner's programs on real tables, and holds their numbers against the tools'."""

import ast
import datetime as dt
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import duckdb
import pandas as pd
import plotly.graph_objects as go

from agents.card import CLOSE, OPEN, data_card
from agents.planner.programs import Program, program
from agents.planner.schema import Schema
from agents.tools.running import Filter, conditions
from analysis.correlate import correlate
from analysis.crosstab import crosstab
from analysis.describe import describe
from analysis.distribution import distribution
from analysis.engine import Engine, result_table
from analysis.query import query
from analysis.rows import rows
from analysis.show import show
from analysis.trend import trend
from sandbox.engine import literal
from sandbox.frames import table
from storage.results import Result

Call = tuple[str, dict[str, Any]]
ANALYSES: dict[str, Any] = {
    "query": query, "rows": rows, "describe": describe, "distribution": distribution,
    "correlate": correlate, "crosstab": crosstab, "trend": trend, "show": show,
}  # fmt: skip


@dataclass
class Shown:
    """What a program showed, and its last expression."""

    values: list[Any] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)

    @property
    def figures(self) -> list[go.Figure]:
        return [value for value in self.values if isinstance(value, go.Figure)]

    @property
    def table(self) -> list[list[Any]]:
        """The last thing shown, as rows of plain values."""
        value = self.values[-1]
        if isinstance(value, pd.DataFrame):
            return [[plain(cell) for cell in row] for row in table(value).rows]
        return [[plain(value)]]


def schema_of(engine: Engine) -> Schema:
    """The planner's view of an engine's data, through the card that a model is sent."""
    text = data_card(engine.datasets).split(OPEN)[1].removesuffix(CLOSE)
    made = Schema.from_card(json.loads(text))
    assert made is not None
    return made


def execute(code: str, engine: Engine) -> Shown:
    """Runs a program with its data by name, `tables` and `show`."""
    shown = Shown()
    with duckdb.connect() as con:
        frames = {d.name: con.sql(f"FROM {literal(str(d.table_path))}").df() for d in engine.datasets}
    scope: dict[str, Any] = {
        **frames,
        "tables": frames,
        "df": frames[engine.datasets[-1].name],
        "show": lambda value, title="": shown.values.append(value),
        "print": lambda *values: shown.printed.append(" ".join(map(str, values))),
    }
    tree = ast.parse(code)
    last = tree.body.pop()
    assert isinstance(last, ast.Expr), "a program ends with what it shows"
    exec(compile(tree, "<program>", "exec"), scope)
    value = eval(compile(ast.Expression(last.value), "<program>", "eval"), scope)
    shown.values += [] if value is None else [value]
    return shown


def written(call: Call, engine: Engine) -> Program | None:
    """The program of a call on an engine's data."""
    return program(call[0], call[1], schema_of(engine))


def computed(call: Call, engine: Engine) -> Result:
    """The tool's own result."""
    tool, given = call
    arguments = dict(given)
    if "where" in arguments:
        arguments["where"] = conditions([Filter.model_validate(item) for item in arguments["where"]])
    return ANALYSES[tool](engine, **arguments)  # type: ignore[no-any-return]


def plain(value: Any) -> Any:
    """A cell as it is compared: gaps as None, numbers as floats, dates as text."""
    if value is None or value is pd.NaT or value is pd.NA or value == "(missing)":
        return None
    if isinstance(value, (bool,)) or type(value).__name__ == "bool":
        return str(bool(value)).lower()
    if isinstance(value, (int, float, Decimal)) or hasattr(value, "dtype"):
        return None if math.isnan(float(value)) else float(value)
    if isinstance(value, (dt.date, dt.datetime)):
        return value.isoformat().removesuffix("T00:00:00")
    return {"yes": "true", "no": "false"}.get(str(value), str(value))


def table_of(result: Result) -> list[list[Any]]:
    """A tool's table as rows of plain values."""
    return [[plain(cell) for cell in row] for row in result_table(result).rows]


def differences(ours: Sequence[Sequence[Any]], theirs: Sequence[Sequence[Any]]) -> Iterator[str]:
    """Where two tables differ, row by row."""
    if len(ours) != len(theirs):
        yield f"{len(ours)} rows and {len(theirs)} rows"
        return
    for number, (row, other) in enumerate(zip(ours, theirs, strict=True), 1):
        if len(row) != len(other) or not all(map(same, row, other)):
            yield f"row {number}: {list(row)} and {list(other)}"


def same(one: Any, two: Any) -> bool:
    """Whether two cells agree, numbers to nine digits."""
    one, two = ({"true": 1.0, "false": 0.0}.get(v, v) if isinstance(v, str) else v for v in (one, two))
    if isinstance(one, float) and isinstance(two, float):
        return math.isclose(one, two, rel_tol=1e-9, abs_tol=1e-9)
    if isinstance(one, float) != isinstance(two, float) and None not in (one, two):
        try:
            return math.isclose(float(one), float(two), rel_tol=1e-9)
        except ValueError:
            return False
    return bool(one == two)


def drawn(figure: go.Figure | dict[str, Any]) -> list[float]:
    """All numbers that a figure's marks stand for, smallest first."""
    traces = [t.to_plotly_json() for t in figure.data] if isinstance(figure, go.Figure) else figure["data"]
    found = [float(v) for trace in traces for v in _marks(trace) if plain(v) is not None]
    return sorted(found)


def _marks(trace: dict[str, Any]) -> Iterator[Any]:
    names = {
        "pie": ["values"],
        "heatmap": ["z"],
        "box": ["q1", "median", "q3", "lowerfence", "upperfence"],
        "bar": ["x" if trace.get("orientation") == "h" else "y"],
    }
    for name in names.get(trace["type"], ["y"]):
        for value in trace[name]:
            yield from value if isinstance(value, list) or hasattr(value, "__len__") else [value]

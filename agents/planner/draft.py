"""A program as it is written: its imports, where its rows come from, the filter, and its lines.

Names and values of the data go in as Python literals and nowhere else, so whatever a file holds stays data.
"""

import builtins
import keyword
from collections.abc import Sequence
from typing import Any

from agents.planner.schema import Column, Schema
from analysis.conditions import OPERATORS, ORDERED, TEXTUAL, period, said, typed
from analysis.errors import AnalysisError

WIDTH = 100
IMPORTS = {
    "np": "import numpy as np",
    "pd": "import pandas as pd",
    "px": "import plotly.express as px",
    "go": "import plotly.graph_objects as go",
    "stats": "from scipy import stats",
}
VARIABLES = {
    "data", "selected", "table", "fig", "show", "df", "con", "tables", "output", "groups", "values", "key",
    "days", "unit", "freq", "wide", "drawn", "largest", "line", "ends", "points", "low", "high", "raw",
    "power", "width", "start", "bins", "counts", "boxes", "inside", "outside", "reach", "rest", "matrix",
    "r", "p", "previous", "cells", "total", "box", "whiskers", "middle", "distance", "parts",
    "names", "year", "quarter", "month", "week", "day", "hour", "weekday", "period", "number",
}  # fmt: skip
"""Names that programs assign or find; a dataset called like one of them is taken from `tables`."""
METHODS = {
    "equals": "eq", "not_equals": "ne", "greater_than": "gt", "less_than": "lt", "at_least": "ge",
    "at_most": "le", "starts_with": "startswith", "ends_with": "endswith",
}  # fmt: skip


class Unfit(Exception):
    """A tool computes this better than a short program would."""


class Draft:
    """One program about one dataset."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.lines: list[str] = []
        self._modules: set[str] = set()
        self.words = ""
        """The filter in words, as results are titled."""
        name = schema.name
        plain = name.isidentifier() and not keyword.iskeyword(name) and not hasattr(builtins, name)
        self.data = name if plain and name not in VARIABLES | set(IMPORTS) else "data"
        """The variable that holds the rows in question."""
        if self.data == "data":
            self.add(f"data = tables[{literal(name)}]")

    def use(self, *modules: str) -> None:
        """Imports modules by their usual short names."""
        self._modules |= set(modules)

    def add(self, *lines: str) -> None:
        """Writes lines."""
        self.lines += lines

    def column(self, name: str) -> Column:
        """The column called so, as the tools find it. Raises Unfit."""
        wanted = str(name).strip()
        for same in (lambda c: c.name == wanted, lambda c: c.name.lower() == wanted.lower()):
            if found := next(filter(same, self.schema.columns), None):
                return self._finite(found)
        raise Unfit(name)

    def field(self, column: Column) -> str:
        """The column's values in the rows in question."""
        return f"{self.data}[{literal(column.name)}]"

    def replace(self, column: Column, values: str) -> None:
        """Puts other values in the place of a column's."""
        self.add(f"selected = {self.data}.assign(**{{{literal(column.name)}: {values}}})")
        self.data = "selected"

    def select(self, where: Sequence[dict[str, Any]]) -> None:
        """Narrows the rows; a program stops when none is left. Raises Unfit."""
        if not where:
            return
        try:
            made = [self._condition(condition) for condition in where]
        except (AnalysisError, KeyError, TypeError) as error:
            raise Unfit(str(error)) from error
        self.words = f" where {' and '.join(_words(condition) for condition in where)}"
        joined = [made[0], *(f"& {condition}" for condition in made[1:])]
        self.add(*laid_out(f"selected = {self.data}[", joined, "]", separator=""))
        self.add("if selected.empty:")
        self.stop(f"No row passes the filter: {self.words[7:]}.")
        self.data = "selected"

    def stop(self, why: str) -> None:
        """Writes the line, under a condition, that ends the program with a reason."""
        self.add(*(f"    {line}" for line in laid_out("raise ValueError(", [literal(why)], ")", "")))

    def text(self, first: str) -> str:
        """The whole program, under its first line."""
        imports = [line for name, line in IMPORTS.items() if name in self._modules]
        parts = [first, *imports, *([""] if imports else []), *self.lines]
        return "\n".join(parts) + "\n"

    def _finite(self, column: Column) -> Column:
        if column.kind == "number" and column.distinct and None in (column.low, column.high):
            raise Unfit("infinities count as missing")
        return column

    def _condition(self, condition: dict[str, Any]) -> str:
        column, op = self.column(condition["column"]), condition.get("op") or "equals"
        value = condition.get("values") or condition.get("value")
        field = self.field(column)
        if op in ("is_missing", "is_present"):
            return f"{field}.{'isna' if op == 'is_missing' else 'notna'}()"
        if op not in OPERATORS or value is None or column.kind in ("time", "other"):
            raise Unfit(op)
        if column.timed:
            made = _of_dates(column, field, op, value)
        elif column.kind == "text":
            made = _of_text(field, op, value)
        else:
            made = _of_numbers(column, field, op, value)
        # Of a column with gaps a comparison is unknown there, but a gap equals nothing.
        negative = op in ("not_equals", "not_in")
        return f"({made} | {field}.isna())" if negative and column.missing else made


def _of_text(field: str, op: str, value: Any) -> str:
    lower = f"{field}.str.lower()"
    if op in TEXTUAL:
        wanted = literal(said(value).lower())
        if op == "contains":
            return f"{lower}.str.contains({wanted}, regex=False, na=False)"
        return f"{lower}.str.{METHODS[op]}({wanted}, na=False)"
    if op in ORDERED:
        raise Unfit(op)
    if op in ("in", "not_in"):
        wanted = literal([said(item).strip().lower() for item in _several(value)])
        return f"{'~' if op == 'not_in' else ''}{lower}.isin({wanted})"
    return f"{lower}.{METHODS[op]}({literal(said(value).strip().lower())})"


def _of_numbers(column: Column, field: str, op: str, value: Any) -> str:
    if op in TEXTUAL or (column.kind == "boolean" and op in ORDERED):
        raise Unfit(op)
    if op in ("in", "not_in"):
        wanted = literal([typed(column.info, item) for item in _several(value)])
        return f"{'~' if op == 'not_in' else ''}{field}.isin({wanted})"
    if op == "between":
        low, high = (literal(typed(column.info, item)) for item in _two(value))
        return f"{field}.between({low}, {high})"
    return f"{field}.{METHODS[op]}({literal(typed(column.info, value))})"


def _of_dates(column: Column, field: str, op: str, value: Any) -> str:
    """A date stands for its whole period; bounds are its start and the start of what follows."""
    if op in TEXTUAL:
        raise Unfit(op)

    def bounds(item: Any) -> tuple[str, str]:
        start, end = period(column.info, item)
        return literal(_moment(start)), literal(_moment(end))

    def inside(item: Any) -> str:
        start, end = bounds(item)
        return f'{field}.between({start}, {end}, inclusive="left")'

    if op == "between":
        low, high = _two(value)
        return f'{field}.between({bounds(low)[0]}, {bounds(high)[1]}, inclusive="left")'
    if op in ("in", "not_in"):
        made = " | ".join(inside(item) for item in _several(value))
        return f"{'~' if op == 'not_in' else ''}({made})"
    start, end = bounds(value)
    return {
        "equals": inside(value),
        "not_equals": f"~{inside(value)}",
        "greater_than": f"{field}.ge({end})",
        "less_than": f"{field}.lt({start})",
        "at_least": f"{field}.ge({start})",
        "at_most": f"{field}.lt({end})",
    }[op]


def _moment(moment: Any) -> str:
    text = str(moment.isoformat(sep=" "))
    return text.removesuffix(" 00:00:00")


def _several(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _two(value: Any) -> list[Any]:
    items = _several(value)
    if len(items) != 2:
        raise Unfit("between needs two values")
    return items


def _words(condition: dict[str, Any]) -> str:
    name, op = condition["column"], condition.get("op") or "equals"
    value = condition.get("values") or condition.get("value")
    if op in ("is_missing", "is_present"):
        return f"{name} {OPERATORS[op]}"
    joined = (" and " if op == "between" else ", ").join(said(item) for item in _several(value))
    return f"{name} {OPERATORS[op]} {joined}"


def literal(value: Any) -> str:
    """A value as Python source on one line, with double quotes where that needs no escape."""
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(literal(item) for item in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{literal(k)}: {literal(v)}' for k, v in value.items())}}}"
    text = repr(value)
    if isinstance(value, str) and text.startswith("'") and '"' not in value:
        return f'"{text[1:-1]}"'
    return text


def rising_but_first(count: int) -> str:
    """The argument of sort_values that orders by the first name downwards, by the others upwards."""
    short = literal([False, *[True] * (count - 1)])
    return f"ascending={short}" if count <= 4 else f"ascending=[False] + [True] * {count - 1}"


def laid_out(before: str, items: Sequence[str], after: str, separator: str = ",") -> list[str]:
    """One line where it is short, else an item a line."""
    short = before + f"{separator} ".join(items) + after
    if len(short) <= WIDTH:
        return [short]
    return [before, *(f"    {item}{separator}" for item in items), after]

"""Every everyday operation as a call, and what it means that two engines give the same."""

import datetime as dt
import math
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

from analysis.compare import compare
from analysis.conditions import Condition
from analysis.correlate import correlate
from analysis.crosstab import crosstab
from analysis.describe import describe
from analysis.distribution import distribution
from analysis.engine import Engine, result_table
from analysis.errors import AnalysisError
from analysis.find_values import find_values
from analysis.outliers import outliers
from analysis.profile import missing, profile
from analysis.query import query
from analysis.rows import rows
from analysis.show import show
from analysis.trend import trend
from storage.results import Result

Operation = Callable[[Engine], Result]
SEVEN: list[Condition] = [{"column": "units", "op": "equals", "value": 7}]
ROME: list[Condition] = [{"column": "city", "op": "equals", "value": "Rome"}]
ALL = ["sum", "mean", "median", "count", "min", "max", "std", "distinct"]


def _where(op: str, column: str, value: Any = None) -> Operation:
    """Rows that pass one condition, counted and summed by segment."""
    where: list[Condition] = [{"column": column, "op": op, "value": value}]
    return lambda e: query(e, measure="amount", aggregate=["count", "sum"], by=["segment"], where=where)


OPERATIONS: dict[str, Operation] = {
    "count": lambda e: query(e),
    "every aggregate": lambda e: query(e, measure="amount", aggregate=ALL),
    "every aggregate of integers": lambda e: query(e, measure="units", aggregate=ALL, by=["segment"]),
    "every aggregate of NaN": lambda e: query(e, measure="score", aggregate=ALL, by=["segment"]),
    "every aggregate of decimals": lambda e: query(e, measure="price", aggregate=ALL, by=["segment"]),
    "yes and no": lambda e: query(e, measure="active", aggregate=["mean", "sum", "count"], by=["segment"]),
    "dates": lambda e: query(e, measure="ordered", aggregate=["min", "max", "distinct"], by=["segment"]),
    "missing group": lambda e: query(e, measure="amount", by=["city"]),
    "two groups": lambda e: query(e, measure="units", aggregate=["sum"], by=["segment", "active"]),
    "top": lambda e: query(e, measure="amount", by=["city"], limit=2),
    "ascending": lambda e: query(e, measure="amount", aggregate=["mean"], by=["city"], order="ascending"),
    **{
        f"by {unit}": partial(query, measure="amount", by=["ordered"], interval=unit)
        for unit in ("year", "quarter", "month", "week", "day", "weekday")
    },
    "by hour": lambda e: query(e, measure="units", by=["at"], interval="hour"),
    "by month of moments": lambda e: query(e, by=["at"], interval="month"),
    "equals": _where("equals", "city", "BERLIN"),
    "not equals": _where("not_equals", "city", "berlin"),
    "contains": _where("contains", "city", "50%_"),
    "starts with": _where("starts_with", "city", "b"),
    "ends with": _where("ends_with", "city", "dź"),
    "in": _where("in", "city", ["Rome", "PARIS"]),
    "not in": _where("not_in", "city", ["Rome", "PARIS"]),
    "missing": _where("is_missing", "score"),
    "present": _where("is_present", "ordered"),
    "above": _where("greater_than", "score", 12.5),
    "at least": _where("at_least", "price", 500),
    "at most": _where("at_most", "units", 3),
    "below": _where("less_than", "units", 3),
    "between": _where("between", "amount", [10, 30.5]),
    "between dates": _where("between", "ordered", ["2023-03", "2023-05-15"]),
    "in a month": _where("equals", "at", "2024-03"),
    "after a moment": _where("greater_than", "at", "2024-02-28 12:00:00"),
    "before a day": _where("less_than", "ordered", "2023-02-14"),
    "is yes": _where("equals", "active", "yes"),
    "is not yes": _where("not_equals", "active", True),
    "rows": lambda e: rows(e, where=SEVEN, order_by="id", limit=40),
    "highest rows": lambda e: rows(
        e, columns=["id", "amount", "at"], order_by="amount", descending=True, limit=9
    ),
    "find values": lambda e: find_values(e, "berlin"),
    "describe numbers": lambda e: describe(e, "amount"),
    "describe NaN": lambda e: describe(e, "score"),
    "describe dates": lambda e: describe(e, "ordered"),
    "describe moments": lambda e: describe(e, "at"),
    "describe names": lambda e: describe(e, "city"),
    "distribution": lambda e: distribution(e, "amount"),
    "distribution of integers": lambda e: distribution(e, "units", bins=5),
    "distribution of names": lambda e: distribution(e, "city"),
    "distribution of dates": lambda e: distribution(e, "ordered"),
    "outliers": lambda e: outliers(e, "amount"),
    "outliers by z-score": lambda e: outliers(e, "amount", "zscore"),
    "correlation": lambda e: correlate(e, "units", "score"),
    "rank correlation": lambda e: correlate(e, "units", "score", method="spearman"),
    "correlations": lambda e: correlate(e, columns=["amount", "units", "score", "price"]),
    "rank correlations": lambda e: correlate(e, columns=["units", "score", "price"], method="spearman"),
    "crosstab": lambda e: crosstab(e, "segment", "active"),
    "crosstab of sums": lambda e: crosstab(e, "city", "segment", "amount", "sum", "rows"),
    "crosstab by month": lambda e: crosstab(e, "ordered", "segment", "units", "median"),
    "trend": lambda e: trend(e, "amount", "ordered", interval="week"),
    "trend of means": lambda e: trend(e, "score", "ordered", "mean", "month", "segment"),
    "trend by hour": lambda e: trend(e, "", "at", interval="hour"),
    "profile": lambda e: profile(e),
    "missing values": lambda e: missing(e),
    "compare two": lambda e: compare(e, "amount", "active"),
    "compare three": lambda e: compare(e, "score", "segment"),
    "bar chart": lambda e: show(e, "bar", x="segment", y="amount", aggregate="mean"),
    "line chart": lambda e: show(e, "line", x="ordered", y="amount", interval="month"),
    "pie": lambda e: show(e, "pie", x="segment", y="units"),
    "box plot": lambda e: show(e, "box", x="segment", y="amount"),
    "histogram": lambda e: show(e, "histogram", x="score"),
    "heatmap": lambda e: show(e, "heatmap", x="segment", by="active", y="units"),
    "scatter chart": lambda e: show(e, "scatter", x="units", y="score", where=ROME),
}  # fmt: skip
UNORDERED = ("scatter chart",)
"""Operations whose rows have no order."""


def differences(name: str, expected: Result, there: Engine) -> list[str]:
    """What is not the same as expected in table, facts, notes and rows used, each in words."""
    try:
        found = OPERATIONS[name](there)
    except AnalysisError as error:
        return [f"refused: {error}"]
    one, other = result_table(expected), result_table(found)
    said = []
    if one.names != other.names:
        said.append(f"columns {one.names} and {other.names}")
    if expected.rows_used != found.rows_used or expected.rows_total != found.rows_total:
        said.append(f"rows used {expected.rows_used} and {found.rows_used}")
    first, second = one.rows, other.rows
    if name in UNORDERED:
        first, second = sorted(first, key=str), sorted(second, key=str)
    if len(first) != len(second):
        said.append(f"{len(first)} rows and {len(second)}")
    said += [
        f"row {i}: {a} and {b}"
        for i, (a, b) in enumerate(zip(first, second, strict=False))
        if not _same(a, b)
    ][:3]
    if not _same(expected.facts, found.facts):
        said.append(f"facts {expected.facts} and {found.facts}")
    if expected.notes != found.notes:
        said.append(f"notes {expected.notes} and {found.notes}")
    return said


def _same(a: Any, b: Any) -> bool:
    """Texts, whole numbers and dates exactly, other numbers within 1e-9."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, (float, Decimal)) or isinstance(b, (float, Decimal)):
        if not isinstance(a, (int, float, Decimal)) or not isinstance(b, (int, float, Decimal)):
            return False
        x, y = float(a), float(b)
        return (math.isnan(x) and math.isnan(y)) or math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-9)
    if isinstance(a, (dt.date, dt.datetime)):
        return type(a) is type(b) and bool(a == b)
    return bool(a == b)

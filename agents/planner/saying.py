"""Numbers, names and periods as sentences have them."""

import math
from typing import Any

Response = dict[str, Any]
"""What a tool returned."""


def number(value: Any) -> str:
    """A number for reading: separators; two decimals from 100 on, else up to four digits that matter."""
    if value is None:
        return "no value"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if math.isnan(value):
        return "no value"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    if abs(value) >= 100:
        return f"{value:,.2f}"
    if abs(value) >= 0.01:
        return f"{value:,.4f}".rstrip("0").rstrip(".")
    return f"{value:.3g}"


def name(value: Any) -> str:
    """A group's name."""
    return (
        "(missing)" if value is None else "yes" if value is True else "no" if value is False else str(value)
    )


def p_value(p: float) -> str:
    """A p-value as it is usually written."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def strength(r: float) -> str:
    """A correlation in words (Cohen 1988: 0.1 small, 0.3 medium, 0.5 large)."""
    size = abs(r)
    if size < 0.1:
        return "practically no linear relation"
    word = "strong" if size >= 0.5 else "moderate" if size >= 0.3 else "weak"
    return f"a {word} {'positive' if r > 0 else 'negative'} relation"


def period(value: Any, column: str) -> str:
    """A group's name; a month's first day as the month, a year's as the year."""
    if isinstance(value, str) and value[4:5] == "-" and value[-3:] == "-01":
        if column == "year" or column.endswith("(year)"):
            return value[:4]
        if column == "month" or column.endswith("(month)"):
            return value[:7]
    return name(value)

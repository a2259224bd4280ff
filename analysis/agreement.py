"""Whether two tables say the same, however each path to them writes dates, gaps and truth values."""

import datetime as dt
import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

TOLERANCE = 1e-9
MISSING = "(missing)"
MIDNIGHT = ("T00:00:00", " 00:00:00")
Rows = Sequence[Sequence[Any]]


def difference(ours: Rows, theirs: Rows, *, ordered: bool = True) -> str:
    """The first place where two tables differ; empty when they agree."""
    if len(ours) != len(theirs):
        return f"{len(ours):,} rows and {len(theirs):,} rows"
    if not ordered:
        ours, theirs = sorted(ours, key=_order), sorted(theirs, key=_order)
    for number, (row, other) in enumerate(zip(ours, theirs, strict=True), 1):
        if len(row) != len(other):
            return f"{len(row)} columns and {len(other)} columns"
        for one, two in zip(row, other, strict=True):
            if not same(one, two):
                return f"row {number}: {one} and {two}"
    return ""


def same(one: Any, two: Any) -> bool:
    """Whether two cells agree; numbers to nine digits."""
    one, two = plain(one), plain(two)
    if one is None or two is None:
        return one is two
    try:
        return math.isclose(float(one), float(two), rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    except (TypeError, ValueError):
        return str(one) == str(two)


def plain(value: Any) -> Any:
    """A cell without its path's own way of writing: gaps as None, whole days without a time."""
    if value is None or value != value or value in (MISSING, "nan", "<NA>"):
        return None
    if isinstance(value, (bool, int, float, Decimal)):
        return float(value)
    text = value.isoformat() if isinstance(value, dt.date) else str(value)
    text = text[:10] if text[10:] in MIDNIGHT else text
    return {"True": 1.0, "False": 0.0, "true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}.get(text, text)


def _order(row: Sequence[Any]) -> list[str]:
    """Rows in an order of their own: by their words, then by their numbers without the last digits."""
    cells = [plain(cell) for cell in row]
    words = [str(cell) for cell in cells if not isinstance(cell, float)]
    return [*words, *(f"{cell:+.6e}" for cell in cells if isinstance(cell, float))]

"""The few numbers of a result that an answer is made of, JSON-safe."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from operator import itemgetter
from typing import Any

from sandbox.table import Table
from storage.jsonsafe import to_json_safe
from storage.results import Result


def with_facts(result: Result, facts: dict[str, Any]) -> Result:
    """The same result with key numbers added."""
    return replace(result, facts=result.facts | to_json_safe(facts))


def extremes(table: Table, keys: Sequence[str], measure: str) -> dict[str, Any]:
    """The groups with the highest and the lowest `measure`; none when not every group is there."""
    records = [r for r in table.records() if is_number(r[measure])]
    if not records or table.truncated:
        return {}
    ends = {"highest": max(records, key=itemgetter(measure)), "lowest": min(records, key=itemgetter(measure))}
    return {end: {"group": [r[key] for key in keys], "value": r[measure]} for end, r in ends.items()}


def is_number(value: Any) -> bool:
    """Whether a cell is a number that can be compared; NaN cannot."""
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool) and value == value

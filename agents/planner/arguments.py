"""What every form needs: the filter as an argument, and the one number column that is meant."""

from typing import Any

from agents.planner.intent import Intent, ask
from agents.planner.parts import Parts
from agents.planner.schema import Column, Schema

DIMENSIONLESS = ("count", "distinct")


def with_where(parts: Parts, **arguments: Any) -> dict[str, Any]:
    return arguments | ({"where": parts.where} if parts.where else {})


def measure_meant(parts: Parts) -> Column | Intent | None:
    """The one number column meant; a question back when several are possible; None for counting."""
    if parts.measures:
        return parts.measures[0]
    if parts.order_by and parts.order_by.numeric:
        return parts.order_by
    needs_number = set(parts.aggregates) - set(DIMENSIONLESS)
    if not needs_number:
        return None
    dates = [c for c in parts.others if c.timed]
    if dates and needs_number <= {"min", "max"}:
        return dates[0]
    known = parts.schema.measures
    if len(known) == 1:
        return known[0]
    if not known:
        return ask(f"{parts.schema.file or parts.schema.name} has no column of numbers for that.")
    what = {"mean": "average", "sum": "total", "std": "standard deviation"}.get(
        parts.aggregates[0], parts.aggregates[0]
    )
    return ask(f"The {what} of which column: {', '.join(c.name for c in known[:8])}?")


def choices(schema: Schema) -> str:
    return ", ".join(c.name for c in schema.measures[:8])

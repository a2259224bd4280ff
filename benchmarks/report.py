"""The table."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from benchmarks.services import DATABASE, MEMORY, OURS, RAW, SQLITE

HEADERS = {
    OURS: "ours",
    MEMORY: "InMemory",
    SQLITE: "ADK Sqlite",
    DATABASE: "ADK Database",
    RAW: "raw sqlite3",
}


@dataclass(frozen=True)
class Row:
    """One operation; `values` are medians, `shown` what the table says instead of a number."""

    operation: str
    values: dict[str, float]
    demanded: str
    met: bool
    shown: dict[str, str] = field(default_factory=dict)
    ratio: str = ""

    def cells(self) -> list[str]:
        """The cells of the table's line."""
        figures = [self.shown.get(name) or number(self.values.get(name)) for name in HEADERS]
        verdict = f"{self.demanded}: {'met' if self.met else '**not met**'}"
        return [self.operation, *figures, self.ratio or times(self.values, SQLITE), verdict]

    def record(self) -> dict[str, Any]:
        """For a JSON file."""
        return asdict(self) | {"cells": self.cells()}


def medians(samples: Mapping[str, list[float]]) -> dict[str, float]:
    """The median of each service that has samples."""
    return {name: median(values) for name, values in samples.items() if values}


def factor(values: Mapping[str, float], other: str) -> float:
    """How many times ours is faster; 0 when the other was not measured."""
    return values[other] / values[OURS] if other in values else 0.0


def times(values: Mapping[str, float], other: str) -> str:
    """`factor` for people."""
    ratio = factor(values, other)
    return f"{number(ratio)}x" if ratio else "-"


def number(value: float | None) -> str:
    """Three figures, no exponent."""
    if value is None:
        return "-"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def table(rows: list[Row]) -> str:
    """Markdown."""
    head = ["operation", *HEADERS.values(), "ours vs ADK Sqlite", "demanded"]
    lines = [head, ["---", *["---:"] * (len(head) - 2), "---"], *(row.cells() for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)

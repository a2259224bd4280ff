"""One line of a table of figures: what was measured, beside whom, and whether it is what was demanded."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One line of the table; figures are medians."""

    what: str
    figures: dict[str, float]
    unit: str
    ratio: str
    demanded: str
    met: bool

    def line(self) -> str:
        """As Markdown."""
        shown = ", ".join(f"{name} {value:,.1f}" for name, value in self.figures.items())
        return f"| {self.what} | {shown} {self.unit} | {self.ratio} | {self.demanded}: {self.verdict} |"

    @property
    def verdict(self) -> str:
        """Whether it is what was demanded."""
        return "met" if self.met else "**not met**"


def timed(work: Callable[[], Any]) -> float:
    """Milliseconds."""
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def table(rows: Sequence[Row]) -> str:
    """All lines as Markdown."""
    lines = ["| what | medians | ratio | demanded |", "| --- | --- | --- | --- |", *(r.line() for r in rows)]
    return "\n".join(lines) + "\n"

"""Questions for a chart: its kind, its axes, its aggregation."""

from typing import Any

from agents.planner import lexicon as lex
from agents.planner.arguments import choices, measure_meant, with_where
from agents.planner.help import cannot
from agents.planner.intent import Intent, ask
from agents.planner.parts import Parts, unclear
from agents.planner.schema import Column, is_rate
from agents.planner.tokens import has


def chart(tokens: list[str], parts: Parts) -> Intent:
    if again := unclear(parts):
        return again
    kind = parts.chart if parts.chart != "auto" else _best_chart(tokens, parts)
    groups = [c for c in [*parts.by, *parts.others] if not c.numeric]
    numbers = [*parts.measures, *[c for c in parts.by if c.numeric and c not in parts.measures]]
    if kind == "heatmap":
        if len(groups) >= 2:
            return Intent("show", with_where(parts, kind=kind, **_cells(parts, groups, numbers)))
        return Intent("show", with_where(parts, kind=kind))
    if kind == "scatter":
        if len(numbers) < 2:
            names = ", ".join(c.name for c in parts.schema.measures[:8])
            return ask(f"A scatter chart needs two number columns; choose from: {names}.")
        extra = {"by": groups[0].name} if groups else {}
        return Intent("show", with_where(parts, kind=kind, x=numbers[0].name, y=numbers[1].name, **extra))
    if kind == "histogram":
        columns = numbers or groups
        if not columns:
            return ask("A histogram of which column: " + choices(parts.schema) + "?")
        return Intent("show", with_where(parts, kind=kind, x=columns[0].name))
    if kind == "box":
        if not numbers:
            return ask("A box plot of which column: " + choices(parts.schema) + "?")
        extra = {"by": groups[0].name} if groups else {}
        return Intent("show", with_where(parts, kind=kind, y=numbers[0].name, **extra))
    return _grouped_chart(tokens, parts, kind, groups)


def _cells(parts: Parts, groups: list[Column], numbers: list[Column]) -> dict[str, Any]:
    cells: dict[str, Any] = {"x": groups[0].name, "by": groups[1].name}
    if numbers:
        cells["y"] = numbers[0].name
        cells["aggregate"] = (
            parts.aggregates[0] if parts.aggregates else "mean" if is_rate(numbers[0]) else "sum"
        )
    return cells


def _best_chart(tokens: list[str], parts: Parts) -> str:
    """Without a named kind: time a line, two numbers a scatter, one number alone a histogram, else bars."""
    if parts.interval and parts.interval != "weekday":
        return "line"
    if has(tokens, lex.TREND) or any(c.timed for c in [*parts.by, *parts.others]):
        return "line"
    if has(tokens, lex.DISTRIBUTION):
        return "histogram"
    if len(parts.measures) == 2 and not parts.aggregates and not parts.by:
        return "scatter"
    if parts.measures and not parts.by and not parts.others and not parts.aggregates:
        return "histogram"
    return "bar"


def _grouped_chart(tokens: list[str], parts: Parts, kind: str, groups: list[Column]) -> Intent:
    measure = measure_meant(parts)
    if isinstance(measure, Intent):
        return measure
    timed = [c for c in groups if c.timed]
    named = [c for c in groups if not c.timed]
    arguments: dict[str, Any] = {"kind": kind}
    over_time = bool(parts.schema.dates) and has(tokens, lex.TREND)
    alone = kind in ("line", "area") and bool(parts.schema.dates) and not named
    if parts.interval or timed or over_time or alone:
        date = timed[0] if timed else parts.schema.dates[0]
        arguments["x"] = date.name
        if named:
            arguments["by"] = named[0].name
    elif named:
        arguments["x"] = named[0].name
        if len(named) > 1:
            arguments["by"] = named[1].name
    else:
        options = ", ".join(c.name for c in parts.schema.groups[:6])
        return ask(f"A {kind} chart by what: {options}?" if options else cannot(parts.schema))
    if measure is not None:
        kept = [a for a in parts.aggregates if a != "count"] or parts.aggregates
        arguments |= {
            "y": measure.name,
            "aggregate": kept[0] if kept else "mean" if is_rate(measure) else "sum",
        }
    if parts.interval:
        arguments["interval"] = parts.interval
    if parts.limit:
        arguments["limit"] = parts.limit
    return Intent("show", with_where(parts, **arguments))

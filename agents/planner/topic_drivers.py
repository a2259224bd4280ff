"""Questions where a change comes from, and how one period compares with another."""

import re
from typing import Any

from agents.planner.intent import Intent, Maker, ask
from agents.planner.saying import Response, name, number, period
from agents.planner.schema import Column, Schema, is_rate
from agents.planner.wording import Rest, exact, read, squeezed

UNITS = "year|quarter|month|week|day"
CHANGED = (
    r"(?:drop|fall|decline|decrease|shrink|sink|go down|rise|grow|increase|jump|go up|change|climb|dip|"
    r"dropp?ed|fell|declined|decreased|rose|grew|increased|jumped|changed|went up|went down|lower|higher)"
)
WHY = re.compile(
    rf"^(?:(?:can you )?(?:tell|explain|show)(?: me)? )?why (?:did|has|have|was|were|is|are) (?:the )?(.+?) "
    rf"{CHANGED}\b(.*)$"
)
DROVE = re.compile(
    r"^(?:what|which \w+) (?:drove|drives|explains?|caused|is behind|was behind|contributed (?:most )?to) "
    rf"(?:the )?(?:{CHANGED}|drop|fall|rise|growth|change|increase|decrease|decline) (?:of|in) (?:the )?(.+)$"
)
DRIVERS = re.compile(
    r"^(?:show (?:me )?|find )?(?:the )?(?:drivers of|contributions to) (?:the )?(?:change (?:of|in) )?(.+)$"
)
THIS = re.compile(
    rf"^(?:compare )?(.*?)\b(?:this|the current|current) ({UNITS})'?s?\b ?(.*?)\b"
    rf"(?:with|to|and|vs\.?|versus|against|compared (?:with|to)) (?:the )?(?:last|previous|prior|one before|"
    rf"same|year before)\b.*$"
)
VERSUS = re.compile(
    r"\b(?:compared (?:with|to)|versus|vs\.?|against|relative to) (?:the )?(same .+|year before|previous .+|"
    r"last year|.*\d{4}.*)$"
)


def understand(text: str, tokens: list[str], schema: Schema) -> Intent | None:
    """A change to take apart, or periods to compare; None for anything else, or without dates."""
    if not schema.dates:
        return None
    asked = squeezed(text)
    if found := THIS.search(asked):
        return _periods(found, schema)
    found = WHY.search(asked)
    if found:
        return _drivers(f"{found[1]} {found[2]}", schema, whole_name=True)
    found = DROVE.search(asked) or DRIVERS.search(asked)
    return _drivers(found[1], schema, whole_name=False) if found else None


def _drivers(about: str, schema: Schema, *, whole_name: bool) -> Intent | None:
    """ "why …" is taken up for a column that is named whole, or for the number of rows."""
    versus = ""
    if found := VERSUS.search(about):
        versus = "year" if "year" in found[1] and not re.search(r"\d{4}", found[1]) else "previous"
        if re.search(r"\d{4}", found[1]):
            versus = _period_of(read(found[1], schema)) or versus
        about = about[: found.start()]
    rest = read(about, schema)
    parts = rest.parts
    named = [c for c in exact(rest.schema, about) if c.numeric]
    counting = "count" in parts.aggregates
    if rest.back is not None:
        return rest.back
    if not named and not counting:
        return None if whole_name or not parts.measures else rest.problem() or _which(parts.measures[0])
    if again := rest.problem():
        return again
    by = [c.name for c in [*parts.by, *parts.others] if not c.timed]
    when = _period_of(rest)
    kept = [w for w in parts.where if w["column"] not in {c.name for c in rest.schema.dates}]
    if len(kept) == len(parts.where) or when:
        parts.where[:] = kept
    measure = None if counting else named[0]
    return rest.intent(
        "drivers", measure=measure.name if measure else "", period=when, versus=versus, by=by,
        aggregate=_aggregate(measure, parts.aggregates),
        interval=parts.interval if parts.interval not in ("hour", "weekday") else "",
    )  # fmt: skip


def _periods(found: re.Match[str], schema: Schema) -> Intent | None:
    rest = read(f"{found[1]} {found[3]}", schema)
    parts = rest.parts
    if again := rest.problem():
        return again
    if parts.by or parts.others:
        return None
    measure = parts.measures[0] if parts.measures else None
    if measure is None and "count" not in parts.aggregates and not _rows_meant(found[1] + found[3]):
        measure = rest.schema.main_measure
        if measure is not None:
            parts.notes.append(f"no column was named, so {measure.name}")
    return rest.intent(
        "compare_periods", measure=measure.name if measure else "", interval=found[2],
        aggregate=_aggregate(measure, parts.aggregates),
    )  # fmt: skip


def _rows_meant(words: str) -> bool:
    return bool(words.replace("compare", " ").split())


def _which(column: Column) -> Intent:
    return ask(f"Which column do you mean? Name it whole, as in: {column.name}.")


def _aggregate(measure: Column | None, asked: list[str]) -> str:
    known = [name for name in asked if name in ("sum", "mean")]
    if measure is None or known:
        return known[0] if known and measure is not None else ""
    return "mean" if is_rate(measure) else "sum"


def _period_of(rest: Rest) -> str:
    """The period that the question names, as the tool takes it; nothing for none or an open one."""
    dates = {c.name for c in rest.schema.dates}
    given = [w for w in rest.parts.where if w["column"] in dates]
    if len(given) == 1 and given[0]["op"] == "equals":
        return str(given[0]["value"])
    ends = {w["op"]: str(w["value"]) for w in given if "value" in w}
    if set(ends) == {"at_least", "at_most"}:
        first, last = ends["at_least"], ends["at_most"]
        if len(first) == len(last) == 7 and first[:4] == last[:4]:
            start, end = int(first[5:]), int(last[5:])
            if end - start == 2 and start % 3 == 1:
                return f"{first[:4]}-Q{start // 3 + 1}"
    return ""


def _said_drivers(arguments: dict[str, Any], response: Response) -> str:
    facts = response["facts"]
    change = facts["change"]
    if not change:
        return (
            f"The {_what(facts)} did not change from {facts['earlier']} to {facts['later']} "
            f"(**{number(facts['after'])}**)."
        )
    way = "rose" if change > 0 else "fell"
    percent = f" ({number(facts['percent'])}%)" if facts["percent"] is not None else ""
    words = (
        f"The {_what(facts)} {way} from {number(facts['before'])} in {facts['earlier']} to "
        f"**{number(facts['after'])}** in {facts['later']}, a change of **{number(change)}**{percent}."
    )
    along, against = (facts["up"], facts["down"]) if change > 0 else (facts["down"], facts["up"])
    if along:
        words += f" Most of it shows in {_segments(along[:3])}."
    if against:
        words += f" Against it went {_segments(against[:2])}."
    if "by_rows" in facts:
        words += (
            f" By the number of rows ({number(facts['rows_before'])} to {number(facts['rows_after'])}) "
            f"{number(facts['by_rows'])}, by the value a row {number(facts['by_value'])}."
        )
    return words + " This says where the change shows, not what caused it."


def _what(facts: dict[str, Any]) -> str:
    return "number of rows" if facts["of"] == "rows" else str(facts["of"])


def _segments(parts: list[dict[str, Any]]) -> str:
    said = [f"{p['dimension']} {name(p['segment'])} ({number(p['contribution'])})" for p in parts]
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"


def _said_periods(arguments: dict[str, Any], response: Response) -> str:
    facts = response["facts"]
    words = [f"The {_what(facts)} is **{number(facts['this']['value'])}** in {facts['this']['period']}"]
    for key, title in (("before", "the period before"), ("a_year_before", "the same a year before")):
        other = facts.get(key)
        if other is None:
            continue
        if other["value"] is None:
            words.append(f"{title}, {other['period']}, has no rows")
            continue
        percent = f", {number(other['percent'])}%" if other["percent"] is not None else ""
        words.append(
            f"{number(other['value'])} in {period(other['period'], '')} ({title}; change "
            f"**{number(other['change'])}**{percent})"
        )
    return "; ".join(words) + "."


MAKERS: dict[str, Maker] = {"drivers": _said_drivers, "compare_periods": _said_periods}

"""Questions about what comes next, about seasons, trends that are tested, and periods that stand out."""

import re
from typing import Any

from agents.planner.intent import Intent, Maker, ask
from agents.planner.lexicon import NUMBER_WORDS
from agents.planner.saying import Response, number, p_value, period
from agents.planner.schema import Column, Schema
from agents.planner.wording import INTERVALS, Rest, aggregate_of, exact, read, squeezed

UNIT = "|".join(INTERVALS)
COUNT = rf"(\d+|{'|'.join(NUMBER_WORDS)}|a|the next|next|coming)"
FORECAST = re.compile(
    r"\b(?:forecasts?|forecasting|extrapolate|project(?:ion)?(?= (?:of|the)))\b"
    r"(?: (?:of|for))?"
)
AHEAD = re.compile(
    rf"\b(?:for|over|in|of)? ?(?:the )?(?:next|coming)? ?{COUNT}? ?({UNIT})s?(?: ahead| into the future)?$"
)
AHEAD_INSIDE = re.compile(
    rf"\b(?:for|over|of|in) (?:the )?(?:next|coming)? ?{COUNT}? ?({UNIT})s?(?: ahead)?\b(?= )"
)
SEASONS = re.compile(
    r"\b(?:seasonality|seasonal (?:pattern|decomposition|effects?|component)|seasons?|"
    r"decompos(?:e|ition)(?: the)?|stl)\b(?: (?:of|in|for))?(?: the)?"
)
SEASONAL = re.compile(r"^(?:is|are) (?:the )?(.+?) (?:seasonal|cyclical)$")
TESTED = re.compile(
    r"\b(?:test (?:of )?(?:the |for a |for |whether there is a )?trend|trend test|mann[- ]kendall(?: test)?|"
    r"(?:is|are) (?:there )?(?:a |the )?(?:statistically )?significant(?:ly)? trend|"
    r"significance of the trend|is the trend)\b(?: (?:of|in|for|on))?"
)
RISING = re.compile(
    r"^(?:is|are) (?:the )?(.+?) (?:significantly |really )?(?:rising|growing|falling|declining|increasing|"
    r"decreasing|shrinking|going (?:up|down))(?: significantly)?(?: over time)?$"
)
RESAMPLE = re.compile(r"^resample(?: the)? ")
FILLS = {
    "linear": r"interpolat\w*|linear(?:ly)?", "previous": r"forward[- ]fill\w*|previous|ffill",
    "zero": r"zeros?", "none": r"(?:without|no) filling|unfilled|not filled|empty",
}  # fmt: skip
ODD = re.compile(
    rf"\b(?:which |find |show |detect |list |are there )?(?:any |the |me )*"
    rf"(?:unusual|odd|strange|anomalous|abnormal) ({UNIT})s?\b(?: (?:of|in|for|were|are|by))*"
)
ODD_AFTER = re.compile(
    rf"^(?:which|what) ({UNIT})s? (?:is|are|was|were|had|has|have)"
    rf" (?:unusual|odd|strange|anomalous|abnormal|anomalies)(?: (?:values? )?(?:of|in|for|by))?"
)
ODD_SERIES = re.compile(r"\b(?:find |show |detect )?(?:time series )?anomal(?:y|ies)\b(?: (?:of|in|for))?")
ODD_WORDS = re.compile(
    rf"\b(?:over time|time series|by (?:{UNIT})|per (?:{UNIT})|(?:dai|week|month|quarter)ly)\b"
)
TAIL = re.compile(r"^(?:were|are|was|is) |\b(?:unusual|significant(?:ly)?|over time|time series)\b")


def understand(text: str, tokens: list[str], schema: Schema) -> Intent | None:
    """A question over time; None where there are no dates, and for anything else."""
    asked = squeezed(text)
    if found := FORECAST.search(asked):
        return _forecast(asked[: found.start()] + " " + asked[found.end() :], schema)
    if found := SEASONS.search(asked) or SEASONAL.search(asked):
        rest = f"{asked[: found.start()]} {found[1] if found.re is SEASONAL else ''} {asked[found.end() :]}"
        words = {"seasonality", "decompose", "decomposition", "stl", "pattern", "seasonal"} & set(
            asked.split()
        )
        return _over_time("seasonality", rest, schema) if words else None
    if found := TESTED.search(asked):
        return _over_time("trend_test", asked[: found.start()] + " " + asked[found.end() :], schema)
    if found := RISING.search(asked):
        return _over_time("trend_test", found[1], schema)
    if found := RESAMPLE.search(asked):
        return _resample(asked[found.end() :], schema)
    if found := ODD_AFTER.search(asked) or ODD.search(asked):
        rest = f"{asked[: found.start()]} {asked[found.end() :]} by {found[1]}"
        return _over_time("odd_periods", TAIL.sub(" ", rest), schema)
    if (found := ODD_SERIES.search(asked)) and ODD_WORDS.search(asked):
        rest = asked[: found.start()] + " " + asked[found.end() :]
        return _over_time("odd_periods", TAIL.sub(" ", rest), schema)
    return None


def _forecast(asked: str, schema: Schema) -> Intent | None:
    asked = asked.strip()
    horizon, unit = 0, ""
    if found := AHEAD.search(asked) or AHEAD_INSIDE.search(asked):
        count, unit = (found[1] or "").strip(), found[2]
        horizon = int(count) if count.isdigit() else NUMBER_WORDS.get(count, 0)
        if not horizon and count and count != "the next":
            horizon = 1
        if not horizon and re.search(rf"\b(?:next|coming|the) {unit}$", found[0].strip()):
            horizon = 1
        asked = asked[: found.start()] + asked[found.end() :]
    made = _over_time("forecast", asked, schema, horizon=horizon, unit=unit)
    if made is not None and horizon == 1 and unit in ("year", "quarter") and made.tool:
        # A year ahead in years says little; its months say more.
        made.arguments |= {"interval": "month", "horizon": 12 if unit == "year" else 3}
        made.notes.append(f"the next {unit} by months")
    return made


def _resample(asked: str, schema: Schema) -> Intent | None:
    fill = next((name for name, pattern in FILLS.items() if re.search(rf"\b(?:{pattern})\b", asked)), "")
    plain = asked
    if fill:
        words = rf"\b(?:with|and|filled|fill(?:ing)?(?: gaps)?|gaps|values?|the|{FILLS[fill]})\b"
        plain = re.sub(words, " ", asked)
    plain = re.sub(rf"\bto ({UNIT})s?\b", r"by \1", plain)
    plain = re.sub(r"\bto (dai|week|month|quarter|year)ly\b", r"\1ly", plain)
    return _over_time("resample", plain, schema, fill=fill)


def _over_time(
    tool: str, asked: str, schema: Schema, *, horizon: int = 0, unit: str = "", fill: str = ""
) -> Intent | None:
    """The call with the measure that is named by its whole name; a question back for another."""
    rest = read(asked, schema)
    if rest.back is not None:
        return rest.back
    if not rest.schema.dates:
        return ask(f"{rest.schema.file or rest.schema.name} has no column of dates, so nothing is over time.")
    named = [c for c in exact(rest.schema, asked) if c.numeric]
    parts = rest.parts
    rows = "count" in parts.aggregates or not (parts.measures or parts.unclear)
    measure = named[0] if named else None
    if measure is None and parts.measures:
        return ask(f"Which column do you mean? Name it whole, as in: {parts.measures[0].name}.")
    if measure is None and not rows:
        return rest.problem()
    if measure is None and not _counts(rest, asked):
        return _main(tool, rest, horizon, unit, fill)
    if again := rest.problem():
        return again
    return _call(tool, rest, measure, horizon, unit, fill)


def _counts(rest: Rest, asked: str) -> bool:
    """Whether rows are meant: "number of orders", "orders"."""
    return "count" in rest.parts.aggregates or bool(asked.split())


def _main(tool: str, rest: Rest, horizon: int, unit: str, fill: str) -> Intent:
    """Nothing was named: the number that questions are most likely about, and that is said."""
    measure = rest.schema.main_measure
    if measure is not None:
        rest.parts.notes.append(f"no column was named, so {measure.name}")
    return _call(tool, rest, measure, horizon, unit, fill)


def _call(tool: str, rest: Rest, measure: Column | None, horizon: int, unit: str, fill: str) -> Intent:
    parts = rest.parts
    interval = unit or (parts.interval if parts.interval in INTERVALS else "")
    dates = [c for c in [*parts.by, *parts.others] if c.timed]
    more = {"horizon": horizon} if tool == "forecast" else {"fill": fill} if tool == "resample" else {}
    return rest.intent(
        tool, measure=measure.name if measure else "", date=dates[0].name if dates else "",
        aggregate=aggregate_of(measure, parts), interval=interval, **more,
    )  # fmt: skip


def _what(facts: dict[str, Any]) -> str:
    return "number of rows" if facts["of"] == "rows" else str(facts["of"])


def _when(facts: dict[str, Any], value: str) -> str:
    return period(value, facts["interval"])


def _said_forecast(arguments: dict[str, Any], response: Response) -> str:
    facts = response["facts"]
    first, last = facts["next"], facts["final"]
    words = (
        f"The {_what(facts)} is forecast at **{number(first['value'])}** for {_when(facts, first['period'])} "
        f"(95% interval {number(first['low'])} to {number(first['high'])})"
    )
    if first["period"] != last["period"]:
        words += (
            f" and **{number(last['value'])}** for {_when(facts, last['period'])} ({number(last['low'])} to "
            f"{number(last['high'])})"
        )
    last_known = facts["last"]
    words += (
        f"; the last {facts['interval']}, {_when(facts, last_known['period'])}, had "
        f"{number(last_known['value'])}. "
    )
    error = f"it was off by {number(facts['error'])} on average"
    if facts["model"] == facts["baseline"]:
        return words + f"No model beat the plain {facts['baseline']} forecast in the backtest ({error})."
    return words + (
        f"The model is {facts['model']}: in the backtest {error}, the plain {facts['baseline']} forecast by "
        f"{number(facts['baseline_error'])}."
    )


def _said_seasons(arguments: dict[str, Any], response: Response) -> str:
    facts = response["facts"]
    strong = facts["seasonal_strength"]
    word = "strong" if strong >= 0.64 else "moderate" if strong >= 0.3 else "weak or absent"
    return (
        f"The seasonal pattern of the {_what(facts)} is {word} (strength **{number(strong)}**; trend "
        f"{number(facts['trend_strength'])}). It is highest in {facts['peak']} "
        f"(**{number(facts['peak_effect'])}** from the trend) and lowest in {facts['trough']} "
        f"({number(facts['trough_effect'])})."
    )


def _said_trend(arguments: dict[str, Any], response: Response) -> str:
    facts = response["facts"]
    way = "rises" if facts["slope"] > 0 else "falls"
    clear = "is" if facts["p"] < 0.05 else "is not"
    return (
        f"The {_what(facts)} {way} by **{number(facts['step'])}** a {facts['interval']} (95% interval "
        f"{number(facts['low'])} to {number(facts['high'])}), which {clear} statistically significant at 5% "
        f"(Mann-Kendall, {p_value(facts['p'])}; {number(facts['periods'])} {facts['interval']}s)."
    )


def _said_resampled(arguments: dict[str, Any], response: Response) -> str:
    facts = response["facts"]
    gaps = f"{number(facts['gaps'])} of them had no value" if facts["gaps"] else "none without a value"
    return f"**{number(facts['periods'])}** {facts['interval']}s of {_what(facts)}, {gaps}."


def _said_odd(arguments: dict[str, Any], response: Response) -> str:
    facts = response["facts"]
    unit = facts["interval"]
    if not facts["anomalies"]:
        return f"None of {number(facts['periods'])} {unit}s stands out in the {_what(facts)}."
    top = facts["farthest"]
    return (
        f"**{number(facts['anomalies'])}** of {number(facts['periods'])} {unit}s stand out in the "
        f"{_what(facts)}; most of all {_when(facts, top['period'])} with **{number(top['value'])}** where "
        f"about {number(top['expected'])} was to be expected."
    )


MAKERS: dict[str, Maker] = {
    "forecast": _said_forecast,
    "seasonality": _said_seasons,
    "trend_test": _said_trend,
    "resample": _said_resampled,
    "odd_periods": _said_odd,
}

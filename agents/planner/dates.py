"""A small closed grammar of periods: years, months, quarters, days, since, before, between, last.

General date finders invent dates ("may", "by sat"); here a word is a date only in a stated form.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from agents.planner.tokens import stem

MONTHS = {
    name[:n]: i
    for i, name in enumerate(
        ["january", "february", "march", "april", "may", "june", "july", "august", "september",
         "october", "november", "december"], start=1)
    for n in (3, len(name))
} | {"sept": 9}  # fmt: skip
AFTER = {"since", "after", "starting"}
FOLLOWING = {"and", "now", "also", "about", "what", "how", "ok", "then", "same"}
"""Words that a follow-up begins with, after which a bare year is a period."""
ONWARDS = {"on", "onward", "onwards", "forward"}
BEFORE = {"before", "until", "till"}
PREPOSITIONS = {"in", "during", "for", "from", "of", "only", "on", "within", "just"} | AFTER | BEFORE
PERIODS = ("month", "quarter", "year", "week")


@dataclass(frozen=True)
class Period:
    """Tokens `start` to `end`, meaning these conditions on the date column."""

    start: int
    end: int
    conditions: list[dict[str, Any]]
    note: str = ""


def find_period(tokens: list[str], column: str, last_date: str | None) -> Period | None:
    """The first period in the tokens, as conditions on `column`; relative ones count back from
    `last_date`, the last date of the data."""
    for index in range(len(tokens)):
        between = _between(tokens, index, column)
        if between:
            return between
        relative = _relative(tokens, index, column, last_date)
        if relative:
            return relative
    for index in range(len(tokens)):
        value, size = _value(tokens, index, anchored=_anchored(tokens, index))
        if not value:
            continue
        note = ""
        if len(value) == 5:
            value, note = _latest(value, last_date)
            if not value:
                continue
        before = tokens[index - 1] if index else ""
        start = index - 1 if before in PREPOSITIONS else index
        end = index + size
        onwards = tokens[end : end + 1] != [] and tokens[end] in ONWARDS
        op = "at_least" if onwards else _operator(before)
        if before == "from" and not onwards:
            read = f'"from {value}" was read as in {value}; say "since {value}" to go on from there'
            note = f"{note}; {read}" if note else read
        return Period(start, end + onwards, [condition(column, op, value)], note)
    return None


def _anchored(tokens: list[str], index: int) -> bool:
    """Whether a bare year or month is a period here: after a preposition, or right at a follow-up's start."""
    if index and tokens[index - 1] in PREPOSITIONS:
        return True
    return index <= 3 and index == len(tokens) - 1 and set(tokens[:index]) <= FOLLOWING


def _operator(before: str) -> str:
    if before in AFTER:
        return "greater_than" if before == "after" else "at_least"
    if before in BEFORE:
        return "less_than" if before == "before" else "at_most"
    return "equals"


def condition(column: str, op: str, value: str) -> dict[str, Any]:
    """One filter."""
    return {"column": column, "op": op, "value": value}


def _between(tokens: list[str], index: int, column: str) -> Period | None:
    if tokens[index] not in ("between", "from"):
        return None
    low, size = _value(tokens, index + 1, anchored=True)
    if not size:
        return None
    joint = index + 1 + size
    if joint >= len(tokens) or tokens[joint] not in ("and", "to", "until", "till", "through"):
        return None
    high, more = _value(tokens, joint + 1, anchored=True)
    if not more:
        return None
    if len(low) == 5:  # "between Jan and Mar 2024": the year stands once
        low = high[:4] + low[-3:] if len(high) >= 7 else ""
    if not low or len(high) == 5:
        return None
    conditions = [condition(column, "at_least", low), condition(column, "at_most", high)]
    return Period(index, joint + 1 + more, conditions)


def _relative(tokens: list[str], index: int, column: str, last_date: str | None) -> Period | None:
    if tokens[index] not in ("last", "previous", "past", "latest", "this") or not last_date:
        return None
    last = dt.date.fromisoformat(last_date[:10])
    following = tokens[index + 1 : index + 3]
    begin = index - 1 if index and tokens[index - 1] in PREPOSITIONS | {"the"} else index
    note = f"counted back from the last date in the data, {last}"
    if len(following) == 2 and following[0].isdigit() and stem(following[1]) in (*PERIODS, "day"):
        since = _back(last, int(following[0]), stem(following[1]))
        made = [condition(column, "greater_than", since.isoformat())]
        return Period(begin, index + 3, made, note)
    if following and stem(following[0]) in PERIODS:
        unit = stem(following[0])
        made = _whole(last, unit, column, previous=tokens[index] in ("previous",))
        return Period(begin, index + 2, made, f"the last {unit} of the data, which ends {last}")
    return None


def _back(last: dt.date, number: int, unit: str) -> dt.date:
    if unit in ("day", "week"):
        return last - dt.timedelta(days=number * (7 if unit == "week" else 1))
    months = number * {"month": 1, "quarter": 3, "year": 12}[unit]
    total = last.year * 12 + last.month - 1 - months
    year, month = divmod(total, 12)
    following = dt.date(year + (month + 1) // 12, (month + 1) % 12 + 1, 1)
    return dt.date(year, month + 1, min(last.day, (following - dt.timedelta(days=1)).day))


def _whole(last: dt.date, unit: str, column: str, *, previous: bool) -> list[dict[str, Any]]:
    day = _back(last.replace(day=1) if unit != "week" else last, 1, unit) if previous else last
    if unit == "year":
        return [condition(column, "equals", str(day.year))]
    if unit == "month":
        return [condition(column, "equals", f"{day:%Y-%m}")]
    if unit == "week":
        monday = day - dt.timedelta(days=day.weekday())
        end = monday + dt.timedelta(days=6)
        return [condition(column, "at_least", f"{monday}"), condition(column, "at_most", f"{end}")]
    return _quarter(column, day.year, (day.month - 1) // 3 + 1)


def _quarter(column: str, year: int, number: int) -> list[dict[str, Any]]:
    return [
        condition(column, "at_least", f"{year}-{3 * number - 2:02}"),
        condition(column, "at_most", f"{year}-{3 * number:02}"),
    ]


def find_quarter(tokens: list[str], column: str) -> Period | None:
    """Q2 2023, or second quarter written so."""
    for index, token in enumerate(tokens):
        if len(token) == 2 and token[0] == "q" and token[1] in "1234":
            year = next((t for t in tokens[index + 1 : index + 3] if _is_year(t)), "")
            size = tokens.index(year, index) - index + 1 if year else 0
            if year:
                begin = index - 1 if index and tokens[index - 1] in PREPOSITIONS else index
                return Period(begin, index + size, _quarter(column, int(year), int(token[1])))
    return None


def _value(tokens: list[str], index: int, *, anchored: bool) -> tuple[str, int]:
    """An ISO period and its size in tokens; "-MM" with a leading blank year when a month stands alone."""
    if index >= len(tokens):
        return "", 0
    token = tokens[index]
    if "-" in token and token[0].isdigit():
        parts = token.split("-")
        return "-".join([parts[0], *(p.zfill(2) for p in parts[1:])]), 1
    if token in MONTHS:
        return _month(tokens, index, anchored=anchored)
    day_first = tokens[index : index + 3]
    written = len(day_first) == 3 and day_first[1] in MONTHS and _is_year(day_first[2])
    if token.isdigit() and len(token) <= 2 and written:
        return f"{day_first[2]}-{MONTHS[day_first[1]]:02}-{int(token):02}", 3
    if _is_year(token) and anchored:
        return token, 1
    return "", 0


def _month(tokens: list[str], index: int, *, anchored: bool) -> tuple[str, int]:
    month = MONTHS[tokens[index]]
    after = tokens[index + 1 : index + 3]
    if after and _is_year(after[0]):
        return f"{after[0]}-{month:02}", 2
    if len(after) == 2 and after[0].isdigit() and _is_year(after[1]):
        return f"{after[1]}-{month:02}-{int(after[0]):02}", 3
    return (f"  -{month:02}", 1) if anchored else ("", 0)


def _latest(month: str, last_date: str | None) -> tuple[str, str]:
    """The newest such month in the data, and a note that says so."""
    if not last_date:
        return "", ""
    year, number = int(last_date[:4]), int(month[-2:])
    year -= number > int(last_date[5:7])
    return f"{year}-{number:02}", f"{year} is the newest such month in the data"


def _is_year(token: str) -> bool:
    return token.isdigit() and len(token) == 4 and 1900 <= int(token) <= 2100

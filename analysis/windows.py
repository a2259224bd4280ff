"""Two periods to compare: the one that is meant, and the one before it or a year before it."""

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ibis

from analysis.conditions import Condition, Selection, period
from analysis.engine import Engine
from analysis.errors import BadValue, EmptySelection, require_option
from analysis.measures import selected_interval
from analysis.series.periods import covered
from storage.datasets import ColumnInfo

UNITS = ("year", "quarter", "month", "week", "day")
VERSUS = ("previous", "year")
QUARTER = re.compile(r"(\d{4})[- ]?[qQ]([1-4])")
MONTHS = {"year": 12, "quarter": 3, "month": 1}


@dataclass(frozen=True)
class Window:
    """A stretch of time, its end not included."""

    start: dt.datetime
    end: dt.datetime

    @property
    def words(self) -> str:
        """As people name it: 2025, 2025-Q2, 2025-05, 2025-05-07, or from the first to the last day."""
        start, last = self.start, self.end - dt.timedelta(seconds=1)
        if start == moved(self.end, "year", -1) and start.month == start.day == 1:
            return f"{start:%Y}"
        if start == moved(self.end, "quarter", -1) and start.day == 1 and start.month % 3 == 1:
            return f"{start:%Y}-Q{start.month // 3 + 1}"
        if start == moved(self.end, "month", -1) and start.day == 1:
            return f"{start:%Y-%m}"
        days = f"{start:%Y-%m-%d}"
        return days if start.date() == last.date() else f"{days} to {last:%Y-%m-%d}"

    def holds(self, field: Any) -> Any:
        """Whether a moment lies in it, as an Ibis boolean."""
        return (field >= ibis.timestamp(str(self.start))) & (field < ibis.timestamp(str(self.end)))

    def conditions(self, column: str) -> list[Condition]:
        """As filters, for whole days."""
        last = self.end - dt.timedelta(days=1)
        return [
            {"column": column, "op": "at_least", "value": f"{self.start:%Y-%m-%d}"},
            {"column": column, "op": "at_most", "value": f"{last:%Y-%m-%d}"},
        ]


@dataclass(frozen=True)
class Pair:
    """The later and the earlier period, of equal length where the later one is cut short by the data."""

    later: Window
    earlier: Window
    unit: str
    notes: list[str]


def pair(
    engine: Engine,
    selection: Selection,
    moment: ColumnInfo,
    later: str,
    versus: str,
    interval: str,
    where: Sequence[Condition],
    *,
    whole: bool,
) -> Pair:
    """`later` is a period such as 2025-05 or 2025-Q2, or "" for the newest one (the newest `whole` one);
    `versus` is previous, year, or another period. Raises BadValue, EmptySelection, UnknownOption.
    """
    known = covered(engine, selection, moment, where)
    if known is None:
        raise EmptySelection(f"No row has a date in {moment.name}.")
    first, last, usual = known
    notes: list[str] = []
    if later:
        window, unit = parsed(moment, later)
    else:
        named = interval or selected_interval(engine, selection, moment)
        unit = require_option("day" if named == "hour" else named, UNITS, "interval")
        start = floor(last, unit)
        window = Window(start, moved(start, unit, 1))
        if whole and window.end - last > usual and start > first:
            notes.append(f"The {unit} {window.words} is incomplete (the data ends on {last:%Y-%m-%d}).")
            window = Window(moved(start, unit, -1), start)
    if window.start > last or window.end <= first:
        raise EmptySelection(
            f"The data reaches from {first:%Y-%m-%d} to {last:%Y-%m-%d}; {window.words} is not in it."
        )
    earlier = _earlier(moment, window, unit, versus)
    if earlier.end <= first or earlier.start > last:
        raise EmptySelection(
            f"The data reaches from {first:%Y-%m-%d} to {last:%Y-%m-%d}; {earlier.words}, which "
            f"{window.words} would be compared with, is not in it."
        )
    if earlier.start < first - usual:
        notes.append(f"{earlier.words} is not covered whole: the data starts on {first:%Y-%m-%d}.")
    # Rows dated by the start of their period stand for it whole.
    if window.end - last > usual and last > window.start:
        end = dt.datetime.combine(last.date(), dt.time()) + dt.timedelta(days=1)
        cut = min(earlier.end, earlier.start + (end - window.start))
        if versus in ("", *VERSUS):
            earlier = Window(earlier.start, cut)
            notes.append(
                f"{window.words} is incomplete (the data ends on {last:%Y-%m-%d}), so only as many days of "
                "the earlier period are compared."
            )
            window = Window(window.start, end)
        else:
            notes.append(f"{window.words} is incomplete: the data ends on {last:%Y-%m-%d}.")
    return Pair(window, earlier, unit, notes)


def _earlier(moment: ColumnInfo, window: Window, unit: str, versus: str) -> Window:
    if versus in ("", "previous"):
        return Window(moved(window.start, unit, -1), window.start)
    if versus == "year":
        return Window(moved(window.start, "year", -1), moved(window.end, "year", -1))
    return parsed(moment, versus)[0]


def parsed(moment: ColumnInfo, text: str) -> tuple[Window, str]:
    """What a period's name stands for, and its unit. Raises BadValue."""
    quarter = QUARTER.fullmatch(text.strip())
    if quarter:
        start = dt.datetime(int(quarter[1]), 3 * int(quarter[2]) - 2, 1)
        return Window(start, moved(start, "quarter", 1)), "quarter"
    start, end = period(moment, text)
    days = (end - start).days
    unit = "year" if days > 31 else "month" if days > 1 else "day"
    if days < 1:
        raise BadValue("Compare whole periods: write one as 2024, 2024-Q1, 2024-03 or 2024-03-05.")
    return Window(start, end), unit


def floor(moment: dt.datetime, unit: str) -> dt.datetime:
    """The start of the period that a moment lies in."""
    day = dt.datetime.combine(moment.date(), dt.time())
    if unit == "week":
        return day - dt.timedelta(days=day.weekday())
    if unit == "day":
        return day
    month = {"year": 1, "quarter": 3 * ((day.month - 1) // 3) + 1, "month": day.month}[unit]
    return day.replace(month=month, day=1)


def moved(moment: dt.datetime, unit: str, count: int) -> dt.datetime:
    """So many periods later; the 31st of a shorter month is its last day."""
    if unit in ("week", "day"):
        return moment + dt.timedelta(days=(7 if unit == "week" else 1) * count)
    months = moment.year * 12 + moment.month - 1 + MONTHS[unit] * count
    year, month = divmod(months, 12)
    following = dt.datetime(year + (month + 1) // 12, (month + 1) % 12 + 1, 1)
    last = (following - dt.timedelta(days=1)).day
    return moment.replace(year=year, month=month + 1, day=min(moment.day, last))

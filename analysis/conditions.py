"""Filters: a column, an operator and a value, turned into one predicate.

Text compares without regard to case. A date value may be a year, a month, a day or a moment, and stands
for that whole period: equal is inside it, greater is after its end, at least is from its start.
A missing value equals nothing, so it passes not_equals and not_in, as in pandas, and no other comparison.
"""

import datetime as dt
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import Any, TypedDict

import ibis

from analysis.engine import Engine, not_finite
from analysis.errors import BadValue, EmptySelection, UnknownOption, require_option
from storage.datasets import ColumnInfo, Dataset

OPERATORS = {
    "equals": "is",
    "not_equals": "is not",
    "greater_than": "is above",
    "less_than": "is below",
    "at_least": "is at least",
    "at_most": "is at most",
    "between": "is between",
    "contains": "contains",
    "starts_with": "starts with",
    "ends_with": "ends with",
    "in": "is one of",
    "not_in": "is none of",
    "is_missing": "is missing",
    "is_present": "is present",
}
ORDERED = ("greater_than", "less_than", "at_least", "at_most", "between")
TEXTUAL = ("contains", "starts_with", "ends_with")
TRUE, FALSE = {"true", "yes", "1", "t", "y"}, {"false", "no", "0", "f", "n"}
THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?:\D|$))")
LARGEST = 2**63 - 1
PERIOD = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")


class Condition(TypedDict, total=False):
    """One filter. `value` is a list for between, in and not_in; none for is_missing."""

    column: str
    op: str
    value: Any


@dataclass(frozen=True)
class Filtered:
    """The rows that an analysis is about, not counted."""

    dataset: Dataset
    table: Any
    """An Ibis table."""
    words: str
    """' where city is Berlin', or nothing."""

    @property
    def known(self) -> bool:
        """Whether the columns' profile is of exactly these rows; a table elsewhere may have changed since."""
        return not self.words and not self.dataset.source

    @property
    def empty(self) -> EmptySelection:
        """What is said when no row passes."""
        return EmptySelection(f"No row of {self.dataset.file_name} passes the filter:{self.words[6:]}.")


@dataclass(frozen=True)
class Selection(Filtered):
    """The rows that an analysis is about."""

    rows: int
    """Rows that pass the filter."""
    used: int
    """Of these, the rows that have a value in every column that is needed."""


def narrow(engine: Engine, dataset: str, where: Sequence[Condition]) -> Filtered:
    """The dataset's rows that meet every condition; there may be none."""
    data = engine.dataset(dataset)
    table = engine.table(data)
    if not where:
        return Filtered(data, table, "")
    predicates = [predicate(engine, data, table, condition) for condition in where]
    words = " and ".join(describe(engine, data, condition) for condition in where)
    return Filtered(data, table.filter(*predicates), f" where {words}")


def select(engine: Engine, dataset: str, where: Sequence[Condition], *needed: ColumnInfo | None) -> Selection:
    """The dataset's rows that meet every condition, counted in one scan, or none where the profile knows.

    Raises EmptySelection when no row does.
    """
    found = narrow(engine, dataset, where)
    data, table = found.dataset, found.table
    columns = list({column.name: column for column in needed if column is not None}.values())
    gaps = [column for column in columns if column.missing or not_finite(column)]
    if found.known and not gaps:
        return Selection(data, table, "", data.rows, data.rows)
    if found.known and len(gaps) == 1 and not not_finite(gaps[0]):
        return Selection(data, table, "", data.rows, data.rows - gaps[0].missing)
    rows, used = engine.fetch(table.aggregate(rows=table.count(), used=complete(table, columns))).rows[0]
    if rows == 0 and where:
        raise found.empty
    if not where:
        engine.saw_rows(data, rows)
    return Selection(data, table, found.words, rows, used)


def complete(table: Any, columns: Sequence[ColumnInfo]) -> Any:
    """How many rows have a value in every one of `columns`."""
    whole = [table[column.name].notnull() for column in columns]
    return table.count(where=reduce(and_, whole)) if whole else table.count()


def describe(engine: Engine, dataset: Dataset, condition: Condition) -> str:
    """The condition in words."""
    column = engine.column(dataset, condition.get("column", ""))
    op = require_option(condition.get("op", "equals"), list(OPERATORS), "filter operator")
    value = condition.get("value")
    if op in ("is_missing", "is_present"):
        return f"{column.name} {OPERATORS[op]}"
    if isinstance(value, (list, tuple)):
        return (
            f"{column.name} {OPERATORS[op]} {(' and ' if op == 'between' else ', ').join(map(said, value))}"
        )
    return f"{column.name} {OPERATORS[op]} {said(value)}"


def said(value: Any) -> str:
    """A value as text; a whole number that came as 5.0 is 5."""
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if whole else value)


def predicate(engine: Engine, dataset: Dataset, table: Any, condition: Condition) -> Any:
    """The condition as an Ibis boolean. Raises UnknownColumn, UnknownOption or BadValue."""
    column = engine.column(dataset, condition.get("column", ""))
    op = require_option(condition.get("op", "equals"), list(OPERATORS), "filter operator")
    field, value = table[column.name], condition.get("value")
    if op == "is_missing":
        return field.isnull()
    if op == "is_present":
        return field.notnull()
    if value is None or value == []:
        raise BadValue(f"The filter on {column.name} needs a value; to find gaps use is_missing.")
    if op in TEXTUAL:
        return _textual(field, op, said(value))
    if op in ("in", "not_in"):
        values = list(value) if isinstance(value, (list, tuple)) else [value]
        matches = ibis.or_(*[_compare(column, field, "equals", item) for item in values])
        return matches if op == "in" else ~matches.fill_null(False)
    if op == "between":
        if not isinstance(value, (list, tuple)) or len(value) != 2:
            raise BadValue(f"Between on {column.name} needs two values, the lower one first.")
        low, high = value
        return _compare(column, field, "at_least", low) & _compare(column, field, "at_most", high)
    return _compare(column, field, op, value)


def _textual(field: Any, op: str, value: str) -> Any:
    text, wanted = field.cast("string").lower(), value.lower()
    if op == "contains":
        return text.contains(wanted)
    return text.startswith(wanted) if op == "starts_with" else text.endswith(wanted)


def _compare(column: ColumnInfo, field: Any, op: str, value: Any) -> Any:
    if column.kind in ("date", "datetime"):
        return _compare_period(column, field, op, value)
    if column.kind in ("text", "other"):
        if op in ORDERED:
            raise UnknownOption(
                f"{column.name} has no order for {op}; use equals, contains or in.",
                ["equals", "contains", "starts_with", "in"],
            )
        same = field.cast("string").lower() == said(value).strip().lower()
        return same if op == "equals" else ~same.fill_null(False)
    return _ordered(field, op, typed(column, value))


def _ordered(field: Any, op: str, value: Any) -> Any:
    comparisons = {
        "equals": field == value,
        "not_equals": ~(field == value).fill_null(False),
        "greater_than": field > value,
        "less_than": field < value,
        "at_least": field >= value,
        "at_most": field <= value,
    }
    return comparisons[op]


def typed(column: ColumnInfo, value: Any) -> Any:
    """A filter's value as the column's numbers, truth values and times of day are. Raises BadValue."""
    text = said(value).strip()
    if column.kind == "boolean":
        if text.lower() in TRUE | FALSE:
            return text.lower() in TRUE
        raise BadValue(f"{column.name} is yes or no; {value!r} is neither.")
    if column.kind in ("integer", "number"):
        return _number(column, text)
    try:
        return ibis.time(dt.time.fromisoformat(text).isoformat())
    except ValueError:
        raise BadValue(f"{column.name} is a time of day; write it as 14:30, not {value!r}.") from None


def _number(column: ColumnInfo, text: str) -> int | float:
    plain = THOUSANDS.sub("", text)
    try:
        number = float(plain)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise BadValue(f"{column.name} is a number; {text!r} is not. Write it as 1234.5.")
    whole = re.fullmatch(r"[-+]?\d+", plain) and abs(number) < LARGEST
    return int(plain) if whole else number


def _compare_period(column: ColumnInfo, field: Any, op: str, value: Any) -> Any:
    start, end = period(column, value)
    bounds = [_moment(column, start), _moment(column, end)]
    inside = (field >= bounds[0]) & (field < bounds[1])
    comparisons = {
        "equals": inside,
        "not_equals": ~inside.fill_null(False),
        "greater_than": field >= bounds[1],
        "less_than": field < bounds[0],
        "at_least": field >= bounds[0],
        "at_most": field < bounds[1],
    }
    return comparisons[op]


def _moment(column: ColumnInfo, moment: dt.datetime) -> Any:
    return (
        ibis.date(moment.date().isoformat())
        if column.kind == "date"
        else ibis.timestamp(moment.isoformat(sep=" "))
    )


def period(column: ColumnInfo, value: Any) -> tuple[dt.datetime, dt.datetime]:
    """Start and end (not included) of what `value` names. Raises BadValue."""
    try:
        return _bounds(said(value).strip(), whole_days=column.kind == "date")
    except (ValueError, OverflowError):
        raise BadValue(
            f"{column.name} is a date; write it as 2024, 2024-03 or 2024-03-05, not {value!r}."
        ) from None


def _bounds(text: str, *, whole_days: bool) -> tuple[dt.datetime, dt.datetime]:
    match = PERIOD.fullmatch(text)
    if match is None:
        moment = dt.datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            moment = moment.astimezone(dt.UTC).replace(tzinfo=None)
        if whole_days or (moment.time() == dt.time() and len(text) <= 10):
            start = dt.datetime.combine(moment.date(), dt.time())
            return start, start + dt.timedelta(days=1)
        return moment, moment + dt.timedelta(microseconds=1)
    year, month, day = (int(part) if part else None for part in match.groups())
    start = dt.datetime(year or 0, month or 1, day or 1)
    if day:
        return start, start + dt.timedelta(days=1)
    if month:
        return start, dt.datetime(start.year + month // 12, month % 12 + 1, 1)
    return start, dt.datetime(start.year + 1, 1, 1)

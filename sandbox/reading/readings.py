"""The ways a column of text may be read, and which of them fit some values.

DuckDB's own detection is not used: it takes 13/04/24 for the year 2013, `1 2 3` for a date, 0x1A for a
number, and settles on day first before it has seen the month. Each reading here is a shape that every
value must have and a conversion that must succeed on every value; if none does, the column stays text.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sandbox.engine import literal

MISSING = (
    "na", "n/a", "nan", "null", "none", "-", "--", "?", "<na>", "#n/a", "#value!", "#div/0!", "#ref!",
    "#name?", "#num!", "#null!",
)  # fmt: skip
SIGNS = "$€£¥%"
SPACES = " \u00a0\u202f"
INTEGER_SHAPE = r"-?(?:0|[1-9]\d*)|\+(?:0|[1-9]\d{0,5})"
# More digits than this are an identifier: a double would lose some of them.
WHOLE = r"(?:0|[1-9]\d{0,17})"
CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?"
ISO_DAY = r"[1-9]\d{3}-\d{1,2}-\d{1,2}"
TIMES = {
    "": "",
    r" \d{1,2}:\d{2}": " %H:%M",
    r" \d{1,2}:\d{2}:\d{2}": " %H:%M:%S",
    r" \d{1,2}:\d{2} [AaPp][Mm]": " %I:%M %p",
    r" \d{1,2}:\d{2}:\d{2} [AaPp][Mm]": " %I:%M:%S %p",
}
NAMED_MONTHS = {
    r"\d{1,2} [A-Za-z]{3} \d{4}": "%d %b %Y",
    r"\d{1,2} [A-Za-z]{3,9} \d{4}": "%d %B %Y",
    r"\d{1,2}-[A-Za-z]{3}-\d{4}": "%d-%b-%Y",
    r"\d{1,2}-[A-Za-z]{3}-\d{2}": "%d-%b-%y",
    r"[A-Za-z]{3} \d{1,2},? \d{4}": "%b %d %Y",
    r"[A-Za-z]{3,9} \d{1,2},? \d{4}": "%B %d %Y",
}
# Cheap proofs that a value has the shape, for the common spellings; {v} is the text, {t} the value.
FAST_INTEGER = "CAST({t} AS VARCHAR) = {v}"
FAST_NUMBER = (
    "{t} IS NOT NULL AND (strlen({v}) < 18 OR contains({v}, '{mark}')) AND NOT contains({v}, '_')"
    " AND (({v} >= '1' AND {v} < ':') OR starts_with({v}, '0{mark}') OR {v} = '0'"
    " OR (starts_with({v}, '-') AND (NOT starts_with({v}, '-0') OR starts_with({v}, '-0{mark}'))))"
)
FAST_DATE = "{t} IS NOT NULL AND strlen({v}) = 10"
FAST_MOMENT = "{t} IS NOT NULL AND strlen({v}) = 19 AND {v}[17] = ':'"
FAST_ZONED = "{t} IS NOT NULL AND strlen({v}) = 20 AND ends_with({v}, 'Z')"
FAST_BOOLEAN = "{v} IN ('true', 'false', 'True', 'False', 'TRUE', 'FALSE')"


@dataclass(frozen=True)
class Reading:
    """One way to read the values of a column."""

    type: str
    """DuckDB type of the result."""
    shape: str
    """Regular expression that each whole value matches; the same in Python and in RE2."""
    value: str
    """SQL of the result, with {v} for the trimmed text; NULL where it cannot be converted."""
    note: str = ""
    """What the person should know, with {column} and {example}."""
    order: str = ""
    """day or month, the part of the date that comes first, where both are possible."""
    fast: str = ""
    """SQL that proves the shape at less cost than the regular expression; not of all values that have it."""

    def sql(self, text: str, otherwise: str, known: str = "NULL") -> str:
        """SQL of the value of the column `text`.

        Trimmed text that does not fit becomes `otherwise`; `known` is the SQL test of text that is missing.
        """
        return self._case(text, self.value, "NULL", known, otherwise)

    def verdict(self, text: str) -> str:
        """SQL of how a value of the column `text` fits: 0 well, 1 a word for missing, 2 not; NULL: empty."""
        return self._case(text, "0", "NULL", "NULL", f"CASE WHEN {missing(text)} THEN 1 ELSE 2 END")

    def _case(self, text: str, result: str, empty: str, known: str, otherwise: str) -> str:
        direct, trimmed = self.value.format(v=text), f"trim({text})"
        value = self.value.format(v=trimmed)
        fast = f"WHEN {self.fast.format(v=text, t=direct)} THEN {result.format(v=text)} " if self.fast else ""
        fits = f"regexp_full_match({trimmed}, {literal(self.shape)})"
        return (
            f"CASE {fast}WHEN {text} IS NULL OR {trimmed} = '' THEN {empty} WHEN {known} THEN {empty}"
            f" WHEN {fits} AND {value} IS NOT NULL THEN {result.format(v=trimmed)} ELSE {otherwise} END"
        )


def candidates(values: Sequence[str], decimals: Sequence[str], thousands: str | None = None) -> list[Reading]:
    """The readings whose shape fits all of these trimmed values that are not missing, best first."""
    if not values:
        return []
    found = [r for r in _for_values(values, decimals, thousands) if re.fullmatch(r.shape, values[0])]
    return [r for r in found if all(re.fullmatch(r.shape, value) for value in values)]


def likeliest(values: Sequence[str], decimals: Sequence[str], thousands: str | None = None) -> list[Reading]:
    """The readings whose shape fits some of the values, those that fit most of them first."""
    distinct = list(dict.fromkeys(values))[:100]
    found = [
        (sum(re.fullmatch(reading.shape, value) is not None for value in distinct), reading)
        for reading in _for_values(values, decimals, thousands)
    ]
    return [reading for count, reading in sorted(found, key=lambda one: -one[0]) if count]


def _for_values(values: Sequence[str], decimals: Sequence[str], thousands: str | None) -> Iterator[Reading]:
    signs = [char for value in values for char in SIGNS if char in value]
    return readings(decimals, max(set(signs), key=signs.count, default=""), thousands)


def missing(text: str) -> str:
    """SQL test for a word for missing. A list after IN would be joined as a table, once for each column."""
    words = "|".join(re.escape(word) for word in MISSING)
    return f"regexp_full_match(trim({text}), {literal(f'(?i:{words})')})"


def is_missing(value: str) -> bool:
    """Whether a cell holds nothing or a word for missing."""
    return not value.strip() or value.strip().lower() in MISSING


def readings(decimals: Sequence[str], sign: str = "", thousands: str | None = None) -> Iterator[Reading]:
    """All of them, best first."""
    yield Reading("BIGINT", INTEGER_SHAPE, "TRY_CAST({v} AS BIGINT)", fast=FAST_INTEGER)
    for decimal in decimals:
        yield from _numbers(decimal, sign, thousands)
    yield Reading("BOOLEAN", r"(?i:true|false)", "(lower({v}) = 'true')", fast=FAST_BOOLEAN)
    yield Reading("BOOLEAN", r"(?i:yes|no)", "(lower({v}) = 'yes')")
    yield Reading("DATE", ISO_DAY, "TRY_CAST({v} AS DATE)", fast=FAST_DATE)
    for separator in "/.":
        shape = rf"[1-9]\d{{3}}{_escaped(separator)}\d{{1,2}}{_escaped(separator)}\d{{1,2}}"
        yield _date(shape, separator.join(("%Y", "%m", "%d")), "")
    yield Reading("TIMESTAMP", rf"{ISO_DAY}(?:[T ]{CLOCK})?", "TRY_CAST({v} AS TIMESTAMP)", fast=FAST_MOMENT)
    yield Reading(
        "TIMESTAMP",
        rf"{ISO_DAY}[T ]{CLOCK}(?:Z|[+-]\d{{2}}(?::?\d{{2}})?)",
        "(TRY_CAST({v} AS TIMESTAMPTZ) AT TIME ZONE 'UTC')",
        "Times with a zone in {column} were converted to UTC.",
        fast=FAST_ZONED,
    )
    yield from _days_and_months()
    for shape, form in NAMED_MONTHS.items():
        yield Reading("DATE", shape, f"CAST(try_strptime(replace({{v}}, ',', ''), '{form}') AS DATE)")
    yield Reading("TIME", CLOCK, "TRY_CAST({v} AS TIME)")


def _numbers(decimal: str, sign: str, thousands: str | None) -> Iterator[Reading]:
    mark = _escaped(decimal)
    groups = f"[{',' if decimal == '.' else '.'}'\u2019]"
    signed = rf"(?:-?{WHOLE}|\+(?:0|[1-9]\d{{0,5}}))"
    plain = rf"(?:{signed}(?:{mark}\d*)?|[-+]?{mark}\d+)(?:[eE][-+]?\d{{1,3}})?|[-+]?[Ii]nf(?:inity)?"
    spaced = rf"[1-9]\d{{0,2}}(?:[{SPACES}]\d{{3}})+{mark}\d+"
    if thousands is not None:
        groups = re.escape(thousands) if thousands.strip() else rf"[{SPACES}]"
        spaced = rf"[1-9]\d{{0,2}}(?:{groups}\d{{3}})+"
    separated = rf"[1-9]\d{{0,2}}(?:{groups}\d{{3}})+(?:{mark}\d+)?|{spaced}|"
    grouped = rf"(?:{separated if thousands != '' else ''}{WHOLE}(?:{mark}\d+)?)"
    number = f"regexp_replace({{v}}, '[^0-9{decimal}eEinfINF+-]', '', 'g')"
    number = f"TRY_CAST(replace({number}, '{decimal}', '.') AS DOUBLE)"
    comma = "Numbers in {column} such as {example} were read with a decimal comma." if decimal == "," else ""
    simple = "TRY_CAST({v} AS DOUBLE)" if decimal == "." else "TRY_CAST(replace({v}, ',', '.') AS DOUBLE)"
    fast = FAST_NUMBER.replace("{mark}", decimal)
    if decimal == ",":
        fast += " AND NOT contains({v}, '.')"
    yield Reading("DOUBLE", plain, simple, comma, fast=fast)
    yield Reading(
        "DOUBLE", rf"-?{grouped}", number,
        "Numbers with thousands separators in {column} such as {example} were read as numbers.",
    )  # fmt: skip
    if sign:
        mark = re.escape(sign)
        told = "are kept as the number before the sign" if sign == "%" else "are kept without the sign"
        yield Reading(
            "DOUBLE", rf"-?(?:{mark}[{SPACES}]?)?-?{grouped}(?:[{SPACES}]?{mark})?", number,
            f"Values in {{column}} such as {{example}} {told}.",
        )  # fmt: skip


def _days_and_months() -> Iterator[Reading]:
    for separator in "/-.":
        mark = _escaped(separator)
        for clock, clock_form in TIMES.items():
            for order, parts in (("day", ("%d", "%m")), ("month", ("%m", "%d"))):
                form = separator.join((*parts, "%Y"))
                shape = rf"\d{{1,2}}{mark}\d{{1,2}}{mark}[1-9]\d{{3}}"
                yield _date(shape + clock, form + clock_form, order)
                # 13-04-24 may begin with the year, and 1.2.10 may be a version.
                if separator == "-":
                    continue
                digits = "{2}" if separator == "." else "{1,2}"
                shape = rf"\d{digits}{mark}\d{digits}{mark}\d{{2}}"
                yield _date(shape + clock, form[:-1] + "y" + clock_form, order)


def _date(shape: str, form: str, order: str) -> Reading:
    kind = "TIMESTAMP" if "%M" in form else "DATE"
    note = "Two-digit years in {column} such as {example} were read as 1969 to 2068." if "%y" in form else ""
    return Reading(kind, shape, f"CAST(try_strptime({{v}}, '{form}') AS {kind})", note, order)


def _escaped(mark: str) -> str:
    return "[.]" if mark == "." else mark

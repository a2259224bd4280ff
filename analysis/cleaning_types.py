"""Change a column's type; what does not fit is counted and shown, and never dropped in silence."""

import re
from collections.abc import Sequence

from analysis.cleaning_plan import NUMERIC, TIMED, DoesNotFit, Plan, Source, counted, listing
from analysis.errors import BadValue, require_option
from sandbox.engine import literal
from storage.datasets import ColumnInfo

TYPES = ("number", "integer", "text", "date", "datetime", "boolean")
ON_ERROR = ("refuse", "missing")
NUMBER_FORMATS = {"1,234.5": (",", "."), "1.234,5": (".", ","), "1 234,5": (" ", ","), "1'234.5": ("'", ".")}
"""How numbers are written: the separator of thousands and the decimal mark."""
CURRENCY = r"^[\s\p{Z}\p{Sc}]+|[\s\p{Z}\p{Sc}]+$"
DATE_FORMATS = (
    "%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y%m%d", "%d.%m.%y",
    "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y",
)  # fmt: skip
CLOCKS = ("", " %H:%M:%S", " %H:%M", " %I:%M %p")
LETTERS = (
    ("yyyy", "%Y"), ("yy", "%y"), ("mmmm", "%B"), ("mmm", "%b"), ("mm", "%m"), ("dd", "%d"), ("hh", "%H"),
    ("mi", "%M"), ("ss", "%S"),
)  # fmt: skip
TRUE, FALSE = ("true", "yes", "1", "t", "y"), ("false", "no", "0", "f", "n")


def change_type(
    source: Source, columns: Sequence[str] = (), to: str = "", format: str = "", on_error: str = "refuse"
) -> Plan:
    """Text to numbers, dates or truth values, and between types.

    `format`: of numbers 1,234.5 or 1.234,5; of dates dd.mm.yyyy or %d.%m.%Y; of truth values ja/nein. Without
    it, dates are read in the one usual way that fits all of them. Values that fit nothing become missing with
    `on_error` missing, else the step is refused. Raises DoesNotFit.
    """
    kind = require_option(to, TYPES, "type")
    wanted = require_option(on_error or "refuse", ON_ERROR, "on_error")
    values: dict[str, str] = {}
    notes: list[str] = []
    misfits, converted = 0, 0
    for column in source.columns(columns):
        values[column.name], words = converting(source, column, kind, format.strip())
        notes += words
        bad, good = _fitting(source, column, values[column.name], kind, refuse=wanted == "refuse")
        if bad:
            notes.append(f"{counted(bad, 'value')} of {column.name} did not fit and became missing.")
        misfits, converted = misfits + bad, converted + good
    shape = f" written as {format.strip()}" if format.strip() else ""
    rest = "; what does not fit becomes missing" if misfits else ""
    return Plan(
        source.replaced(values),
        f"Change {listing(values)} to {_named(kind)}{shape}{rest}",
        [source.data],
        [(name, name) for name in values],
        notes=notes,
        facts={"converted": converted, "did_not_fit": misfits},
    )


def converting(source: Source, column: ColumnInfo, kind: str, format: str) -> tuple[str, list[str]]:
    """The SQL that reads a value as `kind`, missing where it does not fit, and notes. Raises BadValue."""
    field = source.value(column)
    if kind == "text":
        if format and column.kind in TIMED:
            return f"strftime({field}, {literal(strptime(format))})", []
        return f"CAST({field} AS VARCHAR)", []
    if kind in NUMERIC:
        return _number(source, column, field, kind, format)
    if kind == "boolean":
        return _boolean(column, field, format), []
    return _date(source, column, field, kind, format)


def _number(source: Source, column: ColumnInfo, field: str, kind: str, format: str) -> tuple[str, list[str]]:
    notes: list[str] = []
    if column.kind in TIMED or column.kind == "time":
        raise BadValue(f"{column.name} holds dates, which are no numbers. Take a part: year, month, day.")
    if column.kind in NUMERIC or column.kind == "boolean":
        if kind == "number":
            return f"CAST({field} AS DOUBLE)", notes
        return f"CASE WHEN {field} = trunc({field}) THEN TRY_CAST({field} AS BIGINT) END", notes
    thousands, decimal = _marks(format)
    zeros = source.first(f"count(*) FILTER (regexp_full_match(trim({field}), '0\\d+'))")[0]
    if zeros:
        notes.append(f"{counted(zeros, 'value')} of {column.name} lost leading zeros, which numbers lack.")
    bare = f"regexp_replace({field}, {literal(CURRENCY)}, '', 'g')"
    escaped = re.escape(thousands)
    shape = rf"[-+]?(\d+|\d{{1,3}}({escaped}\d{{3}})+)({re.escape(decimal)}\d*)?([eE][-+]?\d+)?"
    if decimal == ".":
        shape = rf"{shape}|[-+]?\.\d+"
    plain = f"replace({bare}, {literal(thousands)}, '')"
    if decimal != ".":
        plain = f"replace({plain}, {literal(decimal)}, '.')"
    target = "DOUBLE" if kind == "number" else "BIGINT"
    if kind == "integer":
        shape = rf"[-+]?(\d+|\d{{1,3}}({escaped}\d{{3}})+)({re.escape(decimal)}0*)?"
        plain = f"regexp_replace({plain}, '\\.0*$', '')"
    return (
        f"CASE WHEN regexp_full_match({bare}, {literal(shape)}) THEN TRY_CAST({plain} AS {target}) END",
        notes,
    )


def _marks(format: str) -> tuple[str, str]:
    if not format:
        return NUMBER_FORMATS["1,234.5"]
    decimals = {"comma": "1.234,5", ",": "1.234,5", "point": "1,234.5", ".": "1,234.5"}
    wanted = decimals.get(format.removeprefix("decimal").strip(), format)
    if wanted not in NUMBER_FORMATS:
        raise BadValue(
            f"{format!r} is no way of writing numbers. Choose one of: {'  '.join(NUMBER_FORMATS)}.",
            list(NUMBER_FORMATS),
        )
    return NUMBER_FORMATS[wanted]


def _boolean(column: ColumnInfo, field: str, format: str) -> str:
    yes: tuple[str, ...] = TRUE
    no: tuple[str, ...] = FALSE
    if format:
        words = [word.strip().lower() for word in format.split("/")]
        if len(words) != 2 or not all(words):
            raise BadValue("Say how yes and no are written, such as: ja/nein.")
        yes, no = (words[0],), (words[1],)
    text = f"lower(trim(CAST({field} AS VARCHAR)))"
    if column.kind == "number":
        text = f"CASE {field} WHEN 1 THEN '1' WHEN 0 THEN '0' ELSE 'x' END"
    true, false = (", ".join(literal(word) for word in words) for words in (yes, no))
    return f"CASE WHEN {text} IN ({true}) THEN true WHEN {text} IN ({false}) THEN false END"


def _date(source: Source, column: ColumnInfo, field: str, kind: str, format: str) -> tuple[str, list[str]]:
    target = "DATE" if kind == "date" else "TIMESTAMP"
    if column.kind in TIMED:
        lost = column.kind == "datetime" and kind == "date"
        return f"CAST({field} AS {target})", [
            f"The time of day of {column.name} is left out."
        ] if lost else []
    if column.kind in ("boolean", "time", "number"):
        raise BadValue(f"{column.name} holds {column.kind} values, which are no dates.")
    text = f"trim(CAST({field} AS VARCHAR))"
    if format:
        return f"TRY_CAST(TRY_STRPTIME({text}, {literal(strptime(format))}) AS {target})", []
    found = _found_format(source, column, text)
    shown = f"{column.name} was read as {spelt(found)}."
    return f"TRY_CAST(TRY_STRPTIME({text}, {literal(found)}) AS {target})", [shown]


def _found_format(source: Source, column: ColumnInfo, text: str) -> str:
    """The format that fits most values; raises DoesNotFit where two different ones fit alike."""
    formats = [day + clock for clock in CLOCKS for day in DATE_FORMATS] + ["%Y-%m-%dT%H:%M:%S"]
    parsed = [f"TRY_STRPTIME({text}, {literal(format)})" for format in formats]
    counts = source.first(*(f"count({value})" for value in parsed))
    best = max(counts)
    if not best:
        examples = _examples(source, column, "true")
        raise DoesNotFit(
            f"No value of {column.name} is a date in a usual form, such as {examples}. "
            "Say the format, such as dd.mm.yyyy."
        )
    fitting = [index for index, count in enumerate(counts) if count == best]
    differ = source.first(
        *(f"count(*) FILTER ({parsed[fitting[0]]} IS DISTINCT FROM {parsed[index]})" for index in fitting)
    )
    others = [formats[index] for index, count in zip(fitting, differ, strict=True) if count]
    if others:
        ways = [spelt(formats[fitting[0]]), *map(spelt, others)]
        raise DoesNotFit(
            f"The dates of {column.name} can be read in more than one way: {' or '.join(ways)}. Say which.",
            ways,
        )
    return formats[fitting[0]]


def _fitting(source: Source, column: ColumnInfo, value: str, kind: str, *, refuse: bool) -> tuple[int, int]:
    """Values that do not fit, and those that do. Raises DoesNotFit when they are refused."""
    present = f"{source.value(column)} IS NOT NULL"
    if column.kind == "text":
        present += f" AND trim({source.value(column)}) <> ''"
    bad = f"{present} AND ({value}) IS NULL"
    misfits, fits = source.first(f"count(*) FILTER ({bad})", f"count({value})")
    if misfits and refuse:
        examples = _examples(source, column, bad)
        raise DoesNotFit(
            f"{counted(misfits, 'value')} of {column.name} cannot be read as {_named(kind)}, such as "
            f'{examples}. Nothing was changed. Say how they are written, or add "and make the rest missing"'
            " (on_error missing).",
        )
    return misfits, fits


def _examples(source: Source, column: ColumnInfo, condition: str) -> str:
    field = source.value(column)
    found = source.fetch(
        f"SELECT CAST({field} AS VARCHAR) AS v FROM {source.table} WHERE {field} IS NOT NULL AND {condition}"
        " GROUP BY v ORDER BY count(*) DESC, v LIMIT 3"
    )
    return listing(repr(str(row[0])[:60]) for row in found.rows)


def strptime(format: str) -> str:
    """A format of dates as strptime's: dd.mm.yyyy is %d.%m.%Y."""
    if "%" in format:
        return format
    found = format.lower().replace("hh:mm", "hh:mi")
    for letters, code in LETTERS:
        found = found.replace(letters, code)
    if not re.search("%[YyBbmd]", found):
        raise BadValue(f"{format!r} is no format of dates. Write it as dd.mm.yyyy or %d.%m.%Y.")
    return found


def spelt(format: str) -> str:
    """strptime's format in letters: %d.%m.%Y is dd.mm.yyyy."""
    found = format.replace("%I", "hh").replace("%p", "am/pm").replace("%M", "mm")
    for letters, code in LETTERS:
        found = found.replace(code, letters)
    return found


def _named(kind: str) -> str:
    names = {"number": "numbers", "integer": "whole numbers", "date": "dates", "datetime": "dates with times"}
    return names.get(kind, "yes or no" if kind == "boolean" else "text")

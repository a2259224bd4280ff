"""Steps that change values and keep every row: fill gaps, replace, tidy text, scale."""

from collections.abc import Sequence
from typing import Any

from analysis.cleaning_plan import (
    NUMERIC,
    DoesNotFit,
    NothingToChange,
    Plan,
    Source,
    constant,
    counted,
    listing,
)
from analysis.conditions import said
from analysis.errors import BadValue, ConstantColumn, require_option
from analysis.measures import require_numeric
from sandbox.engine import literal, quoted
from storage.datasets import ColumnInfo

FILLS = ("value", "mean", "median", "mode", "previous", "next")
TEXT_WAYS = ("trim", "squeeze", "lower", "upper", "title")
TEXT_WORDS = {
    "trim": "Remove spaces around",
    "squeeze": "Remove spaces around, and repeated ones inside,",
    "lower": "Make lower case of",
    "upper": "Make upper case of",
    "title": "Capitalise each word of",
}
SCALES = ("minmax", "standard")
SPACES = r"[\s\p{Z}]+"


def fill_missing(
    source: Source,
    columns: Sequence[str] = (),
    method: str = "",
    value: Any = None,
    by: Sequence[str] = (),
    order_by: str = "",
) -> Plan:
    """Fills gaps with a value, the column's mean, median or most frequent value (the smallest at a tie), or
    the value before or after it in the order of a column; each within its group of `by`.

    Raises NothingToChange, NotNumeric, BadValue.
    """
    way = require_option(method or ("value" if value is not None else ""), FILLS, "way to fill gaps")
    if way == "value" and value is None:
        raise BadValue("Say which value to fill in.")
    chosen = source.columns(columns)
    gaps = source.first(*(f"count(*) FILTER ({source.missing(c)})" for c in chosen))
    with_gaps = [c for c, count in zip(chosen, gaps, strict=True) if count]
    if not with_gaps:
        raise NothingToChange(f"{listing(c.name for c in chosen)} has no missing values.")
    groups = [source.column(name) for name in by]
    order = source.column(order_by) if order_by else None
    if way == "value":
        fills = {c.name: f"coalesce({source.value(c)}, {constant(c, value)})" for c in with_gaps}
        code = source.replaced(fills)
    elif way == "mode":
        code = _modes(source, with_gaps, groups)
    else:
        fills = {c.name: _filled(source, c, way, groups, order) for c in with_gaps}
        code = source.replaced(fills, ordered=True)
    left = _left(source, code, with_gaps)
    notes = [f"{counted(n, 'value')} of {name} stay missing: there is nothing to take." for name, n in left]
    if way in ("previous", "next") and order is None:
        notes.append("The order is that of the rows in the file.")
    return Plan(
        code,
        _fill_words(with_gaps, way, value, groups, order),
        [source.data],
        [(c.name, c.name) for c in with_gaps],
        notes=notes,
        facts={"filled": sum(gaps) - sum(n for _, n in left), "still_missing": sum(n for _, n in left)},
    )


def _filled(
    source: Source, column: ColumnInfo, way: str, groups: list[ColumnInfo], order: ColumnInfo | None
) -> str:
    field = source.value(column)
    parts = ", ".join(quoted(c.name) for c in groups)
    within = f"PARTITION BY {parts}" if parts else ""
    if way in ("mean", "median"):
        require_numeric(column, f"the {way}")
        name = "avg" if way == "mean" else "median"
        return f"coalesce({field}, {name}({field}) OVER ({within}))"
    keys = ", ".join(quoted(name) for name in [*([order.name] if order else []), source.row])
    frame = (
        "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
        if way == "previous"
        else "ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING"
    )
    name = "last_value" if way == "previous" else "first_value"
    window = f"{within} ORDER BY {keys} {frame}".strip()
    return f"{name}({field} IGNORE NULLS) OVER ({window})"


def _modes(source: Source, columns: list[ColumnInfo], groups: list[ColumnInfo]) -> str:
    """Each group's most frequent value joined to its rows, column by column."""
    parts, joins, fills = [], [], []
    keys = [quoted(c.name) for c in groups]
    for index, column in enumerate(columns):
        field, mode = source.value(column), f"__mode_{index}"
        of_group = f"PARTITION BY {', '.join(keys)} " if keys else ""
        listed = ", ".join([*keys, f"{field} AS __value"])
        parts.append(
            f"{mode} AS (\n  SELECT {listed} FROM {source.table} WHERE NOT {source.missing(column)}\n"
            f"  GROUP BY {', '.join([*keys, field])}\n"
            f"  QUALIFY row_number() OVER ({of_group}ORDER BY count(*) DESC, {field}) = 1\n)"
        )
        on = " AND ".join(f"r.{key} IS NOT DISTINCT FROM {mode}.{key}" for key in keys) or "true"
        joins.append(f"LEFT JOIN {mode} ON {on}")
        fills.append(f"coalesce({source.value(column, 'r')}, {mode}.__value) AS {quoted(column.name)}")
    return (
        f"{source.numbered()}, {', '.join(parts)}\nSELECT r.* EXCLUDE ({quoted(source.row)}) REPLACE"
        f" ({', '.join(fills)})\nFROM {quoted(source.rows)} AS r {' '.join(joins)}\n"
        f"ORDER BY r.{quoted(source.row)}"
    )


def _left(source: Source, code: str, columns: list[ColumnInfo]) -> list[tuple[str, int]]:
    counts = ", ".join(f"count(*) - count({quoted(c.name)})" for c in columns)
    row = source.fetch(f"SELECT {counts} FROM (\n{code}\n) AS made").rows[0]
    return [(c.name, int(n)) for c, n in zip(columns, row, strict=True) if n]


def _fill_words(
    columns: list[ColumnInfo], way: str, value: Any, groups: list[ColumnInfo], order: ColumnInfo | None
) -> str:
    filled = {
        "value": f"{said(value)!r}" if isinstance(value, str) else said(value),
        "mode": "the most frequent value",
        "previous": "the value before",
        "next": "the value after",
    }.get(way, f"the {way}")
    within = f" of its {listing(c.name for c in groups)}" if groups else ""
    along = f" in the order of {order.name}" if order else ""
    return f"Fill missing values of {listing(c.name for c in columns)} with {filled}{within}{along}"


def replace_values(
    source: Source,
    columns: Sequence[str] = (),
    old: Sequence[Any] = (),
    value: Any = None,
    method: str = "whole",
) -> Plan:
    """Other values in place of `old` ones (whole), or inside longer texts (part); no new value is a gap."""
    how = require_option(method or "whole", ("whole", "part"), "way to match")
    wanted = [old] if isinstance(old, (str, int, float)) else list(old)
    if not wanted:
        raise BadValue("Say which values to replace.")
    values: dict[str, str] = {}
    matches: list[str] = []
    chosen = source.columns(columns)
    for column in chosen:
        field = source.value(column)
        if how == "part":
            if column.kind != "text":
                raise BadValue(f"{column.name} is no text; parts of values can be replaced in text only.")
            made = field
            for text in wanted:
                made = f"replace({made}, {literal(said(text))}, {literal(said(value or ''))})"
            values[column.name] = made
            matches += [f"contains({field}, {literal(said(text))})" for text in wanted]
        else:
            among = ", ".join(constant(column, item) for item in wanted)
            values[column.name] = (
                f"CASE WHEN {field} IN ({among}) THEN {constant(column, value)} ELSE {field} END"
            )
            matches.append(f"{field} IN ({among})")
    if not source.first(f"count(*) FILTER ({' OR '.join(matches)})")[0]:
        raise _not_there(source, chosen, wanted)
    new = (
        "nothing"
        if value in (None, "") and how == "part"
        else "missing"
        if value is None
        else repr(said(value))
    )
    inside = " inside" if how == "part" else " in"
    return Plan(
        source.replaced(values),
        f"Replace {listing(repr(said(item)) for item in wanted)}{inside} {listing(values)} with {new}",
        [source.data],
        [(name, name) for name in values],
    )


def _not_there(source: Source, columns: list[ColumnInfo], wanted: list[Any]) -> NothingToChange:
    """Says so, with values that differ in case or spaces alone."""
    among = ", ".join(literal(said(item).strip().lower()) for item in wanted)
    near: list[str] = []
    for column in columns:
        if column.kind == "text":
            name = quoted(column.name)
            found = source.fetch(
                f"SELECT DISTINCT {name} FROM {source.table} WHERE lower(trim({name})) IN ({among}) LIMIT 5"
            )
            near += [str(row[0]) for row in found.rows]
    hint = f" There is {listing(map(repr, near))}." if near else ""
    listed = listing(repr(said(item)) for item in wanted)
    return NothingToChange(f"{listing(c.name for c in columns)} has no value {listed}.{hint}", near)


def clean_text(source: Source, columns: Sequence[str] = (), method: str = "trim") -> Plan:
    """Spaces around removed (trim), repeated ones too (squeeze), or another case: lower, upper, title."""
    way = require_option(method or "trim", TEXT_WAYS, "way to tidy text")
    values: dict[str, str] = {}
    for column in source.columns(columns):
        if column.kind != "text":
            raise DoesNotFit(f"{column.name} holds {column.kind} values, no text.")
        values[column.name] = _tidied(quoted(column.name), way)
    return Plan(
        source.replaced(values),
        f"{TEXT_WORDS[way]} {listing(values)}",
        [source.data],
        [(name, name) for name in values],
    )


def _tidied(field: str, way: str) -> str:
    if way in ("lower", "upper"):
        return f"{way}({field})"
    if way == "title":
        words = f"list_transform(string_split(lower({field}), ' '), lambda w: upper(w[1]) || w[2:])"
        return f"array_to_string({words}, ' ')"
    trimmed = f"regexp_replace({field}, {literal(f'^{SPACES}|{SPACES}$')}, '', 'g')"
    return trimmed if way == "trim" else f"regexp_replace({trimmed}, {literal(SPACES)}, ' ', 'g')"


def scale(source: Source, columns: Sequence[str] = (), method: str = "minmax") -> Plan:
    """Numbers from 0 to 1 (minmax), or with mean 0 and population standard deviation 1 (standard)."""
    way = require_option(method or "minmax", SCALES, "way to scale")
    values: dict[str, str] = {}
    for column in source.columns(columns):
        if column.kind not in NUMERIC:
            require_numeric(column, "scaling")
        field = f"CAST({source.value(column)} AS DOUBLE)"
        low, high = source.first(f"min({field})", f"max({field})")
        if low is None or low == high:
            raise ConstantColumn(f"{column.name} has no two different values, so it cannot be scaled.")
        if way == "minmax":
            least = f"min({field}) OVER ()"
            values[column.name] = f"({field} - {least}) / (max({field}) OVER () - {least})"
        else:
            values[column.name] = f"({field} - avg({field}) OVER ()) / stddev_pop({field}) OVER ()"
    onto = "0 to 1" if way == "minmax" else "mean 0 and standard deviation 1"
    return Plan(
        source.replaced(values, ordered=True),
        f"Scale {listing(values)} to {onto}",
        [source.data],
        [(name, name) for name in values],
        notes=["The standard deviation is that of all rows (n), as in scikit-learn."]
        if way == "standard"
        else [],
    )

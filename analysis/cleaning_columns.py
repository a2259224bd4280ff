"""Steps that rename, take out or add columns and keep every row."""

import json
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from analysis.cleaning_plan import NothingToChange, Plan, Source, constant, counted, listing, number
from analysis.column_kinds import kind_of
from analysis.conditions import said
from analysis.errors import BadQuery, BadValue, UnknownOption, require_option
from analysis.measures import free_name, require_numeric
from sandbox.engine import literal, quoted

CHANGING_FUNCTIONS = {
    "random", "setseed", "uuid", "gen_random_uuid", "uuidv4", "uuidv7", "now", "today", "current_date",
    "current_time", "current_timestamp", "current_localtime", "current_localtimestamp",
    "get_current_timestamp", "get_current_time", "transaction_timestamp", "txid_current",
}  # fmt: skip
"""Functions that say something else at the next run."""
MOST_PARTS = 20
MOST_CATEGORIES = 50
MOST_BINS = 100


def rename(source: Source, columns: Sequence[str] = (), names: Sequence[str] = ()) -> Plan:
    """Other names for columns, in the same order. Raises BadValue for a name that is taken."""
    listed = [columns] if isinstance(columns, str) else list(columns)
    new = [names] if isinstance(names, str) else list(names)
    found = [source.column(name).name for name in listed]
    if not found or len(found) != len(new) or len(set(found)) != len(found):
        raise BadValue("Say each column to rename once, and one new name for each.")
    given = {old: " ".join(str(name).split()) for old, name in zip(found, new, strict=True)}
    changed = {old: name for old, name in given.items() if old != name}
    if not changed:
        raise NothingToChange(f"{listing(found)} is called so already.")
    after = [changed.get(name, name) for name in source.names]
    lower = [name.lower() for name in after]
    for name in changed.values():
        if not name or lower.count(name.lower()) > 1:
            raise BadValue(
                f"There is a column {name!r} already; choose another name." if name else "Say the name."
            )
    renamed = ", ".join(
        f"{quoted(old)} AS {quoted(changed[old])}" if old in changed else quoted(old) for old in source.names
    )
    words = listing(f"{old} to {name}" for old, name in changed.items())
    return Plan(
        f"SELECT {renamed}\nFROM {source.table}",
        f"Rename {words}",
        [source.data],
        list(zip(source.names, after, strict=True)),
        facts={"renamed": len(changed)},
    )


def drop_columns(source: Source, columns: Sequence[str] = ()) -> Plan:
    """Takes columns out."""
    gone = [c.name for c in source.columns(columns)]
    if len(gone) == len(source.names):
        raise BadValue("At least one column must stay.")
    listed = ", ".join(map(quoted, gone))
    return Plan(
        f"SELECT * EXCLUDE ({listed})\nFROM {source.table}",
        f"Remove the column{'' if len(gone) == 1 else 's'} {listing(gone)}",
        [source.data],
        [],
        facts={"columns_removed": len(gone)},
    )


def keep_columns(source: Source, columns: Sequence[str] = ()) -> Plan:
    """Keeps only these columns, in this order."""
    kept = [c.name for c in source.columns(columns)]
    if kept == source.names:
        raise NothingToChange("These are all the columns, in their order.")
    return Plan(
        f"SELECT {', '.join(map(quoted, kept))}\nFROM {source.table}",
        f"Keep only the column{'' if len(kept) == 1 else 's'} {listing(kept)}",
        [source.data],
        [],
        facts={"columns_removed": len(source.names) - len(kept)},
    )


def derive(source: Source, name: str = "", expression: str = "") -> Plan:
    """A new column by an SQL expression over the columns of the same row (or a window over all rows).

    Raises BadQuery for what is no expression of this table, or would be something else at the next run, and
    BadValue for a type that no column has.
    """
    new, formula = source.new_name(name), expression.strip().rstrip(";").strip()
    if not formula:
        raise BadValue("Say how the new column is computed, such as: revenue - cost.")
    _refuse_changing(source, formula)
    windowed = _holds_window(source, formula)
    code = source.added({new: f"(\n  {formula}\n)"}, ordered=windowed)
    made = source.fetch(f"SELECT * FROM (\n{code}\n) AS made LIMIT 0")
    if made.names != [*source.names, new]:
        raise BadQuery("That is more than one expression. Add one column at a time.")
    kind = next(column.type for column in made.columns if column.name == new)
    if kind_of(kind) == "other" or "WITH TIME ZONE" in kind:
        raise BadValue(f"The expression gives {kind}, which no column can be. Cast it to a plain type.")
    rows = source.fetch(f"SELECT count(*) FROM (\n{code}\n) AS made").rows[0][0]
    if rows != source.data.rows:
        raise BadQuery(f"The expression gives {rows:,} values for {counted(source.data.rows, 'row')}.")
    gaps = source.fetch(f"SELECT count(*) - count({quoted(new)}) FROM (\n{code}\n) AS made").rows[0][0]
    notes = [f"{new} is missing in {counted(gaps, 'row')}."] if gaps else []
    words = " ".join(formula.split())
    return Plan(
        code, f"Add the column {new} = {words}", [source.data], [], notes=notes,
        facts={"type": kind_of(kind), "missing": gaps},
    )  # fmt: skip


def _tree(source: Source, formula: str) -> Any:
    """DuckDB's own parse of the expression."""
    query = f"SELECT (\n{formula}\n) FROM {source.table}"
    parsed = json.loads(source.fetch(f"SELECT json_serialize_sql({literal(query)}) AS tree").rows[0][0])
    if parsed.get("error") or len(parsed.get("statements", [])) != 1:
        raise BadQuery(f"That is no expression: {parsed.get('error_message') or 'write one only'}.")
    return parsed


def _walk(tree: Any) -> list[dict[str, Any]]:
    found, pending = [], [tree]
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, dict):
            found.append(item)
            pending.extend(item.values())
    return found


def _refuse_changing(source: Source, formula: str) -> None:
    for node in _walk(_tree(source, formula)):
        names = {str(node.get("function_name", "")).lower()}
        if node.get("class") == "COLUMN_REF":
            known = {name.lower() for name in source.names}
            names |= {str(node.get("column_names", [""])[-1]).lower()} - known
        if again := names & CHANGING_FUNCTIONS:
            raise BadQuery(
                f"{min(again)} gives something else each time, so the step could not be run again. "
                "Write the value instead."
            )


def _holds_window(source: Source, formula: str) -> bool:
    nodes = _walk(_tree(source, formula))
    # A subquery is joined to the rows, which may change their order.
    return any(str(node.get("class")) in ("WINDOW", "SUBQUERY") for node in nodes)


def split_column(
    source: Source, columns: Sequence[str] = (), separator: str = "", names: Sequence[str] = ()
) -> Plan:
    """Cuts text at a separator into new columns; the last one keeps what is left over."""
    column = source.one(columns)
    if column.kind != "text":
        raise BadValue(f"{column.name} holds {column.kind} values, no text to split.")
    if not separator:
        raise BadValue("Say at what to split, such as a comma or a space.")
    field, mark = quoted(column.name), literal(separator)
    most = source.first(f"max(len(string_split({field}, {mark})))")[0] or 1
    if most == 1:
        raise NothingToChange(f"No value of {column.name} holds {separator!r}.")
    count = len(names) or most
    if not 1 < count <= MOST_PARTS:
        raise BadValue(f"Choose between 2 and {MOST_PARTS} columns; some values have {most:,} parts.")
    given = list(names) or [free_name(f"{column.name}_{i + 1}", source.names) for i in range(count)]
    parts = [f"trim(string_split({field}, {mark})[{i}])" for i in range(1, count)]
    rest = f"nullif(array_to_string(string_split({field}, {mark})[{count}:], {mark}), '')"
    new = _named_apart(source, given)
    values = dict(zip(new, [*parts, f"trim({rest})"], strict=True))
    more = source.first(f"count(*) FILTER (len(string_split({field}, {mark})) > {count})")[0]
    notes = [f"{counted(more, 'row')} have more parts; {new[-1]} keeps the rest."] if more else []
    return Plan(
        source.added(values),
        f"Split {column.name} at {separator!r} into {listing(new)}",
        [source.data],
        [],
        notes=notes,
        facts={"columns_added": count},
    )


def _named_apart(source: Source, names: Sequence[str]) -> list[str]:
    new = [source.new_name(name) for name in names]
    if len({name.lower() for name in new}) != len(new):
        raise BadValue("Each new column needs a name of its own.")
    return new


def cut(
    source: Source,
    columns: Sequence[str] = (),
    edges: Sequence[float] = (),
    bins: int = 0,
    method: str = "width",
    names: Sequence[str] = (),
    name: str = "",
) -> Plan:
    """A new column with the range that a number lies in: from an edge to below the next, the last one closed.

    `edges`, or that many ranges of the same width or with about as many rows each (quantile). `names` are
    labels of the ranges.
    """
    column = source.one(columns)
    require_numeric(column, "cutting into ranges")
    field = f"CAST({source.value(column)} AS DOUBLE)"
    marks = _edges(source, field, edges, bins, method)
    if len(names) not in (0, len(marks) - 1):
        raise BadValue(f"There are {len(marks) - 1} ranges and {len(names)} labels.")
    pairs = list(pairwise(marks))
    labels = list(names) or [f"{_short(a)} to {_short(b)}" for a, b in pairs]
    cases = [
        f"WHEN {field} >= {number(a)} AND {field} {'<=' if i == len(pairs) - 1 else '<'} {number(b)}"
        f" THEN {literal(str(label))}"
        for i, ((a, b), label) in enumerate(zip(pairs, labels, strict=True))
    ]
    new = source.new_name(name or f"{column.name}_range")
    made = f"CASE {' '.join(cases)} END"
    outside = source.first(f"count(*) FILTER ({field} IS NOT NULL AND ({made}) IS NULL)")[0]
    notes = [f"{counted(outside, 'value')} lie outside the ranges and have none."] if outside else []
    return Plan(
        source.added({new: made}),
        f"Cut {column.name} into {len(pairs)} ranges in {new}: {listing(labels)}",
        [source.data],
        [],
        notes=notes,
        facts={"ranges": len(pairs), "outside": outside},
    )


def _edges(source: Source, field: str, edges: Sequence[float], bins: int, method: str) -> list[float]:
    if edges:
        found = sorted({float(edge) for edge in edges})
    else:
        way = require_option(method or "width", ("width", "quantile"), "way to cut")
        if not 1 < bins <= MOST_BINS:
            raise BadValue(f"Choose between 2 and {MOST_BINS} ranges, or name their edges.")
        if way == "quantile":
            parts = ", ".join(str(i / bins) for i in range(bins + 1))
            found = sorted({float(v) for v in source.first(f"quantile_cont({field}, [{parts}])")[0] or []})
        else:
            low, high = source.first(f"min({field})", f"max({field})")
            if low is None:
                raise BadValue("There are no values to cut.")
            found = sorted({*(low + (high - low) * i / bins for i in range(bins)), high})
    if len(found) < 2 or not all(map(math.isfinite, found)):
        raise BadValue("At least two different edges are needed.")
    return found


def _short(value: float) -> str:
    return said(value) if value.is_integer() else f"{value:.6g}"


def one_hot(source: Source, columns: Sequence[str] = ()) -> Plan:
    """A column of 0 and 1 for each value of a column, in its place."""
    column = source.one(columns)
    field = quoted(column.name)
    if column.distinct > MOST_CATEGORIES:
        raise UnknownOption(
            f"{column.name} has {column.distinct:,} values; up to {MOST_CATEGORIES} can be encoded.",
            [],
        )
    found = source.fetch(
        f"SELECT {field} FROM {source.table} WHERE NOT {source.missing(column)} GROUP BY 1 ORDER BY 1"
    )
    known = [row[0] for row in found.rows]
    new: dict[str, str] = {}
    for value in known:
        label = free_name(f"{column.name}_{said(value)}", [*source.names, *new])
        new[label] = f"CAST(coalesce({field} = {constant(column, value)}, false) AS INTEGER)"
    more = ", ".join(f"{made} AS {quoted(label)}" for label, made in new.items())
    gaps = f"; rows without {column.name} have 0 in all of them" if column.missing else ""
    return Plan(
        f"SELECT * EXCLUDE ({field}), {more}\nFROM {source.table}",
        f"Encode {column.name} as {len(new)} columns of 0 and 1{gaps}",
        [source.data],
        [],
        facts={"columns_added": len(new)},
    )

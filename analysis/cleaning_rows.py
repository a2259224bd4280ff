"""Steps that take rows out and leave the others as they are, or mark them."""

import math
from collections.abc import Sequence

import ibis
from ibis.backends.sql.datatypes import DuckDBType

from analysis.cleaning_plan import (
    SHOWN,
    NothingToChange,
    Plan,
    Source,
    counted,
    listing,
    number,
)
from analysis.conditions import Condition, describe, predicate
from analysis.engine import compile_sql
from analysis.errors import BadValue, ConstantColumn, EmptySelection, require_option
from analysis.measures import require_numeric
from analysis.outliers import METHODS, THRESHOLDS
from sandbox.engine import literal, quoted

KEEP = ("first", "last", "none")
ACTIONS = ("remove", "clip", "mark")
MOST_SAMPLED = 2**31


def drop_missing(source: Source, columns: Sequence[str] = (), method: str = "any") -> Plan:
    """Removes rows with a gap in any (or all) of the columns; without columns in any column."""
    how = require_option(method or "any", ("any", "all"), "method")
    chosen = source.columns(columns) if columns else list(source.data.columns)
    joint = " OR " if how == "any" else " AND "
    gone = joint.join(source.missing(column) for column in chosen)
    where = listing(c.name for c in chosen) if columns else f"{how} column"
    if columns and len(chosen) > 1:
        where = f"{how} of {where}"
    return Plan(
        source.kept(f"NOT ({gone})"),
        f"Remove rows without a value in {where}",
        [source.data],
        removed=source.kept(gone),
    )


def drop_duplicates(
    source: Source,
    columns: Sequence[str] = (),
    keep: str = "first",
    order_by: str = "",
    descending: bool = False,
) -> Plan:
    """Keeps one row (first, last, or none of them) of those that agree in the columns, or in all columns.

    First and last are in the order of the rows, or of a column.
    """
    kept = require_option(keep or "first", KEEP, "row to keep")
    chosen = source.columns(columns) if columns else list(source.data.columns)
    same = ", ".join(quoted(c.name) for c in chosen)
    if kept == "none":
        one, other = f"count(*) OVER (PARTITION BY {same}) = 1", f"count(*) OVER (PARTITION BY {same}) > 1"
    else:
        backwards = (kept == "last") != descending
        order = (
            [f"{quoted(source.column(order_by).name)}{' DESC' if backwards else ''} NULLS LAST"]
            if order_by
            else []
        )
        rows = f"{quoted(source.row)}{' DESC' if kept == 'last' else ''}"
        place = f"row_number() OVER (PARTITION BY {same} ORDER BY {', '.join([*order, rows])})"
        one, other = f"{place} = 1", f"{place} > 1"
    among = f" with the same {listing(c.name for c in chosen)}" if columns else ""
    which = {
        "first": "keep the first",
        "last": "keep the last",
        "none": "keep none of them",
    }[kept]
    by = f" by {source.column(order_by).name}" if order_by and kept != "none" else ""
    return Plan(
        source.kept(one, ordered=True),
        f"Remove duplicate rows{among}; {which}{by}",
        [source.data],
        removed=source.kept(other, ordered=True),
    )


def outliers(
    source: Source,
    columns: Sequence[str] = (),
    method: str = "iqr",
    threshold: float = 0,
    action: str = "remove",
) -> Plan:
    """Values beyond the fences: their rows removed, the values moved to the fence (clip), or marked in a new
    yes-or-no column. The fences are those of the analysis of outliers: 1.5 IQR, or 3 standard deviations.

    Raises NotNumeric, ConstantColumn, NothingToChange.
    """
    way = require_option(method or "iqr", METHODS, "method")
    done = require_option(action or "remove", ACTIONS, "action")
    if not 0 <= threshold < math.inf:
        raise BadValue("The threshold must be a number above 0.")
    factor = float(threshold or THRESHOLDS[way])
    beyond: dict[str, str] = {}
    inside: dict[str, str] = {}
    notes: list[str] = []
    for column in source.columns(columns):
        require_numeric(column, "looking for outliers")
        field = f"CAST({source.value(column)} AS DOUBLE)"
        low, high = _fences(field, way, factor)
        ends = source.fetch(f"SELECT {low}, {high}, min({field}), max({field}) FROM {source.table}").rows[0]
        if ends[2] is None or ends[2] == ends[3]:
            raise ConstantColumn(f"{column.name} has no two different values, so nothing stands out.")
        low, high = number(float(ends[0])), number(float(ends[1]))
        notes.append(f"{column.name}: outside {ends[0]:,.6g} to {ends[1]:,.6g}.")
        beyond[column.name] = f"coalesce({field} < {low} OR {field} > {high}, false)"
        inside[column.name] = (
            f"CASE WHEN {field} < {low} THEN {low} WHEN {field} > {high} THEN {high} ELSE {field} END"
        )
    any_beyond = " OR ".join(beyond.values())
    found = source.first(f"count(*) FILTER ({any_beyond})")[0]
    rule = f"{factor:g} IQR" if way == "iqr" else f"{factor:g} standard deviations"
    of = listing(beyond)
    if not found:
        raise NothingToChange(f"{of} has no value beyond {rule}.")
    facts = {"outliers": found}
    if done == "remove":
        text = f"Remove rows with outliers of {of} (beyond {rule})"
        return Plan(
            source.kept(f"NOT ({any_beyond})"), text, [source.data],
            removed=source.kept(any_beyond), notes=notes, facts=facts,
        )  # fmt: skip
    if done == "clip":
        text = f"Move outliers of {of} to the fences ({rule})"
        pairs = [(name, name) for name in inside]
        return Plan(source.replaced(inside), text, [source.data], pairs, notes=notes, facts=facts)
    marks = {source.new_name(f"{name}_outlier"): condition for name, condition in beyond.items()}
    text = f"Mark outliers of {of} (beyond {rule}) in {listing(marks)}"
    return Plan(source.added(marks), text, [source.data], [], notes=notes, facts=facts)


def _fences(field: str, way: str, factor: float) -> tuple[str, str]:
    if way == "zscore":
        mean, spread = f"avg({field})", f"{factor!r} * stddev_samp({field})"
        return f"{mean} - {spread}", f"{mean} + {spread}"
    first, third = f"quantile_cont({field}, 0.25)", f"quantile_cont({field}, 0.75)"
    reach = f"{factor!r} * ({third} - {first})"
    return f"{first} - {reach}", f"{third} + {reach}"


def filter_rows(source: Source, where: Sequence[Condition] = (), keep: str = "matching") -> Plan:
    """Keeps the rows that meet every condition, or (keep others) those that do not.

    Raises EmptySelection when nothing would be left.
    """
    side = require_option(keep or "matching", ("matching", "others"), "side to keep")
    if not where:
        raise BadValue("Say which rows, such as: where region is West.")
    schema = {c.name: DuckDBType.from_string(c.type) for c in source.data.columns}
    table = ibis.table(schema, name=source.data.name)
    met = ibis.and_(*[predicate(source.engine, source.data, table, one) for one in where]).fill_null(False)
    words = " and ".join(describe(source.engine, source.data, one) for one in where)
    matching, others = compile_sql(table.filter(met)), compile_sql(table.filter(~met))
    code, removed = (matching, others) if side == "matching" else (others, matching)
    if source.fetch(f"SELECT count(*) FROM (\n{code}\n) AS kept").rows[0][0] == 0:
        raise EmptySelection(f"No row of {source.data.file_name} would be left: {words}.")
    text = f"Keep only rows where {words}" if side == "matching" else f"Remove rows where {words}"
    return Plan(code, text, [source.data], removed=removed)


def sort_rows(source: Source, by: Sequence[str] = (), descending: bool = False, limit: int = 0) -> Plan:
    """Sorts by columns, gaps last, equal rows as they were; with a limit the first ones stay."""
    chosen = source.columns(by)
    order = ", ".join(
        [*(f"{quoted(c.name)}{' DESC' if descending else ''} NULLS LAST" for c in chosen), quoted(source.row)]
    )
    base = (
        f"{source.numbered()}\nSELECT * EXCLUDE ({quoted(source.row)})\nFROM {quoted(source.rows)}\n"
        f"ORDER BY {order}"
    )
    direction = "highest" if descending else "lowest"
    text = f"Sort by {listing(c.name for c in chosen)}, {direction} first"
    if limit <= 0:
        return Plan(base, text, [source.data], [])
    if limit >= source.data.rows:
        raise NothingToChange(f"There are {counted(source.data.rows, 'row')}, so none would go.")
    return Plan(
        f"{base}\nLIMIT {int(limit)}",
        f"{text}; keep the first {limit:,}",
        [source.data],
        removed=f"{base}\nLIMIT {SHOWN} OFFSET {int(limit)}",
    )


def sample(source: Source, limit: int = 0, share: float = 0, seed: int = 1) -> Plan:
    """Keeps that many rows (or that share of them) by chance, in their order: the same ones each time for a
    seed."""
    if share and not 0 < share < 1:
        raise BadValue("The share must lie between 0 and 1.")
    count = int(limit) if limit > 0 else round(share * source.data.rows)
    if not 0 < count < min(source.data.rows, MOST_SAMPLED):
        raise BadValue(f"Choose between 1 and {source.data.rows - 1:,} rows.")
    row = quoted(source.row)
    chance = f"md5(concat({literal(f'{int(seed)}:')}, {row}))"
    place = f"row_number() OVER (ORDER BY {chance}, {row})"
    of = f"{share:.0%}" if share and limit <= 0 else f"{count:,}"
    return Plan(
        source.kept(f"{place} <= {count}", ordered=True),
        f"Keep {of} of the rows by chance (seed {int(seed)})",
        [source.data],
        removed=source.kept(f"{place} > {count}", ordered=True),
    )

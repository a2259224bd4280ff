"""Steps that change the shape of a table: columns to rows, rows to columns, tables one below the other."""

from collections.abc import Sequence
from typing import Any

from analysis.cleaning_plan import Plan, Source, constant, counted, listing
from analysis.conditions import said
from analysis.errors import BadValue, require_option
from analysis.measures import free_name, require_numeric
from sandbox.engine import literal, quoted
from storage.datasets import ColumnInfo

MOST_COLUMNS = 200
PIVOTS = {"sum": "sum", "mean": "avg", "median": "median", "count": "count", "min": "min", "max": "max"}
NUMBERS_ONLY = ("sum", "mean", "median")


def unpivot(
    source: Source,
    columns: Sequence[str] = (),
    by: Sequence[str] = (),
    names: Sequence[str] = (),
) -> Plan:
    """Columns to rows: one row for each of `columns`, with its name and value, beside the columns of `by`.

    Without `by` all other columns stay; without `columns` all but those of `by` become rows. `names` are the
    two new columns, name and value. Values of different types become text.
    """
    if not columns and not by:
        raise BadValue("Say which columns become rows, or which ones stay.")
    ids = source.columns(by) if by else []
    melted = source.columns(columns) if columns else [c for c in source.data.columns if c not in ids]
    if not by:
        ids = [c for c in source.data.columns if c not in melted]
    if not melted or set(c.name for c in melted) & set(c.name for c in ids):
        raise BadValue("A column either stays or becomes rows, and at least one must become rows.")
    if len(melted) > MOST_COLUMNS:
        raise BadValue(f"At most {MOST_COLUMNS} columns can become rows at once.")
    given = list(names) or ["name", "value"]
    if len(given) != 2:
        raise BadValue("Give two names: of the column of names and of the column of values.")
    stay = [c.name for c in ids]
    label, value = (free_name(name, stay) for name in given) if not names else given
    gone = [name for name in source.names if name not in stay]
    label, value = source.new_name(label, gone), source.new_name(value, gone)
    if label.lower() == value.lower():
        raise BadValue("The two new columns need different names.")
    kinds = {c.kind for c in melted}
    mixed = len(kinds) > 1 and not kinds <= {"integer", "number"}
    parts = []
    for column in melted:
        field = f"CAST({quoted(column.name)} AS VARCHAR)" if mixed else quoted(column.name)
        listed = [
            *map(quoted, stay),
            f"{literal(column.name)} AS {quoted(label)}",
            f"{field} AS {quoted(value)}",
        ]
        parts.append(f"SELECT {', '.join(listed)} FROM {source.table}")
    notes = [f"The values are of different types, so {value} is text."] if mixed else []
    lost = [name for name in gone if name not in {c.name for c in melted}]
    if lost:
        notes.append(f"{listing(lost)} {'is' if len(lost) == 1 else 'are'} left out.")
    return Plan(
        "\nUNION ALL\n".join(parts),
        f"Turn the column{'' if len(melted) == 1 else 's'} {listing(c.name for c in melted)} into rows"
        f" ({label}, {value})",
        [source.data],
        notes=notes,
    )


def pivot(
    source: Source,
    columns: Sequence[str] = (),
    value: Any = None,
    by: Sequence[str] = (),
    aggregate: str = "",
) -> Plan:
    """Rows to columns: one column for each value of a column, holding `value` (a column) aggregated over the
    rows of `by`. Without an aggregate, no cell may come from more than one row."""
    across = source.one(columns)
    groups = source.columns(by)
    measure = source.column(str(value)) if value else None
    how = require_option(aggregate, list(PIVOTS), "aggregate") if aggregate else "" if measure else "count"
    if measure is not None and how in NUMBERS_ONLY:
        require_numeric(measure, how)
    if across.distinct > MOST_COLUMNS:
        raise BadValue(
            f"{across.name} has {across.distinct:,} values; at most {MOST_COLUMNS} become columns."
        )
    keys = ", ".join(quoted(c.name) for c in groups)
    if not how:
        most = source.fetch(
            f"SELECT max(n) FROM (SELECT count(*) AS n FROM {source.table}"
            f" GROUP BY {keys}, {quoted(across.name)})"
        ).rows[0][0]
        if (most or 0) > 1:
            raise BadValue(
                f"Up to {most:,} rows fall into one cell. Say how to put them together: {', '.join(PIVOTS)}.",
                list(PIVOTS),
            )
    cells = _cells(source, across, measure, how or "min", [c.name for c in groups])
    gaps = across.missing
    notes = [f"{counted(gaps, 'row')} without {across.name} are left out."] if gaps else []
    of = f"{how} of {measure.name}" if measure and how else measure.name if measure else "number of rows"
    return Plan(
        f"SELECT {keys}, {', '.join(cells)}\nFROM {source.table}\nGROUP BY {keys}\nORDER BY {keys}",
        f"Turn the values of {across.name} into columns: {of} by {listing(c.name for c in groups)}",
        [source.data],
        notes=notes,
        facts={"columns_added": len(cells)},
    )


def _cells(
    source: Source, across: ColumnInfo, measure: ColumnInfo | None, how: str, taken: list[str]
) -> list[str]:
    field = quoted(across.name)
    found = source.fetch(
        f"SELECT {field} FROM {source.table} WHERE NOT {source.missing(across)} GROUP BY 1 ORDER BY 1"
    )
    cells, names = [], list(taken)
    for (value,) in found.rows:
        label = free_name(said(value) or "(empty)", names)
        names.append(label)
        inside = f"FILTER (WHERE {field} = {constant(across, value)})"
        of = source.value(measure) if measure else "*"
        cells.append(f"{PIVOTS[how]}({of}) {inside} AS {quoted(label)}")
    if not cells:
        raise BadValue(f"{across.name} has no values to make columns of.")
    return cells


def append(source: Source, others: Sequence[str] = (), name: str = "") -> Plan:
    """Tables with the same columns one below the other; `name` is a new column that says which table.

    Raises BadValue when columns are missing, or of types that do not go together.
    """
    listed = [others] if isinstance(others, str) else list(others)
    tables = [source.engine.dataset(other) for other in listed if other]
    if not tables or any(table.id == source.data.id for table in tables):
        known = [d.name for d in source.engine.datasets if d.id != source.data.id]
        raise BadValue("Say which other table goes below this one.", known)
    for table in tables:
        _agree(source.data.columns, table.columns, source.data.name, table.name)
    label = source.new_name(name) if name else ""
    parts = []
    for table in [source.data, *tables]:
        mark = f", {literal(table.name)} AS {quoted(label)}" if label else ""
        names = {c.name.lower(): c.name for c in table.columns}
        fields = ", ".join(f"{quoted(names[n.lower()])} AS {quoted(n)}" for n in source.names)
        parts.append(f"SELECT {fields}{mark} FROM {quoted(table.name)}")
    added = sum(table.rows for table in tables)
    return Plan(
        "\nUNION ALL\n".join(parts),
        f"Add the {counted(added, 'row')} of {listing(t.name for t in tables)} below",
        [source.data, *tables],
        facts={"rows_added": added},
    )


def _agree(ours: list[ColumnInfo], theirs: list[ColumnInfo], our: str, their: str) -> None:
    here, there = {c.name.lower(): c for c in ours}, {c.name.lower(): c for c in theirs}
    problems = [
        f"{table} has no {listing(columns[name].name for name in sorted(lacking))}"
        for table, lacking, columns in (
            (their, here.keys() - there.keys(), here),
            (our, there.keys() - here.keys(), there),
        )
        if lacking
    ]
    numbers = {"integer", "number"}
    for name in here.keys() & there.keys():
        kinds = {here[name].kind, there[name].kind}
        if len(kinds) > 1 and not kinds <= numbers and not kinds <= {"date", "datetime"}:
            problems.append(
                f"{here[name].name} is {here[name].kind} in {our} and {there[name].kind} in {their}"
            )
    if problems:
        raise BadValue(f"The tables do not have the same columns: {'; '.join(sorted(problems))}.")

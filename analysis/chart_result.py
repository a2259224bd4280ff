"""Charts of a table that exists: which of its columns are groups, which number is drawn, what is left out."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from analysis import chart
from analysis.engine import result_table
from analysis.errors import NotNumeric, UnknownColumn, UnknownOption, nearest
from analysis.facts import is_number
from sandbox.table import Column, Table, base_type
from storage.results import Result

NUMERIC_TYPES = ("DOUBLE", "FLOAT", "DECIMAL")
MAX_CELLS_A_SIDE = 30
ONE_KEY = ("describe", "distribution", "compare", "missing", "profile")
RAW_ROWS = ("rows", "outliers")


@dataclass(frozen=True)
class Axes:
    """Columns of a table by what they are in the chart."""

    x: str
    y: str
    by: str = ""


def derived(result: Result) -> Result:
    """A copy under its own name that remembers where it came from."""
    output = {name: value for name, value in result.output.items() if name not in ("figure", "alt")}
    return replace(result, id=uuid.uuid4().hex, parents=[result.id], notes=list(result.notes), output=output)


def drawn(
    base: Result, figure: dict[str, Any], alt: str, notes: Sequence[str] = (), axes: Axes | None = None
) -> Result:
    """The result as a figure."""
    output = base.output | {"figure": figure, "alt": alt}
    if axes is not None:
        output["axes"] = {"x": axes.x, "y": axes.y, "by": axes.by}
    return replace(base, kind="figure", output=output, notes=[*base.notes, *notes])


def draw(kind: str, base: Result, x: str = "", y: str = "", by: str = "") -> Result:
    """bar, line, area, pie or heatmap of `base`'s table; `x`, `y` and `by` name its columns.

    Raises NotNumeric when there is nothing to draw, UnknownColumn, UnknownOption.
    """
    table = result_table(base)
    if is_matrix(base):
        return _matrix(base, table)
    if {"from", "to", "rows"} <= set(table.names):
        name = base.arguments.get("column") or base.arguments.get("x") or base.title
        alt = chart.alternative("histogram", base.title, table, "from", "rows")
        return drawn(base, chart.histogram(table, name), alt)
    if base.kind == "value":
        raise NotNumeric("This result is one row, with no groups to draw. Ask for a number by a group.")
    across = base.facts.get("columns") if base.tool == "crosstab" else None
    if isinstance(across, int):
        table = _long(table, across, str(base.arguments["columns"]))
    axes = _axes(base, table, x, y, by)
    if kind == "heatmap":
        return _grid(base, table, axes)
    if kind == "pie" and axes.by:
        raise UnknownOption("A pie shows one grouping; use bars for two.", ["bar"])
    shown, notes = _limited(kind, table, axes)
    alt = chart.alternative(kind, base.title, shown, axes.x, axes.y, axes.by)
    if kind == "pie":
        figure, more = chart.pie(table, axes.x, axes.y)
        return drawn(base, figure, alt, more, axes)
    if kind == "bar":
        return drawn(base, chart.bars(shown, axes.x, axes.y, axes.by), alt, notes, axes)
    figure = chart.lines(shown, axes.x, axes.y, axes.by, filled=kind == "area")
    return drawn(base, figure, alt, notes, axes)


def is_matrix(result: Result) -> bool:
    """Whether the table is one of correlations."""
    return isinstance(result.facts.get("columns"), list)


def columns_of(result: Result) -> dict[str, Any]:
    """The columns of the data that a result is about, for the charts that are drawn from all rows."""
    given = result.arguments
    by = given.get("by")
    first = (by[0] if by else "") if isinstance(by, list) else by
    x = given.get("x") or given.get("column") or first or given.get("date") or ""
    y = given.get("y") or given.get("measure") or ""
    kept = {name: given[name] for name in ("where", "dataset") if name in given}
    return kept | {"x": "" if x == y else x, "y": y}


def _axes(base: Result, table: Table, x: str, y: str, by: str) -> Axes:
    keys, numbers = _roles(base, table)
    named = [_resolve(table, name) if name else "" for name in (x, y, by)]
    if not (named[1] or numbers) or not (named[0] or keys):
        raise NotNumeric("This result has no groups with numbers to draw. Ask for a number by a group.")
    up = named[1] or ("mean" if base.tool == "compare" else numbers[0])
    keys = [key for key in keys if key not in (named[0], named[2])]
    across = named[0] or keys.pop(0)
    series = named[2] or (keys[0] if keys else "")
    if not any(named) and series and _is_date(table, series) and not _is_date(table, across):
        across, series = series, across
    if not any(is_number(value) for value in table.column(up)):
        raise NotNumeric(f"{up} has no numbers to draw.")
    return Axes(across, up, series)


def _roles(base: Result, table: Table) -> tuple[list[str], list[str]]:
    """Group columns and number columns, by how the table was made; else numbers follow the groups."""
    axes = base.output.get("axes")
    if axes:
        return [axes[role] for role in ("x", "by") if axes[role]], [axes["y"]]
    if base.tool == "query":
        count = len(base.arguments["by"])
    elif base.tool == "trend":
        count = 2 if base.arguments["by"] and base.arguments["by"] != base.arguments["date"] else 1
    elif base.tool == "crosstab":
        count = 2
    else:
        count = 1 if base.tool in ONE_KEY else _leading_groups(table)
    rest = [c.name for c in table.columns[count:] if _holds_numbers(c)]
    return table.names[:count], rest


def _leading_groups(table: Table) -> int:
    first = (index for index, c in enumerate(table.columns) if index > 0 and _holds_numbers(c))
    return next(first, len(table.columns))


def _holds_numbers(column: Column) -> bool:
    return base_type(column.type) in NUMERIC_TYPES or "INT" in column.type


def _resolve(table: Table, name: str) -> str:
    """The table's column that `name` means: itself, or an aggregate or period of it."""
    wanted = name.strip().lower()
    for fits in (str.__eq__, lambda n, w: n.endswith(f" {w}"), lambda n, w: n.startswith(f"{w} (")):
        for known in table.names:
            if fits(known.lower(), wanted):
                return known
    close = nearest(name, table.names) or table.names
    raise UnknownColumn(f"The result has no column {name!r}. It has: {', '.join(close)}.", close)


def _is_date(table: Table, name: str) -> bool:
    return base_type({c.name: c.type for c in table.columns}[name]) in ("DATE", "TIMESTAMP")


def _limited(kind: str, table: Table, axes: Axes) -> tuple[Table, list[str]]:
    """At most 30 bars and 12 series, and what is left out. Numbers along a line are put in order."""
    notes = []
    if axes.by:
        table, left = _largest(table, axes.by, axes.y, chart.MAX_SERIES)
        notes += [f"The {chart.MAX_SERIES} largest of {left} series are drawn."] if left else []
    if kind == "bar" and not _is_date(table, axes.x):
        before = table
        if axes.by:
            table, left = _largest(table, axes.x, axes.y, chart.MAX_BARS)
        else:
            left = len(table.rows) if len(table.rows) > chart.MAX_BARS else 0
            table = replace(table, rows=table.rows[: chart.MAX_BARS])
        if left:
            count = len(set(before.column(axes.x)))
            notes.append(f"{chart.MAX_BARS} of {count} groups are drawn.")
    index = table.names.index(axes.x)
    if kind in ("line", "area") and all(is_number(row[index]) for row in table.rows):
        table = replace(table, rows=sorted(table.rows, key=lambda row: row[index]))
    return table, notes


def _largest(table: Table, key: str, y: str, most: int) -> tuple[Table, int]:
    """Rows of the `most` largest groups, the largest first; how many groups there were if some are left."""
    totals: dict[Any, float] = {}
    for record in table.records():
        value = record[y]
        totals[record[key]] = totals.get(record[key], 0.0) + (abs(float(value)) if is_number(value) else 0.0)
    ranked = sorted(totals, key=lambda name: -totals[name])
    place = {name: number for number, name in enumerate(ranked[:most])}
    index = table.names.index(key)
    rows = [row for row in table.rows if row[index] in place]
    kept = replace(table, rows=sorted(rows, key=lambda row: place[row[index]]))
    return kept, len(ranked) if len(ranked) > most else 0


def _long(table: Table, across: int, name: str) -> Table:
    """A crosstab as one row a cell."""
    kinds = table.columns[1]
    columns = [table.columns[0], Column(name if name != table.names[0] else "across", "VARCHAR")]
    cells = [
        [row[0], label, row[index]]
        for row in table.rows
        for index, label in enumerate(table.names[1 : across + 1], start=1)
    ]
    return Table([*columns, Column("value", kinds.type)], cells, len(cells))


def _grid(base: Result, table: Table, axes: Axes) -> Result:
    if not axes.by:
        raise UnknownOption("A heatmap needs two groupings: name x and by.", ["bar"])
    table, wide = _largest(table, axes.x, axes.y, MAX_CELLS_A_SIDE)
    table, high = _largest(table, axes.by, axes.y, MAX_CELLS_A_SIDE)
    left = [(wide, axes.x), (high, axes.by)]
    notes = [
        f"The {MAX_CELLS_A_SIDE} largest of {count} groups of {n} are drawn." for count, n in left if count
    ]
    found = {(_text(r[axes.x]), _text(r[axes.by])): chart.plain(r[axes.y]) for r in table.records()}
    xs, ys = sorted({across for across, _ in found}), sorted({down for _, down in found})
    cells = [[found.get((across, down)) for across in xs] for down in ys]
    figure = chart.heatmap(xs, ys, cells, axes.y, axes.x, axes.by)
    alt = chart.alternative("heatmap", base.title, table, axes.x, axes.y, axes.by)
    return drawn(base, figure, alt, notes, axes)


def _text(value: Any) -> str:
    return str(chart.category(value))


def _matrix(base: Result, table: Table) -> Result:
    names = [chart.escaped(name) for name in table.names[1:]]
    cells = [[chart.plain(value) for value in row[1:]] for row in table.rows]
    alt = f"Heatmap: {base.title}."
    pair = base.facts.get("strongest")
    if pair:
        alt += f" The strongest pair is {pair['x']} and {pair['y']} with r = {pair['r']:.3f}."
    return drawn(base, chart.heatmap(names, names, cells, "r"), alt)

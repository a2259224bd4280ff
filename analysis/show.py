"""Charts: of a result that exists, or straight from columns. A chart always carries its aggregation."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import ibis

from analysis import chart
from analysis.conditions import Condition, select
from analysis.correlate import correlate
from analysis.distribution import distribution
from analysis.engine import Engine, result_table
from analysis.errors import NotNumeric, TooFew, UnknownOption, require_option
from analysis.measures import date_columns, missing_note, numeric_columns, present, require_numeric
from analysis.query import query
from analysis.trend import trend
from sandbox.table import Table, base_type
from storage.datasets import ColumnInfo, Dataset
from storage.results import Result

KINDS = ("bar", "line", "area", "scatter", "histogram", "box", "heatmap", "pie")
DRAWN_POINTS = 5_000
MAX_BOXES = 30
NUMERIC_TYPES = ("DOUBLE", "FLOAT", "DECIMAL")


def show(
    engine: Engine,
    kind: str,
    result: Result | None = None,
    x: str = "",
    y: str = "",
    aggregate: str = "",
    by: str = "",
    where: Sequence[Condition] = (),
    interval: str = "",
    bins: int = 0,
    limit: int = 0,
    dataset: str = "",
    title: str = "",
) -> Result:
    """A figure with the table behind it.

    With `result`, its table is drawn. Without: bar, line, area and pie aggregate `y` (rows without
    one) by `x`, and by `by` as series; scatter needs `x` and `y`; histogram and box one number column;
    heatmap draws correlations, or an aggregate of `x` against `by`. Raises AnalysisError.
    """
    chosen = require_option(kind, KINDS, "chart")
    if result is not None and chosen in ("bar", "line", "area", "pie", "heatmap"):
        return _finish(_of_result(chosen, result), title)
    arguments = {
        "x": x, "y": y, "aggregate": aggregate, "by": by, "where": list(where),
        "interval": interval, "limit": limit, "dataset": dataset,
    }  # fmt: skip
    if chosen == "scatter":
        made = _scatter(engine, x, y, by, where, dataset)
    elif chosen == "histogram":
        made = _histogram(engine, x or y, bins, where, dataset)
    elif chosen == "box":
        made = _box(engine, y or x, by or (x if y else ""), where, dataset)
    elif chosen == "heatmap":
        made = _heatmap(engine, arguments)
    else:
        made = _of_result(chosen, _aggregated(engine, chosen, arguments))
    return _finish(replace(made, arguments=arguments | {"kind": chosen, "bins": bins}), title)


def _finish(made: Result, title: str) -> Result:
    return replace(made, tool="show", title=title or made.title)


def _drawn(base: Result, figure: dict[str, Any], alt: str, notes: Sequence[str] = ()) -> Result:
    output = base.output | {"figure": figure, "alt": alt}
    return replace(base, kind="figure", output=output, notes=[*base.notes, *notes])


def _aggregated(engine: Engine, kind: str, arguments: dict[str, Any]) -> Result:
    data = engine.dataset(arguments["dataset"])
    x = arguments["x"] or _default_x(data, kind)
    column = engine.column(data, x)
    timed = column.kind in ("date", "datetime")
    if timed and kind in ("line", "area") and arguments["interval"] != "weekday":
        return trend(
            engine, arguments["y"], column.name, arguments["aggregate"], arguments["interval"],
            arguments["by"], arguments["dataset"], arguments["where"],
        )  # fmt: skip
    return query(
        engine,
        arguments["dataset"],
        arguments["y"],
        [arguments["aggregate"]] if arguments["aggregate"] else [],
        [x, arguments["by"]] if arguments["by"] else [x],
        arguments["where"],
        "group" if timed or (column.kind in ("integer", "number") and kind != "bar") else "",
        arguments["limit"],
        arguments["interval"],
    )


def _default_x(data: Dataset, kind: str) -> str:
    if kind in ("line", "area") and date_columns(data):
        return date_columns(data)[0].name
    texts = [c for c in data.columns if c.kind in ("text", "boolean") and 1 < c.distinct <= 50]
    if not texts:
        raise UnknownOption(f"Say what the {kind} chart is by: name a column for x.")
    return texts[0].name


def _of_result(kind: str, result: Result) -> Result:
    """A chart of a stored result's table, however it was made."""
    base = (
        replace(
            result,
            id=uuid.uuid4().hex,
            parents=[result.id],
            arguments={"kind": kind, "result": result.id},
        )
        if result.kind != "figure"
        else replace(result, id=uuid.uuid4().hex, parents=[result.id])
    )
    output = {name: value for name, value in result.output.items() if name not in ("figure", "alt")}
    base = replace(base, output=output, notes=list(result.notes))
    table = result_table(result)
    if result.tool == "correlate" and table.names[0] == "column":
        return _matrix_heatmap(base, table)
    if {"from", "to", "rows"} <= set(table.names):
        return _drawn(base, chart.histogram(table, result.title), result.title)
    keys, numbers = _roles(table)
    if not numbers or not keys:
        raise NotNumeric("This result has no groups with numbers to draw. Ask for a number by a group.")
    y = numbers[0]
    x, by = (keys[0], keys[1]) if len(keys) > 1 else (keys[0], "")
    if by and _is_date(table, by) and not _is_date(table, x):
        x, by = by, x
    if kind == "heatmap":
        return _grid(base, table, x, by, y, numbers)
    shown, notes = _limited(kind, table, x, by)
    alt = chart.alternative(kind, result.title, shown, x, y)
    if kind == "pie":
        if by:
            raise UnknownOption("A pie shows one grouping; use bars for two.", ["bar"])
        figure, more = chart.pie(table, x, y)
        return _drawn(base, figure, alt, more)
    if kind == "bar":
        return _drawn(base, chart.bars(shown, x, y, by), alt, notes)
    return _drawn(base, chart.lines(shown, x, y, by, filled=kind == "area"), alt, notes)


def _roles(table: Table) -> tuple[list[str], list[str]]:
    """Group columns and number columns: leading columns are groups until the first measure."""
    numbers = [
        c.name
        for index, c in enumerate(table.columns)
        if index > 0 and (base_type(c.type) in NUMERIC_TYPES or "INT" in c.type)
    ]
    first = table.names.index(numbers[0]) if numbers else len(table.names)
    return table.names[:first], numbers


def _is_date(table: Table, name: str) -> bool:
    return base_type({c.name: c.type for c in table.columns}[name]) in ("DATE", "TIMESTAMP")


def _limited(kind: str, table: Table, x: str, by: str) -> tuple[Table, list[str]]:
    """At most 30 bars and 12 series; says what is left out. Series of a bar are ranked as they come."""
    notes, rows = [], table.rows
    if by:
        names = list(dict.fromkeys(table.column(by)))
        if len(names) > chart.MAX_SERIES:
            kept = names[: chart.MAX_SERIES]
            rows = [r for r in rows if r[table.names.index(by)] in kept]
            notes.append(f"{chart.MAX_SERIES} of {len(names)} series are drawn.")
    if kind == "bar" and not _is_date(table, x):
        groups = list(dict.fromkeys(row[table.names.index(x)] for row in rows))
        if len(groups) > chart.MAX_BARS:
            kept = groups[: chart.MAX_BARS]
            rows = [r for r in rows if r[table.names.index(x)] in kept]
            notes.append(f"{chart.MAX_BARS} of {len(groups)} groups are drawn.")
    return replace(table, rows=rows), notes


def _grid(base: Result, table: Table, x: str, by: str, y: str, numbers: list[str]) -> Result:
    if not by:  # a crosstab: its number columns are the other side
        across = [name for name in numbers if name != "total"]
        ys = [str(chart.category(value)) for value in table.column(x)]
        cells = [[chart.plain(record[name]) for name in across] for record in table.records()]
        return _drawn(base, chart.heatmap(across, ys, cells, ""), f"Heatmap: {base.title}.")
    xs = sorted({str(chart.category(value)) for value in table.column(x)})
    ys = sorted({str(chart.category(value)) for value in table.column(by)})
    found = {
        (str(chart.category(r[x])), str(chart.category(r[by]))): chart.plain(r[y]) for r in table.records()
    }
    cells = [[found.get((across, down)) for across in xs] for down in ys]
    return _drawn(base, chart.heatmap(xs, ys, cells, y), f"Heatmap: {base.title}.")


def _matrix_heatmap(base: Result, table: Table) -> Result:
    names = table.names[1:]
    cells = [[chart.plain(value) for value in row[1:]] for row in table.rows]
    pairs = [
        (abs(cells[i][j]), names[i], names[j], cells[i][j])
        for i in range(len(names))
        for j in range(i)
        if cells[i][j] is not None
    ]
    alt = f"Heatmap: {base.title}."
    if pairs:
        _, a, b, r = max(pairs)
        alt += f" The strongest pair is {b} and {a} with r = {r:.3f}."
    return _drawn(base, chart.heatmap(names, names, cells, "r"), alt)


def _heatmap(engine: Engine, arguments: dict[str, Any]) -> Result:
    if arguments["x"] and arguments["by"]:
        data = engine.dataset(arguments["dataset"])
        found = query(
            engine, data.name, arguments["y"],
            [arguments["aggregate"]] if arguments["aggregate"] else [],
            [arguments["x"], arguments["by"]], arguments["where"], "group", 0, arguments["interval"],
        )  # fmt: skip
        return _of_result("heatmap", found)
    matrix = correlate(engine, dataset=arguments["dataset"], where=arguments["where"])
    if result_table(matrix).names[0] != "column":
        raise TooFew("A heatmap of correlations needs at least three number columns.")
    return _of_result("heatmap", matrix)


def _histogram(engine: Engine, x: str, bins: int, where: Sequence[Condition], dataset: str) -> Result:
    data = engine.dataset(dataset)
    name = x or next((c.name for c in numeric_columns(data)), "")
    if not name:
        raise NotNumeric(f"{data.file_name} has no number column for a histogram.")
    found = distribution(engine, name, bins, dataset, where)
    table = result_table(found)
    if "from" not in table.names:
        return _of_result("bar", found)
    alt = chart.alternative("histogram", found.title, table, "from", "rows")
    return _drawn(found, chart.histogram(table, name), alt)


def _scatter(engine: Engine, x: str, y: str, by: str, where: Sequence[Condition], dataset: str) -> Result:
    data = engine.dataset(dataset)
    numbers = numeric_columns(data)
    if not (x and y) and len(numbers) < 2:
        raise NotNumeric("A scatter chart needs two number columns: name x and y.")
    across = engine.column(data, x) if x else numbers[0]
    up = engine.column(data, y) if y else next(c for c in numbers if c.name != across.name)
    for column in (across, up):
        require_numeric(column, "a scatter chart")
    group = engine.column(data, by) if by else None
    selection = select(engine, dataset, where)
    used = present(engine, selection, across, up)
    if used < 2:
        raise TooFew(f"Fewer than two rows have both {across.name} and {up.name}.")
    table = selection.table
    whole = table.filter(table[across.name].notnull() & table[up.name].notnull())
    points = whole.select(
        x=whole[across.name].cast("float64"),
        y=whole[up.name].cast("float64"),
        **({"series": whole[group.name].cast("string")} if group else {}),
    )
    notes = missing_note(selection, used, f"both {across.name} and {up.name}")
    if used > DRAWN_POINTS:
        step = used // DRAWN_POINTS + 1
        numbered = points.mutate(__row=ibis.row_number())
        points = numbered.filter(numbered["__row"] % step == 0).drop("__row")
        notes.append(f"One point in {step} is drawn; the trend line uses all {used:,} rows.")
    base = engine.run(
        points,
        title=f"{up.name} against {across.name}{selection.words}",
        tool="show", arguments={}, datasets=[data], rows_used=used, notes=notes,
    )  # fmt: skip
    line = _line(engine, whole, across, up)
    named = result_table(base)
    groups = chart.series(named, "x", "y", "series" if group else "")
    if not group:
        groups = {"rows": groups.get("y", ([], []))}
    alt = f"Scatter chart: {base.title}, {used:,} rows."
    if line:
        alt += f" Trend: slope {line['slope']:.4g}, r = {line['r']:.3f}."
    figure = chart.scatter(groups, across.name, up.name, line)
    return replace(_drawn(base, figure, alt), facts={"trend": line, "rows": used})


def _line(engine: Engine, whole: Any, x: ColumnInfo, y: ColumnInfo) -> dict[str, float] | None:
    """Least squares on all rows: slope = cov / var, through the means. None when x is constant."""
    across, up = whole[x.name].cast("float64"), whole[y.name].cast("float64")
    row = engine.fetch(
        whole.aggregate(
            covariance=across.cov(up, how="pop"), variance=across.var(how="pop"),
            r=across.corr(up, how="pop"), mean_x=across.mean(), mean_y=up.mean(),
            low=across.min(), high=across.max(),
        )
    ).records()[0]  # fmt: skip
    if not row["variance"] or row["r"] is None or row["r"] != row["r"]:
        return None
    slope = row["covariance"] / row["variance"]
    return {
        "slope": slope, "intercept": row["mean_y"] - slope * row["mean_x"], "r": round(row["r"], 12),
        "low": row["low"], "high": row["high"],
    }  # fmt: skip


def _box(engine: Engine, y: str, by: str, where: Sequence[Condition], dataset: str) -> Result:
    data = engine.dataset(dataset)
    name = y or next((c.name for c in numeric_columns(data)), "")
    if not name:
        raise NotNumeric(f"{data.file_name} has no number column for a box plot.")
    column, group = engine.column(data, name), engine.column(data, by) if by else None
    if group and column.kind not in ("integer", "number") and group.kind in ("integer", "number"):
        column, group = group, column
    require_numeric(column, "a box plot")
    selection = select(engine, dataset, where)
    used = present(engine, selection, column)
    whole = selection.table.filter(selection.table[column.name].notnull())
    label: Any = whole[group.name].cast("string") if group else ibis.literal("all rows")
    keyed = whole.select(group=label, value=whole[column.name].cast("float64"))
    quartiles = keyed.group_by("group").aggregate(
        n=keyed.count(), mean=keyed["value"].mean(),
        q1=keyed["value"].quantile(0.25), median=keyed["value"].quantile(0.5),
        q3=keyed["value"].quantile(0.75),
    )  # fmt: skip
    joined = keyed.join(quartiles, [keyed["group"].identical_to(quartiles["group"])])
    reach = 1.5 * (joined["q3"] - joined["q1"])
    inside = (joined["value"] >= joined["q1"] - reach) & (joined["value"] <= joined["q3"] + reach)
    boxes = joined.group_by("group", "n", "mean", "q1", "median", "q3").aggregate(
        **{
            "low whisker": joined["value"].min(where=inside),
            "high whisker": joined["value"].max(where=inside),
            "beyond whiskers": (~inside).sum(),
        }
    )
    notes = missing_note(selection, used, column.name)
    words = f" by {group.name}" if group else ""
    base = engine.run(
        boxes.order_by(ibis.desc("n")).limit(MAX_BOXES).order_by("group"),
        title=f"Spread of {column.name}{words}{selection.words}",
        tool="show", arguments={}, datasets=[data], rows_used=used,
        notes=[*notes, "Whiskers reach to the last value within 1.5 IQR; points beyond are counted."],
    )  # fmt: skip
    table = result_table(base)
    alt = chart.alternative("box", f"{base.title} (medians)", table, "group", "median")
    return _drawn(base, chart.boxes(table, column.name, group.name if group else ""), alt)

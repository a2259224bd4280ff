"""Charts: of a result that exists, or straight from columns. A chart always carries its aggregation."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from analysis import chart
from analysis.chart_box import box
from analysis.chart_result import RAW_ROWS, columns_of, derived, draw, drawn, is_matrix
from analysis.chart_scatter import scatter
from analysis.conditions import Condition
from analysis.correlate import correlate
from analysis.distribution import distribution
from analysis.engine import Engine, result_table
from analysis.errors import NotNumeric, TooFew, UnknownOption, require_option
from analysis.measures import date_columns, numeric_columns
from analysis.query import query
from analysis.trend import trend
from storage.datasets import Dataset
from storage.results import Result

KINDS = ("bar", "line", "area", "scatter", "histogram", "box", "heatmap", "pie")
OF_GROUPS = ("bar", "line", "area", "pie", "heatmap")


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

    With `result`, its table is drawn by bar, line, area, pie and heatmap; scatter, histogram and box
    need every row, so they draw the columns and filter that the result is about. Without: bar, line,
    area and pie aggregate `y` (rows without one) by `x`, and by `by` as series; scatter needs `x` and
    `y`; histogram and box one number column; heatmap draws correlations, or an aggregate of `x`
    against `by`. Raises AnalysisError.
    """
    chosen = require_option(kind, KINDS, "chart")
    arguments: dict[str, Any] = {
        "x": x, "y": y, "aggregate": aggregate, "by": by, "where": list(where),
        "interval": interval, "limit": limit, "dataset": dataset, "kind": chosen, "bins": bins,
    }  # fmt: skip
    parents: list[str] = []
    if result is not None:
        binned = {"from", "to", "rows"} <= set(result_table(result).names)
        if (chosen in OF_GROUPS and result.tool not in RAW_ROWS) or (chosen == "histogram" and binned):
            return _of_table(chosen, result, x, y, by, title)
        arguments, parents = _about(result, arguments), [result.id]
    made = _from_columns(engine, chosen, arguments)
    return replace(
        made, tool="show", arguments=arguments, parents=[*made.parents, *parents], title=title or made.title
    )


def _of_table(kind: str, result: Result, x: str, y: str, by: str, title: str) -> Result:
    made = draw(kind, derived(result), x, y, by)
    arguments = {"kind": kind, "result": result.id, "x": x, "y": y, "by": by}
    return replace(made, tool="show", arguments=arguments, title=title or made.title)


def _about(result: Result, arguments: dict[str, Any]) -> dict[str, Any]:
    """The columns that were named, else those that the result is about."""
    kept = columns_of(result)
    if arguments["x"] or arguments["y"]:
        kept = {name: kept[name] for name in kept if name in ("where", "dataset")}
    return arguments | {name: arguments[name] or value for name, value in kept.items()}


def _from_columns(engine: Engine, kind: str, arguments: dict[str, Any]) -> Result:
    x, y, by, where, dataset = (arguments[name] for name in ("x", "y", "by", "where", "dataset"))
    about = {"tool": "show", "arguments": arguments}
    if kind == "scatter":
        return drawn(*scatter(engine, x, y, by, where, dataset, **about))
    if kind == "histogram":
        return _histogram(engine, x, y, arguments["bins"], where, dataset)
    if kind == "box":
        return drawn(*box(engine, y or x, by or (x if y else ""), where, dataset, **about))
    if kind == "heatmap":
        return _heatmap(engine, arguments)
    return draw(kind, _aggregated(engine, kind, arguments))


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


def _heatmap(engine: Engine, arguments: dict[str, Any]) -> Result:
    if arguments["x"] and arguments["by"]:
        found = query(
            engine, arguments["dataset"], arguments["y"],
            [arguments["aggregate"]] if arguments["aggregate"] else [],
            [arguments["x"], arguments["by"]], arguments["where"], "group", 0, arguments["interval"],
        )  # fmt: skip
        return draw("heatmap", found)
    matrix = correlate(engine, dataset=arguments["dataset"], where=arguments["where"])
    if not is_matrix(matrix):
        raise TooFew("A heatmap of correlations needs at least three number columns.")
    return draw("heatmap", matrix)


def _histogram(engine: Engine, x: str, y: str, bins: int, where: Sequence[Condition], dataset: str) -> Result:
    data = engine.dataset(dataset)
    named = [engine.column(data, name) for name in (x, y) if name]
    numbers = [c for c in named if c.kind in ("integer", "number")]
    column = next(iter([*numbers, *named, *numeric_columns(data)]), None)
    if column is None:
        raise NotNumeric(f"{data.file_name} has no number column for a histogram.")
    found = distribution(engine, column.name, bins, dataset, where)
    table = result_table(found)
    if "from" not in table.names:
        return draw("bar", found)
    alt = chart.alternative("histogram", found.title, table, "from", "rows")
    return drawn(found, chart.histogram(table, column.name), alt)

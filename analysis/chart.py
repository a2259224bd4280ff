"""Plotly figures from tables, as plain JSON with no colours of their own: the page's theme gives them.

Every figure says in its axis titles how its numbers were aggregated, and has a text alternative.
Plotly reads `<b>` and `<a href>` in labels as markup, so `<` of the data is written as an entity.
"""

import datetime as dt
import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from analysis.errors import BadValue
from analysis.facts import extremes, is_number
from analysis.measures import ROWS, WORDS
from sandbox.table import Table

MAX_BARS = 30
MAX_SLICES = 10
MAX_SERIES = 12
MISSING = "(missing)"
NOT_PARTS = ("mean", "median", "min", "max", "std", "distinct")
Figure = dict[str, Any]


def figure(traces: list[dict[str, Any]], x_title: str, y_title: str, **layout: Any) -> Figure:
    """Traces with axis titles."""
    for trace in traces:
        if "name" in trace:
            trace["name"] = escaped(trace["name"])
    base = {
        "xaxis": {"title": {"text": titled(x_title)}, "automargin": True},
        "yaxis": {"title": {"text": titled(y_title)}, "automargin": True},
        "margin": {"t": 24, "r": 16, "b": 48, "l": 56},
        "showlegend": len(traces) > 1,
        "legend": {"orientation": "h", "y": 1.08, "x": 0},
        "hovermode": "closest",
    }
    return {"data": traces, "layout": base | layout}


def escaped(text: str) -> str:
    """Text that Plotly shows as it is."""
    return text.replace("<", "&lt;")


def titled(name: str) -> str:
    """A column as an axis title: an aggregate starts with a capital, a column's own name stays."""
    if name == ROWS:
        return "Number of rows"
    aggregate = any(name.startswith(f"{words} ") for words in WORDS.values())
    return escaped(name[:1].upper() + name[1:] if aggregate else name)


def hover(values: Iterable[Any]) -> dict[str, str]:
    """How an axis writes the exact number: separators, as many decimals as its size needs."""
    sizes = [abs(v) for v in values if is_number(v)]
    if all(size == math.floor(size) for size in sizes):
        return {"hoverformat": ",.0f"}
    return {"hoverformat": ",.2f" if max(sizes) >= 100 else ".4~f" if max(sizes) >= 0.01 else ".4~g"}


def plain(value: Any) -> Any:
    """A cell as a chart holds it: numbers as numbers, dates as ISO text, gaps as null."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, float) and value != value:
        return None
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def category(value: Any) -> Any:
    """A cell as a label; a missing group has a name."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    shown = MISSING if value is None else plain(value)
    return escaped(shown) if isinstance(shown, str) else shown


def series(table: Table, x: str, y: str, by: str = "") -> dict[str, tuple[list[Any], list[Any]]]:
    """x and y lists by series name; one series named as y without `by`."""
    found: dict[str, tuple[list[Any], list[Any]]] = {}
    for record in table.records():
        name = str(category(record[by])) if by else y
        xs, ys = found.setdefault(name, ([], []))
        xs.append(category(record[x]))
        ys.append(plain(record[y]))
    return found


def bars(table: Table, x: str, y: str, by: str = "") -> Figure:
    """Upright bars, or lying ones where there are many or the labels are long."""
    groups = series(table, x, y, by)
    labels = [label for xs, _ in groups.values() for label in xs]
    lying = (
        not by
        and not _is_time(table, x)
        and (len(labels) > 8 or any(len(str(label)) > 14 for label in labels))
    )
    traces = []
    exact = hover(value for _, ys in groups.values() for value in ys)
    for name, (xs, ys) in groups.items():
        trace: dict[str, Any] = {"type": "bar", "name": name, "x": xs, "y": ys}
        if lying:
            trace |= {"orientation": "h", "x": ys, "y": [str(value) for value in xs]}
        traces.append(trace)
    if lying:
        drawn = figure(traces, y, x, height=max(320, 26 * len(labels) + 90))
        drawn["layout"]["yaxis"] |= {"autorange": "reversed", "type": "category"}
        drawn["layout"]["xaxis"] |= exact
        return drawn
    drawn = figure(traces, x, y, barmode="group")
    drawn["layout"]["yaxis"] |= exact
    if not _is_time(table, x):
        drawn["layout"]["xaxis"]["type"] = "category"
    return drawn


def lines(table: Table, x: str, y: str, by: str = "", *, filled: bool = False) -> Figure:
    """A line a series; gaps stay gaps."""
    traces: list[dict[str, Any]] = []
    groups = series(table, x, y, by)
    for name, (xs, ys) in groups.items():
        mode = "lines+markers" if len(xs) <= 40 else "lines"
        trace = {"type": "scatter", "mode": mode, "name": name, "x": xs, "y": ys}
        traces.append(trace | ({"fill": "tozeroy"} if filled else {}))
    drawn = figure(traces, x, y, hovermode="x unified")
    drawn["layout"]["yaxis"] |= hover(value for _, ys in groups.values() for value in ys)
    return drawn


def pie(table: Table, x: str, y: str) -> tuple[Figure, list[str]]:
    """Parts of a whole, the small ones together.

    Raises BadValue for a negative part, for parts that are all 0, and for what does not add up.
    """
    if any(y.startswith(f"{WORDS[name]} ") for name in NOT_PARTS):
        raise BadValue(f"A pie shows parts of a whole, and {y} does not add up. Use a bar chart.")
    ((labels, values),) = series(table, x, y).values()
    if any(value is not None and value < 0 for value in values):
        raise BadValue(f"A pie cannot show {y}: some values are negative. Use a bar chart.")
    if not any(values):
        raise BadValue(f"A pie cannot show {y}: every part is 0 or missing.")
    pairs = sorted(
        ((str(label), value or 0) for label, value in zip(labels, values, strict=True)),
        key=lambda pair: -pair[1],
    )
    notes = []
    if len(pairs) > MAX_SLICES:
        rest = pairs[MAX_SLICES - 1 :]
        pairs = [*pairs[: MAX_SLICES - 1], ("other", sum(value for _, value in rest))]
        notes.append(f"The {len(rest)} smallest parts are shown together as other.")
    trace = {
        "type": "pie", "hole": 0.45, "sort": False, "textinfo": "label+percent",
        "labels": [label for label, _ in pairs], "values": [value for _, value in pairs],
    }  # fmt: skip
    return figure([trace], "", "", showlegend=False), notes


def heatmap(
    xs: Sequence[str],
    ys: Sequence[str],
    cells: list[list[Any]],
    title: str,
    x_title: str = "",
    y_title: str = "",
) -> Figure:
    """A grid of numbers; a correlation's colours are centred on 0."""
    trace: dict[str, Any] = {
        "type": "heatmap", "x": list(xs), "y": list(ys), "z": cells, "hoverongaps": False,
        "colorbar": {"title": {"text": titled(title)}},
    }  # fmt: skip
    if title == "r":
        trace |= {"zmin": -1, "zmax": 1, "zmid": 0, "colorscale": "RdBu"}
    if len(xs) * len(ys) <= 150:
        large = any(is_number(value) and abs(value) >= 1000 for row in cells for value in row)
        trace |= {"texttemplate": "%{z:.3~s}" if large else "%{z:.3~g}"}
    drawn = figure([trace], x_title, y_title, height=max(360, 34 * len(ys) + 120))
    drawn["layout"]["yaxis"] |= {"autorange": "reversed", "type": "category"}
    drawn["layout"]["xaxis"]["type"] = "category"
    return drawn


def histogram(table: Table, name: str) -> Figure:
    """Bars over bins that SQL counted."""
    low, high, counts = table.column("from"), table.column("to"), table.column("rows")
    middles = [(a + b) / 2 for a, b in zip(low, high, strict=True)]
    trace = {
        "type": "bar", "name": "rows", "x": middles, "y": counts,
        "width": [b - a for a, b in zip(low, high, strict=True)],
        "hovertext": [f"{a:g} to {b:g}" for a, b in zip(low, high, strict=True)],
    }  # fmt: skip
    return figure([trace], name, ROWS, bargap=0.02)


def scatter(
    groups: dict[str, tuple[list[Any], list[Any]]], x: str, y: str, trend: dict[str, float] | None
) -> Figure:
    """Points, and the least-squares line of all rows."""
    traces: list[dict[str, Any]] = [
        {
            "type": "scattergl" if sum(len(xs) for xs, _ in groups.values()) > 2000 else "scatter",
            "mode": "markers", "name": name, "x": xs, "y": ys,
            "marker": {"size": 6, "opacity": 0.55},
        }
        for name, (xs, ys) in groups.items()
    ]  # fmt: skip
    if trend is not None:
        ends = [trend["low"], trend["high"]]
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": f"trend (r = {trend['r']:.3f})",
                "x": ends,
                "y": [trend["intercept"] + trend["slope"] * end for end in ends],
            }
        )
    return figure(traces, x, y)


def boxes(table: Table, y: str, by: str) -> Figure:
    """Boxes from quartiles and whiskers that SQL computed on all rows, and the points beyond."""
    labels = [str(category(value)) for value in table.column("group")]
    trace = {
        "type": "box", "name": y, "x": labels,
        "q1": table.column("q1"), "median": table.column("median"), "q3": table.column("q3"),
        "lowerfence": table.column("low whisker"), "upperfence": table.column("high whisker"),
        "mean": table.column("mean"), "boxpoints": False,
    }  # fmt: skip
    far = [(label, v) for label, vs in zip(labels, table.column("far values"), strict=True) for v in vs]
    points = {
        "type": "scatter", "mode": "markers", "name": "beyond the whiskers", "marker": {"size": 4},
        "x": [label for label, _ in far], "y": [value for _, value in far],
    }  # fmt: skip
    drawn = figure([trace, points] if far else [trace], by, y, showlegend=False)
    drawn["layout"]["xaxis"]["type"] = "category"
    return drawn


def _is_time(table: Table, name: str) -> bool:
    return any(isinstance(value, dt.date) for value in table.column(name))


def alternative(kind: str, title: str, table: Table, x: str, y: str, by: str = "") -> str:
    """The chart in a sentence: how many points, the highest and the lowest."""
    ends = extremes(table, [x, by] if by else [x], y)
    if not ends:
        return f"{kind.title()} chart: {title}."
    high, low = (
        f"{', '.join(str(category(key)) for key in ends[end]['group'])} with {ends[end]['value']:,.6g}"
        for end in ("highest", "lowest")
    )
    return f"{kind.title()} chart: {title}. {len(table.rows)} points; highest {high}, lowest {low}."

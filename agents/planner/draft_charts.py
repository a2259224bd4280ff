"""Programs that draw: a Plotly figure, and after it the numbers that it shows."""

from typing import Any

from agents.planner.draft import Draft, Unfit, laid_out, literal
from agents.planner.draft_query import Grouped, capital, grouped, table_title
from agents.planner.draft_shapes import box, scatter
from agents.planner.draft_tables import MISSING, distribution_table, matrix, trend_table
from agents.planner.schema import Column
from analysis.chart import MAX_BARS, MAX_SERIES, MAX_SLICES, NOT_PARTS
from analysis.measures import free_name

LONG_LABEL = 14
MANY_BARS = 8
CELLS_A_SIDE = 30
Arguments = dict[str, Any]


def show(draft: Draft, arguments: Arguments) -> str:
    """The program of `show`; returns its title. Raises Unfit."""
    if arguments.get("result_id"):
        raise Unfit("a result that exists is drawn by the tool")
    kind, x, y = (str(arguments.get(name) or "") for name in ("kind", "x", "y"))
    by = str(arguments.get("by") or "")
    draft.select(arguments.get("where") or [])
    if kind == "scatter":
        return scatter(draft, x, y, by)
    if kind == "histogram":
        return _histogram(draft, x or y, int(arguments.get("bins") or 0))
    if kind == "box":
        return box(draft, y or x, by or (x if y else ""))
    draft.use("px")
    if kind == "heatmap":
        return _heatmap(draft, arguments)
    if kind in ("bar", "line", "area", "pie"):
        return _grouped(draft, kind, arguments)
    raise Unfit(kind)


def _default_x(draft: Draft, kind: str) -> str:
    groups = [c.name for c in draft.schema.groups]
    dates = [c.name for c in draft.schema.dates] if kind in ("line", "area") else []
    if not dates + groups:
        raise Unfit("nothing to draw by")
    return (dates + groups)[0]


def _grouped(draft: Draft, kind: str, arguments: Arguments) -> str:
    x = draft.column(str(arguments.get("x") or "") or _default_x(draft, kind))
    by, aggregate = str(arguments.get("by") or ""), str(arguments.get("aggregate") or "")
    measure, interval = str(arguments.get("y") or ""), str(arguments.get("interval") or "")
    if x.timed and kind in ("line", "area") and interval != "weekday":
        wanted = {"measure": measure, "date": x.name, "aggregate": aggregate, "interval": interval, "by": by}
        period, value, group = trend_table(draft, wanted | {"where": arguments.get("where")})
        _lines(draft, kind, period, value, group)
        return capital(f"{value} by {period}{f' and {group}' if group else ''}{draft.words}")
    order = "group" if x.timed or (x.numeric and kind != "bar") else ""
    limit = int(arguments.get("limit") or 0)
    aggregates = [aggregate] if aggregate else ([] if measure else ["count"])
    if measure and not aggregates:
        aggregates = ["sum" if draft.column(measure).numeric else "count"]
    made = grouped(draft, measure, aggregates, [x.name, *([by] if by else [])], interval, order, limit)
    if kind == "pie":
        _pie(draft, made, aggregates[0])
    elif kind == "bar":
        _bars(draft, made, limit)
    else:
        _lines(draft, kind, made.keys[0].label, made.values[0], *[key.label for key in made.keys[1:]])
    return table_title(draft, made, limit)


def _named_gaps(draft: Draft, made: Grouped) -> None:
    """Gives missing groups a name, and makes names of numbers that stand for groups."""
    for key in made.keys:
        if not key.column.timed:
            _as_names(draft, key.column, key.label)


def _as_names(draft: Draft, column: Column, name: str) -> None:
    field = f"table[{literal(name)}]"
    text = {"text": "", "boolean": '.map({True: "yes", False: "no"})'}.get(column.kind, ".astype(str)")
    gaps = f".fillna({literal(MISSING)})" if column.missing and column.kind in ("text", "boolean") else ""
    if text or gaps:
        draft.add(f"{field} = {field}{text}{gaps}")


def _largest(draft: Draft, column: str, value: str, most: int) -> None:
    field = f"drawn[{literal(column)}]"
    draft.add(
        f"largest = drawn[{literal(value)}].abs().groupby({field}).sum().nlargest({most}).index",
        f"drawn = drawn[{field}.isin(largest)]",
    )


def _bars(draft: Draft, made: Grouped, limit: int) -> None:
    _named_gaps(draft, made)
    x, value = made.keys[0], made.values[0]
    drawn = "table"
    count = min(limit or x.column.distinct, x.column.distinct or limit)
    if len(made.keys) > 1:
        drawn = _two_ways(draft, made)
    elif count > MAX_BARS and not x.column.timed:
        drawn = f"table.head({MAX_BARS})"
    long = any(len(str(v)) > LONG_LABEL for v in x.column.values)
    if len(made.keys) == 1 and not x.column.timed and (count > MANY_BARS or long):
        items = [drawn, f"x={literal(value)}", f"y={literal(x.label)}", 'orientation="h"']
        draft.add(*laid_out("fig = px.bar(", items, ")"))
        draft.add('fig.update_yaxes(autorange="reversed", type="category")')
    else:
        items = [drawn, f"x={literal(x.label)}", f"y={literal(value)}"]
        if len(made.keys) > 1:
            items += [f"color={literal(made.keys[1].label)}", 'barmode="group"']
        draft.add(*laid_out("fig = px.bar(", items, ")"))
        if not x.column.timed:
            draft.add('fig.update_xaxes(type="category")')
    _end(draft)


def _two_ways(draft: Draft, made: Grouped) -> str:
    over = [
        (key.label, most)
        for key, most in zip(made.keys, (MAX_BARS, MAX_SERIES), strict=True)
        if key.column.distinct > most and not key.column.timed
    ]
    if not over:
        return "table"
    draft.add("drawn = table")
    for column, most in reversed(over):
        _largest(draft, column, made.values[0], most)
    return "drawn"


def _lines(draft: Draft, kind: str, x: str, value: str, by: str = "") -> None:
    drawn = "table"
    group = next((c for c in draft.schema.columns if c.name == by), None)
    if group is not None:
        _as_names(draft, group, by)
    if group is not None and group.distinct > MAX_SERIES:
        draft.add("drawn = table")
        _largest(draft, by, value, MAX_SERIES)
        drawn = "drawn"
    items = [drawn, f"x={literal(x)}", f"y={literal(value)}"]
    items += [f"color={literal(by)}"] if by else []
    draft.add(*laid_out("fig = px.line(", [*items, "markers=True"], ")"))
    if kind == "area":
        draft.add('fig.update_traces(fill="tozeroy")')
    _end(draft)


def _pie(draft: Draft, made: Grouped, aggregate: str) -> None:
    if aggregate in NOT_PARTS or len(made.keys) > 1:
        raise Unfit("a pie shows the parts of one whole")
    _named_gaps(draft, made)
    names, value = made.keys[0].label, made.values[0]
    field = f"table[{literal(value)}]"
    draft.add(
        f"if {field}.min() < 0 or not {field}.sum():",
        '    raise ValueError("A pie shows parts of a whole: none may be negative, not all may be 0.")',
    )
    drawn = "table"
    if made.keys[0].column.timed or made.keys[0].column.distinct > MAX_SLICES:
        draft.use("pd")
        draft.add(
            f"parts = table.sort_values({literal(value)}, ascending=False)",
            f"rest = parts.iloc[{MAX_SLICES - 1}:]",
            f"if len(parts) > {MAX_SLICES}:",
            f'    other = {{{literal(names)}: ["other"], {literal(value)}: [rest[{literal(value)}].sum()]}}',
            f"    parts = pd.concat([parts.head({MAX_SLICES - 1}), pd.DataFrame(other)])",
        )
        drawn = "parts"
    items = [drawn, f"names={literal(names)}", f"values={literal(value)}", "hole=0.45"]
    draft.add(*laid_out("fig = px.pie(", items, ")"))
    _end(draft)


def _histogram(draft: Draft, name: str, bins: int) -> str:
    column = draft.column(name) if name else next(iter(draft.schema.measures), None)
    if column is None:
        raise Unfit("no numbers")
    draft.use("px")
    distribution_table(draft, column, bins)
    if column.numeric:
        draft.add(
            'fig = px.bar(table, x=table["from"] + width / 2, y="rows")',
            f"fig.update_xaxes(title={literal(column.name)})",
            "fig.update_traces(width=width).update_layout(bargap=0.02)",
        )
    else:
        counts = free_name("rows", [column.name])
        first = literal(column.name) if not column.timed else "table.columns[0]"
        draft.add(f"fig = px.bar(table.head({MAX_BARS}), x={first}, y={literal(counts)})")
    _end(draft)
    return f"Distribution of {column.name}{draft.words}"


def _heatmap(draft: Draft, arguments: Arguments) -> str:
    x, by = str(arguments.get("x") or ""), str(arguments.get("by") or "")
    if not (x and by):
        measures = draft.schema.measures
        if len(measures) < 3:
            raise Unfit("three columns of numbers are needed")
        matrix(draft, measures, "pearson")
        draft.add(
            'fig = px.imshow(matrix, color_continuous_scale="RdBu", zmin=-1, zmax=1, text_auto=".3g")',
            "show(fig)",
            f"matrix.reset_index(names={literal(free_name('column', [c.name for c in measures]))})",
        )
        return f"Pearson correlations{draft.words}"
    measure = str(arguments.get("y") or "")
    aggregate = str(arguments.get("aggregate") or "")
    columns = [draft.column(name) for name in (x, by)]
    if any(c.timed or c.distinct > CELLS_A_SIDE or (c.missing and c.kind != "text") for c in columns):
        raise Unfit("too large a grid")
    interval = str(arguments.get("interval") or "")
    chosen = aggregate or ("sum" if measure and draft.column(measure).numeric else "count")
    made = grouped(draft, measure, [chosen], [x, by], interval, "group", 0)
    _named_gaps(draft, made)
    across, down = made.keys
    pivot = [f"columns={literal(across.label)}", f"index={literal(down.label)}"]
    pivot.append(f"values={literal(made.values[0])}")
    draft.add(*laid_out("cells = table.pivot(", pivot, ")"))
    draft.add('fig = px.imshow(cells, text_auto=".3s", aspect="auto")')
    _end(draft)
    return table_title(draft, made)


def _end(draft: Draft) -> None:
    draft.add("show(fig)", "table")

"""Programs for boxes and points, which are drawn from every row."""

from agents.planner.draft import Draft, Unfit, laid_out, literal
from agents.planner.draft_query import said_left_out
from agents.planner.schema import Column
from analysis.chart import MAX_SERIES
from analysis.chart_box import FAR_POINTS, MAX_BOXES
from analysis.chart_scatter import DRAWN_POINTS

MISSING = "(missing)"
ALL = "all rows"


def scatter(draft: Draft, x: str, y: str, by: str) -> str:
    """Points, and the least-squares line of all of them."""
    measures = draft.schema.measures
    if not (x and y) and len(measures) < 2:
        raise Unfit("two columns of numbers are needed")
    up = draft.column(y) if y else None
    across = draft.column(x) if x else next(c for c in measures if up is None or c.name != up.name)
    up = up or next(c for c in measures if c.name != across.name)
    group = draft.column(by) if by else None
    if not (across.numeric and up.numeric) or (group is not None and group.kind not in ("text", "boolean")):
        raise Unfit("numbers are needed")
    names = {c.name: c for c in (across, up, group) if c is not None}
    if len(names) < (3 if group else 2):
        raise Unfit("one column twice")
    pair = literal([across.name, up.name])
    draft.use("pd", "px", "stats")
    draft.add(f"points = {draft.data}[{literal(list(names))}].dropna(subset={pair})")
    if group is not None:
        _groups(draft, group)
    left, right = f"points[{literal(across.name)}].astype(float)", f"points[{literal(up.name)}].astype(float)"
    draft.add(
        f"if (points[{pair}].nunique() < 2).any():",
        '    raise ValueError("A trend line needs different values in both columns.")',
        f"line = stats.linregress({left}, {right})",
    )
    drawn = "points"
    if draft.schema.rows > DRAWN_POINTS:
        drawn = f"points.sample(min({DRAWN_POINTS}, len(points)), random_state=0)"
    items = [drawn, f"x={literal(across.name)}", f"y={literal(up.name)}", "opacity=0.55"]
    items += [f"color={literal(group.name)}"] if group is not None else []
    draft.add(
        *laid_out("fig = px.scatter(", items, ")"),
        f'ends = points[{literal(across.name)}].agg(["min", "max"]).astype(float)',
        *laid_out(
            "fig.add_scatter(",
            [
                "x=ends",
                "y=line.intercept + line.slope * ends",
                'mode="lines"',
                'name=f"trend (r = {line.rvalue:.3f})"',
            ],
            ")",
        ),
        "show(fig)",
    )
    row = ['"slope": line.slope', '"intercept": line.intercept', '"r": round(line.rvalue, 12)']
    draft.add(*laid_out("pd.DataFrame([{", [*row, '"p": line.pvalue', '"n": len(points)'], "}])"))
    return f"{up.name} against {across.name}{draft.words}"


def _groups(draft: Draft, group: Column) -> None:
    field = f"points[{literal(group.name)}]"
    if group.kind != "text":
        draft.add(f"points = points.assign(**{{{literal(group.name)}: {field}.astype(str)}})")
    elif group.missing:
        draft.add(f"points = points.assign(**{{{literal(group.name)}: {field}.fillna({literal(MISSING)})}})")
    if group.distinct > MAX_SERIES:
        raise Unfit("more groups than are drawn")


def box(draft: Draft, y: str, by: str) -> str:
    """Boxes by their quartiles, with whiskers to the last value within 1.5 IQR, and points beyond."""
    column = draft.column(y) if y else next(iter(draft.schema.measures), None)
    group = draft.column(by) if by else None
    if column is not None and group is not None and not column.numeric and group.numeric:
        column, group = group, column
    if column is None or not column.numeric:
        raise Unfit("numbers are needed")
    if group is not None and (group.kind not in ("text", "boolean") or group.distinct > MAX_BOXES):
        raise Unfit(group.name)
    said_left_out(draft, column)
    label = group.name if group is not None else "group"
    names = f"{draft.field(group)}.astype(str)" if group is not None else literal(ALL)
    if group is not None and group.kind == "text":
        names = draft.field(group) + (f".fillna({literal(MISSING)})" if group.missing else "")
    draft.use("pd", "go")
    draft.add(
        f'points = pd.DataFrame({{"value": {draft.field(column)}.astype(float)}})',
        f'points["box"] = {names}',
        'points = points.dropna(subset="value")',
        'groups = points.groupby("box")["value"]',
        'boxes = groups.quantile([0.25, 0.5, 0.75]).unstack().set_axis(["q1", "median", "q3"], axis=1)',
        'reach = 1.5 * (boxes["q3"] - boxes["q1"])',
        'low, high = points["box"].map(boxes["q1"] - reach), points["box"].map(boxes["q3"] + reach)',
        'inside = points["value"].between(low, high)',
        'whiskers = points[inside].groupby("box")["value"].agg(["min", "max"])',
        *laid_out(
            "table = boxes.assign(**{",
            [
                '"low whisker": whiskers["min"]',
                '"high whisker": whiskers["max"]',
                '"mean": groups.mean()',
                '"rows": groups.size()',
            ],
            f"}}).rename_axis({literal(label)}).reset_index()",
        ),
        *laid_out(
            "fig = go.Figure(go.Box(",
            [
                "x=boxes.index",
                'q1=boxes["q1"]',
                'median=boxes["median"]',
                'q3=boxes["q3"]',
                'lowerfence=whiskers["min"]',
                'upperfence=whiskers["max"]',
                "mean=groups.mean()",
                f"name={literal(column.name)}",
            ],
            "))",
        ),
        'points["distance"] = (points["value"] - points["box"].map(boxes["median"])).abs()',
        'outside = points[~inside].sort_values("distance", ascending=False)',
        f'outside = outside.groupby("box").head({FAR_POINTS})',
        'fig.add_scatter(x=outside["box"], y=outside["value"], mode="markers", name="beyond the whiskers")',
        f'fig.update_layout(showlegend=False, xaxis_type="category", yaxis_title={literal(column.name)})',
        "show(fig)",
        "table",
    )
    words = f" by {group.name}" if group is not None else ""
    return f"Spread of {column.name}{words}{draft.words}"

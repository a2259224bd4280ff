"""Box plots: quartiles, whiskers and the points beyond them, all computed by one query on all rows."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import ibis

from analysis import chart
from analysis.conditions import Condition, select
from analysis.engine import Engine, result_table
from analysis.errors import NotNumeric
from analysis.measures import group_text, missing_note, numeric_columns, require_numeric
from storage.results import Result

MAX_BOXES = 30
FAR_POINTS = 50
NUMBERS = ("integer", "number")
NO_VALUES = ibis.literal([], type="array<float64>")


def box(
    engine: Engine, y: str, by: str, where: Sequence[Condition], dataset: str, **about: Any
) -> tuple[Result, dict[str, Any], str]:
    """The result, its figure and its text: a box of `y` a group, the 30 largest groups.

    Whiskers reach to the last value within 1.5 IQR of the quartiles. Raises NotNumeric.
    """
    data = engine.dataset(dataset)
    name = y or next((c.name for c in numeric_columns(data)), "")
    if not name:
        raise NotNumeric(f"{data.file_name} has no number column for a box plot.")
    column, group = engine.column(data, name), engine.column(data, by) if by else None
    if group and column.kind not in NUMBERS and group.kind in NUMBERS:
        column, group = group, column
    require_numeric(column, "a box plot")
    selection = select(engine, dataset, where, column)
    label = group_text(engine, selection, group) if group else ibis.literal("all rows")
    keyed = selection.table.select(group=label, value=selection.table[column.name].cast("float64"))
    keyed = keyed.filter(keyed["value"].notnull())
    different = keyed.select("group").distinct()
    groups = engine.fetch(different.aggregate(n=different.count())).rows[0][0]
    notes = missing_note(selection, column.name)
    boxes = _boxes(engine, keyed, arrays=engine.backend([data]).arrays, there=bool(data.source))
    base = engine.run(
        boxes.order_by(ibis.desc("n"), "group").limit(MAX_BOXES).order_by("group"),
        title=f"Spread of {column.name}{f' by {group.name}' if group else ''}{selection.words}",
        datasets=[data],
        rows_used=selection.used,
        notes=notes,
        **about,
    )
    table = result_table(base)
    base = replace(base, notes=[*base.notes, *_limits(table.column("beyond whiskers"), groups)])
    alt = chart.alternative("box", f"{base.title} (medians)", table, "group", "median")
    return base, chart.boxes(table, column.name, group.name if group else ""), alt


def _boxes(engine: Engine, keyed: Any, *, arrays: bool, there: bool) -> Any:
    """A row a group; the far values are listed here where their engine has no lists."""
    value = keyed["value"]
    quartiles = keyed.group_by("group").aggregate(
        n=keyed.count(), mean=value.mean(), q1=value.quantile(0.25), median=value.quantile(0.5),
        q3=value.quantile(0.75),
    )  # fmt: skip
    joined = keyed.join(quartiles, [keyed["group"].identical_to(quartiles["group"])])
    value, reach = joined["value"], 1.5 * (joined["q3"] - joined["q1"])
    inside = (value >= joined["q1"] - reach) & (value <= joined["q3"] + reach)
    farthest = ibis.desc((value - joined["median"]).abs())
    found = {
        "low whisker": value.min(where=inside),
        "high whisker": value.max(where=inside),
        "beyond whiskers": (~inside).sum(),
    }
    if arrays:
        far = value.collect(where=~inside, order_by=[farthest, value])
        # PostgreSQL wants an empty list that comes from somewhere.
        none = value.collect(where=inside)[:0] if there else NO_VALUES
        found["far values"] = far.fill_null(none)[:FAR_POINTS]
    made = joined.group_by("group", "n", "mean", "q1", "median", "q3").aggregate(**found)
    return made if arrays else _with_far_values(engine, made, joined.filter(~inside))


def _with_far_values(engine: Engine, boxes: Any, beyond: Any) -> Any:
    farthest = ibis.desc((beyond["value"] - beyond["median"]).abs())
    window = ibis.window(group_by="group", order_by=[farthest, beyond["value"]])
    placed = beyond.select("group", "value", place=ibis.row_number().over(window))
    boxes = engine.gather(boxes, arrays=True)
    far = engine.gather(placed.filter(placed["place"] < FAR_POINTS), arrays=True)
    lists = far.group_by("group").aggregate(__far=far["value"].collect(order_by=far["place"]))
    whole = boxes.left_join(lists, [boxes["group"].identical_to(lists["group"])])
    kept = {name: whole[name] for name in boxes.columns}
    return whole.select(**kept, **{"far values": whole["__far"].fill_null(NO_VALUES)})


def _limits(beyond: list[int], groups: int) -> list[str]:
    notes = ["Whiskers reach to the last value within 1.5 IQR of the quartiles."]
    if groups > MAX_BOXES:
        notes.append(f"The {MAX_BOXES} largest of {groups:,} groups are drawn.")
    left_out = sum(max(0, count - FAR_POINTS) for count in beyond)
    if left_out:
        shown = f"the {FAR_POINTS} farthest of each box are drawn."
        notes.append(f"{sum(beyond):,} points lie beyond the whiskers; {shown}")
    return notes

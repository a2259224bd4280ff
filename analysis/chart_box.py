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
    base = engine.run(
        _boxes(keyed).order_by(ibis.desc("n"), "group").limit(MAX_BOXES).order_by("group"),
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


def _boxes(keyed: Any) -> Any:
    value = keyed["value"]
    quartiles = keyed.group_by("group").aggregate(
        n=keyed.count(), mean=value.mean(), q1=value.quantile(0.25), median=value.quantile(0.5),
        q3=value.quantile(0.75),
    )  # fmt: skip
    joined = keyed.join(quartiles, [keyed["group"].identical_to(quartiles["group"])])
    value, reach = joined["value"], 1.5 * (joined["q3"] - joined["q1"])
    inside = (value >= joined["q1"] - reach) & (value <= joined["q3"] + reach)
    farthest = ibis.desc((value - joined["median"]).abs())
    return joined.group_by("group", "n", "mean", "q1", "median", "q3").aggregate(
        **{
            "low whisker": value.min(where=inside),
            "high whisker": value.max(where=inside),
            "beyond whiskers": (~inside).sum(),
            "far values": value.collect(where=~inside, order_by=[farthest, value]).fill_null(
                ibis.literal([], type="array<float64>")
            )[:FAR_POINTS],
        }
    )


def _limits(beyond: list[int], groups: int) -> list[str]:
    notes = ["Whiskers reach to the last value within 1.5 IQR of the quartiles."]
    if groups > MAX_BOXES:
        notes.append(f"The {MAX_BOXES} largest of {groups:,} groups are drawn.")
    left_out = sum(max(0, count - FAR_POINTS) for count in beyond)
    if left_out:
        shown = f"the {FAR_POINTS} farthest of each box are drawn."
        notes.append(f"{sum(beyond):,} points lie beyond the whiskers; {shown}")
    return notes

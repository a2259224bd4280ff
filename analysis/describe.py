"""One column, described as what it is: numbers, dates, or names with counts."""

from collections.abc import Sequence

import ibis

from analysis.conditions import Condition, select
from analysis.engine import Engine
from analysis.measures import missing_note
from storage.results import Result

TOP_VALUES = 20


def describe(engine: Engine, column: str, dataset: str = "", where: Sequence[Condition] = ()) -> Result:
    """Numbers: count, mean, spread, quartiles. Dates: range and days. Else: the frequent values."""
    data = engine.dataset(dataset)
    info = engine.column(data, column)
    selection = select(engine, dataset, where)
    field = selection.table[info.name]
    counts = selection.table.aggregate(present=field.count(), distinct=field.nunique())
    present, distinct = engine.fetch(counts).rows[0]
    notes = missing_note(selection, present, info.name)
    facts = {"present": present, "missing": selection.rows - present, "distinct": distinct}
    kind = "value"
    if info.kind in ("integer", "number"):
        expression = selection.table.aggregate(
            count=field.count(),
            mean=field.cast("float64").mean(),
            **{"standard deviation": field.cast("float64").std(how="sample")},
            lowest=field.min(),
            **{f"{part}%": field.cast("float64").quantile(part / 100) for part in (25, 50, 75)},
            highest=field.max(),
            sum=field.sum(),
        )
    elif info.kind in ("date", "datetime"):
        first, last = field.min(), field.max()
        expression = selection.table.aggregate(
            count=field.count(),
            earliest=first,
            latest=last,
            **{"days covered": last.cast("date").delta(first.cast("date"), unit="day") + 1},
            **{"different days": field.cast("date").nunique()},
        )
    else:
        kind = "table"
        whole = selection.table.filter(field.notnull())
        expression = (
            whole.group_by(info.name)
            .aggregate(rows=whole.count())
            .order_by([ibis.desc("rows"), ibis.asc(info.name)])
            .limit(TOP_VALUES)
        )
        if distinct > TOP_VALUES:
            notes.append(f"The {TOP_VALUES} most frequent of {distinct:,} different values.")
    return engine.run(
        expression,
        title=f"{info.name}{selection.words}",
        tool="describe",
        arguments={"column": column, "dataset": dataset, "where": list(where)},
        datasets=[data],
        kind=kind,
        rows_used=present,
        notes=notes,
        facts=facts,
    )

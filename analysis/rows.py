"""The rows that pass a filter."""

from collections.abc import Sequence

import ibis

from analysis.conditions import Condition, select
from analysis.engine import Engine
from storage.results import Result

SHOWN = 1_000
# Equal values are ordered by the other columns, so that the same rows are shown each time.
TIE_COLUMNS = 10


def rows(
    engine: Engine,
    dataset: str = "",
    where: Sequence[Condition] = (),
    columns: Sequence[str] = (),
    order_by: str = "",
    descending: bool = False,
    limit: int = 0,
) -> Result:
    """Matching rows, all columns unless named; at most 1,000 are kept, and all are counted."""
    data = engine.dataset(dataset)
    chosen = [engine.column(data, name).name for name in columns]
    order = engine.column(data, order_by).name if order_by else ""
    selection = select(engine, dataset, where)
    expression = selection.table
    if order:
        by = ibis.desc(order, nulls_first=False) if descending else ibis.asc(order)
        rest = [c.name for c in data.columns if c.name != order and c.kind != "other"]
        expression = expression.order_by([by, *rest[:TIE_COLUMNS]])
    if chosen:
        expression = expression.select(*chosen)
    kept = min(limit, SHOWN) if limit > 0 else SHOWN
    notes = []
    if selection.rows > kept:
        notes.append(f"{kept:,} of {selection.rows:,} matching rows are shown.")
    words = f", {'highest' if descending else 'lowest'} {order} first" if order else ""
    return engine.run(
        expression.limit(kept),
        title=f"Rows of {data.file_name}{selection.words}{words}",
        tool="rows",
        arguments={
            "dataset": dataset, "where": list(where), "columns": list(columns),
            "order_by": order_by, "descending": descending, "limit": limit,
        },
        datasets=[data],
        rows_used=selection.rows,
        notes=notes,
        facts={"matching_rows": selection.rows},
    )  # fmt: skip

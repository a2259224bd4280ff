"""Two columns against each other: counts or an aggregate, one row a value, one column a value."""

from collections.abc import Sequence
from typing import Any

import ibis

from analysis.conditions import Condition, select
from analysis.engine import Engine
from analysis.errors import BadValue, require_option
from analysis.measures import AGGREGATES, aggregated, label, missing_note, present
from storage.results import Result

NORMALIZE = ("", "rows", "columns", "all")
MAX_COLUMNS = 25
MAX_ROWS = 200
MISSING = "(missing)"


def crosstab(
    engine: Engine,
    rows: str,
    columns: str,
    measure: str = "",
    aggregate: str = "",
    normalize: str = "",
    dataset: str = "",
    where: Sequence[Condition] = (),
) -> Result:
    """Rows by columns; `normalize` turns counts or sums into % of the row, the column or all.

    Raises BadValue when the columns would be more than 25, or shares are asked of an average.
    """
    data = engine.dataset(dataset)
    down, across = engine.column(data, rows), engine.column(data, columns)
    column = engine.column(data, measure) if measure else None
    default = "count" if column is None else "sum"
    chosen = require_option(aggregate or default, AGGREGATES, "aggregate")
    share = require_option(normalize, NORMALIZE, "way to normalize")
    if share and chosen not in ("sum", "count"):
        raise BadValue(f"Shares need a sum or a count, not {chosen}.")
    selection = select(engine, dataset, where)
    table = selection.table.mutate(
        __down=selection.table[down.name].cast("string").fill_null(MISSING),
        __across=selection.table[across.name].cast("string").fill_null(MISSING),
    )
    values = engine.fetch(table.select("__across").distinct().order_by("__across")).column("__across")
    if len(values) > MAX_COLUMNS:
        raise BadValue(
            f"{across.name} has {len(values):,} different values; a crosstab shows at most "
            f"{MAX_COLUMNS}. Swap rows and columns, or filter."
        )
    long = table.group_by("__down", "__across").aggregate(value=aggregated(table, chosen, column))
    cells = {value: long["value"].max(where=long["__across"] == value) for value in values}
    wide = long.group_by("__down").aggregate(**cells)
    if chosen in ("sum", "count"):
        wide = _filled(wide, values, share)
    wide = wide.order_by("__down").limit(MAX_ROWS).rename({down.name: "__down"})
    used = present(engine, selection, column)
    words = f"% of {share if share != 'all' else 'all'}, " if share else ""
    name = label(chosen, column.name if column else "")
    return engine.run(
        wide,
        title=f"{name[:1].upper()}{name[1:]} ({words}{down.name} by {across.name}){selection.words}",
        tool="crosstab",
        arguments={
            "rows": rows, "columns": columns, "measure": measure, "aggregate": chosen,
            "normalize": share, "dataset": dataset, "where": list(where),
        },
        datasets=[data],
        rows_used=used,
        notes=missing_note(selection, used, column.name) if column else [],
        facts={"columns": len(values)},
    )  # fmt: skip


def _filled(wide: Any, values: list[str], share: str) -> Any:
    filled = wide.mutate(**{value: wide[value].fill_null(0) for value in values})
    total = sum((filled[value] for value in values[1:]), filled[values[0]])
    if not share:
        return filled.mutate(total=total) if "total" not in values else filled
    everything = ibis.window()
    shares = {}
    for value in values:
        whole = {
            "rows": total,
            "columns": filled[value].sum().over(everything),
            "all": total.sum().over(everything),
        }[share]
        shares[value] = (100.0 * filled[value] / whole.nullif(0)).round(2)
    return filled.mutate(**shares)

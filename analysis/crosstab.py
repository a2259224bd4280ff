"""Two columns against each other: counts or an aggregate, one row a value, one column a value."""

from collections.abc import Sequence
from typing import Any

import ibis

from analysis.conditions import Condition, select
from analysis.engine import Engine
from analysis.errors import BadValue, require_option
from analysis.measures import (
    AGGREGATES,
    aggregated,
    free_name,
    group_text,
    label,
    missing_note,
)
from storage.results import Result

NORMALIZE = ("", "rows", "columns", "all")
MAX_COLUMNS = 25
MAX_ROWS = 200
MISSING, EMPTY = "(missing)", "(empty)"


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
    selection = select(engine, dataset, where, column)
    table = selection.table.mutate(
        __down=group_text(engine, selection, down).fill_null(MISSING),
        __across=group_text(engine, selection, across).fill_null(MISSING),
    )
    values = engine.fetch(table.select("__across").distinct().order_by("__across")).column("__across")
    if len(values) > MAX_COLUMNS:
        raise BadValue(
            f"{across.name} has {len(values):,} different values; a crosstab shows at most "
            f"{MAX_COLUMNS}. Swap rows and columns, or filter."
        )
    long = table.group_by("__down", "__across").aggregate(value=aggregated(table, chosen, column))
    cells = [f"__{number}" for number in range(len(values))]
    wide = long.group_by("__down").aggregate(
        **{
            cell: long["value"].max(where=long["__across"] == value)
            for cell, value in zip(cells, values, strict=True)
        }
    )
    if chosen in ("sum", "count"):
        wide = _filled(wide, cells, share)
    height = engine.fetch(long.aggregate(n=long["__down"].nunique())).rows[0][0]
    wide = wide.order_by("__down").limit(MAX_ROWS).select(**_named(wide, down.name, cells, values))
    notes = missing_note(selection, column.name) if column else []
    if height > MAX_ROWS:
        notes.append(f"The first {MAX_ROWS} of {height:,} rows are shown.")
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
        rows_used=selection.used,
        notes=notes,
        facts={"columns": len(values)},
    )  # fmt: skip


def _filled(wide: Any, cells: list[str], share: str) -> Any:
    """Absent pairs are 0; with the row's total, or as shares."""
    filled = wide.mutate(**{cell: wide[cell].fill_null(0) for cell in cells})
    total = sum((filled[cell] for cell in cells[1:]), filled[cells[0]])
    if not share:
        return filled.mutate(__total=total)
    everything = ibis.window()
    wholes = {
        cell: {
            "rows": total,
            "columns": filled[cell].sum().over(everything),
            "all": total.sum().over(everything),
        }[share]
        for cell in cells
    }
    return filled.mutate(
        **{cell: 100.0 * filled[cell].cast("float64") / wholes[cell].nullif(0) for cell in cells}
    )


def _named(wide: Any, down: str, cells: list[str], values: list[str]) -> dict[str, Any]:
    """Columns under their values; values that differ only in case get a number, for DuckDB's sake."""
    named = {down: wide["__down"]}
    for cell, value in zip(cells, values, strict=True):
        named[free_name(value or EMPTY, named)] = wide[cell]
    if "__total" in wide.columns:
        named[free_name("total", named)] = wide["__total"]
    return named

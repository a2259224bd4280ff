"""All correlations among several columns, with p-values that allow for their number."""

from collections.abc import Sequence

from analysis.conditions import Condition, select
from analysis.engine import Engine
from analysis.errors import NotNumeric, TooFew, require_option
from analysis.measures import numeric_columns, require_numeric
from analysis.programs import run, sampled
from storage.results import Result

METHODS = ("pearson", "spearman", "kendall")
CORRECTIONS = ("holm", "bonferroni", "fdr_bh")
MAX_COLUMNS = 30
MINIMUM = 4


def correlation_tests(
    engine: Engine,
    columns: Sequence[str] = (),
    method: str = "",
    correction: str = "",
    dataset: str = "",
    where: Sequence[Condition] = (),
) -> Result:
    """r, p and corrected p of every pair of `columns` (without any, of all numbers), the clearest first.

    Raises NotNumeric, TooFew, NotComputable.
    """
    chosen = require_option(method or "pearson", METHODS, "method")
    corrected = require_option(correction or "holm", CORRECTIONS, "correction")
    data = engine.dataset(dataset)
    found = [engine.column(data, name) for name in columns] or numeric_columns(data)
    found = list({c.name: c for c in found}.values())
    for column in found:
        require_numeric(column, "correlation")
    if len(found) < 2:
        raise NotNumeric(f"{data.file_name} has fewer than two columns of numbers to correlate.")
    selection = select(engine, dataset, where)
    if selection.rows < MINIMUM:
        raise TooFew(f"Only {selection.rows} row(s); at least {MINIMUM} are needed.")
    shown = found[:MAX_COLUMNS]
    table = selection.table
    expression, notes = sampled(
        table.select(**{c.name: table[c.name].cast("float64") for c in shown}), selection.rows
    )
    if len(found) > MAX_COLUMNS:
        notes.append(f"The first {MAX_COLUMNS} of {len(found)} number columns.")
    return run(
        engine, "correlations", "pairs", expression, {"method": chosen, "correction": corrected},
        title=f"{chosen.title()} correlations with p-values{selection.words}",
        tool="correlation_tests",
        arguments={
            "columns": list(columns), "method": chosen, "correction": corrected, "dataset": dataset,
            "where": list(where),
        },
        datasets=[data], rows_used=selection.rows,
        notes=["Each pair uses the rows that have both values.", *notes],
    )  # fmt: skip

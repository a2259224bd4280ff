"""Groups of like rows, odd rows, and the few directions in which rows vary."""

from collections.abc import Sequence
from typing import Any

from analysis import chart
from analysis.chart_result import drawn
from analysis.conditions import Condition, select
from analysis.engine import Engine
from analysis.errors import BadValue, TooFew, UnknownOption, require_option
from analysis.learning.columns import choose_numbers
from analysis.programs import run, sampled
from sandbox.table import Table
from storage.results import Result

METHODS = ("kmeans", "hierarchical")
MAX_CLUSTERS = 20
MINIMUM = 10
GROUPED_ROWS = 100_000
JUDGED_ROWS = 200_000
MAX_SHARE = 0.5
CONTEXT_COLUMNS = 12


def cluster(
    engine: Engine,
    columns: Sequence[str] = (),
    per: str = "",
    clusters: int = 0,
    method: str = "",
    dataset: str = "",
    where: Sequence[Condition] = (),
) -> Result:
    """Rows (or, with `per`, its groups by their means) in groups that are alike in number columns.

    `clusters` 0 takes the number that stands apart best. The table has each group's means in the columns'
    own units; the chart shows the rows on the two main directions. Raises UnknownOption, TooFew, BadValue.
    """
    chosen = require_option(method or "kmeans", METHODS, "method")
    if not (clusters == 0 or 2 <= clusters <= MAX_CLUSTERS):
        raise BadValue(f"Ask for 2 to {MAX_CLUSTERS} groups, or 0 to let the data choose.")
    data = engine.dataset(dataset)
    features = choose_numbers(engine, data, columns, "Clustering")
    selection = select(engine, dataset, where)
    table, rows = selection.table, selection.rows
    notes: list[str] = []
    names = [c.name for c in features]
    if per:
        unit = engine.column(data, per)
        if unit.name in names:
            raise UnknownOption(f"{unit.name} cannot be clustered by itself. Name columns of numbers.")
        table = (
            table.filter(table[unit.name].notnull())
            .group_by(unit.name)
            .aggregate(**{c.name: table[c.name].cast("float64").mean() for c in features})
        )
        rows = engine.fetch(table.aggregate(n=table.count())).rows[0][0]
        table = table.order_by(unit.name)
        notes.append(f"Each {unit.name} counts once, by the means of its rows.")
    if rows < max(MINIMUM, clusters + 1):
        raise TooFew(f"Only {rows} row(s) to group; at least {max(MINIMUM, clusters + 1)} are needed.")
    picked, said = sampled(table.select(**{n: table[n].cast("float64") for n in names}), rows, GROUPED_ROWS)
    what = per or "rows"
    result = run(
        engine, "clustering", "clusters", picked,
        {"features": names, "count": clusters, "method": chosen},
        title=f"Clusters of {what} by {', '.join(names)}{selection.words}",
        tool="cluster",
        arguments={
            "columns": list(columns), "per": per, "clusters": clusters, "method": chosen,
            "dataset": dataset, "where": list(where),
        },
        datasets=[data], rows_used=selection.rows, notes=[*notes, *said],
        facts={"columns_used": names, "of": what},
    )  # fmt: skip
    return _plane(result)


def odd_rows(
    engine: Engine,
    columns: Sequence[str] = (),
    share: float = 0,
    dataset: str = "",
    where: Sequence[Condition] = (),
) -> Result:
    """Rows whose combination of numbers is unusual (isolation forest), the oddest first, with their columns.

    `share` of the rows is listed, 0.01 unless given. Raises UnknownOption, TooFew, BadValue.
    """
    if not 0 <= share <= MAX_SHARE:
        raise BadValue("The share of rows to list is a number from 0 to 0.5, such as 0.01.")
    data = engine.dataset(dataset)
    features = choose_numbers(engine, data, columns, "Looking for odd rows")
    selection = select(engine, dataset, where)
    if selection.rows < MINIMUM:
        raise TooFew(f"Only {selection.rows} row(s); at least {MINIMUM} are needed.")
    names = [c.name for c in features]
    rest = [c for c in data.columns if c.name not in names and c.kind != "other"][:CONTEXT_COLUMNS]
    table = selection.table
    picked, notes = sampled(
        table.select(**{n: table[n].cast("float64") for n in names}, **{c.name: table[c.name] for c in rest}),
        selection.rows,
        JUDGED_ROWS,
    )
    return run(
        engine, "clustering", "odd_rows", picked, {"features": names, "share": share or 0.01},
        title=f"Odd rows by {', '.join(names)}{selection.words}",
        tool="anomalies",
        arguments={
            "columns": list(columns), "share": share, "dataset": dataset, "where": list(where),
        },
        datasets=[data], rows_used=selection.rows, notes=notes, facts={"columns_used": names},
    )  # fmt: skip


def components(
    engine: Engine,
    columns: Sequence[str] = (),
    dataset: str = "",
    where: Sequence[Condition] = (),
) -> Result:
    """Principal components: how much of the variation few directions hold, and what they are made of."""
    data = engine.dataset(dataset)
    features = choose_numbers(engine, data, columns, "Principal components")
    if len(features) < 2:
        raise UnknownOption("Principal components need two columns of numbers that vary, or more.")
    selection = select(engine, dataset, where)
    table = selection.table
    names = [c.name for c in features]
    picked, notes = sampled(table.select(**{n: table[n].cast("float64") for n in names}), selection.rows)
    return run(
        engine, "clustering", "components", picked, {"features": names},
        title=f"Principal components of {', '.join(names)}{selection.words}",
        tool="principal_components",
        arguments={"columns": list(columns), "dataset": dataset, "where": list(where)},
        datasets=[data], rows_used=selection.rows, notes=notes, facts={"columns_used": names},
    )  # fmt: skip


def _plane(result: Result) -> Result:
    points = Table.from_json(result.output["points"])
    groups: dict[str, tuple[list[Any], list[Any]]] = {}
    for row in points.records():
        xs, ys = groups.setdefault(f"cluster {row['cluster']}", ([], []))
        xs.append(row["x"])
        ys.append(row["y"])
    ordered = dict(sorted(groups.items()))
    figure = chart.scatter(ordered, "first direction", "second direction", None)
    facts = result.facts
    alt = f"Scatter chart: {result.title}. {facts['clusters']} groups of {facts['n']:,} rows."
    return drawn(result, figure, alt)

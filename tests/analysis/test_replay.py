"""The stored code alone, run by plain DuckDB and Python over the same tables, gives the stored output."""

import hashlib
from collections.abc import Callable
from typing import Any

import duckdb
import pandas as pd
import pytest

from analysis.compare import compare
from analysis.correlate import correlate
from analysis.crosstab import crosstab
from analysis.describe import describe
from analysis.distribution import distribution
from analysis.engine import Engine, result_table
from analysis.find_values import find_values
from analysis.outliers import outliers
from analysis.profile import missing, profile
from analysis.query import query
from analysis.rows import rows
from analysis.show import show
from analysis.sql import sql
from analysis.trend import trend
from storage.results import Result
from tests.analysis.conftest import Load

MARCH: list[Any] = [{"column": "order_date", "op": "equals", "value": "2025-03"}]
MAKERS: dict[str, Callable[[Engine], Result]] = {
    "rows": lambda e: rows(e, where=MARCH, order_by="revenue", descending=True),
    "query by weekday": lambda e: query(e, measure="revenue", by=["order_date"], interval="weekday"),
    "query of all": lambda e: query(e, measure="revenue", aggregate=["sum", "std", "median"], where=MARCH),
    "query top": lambda e: query(e, measure="rating", aggregate=["mean"], by=["city"], limit=3),
    "describe dates": lambda e: describe(e, "order_date"),
    "describe text": lambda e: describe(e, "city"),
    "matrix": lambda e: correlate(e, method="spearman"),
    "pair": lambda e: correlate(e, "discount", "rating", where=MARCH),
    "welch": lambda e: compare(e, "revenue", "channel", groups=["Web", "Shop"]),
    "anova": lambda e: compare(e, "revenue", "city"),
    "z outliers": lambda e: outliers(e, "revenue", method="zscore"),
    "trend": lambda e: trend(e, "rating", aggregate="mean", interval="week", by="region"),
    "values": lambda e: distribution(e, "product"),
    "crosstab": lambda e: crosstab(e, "order_date", "city", "revenue", "mean"),
    "find": lambda e: find_values(e, "ber"),
    "profile": lambda e: profile(e),
    "missing": lambda e: missing(e),
    "sql": lambda e: sql(e, "SELECT city, count(*) AS n FROM orders GROUP BY city ORDER BY n DESC, city"),
    "scatter": lambda e: show(e, "scatter", x="quantity", y="revenue", by="channel"),
    "box": lambda e: show(e, "box", y="revenue", by="order_date"),
    "histogram": lambda e: show(e, "histogram", x="revenue", bins=7),
    "heatmap": lambda e: show(e, "heatmap"),
    "area": lambda e: show(e, "area", y="revenue"),
    "pie": lambda e: show(e, "pie", x="product", y="revenue"),
}


def rerun(result: Result, engine: Engine) -> tuple[list[tuple[Any, ...]], dict[str, Any]]:
    """Rows and values of the stored code, without any of our own."""
    with duckdb.connect() as con:
        for dataset in engine.datasets:
            con.execute(f"CREATE VIEW {dataset.name} AS SELECT * FROM '{dataset.table_path}'")
        if result.language == "sql":
            return con.execute(result.code).fetchall(), {}
        scope: dict[str, Any] = {"con": con}
        exec(result.code, scope)
        values = {k: v for k, v in scope["output"].items() if not isinstance(v, pd.DataFrame)}
        return list(scope["output"]["table"].itertuples(index=False, name=None)), values


def agree(ours: Any, theirs: Any) -> bool:
    if ours is None or theirs is None or theirs != theirs:
        return ours is None or ours != ours
    if isinstance(ours, list):
        return len(ours) == len(theirs) and all(map(agree, ours, theirs))
    return bool(ours == pytest.approx(theirs)) if isinstance(ours, float) else bool(ours == theirs)


@pytest.mark.parametrize("name", MAKERS)
def test_the_code_reproduces_the_output(name: str, engine: Engine) -> None:
    result = MAKERS[name](engine)
    fetched, values = rerun(result, engine)
    stored = result_table(result).rows
    assert len(stored) == len(fetched) > 0
    for ours, theirs in zip(stored, fetched, strict=True):
        assert all(map(agree, ours, theirs)), (ours, theirs)
    for key, number in values.items():
        assert result.facts[key] == pytest.approx(number)
    assert result.code_sha256 == hashlib.sha256(result.code.encode()).hexdigest()
    dataset = engine.dataset()
    assert [(i.dataset, i.version, i.sha256) for i in result.inputs] == [
        ("orders", dataset.version, dataset.sha256)
    ]
    assert result.engine["duckdb"] == duckdb.__version__
    assert ("scipy" in result.engine) == (result.language == "python")


def test_code_over_two_tables_with_odd_names_runs_too(load: Load) -> None:
    odd = pd.DataFrame({'a "b"': [1.5, None, 3, 4], "Ä ö": ["x'", 'y"', None, "x'"]})
    engine = load(first=pd.DataFrame({"k": [1]}), odd=odd)
    column, group = (c.name for c in engine.dataset().columns)
    for result in (
        query(engine, measure=column, by=[group]),
        describe(engine, column),
        crosstab(engine, group, group),
    ):
        fetched, _ = rerun(result, engine)
        assert [list(row) for row in fetched] == result_table(result).rows

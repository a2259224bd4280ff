"""Where a change shows: contributions of hand-made tables, checked against pandas, and periods compared."""

from typing import Any

import pandas as pd
import pytest

from analysis.drivers import compare_periods, drivers
from analysis.engine import Engine, result_table
from analysis.errors import BadValue, EmptySelection, NotNumeric, UnknownOption
from tests.analysis.conftest import Load

ROWS = [
    ("2024-01-10", "a", "x", 10.0), ("2024-01-11", "a", "y", 20.0), ("2024-01-31", "b", "x", 30.0),
    ("2024-02-03", "a", "x", 10.0), ("2024-02-04", "b", "x", 5.0), ("2024-02-05", "b", "y", 5.0),
    ("2024-02-29", "c", None, 8.0),
]  # fmt: skip


@pytest.fixture(scope="module")
def made(load: Load) -> Engine:
    return load(made=pd.DataFrame(ROWS, columns=["day", "kind", "shop", "sold"]))


def test_contributions_of_a_sum_are_exact_and_split(made: Engine) -> None:
    result = drivers(made, "sold", period="2024-02")
    facts = result.facts
    assert (facts["before"], facts["after"], facts["change"]) == (60, 28, -32)
    rows = {(r["dimension"], r["segment"]): r for r in result_table(result).records()}
    assert rows["kind", "a"]["contribution"] == -20 and rows["kind", "b"]["contribution"] == -20
    assert rows["kind", "c"]["contribution"] == 8 and rows["shop", "(missing)"]["contribution"] == 8
    # b: two rows instead of one, at 5 instead of 30 each.
    assert rows["kind", "b"]["by number of rows"] == pytest.approx((30 + 5) / 2 * 1)
    assert rows["kind", "b"]["by value a row"] == pytest.approx((1 + 2) / 2 * -25)
    for name in ("kind", "shop"):
        parts = [r for (dimension, _), r in rows.items() if dimension == name]
        assert sum(r["contribution"] for r in parts) == pytest.approx(-32)
        assert sum(r["by number of rows"] + r["by value a row"] for r in parts) == pytest.approx(-32)
    assert facts["by_rows"] + facts["by_value"] == pytest.approx(-32)
    assert (result.rows_used, facts["down"][0]["contribution"]) == (7, -25)
    assert any("not what caused it" in note for note in result.notes)


def test_contributions_of_a_mean_and_a_count_sum_to_the_change(made: Engine, engine: Engine) -> None:
    mean = drivers(made, "sold", period="2024-02", aggregate="mean", by=["kind"])
    assert mean.facts["change"] == pytest.approx(7 - 20)
    assert sum(result_table(mean).column("contribution")) == pytest.approx(-13)
    count = drivers(made, period="2024-02", by=["kind"])
    assert {r["segment"]: r["contribution"] for r in result_table(count).records()} == {
        "a": -1,
        "b": 1,
        "c": 1,
    }
    real = drivers(engine, "rating", period="2025", aggregate="mean", versus="2024", by=["region", "product"])
    table = result_table(real).to_pandas()
    assert list(table.groupby("dimension")["contribution"].sum()) == pytest.approx([real.facts["change"]] * 2)


def test_the_newest_whole_period_is_taken_and_the_numbers_are_pandas(
    engine: Engine, orders: pd.DataFrame
) -> None:
    facts = drivers(engine, "revenue", by=["category"]).facts
    by_month = (
        orders.groupby([orders["order_date"].dt.strftime("%Y-%m"), "category"])["revenue"].sum().unstack()
    )
    assert (facts["earlier"], facts["later"]) == ("2026-05", "2026-06")
    change = by_month.loc["2026-06"] - by_month.loc["2026-05"]
    assert facts["change"] == pytest.approx(change.sum())
    assert facts["down"][0]["segment"] == change.idxmin()
    year = drivers(engine, "revenue", period="2026-Q1", versus="year", by=["category"]).facts
    assert (year["earlier"], year["later"]) == ("2025-Q1", "2026-Q1")


def test_periods_are_compared_for_as_many_days(engine: Engine, orders: pd.DataFrame) -> None:
    whole = compare_periods(engine, "revenue", interval="month")
    sums = orders.groupby(orders["order_date"].dt.strftime("%Y-%m"))["revenue"].sum()
    facts = whole.facts
    assert facts["this"] == {"period": "2026-06", "value": pytest.approx(sums["2026-06"])}
    assert facts["before"]["change"] == pytest.approx(sums["2026-06"] - sums["2026-05"])
    assert facts["a_year_before"]["value"] == pytest.approx(sums["2025-06"])
    cut: list[Any] = [{"column": "order_date", "op": "at_most", "value": "2026-05-20"}]
    part = compare_periods(engine, "revenue", interval="month", where=cut)
    days = orders[orders["order_date"].between("2026-04-01", "2026-04-20")]["revenue"].sum()
    assert part.facts["before"]["period"] == "2026-04-01 to 2026-04-20"
    assert part.facts["before"]["value"] == pytest.approx(days)
    assert any("2026-05 is incomplete (the data ends on 2026-05-20)" in note for note in part.notes)
    rows = compare_periods(engine, period="2025")
    assert rows.facts["this"]["value"] == int((orders["order_date"].dt.year == 2025).sum())


def test_what_cannot_be_compared_is_said(made: Engine, engine: Engine) -> None:
    cases: list[tuple[type[Exception], str, dict[str, Any]]] = [
        (EmptySelection, "2023-12, which 2024-01", {"period": "2024-01"}),
        (EmptySelection, "2030-01 is not in it", {"period": "2030-01"}),
        (BadValue, "write it as 2024", {"period": "last spring"}),
        (UnknownOption, "day has too many different values", {"by": ["day"]}),
    ]
    for error, words, given in cases:
        with pytest.raises(error, match=words):
            drivers(made, "sold", **given)
    with pytest.raises(NotNumeric, match="city holds text"):
        drivers(engine, "city")

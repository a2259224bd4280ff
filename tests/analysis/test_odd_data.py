"""Data that is legal and treacherous: NaN, names that differ in case, names that are taken, hostile text."""

import datetime as dt
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.compare import compare
from analysis.correlate import correlate
from analysis.crosstab import crosstab
from analysis.describe import describe
from analysis.distribution import distribution
from analysis.engine import Engine, result_table
from analysis.errors import AnalysisError, BadValue, ConstantColumn, TooFew, UnknownOption
from analysis.find_values import find_values
from analysis.outliers import outliers
from analysis.present import to_model
from analysis.profile import missing, profile
from analysis.query import query
from analysis.rows import rows
from analysis.sql import sql
from analysis.trend import trend
from storage.results import Result
from tests.analysis.conftest import Load


def table(result: Result) -> pd.DataFrame:
    return result_table(result).to_pandas()


def where(column: str, op: str, given: Any = None) -> list[Any]:
    return [{"column": column, "op": op, "value": given}]


def test_nan_and_infinity_count_as_missing_everywhere(load: Load) -> None:
    engine = load(nan=b"x,y\n1.5,1\nNaN,2\ninf,3\n4,5\n2,2\n-inf,1\n7,8\n")
    good = pd.DataFrame({"x": [1.5, 4, 2, 7], "y": [1, 5, 2, 8]})
    total = query(engine, measure="x", aggregate=["sum", "mean", "std"])
    assert list(table(total).iloc[0]) == pytest.approx([14.5, good["x"].mean(), good["x"].std()])
    assert total.rows_used == 4 and total.notes == ["3 row(s) without x are left out."]
    assert correlate(engine, "x", "y").facts["r"] == pytest.approx(good["x"].corr(good["y"]))
    assert describe(engine, "x").facts["highest"] == 7
    shown = table(profile(engine)).set_index("column")
    assert shown.loc["x", "missing"] == 3 and shown.loc["x", "mean"] == pytest.approx(good["x"].mean())
    assert missing(engine).facts == {"missing_cells": 3, "cells": 14, "columns_with_missing": 1}
    assert missing(engine).output["table"]["rows"][0][:2] == ["x", 3]


def test_values_that_differ_only_in_case_keep_their_own_crosstab_columns(load: Load) -> None:
    frame = pd.DataFrame({"k": ["a", "b", "b", "A", None, "rows", "total"], "y": [1, 2, 3, 1, 2, 9, 9]})
    found = table(crosstab(load(cased=frame), "y", "k")).set_index("y")
    expected = pd.crosstab(frame["y"].astype(str), frame["k"].fillna("(missing)"))
    assert found["b"].to_dict() == expected["b"].to_dict()
    assert found["(missing)"].to_dict() == expected["(missing)"].to_dict()
    case = [name for name in found.columns if name.lower().startswith("a")]
    assert [found.loc["1", name] for name in case] == [1, 1] and int(found[case].to_numpy().sum()) == 2
    assert found["total"].to_dict() == expected["total"].to_dict(), "the value called total"
    assert found["total (2)"].sum() == len(frame), "the sum over all columns"


def test_a_crosstab_of_dates_is_by_period_and_long_ones_are_cut_and_said(load: Load) -> None:
    frame = pd.DataFrame(
        {"d": pd.date_range("2022-01-01", periods=400), "g": ["x", "y"] * 200, "n": range(400)}
    )
    found = table(crosstab(load(dated=frame), "g", "d")).set_index("g")
    assert len(found.columns) == frame["d"].dt.to_period("M").nunique() + 1
    assert found.loc["x", "2022-02-01"] == 14
    assert any("200 of 400" in note for note in crosstab(load(dated=frame), "n", "g").notes)


@pytest.mark.parametrize("name", ["rows", "Rows", "change", "month", "value", "group", "share %", "period"])
def test_columns_named_like_our_own_do_not_collide(name: str, load: Load) -> None:
    frame = pd.DataFrame(
        {name: ["p", "q", "p", "q", "p", "q"], "v": [1, 5, 3, 4, 2, 8],
         "d": pd.date_range("2024-01-31", periods=6, freq="ME")}
    )  # fmt: skip
    engine = load(taken=frame)
    assert dict(result_table(query(engine, by=[name])).rows) == {"p": 3, "q": 3}
    assert [row[1] for row in result_table(distribution(engine, name)).rows] == [3, 3]
    assert [row[1] for row in result_table(describe(engine, name)).rows] == [3, 3]
    assert [row[1] for row in result_table(compare(engine, "v", name)).rows] == [3, 3]
    monthly = result_table(trend(engine, "v", by=name, interval="month"))
    assert len(monthly.rows) == 12 and sum(row[2] for row in monthly.rows) == 23
    assert result_table(outliers(engine, "v")).names == list(frame.columns)


def test_a_matrix_of_a_column_called_column(load: Load) -> None:
    frame = pd.DataFrame({"column": [1.0, 2, 3, 5], "b": [2.0, 1, 4, 3], "flat": [1.5, 1.5, 1.5, 1.5]})
    result = correlate(load(matrix=frame))
    rows_found = result_table(result).rows
    assert rows_found[0][2] == pytest.approx(frame["column"].corr(frame["b"]))
    assert rows_found[0][1] == rows_found[1][2] == 1.0, "a column with itself is exactly 1"
    assert to_model(result)["rows"][2] == ["flat", None, None, None]
    assert any("flat" in note for note in result.notes)
    strongest = {"x": "column", "y": "b", "r": pytest.approx(frame["column"].corr(frame["b"]))}
    assert result.facts["strongest"] == strongest


HOSTILE = [
    '"""',
    '""" + open("/etc/passwd").read() + """',
    "back\\nslash",
    "{x}",
    "'; DROP TABLE t; --",
    "a\tb",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_or_value_reaches_a_program_as_code(name: str, load: Load) -> None:
    frame = pd.DataFrame({name: [1.0, 2, 3, 5], "b": [2.0, 1, 4, 3], "c": [name, name, "z", "z"]})
    engine = load(hostile=frame)
    column = engine.dataset().columns[0].name
    assert correlate(engine, column, "b").facts["r"] == pytest.approx(frame[name].corr(frame["b"]))
    engine_of_three = load(three=frame.assign(d=[1.0, 0, 2, 2]).drop(columns="c"))
    assert result_table(correlate(engine_of_three)).rows[0][0] == column
    kept = compare(engine, column, "c", where=where("c", "in", [name, "z"]))
    assert kept.facts["n"] == 4 and {row[0] for row in result_table(kept).rows} == {name, "z"}
    assert query(engine, where=where("c", "contains", name)).facts["value"] == 2


def test_groups_without_variance(load: Load) -> None:
    three = pd.DataFrame({"g": list("aaabbbccc"), "v": [1, 1, 1, 2, 3, 4, 5, 6, 8.0]})
    result = compare(load(three=three), "v", "g")
    groups = [values.to_numpy() for _, values in three.groupby("g")["v"]]
    expected = stats.f_oneway(*groups)
    assert (result.facts["test"], result.facts["p"]) == ("ANOVA", pytest.approx(expected.pvalue))
    assert any("never varies" in note for note in result.notes)
    assert result.facts["highest"] == {"group": ["c"], "value": pytest.approx(19 / 3)}
    two = compare(load(three=three), "v", "g", groups=["b", "C"])
    assert two.facts["p"] == pytest.approx(stats.ttest_ind(groups[1], groups[2], equal_var=False).pvalue)
    with pytest.raises(ConstantColumn):
        compare(load(still=pd.DataFrame({"g": list("aabb"), "v": [1, 1, 2, 2]})), "v", "g")
    with pytest.raises(UnknownOption, match="zz") as caught:
        compare(load(three=three), "v", "g", groups=["a", "zz"])
    assert caught.value.suggestions


def test_the_effect_size_leaves_out_what_the_test_leaves_out(load: Load) -> None:
    frame = pd.DataFrame({"g": [*list("aaabbbccc"), "lone"], "v": [1, 2, 1, 2, 3, 4, 5, 6, 8, 1000.0]})
    result = compare(load(lone=frame), "v", "g")
    tested = frame[frame["g"] != "lone"]
    means = tested.groupby("g")["v"].transform("mean")
    overall = tested["v"].mean()
    eta = ((means - overall) ** 2).sum() / ((tested["v"] - overall) ** 2).sum()
    assert result.facts["effect"] == pytest.approx(eta)
    assert any("single value" in note for note in result.notes)


def test_spearman_ranks_ties_by_their_average(load: Load) -> None:
    x, y = [1, 2, 2, 2, 5, 6, 6, 9], [2, 1, 1, 4, 4, 4, 9, 7]
    found = correlate(load(ties=pd.DataFrame({"x": x, "y": y})), "x", "y", method="spearman")
    expected = stats.spearmanr(x, y)
    assert (found.facts["r"], found.facts["p"]) == pytest.approx((expected.statistic, expected.pvalue))
    ranks = pd.Series(x).rank().corr(pd.Series(y).rank())
    assert found.facts["r"] == pytest.approx(ranks)
    assert correlate(load(ties=pd.DataFrame({"x": x, "y": y})), "x", "x").facts["r"] == 1.0


@pytest.mark.parametrize("scale", [1e-13, 0.1, 1.0, 12345.6])
def test_bins_hold_what_their_edges_say(scale: float, load: Load) -> None:
    values = [round(n * scale, 16) for n in range(20)] + [math.nan]
    found = table(distribution(load(bins=pd.DataFrame({"v": values})), "v", bins=10))
    assert (found["from"].diff().dropna() > 0).all() and found["rows"].sum() == 20
    width = found["to"].iloc[0] - found["from"].iloc[0]
    for low, high, count in zip(found["from"], found["to"], found["rows"], strict=True):
        slack = width * 1e-9
        assert count == sum(low - slack <= v < high - slack for v in values)
    assert found["share %"].sum() == pytest.approx(100)


def test_yes_and_no_are_numbers_where_numbers_are_needed(load: Load) -> None:
    frame = pd.DataFrame({"ok": [True, False] * 10 + [None], "v": np.arange(21.0)})
    engine = load(flags=frame)
    assert outliers(engine, "ok").facts["outliers"] == 0
    clean = frame.dropna()
    expected = np.corrcoef(clean["ok"].astype(float), clean["v"])[0, 1]
    assert correlate(engine, "ok", "v").facts["r"] == pytest.approx(expected)
    matrix = correlate(load(flags=frame.assign(w=frame["v"] ** 2)), columns=["ok", "v", "w", "v"])
    assert result_table(matrix).rows[0][2] == pytest.approx(expected)
    assert query(engine, measure="ok").facts["value"] == 20, "present values"
    assert query(engine, measure="ok", aggregate=["sum"]).facts["value"] == 10


def test_times_of_day(load: Load) -> None:
    engine = load(clock=b"t,n\n10:30,5\n11:00,6\n23:59:30,7\n")
    assert engine.dataset().columns[0].kind == "time"
    assert rows(engine, where=where("t", "at_least", "11:00")).facts["matching_rows"] == 2
    with pytest.raises(BadValue, match="14:30"):
        rows(engine, where=where("t", "at_least", "noon"))


def test_dates_are_described_as_dates_with_their_gaps(load: Load) -> None:
    days = pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-02", "2024-01-10", "NaT"])
    found = describe(load(gaps=pd.DataFrame({"d": days, "n": range(5)})), "d")
    assert found.kind == "value" and found.facts["earliest"] == "2024-01-01"
    assert (found.facts["days covered"], found.facts["different days"]) == (10, 3)
    assert found.facts["days without rows"] == 7 and found.facts["missing"] == 1


def test_the_largest_values_are_the_same_rows_each_time(load: Load) -> None:
    frame = pd.DataFrame({"id": range(3000), "v": [n % 3 for n in range(3000)]})
    engine = load(equal=frame)
    first = rows(engine, order_by="v", descending=True, limit=5)
    assert [row[0] for row in result_table(first).rows] == [2, 5, 8, 11, 14]


def test_hand_written_sql_claims_no_rows_used(load: Load) -> None:
    engine = load(plain=pd.DataFrame({"n": range(10)}))
    result = sql(engine, "SELECT count(*) FROM plain WHERE n > 6")
    assert (result.kind, result.facts, result.rows_used, result.rows_total) == (
        "value",
        {"value": 3},
        None,
        None,
    )


def test_a_result_that_is_cut_says_so(load: Load) -> None:
    engine = load(long=pd.DataFrame({"n": range(6000)}))
    result = query(engine, by=["n"])
    stored = result_table(result)
    assert (len(stored.rows), stored.row_count, stored.truncated) == (5000, 6000, True)
    assert "The first 5,000 of 6,000 rows are kept." in result.notes


def test_looking_for_values(load: Load) -> None:
    frame = pd.DataFrame({"a": [f"item {n}" for n in range(60)], "b": ["Berlin"] * 60})
    engine = load(values=frame)
    found = find_values(engine, "item")
    assert found.facts["matches"] == 60 and any("50 of 60" in note for note in found.notes)
    with pytest.raises(BadValue):
        find_values(engine, " ")
    with pytest.raises(AnalysisError) as caught:
        find_values(engine, "berlni")
    assert "Berlin" in caught.value.suggestions


def test_a_wide_table_tells_the_model_what_it_leaves_out(load: Load) -> None:
    engine = load(wide=pd.DataFrame({f"c{n}": [n] for n in range(50)}))
    told = to_model(rows(engine))
    assert len(told["columns"]) == 40 and any("10 more column(s)" in note for note in told["notes"])


MONTHLY = pd.DataFrame(
    {
        "d": pd.to_datetime(["2024-01-20", "2024-01-31", "2024-03-05", "2024-04-01", "2024-05-10"]),
        "v": [10, -30, 5, 0, 7],
        "g": ["a", "a", "b", "a", None],
    }
)


def test_a_trend_fills_its_gaps_by_the_rule(load: Load) -> None:
    engine = load(monthly=MONTHLY)
    total = trend(engine, "v", interval="month")
    by_month = MONTHLY.set_index("d")["v"].resample("MS").sum()
    assert [row[1] for row in result_table(total).rows] == list(by_month)
    assert [row[2] for row in result_table(total).rows][1:] == list(by_month.diff().dropna())
    assert [row[3] for row in result_table(total).rows] == [None, None, None, -100.0, None]
    assert "1 month(s) without any row are shown as 0." in total.notes
    assert any("first month may be incomplete" in note for note in total.notes)
    assert any("last month may be incomplete" in note for note in total.notes)
    mean = trend(engine, "v", aggregate="mean", interval="month")
    assert [row[1] for row in result_table(mean).rows] == [-10, None, 5, 0, 7]
    assert "1 month(s) without any row are shown as missing." in mean.notes
    assert total.facts["first"] == {"period": "2024-01-01", "value": -20}
    assert total.facts["highest"]["value"] == 7 and total.facts["periods"] == 5


def test_a_trend_keeps_the_missing_group_as_a_series(load: Load) -> None:
    found = result_table(trend(load(monthly=MONTHLY), "v", by="g", interval="month"))
    sums = {name: sum(r["sum of v"] for r in found.records() if r["g"] == name) for name in ("a", "b", None)}
    assert sums == {"a": -20, "b": 5, None: 7} and len(found.rows) == 15


@pytest.mark.parametrize("interval", ["year", "quarter", "month", "week", "day"])
def test_every_interval_is_cut_as_pandas_cuts_it(interval: str, engine: Engine, orders: pd.DataFrame) -> None:
    rule = {"year": "YS", "quarter": "QS", "month": "MS", "week": "W-MON", "day": "D"}[interval]
    series = orders.set_index("order_date")["revenue"]
    expected = series.resample(rule, label="left", closed="left").sum()
    found = result_table(trend(engine, "revenue", interval=interval)).rows
    assert [row[0] for row in found] == [moment.date() for moment in expected.index]
    assert [row[1] for row in found] == pytest.approx(list(expected))


def test_dates_on_the_start_of_each_period_are_whole_periods(load: Load) -> None:
    frame = pd.DataFrame({"d": pd.date_range("2023-01-01", periods=18, freq="MS"), "v": range(18)})
    assert trend(load(starts=frame), "v", interval="month").notes == []


def test_the_automatic_interval_suits_what_is_selected(engine: Engine, orders: pd.DataFrame) -> None:
    one_month = where("order_date", "equals", "2025-03")
    found = trend(engine, "revenue", where=one_month)
    march = orders[orders["order_date"].dt.strftime("%Y-%m") == "2025-03"]
    expected = march.groupby("order_date")["revenue"].sum()
    assert found.facts["interval"] == "day"
    assert {row[0]: row[1] for row in result_table(found).rows if row[1]} == pytest.approx(
        {moment.date(): total for moment, total in expected.items()}
    )
    grouped = result_table(query(engine, measure="revenue", by=["order_date"], where=one_month))
    assert grouped.rows[0][0] == dt.date(2025, 3, 1) and len(grouped.rows) == len(expected)
    with pytest.raises(TooFew, match="shorter"):
        trend(engine, "revenue", interval="month", where=one_month)

"""Every analysis against pandas and SciPy on the same data, computed independently."""

import datetime as dt
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
from analysis.errors import (
    AnalysisError,
    BadQuery,
    BadValue,
    ConstantColumn,
    EmptySelection,
    NotNumeric,
    TooFew,
    UnknownColumn,
    UnknownDataset,
    UnknownOption,
)
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


def records(result: Result) -> list[dict[str, Any]]:
    return result_table(result).records()


def value(result: Result) -> Any:
    return result_table(result).rows[0][0]


def by_first(result: Result, column: int = 1) -> dict[Any, Any]:
    return {row[0]: row[column] for row in result_table(result).rows}


def where(column: str, op: str, given: Any = None) -> list[Any]:
    return [{"column": column, "op": op, "value": given}]


def test_all_rows_count(load: Load) -> None:
    engine = load(numbers=pd.DataFrame({"n": range(1, 1001)}))
    assert value(query(engine, measure="n", aggregate=["sum"])) == 500_500


@pytest.mark.parametrize("name", ["sum", "mean", "median", "count", "min", "max", "std", "distinct"])
@pytest.mark.parametrize("measure", ["revenue", "rating"])
def test_aggregates_by_group(name: str, measure: str, engine: Engine, orders: pd.DataFrame) -> None:
    how = "nunique" if name == "distinct" else name
    expected = orders.groupby("region")[measure].agg(how)
    result = query(engine, measure=measure, aggregate=[name], by=["region"])
    assert by_first(result) == pytest.approx(expected.to_dict())
    assert value(query(engine, measure=measure, aggregate=[name])) == pytest.approx(orders[measure].agg(how))
    assert result.rows_used == orders[measure].notna().sum() and result.rows_total == len(orders)


def test_several_groups_and_aggregates_with_a_missing_group(engine: Engine, orders: pd.DataFrame) -> None:
    result = query(engine, measure="revenue", aggregate=["sum", "median"], by=["region", "customer_type"])
    expected = orders.groupby(["region", "customer_type"], dropna=False)["revenue"].agg(["sum", "median"])
    assert len(records(result)) == len(expected) == 12
    for row in expected.reset_index().to_dict("records"):
        wanted = (row["region"], None if pd.isna(row["customer_type"]) else row["customer_type"])
        match = next(r for r in records(result) if (r["region"], r["customer_type"]) == wanted)
        assert match["sum of revenue"] == pytest.approx(row["sum"])
        assert match["median revenue"] == pytest.approx(row["median"])


def test_top_n_says_what_is_not_shown_and_ties(engine: Engine, orders: pd.DataFrame, load: Load) -> None:
    result = query(engine, measure="revenue", by=["city"], limit=3)
    expected = orders.groupby("city")["revenue"].sum().nlargest(3)
    assert [r["city"] for r in records(result)] == list(expected.index)
    assert "9 more group(s)" in result.notes[0]
    tied = query(load(tied=pd.DataFrame({"g": list("aabbcc")})), by=["g"], limit=2)
    assert any("ties" in note for note in tied.notes)


FILTERS: list[tuple[str, str, Any, Any]] = [
    ("city", "equals", "berlin", lambda d: d["city"] == "Berlin"),
    ("city", "not_equals", "BERLIN", lambda d: d["city"] != "Berlin"),
    ("city", "in", ["Berlin", "hamburg"], lambda d: d["city"].isin(["Berlin", "Hamburg"])),
    ("city", "not_in", ["Berlin"], lambda d: d["city"] != "Berlin"),
    ("product", "contains", "1 KG", lambda d: d["product"].str.contains("1 kg")),
    ("product", "starts_with", "b", lambda d: d["product"].str.startswith("B")),
    ("product", "ends_with", "set", lambda d: d["product"].str.endswith("set")),
    ("revenue", "greater_than", 500, lambda d: d["revenue"] > 500),
    ("revenue", "less_than", "10", lambda d: d["revenue"] < 10),
    ("quantity", "at_least", 60, lambda d: d["quantity"] >= 60),
    ("quantity", "at_most", 1, lambda d: d["quantity"] <= 1),
    ("quantity", "between", [2, 4], lambda d: d["quantity"].between(2, 4)),
    ("discount", "equals", 0, lambda d: d["discount"] == 0),
    ("returned", "equals", False, lambda d: ~d["returned"]),
    ("returned", "equals", "yes", lambda d: d["returned"]),
    ("rating", "is_missing", None, lambda d: d["rating"].isna()),
    ("rating", "is_present", None, lambda d: d["rating"].notna()),
    ("order_date", "equals", "2025-03", lambda d: d["order_date"].dt.strftime("%Y-%m") == "2025-03"),
    ("order_date", "at_least", "2026", lambda d: d["order_date"] >= "2026-01-01"),
    ("order_date", "greater_than", "2025", lambda d: d["order_date"] >= "2026-01-01"),
    ("order_date", "less_than", "2024-02", lambda d: d["order_date"] < "2024-02-01"),
    ("order_date", "at_most", "2024-02", lambda d: d["order_date"] < "2024-03-01"),
    ("order_date", "equals", "2024-02-29", lambda d: d["order_date"] == "2024-02-29"),
    ("order_date", "between", ["2024-01", "2024-02"], lambda d: d["order_date"] < "2024-03-01"),
]


@pytest.mark.parametrize("case", FILTERS, ids=lambda c: f"{c[0]} {c[1]} {c[2]}")
def test_filters(case: tuple[str, str, Any, Any], engine: Engine, orders: pd.DataFrame) -> None:
    column, op, given, mask = case
    expected = int(mask(orders).sum())
    assert expected > 0
    assert value(query(engine, where=where(column, op, given))) == expected
    listed = rows(engine, where=where(column, op, given))
    assert listed.facts["matching_rows"] == expected


def test_literal_text_in_filters(load: Load) -> None:
    engine = load(odd=pd.DataFrame({"s": ["a(b", "100%", "x_y", "it's", "", None], "n": range(6)}))
    for text in ("(", "%", "_", "'"):
        assert value(query(engine, where=where("s", "contains", text))) == 1
    assert value(query(engine, where=where("s", "is_missing"))) == 2


def test_rows_sorted_and_limited(engine: Engine, orders: pd.DataFrame) -> None:
    result = rows(engine, columns=["order_id", "revenue"], order_by="revenue", descending=True, limit=5)
    expected = orders.nlargest(5, "revenue")
    assert [r["order_id"] for r in records(result)] == list(expected["order_id"])
    assert result_table(result).names == ["order_id", "revenue"]
    assert "5 of 6,000" in result.notes[0]


def test_profile_and_missing(engine: Engine, orders: pd.DataFrame) -> None:
    table = {r["column"]: r for r in records(profile(engine))}
    for name in orders.columns:
        assert table[name]["missing"] == orders[name].isna().sum()
        assert table[name]["different"] == orders[name].nunique()
    assert table["revenue"]["mean"] == pytest.approx(orders["revenue"].mean())
    assert table["revenue"]["median"] == pytest.approx(orders["revenue"].median())
    assert table["revenue"]["standard deviation"] == pytest.approx(orders["revenue"].std())
    assert table["order_date"]["lowest"] == "2024-01-01" and table["city"]["mean"] is None
    gaps = missing(engine)
    lacking = orders["rating"].isna()
    assert records(gaps)[0] == {
        "column": "rating", "missing": lacking.sum(), "missing %": pytest.approx(100 * lacking.mean()),
    }  # fmt: skip
    assert gaps.facts["missing_cells"] == int(orders.isna().sum().sum())


def test_describe_by_kind(engine: Engine, orders: pd.DataFrame) -> None:
    row = records(describe(engine, "revenue"))[0]
    expected = orders["revenue"].describe()
    for ours, theirs in [("mean", "mean"), ("standard deviation", "std"), ("25%", "25%"), ("50%", "50%"),
                         ("75%", "75%"), ("lowest", "min"), ("highest", "max")]:  # fmt: skip
        assert row[ours] == pytest.approx(expected[theirs])
    days = records(describe(engine, "order_date"))[0]
    assert (days["earliest"], days["latest"]) == (dt.date(2024, 1, 1), dt.date(2026, 6, 30))
    assert days["different days"] == orders["order_date"].nunique()
    assert by_first(describe(engine, "city")) == orders["city"].value_counts().to_dict()


@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_correlation(method: str, engine: Engine, orders: pd.DataFrame) -> None:
    pair = orders[["unit_price", "rating"]].dropna()
    test = getattr(stats, f"{method}r")(pair["unit_price"], pair["rating"])
    facts = correlate(engine, "unit_price", "rating", method=method).facts
    assert facts["n"] == len(pair)
    assert facts["r"] == pytest.approx(test[0], abs=1e-11) and facts["p"] == pytest.approx(test[1])
    matrix = correlate(engine, columns=["quantity", "revenue", "rating"], method=method)
    expected = orders[["quantity", "revenue", "rating"]].corr(method=method)  # type: ignore[arg-type]
    for row in records(matrix):
        for name in ("quantity", "revenue", "rating"):
            assert row[name] == pytest.approx(expected.loc[row["column"], name])


def test_correlation_traps(load: Load) -> None:
    engine = load(
        trap=pd.DataFrame(
            {"x": [0.1, 0.2, 0.7, 1.3], "y": [0.2, 0.4, 1.4, 2.6], "c": [5, 5, 5, 5], "s": list("abcd")}
        )
    )
    assert correlate(engine, "x", "x").facts["r"] == 1.0
    assert correlate(engine, "x", "y").facts["r"] == 1.0
    with pytest.raises(ConstantColumn, match="undefined"):
        correlate(engine, "x", "c")
    with pytest.raises(NotNumeric):
        correlate(engine, "x", "s")
    with pytest.raises(TooFew):
        correlate(engine, "x", "y", where=where("x", "greater_than", 0.5))


def test_comparing_two_groups_and_more(engine: Engine, orders: pd.DataFrame) -> None:
    known = orders.dropna(subset=["customer_type"])
    new = known.loc[known["customer_type"] == "New", "revenue"]
    returning = known.loc[known["customer_type"] == "Returning", "revenue"]
    test = stats.ttest_ind(new, returning, equal_var=False)
    result = compare(engine, "revenue", "customer_type")
    assert result.facts["p"] == pytest.approx(test.pvalue)
    assert result.facts["statistic"] == pytest.approx(test.statistic)
    pooled = np.sqrt(
        ((len(new) - 1) * new.var() + (len(returning) - 1) * returning.var())
        / (len(new) + len(returning) - 2)
    )
    assert result.facts["effect"] == pytest.approx((new.mean() - returning.mean()) / pooled)
    assert {r["group"]: r["mean"] for r in records(result)} == pytest.approx(
        {"New": new.mean(), "Returning": returning.mean()}
    )
    assert "135 row(s)" in result.notes[0]
    samples = [group for _, group in orders.groupby("region")["revenue"]]
    anova = stats.f_oneway(*samples, equal_var=False)
    many = compare(engine, "revenue", "region")
    assert (many.facts["test"], many.facts["p"]) == ("Welch ANOVA", pytest.approx(anova.pvalue))
    two = compare(engine, "revenue", "region", groups=["East", "West"])
    assert [r["group"] for r in records(two)] == ["East", "West"]


def test_outliers(engine: Engine, orders: pd.DataFrame) -> None:
    q1, q3 = orders["revenue"].quantile([0.25, 0.75])
    low, high = q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1)
    result = outliers(engine, "revenue")
    assert result.facts["low"] == pytest.approx(low) and result.facts["high"] == pytest.approx(high)
    assert result.facts["outliers"] == int(((orders["revenue"] < low) | (orders["revenue"] > high)).sum())
    score = (orders["revenue"] - orders["revenue"].mean()).abs() / orders["revenue"].std()
    zscore = outliers(engine, "revenue", "zscore")
    assert zscore.facts["outliers"] == int((score > 3).sum()) == len(records(zscore))
    assert records(zscore)[0]["revenue"] == orders["revenue"].max()


def test_trend_with_change(engine: Engine, orders: pd.DataFrame) -> None:
    monthly = orders.groupby(orders["order_date"].dt.to_period("M"))["revenue"].sum()
    found = records(trend(engine, "revenue", interval="month"))
    assert [r["month"].strftime("%Y-%m") for r in found] == [str(p) for p in monthly.index]
    assert [r["sum of revenue"] for r in found] == pytest.approx(list(monthly))
    assert [r["change %"] for r in found[1:]] == pytest.approx(
        list(100 * monthly.pct_change()[1:]), abs=0.006
    )
    assert found[0]["change"] is None
    split = records(trend(engine, "rating", aggregate="mean", interval="year", by="region"))
    expected = orders.groupby(["region", orders["order_date"].dt.year])["rating"].mean()
    for row in split:
        assert row["average rating"] == pytest.approx(expected[row["region"], row["year"].year])


def test_trend_shows_gaps_and_refuses_impossible_percentages(load: Load) -> None:
    frame = pd.DataFrame(
        {"day": ["2024-01-05", "2024-01-20", "2024-04-02", "2024-05-03"], "v": [-5.0, 5.0, 7.0, 14.0]}
    )
    found = records(trend(load(gaps=frame), "v", interval="month"))
    assert [(r["month"].month, r["sum of v"], r["change %"]) for r in found] == [
        (1, 0.0, None), (2, 0.0, None), (3, 0.0, None), (4, 7.0, None), (5, 14.0, 100.0),
    ]  # fmt: skip
    mean = records(trend(load(gaps=frame), "v", aggregate="mean", interval="month"))
    assert [r["average v"] for r in mean] == [0.0, None, None, 7.0, 14.0]
    notes = trend(load(gaps=frame), "v", interval="month").notes
    assert any("may be incomplete" in note for note in notes)


def test_distribution_counts_every_value_once(engine: Engine, orders: pd.DataFrame) -> None:
    for name in ("revenue", "quantity", "rating"):
        bins = records(distribution(engine, name))
        assert sum(b["rows"] for b in bins) == orders[name].notna().sum()
        for b in bins:
            inside = (orders[name] >= b["from"]) & (orders[name] < b["to"])
            assert b["rows"] == int(inside.sum())
    assert by_first(distribution(engine, "channel")) == orders["channel"].value_counts().to_dict()


def test_crosstab(engine: Engine, orders: pd.DataFrame) -> None:
    expected = pd.crosstab(orders["region"], orders["channel"])
    for row in records(crosstab(engine, "region", "channel")):
        assert {c: row[c] for c in expected.columns} == expected.loc[row["region"]].to_dict()
        assert row["total"] == expected.loc[row["region"]].sum()
    shares = pd.crosstab(orders["region"], orders["channel"], normalize="index") * 100
    for row in records(crosstab(engine, "region", "channel", normalize="rows")):
        for c in shares.columns:
            assert row[c] == pytest.approx(shares.loc[row["region"], c], abs=0.006)
    means = orders.pivot_table(index="region", columns="channel", values="rating", aggfunc="mean")
    for row in records(crosstab(engine, "region", "channel", "rating", "mean")):
        assert row["Web"] == pytest.approx(means.loc[row["region"], "Web"])


def test_sql_joins_and_refuses(load: Load) -> None:
    engine = load(people=b"id,name\n1,Ann\n2,Bob\n", pay=b"id,amount\n1,10\n1,5\n2,1\n")
    result = sql(
        engine, "SELECT name, sum(amount) AS total FROM people JOIN pay USING (id) GROUP BY name ORDER BY 1"
    )
    assert result_table(result).rows == [["Ann", 15], ["Bob", 1]]
    assert {ref.dataset for ref in result.inputs} == {"people", "pay"}
    for hostile in ("DELETE FROM people", "SELECT * FROM read_csv('/etc/passwd')", "SELECT nope FROM people"):
        with pytest.raises(BadQuery):
            sql(engine, hostile)


def test_find_values(engine: Engine) -> None:
    found = records(find_values(engine, "berlin"))[0]
    assert (found["column"], found["value"], found["exact"]) == ("city", "Berlin", True)
    assert {r["value"] for r in records(find_values(engine, "set"))} == {"Cup set", "Brush set"}
    with pytest.raises(EmptySelection) as caught:
        find_values(engine, "Munch")
    assert caught.value.suggestions == ["Munich"]


def test_errors_say_what_is_wrong_and_what_there_is(engine: Engine, load: Load) -> None:
    with pytest.raises(UnknownColumn) as caught:
        query(engine, measure="revnue")
    assert caught.value.suggestions[0] == "revenue" and "revenue" in str(caught.value)
    for options in (
        {"aggregate": ["avg"]},
        {"by": ["order_date"], "interval": "fortnight"},
        {"by": ["city"], "order": "up"},
    ):
        with pytest.raises(UnknownOption, match="Choose one of"):
            query(engine, measure="revenue", **options)
    with pytest.raises(UnknownOption, match="Choose one of"):
        query(engine, where=where("city", "like", "B"))
    with pytest.raises(EmptySelection, match="city is Paris"):
        query(engine, where=where("city", "equals", "Paris"))
    with pytest.raises(NotNumeric, match="text"):
        query(engine, measure="city", aggregate=["sum"])
    with pytest.raises(BadValue, match="number"):
        query(engine, where=where("revenue", "greater_than", "lots"))
    with pytest.raises(BadValue, match="date"):
        query(engine, where=where("order_date", "equals", "yesterday"))
    with pytest.raises(UnknownDataset):
        query(engine, dataset="nothing")
    words = load(words=pd.DataFrame({"s": list("aabb")}))
    with pytest.raises(UnknownColumn, match="no date column"):
        trend(words)
    with pytest.raises(NotNumeric):
        correlate(words)
    with pytest.raises(ConstantColumn):
        outliers(load(flat=pd.DataFrame({"n": [1, 1, 1]})), "n")


CODE = [
    lambda e: query(
        e, measure="revenue", aggregate=["sum"], by=["region"], where=where("city", "equals", "Berlin")
    ),
    lambda e: trend(e, "revenue", by="channel"),
    lambda e: correlate(e, "quantity", "revenue"),
    lambda e: compare(e, "revenue", "channel"),
    lambda e: outliers(e, "revenue"),
    lambda e: distribution(e, "unit_price"),
    lambda e: crosstab(e, "region", "channel", normalize="all"),
    lambda e: profile(e),
    lambda e: missing(e),
    lambda e: describe(e, "rating"),
]


@pytest.mark.parametrize("number", range(len(CODE)))
def test_the_stored_code_gives_the_same_numbers_outside_the_app(number: int, engine: Engine) -> None:
    import duckdb

    result = CODE[number](engine)
    con = duckdb.connect()
    con.execute(f"CREATE VIEW orders AS SELECT * FROM '{engine.dataset().table_path}'")
    if result.language == "sql":
        fetched = con.execute(result.code).fetchall()
    else:
        scope: dict[str, Any] = {"con": con}
        exec(result.code, scope)
        fetched = list(scope["output"]["table"].itertuples(index=False, name=None))
    con.close()
    stored = result_table(result).rows
    assert len(fetched) == len(stored) > 0
    for ours, theirs in zip(stored, fetched, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            assert a == pytest.approx(b, nan_ok=True) if isinstance(a, float) else a == b


def test_what_a_model_is_told_is_json_and_says_what_is_missing(engine: Engine) -> None:
    import json

    told = to_model(rows(engine, where=where("city", "equals", "Berlin")), max_rows=5)
    json.dumps(told, allow_nan=False)
    assert (told["rows_shown"], len(told["rows"]), told["facts"]["matching_rows"]) == (5, 5, 991)
    assert isinstance(told["rows"][0][1], str), "dates are text"


def test_columns_named_like_our_own_words_do_no_harm(load: Load) -> None:
    frame = pd.DataFrame(
        {
            "rows": list("aabb"),
            "Month": list("xyxy"),
            "value": [1, 2, 3, 4],
            "change": list("pqpq"),
            "day": pd.date_range("2024-01-01", periods=4, freq="40D"),
        }
    )
    engine = load(awkward=frame)
    assert by_first(query(engine, by=["rows"])) == {"a": 2, "b": 2}
    assert by_first(describe(engine, "rows")) == {"a": 2, "b": 2}
    assert by_first(distribution(engine, "rows")) == {"a": 2, "b": 2}
    for group in ("Month", "change", "rows"):
        assert len(records(trend(engine, "value", by=group, interval="month"))) == 8
    assert compare(engine, "value", "rows").facts["test"] == "Welch t-test"
    assert len(records(crosstab(engine, "rows", "change", "value"))) == 2


def test_every_analysis_error_has_a_kind() -> None:
    kinds = [c.kind for c in AnalysisError.__subclasses__()]
    assert len(kinds) == len(set(kinds)) and "analysis_error" not in kinds

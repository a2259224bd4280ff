"""Tests and regressions: SciPy's and statsmodels' numbers, assumptions said, and what cannot be tested."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from scipy import stats
from statsmodels.stats.multitest import multipletests

from analysis.engine import Engine, result_table
from analysis.errors import AnalysisError, ConstantColumn, NotComputable, NotNumeric, TooFew, UnknownOption
from analysis.statistics import hypothesis
from analysis.statistics.correlations import correlation_tests
from analysis.statistics.regression import regression
from tests.analysis.conftest import Load

RANDOM = np.random.default_rng(5)
SMALL = pd.DataFrame(
    {
        "score": np.concatenate(
            [RANDOM.normal(10, 2, 20), RANDOM.normal(12, 5, 25), RANDOM.normal(9, 2, 15)]
        ),
        "after": RANDOM.normal(11, 3, 60),
        "team": ["red"] * 20 + ["blue"] * 25 + ["green"] * 15,
        "wait": RANDOM.lognormal(1, 1.5, 60),
        "passed": ["yes", "no", "yes"] * 20,
        "side": ["left", "right"] * 30,
        "flat": [3] * 60,
        "one_off": ["single"] + ["rest"] * 59,
    }
)


@pytest.fixture(scope="module")
def small(load: Load) -> Engine:
    return load(small=SMALL)


def samples(column: str, *teams: str) -> list[Any]:
    return [SMALL.loc[SMALL["team"] == team, column].to_numpy() for team in teams]


SCIPY: list[tuple[dict[str, Any], str, Callable[[], tuple[float, float]]]] = [
    (
        {"kind": "t", "groups": ["red", "blue"]}, "score",
        lambda: stats.ttest_ind(*samples("score", "blue", "red")),
    ),
    (
        {"kind": "welch", "groups": ["red", "blue"]}, "score",
        lambda: stats.ttest_ind(*samples("score", "blue", "red"), equal_var=False),
    ),
    (
        {"kind": "mann_whitney", "groups": ["red", "green"]}, "wait",
        lambda: stats.mannwhitneyu(*samples("wait", "green", "red")),
    ),
    ({"kind": "anova"}, "score", lambda: stats.f_oneway(*samples("score", "blue", "green", "red"))),
    (
        {"kind": "welch_anova"}, "score",
        lambda: stats.f_oneway(*samples("score", "blue", "green", "red"), equal_var=False),
    ),
    ({"kind": "kruskal"}, "wait", lambda: stats.kruskal(*samples("wait", "red", "blue", "green"))),
    ({"kind": "levene"}, "score", lambda: stats.levene(*samples("score", "red", "blue", "green"))),
]  # fmt: skip


@pytest.mark.parametrize(("given", "measure", "expected"), SCIPY, ids=[case[0]["kind"] for case in SCIPY])
def test_tests_of_groups_are_scipys(
    given: dict[str, Any], measure: str, expected: Callable[[], tuple[float, float]], small: Engine
) -> None:
    facts = hypothesis.test(small, measure, "team", **given).facts
    statistic, p = expected()
    assert (facts["statistic"], facts["p"]) == (pytest.approx(statistic), pytest.approx(p))
    assert facts["kind"] == given["kind"] and facts["reason"] == ""


def test_tests_of_rows_and_of_counts_are_scipys(small: Engine) -> None:
    paired = hypothesis.test(small, "score", second="after").facts
    test = stats.ttest_rel(SMALL["score"], SMALL["after"])
    assert (paired["kind"], paired["statistic"]) == ("paired", pytest.approx(test.statistic))
    assert (paired["low"], paired["high"]) == pytest.approx(tuple(test.confidence_interval()))
    ranks = hypothesis.test(small, "score", second="after", kind="wilcoxon").facts
    assert ranks["p"] == pytest.approx(stats.wilcoxon(SMALL["score"], SMALL["after"]).pvalue)
    single = hypothesis.test(small, "score", value=10).facts
    assert single["p"] == pytest.approx(stats.ttest_1samp(SMALL["score"], 10).pvalue)
    counts = pd.crosstab(SMALL["team"], SMALL["passed"])
    chi = hypothesis.test(small, "team", "passed").facts
    expected = stats.chi2_contingency(counts, correction=False)
    assert (chi["kind"], chi["p"], chi["df"]) == ("chi_square", pytest.approx(expected.pvalue), 2)
    assert chi["effect"] == pytest.approx(stats.contingency.association(counts, method="cramer"))
    shape = hypothesis.test(small, "wait").facts
    assert (shape["kind"], shape["p"]) == ("normality", pytest.approx(stats.shapiro(SMALL["wait"]).pvalue))


def test_tukey_lists_every_pair_and_kruskal_corrects_them(small: Engine) -> None:
    result = hypothesis.test(small, "score", "team", kind="tukey")
    expected = stats.tukey_hsd(*samples("score", "blue", "green", "red"))
    rows = {(r["first"], r["second"]): r for r in result_table(result).records()}
    assert rows["blue", "red"]["p"] == pytest.approx(expected.pvalue[0, 2])
    assert rows["green", "red"]["low"] == pytest.approx(expected.confidence_interval().low[1, 2])
    facts = hypothesis.test(small, "wait", "team", kind="kruskal").facts
    pairs = [("blue", "green"), ("blue", "red"), ("green", "red")]
    raw = [stats.mannwhitneyu(*samples("wait", *pair)).pvalue for pair in pairs]
    assert facts["pairs_that_differ"] == sum(multipletests(raw, method="holm")[1] < 0.05)


def test_the_data_chooses_the_test_and_says_why(small: Engine, engine: Engine, load: Load) -> None:
    assert hypothesis.test(small, "wait", "team").facts["kind"] == "kruskal"
    few = hypothesis.test(small, "wait", "team", groups=["red", "green"])
    assert few.facts["kind"] == "mann_whitney" and "not normal" in few.facts["reason"]
    assert any("fewer" in note or "has 15 values" in note for note in few.notes)
    assert any(note.startswith("Equal spread: Levene") for note in few.notes)
    assert any("least normal group is" in note for note in few.notes)
    assert hypothesis.test(small, "score", "side").facts["kind"] == "welch"
    assert hypothesis.test(engine, "revenue", "channel").facts["kind"] == "welch_anova"
    tiny = load(tiny=pd.DataFrame({"a": list("xxxyyyxy"), "b": list("uuvvvvuv")}))
    exact = hypothesis.test(tiny, "a", "b")
    assert exact.facts["kind"] == "fisher" and "under 5" in exact.facts["reason"]
    forced = hypothesis.test(tiny, "a", "b", kind="chi_square")
    assert any("4 of 4 expected counts are under 5" in note for note in forced.notes)
    doubted = hypothesis.test(small, "score", "team", kind="anova")
    assert any("assumes equal spread, which Levene's test doubts" in note for note in doubted.notes)


def test_effect_sizes_of_data_made_for_it(load: Load) -> None:
    # Two groups one standard deviation apart, each with mean and spread exact.
    base = np.linspace(-2, 2, 101)
    base = base / base.std(ddof=1)
    made = load(made=pd.DataFrame({"v": np.concatenate([base + 1, base]), "g": ["a"] * 101 + ["b"] * 101}))
    facts = hypothesis.test(made, "v", "g", kind="t").facts
    assert facts["cohens_d"] == pytest.approx(1) and facts["difference"] == pytest.approx(1)
    assert facts["effect"] == pytest.approx(1, rel=0.01) and facts["effect_low"] < 1 < facts["effect_high"]
    variance = hypothesis.test(made, "v", "g", kind="anova").facts
    whole = np.concatenate([base + 1, base])
    share = 101 * 2 * 0.25 / ((whole - whole.mean()) ** 2).sum()
    assert variance["effect"] == pytest.approx(share) and 0 < variance["omega2"] < share
    apart = load(apart=pd.DataFrame({"v": [1, 2, 3, 4, 11, 12, 13, 14.5], "g": list("aaaabbbb")}))
    assert hypothesis.test(apart, "v", "g", kind="mann_whitney").facts["effect"] == pytest.approx(-1)


FAILING: list[tuple[dict[str, Any], type[AnalysisError], str]] = [
    ({"measure": "score", "by": "team", "kind": "t"}, NotComputable, "there are 3. Use ANOVA"),
    ({"measure": "flat", "by": "team"}, ConstantColumn, "same value in every row"),
    ({"measure": "score", "by": "one_off", "groups": ["single"]}, TooFew, "at least two values each"),
    ({"measure": "score", "kind": "anova"}, UnknownOption, "name the column that holds them"),
    ({"measure": "score", "kind": "one_sample"}, AnalysisError, "needs the value"),
    ({"measure": "score", "kind": "paired"}, UnknownOption, "second column"),
    ({"measure": "team", "kind": "welch", "by": "side"}, NotNumeric, "team holds text values"),
    ({"measure": "team", "by": "side", "kind": "fisher"}, NotComputable, "here are 3 by 2"),
    ({"measure": "team", "by": "team"}, UnknownOption, "against itself"),
    ({"measure": "score", "by": "team", "kind": "z"}, UnknownOption, "'z' is no test"),
    ({"measure": "flat", "value": 3}, NotComputable, "never vary"),
]


@pytest.mark.parametrize(("given", "error", "words"), FAILING, ids=[case[2] for case in FAILING])
def test_what_cannot_be_tested_is_said(
    given: dict[str, Any], error: type[AnalysisError], words: str, small: Engine
) -> None:
    with pytest.raises(error, match=words):
        hypothesis.test(small, **given)


def test_linear_regression_is_statsmodels(engine: Engine, orders: pd.DataFrame) -> None:
    result = regression(engine, "rating", ["discount", "quantity", "channel"])
    rows = orders.dropna(subset=["rating", "discount", "quantity", "channel"])
    fitted = smf.ols("rating ~ discount + quantity + C(channel, Treatment('Web'))", rows).fit()
    ours = {r["term"]: r for r in result_table(result).records()}
    assert result.facts["n"] == len(rows) == result.rows_used
    assert result.facts["r2"] == pytest.approx(fitted.rsquared)
    assert ours["discount"]["coefficient"] == pytest.approx(fitted.params["discount"])
    assert ours["channel: Shop"]["coefficient"] == pytest.approx(
        fitted.params.filter(like="[T.Shop]").iloc[0]
    )
    low, high = fitted.conf_int().loc["discount"]
    assert (ours["discount"]["low"], ours["discount"]["high"]) == (pytest.approx(low), pytest.approx(high))
    assert result.facts["references"] == {"channel": "Web"} and not result.facts["robust"]
    assert any("channel against Web" in note for note in result.notes)
    assert any("Jarque-Bera" in note for note in result.notes)


def test_unequal_spread_gives_robust_errors_and_entangled_terms_are_named(load: Load) -> None:
    x = np.linspace(1, 10, 200)
    y = 3 * x + RANDOM.normal(0, x, 200)
    made = load(
        spread=pd.DataFrame({"x": x, "near": x + RANDOM.normal(0, 0.01, 200), "double": 2 * x, "y": y})
    )
    result = regression(made, "y", ["x", "near", "double"])
    assert result.facts["robust"] and any("robust (HC3)" in note for note in result.notes)
    assert any("other terms give them exactly: double" in note for note in result.notes)
    assert any("VIF above 10): x, near" in note for note in result.notes)
    ours = {r["term"]: r for r in result_table(result).records()}
    frame = pd.DataFrame(
        {"x": x, "near": made.fetch(made.table(made.dataset()).select("near")).column("near")}
    )
    fitted = sm.OLS(made.fetch(made.table(made.dataset()).select("y")).column("y"), sm.add_constant(frame))
    assert ours["x"]["std error"] == pytest.approx(fitted.fit(cov_type="HC3").bse["x"], rel=1e-6)


def test_logistic_regression_gives_odds_ratios_and_refuses_perfect_separation(
    engine: Engine, orders: pd.DataFrame, load: Load
) -> None:
    result = regression(engine, "returned", ["discount", "quantity"])
    fitted = sm.Logit(
        orders["returned"].astype(float), sm.add_constant(orders[["discount", "quantity"]])
    ).fit(disp=0)
    ours = {r["term"]: r for r in result_table(result).records()}
    assert ours["discount"]["odds ratio"] == pytest.approx(np.exp(fitted.params["discount"]), rel=1e-5)
    assert result.facts["pseudo_r2"] == pytest.approx(fitted.prsquared)
    assert result.facts["positive"] == "true" and any("accuracy alone" in note for note in result.notes)
    split = pd.DataFrame({"x": range(40), "z": RANDOM.normal(size=40), "won": [i > 19 for i in range(40)]})
    with pytest.raises(NotComputable, match="x alone tells the two classes apart"):
        regression(load(split=split), "won", ["x", "z"])


def test_what_cannot_be_regressed_is_said(small: Engine, engine: Engine) -> None:
    with pytest.raises(UnknownOption, match="3 different values"):
        regression(small, "team", ["score"], kind="logistic")
    with pytest.raises(UnknownOption, match="team holds text values"):
        regression(small, "team", ["score"], kind="linear")
    with pytest.raises(NotComputable, match="None of the columns varies"):
        regression(small, "score", ["flat"])
    with pytest.raises(TooFew, match="at least 8"):
        regression(small, "score", ["wait"], where=[{"column": "one_off", "op": "equals", "value": "single"}])
    with pytest.raises(UnknownOption, match="has no value 'maybe'"):
        regression(engine, "customer_type", ["revenue"], positive="maybe")


def test_correlations_come_with_corrected_p_values(engine: Engine, orders: pd.DataFrame) -> None:
    columns = ["quantity", "unit_price", "discount", "rating"]
    result = correlation_tests(engine, columns)
    rows = {frozenset((r["x"], r["y"])): r for r in result_table(result).records()}
    assert len(rows) == 6
    both = orders[["discount", "rating"]].dropna()
    r, p = stats.pearsonr(both["discount"], both["rating"])
    found = rows[frozenset(("discount", "rating"))]
    assert (found["r"], found["p"], found["n"]) == (pytest.approx(r), pytest.approx(p), len(both))
    held = multipletests([row["p"] for row in rows.values()], method="holm")[1]
    assert [row["adjusted p"] for row in rows.values()] == pytest.approx(list(held))
    ranks = correlation_tests(engine, columns[:2], method="kendall")
    assert result_table(ranks).records()[0]["r"] == pytest.approx(
        stats.kendalltau(orders["quantity"], orders["unit_price"]).statistic
    )

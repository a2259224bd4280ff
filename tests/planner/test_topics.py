"""Questions for tests, series, groups, models and drivers: the call each becomes, and whole turns."""

from typing import Any

import pytest

from agents.assistant import Assistant
from agents.planner.understand import understand
from storage.keys import SessionKey
from tests.agents.conftest import ask, said
from tests.planner.schemas import ORDERS, PEOPLE, SENSORS
from tests.planner.test_real_turns import _unanswered, place

__all__ = ["place"]

ASKED: list[tuple[str, str, dict[str, Any]]] = [
    ("is revenue different between east and west", "test", {"by": "region", "groups": ["East", "West"]}),
    ("t test of price by region", "test", {"measure": "unit_price", "by": "region"}),
    ("test whether rating is 4", "test", {"measure": "rating", "value": 4.0}),
    ("is revenue normally distributed?", "test", {"measure": "revenue", "kind": "normality"}),
    ("mann-whitney test of revenue between Web and Shop", "test", {"kind": "mann_whitney"}),
    ("tukey test of revenue by category", "test", {"kind": "tukey", "by": "category"}),
    ("kruskal wallis of quantity by channel", "test", {"kind": "kruskal"}),
    ("are region and channel independent", "test", {"measure": "region", "by": "channel"}),
    ("fisher test of returned and customer type", "test", {"kind": "fisher", "measure": "returned"}),
    ("levene test of revenue by region", "test", {"kind": "levene"}),
    ("paired t test of unit price and revenue", "test", {"kind": "paired", "second": "revenue"}),
    ("is there a significant difference in revenue between New and Returning in 2025", "test", {
        "by": "customer_type", "where": [{"column": "order_date", "op": "equals", "value": "2025"}]}),
    ("regress revenue on quantity and discount", "regression", {"features": ["quantity", "discount"]}),
    ("logistic regression of returned on revenue and channel", "regression", {"kind": "logistic"}),
    ("correlations with p-values", "correlation_tests", {}),
    ("forecast revenue for 6 months", "forecast", {"measure": "revenue", "horizon": 6, "interval": "month"}),
    ("forecast the number of orders for the next 8 weeks", "forecast", {"horizon": 8, "interval": "week"}),
    ("forecast revenue for the next year in the East", "forecast", {"horizon": 12, "interval": "month"}),
    ("seasonality of revenue", "seasonality", {"measure": "revenue", "aggregate": "sum"}),
    ("decompose average rating by week", "seasonality", {"aggregate": "mean", "interval": "week"}),
    ("is there a significant trend in revenue", "trend_test", {"measure": "revenue"}),
    ("resample rating by day with interpolation", "resample", {"interval": "day", "fill": "linear"}),
    ("which weeks were unusual in revenue", "odd_periods", {"interval": "week"}),
    ("cluster customers by quantity and revenue", "cluster", {"columns": ["quantity", "revenue"]}),
    ("cluster cities by revenue and rating into 3 groups", "cluster", {"per": "city", "clusters": 3}),
    ("find anomalies", "anomalies", {}),
    ("principal components of quantity, revenue and discount", "principal_components", {}),
    ("train a tree to predict returned from quantity and channel", "train_model", {
        "target": "returned", "features": ["quantity", "channel"], "algorithm": "tree"}),
    ("which features matter", "evaluate_model", {}),
    ("predict returned for quantity 2 and channel web", "predict", {
        "values": {"quantity": 2, "channel": "Web"}}),
    ("train a linear model to predict revenue from quantity and region", "train_model", {
        "algorithm": "linear"}),
    ("how good is the model?", "evaluate_model", {}),
    ("predict revenue for quantity 3 and region east", "predict", {
        "values": {"quantity": 3, "region": "East"}}),
    ("predict with the model", "predict", {}),
    ("list models", "list_models", {}),
    ("why did revenue drop in May", "drivers", {"measure": "revenue", "period": "2026-05"}),
    ("why did the number of orders fall in Q2 2025", "drivers", {"period": "2025-Q2"}),
    ("what drove the change in revenue", "drivers", {"measure": "revenue"}),
    ("compare this month with the last", "compare_periods", {"measure": "revenue", "interval": "month"}),
    ("average rating this year versus last year", "compare_periods", {"aggregate": "mean"}),
]  # fmt: skip
REAL = [
    "is revenue different between east and west",
    "t test of price by region",
    "is revenue normally distributed?",
    "are region and channel independent",
    "paired t test of unit price and revenue",
    "levene test of revenue by region",
    "regress revenue on quantity and discount",
    "logistic regression of returned on revenue and channel",
    "correlations with p-values",
    "forecast revenue for 6 months",
    "seasonality of revenue",
    "is there a significant trend in revenue",
    "resample rating by day with interpolation",
    "which weeks were unusual in revenue",
    "cluster cities by revenue and rating into 3 groups",
    "find anomalies",
    "principal components of quantity, revenue and discount",
    "train a tree to predict returned from quantity and channel",
    "which features matter",
    "predict returned for quantity 2 and channel web",
    "list models",
    "why did revenue drop in May",
    "compare this month with the last",
]
"""Asked of the sample, in this order: a model is trained before it is used."""


@pytest.mark.parametrize(("question", "tool", "arguments"), ASKED, ids=[case[0] for case in ASKED])
def test_a_question_becomes_its_call(question: str, tool: str, arguments: dict[str, Any]) -> None:
    intent = understand(question, ORDERS)
    assert intent.tool == tool, intent.reply
    assert intent.arguments | arguments == intent.arguments


def test_every_form_is_answered_with_numbers_of_its_results(place: tuple[Assistant, SessionKey]) -> None:
    made, key = place
    unknown = {question: _unanswered(made, ask(made, key, question)) for question in REAL}
    assert not {question: why for question, why in unknown.items() if why}
    tools = [result.tool for result in made.store.results.for_session(key)]
    expected = {question: tool for question, tool, _ in ASKED}
    assert tools == [expected[question] for question in REAL]
    # A short question changes the filter of such an answer, or is asked back about.
    assert not _unanswered(made, ask(made, key, "only 2025"))
    assert "Say it as a whole question" in said(ask(made, key, "and by channel?"))


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("predict revenue next month", "can't answer"),
        ("why do customers prefer tea?", "can't answer"),
        ("forecast sales", "Name it whole, as in: revenue"),
        ("test of flavour by region", "do not know what"),
        ("anova of revenue", "groups of which column"),
        ("cluster unicorns by revenue", "do not know what"),
        ("cluster orders by region", "by numbers, and region holds none"),
        ("predict revenue for purple 7", "cannot place"),
        ("train a model to predict nonsense", "nonsense"),
    ],
)
def test_what_is_unclear_is_asked_back(question: str, words: str) -> None:
    intent = understand(question, ORDERS)
    assert not intent.tool and words in intent.reply, intent


def test_other_tables_have_the_same_forms() -> None:
    found = understand("test whether salary differs by gender", PEOPLE)
    assert (found.tool, found.arguments) == ("test", {"measure": "Salary", "by": "Gender"})
    hourly = understand("forecast temp c for 24 hours", SENSORS)
    assert hourly.arguments == {"measure": "temp_C", "aggregate": "mean", "interval": "hour", "horizon": 24}

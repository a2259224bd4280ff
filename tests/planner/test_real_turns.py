"""Whole turns on the sample with the real tools: the published forms, and every number of an answer."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from agents.assistant import Assistant
from agents.planner.saying import number
from analysis.present import to_model
from storage.keys import SessionKey
from storage.results import RUN_PYTHON
from storage.turns import TurnRecord
from tests.agents.conftest import Open, ask, result_ids, said, with_sample

FORMS = [
    "total revenue",
    "average unit price",
    "how many orders are there",
    "number of different cities",
    "median discount",
    "standard deviation of quantity",
    "highest unit price",
    "total revenue by region",
    "average rating per category",
    "number of orders by channel and region",
    "minimum and maximum unit price by product",
    "top 5 products by revenue",
    "bottom 3 cities by quantity",
    "which region has the highest revenue",
    "total revenue in Hamburg",
    "average rating where channel is Web",
    "total revenue for Machines and Care",
    "revenue without Machines",
    "how many orders have a quantity of at least 5",
    "orders with unit price above 300",
    "orders with quantity between 4 and 5",
    "number of orders that are returned",
    "total revenue in 2024",
    "total revenue in March 2024",
    "revenue since June 2024",
    "revenue before February 2024",
    "total revenue between Jan and Mar 2024",
    "total revenue Q2 2024",
    "revenue last month",
    "revenue by month",
    "number of orders by weekday",
    "average rating over time",
    "monthly growth of revenue",
    "list orders with quantity of at least 5",
    "latest 5 orders",
    "top 10 orders by revenue",
    "describe revenue",
    "distribution of quantity",
    "share of orders by channel",
    "outliers in revenue",
    "missing values",
    "summary of the data",
    "correlation between quantity and revenue",
    "spearman correlation of discount and rating",
    "compare revenue by customer type",
    "difference in revenue between Web and Shop",
    "crosstab of region and category",
    "plot revenue by region",
    "bar chart of average rating per category",
    "line chart of monthly revenue",
    "scatter unit price vs quantity",
    "histogram of revenue",
    "box plot of revenue by region",
    "pie chart of revenue by category",
    "heatmap of correlations",
    "heatmap of revenue by region and category",
    "SELECT region, count(*) AS orders FROM orders GROUP BY region",
]
"""One or more of every form, on the sample."""
FOLLOW_UPS = [
    "and by category?",
    "what about the median?",
    "as a pie chart",
    "only 2024",
    "without Machines",
    "top 2 only",
    "sort ascending",
]
"""Each asked after "total revenue by region"."""
IN_CODE = [
    "total revenue",
    "average rating per category",
    "minimum and maximum unit price by product",
    "top 5 products by revenue",
    "total revenue in Hamburg",
    "orders with quantity between 4 and 5",
    "revenue by month",
    "number of orders by weekday",
    "describe revenue",
    "share of orders by channel",
    "correlation between quantity and revenue",
    "crosstab of region and category",
    "line chart of monthly revenue",
    "scatter unit price vs quantity",
    "histogram of revenue",
    "box plot of revenue by region",
    "heatmap of correlations",
    "outliers in revenue",
]
"""Asked where code may be run."""
NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?")
WORDED = ("at 5%", "p < 0.001")
"""Numbers that belong to a phrase: the level of the test, the bound of a p-value."""


@pytest.fixture
def place(assistant: Open) -> Iterator[tuple[Assistant, SessionKey]]:
    """One assistant without a key, and the sample in a conversation."""
    made = assistant()
    yield made, with_sample(made)


def test_every_form_is_answered_with_numbers_of_its_results(
    place: tuple[Assistant, SessionKey],
) -> None:
    made, key = place
    unknown = {question: _unanswered(made, ask(made, key, question)) for question in FORMS}
    assert not {question: why for question, why in unknown.items() if why}


def test_every_follow_up_changes_the_answer(place: tuple[Assistant, SessionKey]) -> None:
    made, key = place
    for question in FOLLOW_UPS:
        ask(made, key, "total revenue by region")
        record = ask(made, key, question)
        assert not _unanswered(made, record), question
        (result_id,) = result_ids(record)
        result = made.store.results.get(key.user_id, result_id)
        assert result is not None and "revenue" in json.dumps(result.arguments), question


def test_code_answers_the_forms_with_numbers_of_its_results(place: tuple[Assistant, SessionKey]) -> None:
    made, key = place
    made.set_mode(key, "code")
    unknown = {question: _unanswered(made, ask(made, key, question)) for question in IN_CODE}
    assert not {question: why for question, why in unknown.items() if why}
    tools = {result.tool for result in made.store.results.for_session(key)}
    assert tools == {RUN_PYTHON, "outliers"}


def test_follow_ups_cross_from_one_agent_and_mode_to_the_other(place: tuple[Assistant, SessionKey]) -> None:
    made, key = place
    made.set_mode(key, "code")
    ask(made, key, "total revenue by region")
    record = ask(made, key, "as a pie chart")
    figure, table = (made.store.results.get(key.user_id, result_id) for result_id in result_ids(record))
    assert figure is not None and figure.output["figure"]["data"][0]["type"] == "pie"
    assert table is not None and 'x="region"' in table.code.splitlines()[0]
    made.set_mode(key, "direct")
    record = ask(made, key, "and by category?")
    (result_id,) = result_ids(record)
    result = made.store.results.get(key.user_id, result_id)
    assert result is not None and result.tool == "show"
    assert result.arguments["kind"] == "pie" and result.arguments["x"] == "category"
    made.set_mode(key, "code")
    record = ask(made, key, "only 2024")
    (figure, _) = (made.store.results.get(key.user_id, result_id) for result_id in result_ids(record))
    assert figure is not None and 'x="category"' in figure.code and "2024-01-01" in figure.code


def test_code_that_fails_is_said_with_the_way_out(place: tuple[Assistant, SessionKey]) -> None:
    made, key = place
    made.set_mode(key, "code")
    record = ask(made, key, "total revenue by region in 2019")
    assert record.status == "completed"
    assert "No row passes the filter: order_date is 2019." in said(record) and "direct mode" in said(record)
    record = ask(made, key, "only 2024")
    assert "Understood" in said(record)


def _unanswered(made: Assistant, record: TurnRecord) -> str:
    """Why a turn gave no answer, or which of its numbers no result holds; empty when all is well."""
    text, results = said(record), [made.store.results.get(record.key.user_id, i) for i in result_ids(record)]
    if record.status != "completed" or not results or "Understood" not in text:
        return f"{record.status}: {text}"
    answered = [to_model(result) for result in results if result is not None]
    dated = [str(c.max) for d in made.store.datasets.for_session(record.key) for c in d.columns]
    known = _numbers(json.dumps([answered, dated], ensure_ascii=False)) | {
        said_so for answer in answered for said_so in _shown(answer)
    }
    for phrase in WORDED:
        text = text.replace(phrase, "")
    loose = _numbers(text) - known
    return f"not in the results: {sorted(loose)} in {text}" if loose else ""


def _numbers(text: str) -> set[str]:
    return {found.rstrip(",") for found in NUMBER.findall(text)}


def _shown(value: Any) -> Iterator[str]:
    """Every number of a tool's answer as answers may show it."""
    if isinstance(value, bool):
        return
    if isinstance(value, (int, float)):
        yield from (number(value), f"{value:.3f}")
    elif isinstance(value, dict):
        for item in value.values():
            yield from _shown(item)
    elif isinstance(value, list):
        for item in value:
            yield from _shown(item)

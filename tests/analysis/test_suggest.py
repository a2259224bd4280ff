"""Every suggested question names real columns and is answered by the built-in planner's tool call."""

import json
import re
from typing import Any

import pandas as pd
import pytest

from agents.card import data_card
from agents.planner.schema import Schema
from agents.planner.understand import understand
from analysis.compare import compare
from analysis.correlate import correlate
from analysis.describe import describe
from analysis.distribution import distribution
from analysis.engine import Engine
from analysis.profile import missing, profile
from analysis.query import query
from analysis.show import show
from analysis.suggest import suggest
from analysis.trend import trend
from tests.analysis.conftest import Load

TOOLS: dict[str, Any] = {
    tool.__name__: tool
    for tool in (query, show, trend, compare, correlate, describe, distribution, profile, missing)
}
TABLES = {
    "people": pd.DataFrame(
        {
            "name": [f"p{n}" for n in range(40)],
            "sex": ["male", "female"] * 20,
            "age": [20 + n % 30 for n in range(40)],
            "salary": [1000.5 + 37 * (n % 17) for n in range(40)],
            "office": ["Rome", "Oslo", "Bonn", "Lyon"] * 10,
        }
    ),
    "weather": pd.DataFrame(
        {
            "station": list("abcd") * 10,
            "temperature": [n % 7 + 0.5 for n in range(40)],
            "when": pd.date_range("2024-01-01", periods=40, freq="3D"),
        }
    ),
    "flags": pd.DataFrame(
        {"name": [f"n{n}" for n in range(30)], "active": [True, False] * 15, "note": ["x", None] * 15}
    ),
}


def answered(engine: Engine) -> list[str]:
    """The questions, each run through the planner and its tool."""
    dataset = engine.dataset()
    card = re.search("<data_card>(.*)</data_card>", data_card([dataset]), re.DOTALL)
    assert card is not None
    schema = Schema.from_card(json.loads(card.group(1)))
    assert schema is not None
    questions = suggest(dataset)
    for question in questions:
        intent = understand(question, schema)
        assert intent.tool, f"{question}: {intent.reply}"
        assert TOOLS[intent.tool](engine, **intent.arguments).status == "ok"
    return questions


def test_the_sample(engine: Engine) -> None:
    questions = answered(engine)
    assert len(questions) == 6 and len(set(questions)) == 6
    assert questions[0] == "total revenue by region"
    assert "compare revenue between New and Returning" in questions


@pytest.mark.parametrize("name", TABLES)
def test_other_tables(name: str, load: Load) -> None:
    questions = answered(load(**{name: TABLES[name]}))
    assert 4 <= len(questions) <= 6
    if name == "weather":
        assert questions[0].startswith("average temperature by"), "temperatures do not add up"
    if name == "people":
        assert "compare salary between female and male" in questions

"""Conversations where code may be run: what the planner sends, says afterwards, and remembers."""

from collections.abc import Callable
from typing import Any

import pytest
from google.adk.flows.llm_flows.context._fencing import OTHER_AGENT_CONTEXT_PREAMBLE, quote_untrusted
from google.adk.tools.function_tool import FunctionTool
from google.genai import types

from agents.planner.programs import RUN, intent_of
from tests.planner.questions import FOLLOW_UPS
from tests.planner.tables import card_text
from tests.planner.talk import ASKED, TOOLS, Call, Talk, same
from tests.planner.test_answers import step
from tests.planner.test_programs import LONGER


async def run_python(code: str, title: str = "") -> dict[str, Any]:
    """Runs Python."""
    return {}


WITH_CODE: list[Callable[..., Any]] = [run_python, *dict.fromkeys(TOOLS)]
SMALL = {
    "result_id": "r1", "kind": "table", "title": "t", "columns": ["region", "sum of sales_amount"],
    "rows": [["North", 10.5], ["South", 7]], "row_count": 2,
}  # fmt: skip


def ran(**given: Any) -> dict[str, dict[str, Any]]:
    """What run_python answers when it showed one table."""
    return {RUN: {"status": "ok", "run": "x", "outputs": [SMALL | given], "printed": "", "notes": []}}


def talk(schema: str = "sales", **given: Any) -> Talk:
    """A conversation whose agent may run code."""
    return Talk(schema, tools=[FunctionTool(f) for f in WITH_CODE], responses=ran(**given))


def meant(call: Call) -> Call:
    """The call that a program stands for."""
    told = intent_of(call[1]["code"]) if call[0] == RUN else call
    assert told is not None
    return told


def test_a_question_becomes_code_with_its_title() -> None:
    made = talk().ask("total sales by region")
    ((name, arguments),) = made.calls
    assert name == RUN and arguments["title"] == "Sum of sales_amount by region"
    assert meant(made.calls[0]) == (
        "query", {"measure": "sales_amount", "aggregate": ["sum"], "by": ["region"]}
    )  # fmt: skip
    assert "highest for North (**10.5**)" in made.text and "lowest for South (**7**)" in made.text
    assert "Understood: Sum of sales_amount by region" in made.text


@pytest.mark.parametrize(
    ("schema", "questions", "expected"),
    FOLLOW_UPS,
    ids=[f"{schema}: {' / '.join(questions)}" for schema, questions, _ in FOLLOW_UPS],
)
def test_follow_ups_change_the_program_before(
    schema: str, questions: list[str], expected: list[Call]
) -> None:
    made = talk(schema)
    for question in questions:
        made.ask(question)
    call = meant(made.calls[0]) if made.calls else ASKED
    drawn_anew = call[0] == "show" and any(one[1].get("result_id") for one in expected)
    assert drawn_anew or any(same(schema, call, one) for one in expected), call


@pytest.mark.parametrize(
    ("question", "then", "drawn"),
    [
        ("distribution of quantity", "as a bar chart", {"kind": "histogram", "x": "quantity"}),
        (
            "crosstab of region and category",
            "as a heatmap",
            {"kind": "heatmap", "x": "region", "by": "category"},
        ),
        ("correlations", "as a heatmap", {"kind": "heatmap"}),
    ],
)
def test_a_table_is_drawn_from_the_data_again(question: str, then: str, drawn: dict[str, Any]) -> None:
    made = talk().ask(question).ask(then)
    assert meant(made.calls[0]) == ("show", drawn)


@pytest.mark.parametrize("question", ["outliers in quantity", "missing values", "summary of the data"])
def test_what_would_be_long_code_stays_a_tool(question: str) -> None:
    made = talk().ask(question)
    assert made.calls[0][0] in LONGER


def test_a_value_that_was_looked_up_is_in_the_code() -> None:
    made = talk().ask("total sales in Hamburg")
    assert [name for name, _ in made.calls] == ["find_values", RUN]
    assert meant(made.calls[1])[1]["where"] == [{"column": "city", "op": "equals", "value": "Hamburg"}]


def test_a_failed_run_is_said_and_nothing_is_guessed() -> None:
    failure = {
        "status": "error", "kind": "code_failed", "message": "No row passes the filter.", "line": 3,
        "trace": "", "suggestions": [], "attempts_left": 2,
    }  # fmt: skip
    made = talk()
    made.responses = {RUN: failure}
    made.ask("total sales by region")
    assert len(made.calls) == 1
    assert "could not be computed. No row passes the filter. (line 3 of the code)" in made.text
    assert "direct mode" in made.text and "Understood" not in made.text
    made.responses = ran()
    assert meant(made.ask("and by category?").calls[0])[1]["by"] == ["category"]


@pytest.mark.parametrize(
    ("question", "shown", "said"),
    [
        ("total sales", {"kind": "value", "columns": ["value"], "rows": [[1234.5]], "row_count": 1},
         "The sum of sales_amount is **1,234.50**."),
        ("how many orders are there", {"kind": "value", "columns": ["value"], "rows": [[7]], "row_count": 1},
         "The number of rows is **7**."),
        ("sales by month",
         {"columns": ["month", "sum of sales_amount", "change", "change %"], "row_count": 2,
          "rows": [["2024-01-01T00:00:00", 5, None, None], ["2024-02-01T00:00:00", 8, 3, 60.0]]},
         "went from **5** (2024-01) to **8** (2024-02)"),
        ("correlation between quantity and unit price",
         {"columns": ["x", "y", "method", "r", "p", "n"], "row_count": 1,
          "rows": [["quantity", "unit_price", "pearson", 0.5, 0.01, 17]]},
         "r = **0.500** (p = 0.010, n = 17)"),
        ("scatter quantity vs unit price",
         {"columns": ["slope", "intercept", "r", "p", "n"], "row_count": 1, "rows": [[1, 2, 0.5, 0.01, 17]]},
         "Here is the chart; r = **0.500**"),
        ("describe region", {"columns": ["region", "rows"], "rows": [["North", 9]], "row_count": 1},
         "The most frequent is North (9 rows)."),
        ("list orders with quantity above 3", {"columns": ["order_id"], "rows": [[1]], "row_count": 44},
         "**44** rows match."),
    ],
)  # fmt: skip
def test_answers_are_made_of_what_the_code_showed(question: str, shown: dict[str, Any], said: str) -> None:
    assert said in talk(**shown).ask(question).text


def test_a_chart_without_its_numbers_is_still_an_answer() -> None:
    made = talk()
    figure = {"result_id": "r1", "kind": "figure", "title": "t"}
    made.responses = {RUN: {"status": "ok", "run": "x", "outputs": [figure], "printed": "", "notes": []}}
    assert "Here is what the code gave." in made.ask("plot sales by region").text


def test_code_of_another_agent_is_remembered_by_its_first_line() -> None:
    code = '# query(measure="sales_amount", aggregate=["sum"], by=["region"], limit=3)\norders["x\\"y"]\n'
    called = quote_untrusted(str({"code": code, "title": "it's"}))
    told = f"[analysis_agent] called tool `{RUN}` with parameters:\n{called}"
    retold = types.Content(
        role="user", parts=[types.Part(text=OTHER_AGENT_CONTEXT_PREAMBLE), types.Part(text=told)]
    )
    card = types.UserContent(parts=[types.Part(text=card_text("sales"))])
    question = types.UserContent(parts=[types.Part(text="and by category?")])
    ((name, arguments),), _ = step(card, retold, question, tools={RUN, "query"})
    assert name == RUN and meant((name, arguments))[1]["by"] == ["category"]


def test_code_that_another_model_wrote_is_no_question_to_change() -> None:
    made = talk()
    made.contents += [
        types.UserContent(parts=[types.Part(text="something else")]),
        types.ModelContent(parts=[types.Part.from_function_call(name=RUN, args={"code": "orders.head()"})]),
        types.UserContent(parts=[types.Part.from_function_response(name=RUN, response=ran()[RUN])]),
        types.ModelContent(parts=[types.Part(text="Done.")]),
    ]
    made.ask("total sales by region")
    assert meant(made.calls[0])[1]["by"] == ["region"]

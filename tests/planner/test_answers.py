"""The planner through its ADK interface: calls, errors and sentences made of the tool's numbers only."""

import re
from typing import Any

import pytest
from google.adk.flows.llm_flows.context._fencing import OTHER_AGENT_CONTEXT_PREAMBLE, quote_untrusted
from google.adk.models.llm_request import LlmRequest
from google.genai import types

from agents.card import CLOSE, OPEN
from agents.planner.llm import PlannerLlm, decide
from agents.planner.request import read
from agents.planner.saying import number
from agents.tools.running import Filter

CARD = (
    OPEN
    + '{"current": "t", "datasets": [{"name": "t", "rows": 3, "columns": ['
    + '{"name": "v", "kind": "number", "distinct": 3}, '
    + '{"name": "g", "kind": "text", "distinct": 2, "values": ["x", "y"]}]}]}'
    + CLOSE
)
TOOLS = {"query", "show", "find_values", "profile"}


def user(text: str) -> types.Content:
    return types.Content(role="user", parts=[types.Part(text=text)])


def called(name: str, **arguments: Any) -> types.Content:
    return types.Content(role="model", parts=[types.Part.from_function_call(name=name, args=arguments)])


def answered(name: str, **response: Any) -> types.Content:
    return types.Content(role="user", parts=[types.Part.from_function_response(name=name, response=response)])


def step(*contents: types.Content, tools: set[str] = TOOLS) -> tuple[list[Any], str]:
    return decide(read(LlmRequest(contents=list(contents))), tools)


def ok(**fields: Any) -> dict[str, Any]:
    base = {"status": "ok", "title": "T", "kind": "table", "notes": [], "facts": {}, "rows_shown": 1}
    return base | fields


def test_the_answer_has_the_numbers_of_the_tool_and_no_others() -> None:
    response = ok(columns=["g", "sum of v"], rows=[["x", 1234.5], ["y", 7]], row_count=2)
    calls, text = step(
        user(CARD),
        user("total v by g"),
        called("query", measure="v", by=["g"]),
        answered("query", **response),
    )
    assert calls == []
    assert set(re.findall(r"\d[\d,.]*\d|\d", text)) == {"1,234.50", "7", "2"}


def test_an_error_is_said_as_one() -> None:
    _, text = step(
        user(CARD),
        user("total v by g"),
        called("query"),
        answered("query", status="error", message="No such column.", suggestions=[]),
    )
    assert text.startswith("That could not be computed. No such column.")


def test_a_looked_up_value_becomes_the_filter_or_a_question() -> None:
    question = [user(CARD), user("total v for zebra")]
    calls, _ = step(*question)
    assert calls == [("find_values", {"text": "zebra"})]
    columns = ["column", "value", "rows", "exact"]
    found = ok(columns=columns, rows=[["g", "Zebra", 2, True]], row_count=1)
    calls, _ = step(*question, called(*calls[0][:1], text="zebra"), answered("find_values", **found))
    assert calls[0][0] == "query"
    assert calls[0][1]["where"] == [{"column": "g", "op": "equals", "value": "Zebra"}]
    several = ok(
        columns=columns, rows=[["g", "zebra crossing", 2, False], ["g", "zebra fish", 1, False]], row_count=2
    )
    calls, text = step(*question, called("find_values", text="zebra"), answered("find_values", **several))
    assert calls == [] and "zebra crossing" in text and "zebra fish" in text


def test_the_coordinator_routes_by_what_is_asked() -> None:
    for question, agent in [("bar chart of v by g", "visualization_agent"), ("total v", "analysis_agent")]:
        calls, _ = step(user(CARD), user(question), tools={"transfer_to_agent"})
        assert calls == [("transfer_to_agent", {"agent_name": agent})]


def test_a_vague_wish_runs_several_analyses() -> None:
    calls, _ = step(user(CARD), user("analyse this data"))
    assert [name for name, _ in calls] == ["profile", "missing", "query"]


def test_calls_of_another_agent_are_remembered_for_follow_ups() -> None:
    call = quote_untrusted("{'aggregate': ['sum'], 'measure': 'v'}")
    told = f"[analysis_agent] called tool `query` with parameters:\n{call}"
    parts = [types.Part(text=OTHER_AGENT_CONTEXT_PREAMBLE), types.Part(text=told)]
    retold = types.Content(role="user", parts=parts)
    calls, _ = step(user(CARD), user("total v"), retold, user("and by g?"))
    assert calls == [("query", {"measure": "v", "aggregate": ["sum"], "by": ["g"]})]


@pytest.mark.parametrize("stream", [False, True])
async def test_it_streams_and_is_labelled_as_rules(stream: bool) -> None:
    request = LlmRequest(contents=[user(CARD), user("what can you do?")])
    responses = [r async for r in PlannerLlm().generate_content_async(request, stream=stream)]
    assert all(r.custom_metadata == {"planner": "rules"} for r in responses)
    texts = [r.content.parts[0].text or "" for r in responses if r.content and r.content.parts]
    assert (len(texts) > 2) is stream
    if stream:
        assert "".join(texts[:-1]) == texts[-1] and all(r.partial for r in responses[:-1])


def test_numbers_for_reading() -> None:
    given = [None, 5, 1234567, 0.5, 1234.567, 0.00012, 3.0, 12.3456789, float("nan")]
    assert [number(v) for v in given] == [
        "no value", "5", "1,234,567", "0.5", "1,234.57", "0.00012", "3", "12.3457", "no value",
    ]  # fmt: skip


def test_the_planners_filters_fit_the_tools() -> None:
    Filter.model_validate({"column": "g", "op": "in", "values": ["x", "y"]})
    Filter.model_validate({"column": "v", "op": "between", "values": [1, 2.5]})
    assert Filter.model_validate({"column": "r", "value": False}).value is False

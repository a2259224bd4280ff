"""Code that Gemini runs itself, through the real client and the real Runner against a loopback server."""

import base64
import io
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from agents.assistant import Assistant
from agents.gemini_code import LIMIT_BYTES, supports_gemini_code
from agents.models import ModelChoice, choose_model
from agents.settings import Settings
from storage.keys import SessionKey
from tests.agents.at_google import CODE, PNG, Serve, at_google, choose_google, kinds, results
from tests.agents.conftest import Open, ask, said, with_gemini
from tests.servers.gemini import code, code_result, error, inline, text


def upload(made: Assistant, key: SessionKey, name: str, frame: pd.DataFrame) -> None:
    """Makes a table the conversation's current dataset."""
    made.upload(key, name, io.BytesIO(frame.to_csv(index=False).encode()))


def files(request: dict[str, Any]) -> list[pd.DataFrame]:
    """The CSV files of a request, in order."""
    parts = [part["inlineData"] for c in request["contents"] for part in c["parts"] if "inlineData" in part]
    assert all(part.get("mimeType", part.get("mime_type")) == "text/csv" for part in parts)
    return [pd.read_csv(io.BytesIO(base64.b64decode(part["data"]))) for part in parts]


def texts(request: dict[str, Any]) -> list[str]:
    """All text that a request carries."""
    return [part["text"] for c in request["contents"] for part in c["parts"] if "text" in part]


def stored_events(made: Assistant) -> list[str]:
    """Every event as it is kept."""
    return [
        row[0]
        for row in made.store.database.read(
            lambda c: c.execute("SELECT event_data FROM adk_events").fetchall(), user=None
        )
    ]


def test_the_request_has_the_tool_all_rows_and_no_functions(
    assistant: Open, gemini: Serve, orders: pd.DataFrame
) -> None:
    server = gemini([[text("There are 6,000 orders.")]])
    made = assistant(**with_gemini(server))
    record = ask(made, at_google(made), "how many orders?")
    assert (record.status, said(record)) == ("completed", "There are 6,000 orders.")
    assert made.can_run_at_gemini
    (request,) = server.requests
    assert request["tools"] == [{"codeExecution": {}}]
    (sent,) = files(request)
    sent["order_date"] = pd.to_datetime(sent["order_date"])
    pd.testing.assert_frame_equal(sent, orders, check_dtype=False)
    assert any("input_file_0.csv" in line and "orders" in line for line in texts(request))
    assert texts(request)[-1] == "how many orders?"
    assert sum("<data_card>" in line for line in texts(request)) == 1
    assert "code execution tool" in json.dumps(request["systemInstruction"])


def test_code_printed_text_and_image_are_results_and_stay(assistant: Open, gemini: Serve) -> None:
    server = gemini(
        [
            [text("I'll count ")],
            [text("and draw.")],
            [code(CODE)],
            [code_result("6000\n")],
            [inline(PNG)],
            [text("There are ")],
            [text("6,000.")],
        ]
    )
    made = assistant(**with_gemini(server))
    key = at_google(made)
    record = ask(made, key, "how many orders?")
    assert record.status == "completed"
    assert kinds(record) == ["text", "step", "result", "text"]
    assert said(record) == "I'll count and draw.\nThere are 6,000."
    step = record.parts[1]
    assert (step["label"], step["status"]) == ("Running Python at Google", "done")

    made = assistant(**with_gemini(server))
    (record,) = made.store.turns.for_session(key)
    (result,) = results(made, record)
    assert (result.kind, result.tool, result.language, result.status) == (
        "image",
        "gemini_code",
        "python",
        "ok",
    )
    assert result.code == CODE
    assert base64.b64decode(result.output["png"]) == PNG and result.output["alt"]
    assert result.output["printed"] == "6000\n"
    assert result.engine == {"gemini": "gemini-test"}
    assert "at Google" in result.notes[0] and "6,000 rows" in result.notes[0]
    assert [ref.dataset for ref in result.inputs] == ["orders"]
    run = record.parts[2]["run"]
    assert result.arguments == {"run": run, "position": 0, "count": 1, "rebuilt": 0}


def test_the_history_of_a_later_turn_has_no_csv_and_no_image(assistant: Open, gemini: Serve) -> None:
    server = gemini([[code(CODE)], [code_result("6000\n")], [inline(PNG)], [text("Six thousand.")]])
    made = assistant(**with_gemini(server))
    key = at_google(made)
    ask(made, key, "how many orders?")
    ask(made, key, "and now?")
    second = server.requests[1]
    assert len(files(second)) == 1, "only this question's own"
    assert "inlineData" in json.dumps(second["contents"][-1])
    assert texts(second).count("how many orders?") == 1
    sent = json.dumps(second["contents"])
    assert sent.count("executableCode") == 1 and sent.count("codeExecutionResult") == 1
    for event in stored_events(made):
        assert "text/csv" not in event and base64.b64encode(PNG).decode() not in event
        assert len(event) < 20_000


def test_other_agents_are_told_of_the_code_as_text(assistant: Open, gemini: Serve) -> None:
    server = gemini(
        [[code(CODE)], [code_result("6000\n")], [text("Six thousand.")]],
        [[text("As I said.")]],
    )
    made = assistant(**with_gemini(server))
    key = at_google(made)
    ask(made, key, "how many orders?")
    made.set_mode(key, "direct")
    assert said(ask(made, key, "again?")) == "As I said."
    sent = json.dumps(server.requests[1]["contents"])
    assert "executableCode" not in sent and "codeExecutionResult" not in sent
    assert "input_file_0.csv" in sent and "6000" in sent
    assert "inlineData" not in sent


def test_a_table_too_large_is_refused_before_the_model_is_asked(assistant: Open, gemini: Serve) -> None:
    server = gemini([[text("never")]])
    made = assistant(**with_gemini(server))
    key = at_google(made)
    rows = 300_000
    upload(made, key, "big.csv", pd.DataFrame({"n": np.arange(rows), "word": "abcdefgh"}))
    record = ask(made, key, "how many?")
    assert record.status == "failed" and record.error is not None
    assert record.error["kind"] == "not_at_google"
    assert "big.csv" in record.error["message"] and "2 MB" in record.error["message"]
    assert "on this machine" in record.error["action"]
    assert server.requests == []


def test_data_that_the_model_finds_too_long_is_said_to_be(assistant: Open, gemini: Serve) -> None:
    server = gemini(
        error(400, "INVALID_ARGUMENT", "The input token count exceeds the maximum number of tokens")
    )
    made = assistant(**with_gemini(server))
    record = ask(made, at_google(made), "how many?")
    assert record.status == "failed" and record.error is not None
    assert record.error["kind"] == "not_at_google" and "longer than" in record.error["message"]


def test_other_datasets_go_along_while_they_fit(assistant: Open, gemini: Serve, orders: pd.DataFrame) -> None:
    server = gemini([[text("ok")]])
    made = assistant(**with_gemini(server))
    key = made.new_session("ann")
    choose_google(made, key)
    fits = LIMIT_BYTES - 1_000_000
    upload(made, key, "huge.csv", pd.DataFrame({"n": np.arange(400_000)}))
    upload(made, key, "small.csv", pd.DataFrame({"a": [1, None, 3], "b": ["x", "y,z", 'q"']}))
    upload(made, key, "current.csv", pd.DataFrame({"word": ["x" * 99] * (fits // 100)}))
    ask(made, key, "what is here?")
    current, small = files(server.requests[0])
    assert len(current) == fits // 100
    assert small.to_dict("list")["b"] == ["x", "y,z", 'q"']
    lines = texts(server.requests[0])
    assert any("input_file_1.csv" in line and "small" in line for line in lines)
    assert any("Too large" in line and "huge" in line for line in lines)


def test_without_data_the_model_is_asked_all_the_same(assistant: Open, gemini: Serve) -> None:
    server = gemini([[code("print(1)")], [code_result("1\n")], [text("One.")]])
    made = assistant(**with_gemini(server))
    key = made.new_session("ann")
    choose_google(made, key)
    record = ask(made, key, "what is one?")
    (result,) = results(made, record)
    assert files(server.requests[0]) == [] and "no data" in result.notes[0]


def test_another_model_refuses_in_words(assistant: Open) -> None:
    made = assistant()
    record = ask(made, at_google(made), "total revenue")
    assert record.status == "failed" and record.error is not None
    assert record.error["kind"] == "not_at_google" and "Gemini" in record.error["message"]
    assert not made.can_run_at_gemini
    made.set_code_runs(record.key, "here")
    assert ask(made, record.key, "total revenue").status == "completed"


@pytest.mark.parametrize(
    ("name", "kind", "supported"),
    [
        ("gemini-3.5-flash", "gemini", True),
        ("models/gemini-2.5-pro", "gemini", True),
        ("gemma-4-27b", "gemini", False),
        ("gemini-3.5-flash", "openai", False),
        ("built-in-planner", "planner", False),
    ],
)
def test_which_models_run_code_at_google(name: str, kind: str, supported: bool) -> None:
    choice = replace(choose_model(Settings()), kind=kind, name=name)
    assert isinstance(choice, ModelChoice)
    assert supports_gemini_code(choice) is supported

"""Code that Gemini runs itself, through the real client and the real Runner against a loopback server."""

import base64
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from agents.assistant import Assistant
from agents.gemini_code import LIMIT_BYTES, supports_gemini_code
from agents.models import ModelChoice, choose_model
from agents.settings import Settings
from analysis.table_csv import TooLargeAsCsv, as_csv
from storage.keys import SessionKey
from storage.results import Result
from storage.turns import TurnRecord
from tests.agents.conftest import Open, ask, said, with_gemini, with_sample
from tests.servers.gemini import Fault, GeminiServer, Part, Slow, code, code_result, inline, text

Serve = Callable[..., GeminiServer]
CODE = "import pandas as pd\nprint(len(pd.read_csv('input_file_0.csv')))"
DRAWING = "plt.plot(x, y)\nplt.show()"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
OTHER_PNG = PNG + b"other"
TRACE = (
    'Traceback (most recent call last):\n  File "<string>", line 3, in <module>\n'
    "  File \"/usr/lib/pandas/frame.py\", line 4090, in __getitem__\nKeyError: 'revnue'\n"
)


def at_google(made: Assistant, user: str = "ann") -> SessionKey:
    """A conversation with the sample whose code runs at Google."""
    key = with_sample(made, user)
    choose_google(made, key)
    return key


def choose_google(made: Assistant, key: SessionKey) -> None:
    """Code mode, with code at Google."""
    made.set_mode(key, "code")
    made.store.conversations.set_metadata(key, code_runs="gemini")


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


def results(made: Assistant, record: TurnRecord) -> list[Result]:
    """The results of a turn, as they are stored."""
    ids = [part["id"] for part in record.parts if part["kind"] == "result"]
    return [result for i in ids if (result := made.store.results.get(record.key.user_id, i))]


def kinds(record: TurnRecord) -> list[str]:
    """What a turn shows, in order."""
    return [part["kind"] for part in record.parts]


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


INTERLEAVED: dict[str, list[list[Part]]] = {
    "one part a chunk": [
        [code(CODE)], [code_result("1\n")], [inline(PNG)], [inline(OTHER_PNG)],
        [text("First.")], [code(DRAWING)], [inline(PNG)], [code_result("2\n")], [text("Second.")],
    ],
    "several parts a chunk": [
        [code(CODE), code_result("1\n"), inline(PNG)],
        [inline(OTHER_PNG), text("First."), code(DRAWING)],
        [inline(PNG), code_result("2\n"), text("Second.")],
    ],
    "all in one chunk": [[
        code(CODE), code_result("1\n"), inline(PNG), inline(OTHER_PNG),
        text("First."), code(DRAWING), inline(PNG), code_result("2\n"), text("Second."),
    ]],
    "with ids": [
        [code(CODE, "a"), code(DRAWING, "b")],
        [code_result("2\n", given="b"), inline(PNG)],
        [code_result("1\n", given="a"), text("Both.")],
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", INTERLEAVED)
def test_each_part_counts_once_however_it_is_streamed(name: str, assistant: Open, gemini: Serve) -> None:
    server = gemini(INTERLEAVED[name])
    made = assistant(**with_gemini(server))
    record = ask(made, at_google(made), "draw")
    found = results(made, record)
    printed = {result.code: result.output["printed"] for result in found if "printed" in result.output}
    assert printed == {CODE: "1\n", DRAWING: "2\n"}
    assert [step["status"] for step in record.parts if step["kind"] == "step"] == ["done", "done"]
    if name == "with ids":
        assert [(r.code, r.kind) for r in found] == [(CODE, "text"), (DRAWING, "image")]
        return
    assert kinds(record) == ["step", "result", "result", "text", "step", "result", "text"]
    assert said(record) == "First.\nSecond."
    images = [base64.b64decode(result.output["png"]) for result in found]
    assert images == [PNG, OTHER_PNG, PNG]
    places = [(r.arguments["position"], r.arguments["count"]) for r in found]
    assert places == [(0, 2), (1, 2), (0, 1)]
    assert len({part["run"] for part in record.parts if part["kind"] == "result"}) == 2


def test_an_image_at_the_end_is_an_answer(assistant: Open, gemini: Serve) -> None:
    server = gemini([[code(DRAWING)], [code_result()], [inline(PNG)]])
    made = assistant(**with_gemini(server))
    record = ask(made, at_google(made), "draw")
    assert (record.status, kinds(record)) == ("completed", ["step", "result"])
    assert len(server.requests) == 1


def test_a_late_image_belongs_to_the_code_before(assistant: Open, gemini: Serve) -> None:
    server = gemini([[code(DRAWING)], [code_result("drawn\n")], [text("See:")], [inline(PNG)]])
    made = assistant(**with_gemini(server))
    record = ask(made, at_google(made), "draw")
    printed, image = results(made, record)
    assert (printed.kind, image.kind, image.code) == ("text", "image", DRAWING)
    assert printed.arguments["run"] == image.arguments["run"]
    assert kinds(record) == ["step", "result", "text", "result"]


FAILURES: dict[str, tuple[Part | None, str, str, int | None]] = {
    "an exception": (code_result(TRACE, "OUTCOME_FAILED"), "KeyError", "'revnue'", 3),
    "without words": (code_result("MemoryError\n", "OUTCOME_FAILED"), "MemoryError", "", None),
    "nothing said": (code_result("", "OUTCOME_FAILED"), "Failed", "No reason was given.", None),
    "too long": (code_result("1\n2\n", "OUTCOME_DEADLINE_EXCEEDED"), "TimeLimitExceeded", "30 seconds", None),
    "unspecified": (code_result("odd end!", "OUTCOME_UNSPECIFIED"), "Failed", "odd end!", None),
    "no result": (None, "NoResult", "Nothing came back", None),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILURES)
def test_a_failed_run_is_a_failed_result(name: str, assistant: Open, gemini: Serve) -> None:
    outcome, kind, message, line = FAILURES[name]
    server = gemini([[code(CODE)], *([[outcome]] if outcome else []), [text("That failed.")]])
    made = assistant(**with_gemini(server))
    record = ask(made, at_google(made), "sum of revnue")
    (result,) = results(made, record)
    assert (result.status, result.kind, result.code) == ("failed", "text", CODE)
    failure = result.output["failure"]
    assert failure["type"] == kind and message in failure["message"] and failure["line"] == line
    part = next(part for part in record.parts if part["kind"] == "result")
    assert part["failed"] and part["run"] == result.arguments["run"]
    step = next(part for part in record.parts if part["kind"] == "step")
    assert step["status"] == "failed" and kind in step["detail"]
    assert said(record) == "That failed."


def test_code_that_failed_and_was_corrected(assistant: Open, gemini: Serve) -> None:
    server = gemini(
        [
            [code("x"), code_result(TRACE, "OUTCOME_FAILED")],
            [code(CODE)],
            [code_result("3\n")],
            [text("Three.")],
        ]
    )
    made = assistant(**with_gemini(server))
    record = ask(made, at_google(made), "count")
    assert [result.status for result in results(made, record)] == ["failed", "ok"]
    assert record.status == "completed"


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
    made.store.conversations.set_metadata(record.key, code_runs=None)
    assert ask(made, record.key, "total revenue").status == "completed"


def test_a_broken_stream_keeps_what_had_run(assistant: Open, gemini: Serve) -> None:
    chunks = [[code(CODE)], [code_result("6000\n")]]
    server = gemini(Fault(chunks=chunks, cut=True))
    made = assistant(**with_gemini(server))
    record = ask(made, at_google(made), "how many?")
    assert record.status == "failed" and record.error is not None and record.error["kind"] == "network"
    (result,) = results(made, record)
    assert (result.status, result.output["printed"]) == ("ok", "6000\n")


def test_stop_keeps_the_runs_that_were_over(assistant: Open, gemini: Serve) -> None:
    server = gemini(Slow([[code(CODE)], [code_result("6000\n")], *[[text("word ")]] * 100], 0.2))
    made = assistant(**with_gemini(server))
    key = at_google(made)
    running = made.turns.start(key, "how many?")
    while not any(part["kind"] == "result" for part in running.record.parts):
        assert running.wait(running.version, 20)
    made.turns.stop(key)
    while not running.done:
        assert running.wait(running.version, 20)
    stored = made.store.turns.get(key.user_id, running.record.id)
    assert stored is not None and stored.status == "stopped"
    assert [result.output["printed"] for result in results(made, stored)] == ["6000\n"]


def test_what_is_no_png_is_kept_as_a_file(assistant: Open, gemini: Serve) -> None:
    jpeg = b"\xff\xd8\xff\xe0 not quite"
    server = gemini([[code(CODE), code_result()], [inline(jpeg, "image/jpeg"), text("There.")]])
    made = assistant(**with_gemini(server))
    record = ask(made, at_google(made), "as a file")
    (result,) = results(made, record)
    assert result.kind == "file" and result.output["mime"] == "image/jpeg"
    assert result.output["size"] == len(jpeg) and result.output["name"].endswith(".jpeg")
    assert jpeg in [
        path.read_bytes() for path in (made.store.home / "artifacts").rglob("*") if path.is_file()
    ]


async def test_an_answer_that_is_not_streamed(assistant: Open, gemini: Serve) -> None:
    """As `adk run` asks: every part at once."""
    from google.adk.runners import Runner
    from google.genai import types

    from agents.agent import build_app
    from agents.transcript import Transcript

    server = gemini(INTERLEAVED["one part a chunk"])
    made = assistant(**with_gemini(server))
    key = at_google(made)
    choice = choose_model(made.settings)
    runner = Runner(
        app=build_app(choice.llm), session_service=made.store.sessions, artifact_service=made.store.artifacts
    )
    record = TurnRecord("t", key, "draw", "code", "")
    transcript = Transcript(record)
    message = types.Content(role="user", parts=[types.Part(text="draw")])
    async for event in runner.run_async(user_id=key.user_id, session_id=key.session_id, new_message=message):
        transcript.take(event)
    await choice.close()
    assert kinds(record) == ["step", "result", "result", "text", "step", "result", "text"]
    assert said(record) == "First.\nSecond."
    assert len(results(made, record)) == 3


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


def test_a_table_as_csv_keeps_every_value(assistant: Open, tmp_path: Path) -> None:
    made = assistant()
    key = made.new_session("ann")
    frame = pd.DataFrame(
        {
            "whole": [1, None, 9_007_199_254_740_993],
            "number": [0.1, 1e300, None],
            "text": ['with "quotes", commas', "two\nlines", "žluťoučký 🐎"],
            "day": ["2024-01-31", None, "1999-12-31"],
            "flag": [True, False, None],
            'odd "name"': ["a", "b", "c"],
        }
    ).astype({"whole": "Int64"})
    upload(made, key, "odd.csv", frame)
    (dataset,) = made.datasets(key)
    worker = made.pool.worker(key.session_id)
    data = as_csv(worker, dataset, 10_000)
    read = pd.read_csv(io.BytesIO(data), dtype={dataset.columns[0].name: "Int64"})
    assert read.iloc[:, 0].tolist() == frame["whole"].tolist()
    assert read.iloc[:, 1].tolist()[:2] == [0.1, 1e300]
    assert read.iloc[:, 2].tolist() == frame["text"].tolist()
    assert read.iloc[:, 3].tolist()[::2] == ["2024-01-31", "1999-12-31"]
    assert as_csv(worker, dataset, len(data)) == data
    with pytest.raises(TooLargeAsCsv) as raised:
        as_csv(worker, dataset, len(data) - 1)
    assert raised.value.size == len(data)

"""Runs of code at Google: each part once, in order, however it comes and however the run ends."""

import base64

import pytest
from google.adk.runners import Runner
from google.genai import types

from agents.agent import build_app
from agents.models import choose_model
from agents.transcript import Transcript
from storage.turns import TurnRecord
from tests.agents.at_google import CODE, DRAWING, OTHER_PNG, PNG, Serve, at_google, kinds, results
from tests.agents.conftest import Open, ask, said, with_gemini
from tests.servers.gemini import Fault, Part, Slow, code, code_result, inline, text

TRACE = (
    'Traceback (most recent call last):\n  File "<string>", line 3, in <module>\n'
    "  File \"/usr/lib/pandas/frame.py\", line 4090, in __getitem__\nKeyError: 'revnue'\n"
)


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


@pytest.mark.parametrize(("outcome", "status"), [("OUTCOME_OK", "ok"), ("OUTCOME_FAILED", "failed")])
def test_a_late_image_belongs_to_the_code_before(
    outcome: str, status: str, assistant: Open, gemini: Serve
) -> None:
    server = gemini([[code(DRAWING)], [code_result("drawn\n", outcome)], [text("See:")], [inline(PNG)]])
    made = assistant(**with_gemini(server))
    record = ask(made, at_google(made), "draw")
    printed, image = results(made, record)
    assert (printed.kind, printed.status) == ("text", status)
    assert (image.kind, image.status, image.code) == ("image", "ok", DRAWING)
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
    assert result.output["size"] == len(jpeg) and result.output["name"].endswith(".jpg")
    assert jpeg in [
        path.read_bytes() for path in (made.store.home / "artifacts").rglob("*") if path.is_file()
    ]


async def test_an_answer_that_is_not_streamed(assistant: Open, gemini: Serve) -> None:
    """As `adk run` asks: every part at once."""
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

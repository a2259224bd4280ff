"""Edited code is run again: a version beside the old one, which the model is told of."""

import json
import time
from collections.abc import Callable

import pytest

from agents.assistant import Assistant
from agents.turns import TurnRefused
from storage.keys import SessionKey
from storage.results import Result
from storage.turns import TurnRecord
from tests.agents.code import HANDOVER, code_mode, ended, python, results, value
from tests.agents.conftest import Open, ask, result_ids, said, with_gemini, with_sample
from tests.servers.gemini import GeminiServer, call, text

Serve = Callable[..., GeminiServer]


def rerun(made: Assistant, record: TurnRecord, result: Result, code: str) -> TurnRecord:
    """Edits and runs, and returns the turn as it is stored then."""
    running = made.turns.rerun(record.key, record.id, result.id, code)
    assert running.rerun_of == result.id
    ended(running)
    assert running.problem == ""
    stored = made.store.turns.get(record.key.user_id, record.id)
    assert stored is not None and stored.parts == running.record.parts
    return stored


def test_edited_python_is_a_version_beside_the_old_one_and_the_model_knows(
    assistant: Open, gemini: Serve
) -> None:
    server = gemini(HANDOVER, python("z = 5\nz * 1", "Z"), [[text("Five.")]])
    made = assistant(**with_gemini(server))
    record = ask(made, code_mode(made), "z")
    (first,) = results(made, record)
    record = rerun(made, record, first, "z = 7\nz * 1")
    second = results(made, record)[1]
    assert (value(second), second.title, second.parents) == (7, "Z", [first.id])
    assert record.parts[-1]["version_of"] == first.arguments["run"]
    record = rerun(made, record, second, "z = nothing")
    failed = results(made, record)[2]
    assert failed.status == "failed"
    assert record.parts[-1] == {
        "kind": "result", "id": failed.id, "run": failed.arguments["run"], "failed": True,
        "version_of": first.arguments["run"],
    }  # fmt: skip
    assert (record.status, said(record)) == ("completed", "Five.")
    server.script = [HANDOVER, python("z"), [[text("Seven.")]]]
    after = ask(made, record.key, "and now?")
    assert value(results(made, after)[0]) == 7
    history = json.dumps(server.requests[-1]["contents"])
    assert "edited the code of the result 'Z'" in history and "z = nothing" in history
    conversation = made.conversation("ann", record.key.session_id)
    assert conversation is not None and conversation.turn_count == 2


def test_edited_sql_keeps_its_title_and_its_chart(assistant: Open, gemini: Serve) -> None:
    server = gemini(
        [[call("show", kind="bar", x="region", y="revenue", aggregate="sum")]], [[text("Drawn.")]]
    )
    made = assistant(**with_gemini(server))
    record = ask(made, with_sample(made), "revenue by region")
    (first,) = results(made, record)
    record = rerun(made, record, first, f"SELECT * FROM ({first.code}) WHERE region <> 'North'")
    second = results(made, record)[1]
    assert (second.kind, second.title) == ("figure", first.title)
    assert second.output["table"]["row_count"] == first.output["table"]["row_count"] - 1
    assert record.parts[-1] == {"kind": "result", "id": second.id, "version_of": first.id}
    record = rerun(made, record, second, "SELECT nothing FROM orders")
    failed = results(made, record)[2]
    assert (failed.status, failed.output["failure"]["type"]) == ("failed", "bad_query")
    assert record.parts[-1]["failed"] and record.parts[-1]["version_of"] == first.id
    record = rerun(made, record, failed, first.code)
    assert results(made, record)[3].output["figure"] == first.output["figure"]
    record = rerun(made, record, first, "SELECT 42 AS answer")
    assert results(made, record)[4].kind == "value" and results(made, record)[4].notes


def test_only_a_result_of_an_ended_turn_of_ones_own_is_run_again(assistant: Open, gemini: Serve) -> None:
    server = gemini(HANDOVER, python("1"), [[text("One.")]])
    made = assistant(**with_gemini(server))
    record = ask(made, code_mode(made), "one")
    (result,) = results(made, record)
    other = SessionKey(record.key.app_name, "bob", record.key.session_id)
    for key, turn, about, code in [
        (other, record.id, result.id, "2"),
        (record.key, record.id, "0" * 32, "2"),
        (record.key, record.id, result.id, "  "),
    ]:
        with pytest.raises(TurnRefused):
            made.turns.rerun(key, turn, about, code)


def test_stop_ends_edited_code_and_no_question_is_taken_meanwhile(assistant: Open, gemini: Serve) -> None:
    server = gemini(HANDOVER, python("1"), [[text("One.")]])
    made = assistant(**with_gemini(server))
    record = ask(made, code_mode(made), "one")
    running = made.turns.rerun(record.key, record.id, result_ids(record)[0], "while True: pass")
    with pytest.raises(TurnRefused, match="still running"):
        made.turns.start(record.key, "two")
    assert made.turns.running(record.key) is running
    time.sleep(1.5)
    begun = time.monotonic()
    made.turns.stop(record.key)
    ended(running)
    assert time.monotonic() - begun < 1
    stored = made.store.turns.get("ann", record.id)
    assert stored is not None and (stored.parts, stored.status) == (record.parts, "completed")

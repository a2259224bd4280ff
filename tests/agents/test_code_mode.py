"""Code mode through the real google-genai client: Python over all rows, its errors, its memory, its edits."""

import json
import time
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from agents.assistant import Assistant
from agents.turns import RunningTurn, TurnRefused
from storage.keys import SessionKey
from storage.results import Result
from storage.turns import TurnRecord
from tests.agents.conftest import TURN_SECONDS, Open, ask, result_ids, said, with_gemini, with_sample
from tests.servers.gemini import GeminiServer, Part, Scripted, call, text

Serve = Callable[..., GeminiServer]
HANDOVER = [[call("transfer_to_agent", agent_name="analysis_agent")]]
EVERYTHING = """
import matplotlib.pyplot as plt
import plotly.express as px
by_region = df.groupby("region", as_index=False)["revenue"].sum()
show(by_region, title="Revenue by region")
show(px.bar(by_region, x="region", y="revenue"), title="Bars")
plt.plot([1, 2, 3])
plt.show()
by_region.to_csv("regions.csv", index=False)
print("four regions")
by_region["revenue"].sum()
"""


def python(code: str, title: str = "") -> list[list[Part]]:
    """A model's reply that runs code."""
    return [[call("run_python", code=code, title=title)]]


def code_mode(made: Assistant) -> SessionKey:
    """A conversation in code mode, with the sample."""
    key = with_sample(made)
    made.set_mode(key, "code")
    return key


def results(made: Assistant, record: TurnRecord) -> list[Result]:
    """The stored results that a turn shows, in order."""
    found = [made.store.results.get(record.key.user_id, result_id) for result_id in result_ids(record)]
    assert all(found)
    return [result for result in found if result is not None]


def value(result: Result) -> Any:
    """A single value."""
    assert result.kind == "value"
    return result.output["table"]["rows"][0][0]


def responses(server: GeminiServer) -> list[dict[str, Any]]:
    """What the tools told the model, from the last request."""
    parts = [part for content in server.requests[-1]["contents"] for part in content["parts"]]
    return [part["functionResponse"]["response"] for part in parts if "functionResponse" in part]


def ended(running: RunningTurn) -> TurnRecord:
    """Waits for the end."""
    while not running.done:
        assert running.wait(running.version, TURN_SECONDS), "it never ended"
    return running.record


def rerun(made: Assistant, record: TurnRecord, result: Result, code: str) -> TurnRecord:
    """Edits and runs, and returns the turn as it is stored then."""
    running = made.turns.rerun(record.key, record.id, result.id, code)
    assert running.rerun_of == result.id
    ended(running)
    assert running.problem == ""
    stored = made.store.turns.get(record.key.user_id, record.id)
    assert stored is not None and stored.parts == running.record.parts
    return stored


def test_a_program_over_all_rows_is_run_stored_and_told(assistant: Open, gemini: Serve) -> None:
    server = gemini(HANDOVER, python("sum(range(1, 1001))", "The sum"), [[text("It is 500,500.")]])
    made = assistant(**with_gemini(server))
    record = ask(made, code_mode(made), "sum of 1 to 1000")
    assert (record.status, said(record)) == ("completed", "It is 500,500.")
    (result,) = results(made, record)
    assert value(result) == 500500 and result.title == "The sum"
    assert (result.tool, result.language, result.code) == ("run_python", "python", "sum(range(1, 1001))")
    assert (result.rows_used, result.inputs) == (None, [])
    assert {"pandas", "numpy", "plotly", "duckdb"} <= set(result.engine)
    run = result.arguments["run"]
    assert {"kind": "result", "id": result.id, "run": run} in record.parts
    labels = [part["label"] for part in record.parts if part["kind"] == "step"]
    assert labels[-1] == "Running Python: The sum"
    told = responses(server)[-1]
    assert (told["status"], told["run"], told["outputs"][0]["rows"]) == ("ok", run, [[500500]])


def test_code_finds_every_row_and_says_which_data_it_read(
    assistant: Open, gemini: Serve, orders: pd.DataFrame
) -> None:
    server = gemini(
        HANDOVER,
        python("orders['revenue'].sum()"),
        python("con.sql('SELECT sum(revenue) AS total FROM orders').df()"),
        [[text("Done.")]],
    )
    made = assistant(**with_gemini(server))
    record = ask(made, code_mode(made), "total revenue")
    first, second = results(made, record)
    assert value(first) == pytest.approx(orders["revenue"].sum())
    assert second.output["table"]["rows"][0][0] == pytest.approx(orders["revenue"].sum())
    assert [ref.dataset for ref in first.inputs] == [ref.dataset for ref in second.inputs] == ["orders"]


def test_one_run_gives_a_table_a_figure_an_image_a_value_and_a_file(
    assistant: Open, gemini: Serve, orders: pd.DataFrame
) -> None:
    server = gemini(HANDOVER, python(EVERYTHING, "Everything"), [[text("Here.")]])
    made = assistant(**with_gemini(server))
    key = code_mode(made)
    record = ask(made, key, "everything")
    found = {result.kind: result for result in results(made, record)}
    assert sorted(found) == ["figure", "file", "image", "table", "value"]
    assert len({result.arguments["run"] for result in found.values()}) == 1
    assert sorted(result.arguments["position"] for result in found.values()) == [0, 1, 2, 3, 4]
    assert [r.output.get("printed") for r in results(made, record)] == ["four regions\n", *[None] * 4]
    assert found["figure"].output["figure"]["data"][0]["type"] == "bar"
    assert found["image"].output["png"].startswith("iVBOR") and found["image"].output["alt"]
    assert found["file"].title == found["file"].output["name"] == "regions.csv"
    lines = made.file(key, found["file"]).decode().splitlines()
    assert lines[0] == "region,revenue" and len(lines) == 1 + orders["region"].nunique()
    told = responses(server)[-1]
    assert [output["kind"] for output in told["outputs"]] == [r.kind for r in results(made, record)]
    assert told["printed"] == "four regions\n"
    assert "bdata" not in json.dumps(told) and "iVBOR" not in json.dumps(told)


def test_a_file_survives_a_copy_of_the_conversation(assistant: Open, gemini: Serve) -> None:
    server = gemini(HANDOVER, python("open('note.txt', 'w').write('kept')\nx = 1"), [[text("Written.")]])
    made = assistant(**with_gemini(server))
    copy = made.duplicate_session(ask(made, code_mode(made), "write a file").key)
    (result,) = made.store.results.for_session(copy)
    assert (result.kind, made.file(copy, result)) == ("file", b"kept")
    assert [run.code for run in made.store.results.runs(copy)] == [result.code]


def test_an_error_goes_back_and_is_corrected(assistant: Open, gemini: Serve) -> None:
    server = gemini(
        HANDOVER, python("df['revenu'].sum()"), python("df['revenue'].sum()"), [[text("Corrected.")]]
    )
    made = assistant(**with_gemini(server))
    record = ask(made, code_mode(made), "total revenue")
    assert record.status == "completed"
    failed, right = results(made, record)
    assert (failed.kind, failed.status, right.status) == ("text", "failed", "ok")
    failure = failed.output["failure"]
    assert (failure["type"], failure["line"]) == ("KeyError", 1) and "revenue" in failure["suggestions"]
    parts = [part for part in record.parts if part["kind"] == "result"]
    assert [part.get("failed") for part in parts] == [True, None]
    steps = [part["status"] for part in record.parts if part["kind"] == "step"]
    assert steps[1:] == ["failed", "done"]
    told = responses(server)[-2]
    assert (told["status"], told["kind"], told["line"]) == ("error", "KeyError", 1)
    assert told["attempts_left"] == 2 and "revenue" in told["suggestions"]


def test_after_three_failures_no_more_code_is_run(assistant: Open, gemini: Serve) -> None:
    server = gemini(
        HANDOVER, *[python(f"1 / 0  # {n}") for n in range(3)], python("40 + 2"), [[text("It failed.")]]
    )
    made = assistant(**with_gemini(server))
    record = ask(made, code_mode(made), "divide")
    assert [result.status for result in results(made, record)] == ["failed"] * 3
    told = responses(server)[-4:]
    assert [answer["attempts_left"] for answer in told] == [2, 1, 0, 0]
    assert told[-1]["kind"] == "no_attempts_left" and "plainly" in told[-1]["message"]
    assert made.store.results.runs(record.key) == []
    server.script = [HANDOVER, python("40 + 2"), [[text("42.")]]]
    again = ask(made, record.key, "try again")
    assert value(results(made, again)[0]) == 42


def test_variables_stay_and_are_rebuilt_after_a_restart(assistant: Open, gemini: Serve) -> None:
    script: list[Scripted] = [HANDOVER, python("total = df['quantity'].sum()\ntotal"), [[text("Kept.")]]]
    server = gemini(*script)
    made = assistant(**with_gemini(server))
    record = ask(made, code_mode(made), "remember the total")
    total = value(results(made, record)[0])
    server.script = [HANDOVER, python("total += 1\ntotal"), [[text("Kept.")]]]
    second = ask(made, record.key, "one more")
    assert value(results(made, second)[0]) == total + 1
    assert results(made, second)[0].arguments["rebuilt"] == 0
    server.script = [HANDOVER, python("total + 1"), [[text("Rebuilt.")]]]
    made = assistant(**with_gemini(server))
    third = ask(made, record.key, "and again")
    (result,) = results(made, third)
    assert value(result) == total + 2
    assert result.arguments["rebuilt"] == 2 and "run again first" in " ".join(result.notes)


def test_a_failed_run_leaves_the_variables_as_they_were(assistant: Open, gemini: Serve) -> None:
    server = gemini(
        HANDOVER, python("x = 1"), python("x = 2\nraise ValueError('no')"), python("x"), [[text("One.")]]
    )
    made = assistant(**with_gemini(server))
    record = ask(made, code_mode(made), "x")
    assert value(results(made, record)[-1]) == 1


def test_runs_asked_for_at_once_build_on_each_other(assistant: Open, gemini: Serve) -> None:
    calls = [call("run_python", code="y = 20\ny"), call("run_python", code="y + 1")]
    server = gemini(HANDOVER, [calls], [[text("Both.")]])
    made = assistant(**with_gemini(server))
    record = ask(made, code_mode(made), "two at once")
    assert [value(result) for result in results(made, record)] == [20, 21]
    assert [result.arguments["rebuilt"] for result in results(made, record)] == [0, 0]


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


def test_stop_ends_a_running_program_at_once(assistant: Open, gemini: Serve) -> None:
    server = gemini(HANDOVER, python("while True: pass"), [[text("Never.")]])
    made = assistant(**with_gemini(server))
    key = code_mode(made)
    running = made.turns.start(key, "for ever")
    _until_running(running)
    begun = time.monotonic()
    made.turns.stop(key)
    ended(running)
    assert time.monotonic() - begun < 1.5
    assert running.record.status == "stopped"
    assert made.store.results.for_session(key) == []
    server.script = [HANDOVER, python("6 * 7"), [[text("42.")]]]
    assert value(results(made, ask(made, key, "and now"))[0]) == 42


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


def test_a_run_has_a_time_limit(assistant: Open, gemini: Serve) -> None:
    server = gemini(HANDOVER, python("while True: pass"), [[text("Too long.")]])
    made = assistant(**with_gemini(server), code_timeout_seconds=1)
    record = ask(made, code_mode(made), "for ever")
    (result,) = results(made, record)
    assert result.output["failure"]["type"] == "TimeLimitExceeded"
    assert record.status == "completed"


def test_a_turn_can_be_asked_in_another_mode(assistant: Open, gemini: Serve) -> None:
    server = gemini([[text("Hello.")]])
    made = assistant(**with_gemini(server))
    key = code_mode(made)
    record = ended(made.turns.start(key, "hello", mode="direct"))
    assert record.mode == "direct"
    assert "run_python" not in tools(server) and "query" in tools(server)
    ask(made, key, "hello again")
    assert tools(server) == {"transfer_to_agent"}
    made.set_mode(key, "direct")
    ended(made.turns.start(key, "hello", mode="code", verified=True))
    assert tools(server) == {"transfer_to_agent"}


@pytest.mark.parametrize("agent", ["analysis_agent", "visualization_agent"])
def test_both_specialists_can_run_code_and_are_told_what_it_finds(
    agent: str, assistant: Open, gemini: Serve
) -> None:
    server = gemini([[call("transfer_to_agent", agent_name=agent)]], [[text("Ready.")]])
    made = assistant(**with_gemini(server))
    ask(made, code_mode(made), "hello")
    assert "run_python" in tools(server) and "query" in tools(server)
    told = json.dumps(server.requests[-1]["systemInstruction"])
    assert "`run_python`" in told and "all rows" in told


def test_code_in_fenced_blocks_is_run_by_the_executor(assistant: Open, gemini: Serve) -> None:
    server = gemini(
        HANDOVER,
        [[text("Let me see.\n```python\ndf['revenu']")], [text(".sum()\n```\nIt is 7.")]],
        [[text("```python\nshow(len(df), title='Rows')\n")], [text("open('a.txt', 'w').write('x')\n```")]],
        [[text("There are many.")]],
    )
    made = assistant(**with_gemini(server), code_blocks=True)
    key = code_mode(made)
    record = ask(made, key, "how many rows")
    assert record.status == "completed"
    assert said(record).replace("\n", "") == "Let me see.There are many."
    failed, rows, written, file = results(made, record)
    assert (failed.status, failed.output["failure"]["type"]) == ("failed", "KeyError")
    assert (value(rows), rows.title, written.kind) == (6000, "Rows", "value")
    assert made.file(key, file) == b"x"
    steps = [(part["label"], part["status"]) for part in record.parts if part["kind"] == "step"]
    assert steps[1:] == [("Running Python", "failed"), ("Running Python", "done")]
    asked = [part.get("text", "") for part in server.requests[-1]["contents"][-1]["parts"]]
    assert any(rows.id in told for told in asked)
    assert "run_python" not in tools(server)
    server.script = [[[text("```python\nprint('an example')\n```")]]]
    direct = ended(made.turns.start(key, "and in direct mode?", mode="direct"))
    assert direct.status == "completed" and result_ids(direct) == []


def test_the_executor_too_gives_up_after_three_failures(assistant: Open, gemini: Serve) -> None:
    server = gemini(HANDOVER, [[text("```python\n1 / 0\n```")]])
    made = assistant(**with_gemini(server), code_blocks=True)
    record = ask(made, code_mode(made), "divide")
    assert [result.status for result in results(made, record)] == ["failed"] * 3
    assert "no_attempts_left" in json.dumps(server.requests[-1]["contents"])


def test_where_code_runs_and_whether_it_is_verified_is_kept_with_the_conversation(
    assistant: Open, gemini: Serve
) -> None:
    made = assistant()
    key = made.new_session("ann")
    assert (made.code_runs(key), made.verify(key)) == ("here", False)
    made.set_code_runs(key, "gemini")
    made.set_verify(key, True)
    assert (made.code_runs(key), made.verify(key)) == ("gemini", True)
    with pytest.raises(ValueError, match="moon"):
        made.set_code_runs(key, "moon")
    assert made.isolation.runs_code and made.isolation.text


def tools(server: GeminiServer) -> set[str]:
    """Names of the tools in the last request."""
    declared = server.requests[-1].get("tools", [])
    return {function["name"] for tool in declared for function in tool["functionDeclarations"]}


def _until_running(running: RunningTurn) -> None:
    """Waits until code runs, and a moment more."""
    while not any(part.get("tool") == "run_python" for part in running.record.parts):
        assert running.wait(running.version, TURN_SECONDS)
    time.sleep(1.5)

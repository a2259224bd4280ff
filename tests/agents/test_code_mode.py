"""Code mode through the real google-genai client: Python over all rows, its errors, its memory, its edits."""

import json
import time
from collections.abc import Callable

import pandas as pd
import pytest

from agents.turns import RunningTurn
from tests.agents.code import HANDOVER, code_mode, ended, python, responses, results, tools, value
from tests.agents.conftest import TURN_SECONDS, Open, ask, result_ids, said, with_gemini
from tests.servers.gemini import GeminiServer, Scripted, call, text

Serve = Callable[..., GeminiServer]
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


def _until_running(running: RunningTurn) -> None:
    """Waits until code runs, and a moment more."""
    while not any(part.get("tool") == "run_python" for part in running.record.parts):
        assert running.wait(running.version, TURN_SECONDS)
    time.sleep(1.5)

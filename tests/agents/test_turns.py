"""Turns with the built-in planner and an OpenAI-compatible server: no key, real store, real worker."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from agents.turns import TurnRefused
from storage.errors import StoreUnavailable
from storage.keys import SessionKey
from storage.store import Store
from storage.turns import TurnRecord
from tests.agents.conftest import Open, ask, result_ids, said, with_sample
from tests.conftest import ROOT
from tests.servers.openai import OpenAIServer


def test_the_planner_answers_follows_up_and_draws(assistant: Open, orders: pd.DataFrame) -> None:
    made = assistant()
    key = with_sample(made)
    first = ask(made, key, "total revenue by region")
    top = orders.groupby("region")["revenue"].sum()
    assert f"{top.max():,.2f}" in said(first) and str(top.idxmax()) in said(first)
    second = ask(made, key, "and by channel?")
    result = made.store.results.get(key.user_id, result_ids(second)[0])
    assert result is not None
    expected = orders.groupby("channel")["revenue"].sum().to_dict()
    assert dict(result.output["table"]["rows"]) == pytest.approx(expected)
    third = ask(made, key, "as a pie chart")
    figure = made.store.results.get(key.user_id, result_ids(third)[0])
    assert figure is not None and figure.output["figure"]["data"][0]["type"] == "pie"
    conversation = made.store.conversations.get(key)
    assert conversation is not None
    assert (conversation.title, conversation.turn_count) == ("total revenue by region", 3)


def test_history_survives_a_restart(assistant: Open) -> None:
    made = assistant()
    key = with_sample(made)
    before = ask(made, key, "total revenue by region")
    made = assistant()
    assert made.store.turns.for_session(key)[0].parts == before.parts
    after = ask(made, key, "and by channel?")
    assert "channel" in said(after) and after.status == "completed"


def test_switching_mode_keeps_the_conversation(assistant: Open) -> None:
    made = assistant()
    key = with_sample(made)
    ask(made, key, "total revenue by region")
    made.set_mode(key, "code")
    record = ask(made, key, "and by channel?")
    tools = [part["tool"] for part in record.parts if part["kind"] == "step"]
    assert tools == ["transfer_to_agent", "run_python"] and "channel" in said(record)
    made.set_mode(key, "direct")
    again = ask(made, key, "as a bar chart")
    assert made.store.results.get(key.user_id, result_ids(again)[0]) is not None


def test_two_datasets_by_name(assistant: Open) -> None:
    import io

    made = assistant()
    key = with_sample(made)
    made.upload(key, "staff.csv", io.BytesIO(b"name,salary\nAnn,100\nBob,300\n"))
    assert "400" in said(ask(made, key, "total salary"))
    assert "6,000" in said(ask(made, key, "number of rows in the orders table"))


def test_sessions_in_memory_leave_nothing_behind(assistant: Open, tmp_path: Path) -> None:
    made = assistant(persistent=False)
    key = with_sample(made)
    ask(made, key, "total revenue by region")
    assert "channel" in said(ask(made, key, "and by channel?"))
    home = made.store.home
    assert home.exists() and home != tmp_path / "home"
    assistant(persistent=False)
    assert not home.exists() and not (tmp_path / "home").exists()


def test_no_data_is_said(assistant: Open) -> None:
    made = assistant()
    record = ask(made, made.new_session("ann"), "total revenue")
    assert "no data" in said(record)


def test_a_lost_table_file_is_an_error_not_an_answer(assistant: Open) -> None:
    made = assistant()
    key = with_sample(made)
    made.pool.kill(key.session_id)
    made.datasets(key)[0].table_path.unlink()
    record = ask(made, key, "total revenue")
    assert result_ids(record) == [] and "could not be computed" in said(record)


@pytest.fixture
def local_model() -> Iterator[OpenAIServer]:
    server = OpenAIServer(
        {"tool_calls": [("query", {"measure": "revenue", "aggregate": ["mean"]})]},
        {"content": "About a hundred."},
    )
    yield server
    server.close()


def test_an_openai_compatible_server_answers_with_tools(
    assistant: Open, local_model: OpenAIServer, orders: pd.DataFrame
) -> None:
    made = assistant(model_url=local_model.url, model="local")
    record = ask(made, with_sample(made), "average revenue")
    assert (record.status, said(record)) == ("completed", "About a hundred.")
    result = made.store.results.get(record.key.user_id, result_ids(record)[0])
    assert result is not None
    assert result.output["table"]["rows"][0][0] == pytest.approx(orders["revenue"].mean())
    assert any(message["role"] == "tool" for message in local_model.requests[1]["messages"])


def test_a_server_that_is_not_there_is_a_network_error(assistant: Open) -> None:
    made = assistant(model_url="http://127.0.0.1:9/v1", model="local")
    record = ask(made, with_sample(made), "average revenue")
    assert record.error is not None and record.error["kind"] == "network"


def test_the_model_that_answered_is_stored_with_the_turn(assistant: Open) -> None:
    made = assistant()
    assert ask(made, with_sample(made), "total revenue").model == "built-in planner"


def test_a_question_that_cannot_be_taken_is_refused(assistant: Open) -> None:
    made = assistant()
    key = with_sample(made)
    with pytest.raises(TurnRefused, match="Type a question"):
        made.turns.start(key, " \n ")
    with pytest.raises(TurnRefused, match="no longer exists"):
        made.turns.start(SessionKey(key.app_name, key.user_id, "gone"), "total revenue")
    assert made.store.turns.for_session(key) == [] and made.turns.running(key) is None


def test_a_turn_that_cannot_be_stored_is_told_and_ends(
    assistant: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(turn: TurnRecord, *, patient: bool = False) -> None:
        raise StoreUnavailable("The disk is full.")

    made = assistant()
    key = with_sample(made)
    monkeypatch.setattr(made.store.turns, "save", full)
    running = made.turns.start(key, "total revenue")
    while not running.done:
        assert running.wait(running.version, 30)
    assert running.record.status == "failed" and made.turns.running(key) is None
    assert running.record.error is not None
    assert (running.record.error["kind"], running.record.error["message"]) == ("store", "The disk is full.")


SLOW_CHILD = """
import sys
from pathlib import Path
from agents.assistant import start
from agents.settings import Settings
from tests.agents.conftest import with_gemini, with_sample
from tests.servers.gemini import GeminiServer, Slow, text
server = GeminiServer(Slow([[text(f"word{i} ")] for i in range(200)], 0.1))
made = start(Settings.model_validate({"home": Path(sys.argv[1])} | with_gemini(server)))
key = with_sample(made)
running = made.turns.start(key, "a long story")
print(key.session_id, flush=True)
while not running.done:
    running.wait(running.version, 60)
"""


@pytest.mark.slow
def test_kill_9_in_the_middle_leaves_the_turn_interrupted_with_what_was_said(
    assistant: Open, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    child = subprocess.Popen(
        [sys.executable, "-c", SLOW_CHILD, str(home)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=ROOT,
    )
    assert child.stdout is not None
    key = SessionKey("agents", "ann", child.stdout.readline().strip())
    deadline = time.monotonic() + 30
    watcher = Store(home)
    while time.monotonic() < deadline:
        turns = watcher.turns.for_session(key)
        if turns and any("word3" in part.get("text", "") for part in turns[0].parts):
            break
        time.sleep(0.05)
    made_beside = watcher.turns.for_session(key)[0]
    assert made_beside.status == "running"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    watcher.close()
    made = assistant()
    (turn,) = made.store.turns.for_session(key)
    assert turn.status == "interrupted" and "word0" in said(turn)
    running = made.turns.retry(key.user_id, turn.id)
    while not running.done:
        assert running.wait(running.version, 30)
    assert [t.status for t in made.store.turns.for_session(key)] == ["interrupted", "completed"]


def test_a_turn_of_a_living_process_is_not_called_interrupted(assistant: Open) -> None:
    made = assistant()
    key = with_sample(made)
    record = made.store.turns.start(key, "question", "direct", "", made._owner.name)
    assert made.store.turns.interrupt_dead(made._owner.folder_id, made._owner.alive()) == 0
    assert made.store.turns.interrupt_dead(made._owner.folder_id, {"someone else"}) == 1
    stored = made.store.turns.get(record.key.user_id, record.id)
    assert stored is not None and stored.status == "interrupted"

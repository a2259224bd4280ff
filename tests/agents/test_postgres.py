"""Servers that share a PostgreSQL database, and one whose database goes away for a while."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from agents.turns import TurnRefused
from storage.errors import StoreUnavailable
from storage.keys import SessionKey
from storage.turns import LEASE_SECONDS, TurnRecord
from tests.agents.conftest import Open, ask, result_ids, said, with_gemini, with_sample
from tests.conftest import ROOT
from tests.servers.gemini import GeminiServer, Slow, text
from tests.servers.postgres import PostgresServer, postgres

AWAY_SECONDS = 10

OTHER_SERVER = """
import sys
from pathlib import Path
from agents.assistant import start
from agents.settings import Settings
from tests.agents.conftest import with_gemini, with_sample
from tests.servers.gemini import GeminiServer, Slow, text
gemini = GeminiServer(Slow([[text(f"word{i} ")] for i in range(600)], 0.1))
made = start(Settings.model_validate(
    {"home": Path(sys.argv[1]), "database_url": sys.argv[2]} | with_gemini(gemini)))
key = with_sample(made)
running = made.turns.start(key, "a long story")
print(key.session_id, flush=True)
while not running.done:
    running.wait(running.version, 60)
print(running.record.status, flush=True)
made.close()
gemini.close()
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PostgresServer]:
    with postgres(tmp_path / "postgres") as started:
        yield started


@pytest.fixture
def other(tmp_path: Path, server: PostgresServer) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Starts another server process, which answers slowly in a conversation of ann's."""
    started: list[subprocess.Popen[str]] = []

    def start(url: str) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-c", OTHER_SERVER, str(tmp_path / "home"), url],
            stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        started.append(child)
        return child

    yield start
    for child in started:
        child.kill()
        child.communicate()


def last_turn(made: object, key: SessionKey) -> TurnRecord:
    turns = made.store.turns.for_session(key)  # type: ignore[attr-defined]
    return turns[-1]  # type: ignore[no-any-return]


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.1)


@pytest.mark.slow
def test_two_servers_share_conversations_and_one_turn_runs_once(
    assistant: Open, server: PostgresServer, other: Callable[[str], subprocess.Popen[str]]
) -> None:
    url = server.url()
    made = assistant(database_url=SecretStr(url))
    child = other(url)
    assert child.stdout is not None
    key = SessionKey("agents", "ann", child.stdout.readline().strip())
    listed = made.store.conversations.page("agents", "ann").items
    assert [c.key for c in listed] == [key] and listed[0].title == "a long story"
    wait_until(lambda: "word3" in said(last_turn(made, key)))
    with pytest.raises(TurnRefused, match="still being made"):
        made.turns.start(key, "me too")
    made.turns.stop(key)
    assert child.stdout.readline().strip() == "stopped"
    child.wait(timeout=30)
    stopped = last_turn(made, key)
    assert stopped.status == "stopped" and "word3" in said(stopped)
    assert ask(made, key, "total revenue by region").status == "completed"


@pytest.mark.slow
def test_a_killed_servers_turn_is_free_once_its_lease_lapsed(
    assistant: Open, server: PostgresServer, other: Callable[[str], subprocess.Popen[str]]
) -> None:
    url = server.url()
    made = assistant(database_url=SecretStr(url))
    child = other(url)
    assert child.stdout is not None
    key = SessionKey("agents", "ann", child.stdout.readline().strip())
    wait_until(lambda: "word3" in said(last_turn(made, key)))
    child.send_signal(signal.SIGKILL)
    assert last_turn(made, key).status == "running", "nobody can know yet"
    wait_until(lambda: last_turn(made, key).status == "interrupted", LEASE_SECONDS + 10)
    assert "word3" in said(last_turn(made, key))
    assert ask(made, key, "total revenue by region").status == "completed"


@pytest.mark.slow
def test_a_database_that_is_away_for_ten_seconds_loses_nothing(
    assistant: Open, server: PostgresServer, gemini: Callable[..., GeminiServer]
) -> None:
    words = [[text(f"word{i} ")] for i in range(30)]
    made = assistant(
        database_url=SecretStr(server.url()), **with_gemini(gemini(Slow(words, 0.1), [[text("Second.")]]))
    )
    key = with_sample(made)
    running = made.turns.start(key, "a story")
    wait_until(lambda: "word3" in said(running.record))
    server.stop()
    away = time.monotonic()
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        made.conversation(key.user_id, key.session_id)
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        made.store.conversations.page(key.app_name, key.user_id)
    assert "nothing is lost" in made.store.database.trouble
    time.sleep(max(0, AWAY_SECONDS - (time.monotonic() - away)))
    assert not running.done, "the answer waits for the database"
    server.start()
    wait_until(lambda: running.done, 40)
    stored = last_turn(made, key)
    assert stored.status == "completed" and said(stored).split() == [f"word{i}" for i in range(30)]
    assert ask(made, key, "and then?").status == "completed"
    assert made.store.database.trouble == ""
    found = made.conversation(key.user_id, key.session_id)
    assert found is not None and found.turn_count == 2
    session = made.store.database_sessions.get_session_sync(
        app_name=key.app_name, user_id=key.user_id, session_id=key.session_id
    )
    assert session is not None and len(session.events) == 4


def test_the_whole_app_answers_on_postgres(assistant: Open, server: PostgresServer) -> None:
    made = assistant(database_url=SecretStr(server.url(superuser=True)))
    key = with_sample(made)
    record = ask(made, key, "total revenue by region")
    assert record.status == "completed" and len(result_ids(record)) == 1
    copy = made.duplicate_session(key)
    assert said(last_turn(made, copy)) == said(record)
    assert [c.key for c in made.store.conversations.page("agents", "ann", query="revenue").items] == [
        copy,
        key,
    ]

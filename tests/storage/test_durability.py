"""Kills, several processes, damaged and newer files: nothing acknowledged is lost, nothing overwritten."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from storage.database import Connection
from storage.errors import StoreUnavailable
from storage.keys import SessionKey
from storage.sqlite import SqliteDatabase
from storage.store import Store
from tests.conftest import ROOT

WRITER = """
import asyncio, sys
from google.adk.events.event import Event
from google.adk.events.event_actions import EventActions
from storage.sessions import DatabaseSessionService
service = DatabaseSessionService(sys.argv[1])
async def main():
    session = await service.create_session(app_name="app", user_id=sys.argv[2])
    for number in range(int(sys.argv[3])):
        await service.append_event(session, Event(
            author="user", invocation_id="i", actions=EventActions(state_delta={"n": number})))
        print(number, flush=True)
asyncio.run(main())
service.close()
"""


def writer(path: Path, user: str, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), user, str(count)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@pytest.mark.slow
def test_killed_at_random_moments_every_acknowledged_event_is_there(tmp_path: Path) -> None:
    chance = random.Random(7)
    path = tmp_path / "s.sqlite3"
    for attempt in range(8):
        child = writer(path, f"u{attempt}", 100_000)
        assert child.stdout is not None
        acknowledged = [int(child.stdout.readline())]
        time.sleep(chance.random() * 0.2)
        child.send_signal(signal.SIGKILL)
        acknowledged += [int(line) for line in child.stdout.read().splitlines()]
        child.stdout.close()
        child.wait()
        with sqlite3.connect(path) as direct:
            count, state = direct.execute(
                "SELECT (SELECT count(*) FROM adk_events e WHERE e.session_key = s.key),"
                " (SELECT value FROM adk_state t WHERE t.session_key = s.key)"
                " FROM adk_sessions s WHERE user_id = ?",
                (f"u{attempt}",),
            ).fetchone()
            assert direct.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        direct.close()
        assert count > acknowledged[-1]
        assert int(state) == count - 1, "log and state agree"


@pytest.mark.slow
def test_three_processes_on_one_file_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite3"
    SqliteDatabase(path).close()
    children = [writer(path, f"u{n}", 150) for n in range(3)]
    for child in children:
        child.communicate(timeout=60)
        assert child.returncode == 0
    with sqlite3.connect(path) as direct:
        assert direct.execute("SELECT count(*) FROM adk_events").fetchone() == (450,)
    direct.close()


def test_journal_and_foreign_keys_are_really_on(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "s.sqlite3")
    for run in (database.read, database.write):
        found = run(
            lambda c: [c.execute(f"PRAGMA {p}").fetchone()[0] for p in ("journal_mode", "foreign_keys")],
            user=None,
        )
        assert found == ["wal", 1]
    database.close()


def test_migrations_are_safe_twice(tmp_path: Path) -> None:
    for _ in range(2):
        database = SqliteDatabase(tmp_path / "s.sqlite3")
        versions = database.read(
            lambda c: c.execute("SELECT version FROM schema_version").fetchall(), user=None
        )
        assert [row[0] for row in versions] == [1, 2]
        database.close()


def test_a_newer_file_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite3"
    SqliteDatabase(path).close()
    with sqlite3.connect(path) as direct:
        direct.execute("INSERT INTO schema_version VALUES (99, 0)")
    direct.close()
    before = path.read_bytes()
    with pytest.raises(StoreUnavailable, match="newer version"):
        SqliteDatabase(path)
    assert path.read_bytes() == before


def test_a_damaged_file_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite3"
    path.write_bytes(b"this is no database, but it is somebody's file" * 100)
    before = path.read_bytes()
    with pytest.raises(StoreUnavailable, match="not a database"):
        SqliteDatabase(path)
    assert path.read_bytes() == before


def test_a_home_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("not a folder")
    with pytest.raises(StoreUnavailable, match="ASSISTANT_HOME"):
        Store(tmp_path / "home")


def test_a_failed_write_undoes_all_of_it(tmp_path: Path) -> None:
    store = Store(tmp_path)
    key = SessionKey("a", "u", "s")
    store.conversations.ensure(key)

    def fail(connection: Connection) -> None:
        connection.execute("UPDATE adk_sessions SET title = 'half'")
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        store.database.write(fail, user=None)
    found = store.conversations.get(key)
    assert found is not None and found.title == ""
    store.close()

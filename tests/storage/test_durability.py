"""Kills, several processes, damaged and newer files: nothing acknowledged is lost, nothing overwritten."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from storage.database import Connection, migrations
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


# Imports once and forks the writers, so that two hundred of them take seconds.
KILLER = """
import asyncio, os, random, select, signal, sys, time
from google.adk.events.event import Event
from google.adk.events.event_actions import EventActions
from storage.sessions import DatabaseSessionService
path, kills = sys.argv[1], int(sys.argv[2])
chance = random.Random(7)

async def write(user, pipe):
    service = DatabaseSessionService(path)
    session = await service.create_session(app_name="app", user_id=user)
    number = 0
    while True:
        delta = {"n": number, "user:n": number, f"k{number % 7}": "x" * (number % 900)}
        await service.append_event(session, Event(
            author="user", invocation_id="i", actions=EventActions(state_delta=delta)))
        os.write(pipe, b"%d\\n" % number)
        number += 1

for attempt in range(kills):
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            asyncio.run(write(f"u{attempt}", writing))
        finally:
            os._exit(1)
    os.close(writing)
    acknowledged = b""
    if attempt % 4:
        acknowledged = os.read(reading, 4096)
    time.sleep(chance.random() * 0.04)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while data := os.read(reading, 65536):
        acknowledged += data
    os.close(reading)
    lines = acknowledged.split(b"\\n")[:-1]
    print(attempt, len(lines), flush=True)
"""


@pytest.mark.slow
def test_killed_at_200_random_moments_every_acknowledged_event_is_there(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite3"
    SqliteDatabase(path).close()
    command = [sys.executable, "-c", KILLER, str(path), "200"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    answer = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=110, check=True
    )
    lines = [line.split() for line in answer.stdout.splitlines()]
    acknowledged = {int(attempt): int(count) for attempt, count in lines}
    assert len(acknowledged) == 200 and sum(count > 0 for count in acknowledged.values()) > 100
    with sqlite3.connect(path) as direct:
        assert direct.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert direct.execute("PRAGMA foreign_key_check").fetchall() == []
        rows = direct.execute(
            "SELECT s.user_id, s.revision, (SELECT count(*) FROM adk_events e WHERE e.session_key = s.key),"
            " (SELECT value FROM adk_state t WHERE t.session_key = s.key AND name = 'n'),"
            " (SELECT value FROM adk_state t WHERE t.user_id = 'u:' || s.user_id AND name = 'n')"
            " FROM adk_sessions s"
        ).fetchall()
    direct.close()
    stored = {int(user[1:]): count for user, _, count, _, _ in rows}
    for user, revision, count, own, of_user in rows:
        assert revision == count, user
        assert own == of_user == (None if count == 0 else str(count - 1)), "log and state agree"
    for attempt, count in acknowledged.items():
        assert count <= stored.get(attempt, 0) <= count + 1


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
        assert [row[0] for row in versions] == [1, 2, 3]
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


FULL = """
import asyncio, resource, signal, sys
from google.adk.events.event import Event
from google.genai import types
from storage.database import migrations
from storage.errors import StoreUnavailable
from storage.sessions import DatabaseSessionService
service = DatabaseSessionService(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

def event(number):
    part = types.Part(text=f"{number} " + "x" * 20_000)
    return Event(author="user", invocation_id="i", content=types.Content(parts=[part]))

async def main():
    session = await service.create_session(app_name="app", user_id="u", session_id="s")
    stored = 0
    try:
        while True:
            await service.append_event(session, event(stored))
            stored += 1
    except StoreUnavailable as error:
        assert "space" in str(error), error
    found = await service.get_session(app_name="app", user_id="u", session_id="s")
    assert len(found.events) == len(session.events) == stored > 10
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await service.append_event(session, event("there is space again"))
    print(stored + 1)
asyncio.run(main())
service.close()
"""


def test_a_full_disk_is_said_loses_nothing_and_heals(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite3"
    command = [sys.executable, "-c", FULL, str(path), "3000000"]
    answer = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert answer.returncode == 0, answer.stderr
    with sqlite3.connect(path) as direct:
        assert direct.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert direct.execute("SELECT count(*) FROM adk_events").fetchone() == (int(answer.stdout),)
    direct.close()


def test_a_file_that_cannot_be_written_is_said_and_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite3"
    SqliteDatabase(path).close()
    before = path.read_bytes()
    locked = sqlite3.connect(path, isolation_level=None)
    locked.execute("PRAGMA journal_mode = DELETE")
    locked.close()
    # Root may write any file, so the folder is what refuses: the log cannot be made in it.
    (tmp_path / "s.sqlite3-wal").mkdir()
    with pytest.raises(StoreUnavailable, match="cannot be used"):
        SqliteDatabase(path)
    (tmp_path / "s.sqlite3-wal").rmdir()
    SqliteDatabase(path).close()
    assert len(path.read_bytes()) == len(before)


def test_a_page_that_is_damaged_is_found_and_nothing_is_written_over_it(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite3"
    database = SqliteDatabase(path)
    database.write(
        lambda c: [
            c.execute(
                "INSERT INTO datasets VALUES (?, 'u', ?, 1, '', '', 0, ?)", (str(n), f"n{n}", "x" * 3000)
            )
            for n in range(200)
        ],
        user=None,
    )
    database.close()
    content = bytearray(path.read_bytes())
    place = content.find(b"x" * 2000) // 4096 * 4096
    content[place : place + 4096] = b"\xff" * 4096
    path.write_bytes(bytes(content))
    damaged = SqliteDatabase(path)
    assert damaged.check() != []
    with pytest.raises(StoreUnavailable, match=r"malformed|corrupt"):
        damaged.read(lambda c: c.execute("SELECT sum(length(record)) FROM datasets").fetchone(), user=None)
    damaged.close()
    assert b"\xff" * 4096 in path.read_bytes()


def test_results_stored_before_code_was_run_stay_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite3"
    with sqlite3.connect(path) as direct:
        direct.execute(
            "CREATE TABLE schema_version (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL)"
        )
        for number, script in migrations("sqlite")[:2]:
            direct.executescript(script)
            direct.execute("INSERT INTO schema_version VALUES (?, 0)", (number,))
        direct.execute(
            "INSERT INTO adk_sessions (app_name, user_id, id, created_at, updated_at) VALUES"
            " ('a', 'u', 's', 0, 0)"
        )
        direct.execute("INSERT INTO results VALUES ('r', 1, 1, 'i', 'table', 0, '{}')")
    direct.close()
    database = SqliteDatabase(path)
    rows = database.read(lambda c: c.execute("SELECT * FROM results").fetchall(), user=None)
    assert [tuple(row) for row in rows] == [("r", 1, 1, "i", "table", 0.0, "{}", None, None)]
    database.write(lambda c: c.execute("DELETE FROM adk_sessions").rowcount, user=None)
    assert database.read(lambda c: c.execute("SELECT * FROM results").fetchall(), user=None) == []
    database.close()

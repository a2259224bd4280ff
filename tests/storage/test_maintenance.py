"""`python -m storage` on real files and a real server."""

import asyncio
import json
import os
import random
import re
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path

import psycopg
import pytest
from google.adk.events.event import Event
from google.genai import types

from storage.__main__ import COMMANDS
from storage.database import open_database
from storage.keys import SessionKey
from storage.sessions import DatabaseSessionService
from storage.store import Store
from tests.conftest import ROOT
from tests.storage.maintain import fail, maintain, succeed

APP = "app"
APPENDER = """
import asyncio, sys
from google.adk.events.event import Event
from google.adk.events.event_actions import EventActions
from storage.sessions import DatabaseSessionService
service = DatabaseSessionService(sys.argv[1])
async def main():
    session = await service.create_session(app_name="app", user_id="u", session_id="busy")
    for number in range(100_000):
        await service.append_event(session, Event(
            author="user", invocation_id="i", actions=EventActions(state_delta={"n": number})))
        print(number, flush=True)
asyncio.run(main())
"""


def said(text: str) -> Event:
    content = types.Content(role="user", parts=[types.Part(text=text)])
    return Event(author="user", invocation_id="i", content=content)


def fill(url: str, *sessions: str, size: int = 10) -> None:
    asyncio.run(_fill(url, sessions, size))


async def _fill(url: str, sessions: tuple[str, ...], size: int) -> None:
    service = DatabaseSessionService(url)
    for session_id in sessions:
        session = await service.create_session(
            app_name=APP, user_id="u", session_id=session_id, state={"a": 1, "user:b": 2}
        )
        await service.append_event(session, said("x" * size))
    service.close()


def ids(url: str) -> list[str]:
    service = DatabaseSessionService(url)
    found = asyncio.run(service.list_sessions(app_name=APP))
    service.close()
    return sorted(session.id for session in found.sessions)


def place(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def test_stats_count_by_status(url: str) -> None:
    fill(url, "s1", "s2", "s3")
    database = open_database(url)
    from storage.conversations import Conversations

    conversations = Conversations(database)
    conversations.set_status(SessionKey(APP, "u", "s2"), "completed")
    conversations.set_expiry(SessionKey(APP, "u", "s3"), 0)
    database.close()
    found = json.loads(succeed("--url", url, "stats", "--json"))
    assert found.pop("size_mb") > 0.01
    assert found == {
        "sessions": 3,
        "events": 3,
        "state_keys": 4,
        "sessions_by_status": {"active": 1, "completed": 1, "expired": 1},
    }
    line = succeed("--url", url, "stats")
    assert line.startswith("3 sessions (1 active, 1 completed, 1 expired), 3 events, 4 state keys, ")
    assert line.count("\n") == 1


@pytest.mark.parametrize("command", [["stats"], ["vacuum"], ["check"], ["backup", "b"]])
def test_nothing_is_made_where_no_database_is(url: str, command: list[str], tmp_path: Path) -> None:
    assert "There is no database of this app at " in fail("--url", url, *command)
    assert not list(tmp_path.iterdir())
    if url.startswith("postgresql"):
        with psycopg.connect(url) as connection:
            found = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'assistant'").fetchone()
            assert found is None


def test_the_home_is_where_it_works_without_a_url(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert str(home / "assistant.sqlite3") in fail("stats", home=home)
    succeed("migrate", home=home)
    assert str(home / "assistant.sqlite3") in succeed("stats", home=home)


def test_the_environment_names_the_database(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    open_database(url).close()
    from storage.__main__ import main

    monkeypatch.setenv("DATABASE_URL", url)
    assert main(["check"]) == 0


@pytest.mark.parametrize("arguments", [[], ["fly"], ["backup"], ["stats", "extra"]])
def test_mistyped_commands_end_with_2(arguments: list[str]) -> None:
    code, output, errors = maintain(*arguments)
    assert (code, output) == (2, "") and "usage: python -m storage" in errors


def test_another_kind_of_database_is_said() -> None:
    assert "not a mysql URL" in fail("--url", "mysql://u:secret@h/d", "stats")


def test_a_server_that_is_away_is_said_without_its_password() -> None:
    sentence = fail("--url", "postgresql://u:secret@127.0.0.1:1/d", "stats")
    assert "127.0.0.1/d" in sentence and "secret" not in sentence


def test_vacuum_gives_space_back(url: str) -> None:
    fill(url, *[f"s{n}" for n in range(40)], size=50_000)
    database = open_database(url)
    database.write(lambda c: c.execute("DELETE FROM adk_sessions").rowcount, user=None)
    database.close()
    before, after = map(float, re.findall(r"[\d.]+(?= MB)", succeed("--url", url, "vacuum")))
    assert after < before / 2 if url.startswith("sqlite") else after < before
    assert json.loads(succeed("--url", url, "stats", "--json"))["sessions"] == 0


def test_a_backup_comes_back(url: str, empty_url: str, tmp_path: Path) -> None:
    copy = tmp_path / "a copy #1?.bak"
    fill(url, "s1", "s2")
    assert str(copy) in succeed("--url", url, "backup", copy)
    assert "exists already" in fail("--url", url, "backup", copy)
    assert "There is no folder" in fail("--url", url, "backup", tmp_path / "none" / "copy")
    assert "2 sessions, 2 events" in succeed("--url", empty_url, "restore", copy)
    assert ids(empty_url) == ["s1", "s2"]
    assert sorted(p.name for p in tmp_path.glob("*.bak*")) == [copy.name]


def test_restore_replaces_only_when_told(url: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    fill(url, "old")
    succeed("--url", url, "backup", copy)
    fill(url, "new")
    assert "--replace" in fail("--url", url, "restore", copy)
    assert ids(url) == ["new", "old"]
    succeed("--url", url, "restore", "--replace", copy)
    assert ids(url) == ["old"]
    fill(url, "newer")


def test_a_damaged_or_foreign_backup_changes_nothing(url: str, tmp_path: Path) -> None:
    copy, bad = tmp_path / "copy", tmp_path / "bad"
    fill(url, *[f"s{n}" for n in range(5)], size=5_000)
    succeed("--url", url, "backup", copy)
    whole = copy.read_bytes()
    chance = random.Random(3)
    third = len(whole) // 3
    noise = bytes(chance.randrange(256) for _ in range(third))
    for content in (
        b"", b"some text", whole[:third], whole[:-4_500], whole[:third] + noise + whole[2 * third :],
    ):  # fmt: skip
        bad.write_bytes(content)
        assert str(bad) in fail("--url", url, "restore", "--replace", bad)
    assert "no file" in fail("--url", url, "restore", "--replace", tmp_path / "missing")
    assert len(ids(url)) == 5
    succeed("--url", url, "check")


def test_a_backup_of_another_version_changes_nothing(url: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    fill(url, "s")
    succeed("--url", url, "backup", copy)
    if url.startswith("sqlite"):
        direct = sqlite3.connect(copy)
        direct.execute("INSERT INTO schema_version VALUES (99, 0)")
        direct.commit()
        direct.close()
    else:
        with zipfile.ZipFile(copy) as file:
            content = {name: file.read(name) for name in file.namelist()}
        content["schema_version.copy"] += b"99\t0\n"
        with zipfile.ZipFile(copy, "w") as file:
            for name, data in content.items():
                file.writestr(name, data)
    fill(url, "later")
    assert re.search("newer version|another version", fail("--url", url, "restore", "--replace", copy))
    assert ids(url) == ["later", "s"]


@pytest.mark.parametrize("table", ["sessions", "schema_version"])
def test_files_of_other_programs_are_left_alone(table: str, tmp_path: Path) -> None:
    other, store = tmp_path / "other.db", tmp_path / "store.sqlite3"
    direct = sqlite3.connect(other)
    direct.execute(f"CREATE TABLE {table} (version INTEGER)")
    direct.execute(f"INSERT INTO {table} VALUES (2)")
    direct.commit()
    direct.close()
    before = other.read_bytes()
    for command in (["stats"], ["check"], ["migrate"], ["sweep"], ["restore", "x"], ["vacuum"]):
        assert "another program" in fail("--url", other, *command)
    assert "another program" in fail("--url", store, "restore", other)
    assert other.read_bytes() == before and not store.exists()


def test_the_store_is_no_backup_of_itself(path: Path) -> None:
    fill(str(path), "s")
    assert "the store itself" in fail("--url", path, "restore", "--replace", path)
    assert ids(str(path)) == ["s"]


def test_check_says_what_is_damaged(path: Path) -> None:
    fill(str(path), *[f"s{n}" for n in range(30)], size=20_000)
    assert "is whole" in succeed("--url", path, "check")
    direct = sqlite3.connect(path)
    direct.execute("PRAGMA foreign_keys = OFF")
    direct.execute("DELETE FROM adk_sessions WHERE id = 's1'")
    direct.commit()
    direct.close()
    code, output, _ = maintain("--url", path, "check")
    assert code == 1 and "damaged: a row of adk_events refers to a missing row of adk_sessions" in output
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 50_000] = b"\xff" * 50_000
    path.write_bytes(content)
    code, output, _ = maintain("--url", path, "check")
    assert code == 1 and output.startswith("damaged: ")


def test_check_of_no_database_and_of_a_newer_one(path: Path) -> None:
    path.write_text("this is no database, but somebody's notes" * 100)
    before = path.read_bytes()
    assert "not a database" in fail("--url", path, "check")
    assert "move it away" in fail("--url", path, "restore", "--replace", path.with_name("b"))
    assert path.read_bytes() == before
    path.unlink()
    succeed("--url", path, "migrate")
    direct = sqlite3.connect(path)
    direct.execute("INSERT INTO schema_version VALUES (99, 0)")
    direct.commit()
    direct.close()
    for command in ("check", "stats", "migrate"):
        assert "newer version" in fail("--url", path, command)


def test_check_of_a_newer_server(postgres_url: str) -> None:
    succeed("--url", postgres_url, "migrate")
    with psycopg.connect(postgres_url) as connection:
        connection.execute("INSERT INTO assistant.schema_version VALUES (99, 0)")
    assert "newer version" in fail("--url", postgres_url, "check")


def test_migrate_says_from_where_to_where(path: Path, postgres_url: str) -> None:
    newest = len(list((ROOT / "storage/migrations/postgresql").glob("*.sql")))
    assert f"was made with schema {newest}" in succeed("--url", postgres_url, "migrate")
    assert f"has schema {newest} already" in succeed("--url", postgres_url, "migrate")
    first = (ROOT / "storage/migrations/sqlite/0001_start.sql").read_text()
    direct = sqlite3.connect(path)
    direct.execute("CREATE TABLE schema_version (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL)")
    direct.execute("INSERT INTO schema_version VALUES (1, 0)")
    direct.executescript(first)
    direct.close()
    newest = len(list((ROOT / "storage/migrations/sqlite").glob("*.sql")))
    assert f"from schema 1 to {newest}" in succeed("--url", path, "migrate")
    assert f"has schema {newest} already" in succeed("--url", path, "migrate")


def test_sweep_says_what_went(tmp_path: Path) -> None:
    store = Store(tmp_path)
    key = SessionKey(APP, "u", "old")
    for session_id in ("old", "empty"):
        store.conversations.ensure(SessionKey(APP, "u", session_id))
    store.conversations.rename(key, "said something")
    store.conversations.set_expiry(key, 0)
    store.database.write(lambda c: c.execute("UPDATE adk_sessions SET updated_at = 1").rowcount, user=None)
    store.close()
    leftover = tmp_path / "datasets" / "incoming-1"
    leftover.parent.mkdir(exist_ok=True)
    leftover.write_text("half")
    os.utime(leftover, (1, 1))
    assert succeed("sweep", home=tmp_path) == (
        "expired: 1, deleted expired: 0, deleted empty: 1, broken runs: 0, deleted files: 1\n"
    )
    assert not leftover.exists()


def test_sweep_on_a_server(url: str, tmp_path: Path) -> None:
    fill(url, "s")
    assert "expired: 0, deleted expired: 0" in succeed("--url", url, "sweep", home=tmp_path)


@pytest.mark.slow
def test_a_backup_under_load_is_of_one_moment(url: str, empty_url: str, tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", APPENDER, url],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert child.stdout is not None
    acknowledged = copied = int(child.stdout.readline())
    for number in range(3):
        copy = tmp_path / f"copy{number}"
        succeed("--url", url, "backup", copy)
        succeed("--url", empty_url, "restore", "--replace", copy)
        service = DatabaseSessionService(empty_url)
        session = service.get_session_sync(app_name=APP, user_id="u", session_id="busy")
        service.close()
        assert session is not None
        copied = len(session.events)
        assert copied > acknowledged and session.state["n"] == copied - 1
        assert "is whole" in succeed("--url", empty_url, "check")
    assert child.poll() is None, "it was writing all the while"
    child.kill()
    written = child.stdout.read().splitlines()
    child.stdout.close()
    child.wait()
    assert len(written) > copied - 1 - acknowledged


def test_commands_start_without_adk(path: Path) -> None:
    succeed("--url", path, "migrate")
    program = (
        "import sys; from storage.__main__ import main; main(sys.argv[1:]);"
        " assert 'google.adk' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program, "--url", str(path), "stats"], cwd=ROOT, check=False)
    assert done.returncode == 0


def test_every_command_is_in_the_readme() -> None:
    section = (ROOT / "README.md").read_text().split("## Maintenance\n")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `([a-z-]+)", section, re.MULTILINE)) == set(COMMANDS)
    code, output, _ = maintain("--help")
    assert code == 0 and set(COMMANDS) <= set(output.split())

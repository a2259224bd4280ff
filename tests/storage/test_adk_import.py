"""Files written by ADK's own session services, imported by the command into both databases."""

import asyncio
import json
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from google.adk.agents.llm_agent import LlmAgent
from google.adk.events.event import Event
from google.adk.events.event_actions import EventActions, EventCompaction
from google.adk.models.base_llm import BaseLlm
from google.adk.models.llm_request import LlmRequest
from google.adk.models.llm_response import LlmResponse
from google.adk.runners import Runner
from google.adk.sessions.database_session_service import DatabaseSessionService as AdkDatabaseService
from google.adk.sessions.schemas import v0
from google.adk.sessions.session import Session
from google.adk.sessions.sqlite_session_service import SqliteSessionService
from google.genai import types
from sqlalchemy import create_engine
from sqlalchemy.orm import Session as Orm

from storage.conversations import Conversations
from storage.database import open_database
from storage.keys import SessionKey
from storage.sessions import DatabaseSessionService
from storage.window import History
from tests.conftest import ROOT
from tests.storage.maintain import fail, maintain, succeed

APP = "app"
START = 1_750_000_000.25
ODD_STATE = {
    "sum": 0.1 + 0.2,
    "big": 2**70,
    "text": 'ä "q" \u2028 🙂',
    "none": None,
    "deep": {"a": [{"b": 1}]},
}


@pytest.fixture(params=["SqliteSessionService", "DatabaseSessionService"])
def kind(request: pytest.FixtureRequest) -> str:
    made: str = request.param
    return made


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "adk file #1.db"


def open_adk(kind: str, path: Path) -> Any:
    if kind == "SqliteSessionService":
        return SqliteSessionService(str(path))
    return AdkDatabaseService(f"sqlite+aiosqlite:///{path}")


@contextmanager
def ours(url: str) -> Iterator[DatabaseSessionService]:
    service = DatabaseSessionService(url)
    try:
        yield service
    finally:
        service.close()


async def close(service: Any) -> None:
    if isinstance(service, AdkDatabaseService):
        await service.close()


def turn(number: int, at: float) -> list[Event]:
    """A question, a call, its response and an answer, two of them at one moment."""
    usage = types.GenerateContentResponseUsageMetadata(prompt_token_count=70, total_token_count=100 + number)
    call = types.FunctionCall(id=f"c{number}", name="query", args={"by": "region", "x": 0.1 + 0.2})
    answer = types.FunctionResponse(id=f"c{number}", name="query", response={"rows": [1, None, "ä"]})
    delta = {"n": number, "user:seen": number, "app:all": number, "temp:gone": 1, "dropped": None}
    common: dict[str, Any] = {"invocation_id": f"i{number}"}
    return [
        Event(author="user", timestamp=at, content=said(f"question {number}"), **common),
        Event(
            author="agent", timestamp=at + 1, content=model(function_call=call),
            usage_metadata=usage, **common,
        ),
        Event(
            author="agent", timestamp=at + 1, content=model(function_response=answer),
            actions=EventActions(state_delta=delta, artifact_delta={"a.csv": 2}), **common,
        ),
        Event(author="agent", timestamp=at + 1, content=said(f"answer {number}"), usage_metadata=usage,
            **common),
    ]  # fmt: skip


def specials(at: float) -> list[Event]:
    compaction = EventCompaction(start_timestamp=START, end_timestamp=at, compacted_content=said("in short"))
    call = types.FunctionCall(id="slow", name="confirm", args={})
    return [
        Event(
            author="user", timestamp=at, invocation_id="r",
            actions=EventActions(rewind_before_invocation_id="i3"),
        ),
        Event(author="agent", timestamp=at, invocation_id="s", actions=EventActions(compaction=compaction)),
        Event(
            author="agent", timestamp=at, invocation_id="s", long_running_tool_ids={"slow"}, branch="a.b",
            content=model(function_call=call), custom_metadata={"k": [1]},
        ),
    ]  # fmt: skip


def model(**part: Any) -> types.Content:
    return types.Content(role="model", parts=[types.Part(**part)])


def said(text: str) -> types.Content:
    return types.Content(role="user", parts=[types.Part(text=text)])


async def write(service: Any, sessions: dict[tuple[str, str, str], list[Event]]) -> None:
    for (app, user, session_id), events in sessions.items():
        session = await service.create_session(
            app_name=app, user_id=user, session_id=session_id, state={"user:u": user, "app:v": 1, **ODD_STATE}
        )
        for event in events:
            await service.append_event(session, event.model_copy(deep=True))


def example() -> dict[tuple[str, str, str], list[Event]]:
    """Three users' sessions, one of them empty, one of another app."""
    long = [event for n in range(1, 6) for event in turn(n, START + n)]
    return {
        (APP, "u", "long"): [*long[:12], *specials(START + 4), *long[12:]],
        (APP, "v", "short"): turn(9, START - 1000),
        (APP, "v", "empty"): [],
        ("other", "u", "long"): turn(7, START),
    }


async def all_sessions(service: Any, keys: Any) -> list[Session]:
    found = [await service.get_session(app_name=a, user_id=u, session_id=s) for a, u, s in keys]
    assert all(found)
    return found


def dumped(events: list[Event]) -> list[dict[str, Any]]:
    return [event.model_dump(mode="json", exclude_none=True) for event in events]


def in_adks_order(kind: str, events: list[Event]) -> list[Event]:
    """DatabaseSessionService orders events of one moment by their ids."""
    if kind == "SqliteSessionService":
        return events
    return sorted(events, key=lambda event: (event.timestamp, event.id))


async def test_what_ours_reads_equals_what_adk_reads(kind: str, source: Path, url: str) -> None:
    adk = open_adk(kind, source)
    written = example()
    await write(adk, written)
    theirs = await all_sessions(adk, written)
    listed = (await adk.list_sessions(app_name=APP)).sessions
    state = await adk.get_user_state(app_name=APP, user_id="v")
    await close(adk)
    output = succeed("--url", url, "import-adk", source)
    assert output.startswith("4 sessions with 31 events imported; 0 sessions were here already; 0 events ")
    with ours(url) as service:
        for their, our, events in zip(
            theirs, await all_sessions(service, written), written.values(), strict=True
        ):
            assert dumped(in_adks_order(kind, our.events)) == dumped(their.events)
            ordered = sorted(events, key=lambda event: event.timestamp)
            assert [event.id for event in our.events] == [event.id for event in ordered]
            assert our.state == their.state
            assert our.last_update_time == their.last_update_time
        found = (await service.list_sessions(app_name=APP)).sessions
        assert [(s.user_id, s.id, s.state) for s in found] == [(s.user_id, s.id, s.state) for s in listed]
        assert await service.get_user_state(app_name=APP, user_id="v") == state


async def test_rows_and_windows_are_those_of_appended_events(
    kind: str, source: Path, url: str, empty_url: str
) -> None:
    written = example()
    adk = open_adk(kind, source)
    await write(adk, written)
    await close(adk)
    succeed("--url", url, "import-adk", source)
    with ours(empty_url) as appended:
        await write(appended, {k: sorted(v, key=lambda e: e.timestamp) for k, v in written.items()})
        want = await window(appended)
    with ours(url) as imported:
        assert await window(imported) == want
    assert "s" in want and want[-1] == "i5" and "i1" not in want
    for query in (
        "SELECT app_name, user_id, id, revision, status, mode, turn_count, total_tokens, title, metadata,"
        " expires_at FROM adk_sessions ORDER BY 1, 2, 3",
        "SELECT s.app_name, s.user_id, s.id, e.id, e.invocation_id, e.timestamp, e.marks"
        " FROM adk_events e JOIN adk_sessions s ON s.key = e.session_key ORDER BY 1, 2, 3, e.sequence",
        "SELECT scope, app_name, user_id, name, value FROM adk_state ORDER BY 1, 2, 3, 4, 5",
    ):
        assert select(url, query) == select(empty_url, query)


async def window(service: DatabaseSessionService) -> list[str]:
    found = await service.get_session(
        app_name=APP, user_id="u", session_id="long", config=History(questions=1)
    )
    assert found is not None
    return [event.invocation_id for event in found.events]


def select(url: str, query: str) -> list[tuple[Any, ...]]:
    database = open_database(url)
    rows = database.read(lambda c: c.execute(query).fetchall(), user=None)
    database.close()
    return [tuple(row) for row in rows]


async def test_search_times_and_counts(kind: str, source: Path, url: str) -> None:
    adk = open_adk(kind, source)
    before = time.time()
    await write(adk, example())
    after = time.time()
    await close(adk)
    succeed("--url", url, "import-adk", source)
    with ours(url) as service:
        page = await service.list_sessions_page(APP, "u", query="question 5")
        assert [item.key.session_id for item in page.items] == ["long"]
        assert before - 0.001 <= page.items[0].created_at <= after
        assert page.items[0].turn_count == 5 and page.items[0].total_tokens == 2 * (500 + 15)


class Echo(BaseLlm):
    """Answers with how many contents it was given."""

    async def generate_content_async(
        self, llm_request: LlmRequest, stream: bool = False
    ) -> AsyncGenerator[LlmResponse, None]:
        text = f"{len(llm_request.contents)} contents"
        yield LlmResponse(content=types.Content(role="model", parts=[types.Part(text=text)]))


async def test_a_turn_goes_on_in_an_imported_session(kind: str, source: Path, url: str) -> None:
    adk = open_adk(kind, source)
    await write(adk, {(APP, "u", "s"): turn(1, START)})
    await close(adk)
    succeed("--url", url, "import-adk", source)
    with ours(url) as service:
        runner = Runner(
            app_name=APP, agent=LlmAgent(name="agent", model=Echo(model="echo")), session_service=service
        )
        events = [
            e async for e in runner.run_async(user_id="u", session_id="s", new_message=said("and now?"))
        ]
        assert events[-1].content and events[-1].content.parts
        assert events[-1].content.parts[0].text == "5 contents"
        (session,) = await all_sessions(service, [(APP, "u", "s")])
        assert len(session.events) == 6
        found = Conversations(service._database).get(SessionKey(APP, "u", "s"))
        assert found is not None and found.turn_count == 2 and found.total_tokens == 202


async def test_twice_is_safe(kind: str, source: Path, url: str) -> None:
    adk = open_adk(kind, source)
    await write(adk, example())
    succeed("--url", url, "import-adk", source)
    with ours(url) as service:
        (session,) = await all_sessions(service, [(APP, "u", "long")])
        delta = {"user:u": "changed", "app:v": 2, "n": "newer"}
        await service.append_event(
            session, Event(author="user", invocation_id="x", actions=EventActions(state_delta=delta))
        )
        await write(adk, {(APP, "w", "late"): turn(3, START)})
        await close(adk)
        output = await asyncio.to_thread(succeed, "--url", url, "import-adk", source)
        assert output.startswith("1 sessions with 4 events imported; 4 sessions were here already")
        (kept,) = await all_sessions(service, [(APP, "u", "long")])
        assert dumped(kept.events) == dumped(session.events)
        assert kept.state == session.state and kept.state["user:u"] == "changed" and kept.state["app:v"] == 2


async def test_one_app_only(kind: str, source: Path, url: str) -> None:
    adk = open_adk(kind, source)
    await write(adk, example())
    await close(adk)
    assert f"no session of the app nope, but of: {APP}, other." in fail(
        "--url", url, "import-adk", source, "--app", "nope"
    )
    assert "There is no database" in fail("--url", url, "stats")
    assert "1 sessions with 4 events" in succeed("--url", url, "import-adk", source, "--app", "other")
    with ours(url) as service:
        assert await service.get_user_state(app_name=APP, user_id="u") == {}
        assert (await service.list_sessions(app_name=APP)).sessions == []


def change(path: Path, *statements: tuple[str, tuple[Any, ...]]) -> None:
    direct = sqlite3.connect(path)
    for statement, values in statements:
        assert direct.execute(statement, values).rowcount > 0, statement
    direct.commit()
    direct.close()


def event_data(path: Path, event_id: str) -> str:
    direct = sqlite3.connect(path)
    (data,) = direct.execute("SELECT event_data FROM events WHERE id = ?", (event_id,)).fetchone()
    direct.close()
    return str(data)


async def test_events_of_a_newer_adk_are_kept_whole(kind: str, source: Path, url: str) -> None:
    adk = open_adk(kind, source)
    events = turn(1, START)
    await write(adk, {(APP, "u", "s"): events})
    await close(adk)
    future = json.loads(event_data(source, events[1].id))
    future["actions"]["teleport"] = {"to": "the moon"}
    text = json.dumps(future, indent=1)
    change(source, ("UPDATE events SET event_data = ? WHERE id = ?", (text, events[1].id)))
    assert "1 events that this version of ADK cannot read whole were kept" in succeed(
        "--url", url, "import-adk", source
    )
    with ours(url) as service:
        (session,) = await all_sessions(service, [(APP, "u", "s")])
        assert [e.id for e in session.events] == [e.id for e in events]
        assert await service.get_event_count(app_name=APP, user_id="u", session_id="s") == 4
        stored = service._database.read(
            lambda c: c.execute("SELECT event_data FROM adk_events WHERE id = ?", (events[1].id,)).fetchone()[
                0
            ],
            user=None,
        )
        assert stored == text


async def test_broken_rows_are_said_and_cost_nothing_else(kind: str, source: Path, url: str) -> None:
    adk = open_adk(kind, source)
    names = ("cut", "blob", "list", "state", "time", "bytes", "spaced", "good")
    written = {(APP, "u", name): turn(1, START) for name in names}
    await write(adk, written)
    await close(adk)
    of = {name: written[APP, "u", name][2].id for name in names}
    event, session = (
        "UPDATE events SET event_data = ? WHERE id = ?",
        "UPDATE sessions SET {} = ? WHERE id = ?",
    )
    change(
        source,
        (event, ('{"cut', of["cut"])),
        (event, (b"\x80\x01", of["blob"])),
        (event, ("[]", of["list"])),
        ("UPDATE events SET event_data = CAST(x'7b22c328227d' AS TEXT) WHERE id = ?", (of["bytes"],)),
        (session.format("state"), ("nope", "state")),
        (session.format("update_time"), ("yesterday", "time")),
        ("INSERT INTO sessions SELECT app_name, user_id, ' spaced ', state, create_time, update_time"
         " FROM sessions WHERE id = ?", ("spaced",)),
        ("INSERT INTO events SELECT 'stray', app_name, user_id, 'gone', invocation_id, timestamp, event_data"
         " FROM events WHERE id = ?", (of["good"],)),
        ("UPDATE app_states SET state = ? WHERE app_name = ?", ("{", APP)),
    )  # fmt: skip
    code, output, errors = maintain("--url", url, "import-adk", source)
    assert code == 1
    assert output.startswith("6 sessions with 20 events imported;")
    assert "8 broken rows and 1 events of no session were left out" in output
    lines = errors.splitlines()
    assert len(lines) == 8 and sum("all users (app app)" in line for line in lines) == 1
    for name in names[:-1]:
        assert sum(f"session {name} " in line or f"session  {name} " in line for line in lines) == 1, errors
    with ours(url) as service:
        good, cut = await all_sessions(service, [(APP, "u", "good"), (APP, "u", "cut")])
    assert len(good.events) == 4 and len(cut.events) == 3


async def test_numbers_that_are_none_become_null(source: Path, url: str) -> None:
    adk = open_adk("DatabaseSessionService", source)
    event = Event(
        author="agent", invocation_id="i", output={"x": float("nan"), "y": 1.5},
        actions=EventActions(state_delta={"bad": float("inf")}),
    )  # fmt: skip
    await write(adk, {(APP, "u", "s"): [event, *turn(1, time.time() + 1)]})
    await close(adk)
    direct = sqlite3.connect(source)
    (state,) = direct.execute("SELECT state FROM sessions").fetchone()
    direct.close()
    assert "Infinity" in state, "no JSON, but what ADK wrote"
    succeed("--url", url, "import-adk", source)
    with ours(url) as service:
        (session,) = await all_sessions(service, [(APP, "u", "s")])
        assert session.state["bad"] is None and session.events[0].output == {"x": None, "y": 1.5}
        page = await service.list_sessions_page(APP, "u", query="question")
        assert len(page.items) == 1


def old_file(path: Path) -> None:
    """A file of DatabaseSessionService before its schema 1."""
    engine = create_engine(f"sqlite:///{path}")
    v0.Base.metadata.create_all(engine)
    session = Session(id="s", app_name=APP, user_id="u")
    event = Event(author="user", invocation_id="i", content=said("old"), timestamp=START)
    with Orm(engine) as orm:
        orm.add(v0.StorageAppState(app_name=APP, state={"v": 1}))
        orm.add(v0.StorageUserState(app_name=APP, user_id="u", state={"u": 1}))
        orm.add(v0.StorageSession(app_name=APP, user_id="u", id="s", state={"a": 1}))
        orm.flush()
        orm.add(v0.StorageEvent.from_event(session, event))
        orm.commit()
    engine.dispose()


def test_the_oldest_schema_goes_through_adks_own_migration(source: Path, path: Path) -> None:
    old_file(source)
    direct = sqlite3.connect(source)
    (actions,) = direct.execute("SELECT actions FROM events").fetchone()
    direct.close()
    assert pickle.loads(actions) is not None, "columns that JSON does not say all of"
    sentence = fail("--url", path, "import-adk", source)
    assert "adk migrate session --source_db_url sqlite:///" in sentence and not path.exists()
    new = source.with_name("new.db")
    program = [sys.executable, "-c", "from google.adk.cli import main; main()", "migrate", "session"]
    subprocess.run(
        [*program, "--source_db_url", f"sqlite:///{source}", "--dest_db_url", f"sqlite:///{new}"],
        check=True,
        capture_output=True,
    )
    succeed("--url", path, "import-adk", new)
    with ours(str(path)) as service:
        (session,) = asyncio.run(all_sessions(service, [(APP, "u", "s")]))
    assert session.state == {"a": 1, "user:u": 1, "app:v": 1} and len(session.events) == 1


def no_file(path: Path) -> None:
    path.unlink(missing_ok=True)


def text_file(path: Path) -> None:
    path.write_text("no database" * 1000)


def our_file(path: Path) -> None:
    open_database(str(path)).close()


def newer_adk(path: Path) -> None:
    asyncio.run(open_and_close(path))
    change(path, ("UPDATE adk_internal_metadata SET value = '2' WHERE key = ?", ("schema_version",)))


async def open_and_close(path: Path) -> None:
    adk = open_adk("DatabaseSessionService", path)
    await adk.create_session(app_name=APP, user_id="u")
    await adk.close()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (no_file, "is no file."),
        (text_file, "file is not a database"),
        (our_file, "is no file of ADK's session services."),
        (newer_adk, "has schema 2 of ADK's DatabaseSessionService"),
    ],
)
def test_other_files_are_refused(
    make: Callable[[Path], None], sentence: str, source: Path, path: Path
) -> None:
    make(source)
    assert sentence in fail("--url", path, "import-adk", source)
    assert not path.exists()


LOAD = """
import resource, sys
from storage.__main__ import main
code = main(["--url", sys.argv[1], "import-adk", sys.argv[2]])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
sys.exit(code)
"""


def enlarge(path: Path, count: int, size: int, sessions: int = 1) -> None:
    """Adds sessions of `count` events each to a file that ADK made."""
    content = {"parts": [{"text": "word " * (size // 5)}], "role": "user"}
    direct = sqlite3.connect(path)
    for number in range(sessions):
        direct.execute(
            "INSERT INTO sessions VALUES (?, 'u', ?, '{}', ?, ?)", (APP, f"big{number}", START, START)
        )
        direct.executemany(
            "INSERT INTO events (id, app_name, user_id, session_id, invocation_id, timestamp, event_data)"
            " VALUES (?, ?, 'u', ?, 'i', ?, ?)",
            (
                (f"e{n}", APP, f"big{number}", START + n, json.dumps({
                    "id": f"e{n}", "invocation_id": "i", "author": "user", "timestamp": START + n,
                    "content": content,
                }))
                for n in range(count)
            ),
        )  # fmt: skip
    direct.commit()
    direct.close()


@pytest.mark.slow
def test_a_long_session_needs_little_memory(source: Path, url: str) -> None:
    asyncio.run(write(open_adk("SqliteSessionService", source), {(APP, "u", "s"): turn(1, START)}))
    used: list[int] = []
    for count in (10, 20_000):
        change(source, ("DELETE FROM sessions WHERE id <> ?", ("s",))) if used else None
        change(source, ("DELETE FROM events WHERE session_id <> ?", ("s",))) if used else None
        enlarge(source, count, 5_000)
        done = subprocess.run(
            [sys.executable, "-c", LOAD, url, str(source)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        used.append(int(done.stdout.splitlines()[-1]))
        database = open_database(url)
        database.write(lambda c: c.execute("DELETE FROM adk_sessions").rowcount, user=None)
        database.close()
    assert source.stat().st_size > 100e6
    assert used[1] - used[0] < 40, used


@pytest.mark.slow
def test_killed_in_the_middle_and_run_again(source: Path, url: str) -> None:
    asyncio.run(write(open_adk("SqliteSessionService", source), {(APP, "u", "s"): turn(1, START)}))
    enlarge(source, 400, 100, sessions=40)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    child = subprocess.Popen(
        [sys.executable, "-m", "storage", "--url", url, "import-adk", str(source)], cwd=ROOT, env=environment
    )
    database = open_database(url)
    while (count := database.read(lambda c: c.execute("SELECT count(*) FROM adk_sessions").fetchone()[0],
                                  user=None)) < 5 and child.poll() is None:  # fmt: skip
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL and count < 41
    assert "sessions were here already" in succeed("--url", url, "import-adk", source)
    counts = database.read(
        lambda c: c.execute(
            "SELECT count(*), count(DISTINCT e.id), s.revision FROM adk_sessions s JOIN adk_events e"
            " ON e.session_key = s.key GROUP BY s.key, s.revision"
        ).fetchall(),
        user=None,
    )
    database.close()
    assert sorted(tuple(row) for row in counts) == [(4, 4, 4)] + [(400, 400, 400)] * 40

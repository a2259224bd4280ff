"""ADK's contract for a session service, and the failures of ADK's own services, on real files."""

import asyncio
import datetime as dt
import json
import random
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from google.adk.errors import StaleSessionError
from google.adk.errors.already_exists_error import AlreadyExistsError
from google.adk.errors.session_not_found_error import SessionNotFoundError
from google.adk.events.event import Event
from google.adk.events.event_actions import EventActions
from google.adk.sessions.base_session_service import GetSessionConfig
from google.adk.sessions.in_memory_session_service import InMemorySessionService
from google.adk.sessions.session import Session
from google.genai import types
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.database import Connection, open_database
from storage.event_cache import UNREAD_FIELDS
from storage.sessions import DatabaseSessionService
from storage.window import History

APP = "app"


def event(text: str = "hi", *, delta: dict[str, Any] | None = None, **fields: Any) -> Event:
    content = types.Content(role="user", parts=[types.Part(text=text)])
    actions = EventActions(state_delta=delta or {})
    return Event(author="user", invocation_id="i", content=content, actions=actions, **fields)


def texts(session: Session | None) -> list[str]:
    assert session is not None
    return [e.content.parts[0].text or "" for e in session.events if e.content and e.content.parts]


async def get(service: Any, session_id: str, user: str = "u", **config: Any) -> Session:
    found = await service.get_session(
        app_name=APP,
        user_id=user,
        session_id=session_id,
        config=GetSessionConfig(**config) if config else None,
    )
    assert found is not None
    return found  # type: ignore[no-any-return]


async def history(service: Any, session_id: str, questions: int) -> Session:
    found = await service.get_session(
        app_name=APP, user_id="u", session_id=session_id, config=History(questions=questions)
    )
    assert found is not None
    return found  # type: ignore[no-any-return]


async def test_events_and_state_survive_a_new_process(service: DatabaseSessionService, url: str) -> None:
    session = await service.create_session(app_name=APP, user_id="u", state={"a": 1, "user:b": 2, "app:c": 3})
    for number in range(5):
        await service.append_event(session, event(f"e{number}", delta={"n": number, "temp:t": 1}))
    assert session.state["temp:t"] == 1
    service.close()
    again = DatabaseSessionService(url)
    stored = await get(again, session.id)
    again.close()
    assert texts(stored) == [f"e{n}" for n in range(5)]
    assert stored.state == {"a": 1, "user:b": 2, "app:c": 3, "n": 4}
    assert "temp:t" not in stored.events[-1].actions.state_delta


async def test_scopes(service: DatabaseSessionService) -> None:
    first = await service.create_session(
        app_name=APP, user_id="u", state={"own": 1, "user:mine": 2, "app:all": 3}
    )
    same = await service.create_session(app_name=APP, user_id="u")
    other = await service.create_session(app_name=APP, user_id="v")
    foreign = await service.create_session(app_name="other", user_id="u")
    assert same.state == {"user:mine": 2, "app:all": 3}
    assert other.state == {"app:all": 3}
    assert foreign.state == {}
    assert await service.get_user_state(app_name=APP, user_id="u") == {"mine": 2}
    assert (await get(service, first.id)).state == {"own": 1, "user:mine": 2, "app:all": 3}


async def test_none_is_stored_and_update_keys_deletes(service: DatabaseSessionService) -> None:
    session = await service.create_session(app_name=APP, user_id="u", state={"a": 1, "d": {"x": 1}})
    await service.append_event(session, event(delta={"a": None, "d": {"y": 2}}))
    assert (await get(service, session.id)).state == {"a": None, "d": {"y": 2}}
    await service.update_keys(APP, "u", session.id, {"a": None, "z": 5})
    assert (await get(service, session.id)).state == {"d": {"y": 2}, "z": 5}


async def test_unknown_duplicate_and_padded_ids(service: DatabaseSessionService) -> None:
    assert await service.get_session(app_name=APP, user_id="u", session_id="none") is None
    assert service.get_stats()["sessions"] == 0
    made = await service.create_session(app_name=APP, user_id="u", session_id="  padded ")
    assert made.id == "padded"
    with pytest.raises(AlreadyExistsError):
        await service.create_session(app_name=APP, user_id="u", session_id="padded")
    assert (await get(service, " padded")).id == "padded"
    await service.delete_session(app_name=APP, user_id="u", session_id="none")
    await service.delete_session(app_name=APP, user_id="u", session_id="padded ")
    with pytest.raises(SessionNotFoundError):
        await service.append_event(made, event())


async def test_recent_events_and_after_timestamp(service: DatabaseSessionService, url: str) -> None:
    session = await service.create_session(app_name=APP, user_id="u")
    for number in range(10):
        await service.append_event(session, event(f"e{number}", timestamp=1000.0 + number))
    for reader in (service, DatabaseSessionService(url)):
        assert texts(await get(reader, session.id, num_recent_events=3)) == ["e7", "e8", "e9"]
        assert (await get(reader, session.id, num_recent_events=0)).events == []
        assert texts(await get(reader, session.id, after_timestamp=1008.0)) == ["e8", "e9"]
        assert texts(await get(reader, session.id, after_timestamp=1002.0, num_recent_events=1)) == ["e9"]
        assert len((await get(reader, session.id)).events) == 10
    reader.close()


async def test_list_is_oldest_updated_first_without_events(service: DatabaseSessionService) -> None:
    made = [await service.create_session(app_name=APP, user_id="u", session_id=f"s{n}") for n in range(3)]
    await service.append_event(made[0], event(delta={"k": 1}))
    listed = (await service.list_sessions(app_name=APP, user_id="u")).sessions
    assert [s.id for s in listed] == ["s1", "s2", "s0"]
    assert all(s.events == [] for s in listed) and listed[-1].state == {"k": 1}
    await service.create_session(app_name=APP, user_id="v")
    assert len((await service.list_sessions(app_name=APP)).sessions) == 4


async def test_partial_events_are_left_alone(service: DatabaseSessionService) -> None:
    session = await service.create_session(app_name=APP, user_id="u")
    await service.append_event(session, event(partial=True))
    assert session.events == [] and (await get(service, session.id)).events == []


@pytest.mark.parametrize("timestamps", [(5.0, 5.0), (5.0, 1.0)])
async def test_a_stale_writer_is_always_told(
    service: DatabaseSessionService, timestamps: tuple[float, float]
) -> None:
    session = await service.create_session(app_name=APP, user_id="u")
    one, two = await get(service, session.id), await get(service, session.id)
    outcomes = await asyncio.gather(
        service.append_event(one, event("one", timestamp=timestamps[0])),
        service.append_event(two, event("two", timestamp=timestamps[1])),
        return_exceptions=True,
    )
    assert sum(isinstance(o, StaleSessionError) for o in outcomes) == 1
    assert len((await get(service, session.id)).events) == 1


async def test_concurrent_appends_of_one_object_all_succeed_in_order(service: DatabaseSessionService) -> None:
    session = await service.create_session(app_name=APP, user_id="u")
    await asyncio.gather(*[service.append_event(session, event(f"e{n}")) for n in range(50)])
    assert texts(await get(service, session.id)) == [f"e{n}" for n in range(50)]


async def test_tied_and_backward_clocks_keep_append_order(service: DatabaseSessionService, url: str) -> None:
    session = await service.create_session(app_name=APP, user_id="u")
    for number, moment in enumerate([50.0, 50.0, 10.0, 99.0, 10.0]):
        await service.append_event(session, event(f"e{number}", timestamp=moment))
    fresh = DatabaseSessionService(url)
    assert texts(await get(fresh, session.id)) == ["e0", "e1", "e2", "e3", "e4"]
    fresh.close()


ODD = {
    "nan": (float("nan"), None),
    "inf": (float("inf"), None),
    "numpy int": (np.int64(3), 3),
    "numpy nan": (np.float64("nan"), None),
    "array": (np.array([1, 2]), [1, 2]),
    "timestamp": (pd.Timestamp("2024-01-02 03:04"), "2024-01-02T03:04:00"),
    "NaT": (pd.NaT, None),
    "date": (dt.date(2024, 1, 2), "2024-01-02"),
    "decimal": (Decimal("1.10"), "1.10"),
    "frame": (pd.DataFrame({"a": [1, None]}), [{"a": 1.0}, {"a": None}]),
    "bytes": (b"\xff\x00", "/wA="),
    "set": ({2, 1}, [1, 2]),
    "keys": ({1: "x"}, {"1": "x"}),
    "big": (2**70, 2**70),
}


@pytest.mark.parametrize("name", ODD)
async def test_what_is_no_json_breaks_nothing(name: str, service: DatabaseSessionService) -> None:
    value, expected = ODD[name]
    session = await service.create_session(app_name=APP, user_id="u", state={"start": value})
    answer = types.Part.from_function_response(name="t", response={"value": value})
    tool = Event(author="a", invocation_id="i", content=types.Content(role="user", parts=[answer]))
    await service.append_event(session, tool)
    await service.append_event(session, event(delta={"later": value, "user:too": value}))
    await service.append_event(session, event(delta={"still": "works"}))
    stored = await get(service, session.id)
    scrubbed = json.loads(json.dumps(stored.state).replace("NaN", "null"))
    assert scrubbed == {"start": expected, "later": expected, "user:too": expected, "still": "works"}
    part = stored.events[0].content.parts[0]  # type: ignore[union-attr,index]
    assert part.function_response is not None and part.function_response.response == {"value": expected}


async def test_the_same_event_again_changes_nothing_and_another_with_its_id_is_refused(
    service: DatabaseSessionService,
) -> None:
    session = await service.create_session(app_name=APP, user_id="u")
    given_event = event("once", id="same")
    await service.append_event(session, given_event)
    await service.append_event(session, given_event.model_copy(deep=True))
    assert texts(await get(service, session.id)) == ["once"] and len(session.events) == 1
    with pytest.raises(AlreadyExistsError):
        await service.append_event(session, event("different", id="same"))


NEWER = {
    "with an unknown field": (
        {
            "author": "a",
            "content": {"parts": [{"text": "new", "part_of_the_future": 1}]},
            "actions": {"state_delta": {"k": 1}, "a_field_of_the_future": {"deep": [1]}},
        },
        ["one", "new", "two"],
    ),
    "of a shape that is unknown": ({"author": "a", "content": "a string of the future"}, ["one", "two"]),
}


@pytest.mark.parametrize("name", NEWER)
async def test_an_event_of_a_newer_version_is_kept_read_as_far_as_it_goes_and_said(
    name: str, service: DatabaseSessionService, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    record, expected = NEWER[name]
    session = await service.create_session(app_name=APP, user_id="u")
    await service.append_event(session, event("one"))
    newer = json.dumps(record)

    def insert(connection: Connection) -> None:
        connection.execute(
            "INSERT INTO adk_events (sequence, session_key, id, invocation_id, timestamp, event_data)"
            " SELECT (key << 32) + revision + 1, key, 'new', 'i', 1, ? FROM adk_sessions",
            (newer,),
        )
        connection.execute("UPDATE adk_sessions SET revision = revision + 1")

    database = open_database(url)
    database.write(insert, user=None)
    session = await get(service, session.id)
    await service.append_event(session, event("two"))
    stored = await get(service, session.id)
    assert texts(stored) == expected
    assert "newer google-adk" in caplog.text or "cannot be read" in caplog.text
    if len(expected) == 3:
        noted = (stored.events[1].custom_metadata or {})[UNREAD_FIELDS]
        assert noted == ["actions.a_field_of_the_future", "content.parts.0.part_of_the_future"]
    kept = database.read(
        lambda c: c.execute("SELECT event_data FROM adk_events WHERE id = 'new'").fetchone()[0], user=None
    )
    assert kept == newer
    database.close()


async def test_the_window_never_cuts_a_call_from_its_answer(service: DatabaseSessionService) -> None:
    session = await service.create_session(app_name=APP, user_id="u")
    for turn in range(4):
        await service.append_event(session, event(f"q{turn}"))
        for author in ("model", "tool", "model"):
            await service.append_event(session, Event(author=author, invocation_id="i"))
    window = await history(service, session.id, questions=2)
    assert len(window.events) == 8
    assert window.events[0].author == "user" and texts(window) == ["q2", "q3"]
    assert len((await history(service, session.id, questions=99)).events) == 16


def test_threads_with_loops_of_their_own_share_one_object(service: DatabaseSessionService) -> None:
    failures: list[BaseException] = []

    async def work(name: str) -> None:
        session = await service.create_session(app_name=APP, user_id=name)
        for number in range(200):
            await service.append_event(session, event(f"{number}"))
        assert texts(await get(service, session.id, user=name)) == [str(n) for n in range(200)]

    def run(name: str) -> None:
        try:
            asyncio.run(work(name))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(f"u{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive()
    assert failures == [] and service.get_stats()["events"] == 1600


async def test_deleting_cascades_and_vacuum_shrinks(service: DatabaseSessionService, url: str) -> None:
    session = await service.create_session(app_name=APP, user_id="u", state={"a": 1})
    for _ in range(300):
        await service.append_event(session, event(random.randbytes(1000).hex()))
    before = service.get_stats()
    await service.delete_session(app_name=APP, user_id="u", session_id=session.id)
    service.vacuum()
    after = service.get_stats()
    assert (after["sessions"], after["events"], after["state_keys"]) == (0, 0, 0)
    assert after["db_size_mb"] < before["db_size_mb"] / 2 or before["db_size_mb"] < 0.2


async def test_a_backup_under_load_restores(
    service: DatabaseSessionService, tmp_path: Path, empty_url: str
) -> None:
    session = await service.create_session(app_name=APP, user_id="u")
    writing = asyncio.create_task(_write(service, session, 300))
    await asyncio.sleep(0.02)
    await asyncio.to_thread(service.backup, tmp_path / "copy.sqlite3")
    await writing
    database = open_database(empty_url)
    database.restore(tmp_path / "copy.sqlite3")
    assert database.check() == []
    database.close()
    restored = DatabaseSessionService(empty_url)
    found = await get(restored, session.id)
    assert 0 < len(found.events) <= 300 and found.state == {"n": len(found.events) - 1}
    await restored.append_event(found, event("goes on"))
    restored.close()


async def _write(service: DatabaseSessionService, session: Session, count: int) -> None:
    for number in range(count):
        await service.append_event(session, event(delta={"n": number}))


def test_sync_friends_work_without_a_loop(service: DatabaseSessionService) -> None:
    made = service.create_session_sync(app_name=APP, user_id="u", state={"a": 1})
    found = service.get_session_sync(app_name=APP, user_id="u", session_id=made.id)
    assert found is not None and found.state == {"a": 1}


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 2), st.dictionaries(
            st.sampled_from(["a", "b", "user:a", "app:a", "temp:a"]),
            st.none() | st.integers(-5, 5) | st.text(max_size=5) | st.lists(st.integers(), max_size=2),
            max_size=3,
        )),
        st.tuples(st.just("delete"), st.integers(0, 2), st.just({})),
        st.tuples(st.just("create"), st.integers(0, 2), st.just({})),
    ),
    max_size=15,
)  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_any_sequence_of_operations_matches_the_in_memory_service(
    steps: list[tuple[str, int, dict[str, Any]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    ours = DatabaseSessionService(str(tmp_path_factory.mktemp("model") / "s.sqlite3"))
    theirs = InMemorySessionService()

    async def replay(service: Any) -> list[Any]:
        seen: list[Any] = []
        for kind, number, delta in steps:
            name = f"s{number}"
            found = await service.get_session(app_name=APP, user_id="u", session_id=name)
            if kind == "create" and found is None:
                await service.create_session(app_name=APP, user_id="u", session_id=name, state={"z": number})
            elif kind == "delete":
                await service.delete_session(app_name=APP, user_id="u", session_id=name)
            elif kind == "append" and found is not None:
                await service.append_event(found, event(str(delta), delta=dict(delta)))
            after = await service.get_session(app_name=APP, user_id="u", session_id=name)
            seen.append(None if after is None else (after.state, texts(after)))
        return seen

    try:
        assert asyncio.run(replay(ours)) == asyncio.run(replay(theirs))
    finally:
        ours.close()

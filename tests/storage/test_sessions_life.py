"""Life of a session and of what hangs on it: reopening, sweeping, deleting for good, uploads at once."""

import asyncio
import threading
import time
from pathlib import Path

import pytest
from google.adk.events.event import Event
from google.adk.sessions.session import Session
from google.genai import types

from storage.keys import SessionKey
from storage.owners import Owner
from storage.results import Result
from storage.sessions import DatabaseSessionService
from storage.store import Store
from storage.sweeper import EMPTY_SECONDS, sweep

APP = "app"


def said(text: str) -> Event:
    return Event(author="user", content=types.Content(role="user", parts=[types.Part(text=text)]))


def opened(store: Store, name: str) -> SessionKey:
    key = SessionKey(APP, "u", name)
    store.conversations.ensure(key)
    return key


def test_an_archived_session_whose_time_passed_is_open_again(url: str, tmp_path: Path) -> None:
    store = Store(tmp_path, url=url)
    key = opened(store, "s")
    store.conversations.set_expiry(key, 0.05)
    store.conversations.set_status(key, "completed")
    time.sleep(0.1)
    store.conversations.set_expiry(key, 60)
    store.conversations.set_status(key, "active")
    store.conversations.set_expiry(key, 0.3)
    store.conversations.set_status(key, "completed")
    time.sleep(0.4)
    store.conversations.set_status(key, "active")
    found = store.conversations.get(key)
    assert found is not None and found.status == "active"
    assert found.expires_at is not None and found.expires_at > time.time()
    store.close()


def test_only_what_is_unused_is_swept(url: str, tmp_path: Path) -> None:
    store = Store(tmp_path, url=url)
    for name in ("unused", "result", "metadata", "archived"):
        opened(store, name)
    store.results.save(
        Result(
            id="r",
            key=SessionKey(APP, "u", "result"),
            invocation_id="i",
            kind="value",
            title="t",
            tool="q",
            arguments={},
            language="sql",
            code="SELECT 1",
            code_sha256="x",
            inputs=[],
            output={},
        )
    )
    store.conversations.set_metadata(SessionKey(APP, "u", "metadata"), draft="half a question")
    store.conversations.set_status(SessionKey(APP, "u", "archived"), "completed")
    swept = sweep(store.database, store.home / "datasets", time.time() + EMPTY_SECONDS + 1)
    left = store.conversations.page(APP, "u", include_empty=True).items
    assert {c.key.session_id for c in left} == {"result", "metadata", "archived"}
    assert swept.deleted_empty == 1
    store.close()


def test_a_title_and_a_question_of_any_text_are_stored(url: str, tmp_path: Path) -> None:
    store = Store(tmp_path, url=url)
    key = opened(store, "s")
    for odd in ("half \ud83d of it", "with \0 inside", "x" * 1000):
        store.conversations.set_title_if_empty(key, odd)
        store.conversations.rename(key, odd)
        turn = store.turns.start(key, odd, "direct", "m", "o")
        turn.status = "completed"
        store.turns.save(turn)
    found = store.conversations.get(key)
    assert found is not None and found.title == "x" * 200
    store.close()


async def test_nothing_said_is_left_in_the_file(path: Path) -> None:
    service = DatabaseSessionService(str(path))
    session = await service.create_session(app_name=APP, user_id="u", session_id="s")
    for number in range(50):
        await service.append_event(session, said(f"zyxwvuts{number} said"))
    service._conversations.rename(SessionKey(APP, "u", "s"), "qwvzyx title")
    assert len((await service.list_sessions_page(APP, "u", query="zyxwvuts7")).items) == 1
    await service.delete_session(app_name=APP, user_id="u", session_id="s")
    service.vacuum()
    service.close()
    kept = await asyncio.to_thread(path.read_bytes)
    assert b"xwvuts" not in kept and b"wvzyx" not in kept


def test_uploads_of_one_name_at_once_are_versions(url: str, tmp_path: Path) -> None:
    store = Store(tmp_path, url=url)
    failures: list[BaseException] = []

    def register(number: int) -> None:
        try:
            store.datasets.register(
                user_id="u", name="sales", sha256=f"{number:064d}", options_key="table", file_name="f",
                rows=1, columns=[], byte_size=1, notes=[], read_options={}, rejected_rows=0,
            )  # fmt: skip
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=register, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert failures == []
    assert sorted(d.version for d in store.datasets.for_user("u")) == list(range(1, 17))
    store.close()


def test_servers_that_start_at_once_see_each_other(tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def serve(together: threading.Barrier) -> None:
        try:
            together.wait()
            owner = Owner(tmp_path)
            owner.alive()
            together.wait()
            assert owner._path.exists() and len(owner.alive()) == 6
            together.wait()
            owner.close()
        except BaseException as error:
            failures.append(error)
            together.abort()

    for _ in range(40):
        together = threading.Barrier(6)
        threads = [threading.Thread(target=serve, args=(together,)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
    assert failures == []


@pytest.mark.parametrize("tokens", [-5, 2**70])
async def test_any_usage_a_server_reports_is_taken(tokens: int, service: DatabaseSessionService) -> None:
    session = await service.create_session(app_name=APP, user_id="u")
    usage = types.GenerateContentResponseUsageMetadata(total_token_count=tokens)
    await service.append_event(session, Event(author="agent", usage_metadata=usage))
    assert await service.get_event_count(app_name=APP, user_id="u", session_id=session.id) == 1


async def test_a_session_built_by_hand_is_current_while_its_last_event_is(
    service: DatabaseSessionService,
) -> None:
    session = await service.create_session(app_name=APP, user_id="u")
    await service.append_event(session, said("one"))
    by_hand = Session(
        id=session.id,
        app_name=APP,
        user_id="u",
        events=list(session.events),
        last_update_time=session.last_update_time - 0.001,
    )
    behind = by_hand.model_copy(deep=True)
    await service.append_event(by_hand, said("two"))
    with pytest.raises(ValueError, match="modified in storage"):
        await service.append_event(behind, said("three"))

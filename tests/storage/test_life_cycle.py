"""Status, expiry, counts, search, paging and sweeping, on both databases."""

import time
from typing import Any

import pytest
from google.adk.events.event import Event
from google.adk.events.event_actions import EventActions
from google.genai import types

from storage.conversations import STATUSES, Conversation
from storage.errors import NotAllowed, NotFound, SessionExpired
from storage.keys import SessionKey
from storage.session_states import SessionState
from storage.sessions import DatabaseSessionService
from storage.store import Store
from storage.sweeper import EMPTY_SECONDS, EXPIRED_SECONDS, sweep

HOSTILE = [
    "'; DROP TABLE adk_sessions; --",
    '" OR 1=1 --',
    "%",
    "_",
    "NEAR(",
    '"',
    "*",
    "AND OR NOT",
    "\\",
    "? ? ?",
]


def message(text: str, author: str = "user", tokens: int = 0, **rest: Any) -> Event:
    usage = types.GenerateContentResponseUsageMetadata(total_token_count=tokens) if tokens else None
    return Event(
        author=author, invocation_id="i", content=types.Content(role="user", parts=[types.Part(text=text)]),
        usage_metadata=usage, **rest,
    )  # fmt: skip


async def said(store: Store, name: str, *texts: str, user: str = "ann") -> SessionKey:
    """A session in which these were said."""
    session = await store.sessions.create_session(app_name="app", user_id=user, session_id=name)
    for text in texts:
        await store.sessions.append_event(session, message(text))
    return SessionKey("app", user, name)


def get(store: Store, key: SessionKey) -> Conversation:
    found = store.conversations.get(key)
    assert found is not None
    return found


def names(store: Store, **filters: object) -> list[str]:
    page = store.conversations.page("app", "ann", include_empty=True, **filters)  # type: ignore[arg-type]
    return [c.key.session_id for c in page.items]


async def test_counts_are_of_what_happened(store: Store) -> None:
    key = await said(store, "s")
    session = await store.sessions.get_session(app_name="app", user_id="ann", session_id="s")
    assert session is not None
    await store.sessions.append_event(session, message("how much?"))
    await store.sessions.append_event(session, message("a call", "model", 30))
    answer = types.Part.from_function_response(name="t", response={})
    await store.sessions.append_event(
        session, Event(author="user", invocation_id="i", content=types.Content(parts=[answer]))
    )
    await store.sessions.append_event(session, message("so much", "model", 12))
    await store.sessions.append_event(session, message("so", "model", 99, partial=True))
    assert (get(store, key).turn_count, get(store, key).total_tokens) == (1, 42)


async def test_statuses_move_only_as_they_may(store: Store) -> None:
    key = await said(store, "s")
    change = store.conversations.set_status
    for status in ("paused", "active", "completed", "active", "paused", "completed"):
        change(key, status)
        assert get(store, key).status == status
    with pytest.raises(NotAllowed, match="completed cannot become paused"):
        change(key, "paused")
    with pytest.raises(NotAllowed, match="cannot become expired"):
        change(key, "expired")
    with pytest.raises(ValueError, match="active, paused, completed, expired"):
        change(key, "archived")
    with pytest.raises(NotFound):
        change(SessionKey("app", "bob", "s"), "paused")
    session = await store.sessions.get_session(app_name="app", user_id="ann", session_id="s")
    assert session is not None
    await store.sessions.append_event(session, message("one more thing"))
    assert get(store, key).status == "active", "what is spoken in is open"


async def test_an_expired_session_is_read_and_renewed_and_nothing_else(store: Store) -> None:
    key = await said(store, "s", "hello")
    store.conversations.set_expiry(key, 0)
    assert get(store, key).status == "expired", "before any sweep"
    session = await store.sessions.get_session(app_name="app", user_id="ann", session_id="s")
    assert session is not None and len(session.events) == 1
    with pytest.raises(SessionExpired, match="Renew"):
        await store.sessions.append_event(session, message("no"))
    for change in (
        lambda: store.conversations.rename(key, "x"),
        lambda: store.conversations.set_status(key, "active"),
        lambda: store.conversations.set_metadata(key, a=1),
        lambda: store.turns.start(key, "q", "direct", "m", "o"),
    ):
        with pytest.raises(SessionExpired):
            change()
    store.conversations.renew(key)
    await store.sessions.append_event(session, message("yes"))
    assert get(store, key).status == "active" and get(store, key).turn_count == 2


async def test_expiry_slides_with_what_happens(store: Store) -> None:
    service = DatabaseSessionService(database=store.database, expires_after=3600)
    session = await service.create_session(app_name="app", user_id="ann", session_id="s")
    key = SessionKey("app", "ann", "s")
    store.conversations.set_expiry(key, 100)
    first = get(store, key).expires_at
    await service.append_event(session, message("still here"))
    second = get(store, key).expires_at
    assert first is not None and second is not None and first < second <= time.time() + 100
    store.conversations.set_expiry(key, None)
    assert get(store, key).expires_at is None


async def test_the_sweeper_expires_and_deletes_what_it_should_and_counts(store: Store) -> None:
    keys = {name: await said(store, name, "words") for name in ("kept", "late", "done", "old")}
    await store.sessions.create_session(app_name="app", user_id="ann", session_id="empty")
    await store.sessions.create_session(app_name="app", user_id="ann", session_id="stateful", state={"a": 1})
    store.conversations.set_expiry(keys["late"], 50)
    store.conversations.set_status(keys["done"], "completed")
    store.conversations.set_expiry(keys["old"], 0)
    store.session_states.save_session_state(SessionState("t", "q", user_id="ann"))
    datasets = store.home / "datasets"
    first = sweep(store.database, datasets)
    assert (first.expired, first.deleted_expired, first.deleted_empty, first.broken_runs) == (1, 0, 0, 0)
    second = sweep(store.database, datasets, time.time() + EMPTY_SECONDS + 60)
    assert (second.expired, second.deleted_expired, second.deleted_empty) == (1, 0, 1)
    assert store.session_states.get_session_states_by_criteria(user_id=None, workflow_status="running") == []
    third = sweep(store.database, datasets, time.time() + EXPIRED_SECONDS + 60)
    assert third.deleted_expired == 2
    assert sorted(names(store)) == ["done", "kept", "stateful"]


async def test_search_finds_words_of_titles_and_messages(store: Store) -> None:
    await said(store, "a", "Umsatz je Region", "Zürich leads")
    await said(store, "b", "average price of tea")
    await said(store, "c", "other", user="bob")
    store.conversations.rename(SessionKey("app", "ann", "b"), "Prices in Geneva")
    assert names(store, query="umsatz") == ["a"]
    assert names(store, query="zürich") == ["a"]
    assert names(store, query="geneva") == ["b"]
    assert names(store, query="pric") == ["b"], "the last word may be a beginning"
    assert names(store, query="average tea") == ["b"]
    assert names(store, query="average zürich") == []
    assert names(store, query="other") == []
    store.conversations.rename(SessionKey("app", "ann", "b"), "Renamed")
    assert names(store, query="geneva") == [] and names(store, query="renamed") == ["b"]
    store.conversations.delete(SessionKey("app", "ann", "a"))
    await said(store, "d", "nothing of that")
    assert names(store, query="umsatz") == []


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_text_is_text(store: Store, text: str) -> None:
    key = await said(store, text, text, user="ann")
    store.conversations.rename(key, f"{text} title")
    store.conversations.set_metadata(key, **{text: text})
    await store.sessions.append_event(
        session := (await store.sessions.get_session(app_name="app", user_id="ann", session_id=text)),  # type: ignore[arg-type]
        Event(author=text, invocation_id=text, actions=EventActions(state_delta={text: text})),
    )
    turn = store.turns.start(key, text, "direct", text, text)
    assert session is not None and session.state[text] == text
    found = get(store, key)
    assert found.title == " ".join(f"{text} title".split()) and found.metadata == {text: text}
    assert store.turns.get("ann", turn.id) == turn
    assert names(store, query=f"{text} title") == [text]
    assert names(store, query=text) in ([], [text])
    assert store.conversations.page("app", text, query=text).items == []


async def test_pages_follow_the_last_change_without_a_gap(store: Store) -> None:
    for number in range(23):
        await said(store, f"s{number:02}", "word")
    collected: list[str] = []
    cursor = None
    while True:
        page = store.conversations.page("app", "ann", limit=5, cursor=cursor, query="word")
        collected += [c.key.session_id for c in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert collected == [f"s{number:02}" for number in reversed(range(23))]
    service = store.database_sessions
    first = await service.list_sessions_page("app", "ann", limit=2, status="active")
    assert [c.key.session_id for c in first.items] == ["s22", "s21"]
    for bad in ("x", "W10=", "bnVsbA=="):
        with pytest.raises(ValueError, match="no cursor"):
            store.conversations.page("app", "ann", cursor=bad)


async def test_lists_by_status(store: Store) -> None:
    for name in STATUSES:
        await said(store, name, "x")
    store.conversations.set_status(SessionKey("app", "ann", "paused"), "paused")
    store.conversations.set_status(SessionKey("app", "ann", "completed"), "completed")
    store.conversations.set_expiry(SessionKey("app", "ann", "expired"), 0)
    for status in STATUSES:
        assert names(store, status=status) == [status]
    assert names(store, archived=True) == ["completed"]
    assert sorted(names(store, archived=False)) == ["active", "expired", "paused"]
    with pytest.raises(ValueError, match="A status is one of"):
        names(store, status="open")


async def test_a_deleted_sessions_events_are_never_shown_to_the_next(store: Store, url: str) -> None:
    one, two = store.database_sessions, DatabaseSessionService(url)
    for round_number in range(3):
        name = f"s{round_number}"
        session = await one.create_session(app_name="app", user_id=name)
        await one.append_event(session, message(f"secret of {name}"))
        got = await one.get_session(app_name="app", user_id=name, session_id=session.id)
        assert got is not None and len(got.events) == 1
        await two.delete_session(app_name="app", user_id=name, session_id=session.id)
    last = await two.create_session(app_name="app", user_id="other")
    seen = await one.get_session(app_name="app", user_id="other", session_id=last.id)
    assert seen is not None and seen.events == []
    two.close()

"""What is kept in the process is what is stored: after a restore, beside other snapshots, under its bound."""

import logging
from pathlib import Path

import pytest
from google.adk.events.event import Event
from google.adk.sessions.base_session_service import GetSessionConfig
from google.genai import types

from storage.database import open_database
from storage.event_cache import CachedEvents, EventCache, Rows, parse
from storage.sessions import DatabaseSessionService
from storage.window import History

APP = "app"


def said(text: str) -> Event:
    return Event(author="user", content=types.Content(role="user", parts=[types.Part(text=text)]))


async def texts(service: DatabaseSessionService, config: GetSessionConfig | None = None) -> list[str]:
    found = await service.get_session(app_name=APP, user_id="u", session_id="s", config=config)
    assert found is not None
    return [e.content.parts[0].text or "" for e in found.events if e.content and e.content.parts]


@pytest.mark.parametrize("config", [None, History()])
async def test_after_a_restore_every_open_store_reads_what_was_restored(
    config: GetSessionConfig | None, url: str, service: DatabaseSessionService, tmp_path: Path
) -> None:
    session = await service.create_session(app_name=APP, user_id="u", session_id="s")
    for text in ("one", "two"):
        await service.append_event(session, said(text))
    service.backup(tmp_path / "copy")
    for text in ("three", "four"):
        await service.append_event(session, said(text))
    assert await texts(service, config) == ["one", "two", "three", "four"]

    other = open_database(url)
    other.restore(tmp_path / "copy")
    other.close()
    assert await texts(service, config) == ["one", "two"]
    again = await service.get_session(app_name=APP, user_id="u", session_id="s")
    assert again is not None
    for text in ("new three", "new four", "new five"):
        await service.append_event(again, said(text))
    assert await texts(service, config) == ["one", "two", "new three", "new four", "new five"]


async def test_after_a_window_a_few_recent_events_are_read_alone(
    service: DatabaseSessionService, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await service.create_session(app_name=APP, user_id="u", session_id="s")
    for number in range(60):
        await service.append_event(session, said(f"{number}"))
    assert len(await texts(service, History(questions=3))) == 3
    parsed: list[int] = []

    def counted(rows: Rows) -> list[tuple[int, Event]]:
        parsed.append(len(rows))
        return parse(rows)

    monkeypatch.setattr("storage.sessions.parse", counted)
    assert await texts(service, GetSessionConfig(num_recent_events=2)) == ["58", "59"]
    assert parsed == [2]


def test_the_bound_counts_memory_and_what_cannot_be_read_is_not_kept(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cache = EventCache(limit_bytes=10_000)
    row = said("x" * 1000).model_dump_json(exclude_none=True)
    for key in range(5):
        assert len(cache.read((key, 0.0), 0, lambda _: [(1, row)]).events) == 1
    assert not cache.has_all((0, 0.0)) and cache.has_all((4, 0.0))
    with caplog.at_level(logging.ERROR):
        assert cache.read((9, 0.0), 0, lambda _: []) == CachedEvents()
    assert not cache.has_all((9, 0.0))

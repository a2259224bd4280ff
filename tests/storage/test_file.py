"""The file beside its log: what it takes on the disk, and who waits for whom."""

import asyncio
import sqlite3
import threading
import time
from pathlib import Path

import pytest
from google.adk.events.event import Event
from google.genai import types

from storage.database import Connection, open_database
from storage.errors import StorageError, StoreUnavailable
from storage.sessions import DatabaseSessionService
from storage.sqlite import SqliteDatabase

APP = "app"


def test_the_log_is_counted_and_kept_short(path: Path) -> None:
    service = DatabaseSessionService(str(path))
    service.create_session_sync(app_name=APP, user_id="u", state={"big": "x" * 500_000})
    log = path.with_name(path.name + "-wal")
    on_disk = path.stat().st_size + log.stat().st_size
    assert service.get_stats()["db_size_mb"] == on_disk / 1e6 > 0.5
    for _ in range(150):
        service.create_session_sync(app_name=APP, user_id="u", state={"big": "x" * 500_000})
    assert log.stat().st_size < 60_000_000
    service.close()


async def test_deleting_a_long_session_does_not_stop_the_loop(path: Path) -> None:
    service = DatabaseSessionService(str(path))
    session = await service.create_session(app_name=APP, user_id="u", session_id="s")
    content = types.Content(role="user", parts=[types.Part(text="many words here " * 40)])
    for _ in range(3_000):
        await service.append_event(session, Event(author="user", content=content))
    await service.list_sessions_page(APP, "u", query="words")
    threads: list[int] = []
    delete = SqliteDatabase.write

    def noted(self: SqliteDatabase, *given: object, **named: object) -> object:
        threads.append(threading.get_ident())
        return delete(self, *given, **named)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SqliteDatabase, "write", noted)
        await service.delete_session(app_name=APP, user_id="u", session_id="s")
    assert threads and threading.get_ident() not in threads
    service.close()


async def test_nobody_waits_for_a_backup(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = DatabaseSessionService(str(path))
    session = await service.create_session(app_name=APP, user_id="u", session_id="s")
    connect = sqlite3.connect

    def slowly(*given: object, **named: object) -> object:
        time.sleep(0.5)
        return connect(*given, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(sqlite3, "connect", slowly)
    copying = asyncio.create_task(asyncio.to_thread(service.backup, path.with_name("copy")))
    await asyncio.sleep(0.1)
    begun = time.monotonic()
    await service.append_event(session, Event(author="user"))
    assert time.monotonic() - begun < 0.3
    await copying
    monkeypatch.undo()
    service.close()


def test_a_failed_backup_leaves_nothing(path: Path, tmp_path: Path) -> None:
    database = SqliteDatabase(path)
    with pytest.raises(StoreUnavailable):
        database.backup(tmp_path / "no folder" / "copy")
    database.backup(tmp_path / "copy")
    assert not list(tmp_path.glob("**/*.partial"))
    database.close()


def test_options_of_a_url_are_not_passed_over(path: Path) -> None:
    with pytest.raises(StorageError, match="mode=ro"):
        open_database(f"sqlite:///{path}?mode=ro")
    assert not path.exists()


async def test_one_refused_write_among_many_that_wait_costs_the_others_nothing(path: Path) -> None:
    service = DatabaseSessionService(str(path))
    database = service._database
    begun, release = threading.Event(), threading.Event()

    def hold(connection: Connection) -> None:
        begun.set()
        assert release.wait(20)

    holder = threading.Thread(target=lambda: database.write(hold, user=None))
    holder.start()
    assert await asyncio.to_thread(begun.wait, 20)
    names = ["a", "b", "a", "c"]
    making = [
        asyncio.create_task(service.create_session(app_name=APP, user_id="u", session_id=name))
        for name in names
    ]
    cancelled = asyncio.create_task(service.create_session(app_name=APP, user_id="u", session_id="never"))
    await asyncio.sleep(0.05)
    cancelled.cancel()
    release.set()
    outcomes = await asyncio.gather(*making, return_exceptions=True)
    await asyncio.to_thread(holder.join)
    assert [type(outcome).__name__ for outcome in outcomes] == [
        "Session", "Session", "AlreadyExistsError", "Session",
    ]  # fmt: skip
    page = await service.list_sessions_page(APP, "u")
    assert sorted(item.key.session_id for item in page.items) == ["a", "b", "c"]
    service.close()

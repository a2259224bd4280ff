"""What a database refuses is said at once, by its name, and leaves everything as it was."""

import sqlite3
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from storage.database import open_database
from storage.errors import StorageError, StoreUnavailable
from storage.sessions import DatabaseSessionService
from storage.sqlite import SqliteDatabase

APP = "app"


def made_newer(path: Path) -> None:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as file:
            parts = {name: file.read(name) for name in file.namelist()}
        parts["schema_version.copy"] += b"99\t0\n"
        with zipfile.ZipFile(path, "w") as file:
            for name, content in parts.items():
                file.writestr(name, content)
        return
    direct = sqlite3.connect(path)
    direct.execute("INSERT INTO schema_version VALUES (99, 0)")
    direct.commit()
    direct.close()


def made_foreign(path: Path) -> None:
    path.unlink()
    direct = sqlite3.connect(path)
    direct.execute("CREATE TABLE schema_version (version INTEGER, applied_at INTEGER)")
    direct.execute("INSERT INTO schema_version VALUES (2, 0)")
    direct.commit()
    direct.close()


def made_damaged(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for place in range(100, len(content) - 1000, 50):
        content[place] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize("change", [made_newer, made_foreign, made_damaged])
async def test_what_is_no_backup_of_this_version_replaces_nothing(
    change: object, service: DatabaseSessionService, url: str, tmp_path: Path
) -> None:
    await service.create_session(app_name=APP, user_id="u", session_id="kept", state={"a": "x" * 9_000})
    copy = tmp_path / "copy"
    service.backup(copy)
    assert callable(change)
    change(copy)
    await service.create_session(app_name=APP, user_id="u", session_id="later")
    database = open_database(url)
    with pytest.raises(StoreUnavailable, match="Nothing was changed"):
        database.restore(copy)
    database.close()
    assert await service.get_session(app_name=APP, user_id="u", session_id="later") is not None


async def test_a_word_of_any_length_is_searched_at_once(service: DatabaseSessionService) -> None:
    await service.create_session(app_name=APP, user_id="u")
    begun = time.monotonic()
    for query in ("x" * 50_000, "漢" * 5_000, "a_" * 5_000):
        assert (await service.list_sessions_page(APP, "u", query=query)).items == []
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("name", ["app_name", "user_id", "session_id"])
async def test_an_id_that_is_no_text_is_a_storage_error(name: str, service: DatabaseSessionService) -> None:
    names: dict[str, Any] = {"app_name": APP, "user_id": "u", "session_id": "s"} | {
        name: "half \ud83d of a character"
    }
    with pytest.raises(StorageError, match="cannot be stored"):
        await service.create_session(**names)
    with pytest.raises(StorageError, match="cannot be stored"):
        await service.get_session(**names)


def test_a_failed_restore_of_a_file_that_is_none(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "s.sqlite3")
    with pytest.raises(StoreUnavailable, match="no file"):
        database.restore(tmp_path / "nothing")
    database.close()

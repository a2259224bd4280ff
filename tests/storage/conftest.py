"""A session service on a real file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.sessions import DatabaseSessionService

APP = "app"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions.sqlite3"


@pytest.fixture
def service(path: Path) -> Iterator[DatabaseSessionService]:
    opened = DatabaseSessionService(str(path))
    yield opened
    opened.close()

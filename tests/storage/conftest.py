"""A session service on a real SQLite file and on a real PostgreSQL server."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from storage.sessions import DatabaseSessionService
from storage.store import Store
from tests.servers.postgres import PostgresServer, postgres

APP = "app"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions.sqlite3"


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    # Another run of pytest would take pytest's own folder away from the server's user.
    with TemporaryDirectory() as folder, postgres(Path(folder)) as started:
        yield started


@pytest.fixture
def postgres_url(server: PostgresServer) -> Iterator[str]:
    made = server.url()
    yield made
    server.drop(made)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """Where a store can be opened: a test that takes this runs on both databases."""
    if request.param == "sqlite":
        return f"sqlite:///{request.getfixturevalue('path')}"
    made: str = request.getfixturevalue("postgres_url")
    return made


@pytest.fixture
def empty_url(url: str, server: PostgresServer, tmp_path: Path) -> Iterator[str]:
    """Another, empty place of the same kind."""
    if url.startswith("sqlite"):
        yield f"sqlite:///{tmp_path / 'other.sqlite3'}"
        return
    made = server.url()
    yield made
    server.drop(made)


@pytest.fixture
def service(url: str) -> Iterator[DatabaseSessionService]:
    opened = DatabaseSessionService(url)
    yield opened
    opened.close()


@pytest.fixture
def store(url: str, tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "home", url=url)
    yield opened
    opened.close()

"""PostgreSQL itself keeps users apart, whatever SQL runs as one of them."""

from collections.abc import Iterator

import psycopg
import pytest

from storage.sessions import DatabaseSessionService
from tests.servers.postgres import PostgresServer

APP = "app"


@pytest.fixture(params=[False, True], ids=["owner", "superuser"])
def shared(request: pytest.FixtureRequest, server: PostgresServer) -> Iterator[tuple[str, str]]:
    """A database's URL, and what makes a transaction one of a user's."""
    url = server.url(superuser=request.param)
    yield url, "SET LOCAL ROLE assistant_app;" if request.param else ""
    server.drop(url)


async def test_no_sql_of_one_user_reaches_the_state_of_another(shared: tuple[str, str]) -> None:
    url, role = shared
    service = DatabaseSessionService(url)
    for user in ("ann", "bob"):
        await service.create_session(app_name=APP, user_id=user, session_id="s", state={"user:a": user})
    begin = (
        f"{role} SET LOCAL search_path = assistant; SELECT set_config('assistant.user', 'ann', true)".encode()
    )
    into_bobs = (
        b"INSERT INTO adk_state (scope, app_name, user_id, name, value) VALUES (%s, 'app', 'u:bob', 'b', '1')"
    )
    with psycopg.connect(url, autocommit=True) as connection:
        for scope in ("APP", "USER"):
            with pytest.raises(psycopg.Error), connection.transaction():
                connection.execute(begin)
                connection.execute(into_bobs, (scope,))
        if role:
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute(begin)
                connection.execute(b"TRUNCATE adk_sessions CASCADE")
        with connection.transaction():
            connection.execute(begin)
            for table in (b"adk_sessions", b"adk_state"):
                assert connection.execute(b"DELETE FROM " + table).rowcount == 1
    bobs = await service.get_session(app_name=APP, user_id="bob", session_id="s")
    assert bobs is not None and bobs.state == {"user:a": "bob"}
    service.close()

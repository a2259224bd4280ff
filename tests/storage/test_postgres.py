"""PostgreSQL's own: broken connections, a bounded pool, timeouts, migrations side by side."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from storage.database import Connection, open_database
from storage.errors import StoreUnavailable
from storage.postgres import PostgresDatabase
from storage.sessions import DatabaseSessionService
from tests.storage.test_life_cycle import message


async def test_a_connection_that_breaks_in_the_middle_is_tried_again_and_counts_once(
    postgres_url: str,
) -> None:
    database = PostgresDatabase(postgres_url)
    service = DatabaseSessionService(database=database)
    session = await service.create_session(app_name="app", user_id="ann", session_id="s")
    attempts: list[int] = []

    def breaking(connection: Connection) -> int:
        attempts.append(len(attempts))
        count = connection.execute("UPDATE adk_sessions SET turn_count = turn_count + 1").rowcount
        if len(attempts) == 1:
            connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return count

    assert await database.awrite(breaking, user="ann") == 1
    assert attempts == [0, 1]
    await service.append_event(session, message("goes on"))
    counted = database.read(
        lambda c: c.execute("SELECT turn_count FROM adk_sessions").fetchone()[0], user="ann"
    )
    assert counted == 2 and database.trouble == ""
    database.close()


async def test_an_event_whose_commit_was_not_heard_of_is_stored_once(postgres_url: str) -> None:
    """The same append comes again, as after a connection that broke at its end."""
    service = DatabaseSessionService(postgres_url)
    session = await service.create_session(app_name="app", user_id="ann", session_id="s")
    stale = session.model_copy(deep=True)
    sent = message("once")
    await service.append_event(session, sent.model_copy(deep=True))
    await service.append_event(stale, sent)
    assert [event.id for event in stale.events] == [sent.id]
    await service.append_event(stale, message("twice"))
    found = await service.get_session(app_name="app", user_id="ann", session_id="s")
    assert found is not None and len(found.events) == 2
    service.close()


def test_a_full_pool_is_said_within_its_time(postgres_url: str) -> None:
    database = PostgresDatabase(postgres_url, pool_size=2)
    release = threading.Event()
    with ThreadPoolExecutor(2) as holders:
        for _ in range(2):
            holders.submit(database.read, lambda c: release.wait(20), user=None)
        time.sleep(0.3)
        started = time.monotonic()
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            database.read(lambda c: c.execute("SELECT 1").fetchone(), user=None)
        assert time.monotonic() - started < 10
        release.set()
    assert database.read(lambda c: c.execute("SELECT 1").fetchone()[0], user=None) == 1
    database.close()


def test_a_statement_that_takes_too_long_ends(postgres_url: str) -> None:
    database = PostgresDatabase(postgres_url)

    def slow(connection: Connection) -> None:
        connection.execute("SET LOCAL statement_timeout = 100")
        connection.execute("SELECT pg_sleep(30)")

    with pytest.raises(StoreUnavailable, match="took too long"):
        database.read(slow, user=None)
    limit = database.read(lambda c: c.execute("SHOW statement_timeout").fetchone()[0], user=None)
    assert limit == "30s"
    database.close()


def test_servers_that_start_at_once_make_the_tables_once(postgres_url: str) -> None:
    with ThreadPoolExecutor(4) as starting:
        opened = list(starting.map(open_database, [postgres_url] * 4))
    for database in opened:
        database.close()
    with psycopg.connect(postgres_url) as direct:
        versions = direct.execute("SELECT version FROM assistant.schema_version").fetchall()
    assert versions == [(1,), (2,)]


def test_a_newer_schema_and_a_server_that_is_not_there_are_said_without_a_password(postgres_url: str) -> None:
    open_database(postgres_url).close()
    with psycopg.connect(postgres_url) as direct:
        direct.execute("INSERT INTO assistant.schema_version VALUES (99, 0)")
    with pytest.raises(StoreUnavailable, match="newer version"):
        open_database(postgres_url)
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1/data cannot be reached") as refused:
        open_database("postgresql://ann:geheim@127.0.0.1:9/data")
    assert "geheim" not in str(refused.value)

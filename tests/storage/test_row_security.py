"""On PostgreSQL the server itself keeps users apart, whichever kind of role the app connects with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.keys import SessionKey
from storage.session_states import SessionState
from storage.store import Store
from tests.servers.postgres import PostgresServer
from tests.storage.test_life_cycle import said
from tests.storage.test_records import dataset, result

TABLES = [
    "adk_sessions",
    "adk_events",
    "adk_state",
    "turns",
    "results",
    "datasets",
    "session_datasets",
    "session_states",
]


@pytest.fixture(params=["owner", "superuser"])
def guarded(request: pytest.FixtureRequest, server: PostgresServer, tmp_path: Path) -> Iterator[Store]:
    url = server.url(superuser=request.param == "superuser")
    opened = Store(tmp_path / "home", url=url)
    yield opened
    opened.close()
    server.drop(url)


async def filled(store: Store, user: str) -> SessionKey:
    """A session of the user with a row in every table."""
    key = await said(store, f"of {user}", "words", user=user)
    await store.database_sessions.update_keys("app", user, key.session_id, {"a": 1, "user:b": 2})
    store.turns.start(key, "q", "direct", "m", "o")
    store.results.save(result(key, f"result of {user}"))
    store.datasets.attach(key, dataset(store, "sales", b"a\n1\n", user=user).id)
    store.session_states.save_session_state(SessionState(f"thread of {user}", "q", user_id=user))
    return key


async def test_no_query_sees_or_changes_rows_of_another_user(guarded: Store) -> None:
    for user in ("ann", "bob"):
        await filled(guarded, user)
    for table in TABLES:
        counts = [
            guarded.database.read(
                lambda c, t=table: c.execute(f"SELECT count(*) FROM {t}").fetchone()[0],  # type: ignore[misc]
                user=user,
            )
            for user in ("ann", "bob", "eve", None)
        ]
        ann, bob, eve, everyone = counts
        assert (eve, ann + bob) == (0, everyone) and ann == bob > 0, table
        changed = guarded.database.write(
            lambda c, t=table: c.execute(f"DELETE FROM {t}").rowcount,  # type: ignore[misc]
            user="eve",
        )
        assert changed == 0, table


async def test_a_row_cannot_be_made_for_or_given_to_another_user(guarded: Store) -> None:
    await filled(guarded, "ann")
    attacks = [
        "INSERT INTO adk_sessions (app_name, user_id, id, created_at, updated_at)"
        " VALUES ('app', 'ann', 'x', 0, 0)",
        "INSERT INTO datasets VALUES ('x', 'ann', 'n', 9, '', '', 0, '{}')",
    ]
    for attack in attacks:
        with pytest.raises(Exception, match="row-level security"):
            guarded.database.write(lambda c, a=attack: c.execute(a).rowcount, user="eve")  # type: ignore[misc]
    with pytest.raises(Exception, match="row-level security"):
        guarded.database.write(
            lambda c: c.execute("UPDATE adk_sessions SET user_id = 'bob'").rowcount, user="ann"
        )


async def test_deleting_a_session_takes_all_that_hangs_on_it(guarded: Store) -> None:
    for user in ("ann", "bob"):
        await filled(guarded, user)
    await guarded.database_sessions.delete_session(app_name="app", user_id="ann", session_id="of ann")
    for table in ("adk_sessions", "adk_events", "turns", "results", "session_datasets"):
        left = guarded.database.read(
            lambda c, t=table: c.execute(f"SELECT count(*) FROM {t}").fetchone()[0],  # type: ignore[misc]
            user=None,
        )
        assert left == 1, table

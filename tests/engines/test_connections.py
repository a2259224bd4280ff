"""Connections: named in settings, read-only, bounded, stopped, and silent about their passwords."""

import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import psycopg
import pytest
from pydantic import SecretStr

from agents.assistant import Assistant, start
from agents.card import data_card
from agents.settings import Settings, SettingsError
from analysis.errors import AnalysisError, BadQuery, ConnectionRefused, ElsewhereOnly, LimitExceeded
from analysis.query import query
from analysis.remote.connections import Connections
from analysis.remote.gate import only_reads
from analysis.sql import sql
from sandbox.client import Worker
from tests.engines import shop
from tests.engines.conftest import At
from tests.servers.postgres import PostgresServer, postgres

PASSWORD = "hunter2-pass word/é"
QUOTED = "hunter2-pass%20word%2F%C3%A9"
PLACES = {"orders": ("public", "orders"), "staff": ("hr", "Staff")}
DIALECTS = ("postgres", "mysql", "pyspark", "snowflake", "bigquery", "duckdb", "sqlite")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with postgres(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def url(server: PostgresServer, file: Path) -> str:
    """A PostgreSQL database with the table, its password in the URL."""
    plain = server.url()
    shop.into_postgres(plain, file)
    return plain.replace("app_owner@", f"app_owner:{QUOTED}@")


@pytest.fixture
def assistant(url: str, tmp_path: Path) -> Iterator[Assistant]:
    started = start(Settings(home=tmp_path / "home", connections={"shop": SecretStr(url)}, upload_limit_mb=1))
    yield started
    started.close()


def test_connections_come_from_a_value_a_file_or_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "connections.toml"
    file.write_text('[connections]\nlake = "duckdb:////data/lake.db"\nshop = "sqlite:////old.db"\n')
    monkeypatch.setenv("CONNECTIONS_FILE", str(file))
    monkeypatch.setenv("CONNECTIONS", "shop = postgresql://me:secret@db/shop\nspark=sc://spark:15002")
    secrets = {
        "connections": {"wh": {"url": "snowflake://u:p@acc/db"}, "lake": "sqlite:////x.db", "other": 1}
    }
    found = Settings.load(secrets, tmp_path / "none").connections
    assert {name: url.get_secret_value() for name, url in found.items()} == {
        "wh": "snowflake://u:p@acc/db", "lake": "duckdb:////data/lake.db",
        "shop": "postgresql://me:secret@db/shop", "spark": "sc://spark:15002",
    }  # fmt: skip
    assert "secret" not in repr(found)
    monkeypatch.setenv("CONNECTIONS", '{"shop": "mysql://me:secret@db/shop"}')
    assert Settings.load({}, tmp_path / "none").connections["shop"].get_secret_value().startswith("mysql")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("shop: postgresql://a:secret@b/c", "name=url"),
        ("shop=oracle://a:secret@b/c", "'shop': its URL has to start with one of postgresql://"),
        ("shop=postgresql://a:secret@b:port/c", "'shop': the server or port"),
        ("sh/op=postgresql://a:secret@b/c", "a name has letters"),
        ("{'shop': 'secret'}", "no JSON object"),
    ],
)
def test_a_bad_connection_is_named_and_its_url_is_not_shown(
    value: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONNECTIONS", value)
    with pytest.raises(SettingsError, match=r"^CONNECTIONS cannot be used") as caught:
        Settings.load({}, tmp_path / "none")
    assert said in str(caught.value) and "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "package"),
    [
        ("bigquery://project/dataset", "ibis-framework[bigquery]"),
        ("snowflake://me:secret@account/db", "ibis-framework[snowflake]"),
        ("databricks://host/path?token=secret", "ibis-framework[databricks]"),
    ],
)
def test_a_missing_driver_is_said_with_what_to_install(url: str, package: str) -> None:
    with pytest.raises(ConnectionRefused) as caught:
        Connections({"there": SecretStr(url)})["there"].schemas()
    assert f"pip install '{package}'" in str(caught.value) and "secret" not in str(caught.value)


def test_a_password_shows_nowhere(
    assistant: Assistant, url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key = assistant.new_session("ann")
    assert [(c.name, c.engine) for c in assistant.connections()] == [("shop", "PostgreSQL")]
    assert assistant.schemas("shop") == ["public"] and assistant.tables("shop", "public") == ["orders"]
    dataset = assistant.attach_table(key, "shop", "orders", "public")
    running = assistant.turns.start(key, "total amount by segment")
    while not running.done:
        running.wait(running.version, 1.0)
    (result,) = assistant.store.results.for_session(key)
    assert result.engine.keys() == {"PostgreSQL"} and '"public"."orders"' in result.code
    shown = (
        f"{assistant.settings!r}{assistant.settings.model_dump()}{data_card([dataset])}{result}{caplog.text}"
    )
    for bad in (url.replace("app_owner", "nobody"), url.replace("/t", "/wrong", 1), "postgresql://x:y@[::"):
        with pytest.raises(AnalysisError) as caught:
            Connections({"bad": SecretStr(bad)})["bad"].schemas()
        shown += f"{caught.value}{caught.value.__cause__}{caught.value.__context__}"
    with pytest.raises(AnalysisError) as caught:
        assistant.attach_table(key, "shop", "nothing", "public")
    assert "no such table" in str(caught.value)
    shown += caplog.text
    stored = b"".join(path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file())
    assert b"orders" in stored
    for secret in (PASSWORD, QUOTED, "hunter2"):
        assert secret not in shown and secret.encode() not in stored


REFUSED = [
    "DELETE FROM orders", "WITH d AS (DELETE FROM orders RETURNING *) SELECT * FROM d", "SELECT 1; SELECT 2",
    "SELECT * INTO copied FROM orders", "SELECT * FROM orders FOR UPDATE", "SELECT pg_sleep(10)",
    "SELECT pg_catalog.set_config('a', 'b', false)", "SELECT nextval('s')", "SELECT lo_import('/etc/passwd')",
    "SELECT pg_read_file('/etc/passwd')", "SELECT * FROM dblink('x', 'y')", "SELECT * FROM secret",
    "SELECT * FROM other.orders", "SELECT * FROM information_schema.tables", "COPY orders TO '/tmp/x'",
    "SELECT * FROM (WITH secret AS (SELECT 1) SELECT * FROM secret) x, secret", "SET x = 1",
    "SELECT java_method('java.lang.Runtime', 'getRuntime')", "SELECT reflect('a', 'b')",
    "SELECT load_extension('x')", "SELECT load_file('/etc/passwd')", "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'", "SELECT list_sum(range(100000000))", "SELECT getenv('HOME')",
    "SELECT * FROM generate_series(1, 10000000000)", "EXPLAIN ANALYZE SELECT 1", "CALL f()",
    "SELECT sleep(5)",
    "SELECT query_to_xml('drop table a', true, true, '')", "SELECT benchmark(1000000000, md5('a'))",
    "SELECT current_setting('a')", "SELECT repeat('a', 1000000000)", "PRAGMA x", "ATTACH 'x' AS y",
    "SELECT TRANSFORM(city) USING 'cat' FROM orders", "SELECT * FROM EXTERNAL_QUERY('a', 'b')",
    "SELECT system$cancel_all_queries('a')",
    "SELECT ai_generate_text('x')", "not SQL at all", "",
]  # fmt: skip


@pytest.mark.parametrize("dialect", DIALECTS)
def test_only_one_select_over_attached_tables_passes(dialect: str) -> None:
    passed = []
    for text in REFUSED:
        try:
            passed.append((text, only_reads(text, PLACES, dialect)))
        except BadQuery as error:
            assert str(error)
    assert passed == []
    for text in (
        "SELECT city, sum(amount) AS s FROM orders GROUP BY city ORDER BY s DESC LIMIT 3 -- all of it",
        "WITH a AS (SELECT * FROM orders) SELECT a.city FROM a JOIN staff ON staff.id = a.id GROUP BY 1",
        "SELECT city FROM orders UNION ALL SELECT name FROM hr.staff",
    ):
        sent = only_reads(text, PLACES, dialect)
        assert "all of it" not in sent and ("public" in sent) and ("Staff" in sent) == ("staff" in text)


def test_a_part_of_the_query_cannot_stand_for_a_table() -> None:
    sent = only_reads("WITH secret AS (SELECT * FROM secret) SELECT * FROM secret", {}, "postgres")
    assert 'FROM "secret"' not in sent


@pytest.fixture(scope="module")
def sources(url: str, file: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("files")
    shop.into_sqlite(folder / "s.db", file)
    shop.into_duckdb(folder / "d.db", file)
    return {"postgres": url, "sqlite": f"sqlite:///{folder}/s.db", "duckdb": f"duckdb:///{folder}/d.db"}


@pytest.mark.parametrize("name", ["postgres", "sqlite", "duckdb"])
def test_the_engine_itself_refuses_to_write(name: str, sources: dict[str, str]) -> None:
    connections = Connections({"shop": SecretStr(sources[name])})
    session = connections["shop"].open()
    for statement in ("DELETE FROM orders", "CREATE TABLE made (a INTEGER)", "DROP TABLE orders"):
        with pytest.raises(Exception, match=r"(?i)read.?only|cursor"):
            session.rows(statement)
    session.close()
    assert connections["shop"].query("SELECT count(*) FROM orders", limit=1).rows[0][0] > 18_000
    connections.close()


ENDLESS = {
    "postgres": "SELECT pg_sleep(60)",
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
    "duckdb": "SELECT count(*) FROM orders a, orders b, orders c WHERE a.amount + b.amount > c.amount",
}


@pytest.mark.parametrize("name", list(ENDLESS))
def test_a_stop_ends_a_query_there(name: str, sources: dict[str, str], worker: Worker) -> None:
    connections = Connections({"shop": SecretStr(sources[name])})
    threading.Timer(0.7, worker.kill).start()
    began = time.monotonic()
    with pytest.raises(LimitExceeded, match="stopped"):
        connections["shop"].query(ENDLESS[name], limit=1, watch=worker.watch)
    assert time.monotonic() - began < 3
    if name == "postgres":
        running = (
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND state = 'active'"
        )
        assert connections["shop"].query(f"{running} AND pid <> pg_backend_pid()", limit=1).rows == [[0]]
    connections.close()


@pytest.mark.parametrize("name", list(ENDLESS))
def test_a_query_has_a_time_limit(name: str, sources: dict[str, str]) -> None:
    connections = Connections({"shop": SecretStr(sources[name])}, seconds=0.3)
    with pytest.raises(AnalysisError, match=r"did not answer within|timeout|took longer"):
        connections["shop"].query(ENDLESS[name], limit=1)
    connections.close()


def test_a_long_answer_is_cut_and_counted(sources: dict[str, str]) -> None:
    for url in sources.values():
        connections = Connections({"shop": SecretStr(url)})
        table = connections["shop"].query("SELECT id FROM orders ORDER BY id DESC", limit=100)
        assert (len(table.rows), table.row_count, table.truncated) == (100, 18047, True)
        assert table.rows[0] == [20000]
        connections.close()


def test_a_table_that_grew_is_counted_anew(at: At, server: PostgresServer, file: Path) -> None:
    grown = server.url()
    shop.into_postgres(grown, file)
    with at(grown, "public") as engine:
        with psycopg.connect(grown, autocommit=True) as connection:
            connection.execute("INSERT INTO orders (id, segment) VALUES (99999, 'new')")
        result = query(engine, measure="amount", aggregate=["sum"])
    assert (result.rows_total, result.rows_used) == (18048, 18048 - 622)


def test_what_needs_rows_says_to_bring_a_copy(at: At, sources: dict[str, str]) -> None:
    with (
        at(sources["sqlite"], "main") as engine,
        pytest.raises(ElsewhereOnly, match="Bring a copy of it here"),
    ):
        engine.program("output = 1", title="t", tool="t", arguments={}, datasets=engine.datasets)


def test_a_copy_is_the_same_table_here(assistant: Assistant, file: Path) -> None:
    key = assistant.new_session("ann")
    dataset = assistant.attach_table(key, "shop", "orders", "public")
    told: list[float] = []
    copy = assistant.copy_here(key, dataset, progress=lambda part, text: told.append(part))
    frame = pd.read_parquet(file)
    found = pd.read_parquet(copy.table_path)
    assert copy.rows == len(frame) == len(found) and not copy.source and told[-1] == 0.9
    assert [(c.name, c.missing) for c in copy.columns if c.kind != "number"] == [
        (name, int(frame[name].isna().sum())) for name in frame if name not in ("amount", "score", "price")
    ]
    assert found["price"].sum() == frame["price"].sum() and found["at"].max() == frame["at"].max()
    assert [d.name for d in assistant.datasets(key)] == ["orders", "orders_copy"]
    some = assistant.copy_here(key, dataset, [{"column": "city", "op": "equals", "value": "Rome"}])
    assert some.rows == int((frame["city"] == "Rome").sum()) and "where city is Rome" in some.notes[0]


def test_a_copy_is_bounded(assistant: Assistant, monkeypatch: pytest.MonkeyPatch) -> None:
    key = assistant.new_session("ann")
    dataset = assistant.attach_table(key, "shop", "orders", "public")
    small = assistant.settings.model_copy(update={"upload_limit_mb": 0})
    monkeypatch.setattr(assistant._workspace, "settings", small)
    with pytest.raises(LimitExceeded, match="UPLOAD_LIMIT_MB"):
        assistant.copy_here(key, dataset)
    assert [d.name for d in assistant.datasets(key)] == ["orders"]


def test_sql_of_a_person_runs_at_the_tables_engine(at: At, sources: dict[str, str]) -> None:
    for name, schema in (("postgres", "public"), ("sqlite", "main"), ("duckdb", "main")):
        with at(sources[name], schema) as engine:
            result = sql(
                engine, "SELECT segment, count(*) AS n FROM orders GROUP BY segment ORDER BY segment"
            )
            assert [row[0] for row in result.output["table"]["rows"]] == ["new", "regular", "vip"]
            assert "duckdb" not in result.engine
            with pytest.raises(BadQuery):
                sql(engine, "DELETE FROM orders")

"""Statements that try to leave the locked connection, judged by their text and run without the judge."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from sandbox import errors
from sandbox.client import Worker

SECRET = "the-content-of-a-file-outside"
LEAVING = [
    "COPY (SELECT 1) TO '{out}'",
    "COPY t TO '{out}' (FORMAT parquet)",
    "COPY (SELECT 1) TO '{data}.wal'",
    "WITH a AS (COPY (SELECT 1) TO '{out}') SELECT 1",
    "SELECT (WITH a AS (COPY (SELECT 1) TO '{out}') SELECT 1)",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{out}'",
    "EXPORT DATABASE '{out}'",
    "IMPORT DATABASE '{out}'",
    "ATTACH '{out}'",
    "ATTACH '{out}' AS other (READ_ONLY)",
    "ATTACH ':memory:' AS other",
    "DETACH memory",
    "USE other",
    "CREATE TABLE x AS SELECT * FROM read_text('{secret}')",
    "SELECT * FROM read_csv('{secret}')",
    "SELECT * FROM read_csv_auto('{secret}')",
    "SELECT * FROM sniff_csv('{secret}')",
    "SELECT * FROM read_json('{secret}')",
    "SELECT * FROM read_json_auto('{secret}')",
    "SELECT * FROM read_ndjson_objects('{secret}')",
    "SELECT * FROM read_text('{secret}')",
    "SELECT * FROM read_blob('{secret}')",
    "SELECT * FROM read_parquet('{secret}')",
    "SELECT * FROM parquet_metadata('{secret}')",
    "SELECT * FROM parquet_schema('{data}')",
    "SELECT * FROM '{secret}'",
    "FROM '{secret}'",
    'SELECT * FROM "{secret}"',
    "SELECT * FROM glob('/*')",
    "SELECT * FROM read_csv('http://127.0.0.1:1/x.csv')",
    "SELECT * FROM 's3://bucket/x.parquet'",
    "SELECT getenv('HOME')",
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('t')",
    "SELECT * FROM frame",
    "SELECT * FROM con",
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD '{out}'",
    "FORCE INSTALL excel FROM 'http://127.0.0.1:1'",
    "UPDATE EXTENSIONS",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "SET allowed_paths = ['/etc/passwd']",
    "SET allowed_directories = ['/']",
    "SET temp_directory = '/tmp'",
    "SET memory_limit = '100GB'",
    "SET python_enable_replacements = true",
    "SET search_path = 'other'",
    "SET VARIABLE x = 1",
    "RESET enable_external_access",
    "RESET lock_configuration",
    "PRAGMA enable_external_access = true",
    "PRAGMA database_list",
    "PRAGMA enable_profiling = 'json'",
    "PRAGMA profiling_output = '{out}'",
    "PRAGMA database_size",
    "CALL pragma_version()",
    "CALL enable_logging(storage = 'file', storage_path = '{out}')",
    "CREATE SECRET s (TYPE s3, KEY_ID 'k', SECRET 's')",
    "CREATE PERSISTENT SECRET s (TYPE http)",
    "CREATE MACRO m() AS TABLE SELECT * FROM read_text('{secret}')",
    "CREATE OR REPLACE TEMP VIEW t AS SELECT 1 AS n",
    "CREATE TABLE x AS SELECT 1",
    "CREATE FUNCTION f() AS 1",
    "INSERT INTO t VALUES (1, 'y')",
    "UPDATE t SET n = 0",
    "DELETE FROM t",
    "SELECT (WITH a AS (DELETE FROM t RETURNING *) SELECT 1)",
    "WITH a AS (INSERT INTO t VALUES (1, 'y') RETURNING *) SELECT * FROM a",
    "MERGE INTO t USING t AS u ON t.n = u.n WHEN MATCHED THEN DELETE",
    "DROP VIEW t",
    "ALTER TABLE t RENAME TO u",
    "TRUNCATE t",
    "VACUUM",
    "CHECKPOINT",
    "FORCE CHECKPOINT",
    "ANALYZE",
    "BEGIN",
    "COMMIT",
    "PREPARE q AS SELECT 1",
    "EXECUTE q",
    "SELECT 1; SELECT 2",
    "SELECT 1; COPY (SELECT 1) TO '{out}'",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_databases()",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_views",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM pg_catalog.pg_tables",
    "SELECT * FROM sqlite_master",
    "SELECT current_setting('allowed_paths')",
    "SELECT * FROM test_all_types()",
    "SELECT write_log('x')",
]


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.close()


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    path = tmp_path_factory.mktemp("data") / "t.parquet"
    duckdb.sql(f"COPY (SELECT range AS n, 'x' AS s FROM range(1000)) TO '{path}'")
    return {"t": path}


@pytest.fixture
def places(tmp_path: Path, tables: dict[str, Path]) -> dict[str, Path]:
    """Where a statement could write, what it could read, and the table's own file."""
    secret = tmp_path / "secret.txt"
    secret.write_text(f"{SECRET}\n{SECRET}\n")
    return {"out": tmp_path / "out.csv", "secret": secret, "data": tables["t"]}


@pytest.mark.parametrize("sql", LEAVING)
def test_only_a_single_select_of_the_tables_passes(
    sql: str, worker: Worker, tables: dict[str, Path], places: dict[str, Path]
) -> None:
    with pytest.raises(errors.QueryFailed):
        worker.query(sql.format(**places), tables)
    assert sorted(path.name for path in places["secret"].parent.iterdir()) == ["secret.txt"]
    assert worker.query("SELECT count(*) FROM t", tables).rows == [[1000]]


def test_nothing_gets_out_of_the_connection_where_nobody_judges_the_text(
    worker: Worker, tables: dict[str, Path], places: dict[str, Path]
) -> None:
    before = {path: path.read_bytes() for path in (places["data"], places["secret"])}
    statements = [sql.format(**places) for sql in LEAVING]
    code = f"""
output = {{"seen": []}}
frame = None
for sql in {statements!r}:
    try:
        output["seen"].append(str(con.execute(sql).fetchall()))
    except Exception as error:
        output["seen"].append(type(error).__name__)
setting = "SELECT value FROM duckdb_settings() WHERE name = "
output["external"] = con.execute(setting + "'enable_external_access'").fetchall()
output["locked"] = con.execute(setting + "'lock_configuration'").fetchall()
"""
    values = worker.program(code, tables).values
    assert SECRET not in str(values) and "root:" not in str(values)
    assert values["external"] == [["false"]] and values["locked"] == [["true"]]
    assert {path: path.read_bytes() for path in before} == before
    assert sorted(path.name for path in places["secret"].parent.iterdir()) == ["secret.txt"]
    assert [path.name for path in places["data"].parent.iterdir()] == ["t.parquet"]
    assert worker.query("SELECT count(*) FROM t", tables).rows == [[1000]]

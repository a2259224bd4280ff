"""Tables of SQLite and DuckDB files, which are opened for reading only."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb

from sandbox.engine import literal, quoted
from sandbox.errors import Unreadable
from sandbox.reading.options import ReadOptions
from sandbox.reading.parts import Part
from sandbox.reading.relations import MOMENTS, convert_relation, with_total
from sandbox.reading.writing import Work, Written

BATCH_ROWS = 50_000
NO_TABLES = "There is no table with rows in the database."
VERSION = (
    "The database was written by another version of DuckDB than the one here ({0}), or is damaged. Export its"
    " tables as Parquet and upload those."
)


def sqlite_parts(path: Path, options: ReadOptions) -> list[Part]:
    """Every table and view with rows. Raises Unreadable."""
    found = []
    with _sqlite(path) as connection:
        names = connection.execute(
            "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%'"
            " ESCAPE '\\' ORDER BY type, rowid"
        ).fetchall()
        for (name,) in names:
            try:
                ((rows,),) = connection.execute(f"SELECT count(*) FROM {quoted(name)}").fetchall()
            except sqlite3.OperationalError:
                # A virtual table of a module that is not here, or a view on what is gone.
                continue
            found.append(Part(options.but(format="sqlite", part=name), name, rows=rows))
    return _with_rows(found)


def sqlite_convert(work: Work, path: Path, options: ReadOptions, target: Path) -> Written:
    """Writes one table. Raises Unreadable."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    options = options.but(format="sqlite", part=options.part or sqlite_parts(path, options)[0].name)
    raw, table = work.file("raw.parquet"), quoted(str(options.part))
    with _sqlite(path) as connection:
        columns, notes = _sqlite_columns(connection, table)
        schema = pa.schema([(name, getattr(pa, kind)()) for name, kind, _ in columns])
        ((total,),) = connection.execute(f"SELECT count(*) FROM {table}").fetchall()
        limit = f" LIMIT {work.limit}" if work.limit is not None else ""
        cursor = connection.execute(f"SELECT {', '.join(value for *_, value in columns)} FROM {table}{limit}")
        told, done = work.part(0.05, 0.5, "Reading the table"), 0
        with pq.ParquetWriter(raw, schema) as writer:
            while rows := cursor.fetchmany(BATCH_ROWS):
                arrays = [pa.array(column, field.type) for column, field in zip(zip(*rows), schema)]  # noqa: B905
                writer.write_batch(pa.record_batch(arrays, schema=schema))
                done += len(rows)
                told(done / (total or 1))
    relation = f"read_parquet({literal(str(raw))})"
    written = convert_relation(work, relation, target, options, readings=MOMENTS, notes=notes)
    return with_total(written, total) if work.limit is not None else written


def _sqlite_columns(
    connection: sqlite3.Connection, table: str
) -> tuple[list[tuple[str, str, str]], list[str]]:
    """Name, Arrow type and SQL of each column: SQLite has a type for each value, not for a column."""
    described = connection.execute(f"PRAGMA table_xinfo({table})").fetchall()
    if not described:
        raise Unreadable(f"There is no table {table} in the database.")
    names = [str(row[1]) for row in described]
    kinds = ("integer", "real", "text", "blob")
    counted = ", ".join(
        f"coalesce(sum(typeof({quoted(name)}) = '{kind}'), 0)" for name in names for kind in kinds
    )
    row = connection.execute(f"SELECT {counted} FROM {table}").fetchone()
    columns, notes = [], []
    for index, name in enumerate(names):
        integer, real, text, blob = row[4 * index : 4 * index + 4]
        numbers, value = integer + real, quoted(name)
        if text + blob == 0:
            kind = "float64" if real else "int64"
        elif numbers + text == 0:
            kind = "binary"
        else:
            kind, value = "string", f"CAST({value} AS TEXT)"
        if numbers and text:
            few, what = min((numbers, "numbers"), (text, "text"))
            notes.append(
                f"{name!r} is mixed and stays text: {few:,} of {numbers + text:,} values are {what}."
            )
        columns.append((name, kind, value))
    return columns, notes


@contextmanager
def _sqlite(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            connection.text_factory = lambda data: data.decode("utf-8", "replace")
            yield connection
    except sqlite3.Error as error:
        raise Unreadable(
            f"The SQLite database cannot be read ({error}). Copy it again when nothing writes it."
        ) from None


def duckdb_parts(work: Work, path: Path, options: ReadOptions) -> list[Part]:
    """Every table and view with rows. Raises Unreadable."""
    _attach(work, path)
    names = work.query(
        "SELECT schema, name FROM (SELECT schema_name AS schema, table_name AS name, 0 AS kind,"
        " table_oid AS n FROM duckdb_tables() WHERE database_name = 'source' UNION ALL"
        " SELECT schema_name, view_name, 1, view_oid FROM duckdb_views()"
        " WHERE database_name = 'source' AND NOT internal) ORDER BY kind, n"
    )
    found = []
    for schema, table in names:
        try:
            ((rows,),) = work.query(f"SELECT count(*) FROM source.{quoted(schema)}.{quoted(table)}")
        except duckdb.Error:
            # A view on a file that is not here.
            continue
        name = table if schema == "main" else f"{schema}.{table}"
        found.append(Part(options.but(format="duckdb", part=name), name, rows=rows))
    return _with_rows(found)


def duckdb_convert(work: Work, path: Path, options: ReadOptions, target: Path) -> Written:
    """Writes one table. Raises Unreadable."""
    found = {part.name: part for part in duckdb_parts(work, path, options)}
    name = options.part or next(iter(found))
    if name not in found:
        raise Unreadable(f"There is no table {name!r}. There are: {', '.join(map(repr, found))}.")
    schema, _, table = name.rpartition(".") if name.count(".") == 1 else ("", "", name)
    relation = f"source.{quoted(schema or 'main')}.{quoted(table)}"
    try:
        written = convert_relation(work, relation, target, options.but(format="duckdb", part=name))
    except duckdb.Error as error:
        raise Unreadable(f"The table {name!r} cannot be read: {str(error).splitlines()[0]}") from None
    return with_total(written, found[name].rows) if work.limit is not None else written


def _attach(work: Work, path: Path) -> None:
    if work.query("SELECT 1 FROM duckdb_databases() WHERE database_name = 'source'"):
        return
    try:
        work.connection.execute(f"ATTACH {literal(str(path))} AS source (READ_ONLY)")
    except duckdb.Error as error:
        if "encrypt" in str(error).lower():
            raise Unreadable(
                "The database is encrypted. Export its tables as Parquet and upload those."
            ) from None
        raise Unreadable(VERSION.format(duckdb.__version__)) from None


def _with_rows(found: list[Part]) -> list[Part]:
    filled = [part for part in found if part.rows]
    if not filled:
        raise Unreadable(NO_TABLES)
    return filled

"""The tables of the schema, copied out into one file and in again."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from storage.database import migrations
from storage.errors import StoreUnavailable

SCHEMA = "assistant"
CHUNK_BYTES = 1 << 16


def tables(connection: psycopg.Connection[Any]) -> list[str]:
    """Tables of the schema, those that others refer to first."""
    rows = connection.execute(
        "SELECT c.relname, (SELECT count(*) FROM pg_constraint k"
        " WHERE k.conrelid = c.oid AND k.contype = 'f')"
        " FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = %s::regnamespace ORDER BY 2, 1",
        (SCHEMA,),
    ).fetchall()
    return [row[0] for row in rows]


def copy_out(connection: psycopg.Connection[Any], path: Path) -> None:
    """Writes every table, as the transaction of `connection` sees it, to a zip file."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for table in tables(connection):
            copying = sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(SCHEMA, table))
            with (
                file.open(f"{table}.copy", "w", force_zip64=True) as target,
                connection.cursor().copy(copying) as rows,
            ):
                for chunk in rows:
                    target.write(chunk)


def copy_in(connection: psycopg.Connection[Any], file: zipfile.ZipFile, path: Path) -> None:
    """Replaces every table by the file's. Raises StoreUnavailable for one of another schema."""
    found = tables(connection)
    if set(file.namelist()) != {f"{table}.copy" for table in found} or _version(file) != _newest():
        raise StoreUnavailable(f"{path} was made by another version of this app. Nothing was changed.")
    names = sql.SQL(", ").join(sql.Identifier(SCHEMA, table) for table in found)
    connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(names))
    for table in found:
        name = sql.Identifier(SCHEMA, table)
        _guard_rows(connection, name, on=False)
        copying = sql.SQL("COPY {} FROM STDIN").format(name)
        with file.open(f"{table}.copy") as source, connection.cursor().copy(copying) as rows:
            while chunk := source.read(CHUNK_BYTES):
                rows.write(chunk)
        _guard_rows(connection, name, on=True)
    _advance_sequences(connection)


def whole_copy(path: Path) -> zipfile.ZipFile:
    """A backup whose every byte was checked. Raises StoreUnavailable."""
    if not path.is_file():
        raise StoreUnavailable(f"{path} is no file.")
    try:
        file = zipfile.ZipFile(path)
        damaged = file.testzip()
    except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise StoreUnavailable(
            f"{path} is no whole backup of this database: {error}. Nothing was changed."
        ) from error
    if damaged:
        raise StoreUnavailable(
            f"{path} is no whole backup of this database: {damaged} is damaged. Nothing was changed."
        )
    return file


def _version(file: zipfile.ZipFile) -> int:
    """The newest schema version that a backup has gone through."""
    rows = file.read("schema_version.copy").splitlines()
    return max((int(row.split(b"\t")[0]) for row in rows), default=0)


def _newest() -> int:
    return migrations("postgresql")[-1][0]


def _guard_rows(connection: psycopg.Connection[Any], table: sql.Identifier, *, on: bool) -> None:
    """COPY FROM refuses tables with row-level security; a broken restore leaves it as it was."""
    switch = sql.SQL("ENABLE" if on else "DISABLE")
    connection.execute(sql.SQL("ALTER TABLE {} {} ROW LEVEL SECURITY").format(table, switch))


def _advance_sequences(connection: psycopg.Connection[Any]) -> None:
    rows = connection.execute(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = %s AND is_identity = 'YES'",
        (SCHEMA,),
    ).fetchall()
    for table, column in rows:
        connection.execute(
            sql.SQL(
                "SELECT setval(pg_get_serial_sequence({name}, {field}), max({column}) + 1, false)"
                " FROM {table}"
            ).format(
                name=f"{SCHEMA}.{table}",
                field=column,
                column=sql.Identifier(column),
                table=sql.Identifier(SCHEMA, table),
            )
        )

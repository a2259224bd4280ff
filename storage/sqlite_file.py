"""What lies in an SQLite file: whose it is, of which schema, whether it is whole; nothing here changes it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from storage.database import migrations
from storage.errors import StoreUnavailable

_OURS = {"schema_version", "adk_sessions"}


def schema_version_of(connection: sqlite3.Connection) -> int:
    known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'schema_version'").fetchone()
    if known is None:
        return 0
    version = connection.execute("SELECT max(version) FROM schema_version").fetchone()[0]
    return int(version or 0)


def damage(connection: sqlite3.Connection) -> list[str]:
    try:
        found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
        broken = connection.execute("PRAGMA foreign_key_check").fetchall()
    except sqlite3.DatabaseError as error:
        return [str(error)]
    return found + [f"a row of {row[0]} refers to a missing row of {row[2]}" for row in broken]


def open_read_only(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing; rows are read by name, on any thread."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    return connection


def stored_version(path: Path) -> int:
    """The schema version of a file, 0 when it is empty or missing.

    Raises StoreUnavailable when it cannot be read or is another program's.
    """
    try:
        if not path.exists() or path.stat().st_size == 0:
            return 0
        with closing(open_read_only(path)) as connection:
            tables = _tables(connection)
            version = schema_version_of(connection) if tables >= _OURS else 0
    except (sqlite3.DatabaseError, OSError) as error:
        raise StoreUnavailable(f"{path} cannot be read: {error}.") from error
    if tables and version == 0:
        raise StoreUnavailable(f"{path} is a database of another program.")
    return version


def check_backup(path: Path) -> None:
    """Raises StoreUnavailable unless the file is a whole backup that this version can read."""
    if not path.is_file():
        raise StoreUnavailable(f"{path} is no file.")
    try:
        version = stored_version(path)
    except StoreUnavailable as error:
        raise StoreUnavailable(f"{error} Nothing was changed.") from error
    if version > migrations("sqlite")[-1][0]:
        raise StoreUnavailable(f"{path} was written by a newer version of this app. Nothing was changed.")
    with closing(open_read_only(path)) as source:
        problems = damage(source) if version else ["it is empty"]
    if problems:
        raise StoreUnavailable(
            f"{path} is no whole backup of this app ({'; '.join(problems[:3])}). Nothing was changed."
        )


def _tables(connection: sqlite3.Connection) -> set[str]:
    return {str(row[0]) for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def statements(script: str) -> Iterator[str]:
    """The statements of an SQL script; a trigger's body counts as one."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            if pending.strip():
                yield pending
            pending = ""

"""A SQLite file of ADK's own session services, read as it is.

`SqliteSessionService` and `DatabaseSessionService` (schema 1) name tables and columns alike; times are
numbers in one and text in UTC in the other. Events come in the order (timestamp, row id), which is the order
of storing where clocks tie.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.errors import StorageError
from storage.sqlite_file import open_read_only

TABLES = {"sessions", "events", "app_states", "user_states"}
METADATA = "adk_internal_metadata"
KNOWN_SCHEMA = "1"
Row = sqlite3.Row


class AdkFile:
    """The sessions of one app, or of all, in one view of the file.

    Raises StorageError when it cannot be read, is no such file, or has no session of the app.
    """

    def __init__(self, path: Path, app_name: str | None = None) -> None:
        self.path = path
        self._mine = "true" if app_name is None else "app_name = ?"
        self._values = () if app_name is None else (app_name,)
        if not path.is_file():
            raise StorageError(f"{path} is no file.")
        with self._explained():
            self._connection = open_read_only(path)
        try:
            self._begin(app_name)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Lets go of the file."""
        self._connection.close()

    def sessions(self) -> list[int]:
        """Row numbers of sessions, in the order that ADK lists them."""
        return self._numbers("sessions", "update_time, user_id, id")

    def session(self, number: int) -> Row:
        """A session: app_name, user_id, id, state, create_time, update_time."""
        return self._row("sessions", number)

    def has_session(self, session: Row, session_id: str) -> bool:
        """Whether the owner of a session has another of that id."""
        with self._explained():
            found = self._connection.execute(
                "SELECT 1 FROM sessions WHERE app_name = ? AND user_id = ? AND id = ?",
                (session["app_name"], session["user_id"], session_id),
            )
            return found.fetchone() is not None

    def events(self, number: int) -> Iterator[Row]:
        """A session's events, one at a time: id, invocation_id, timestamp, event_data."""
        with self._explained():
            yield from self._connection.execute(
                "SELECT e.id, e.invocation_id, e.timestamp, e.event_data FROM sessions s JOIN events e"
                " ON e.app_name = s.app_name AND e.user_id = s.user_id AND e.session_id = s.id"
                " WHERE s.rowid = ? ORDER BY e.timestamp, e.rowid",
                (number,),
            )

    def app_states(self) -> Iterator[Row]:
        """The state of apps: app_name, state."""
        return (self._row("app_states", number) for number in self._numbers("app_states", "rowid"))

    def user_states(self) -> Iterator[Row]:
        """The state of users: app_name, user_id, state."""
        return (self._row("user_states", number) for number in self._numbers("user_states", "rowid"))

    def strays(self) -> int:
        """How many events belong to no session."""
        with self._explained():
            found = self._connection.execute(
                f"SELECT count(*) FROM events e WHERE {self._mine} AND NOT EXISTS (SELECT 1 FROM sessions s"
                " WHERE s.app_name = e.app_name AND s.user_id = e.user_id AND s.id = e.session_id)",
                self._values,
            )
            return int(found.fetchone()[0])

    def _begin(self, app_name: str | None) -> None:
        with self._explained():
            self._connection.text_factory = _text
            self._connection.execute("BEGIN")
            found = self._connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            self._check_kind({row[0] for row in found})
            if app_name is not None:
                self._check_app(app_name)

    def _check_kind(self, tables: set[str]) -> None:
        if not tables >= TABLES:
            raise StorageError(f"{self.path} is no file of ADK's session services.")
        columns = {row[1] for row in self._connection.execute("PRAGMA table_info(events)")}
        if "event_data" not in columns:
            raise StorageError(
                f"{self.path} has ADK's older tables, with pickled objects and times of no stated zone: run "
                f"`adk migrate session --source_db_url sqlite:///{self.path} --dest_db_url "
                "sqlite:///NEW_FILE` and import NEW_FILE."
            )
        if METADATA in tables:
            found = self._connection.execute(f"SELECT value FROM {METADATA} WHERE key = 'schema_version'")
            if (version := next(found, (KNOWN_SCHEMA,))[0]) != KNOWN_SCHEMA:
                raise StorageError(
                    f"{self.path} has schema {version} of ADK's DatabaseSessionService; only schema "
                    f"{KNOWN_SCHEMA} is known to this version of the app."
                )

    def _check_app(self, app_name: str) -> None:
        found = self._connection.execute("SELECT DISTINCT app_name FROM sessions ORDER BY 1 LIMIT 20")
        apps = [str(row[0]) for row in found]
        if app_name not in apps:
            raise StorageError(
                f"{self.path} has no session of the app {app_name}, but of: {', '.join(apps) or 'none'}."
            )

    def _numbers(self, table: str, order: str) -> list[int]:
        with self._explained():
            found = self._connection.execute(
                f"SELECT rowid FROM {table} WHERE {self._mine} ORDER BY {order}", self._values
            )
            return [row[0] for row in found]

    def _row(self, table: str, number: int) -> Row:
        with self._explained():
            found = self._connection.execute(f"SELECT * FROM {table} WHERE rowid = ?", (number,))
            row: Row = found.fetchone()
            return row

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StorageError(f"{self.path} cannot be read: {error}.") from error


def _text(raw: bytes) -> str:
    """Bytes that are no UTF-8 fail where they are stored, not where rows are read."""
    return raw.decode("utf-8", "surrogateescape")

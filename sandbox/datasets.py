"""The datasets as code finds them: DataFrames, loaded when named, and views in a DuckDB connection."""

import builtins
import keyword
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FunctionType
from typing import Any

import duckdb
import pandas as pd

from sandbox import connections
from sandbox.engine import literal, quoted

CURRENT = "df"
CONNECTION = "con"
RESERVED = {CURRENT, CONNECTION, "show", "tables", "output"}


class DatasetGone(Exception):
    """A dataset's file is no longer where it was."""


class Datasets:
    """One conversation's data; what was loaded stays loaded until its file changes."""

    def __init__(self, memory_mb: int, threads: int) -> None:
        self._memory_mb = memory_mb
        self._threads = threads
        self._paths: dict[str, str] = {}
        self._views: dict[str, str] = {}
        self._frames: dict[str, tuple[str, pd.DataFrame]] = {}
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._own: duckdb.DuckDBPyConnection | None = None
        """A second way into the same database: code may leave an unfinished result on the first."""
        self._awake = False
        """Whether the database has its threads; between runs it has none."""
        self._bound: Any = None
        self._current: pd.DataFrame | None = None
        self.tables = Tables(self)
        self.notes: list[str] = []

    def use(
        self, tables: Mapping[str, str], namespace: dict[str, Any], needs: frozenset[str], sql: bool
    ) -> None:
        """Binds the names that code needs; `sql` says that it may use DuckDB without naming `con`."""
        self._paths, self.notes = dict(tables), []
        self._forget(namespace)
        if CONNECTION in needs or sql or any(_uses_connection(namespace.get(name)) for name in needs):
            self._bind_connection(namespace)
        for name in tables:
            if name in needs and name not in namespace and self.is_plain(name):
                namespace[name] = self.frame(name)
        if CURRENT in needs and CURRENT not in tables:
            self._bind_current(namespace)
        elif CURRENT in needs and CURRENT not in namespace:
            namespace[CURRENT] = self.frame(CURRENT)

    @staticmethod
    def is_plain(name: str) -> bool:
        """Whether a dataset can be a variable of its name without hiding anything else."""
        free = name not in RESERVED - {CURRENT} and not hasattr(builtins, name)
        return name.isidentifier() and not keyword.iskeyword(name) and free

    @property
    def names(self) -> list[str]:
        """The datasets' names in order."""
        return list(self._paths)

    def frame(self, name: str) -> pd.DataFrame:
        """A dataset's rows, all of them."""
        path = self._paths[name]
        if name not in self._frames or self._frames[name][0] != path:
            self._frames[name] = path, self._database().table(quoted(name)).df()
        return self._frames[name][1]

    def connection(self) -> duckdb.DuckDBPyConnection:
        """The connection that code uses, with a view for each dataset; opened again if code has closed it."""
        self._database()
        assert self._connection is not None
        duckdb.set_default_connection(self._connection)
        return self._connection

    def rest(self) -> None:
        """Ends every thread of DuckDB."""
        connections.rest()
        self._awake = False

    def _database(self) -> duckdb.DuckDBPyConnection:
        if self._own is None or self._connection is None or not _is_open(self._connection):
            self._connection, self._own, self._views = connections.cursor(), connections.cursor(), {}
        if not self._awake:
            connections.wake(self._memory_mb, self._threads)
        self._awake = True
        for name in self._views.keys() - self._paths.keys():
            self._view(f"DROP VIEW IF EXISTS {quoted(name)}", name)
            self._views.pop(name)
        for name, path in self._paths.items():
            if self._views.get(name) == path:
                continue
            if not Path(path).exists():
                raise DatasetGone(f"The stored table {name} is gone. Upload its file again.")
            source = f"SELECT * FROM read_parquet({literal(path)})"
            self._view(f"CREATE OR REPLACE VIEW {quoted(name)} AS {source}", name)
            self._views[name] = path
        return self._own

    def _view(self, statement: str, name: str) -> None:
        assert self._own is not None
        try:
            self._own.execute(statement)
        except duckdb.CatalogException:
            self.notes.append(f"In SQL, {name} is a table that earlier code made, not the dataset.")

    def _bind_connection(self, namespace: dict[str, Any]) -> None:
        connection = self.connection()
        if CONNECTION not in namespace or namespace[CONNECTION] is self._bound:
            namespace[CONNECTION] = self._bound = connection

    def _bind_current(self, namespace: dict[str, Any]) -> None:
        """`df` follows the current dataset unless code has given it another value."""
        if self._paths and (CURRENT not in namespace or namespace[CURRENT] is self._current):
            namespace[CURRENT] = self._current = self.frame(self.names[-1])

    def _forget(self, namespace: dict[str, Any]) -> None:
        """Drops what was loaded from a file that is not the dataset's any more."""
        for name, (path, frame) in list(self._frames.items()):
            if self._paths.get(name) == path:
                continue
            del self._frames[name]
            if namespace.get(CURRENT) is frame:
                self._current = None
                del namespace[CURRENT]
            if name in namespace and name in self._paths:
                del namespace[name]
                self.notes.append(f"{name} was loaded again: its data has changed.")
            elif namespace.get(name) is frame:
                del namespace[name]


def _uses_connection(value: Any) -> bool:
    """Whether it is a function of earlier code that names the connection."""
    return isinstance(value, FunctionType) and CONNECTION in value.__code__.co_names


def _is_open(connection: duckdb.DuckDBPyConnection) -> bool:
    try:
        connection.cursor().close()
    except duckdb.ConnectionException:
        return False
    return True


class Tables(Mapping[str, pd.DataFrame]):
    """All datasets by name, also those whose name is no Python name; each is loaded when asked for."""

    def __init__(self, datasets: Datasets) -> None:
        self._datasets = datasets

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in self._datasets.names:
            raise KeyError(name)
        return self._datasets.frame(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._datasets.names)

    def __len__(self) -> int:
        return len(self._datasets.names)

    def __repr__(self) -> str:
        return f"tables: {', '.join(self._datasets.names) or 'none'}"

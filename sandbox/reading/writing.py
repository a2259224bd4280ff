"""A reading at work: its DuckDB, its folder, how far it is; and the columnar table that it writes."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
from duckdb import connect  # DuckDB's own, also where `sandbox.connections` stands in for it

from sandbox.engine import literal, quoted
from sandbox.errors import Unreadable

LOOK_SECONDS = 0.2
NO_ROW = "No row of the file fits its header. Check the delimiter and the quotes."
# The optimizer would make a join of every list of words for missing.
WITHOUT = "in_clause"
SETTINGS = (
    "TimeZone = 'UTC'",
    "enable_progress_bar = true",
    "enable_progress_bar_print = false",
    f"disabled_optimizers = '{WITHOUT}'",
)
Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Written:
    """What was written, and what the person should know."""

    rows: int
    columns: list[tuple[str, str]]
    originals: list[str]
    """Names as they stand in the file, in the columns' order."""
    notes: list[str]
    options: dict[str, Any]
    """With what was decided in place of None."""
    rejected_rows: int = 0
    total: int | None = None
    """Rows of the whole file where only some were read; an estimate, or None when nobody knows."""

    def to_json(self) -> dict[str, Any]:
        """For the pipe."""
        return dict(vars(self))


@dataclass
class Work:
    """One call: `folder` is the only place that the process may write to, and holds no folders."""

    folder: Path
    memory_mb: int
    threads: int
    progress: Progress
    limit: int | None = None
    """How many rows are wanted; None for all."""
    cut: bool = False
    """Whether only the beginning of the file is there."""
    connection: duckdb.DuckDBPyConnection = field(init=False)

    def __enter__(self) -> "Work":
        self.connection = connect(
            ":memory:",
            config={
                "memory_limit": f"{self.memory_mb}MB",
                "threads": self.threads,
                "temp_directory": str(self.folder),
                "python_enable_replacements": False,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        )
        for setting in SETTINGS:
            self.connection.execute(f"SET {setting}")
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def file(self, name: str) -> Path:
        """A path for a file that is needed on the way."""
        return self.folder / name

    def say(self, part: float, text: str) -> None:
        """Tells how far the call is."""
        self.progress(part, text)

    def part(self, start: float, end: float, text: str) -> Callable[[float], None]:
        """What is told a part of a step that takes the call from `start` to `end`."""
        return lambda done: self.progress(start + (end - start) * min(max(done, 0.0), 1.0), text)

    @contextmanager
    def watched(self, start: float, end: float, text: str) -> Iterator[None]:
        """Tells how far DuckDB is with what runs inside."""
        over, tell = threading.Event(), self.part(start, end, text)

        def watch() -> None:
            while not over.wait(LOOK_SECONDS):
                done = self.connection.query_progress()
                if done >= 0:
                    tell(done / 100)

        tell(0)
        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows of an answer."""
        return self.connection.execute(sql).fetchall()


def write(work: Work, select: str, target: Path) -> int:
    """Writes the rows of a query to Parquet; returns how many.

    In Snappy: larger than Zstandard, and every later query is a quarter faster. Version 2's encodings take a
    third off the size at no cost in time.
    """
    limit = f" LIMIT {work.limit}" if work.limit is not None else ""
    ((rows,),) = work.query(
        f"COPY ({select}{limit}) TO {literal(str(target))}"
        " (FORMAT parquet, COMPRESSION snappy, PARQUET_VERSION v2)"
    )
    return int(rows)


def require_rows(rows: int, reason: str = NO_ROW) -> int:
    """`rows`; raises Unreadable when there are none."""
    if not rows:
        raise Unreadable(reason)
    return rows


def described(work: Work, relation: str) -> list[tuple[str, str]]:
    """Names and types of a relation's columns."""
    return [(row[0], row[1]) for row in work.query(f"DESCRIBE SELECT * FROM {relation}")]


def plain_columns(work: Work, relation: str) -> tuple[list[str], list[str], list[str]]:
    """SQL, names and notes that make every column one that questions can be asked of.

    Structures become a column for each of their fields, named a.b; types that only DuckDB tells apart become
    usual ones; times with a zone become UTC.
    """
    values: list[str] = []
    names: list[str] = []
    zoned: list[str] = []
    for name, kind in described(work, relation):
        _flatten(work, relation, quoted(name), name, kind, values, names, zoned)
    notes = [f"Times with a zone in {name!r} were converted to UTC." for name in zoned]
    return values, names, notes


def _flatten(
    work: Work,
    relation: str,
    value: str,
    name: str,
    kind: str,
    values: list[str],
    names: list[str],
    zoned: list[str],
) -> None:
    if kind.startswith("STRUCT(") and kind.endswith(")"):
        fields = work.query(f"DESCRIBE SELECT unnest({value}) FROM {relation} LIMIT 0")
        for inner, inner_kind, *_ in fields:
            part = f"struct_extract({value}, {literal(inner)})"
            _flatten(work, relation, part, f"{name}.{inner}", inner_kind, values, names, zoned)
        return
    if kind == "TIMESTAMP WITH TIME ZONE":
        zoned.append(name)
    values.append(_usual(value, kind))
    names.append(name)


def _usual(value: str, kind: str) -> str:
    if kind in ("TIMESTAMP WITH TIME ZONE", "TIMESTAMP_NS", "TIMESTAMP_MS", "TIMESTAMP_S"):
        return f"CAST({value} AS TIMESTAMP)"
    if kind in ("UUID", "JSON", "BIT", "TIME WITH TIME ZONE", '"NULL"') or kind.startswith("ENUM("):
        return f"CAST({value} AS VARCHAR)"
    if kind in ("HUGEINT", "UHUGEINT"):
        return f"CAST({value} AS DOUBLE)"
    return value

"""What a cleaning step would do, before anything is written: the SELECT that makes the new table, in words.

Rows keep the order of the table before. DuckDB promises that for a plain SELECT with WHERE; whatever looks at
other rows is numbered first and sorted by those numbers at the end.
"""

import datetime as dt
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from analysis.conditions import said, typed
from analysis.engine import Engine, not_finite
from analysis.errors import AnalysisError, BadValue
from analysis.measures import free_name
from sandbox.engine import literal, quoted
from sandbox.table import Table
from storage.datasets import ColumnInfo, Dataset

NUMERIC = ("integer", "number")
TIMED = ("date", "datetime")
SHOWN = 5


class NothingToChange(AnalysisError):
    """The step would leave the table as it is."""

    kind = "nothing_to_change"


class DoesNotFit(AnalysisError):
    """Values that the step cannot keep; nothing was changed."""

    kind = "does_not_fit"


@dataclass(frozen=True)
class Plan:
    """One step that was checked against its table."""

    code: str
    """One SELECT over the parents by name."""
    text: str
    """The step in words, as in a list of steps."""
    parents: list[Dataset]
    """The table that it changes first."""
    compared: list[tuple[str, str]] | None = None
    """Columns before and after, where rows and their order stay; None where rows may go or come."""
    removed: str = ""
    """A SELECT of the rows that go."""
    notes: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


class Source:
    """The table that a step is about, as SQL."""

    def __init__(self, engine: Engine, dataset: str) -> None:
        self.engine = engine
        self.data = engine.dataset(dataset)
        self.table = quoted(self.data.name)
        self.names = [column.name for column in self.data.columns]
        self.row = free_name("__row", self.names)
        """The column that numbers rows in `numbered`."""
        self.rows = free_name("__rows", [self.data.name])

    def column(self, name: str) -> ColumnInfo:
        """Raises UnknownColumn."""
        return self.engine.column(self.data, name)

    def columns(self, names: Sequence[str] | str) -> list[ColumnInfo]:
        """The columns called so, each once. Raises UnknownColumn, and BadValue for none."""
        listed = [names] if isinstance(names, str) else list(names)
        found = {c.name: c for c in map(self.column, filter(None, listed))}
        if not found:
            raise BadValue("Say which columns the step is about.", self.names[:SHOWN])
        return list(found.values())

    def one(self, names: Sequence[str] | str) -> ColumnInfo:
        """The one column. Raises BadValue for several."""
        found = self.columns(names)
        if len(found) > 1:
            raise BadValue("This step takes one column at a time.")
        return found[0]

    def value(self, column: ColumnInfo, table: str = "") -> str:
        """A column's value; NaN and infinities count as missing."""
        name = f"{table}.{quoted(column.name)}" if table else quoted(column.name)
        return f"CASE WHEN isfinite({name}) THEN {name} END" if not_finite(column) else name

    def missing(self, column: ColumnInfo) -> str:
        """Whether a column's value is missing."""
        name = quoted(column.name)
        return f"coalesce(NOT isfinite({name}), true)" if not_finite(column) else f"{name} IS NULL"

    def replaced(self, values: dict[str, str], *, ordered: bool = False) -> str:
        """The table with other values in some columns; `ordered` where they look at other rows."""
        changed = ", ".join(f"{value} AS {quoted(name)}" for name, value in values.items())
        if not ordered:
            return f"SELECT * REPLACE ({changed})\nFROM {self.table}"
        return (
            f"{self.numbered()}\nSELECT * EXCLUDE ({quoted(self.row)}) REPLACE ({changed})\n"
            f"FROM {quoted(self.rows)}\nORDER BY {quoted(self.row)}"
        )

    def added(self, values: dict[str, str], *, ordered: bool = False) -> str:
        """The table with more columns at its end."""
        more = ", ".join(f"{value} AS {quoted(name)}" for name, value in values.items())
        if not ordered:
            return f"SELECT *, {more}\nFROM {self.table}"
        return (
            f"{self.numbered()}\nSELECT * EXCLUDE ({quoted(self.row)}), {more}\n"
            f"FROM {quoted(self.rows)}\nORDER BY {quoted(self.row)}"
        )

    def kept(self, condition: str, *, ordered: bool = False) -> str:
        """The rows that meet a condition. With `ordered` it may hold window functions."""
        if not ordered:
            return f"SELECT *\nFROM {self.table}\nWHERE {condition}"
        return (
            f"{self.numbered()}\nSELECT * EXCLUDE ({quoted(self.row)})\nFROM {quoted(self.rows)}\n"
            f"QUALIFY {condition}\nORDER BY {quoted(self.row)}"
        )

    def numbered(self) -> str:
        """The start of a query over the rows with their numbers."""
        return (
            f"WITH {quoted(self.rows)} AS (\n"
            f"  SELECT *, row_number() OVER () AS {quoted(self.row)} FROM {self.table}\n)"
        )

    def fetch(self, text: str) -> Table:
        """The answer of a query over the table."""
        return self.engine.select(text)

    def first(self, *values: str) -> list[Any]:
        """One row of aggregates over the table."""
        return list(self.fetch(f"SELECT {', '.join(values)} FROM {self.table}").rows[0])

    def new_name(self, name: str, without: Iterable[str] = ()) -> str:
        """A name for a new column. Raises BadValue for one that is empty or taken.

        `without` are columns that go.
        """
        wanted = " ".join(str(name).split())
        gone = set(without)
        taken = [other for other in self.names if other not in gone]
        if not wanted:
            raise BadValue("Say how the new column is called.")
        if wanted.lower() in {other.lower() for other in taken}:
            raise BadValue(
                f"There is a column {wanted!r} already; choose another name.", [free_name(wanted, taken)]
            )
        return wanted


def constant(column: ColumnInfo, value: Any) -> str:
    """A value as SQL of the column's type. Raises BadValue."""
    if value is None:
        return "NULL"
    if column.kind in ("text", "other"):
        return literal(said(value))
    if column.kind in TIMED:
        try:
            moment = dt.datetime.fromisoformat(said(value).strip())
        except ValueError:
            raise BadValue(f"{column.name} is a date; write it as 2024-03-05, not {value!r}.") from None
        if column.kind == "date":
            return f"DATE {literal(moment.date().isoformat())}"
        return f"TIMESTAMP {literal(moment.replace(tzinfo=None).isoformat(sep=' '))}"
    if column.kind == "time":
        return f"TIME {literal(said(value).strip())}"
    return number(typed(column, value))


def number(value: Any) -> str:
    """A number or truth value as SQL, with all its digits."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        if not math.isfinite(value):
            raise BadValue(f"{value} is no number to compute with.")
        return f"{value!r}::DOUBLE"
    return str(int(value))


def listing(names: Iterable[str], most: int = 6) -> str:
    """Names in words: a, b and c; many are cut."""
    found = list(names)
    if len(found) > most:
        return f"{', '.join(found[:most])} and {len(found) - most:,} more"
    return " and ".join(filter(None, [", ".join(found[:-1]), *found[-1:]]))


def counted(count: int, noun: str) -> str:
    """A count with its noun: 1 row, 1,200 rows."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"

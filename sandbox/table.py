"""A typed table that crosses a pipe, is stored as JSON, and comes back exact."""

import base64
import datetime as dt
import math
import uuid
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox.duckdb_types import INTEGERS, base_type, decoder

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Column", "Table", "base_type", "encode"]


@dataclass(frozen=True)
class Column:
    """A column's name and DuckDB type."""

    name: str
    type: str


@dataclass(frozen=True)
class Table:
    """Rows of an answer; all of them unless `truncated`."""

    columns: list[Column]
    rows: list[list[Any]] = field(repr=False)
    row_count: int
    """All rows of the answer, also those left out."""
    truncated: bool = False
    elapsed: float = 0.0
    """Seconds the engine took."""

    @property
    def names(self) -> list[str]:
        """Column names in order."""
        return [column.name for column in self.columns]

    def records(self) -> list[dict[str, Any]]:
        """One dictionary a row."""
        return [dict(zip(self.names, row, strict=True)) for row in self.rows]

    def column(self, name: str) -> list[Any]:
        """One column's values."""
        index = self.names.index(name)
        return [row[index] for row in self.rows]

    def without(self, name: str) -> "Table":
        """The table less one column."""
        index = self.names.index(name)
        rows = [row[:index] + row[index + 1 :] for row in self.rows]
        return replace(self, columns=self.columns[:index] + self.columns[index + 1 :], rows=rows)

    def to_json(self) -> dict[str, Any]:
        """JSON that `from_json` turns back to an equal table.

        Integers stay exact; decimals, dates, times, intervals, bytes, UUIDs, NaN and infinities are
        written as strings and read back by the column's type, inside lists, structs and maps too.
        """
        return {
            "columns": [{"name": c.name, "type": c.type} for c in self.columns],
            "rows": [[encode(value) for value in row] for row in self.rows],
            "row_count": self.row_count,
            "truncated": self.truncated,
            "elapsed": self.elapsed,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Table":
        """The table that `to_json` wrote."""
        columns = [Column(c["name"], c["type"]) for c in data["columns"]]
        decoders = [decoder(column.type) for column in columns]
        rows = [
            [None if v is None else decode(v) for v, decode in zip(row, decoders, strict=True)]
            for row in data["rows"]
        ]
        return cls(columns, rows, data["row_count"], data["truncated"], data["elapsed"])

    def to_pandas(self) -> "pd.DataFrame":
        """A DataFrame with one column a column; whole numbers with gaps stay whole (Int64)."""
        import pandas as pd

        frame = {}
        for index, column in enumerate(self.columns):
            values = [row[index] for row in self.rows]
            kind = base_type(column.type)
            if kind in INTEGERS and all(v is None or -(2**63) <= v < 2**63 for v in values):
                frame[index] = pd.Series(values, dtype="Int64")
            elif kind in ("DOUBLE", "FLOAT"):
                frame[index] = pd.Series(values, dtype="float64")
            else:
                frame[index] = pd.Series(values, dtype=object)
                if kind in ("DATE", "TIMESTAMP"):
                    frame[index] = pd.to_datetime(frame[index], errors="coerce")
        result = pd.DataFrame(frame)
        result.columns = pd.Index(self.names)
        return result


def encode(value: Any) -> Any:
    """A value as JSON."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, (Decimal, uuid.UUID)):
        return str(value)
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return [value.days, value.seconds, value.microseconds]
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, dict):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [encode(item) for item in value]
    return str(value)

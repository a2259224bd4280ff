"""How a column of each type is read for its profile: what to fetch from DuckDB, and what to make of it.

A figure of a value is JSON as people read it: dates and times as ISO text, decimals as text. NaN and
infinities are counted apart, and the other figures are of the finite values.
"""

import datetime as dt
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import duckdb
import numpy as np

from sandbox import sorted_values, text_values
from sandbox.duckdb_types import base_type
from sandbox.engine import quoted
from sandbox.sorted_values import Array, Show

FEW_ROWS = 20_000
EXACT_FLOAT = 2**53
WATCHED = (-999, -99, -9, -1, 9, 99, 999, 9999, 99999, 999999)
WATCHED_DAYS = ("1900-01-01", "1970-01-01", "2099-12-31", "9999-12-31")
LIMITS = (100, 120)
EPOCH = dt.datetime(1970, 1, 1)
DAY = 86_400_000_000
ENDLESS = 2**31 - 1
WHOLE = {
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
}  # fmt: skip
Connection = duckdb.DuckDBPyConnection
Found = dict[str, Any]


@dataclass(frozen=True)
class Column:
    """A column of the view `t`."""

    name: str
    type: str
    rows: int
    now: dt.datetime
    """Dates after this are in the future."""
    compared: bool = True
    """Whether it may be a key: values of few rows are then hashed for the comparison with other columns."""

    @property
    def field(self) -> str:
        """Its name in SQL."""
        return quoted(self.name)


@dataclass(frozen=True)
class Plan:
    """What to fetch for a column (SQL), and how the arrays are read, in that order."""

    expressions: list[str]
    read: Callable[[Connection, list[Array]], Found]
    numeric: bool = False

    def wanted(self, index: int) -> list[str]:
        """The expressions under names of their own."""
        return [f"{text} AS c{index}_{number}" for number, text in enumerate(self.expressions)]

    def taken(self, index: int, arrays: dict[str, Array]) -> list[Array]:
        """The arrays fetched for it, which are not kept any longer."""
        return [arrays.pop(f"c{index}_{number}") for number in range(len(self.expressions))]


def plan(con: Connection, column: Column) -> Plan:
    """How to read a column, by its type."""
    field, base = column.field, base_type(column.type)
    if base in WHOLE:
        return Plan([_narrow(con, column)], lambda _, a: whole(column, a.pop()), numeric=True)
    if base in ("DOUBLE", "FLOAT"):
        return Plan([f"CAST({field} AS DOUBLE)"], lambda _, a: numbers(column, a.pop()), numeric=True)
    if base == "BOOLEAN":
        return Plan([f"CAST({field} AS UTINYINT)"], lambda _, a: flags(column, a.pop()))
    if base == "DATE":
        days = f"CAST({field} - DATE '1970-01-01' AS INTEGER)"
        return Plan([days], lambda _, a: dates(column, a.pop()))
    if base in ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE"):
        return Plan([f"epoch_us({field})"], lambda c, a: moments(c, column, a.pop()))
    if base == "TIME":
        return Plan([f"epoch_us({field})"], lambda _, a: times(column, a.pop()))
    if column.type == "VARCHAR":
        return _texts(column)
    if base == "DECIMAL":
        return _decimal(con, column)
    return Plan([], lambda c, _: other(c, column))


def whole(column: Column, array: Array) -> Found:
    """Whole numbers of up to 64 bits."""
    values = _sorted(array)
    found = _about(column, len(values)) | _ordered(values, _same, whole=True)
    return found | _measured(values) | {"sketch": sorted_values.sketch(values) if column.compared else []}


def _narrow(con: Connection, column: Column) -> str:
    """The field in the narrowest type that holds its range: bytes are sorted in a fifth of the time."""
    if column.rows <= FEW_ROWS:
        return column.field
    low, high = one(con, f"SELECT min({column.field}), max({column.field}) FROM t")
    for kind, bits in (("TINYINT", 7), ("SMALLINT", 15), ("INTEGER", 31)):
        if low is not None and -(2**bits) <= low and high < 2**bits:
            return f"CAST({column.field} AS {kind})"
    return column.field


def numbers(column: Column, array: Array, show: Show | None = None) -> Found:
    """Doubles."""
    values = _sorted(array)
    present, odd = sorted_values.finite(values)
    found = _about(column, len(values)) | _ordered(present, show or _same, whole=False)
    if odd:
        found["not_finite"] = odd
        found["distinct"] += len(odd)
    return found | _measured(present)


def _measured(values: Array) -> Found:
    """What sorted finite numbers have and dates have not."""
    if not len(values):
        return {}
    watched = [[value, sorted_values.equal(values, value)] for value in WATCHED]
    return {
        **sorted_values.moments(values),
        "quantiles": _quantiles(values, _same),
        "outliers": sorted_values.outliers(values),
        "signs": {
            "zero": sorted_values.equal(values, 0),
            "negative": sorted_values.position(values, 0),
        },
        "watched": [[value, count] for value, count in watched if count],
        "over": {
            str(limit): len(values) - sorted_values.position(values, limit, after=True) for limit in LIMITS
        },
    }


def dates(column: Column, array: Array) -> Found:
    """Days since 1970; endless ones are the largest number, or the smallest but one."""
    values = _sorted(array)
    low, high = sorted_values.position(values, 1 - ENDLESS), sorted_values.position(values, ENDLESS)
    found = _about(column, len(values)) | _dated(column, values[low:high], show_day, 1)
    return found | _endless(found, low + len(values) - high, (low > 0) + (high < len(values)))


def moments(con: Connection, column: Column, array: Array) -> Found:
    """Microseconds since 1970; endless moments have none."""
    values = _sorted(array)
    found = _about(column, len(values)) | _dated(column, values, show_moment, DAY)
    if column.type == "TIMESTAMP_NS":
        found["distinct"] = one(con, f"SELECT count(DISTINCT epoch_ns({column.field})) FROM t")[0]
    if found["missing"]:
        endless = f"SELECT {column.field} AS v FROM t WHERE NOT isfinite({column.field})"
        count, different = one(con, f"SELECT count(*), count(DISTINCT v) FROM ({endless})")
        found["missing"] -= count
        found |= _endless(found, count, different)
    return found


def _endless(found: Found, rows: int, different: int) -> Found:
    return {"not_finite": {"endless": rows}, "distinct": found["distinct"] + different} if rows else {}


def _dated(column: Column, values: Array, show: Show, day: int) -> Found:
    """What sorted dates or moments have; `day` is the length of a day in their unit."""
    found = _ordered(values, show, whole=True)
    if not len(values):
        return found
    watched = []
    for text in WATCHED_DAYS:
        start = (dt.date.fromisoformat(text) - EPOCH.date()).days * day
        count = sorted_values.position(values, start + day) - sorted_values.position(values, start)
        watched += [[text, count]] if count else []
    now = (column.now - EPOCH) // dt.timedelta(microseconds=DAY // day)
    later = len(values) - sorted_values.position(values, now, after=True)
    return found | {"quantiles": _quantiles(values, show), "future": later, "watched": watched}


def times(column: Column, array: Array) -> Found:
    """Times of a day."""
    values = _sorted(array)
    found = _about(column, len(values)) | _ordered(values, show_time, whole=True)
    return found | ({"quantiles": _quantiles(values, show_time)} if len(values) else {})


def flags(column: Column, array: Array) -> Found:
    """Yes or no, as 1 and 0."""
    values = _present(array)
    yes = int(values.sum(dtype=np.int64))
    counts: list[list[Any]] = [[True, yes], [False, len(values) - yes]]
    top = sorted((pair for pair in counts if pair[1]), key=lambda pair: -pair[1])
    share = yes / len(values) if len(values) else None
    return _about(column, len(values)) | {"distinct": len(top), "top": top, "mean": share}


def _texts(column: Column) -> Plan:
    if column.rows <= FEW_ROWS:
        hashes = [f"hash({column.field})"] if column.compared else []

        def count(_: Connection, arrays: list[Array]) -> Found:
            values = _present(arrays[0])
            # A gap has a hash as well.
            of_values = arrays[1][~np.ma.getmaskarray(arrays[0])] if hashes else np.empty(0, np.uint64)
            return _about(column, len(values)) | text_values.of_few(values.tolist(), of_values)

        return Plan([column.field, *hashes], count)

    def group(con: Connection, _: list[Array]) -> Found:
        here = one(con, f"SELECT count({column.field}) FROM t")[0]
        return _about(column, here) | text_values.of_table(con, column.name)

    return Plan([], group)


def _decimal(con: Connection, column: Column) -> Plan:
    """As doubles, and exactly besides where those cannot tell two decimals apart."""
    low, high = one(con, f"SELECT min({column.field}), max({column.field}) FROM t")
    digits = int(column.type.rstrip(")").split(",")[1])
    largest = max((abs(value) for value in (low, high) if value is not None), default=0)

    def read(con: Connection, arrays: list[Array]) -> Found:
        found = numbers(column, arrays.pop(), lambda value: f"{value:.{digits}f}")
        if largest * 10**digits < EXACT_FLOAT:
            return found
        distinct, top, _ = text_values.hashed(con, column.field, column.field)
        return found | {"distinct": distinct, "top": top, "min": str(low), "max": str(high)}

    return Plan([f"CAST({column.field} AS DOUBLE)"], read, numeric=True)


def other(con: Connection, column: Column) -> Found:
    """Lists, structures and whatever else: how many different ones, and the most frequent as text."""
    here = one(con, f"SELECT count({column.field}) FROM t")[0]
    if not here:
        return _about(column, 0) | {"distinct": 0}
    distinct, top, _ = text_values.hashed(con, column.field, column.field)
    return _about(column, here) | {"distinct": distinct, "top": top}


def one(con: Connection, sql: str) -> tuple[Any, ...]:
    """The only row of an answer."""
    row = con.execute(sql).fetchone()
    assert row is not None
    return tuple(row)


def fetched(con: Connection, sql: str) -> dict[str, Array]:
    """The columns of an answer; masked where values are missing."""
    return cast(dict[str, Array], con.execute(sql).fetchnumpy())


def _about(column: Column, here: int) -> Found:
    return {"name": column.name, "type": column.type, "missing": column.rows - here}


def _ordered(values: Array, show: Show, *, whole: bool) -> Found:
    """What any sorted values have."""
    if not len(values):
        return {"distinct": 0}
    distinct, best = sorted_values.frequent(values, text_values.LISTED)
    return {
        "distinct": distinct,
        "top": [[show(values[place].item()), count] for place, count in best],
        "min": show(values[0].item()),
        "max": show(values[-1].item()),
        "histogram": sorted_values.histogram(values, show, whole=whole),
    }


def _present(array: Array) -> Array:
    # `compressed()` takes five times as long.
    return array.data[~array.mask] if isinstance(array, np.ma.MaskedArray) else array


def _sorted(array: Array) -> Array:
    values = _present(array)
    values.sort()
    return values


def _quantiles(values: Array, show: Show) -> dict[str, Any]:
    pairs = zip(sorted_values.QUANTILE_NAMES, sorted_values.QUANTILES, strict=True)
    return {name: show(sorted_values.quantile(values, part)) for name, part in pairs}


def _same(value: Any) -> Any:
    return value


def show_day(days: float) -> str:
    """A number of days since 1970 as a date, rounded down."""
    return _show(math.floor(days), "D", dt.timedelta(days=1)).split(" ")[0]


def show_moment(microseconds: float) -> str:
    """Microseconds since 1970 as a date and time."""
    return _show(math.floor(microseconds), "us", dt.timedelta(microseconds=1))


def _show(count: int, unit: str, step: dt.timedelta) -> str:
    try:
        return (EPOCH + count * step).isoformat(sep=" ")
    except OverflowError:
        # Before the year 1 or after 9999.
        return str(np.int64(count).astype(f"M8[{unit}]")).replace("T", " ")


def show_time(microseconds: float) -> str:
    """Microseconds since midnight as a time."""
    if microseconds >= DAY:
        return "24:00:00"
    return (EPOCH + dt.timedelta(microseconds=math.floor(microseconds))).time().isoformat()

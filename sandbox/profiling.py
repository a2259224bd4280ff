"""The profile of a converted table, computed inside the worker: every column on all rows.

Columns of few rows are read many at a time, those of many rows one by one on two threads. Missing
means NULL; NaN and infinities are counted apart, and figures are of the finite values.
"""

import datetime as dt
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import duckdb
import numpy as np

from sandbox import sorted_values, text_values
from sandbox.duckdb_types import base_type
from sandbox.engine import literal, quoted
from sandbox.sorted_values import Array, Show

FEW_ROWS = 20_000
CELLS = 500_000
COLUMNS_AT_ONCE = 100
ROWS_OF_TWO_THREADS = 30_000_000
EXACT_DIGITS = 15
EXACT_FLOAT = 2**53
WATCHED = (-999, -99, -9, -1, 9, 99, 999, 9999, 99999, 999999)
WATCHED_DAYS = ("1900-01-01", "1970-01-01", "2099-12-31", "9999-12-31")
RELATED_COLUMNS = 40
RELATED_ROWS = 50_000
EPOCH = dt.datetime(1970, 1, 1)
DAY = 86_400_000_000
WHOLE = {
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
}  # fmt: skip
Column = tuple[str, str]
Found = dict[str, Any]
Tell = Callable[[float, str], None]


def profile(
    con: duckdb.DuckDBPyConnection, columns: list[Column], now: str, progress: Tell | None = None
) -> Found:
    """Rows, duplicates, columns and relations of the view `t` as JSON; `now` (ISO) is for future dates."""
    return _Profiler(con, columns, now, progress or (lambda part, text: None)).run()


class _Profiler:
    """One pass over all columns."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, columns: list[Column], now: str, progress: Tell
    ) -> None:
        self._con = con
        self._columns = columns
        self._now = now
        self._progress = progress
        self._rows = int(_one(con, "SELECT count(*) FROM t")[0])
        self._related: dict[str, Array] = {}
        self._done = 0
        self._lock = threading.Lock()

    def run(self) -> Found:
        at_once = max(1, min(COLUMNS_AT_ONCE, CELLS // max(1, self._rows)))
        batches = [self._columns[i : i + at_once] for i in range(0, len(self._columns), at_once)]
        # The slowest first, so that no thread waits for the other at the end.
        order = sorted(range(len(batches)), key=lambda i: -sum(k == "VARCHAR" for _, k in batches[i]))
        threads = 2 if self._rows <= ROWS_OF_TWO_THREADS else 1
        with ThreadPoolExecutor(threads) as pool, np.errstate(all="ignore"):
            running = {i: pool.submit(self._batch, batches[i]) for i in order}
            found = [column for i in range(len(batches)) for column in running[i].result()]
        return {
            "rows": self._rows,
            "duplicates": self._duplicates(found),
            "columns": found,
            "relations": self._relations(),
        }

    def _batch(self, columns: list[Column]) -> list[Found]:
        with self._con.cursor() as con, np.errstate(all="ignore"):
            plans = [self._plan(con, name, kind) for name, kind in columns]
            wanted = [f"{plan.expression} AS c{i}" for i, plan in enumerate(plans) if plan.expression]
            arrays = con.execute(f"SELECT {', '.join(wanted)} FROM t").fetchnumpy() if wanted else {}
            found = [plan.read(con, arrays.pop(f"c{i}", None)) for i, plan in enumerate(plans)]
        with self._lock:
            self._done += len(columns)
            self._progress(self._done / (len(self._columns) + 1), f"Looking at {columns[-1][0]}")
        return found

    def _plan(self, con: duckdb.DuckDBPyConnection, name: str, kind: str) -> "_Plan":
        """What to fetch of a column and how to read it."""
        field, base = quoted(name), base_type(kind)
        if base in WHOLE:
            return _Plan(field, lambda _, a: self._numbers(name, kind, a, whole=True))
        if base in ("DOUBLE", "FLOAT"):
            return _Plan(f"CAST({field} AS DOUBLE)", lambda _, a: self._numbers(name, kind, a))
        if base == "BOOLEAN":
            return _Plan(f"CAST({field} AS UTINYINT)", lambda _, a: self._flags(name, kind, a))
        if base == "DATE":
            days = f"CASE WHEN isfinite({field}) THEN {field} - DATE '1970-01-01' END"
            return _Plan(days, lambda c, a: self._moments(c, name, kind, a, show_day, 1))
        if base in ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE"):
            return _Plan(f"epoch_us({field})", lambda c, a: self._moments(c, name, kind, a, show_moment, DAY))
        if base == "TIME":
            return _Plan(f"epoch_us({field})", lambda c, a: self._moments(c, name, kind, a, show_time, 0))
        if base == "VARCHAR" and kind == "VARCHAR":
            return self._text_plan(name, kind)
        if base in ("DECIMAL", "HUGEINT", "UHUGEINT"):
            return self._wide_plan(con, name, kind)
        return _Plan("", lambda c, _: self._other(c, name, kind))

    def _text_plan(self, name: str, kind: str) -> "_Plan":
        if self._rows <= FEW_ROWS:
            return _Plan(quoted(name), lambda _, a: self._texts(name, kind, a))

        def read(con: duckdb.DuckDBPyConnection, _: Array | None) -> Found:
            here = _one(con, f"SELECT count({quoted(name)}) FROM t")[0]
            return self._about(name, kind, here) | text_values.of_table(con, name)

        return _Plan("", read)

    def _wide_plan(self, con: duckdb.DuckDBPyConnection, name: str, kind: str) -> "_Plan":
        """Decimals and huge numbers: through doubles, but exactly where those cannot tell them apart."""
        field = quoted(name)
        low, high = _one(con, f"SELECT min({field}), max({field}) FROM t")
        digits = int(kind.rstrip(")").split(",")[1]) if kind.startswith("DECIMAL") else 0
        largest = max((abs(value) for value in (low, high) if value is not None), default=0)
        narrow = largest * 10**digits < EXACT_FLOAT

        def show(value: Any) -> Any:
            return f"{value:.{digits}f}" if kind.startswith("DECIMAL") else int(value)

        def read(con: duckdb.DuckDBPyConnection, array: Array | None) -> Found:
            found = self._numbers(name, kind, array, shown=show)
            if narrow:
                return found
            distinct, top = text_values.hashed(con, field, field)
            whole = not kind.startswith("DECIMAL")
            bounds = [int(value) if whole else str(value) for value in (low, high)]
            values = [[int(value) if whole else value, count] for value, count in top]
            return found | {"distinct": distinct, "top": values, "min": bounds[0], "max": bounds[1]}

        return _Plan(f"CAST({field} AS DOUBLE)", read)

    def _numbers(
        self, name: str, kind: str, array: Array | None, *, whole: bool = False, shown: Show | None = None
    ) -> Found:
        show = shown or _same
        self._keep_some(name, array)
        values = _sorted(array)
        found = self._about(name, kind, len(values))
        numbers, odd = sorted_values.finite(values)
        found |= self._ordered(numbers, show, whole=whole)
        if odd:
            found["not_finite"] = odd
            found["distinct"] += len(odd)
        if not len(numbers):
            return found
        found |= sorted_values.moments(numbers)
        found["quantiles"] = _quantiles(numbers, _same)
        found["outliers"] = sorted_values.outliers(numbers)
        zero = sorted_values.equal(numbers, 0)
        negative = sorted_values.position(numbers, 0)
        watched = [[value, sorted_values.equal(numbers, value)] for value in WATCHED]
        found["signs"] = {"zero": zero, "negative": negative}
        found["watched"] = [[value, count] for value, count in watched if count]
        found["over"] = {
            str(limit): len(numbers) - sorted_values.position(numbers, limit, after=True)
            for limit in (100, 120)
        }
        return found

    def _moments(
        self,
        con: duckdb.DuckDBPyConnection,
        name: str,
        kind: str,
        array: Array | None,
        show: Show,
        day: int,
    ) -> Found:
        """Dates, times of a day and moments; `day` is the length of a day in the array's unit, 0 for none."""
        values = _sorted(array)
        found = self._about(name, kind, len(values))
        if len(values) and base_type(kind) == "TIMESTAMP" and kind == "TIMESTAMP_NS":
            field = quoted(name)
            found["distinct"] = int(_one(con, f"SELECT count(DISTINCT {field}) FROM t")[0])
        if day and found["missing"]:
            # Infinite dates have no number, but they are no gaps.
            field = quoted(name)
            endless = int(_one(con, f"SELECT count_if(NOT isfinite({field})) FROM t")[0])
            found["missing"] -= endless
            if endless:
                found["not_finite"] = {"endless": endless}
        found = self._ordered(values, show, whole=True) | found
        if not len(values):
            return found
        found["quantiles"] = _quantiles(values, show)
        if day:
            found |= self._odd_days(values, day)
        return found

    def _odd_days(self, values: Array, day: int) -> Found:
        now = (dt.datetime.fromisoformat(self._now) - EPOCH) // dt.timedelta(microseconds=DAY // day)
        watched = []
        for text in WATCHED_DAYS:
            start = (dt.date.fromisoformat(text) - EPOCH.date()).days * day
            count = sorted_values.position(values, start + day) - sorted_values.position(values, start)
            watched += [[text, count]] if count else []
        later = len(values) - sorted_values.position(values, now, after=True)
        return {"future": later, "watched": watched}

    def _ordered(self, values: Array, show: Show, *, whole: bool) -> Found:
        """What any ordered values have."""
        distinct, best = sorted_values.frequent(values, text_values.LISTED)
        if not len(values):
            return {"distinct": 0, "top": []}
        return {
            "distinct": distinct,
            "top": [[show(values[place].item()), count] for place, count in best],
            "min": show(values[0].item()),
            "max": show(values[-1].item()),
            "histogram": sorted_values.histogram(values, show, whole=whole),
        }

    def _flags(self, name: str, kind: str, array: Array | None) -> Found:
        values = _sorted(array)
        yes = int(values.sum())
        counts = [[True, yes], [False, len(values) - yes]]
        top = sorted(([v, n] for v, n in counts if n), key=lambda pair: -pair[1])
        share = yes / len(values) if len(values) else None
        return self._about(name, kind, len(values)) | {"distinct": len(top), "top": top, "mean": share}

    def _texts(self, name: str, kind: str, array: Array | None) -> Found:
        values = _present(array)
        return self._about(name, kind, len(values)) | text_values.of_few(values.tolist())

    def _other(self, con: duckdb.DuckDBPyConnection, name: str, kind: str) -> Found:
        field = quoted(name)
        here = int(_one(con, f"SELECT count({field}) FROM t")[0])
        found = self._about(name, kind, here)
        distinct, top = text_values.hashed(con, field, field) if here else (0, [])
        return found | {"distinct": distinct, "top": top}

    def _about(self, name: str, kind: str, here: int) -> Found:
        return {"name": name, "type": kind, "missing": self._rows - here}

    def _keep_some(self, name: str, array: Array | None) -> None:
        """Evenly spaced rows of a column of numbers, before it is sorted: the same rows of each."""
        if array is None or self._rows < 3:
            return
        some = array[:: max(1, self._rows // RELATED_ROWS)]
        numbers = np.ma.filled(some.astype(np.float64), np.nan)
        numbers[~np.isfinite(numbers)] = np.nan
        with self._lock:
            self._related[name] = numbers

    def _relations(self) -> Found:
        """Correlations among the first columns of numbers, of evenly spaced rows."""
        import pandas as pd

        names = [name for name, _ in self._columns if name in self._related][:RELATED_COLUMNS]
        if len(names) < 2:
            return {"rows": 0, "pairs": []}
        frame = pd.DataFrame({i: self._related[name] for i, name in enumerate(names)})
        found = frame.corr(min_periods=3).to_numpy()
        pairs = [
            [names[i], names[j], round(float(found[i, j]), 6)]
            for i in range(len(names))
            for j in range(i + 1, len(names))
            if abs(found[i, j]) >= 0.8
        ]
        return {"rows": len(frame), "pairs": sorted(pairs, key=lambda pair: -abs(pair[2]))}

    def _duplicates(self, found: list[Found]) -> int:
        """Rows that an earlier row equals in every column."""
        if any(c["distinct"] == self._rows and not c["missing"] for c in found):
            return 0
        fields = ", ".join(quoted(name) for name, _ in self._columns)
        counts = []
        for seed in ("", ", 1"):
            hashes = self._con.execute(f"SELECT hash({fields}{seed}) AS h FROM t").fetchnumpy()["h"]
            hashes.sort()
            counts.append(sorted_values.frequent(hashes, 1)[0])
            if counts[0] == self._rows:
                break
        return self._rows - max(counts)


class _Plan:
    """What to fetch for a column ("" nothing) and how its values are read."""

    def __init__(
        self, expression: str, read: Callable[[duckdb.DuckDBPyConnection, Array | None], Found]
    ) -> None:
        self.expression = expression
        self.read = read


def _one(con: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    row = con.execute(sql).fetchone()
    assert row is not None
    return tuple(row)


def _present(array: Array | None) -> Array:
    assert array is not None
    return array.compressed() if isinstance(array, np.ma.MaskedArray) else array


def _sorted(array: Array | None) -> Array:
    values = _present(array)
    values.sort()
    return values


def _quantiles(values: Array, show: Show) -> dict[str, Any]:
    pairs = zip(sorted_values.QUANTILE_NAMES, sorted_values.QUANTILES, strict=True)
    return {name: show(sorted_values.quantile(values, part)) for name, part in pairs}


def _same(value: Any) -> Any:
    return value


def show_day(days: float) -> str:
    """A number of days since 1970 as a date."""
    return _show(int(days // 1), "D", dt.timedelta(days=1)).split(" ")[0]


def show_moment(microseconds: float) -> str:
    """Microseconds since 1970 as a date and time."""
    return _show(int(microseconds // 1), "us", dt.timedelta(microseconds=1))


def _show(count: int, unit: str, step: dt.timedelta) -> str:
    try:
        return (EPOCH + count * step).isoformat(sep=" ")
    except OverflowError:
        # Before the year 1 or after 9999.
        return str(np.datetime64(count, unit)).replace("T", " ")


def show_time(microseconds: float) -> str:
    """Microseconds since midnight as a time."""
    if microseconds >= DAY:
        return "24:00:00"
    return (EPOCH + dt.timedelta(microseconds=int(microseconds // 1))).time().isoformat()

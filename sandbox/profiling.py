"""The profile of a converted table, computed inside the worker: every column on all rows.

Columns of few rows are read many at a time, those of many rows one by one on two threads.
"""

import datetime as dt
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from sandbox import sorted_values
from sandbox.column_readers import Column, Connection, Found, fetched, one, plan
from sandbox.engine import quoted
from sandbox.sorted_values import Array
from sandbox.text_values import cut

CELLS = 500_000
COLUMNS_AT_ONCE = 100
COMPARED_COLUMNS = 100
ROWS_OF_TWO_THREADS = 30_000_000
RELATED_COLUMNS = 40
RELATED_ROWS = 50_000
RELATED = 0.8
LEAST_GAPS = 10
LACKING = 5
GROUPS = (2, 20)
GROUP_TYPES = ("VARCHAR", "BOOLEAN")
GROUPINGS = 3
Tell = Callable[[float, str], None]


def profile(
    con: Connection, columns: Sequence[tuple[str, str]], now: str, progress: Tell | None = None
) -> Found:
    """Of the view `t`: rows, duplicates, columns and relations, as JSON.

    `columns` are names and DuckDB's types; `now` (ISO) is what dates in the future are after.
    """
    return _Profiler(con, columns, now, progress or (lambda part, text: None)).run()


class _Profiler:
    def __init__(self, con: Connection, columns: Sequence[tuple[str, str]], now: str, progress: Tell) -> None:
        self._con = con
        self._rows = int(one(con, "SELECT count(*) FROM t")[0])
        moment = dt.datetime.fromisoformat(now)
        self._columns = [
            Column(name, kind, self._rows, moment, compared=number < COMPARED_COLUMNS)
            for number, (name, kind) in enumerate(columns)
        ]
        self._progress = progress
        self._related: dict[str, Array] = {}
        self._done = 0
        self._lock = threading.Lock()

    def run(self) -> Found:
        at_once = max(1, min(COLUMNS_AT_ONCE, CELLS // max(1, self._rows)))
        batches = [self._columns[i : i + at_once] for i in range(0, len(self._columns), at_once)]
        # The slowest first, so that no thread waits for the other at the end.
        order = sorted(range(len(batches)), key=lambda i: -sum(c.type == "VARCHAR" for c in batches[i]))
        with ThreadPoolExecutor(2 if self._rows <= ROWS_OF_TWO_THREADS else 1) as pool:
            running = {i: pool.submit(self._batch, batches[i]) for i in order}
            found = [column for i in range(len(batches)) for column in running[i].result()]
        return {
            "rows": self._rows,
            "duplicates": self._duplicates(found),
            "columns": found,
            "relations": self._relations(),
            "gaps": self._gaps(found),
        }

    def _batch(self, columns: list[Column]) -> list[Found]:
        with self._con.cursor() as con, np.errstate(all="ignore"):
            plans = [plan(con, column) for column in columns]
            wanted = [part for i, made in enumerate(plans) for part in made.wanted(i)]
            arrays = fetched(con, f"SELECT {', '.join(wanted)} FROM t") if wanted else {}
            found = []
            for i, made in enumerate(plans):
                taken = made.taken(i, arrays)
                if made.numeric:
                    self._keep_some(columns[i].name, taken[0])
                found.append(made.read(con, taken))
        with self._lock:
            self._done += len(columns)
            self._progress(self._done / (len(self._columns) + 1), f"Looking at {columns[-1].name}")
        return found

    def _keep_some(self, name: str, array: Array) -> None:
        """Evenly spaced rows of a column of numbers, before it is sorted: the same rows of each."""
        some = array[:: max(1, self._rows // RELATED_ROWS)]
        numbers = np.ma.filled(some.astype(np.float64), np.nan)
        numbers[~np.isfinite(numbers)] = np.nan
        with self._lock:
            self._related[name] = numbers

    def _relations(self) -> Found:
        """Correlations among the first columns of numbers, of evenly spaced rows."""
        import pandas as pd

        names = [c.name for c in self._columns if c.name in self._related][:RELATED_COLUMNS]
        if len(names) < 2 or self._rows < 3:
            return {"rows": 0, "pairs": []}
        with np.errstate(all="ignore"):
            frame = pd.DataFrame({i: self._related[name] for i, name in enumerate(names)})
            found = frame.corr(min_periods=3).to_numpy()
        pairs = [
            [names[i], names[j], round(float(found[i, j]), 6)]
            for i in range(len(names))
            for j in range(i + 1, len(names))
            if abs(found[i, j]) >= RELATED
        ]
        return {"rows": len(frame), "pairs": sorted(pairs, key=lambda pair: -abs(pair[2]))}

    def _gaps(self, found: list[Found]) -> list[list[Any]]:
        """How many values groups of rows lack: column, grouping column, group, its rows, its gaps."""
        lacking = [c["name"] for c in found if LEAST_GAPS <= c["missing"] < self._rows][:LACKING]
        low, high = GROUPS
        groups = [
            c["name"]
            for c in sorted(found, key=lambda c: c["type"] != "VARCHAR")
            if low <= c["distinct"] <= high and c["type"] in GROUP_TYPES and not c["missing"]
        ][:GROUPINGS]
        if not lacking or not groups:
            return []
        fields = ", ".join(f"CAST({quoted(name)} AS VARCHAR)" for name in groups)
        counts = ", ".join(f"count(*) - count({quoted(name)})" for name in lacking)
        told: dict[tuple[str, str], Array] = {}
        for row in self._con.execute(f"SELECT {fields}, count(*), {counts} FROM t GROUP BY ALL").fetchall():
            for name, value in zip(groups, row, strict=False):
                told[name, value] = told.get((name, value), 0) + np.array(row[len(groups) :], np.int64)
        return [
            [name, group, cut(value), int(rows), int(gaps)]
            for (group, value), (rows, *all_gaps) in sorted(told.items())
            for name, gaps in zip(lacking, all_gaps, strict=True)
        ]

    def _duplicates(self, found: list[Found]) -> int:
        """Rows that an earlier row equals in every column."""
        if any(column["distinct"] == self._rows and not column["missing"] for column in found):
            return 0
        fields = ", ".join(quoted(column.name) for column in self._columns)
        different = 0
        # Two rows under one hash can only make the count too small, and not under both.
        for expression in (f"hash({fields})", f"hash('~', {fields})"):
            hashes = fetched(self._con, f"SELECT {expression} AS h FROM t")["h"]
            hashes.sort()
            different = max(different, sorted_values.frequent(hashes, 1)[0])
            if different == self._rows:
                break
        return self._rows - different

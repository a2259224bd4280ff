"""What code shows, in the form that `sandbox.outcome` reads: a few types, each of bounded size."""

import contextlib
import datetime as dt
import math
import signal
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from types import FrameType
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api.typing import DataFrameGroupBy, SeriesGroupBy

from sandbox import figures
from sandbox.frames import MAX_ROWS, missing, safe_text, table
from sandbox.printed import plain
from sandbox.table import Column, Table

MAX_OUTPUTS = 20
MAX_TEXT = 20_000
MAX_TITLE = 200
SHORT_TEXT = 200
REPR_SECONDS = 5.0
Wire = dict[str, Any]
SCALARS = (
    bool, int, float, complex, str, Decimal, uuid.UUID, dt.date, dt.time, dt.timedelta, np.generic,
    pd.Timestamp, pd.Timedelta, pd.Period, pd.Interval,
)  # fmt: skip


class ShowTimeout(BaseException):
    """An object took too long at describing itself; not an Exception, so that its own code lets it pass."""


class Outputs:
    """The outputs of one run, in the order shown."""

    def __init__(self) -> None:
        self.items: list[Wire] = []
        self.notes: list[str] = []
        self._left_out = 0
        self._shown: list[tuple[Any, Wire]] = []
        """Objects with the form they had when they were shown."""

    def show(self, value: Any, title: str = "", name: str = "", again: bool = True) -> None:
        """Adds a value in the form that suits it; with `again` False not one that is shown as it is now.

        `title` comes before a title that a figure has itself, `name` after it.
        """
        for shown, item in self._forms(value, title):
            item["title"] = item["title"] or _title(name)
            if not again and any(shown is known and _same(item, before) for known, before in self._shown):
                continue
            if item["kind"] != "value":
                self._shown.append((shown, item))
            if len(self.items) < MAX_OUTPUTS:
                self.items.append(item)
            else:
                self._left_out += 1

    def show_open_figures(self) -> None:
        """Adds what pyplot holds and closes it."""
        for figure in figures.open_figures():
            self.show(figure)
        figures.close()

    def finish(self) -> None:
        """Says what did not fit."""
        if self._left_out:
            self.notes.append(
                f"{self._left_out} more outputs were left out: at most {MAX_OUTPUTS} are shown."
            )

    def _forms(self, value: Any, title: str) -> Iterator[tuple[Any, Wire]]:
        if value is None:
            return
        if found := figures.matplotlib_figures(value):
            for figure in found:
                yield figure, self._image(figure, title)
            return
        if isinstance(value, dict) and value and any(_is_frame(item) for item in value.values()):
            for name, item in value.items():
                yield from self._forms(item, str(name))
            return
        yield value, self._form(value, title)

    def _image(self, figure: Any, title: str) -> Wire:
        name = title or figures.matplotlib_title(figure)
        png = figures.png(figure)
        figures.close(figure)
        if png is None:
            return self._too_large(name, "picture", figures.MAX_IMAGE_BYTES)
        return {"kind": "image", "title": _title(name), "png": png}

    def _too_large(self, title: str, what: str, most: int) -> Wire:
        text = (
            f"The {what} is larger than {most // 1_000_000} MB. Draw fewer points: aggregate or sample first."
        )
        self.notes.append(text)
        return _text(text, title)

    def _form(self, value: Any, title: str) -> Wire:
        if figures.is_plotly(value):
            name = title or figures.plotly_title(value)
            data = figures.plotly_json(value)
            if data is None:
                return self._too_large(name, "figure", figures.MAX_FIGURE_BYTES)
            return {"kind": "figure", "title": _title(name), "figure": data}
        if isinstance(value, SCALARS):
            return scalar(value, title)
        try:
            with limited():
                found = as_table(value)
        except (Exception, ShowTimeout):
            found = None
        if found is not None:
            return {"kind": "table", "title": _title(title), "table": found.to_json()}
        return _text(describe(value), title)


def _same(one: Wire, other: Wire) -> bool:
    """Whether two outputs show the same thing, under whatever title."""
    return {**one, "title": ""} == {**other, "title": ""}


def scalar(value: Any, title: str) -> Wire:
    """A number, text, truth value or date as a value; a long text as text."""
    if isinstance(value, np.generic):
        value = value.item() if not isinstance(value, (np.datetime64, np.timedelta64)) else str(value)
    result: str | int | float | bool | None
    if missing(value):
        result = None if value is pd.NaT else str(value)
    elif isinstance(value, bool):
        result = bool(value)
    elif isinstance(value, int):
        if value.bit_length() > 1000:
            return _text(f"A whole number of {value.bit_length()} bits", title)
        result = int(value)
    elif isinstance(value, float):
        result = float(value) if math.isfinite(value) else str(float(value))
    elif isinstance(value, Decimal):
        result = _decimal(value)
    elif isinstance(value, (dt.date, dt.time)):
        result = safe_text(value, lambda item: item.isoformat())
    else:
        text = plain(safe_text(value, str))
        if len(text) > SHORT_TEXT or "\n" in text:
            return _text(text, title)
        result = text
    return {"kind": "value", "title": _title(title), "value": result}


def _decimal(value: Decimal) -> int | float | str:
    """A number where that is exact, else the digits as text."""
    if not value.is_finite():
        return str(value)
    if value == value.to_integral_value() and abs(value) < 2**53:
        return int(value)
    return float(value) if Decimal(repr(float(value))) == value else str(value)


def _text(text: str, title: str) -> Wire:
    if len(text) > MAX_TEXT:
        text = f"{text[:MAX_TEXT]}\n[{len(text) - MAX_TEXT:,} more characters]"
    return {"kind": "text", "title": _title(title), "text": text}


def _title(title: Any) -> str:
    return " ".join(plain(safe_text(title, str)).split())[:MAX_TITLE]


def _is_frame(value: Any) -> bool:
    return isinstance(value, (pd.DataFrame, pd.Series)) or figures.is_plotly(value)


def as_table(value: Any) -> Table | None:
    """Everything that is rows and columns; None for the rest."""
    if isinstance(value, pd.DataFrame):
        return table(value) if len(value.columns) or len(value) else None
    if isinstance(value, pd.Series):
        return table(value.to_frame("value" if value.name is None else value.name))
    if isinstance(value, pd.MultiIndex):
        return table(value.to_frame(index=False))
    if isinstance(value, pd.Index):
        return table(pd.DataFrame({"index" if value.name is None else value.name: value}))
    if isinstance(value, np.ndarray) and value.ndim in (1, 2) and value.dtype.names is None:
        return _array(value)
    if isinstance(value, duckdb.DuckDBPyRelation):
        return relation(value)
    if isinstance(value, duckdb.DuckDBPyConnection):
        return _pending(value)
    if isinstance(value, (pa.Table, pa.RecordBatch)):
        return _counted(table(value.slice(0, MAX_ROWS).to_pandas(types_mapper=pd.ArrowDtype)), value.num_rows)
    if isinstance(value, (dict, list, tuple)):
        return _collection(value)
    return _foreign(value)


def _foreign(value: Any) -> Table | None:
    """Stylers, group-bys, and frames of other libraries."""
    kind = type(value)
    if kind.__name__ == "Styler" and isinstance(value.data, pd.DataFrame):
        return table(value.data)
    if isinstance(value, (DataFrameGroupBy, SeriesGroupBy)):
        sizes = value.size()
        return table(sizes.to_frame("rows") if isinstance(sizes, pd.Series) else sizes)
    if callable(getattr(kind, "to_pandas", None)) and hasattr(kind, "__len__"):
        part = value.head(MAX_ROWS) if hasattr(kind, "head") else value
        frame = part.to_pandas()
        frame = frame.to_frame() if isinstance(frame, pd.Series) else frame
        return _counted(table(frame), len(value)) if isinstance(frame, pd.DataFrame) else None
    return None


def _counted(found: Table, rows: int) -> Table:
    return Table(found.columns, found.rows, rows, truncated=found.truncated or len(found.rows) < rows)


def _array(value: Any) -> Table:
    if value.ndim == 1:
        return table(pd.DataFrame({"value": value}))
    return table(pd.DataFrame(value, columns=[f"column_{i + 1}" for i in range(value.shape[1])]))


def relation(value: Any) -> Table:
    """A DuckDB relation with DuckDB's own types; it runs twice, to count and to fetch."""
    counted = value.aggregate("count(*)").fetchall()[0][0]
    columns = [Column(name, str(kind)) for name, kind in zip(value.columns, value.types, strict=True)]
    wanted = [
        f"CAST({name} AS VARCHAR)" if "WITH TIME ZONE" in column.type else name
        for column in columns
        if (name := '"' + column.name.replace('"', '""') + '"')
    ]
    zoned = {"TIMESTAMP WITH TIME ZONE", "TIME WITH TIME ZONE"}
    rows = value.project(", ".join(wanted)).limit(MAX_ROWS).fetchall()
    typed = [
        Column(c.name, "VARCHAR") if "WITH TIME ZONE" in c.type and c.type not in zoned else c
        for c in columns
    ]
    return Table(typed, [list(row) for row in rows], counted, truncated=len(rows) < counted)


def _pending(connection: Any) -> Table | None:
    """The rows that `con.execute(...)` left to be fetched."""
    described = connection.description
    if not described or [column[0] for column in described] in (["Count"], ["Success"]):
        return None
    return table(connection.df())


def _collection(value: Any) -> Table | None:
    if not value:
        return None
    if isinstance(value, dict):
        return _dictionary(value)
    if hasattr(value, "_fields"):
        return _dictionary(dict(zip(value._fields, value, strict=True)))
    items = list(value)
    if all(isinstance(item, dict) for item in items):
        return _counted(table(pd.DataFrame(items[:MAX_ROWS])), len(items))
    if isinstance(value, list) and all(_is_scalar(item) for item in items):
        return _counted(table(pd.DataFrame({"value": pd.Series(items[:MAX_ROWS], dtype=object)})), len(items))
    return None


def _dictionary(value: dict[Any, Any]) -> Table | None:
    if all(_is_scalar(item) for item in value.values()):
        if len(value) <= 8:
            return table(
                pd.DataFrame([list(value.values())], columns=[str(key) for key in value], dtype=object)
            )
        pairs = pd.DataFrame({"name": list(value), "value": pd.Series(list(value.values()), dtype=object)})
        return table(pairs)
    lists = [item for item in value.values() if isinstance(item, (list, np.ndarray))]
    if len(lists) == len(value) and len({len(item) for item in lists}) == 1:
        return table(pd.DataFrame({str(key): list(item) for key, item in value.items()}))
    return None


def _is_scalar(value: Any) -> bool:
    return isinstance(value, SCALARS) or missing(value)


def describe(value: Any) -> str:
    """Any object as text, within a time and a length; its own code may raise or never end."""
    try:
        with limited():
            if type(value).__module__.startswith("statsmodels") and hasattr(value, "summary"):
                return plain(safe_text(value.summary(), str))
            return plain(safe_text(value, repr)[: 2 * MAX_TEXT])
    except ShowTimeout:
        return f"<{type(value).__name__}; its text took longer than {REPR_SECONDS:g} s>"
    except BaseException as error:
        return f"<{type(value).__name__}; its text cannot be shown: {type(error).__name__}>"


@contextlib.contextmanager
def limited(seconds: float = REPR_SECONDS) -> Iterator[None]:
    """Ends Python code in it after a time, where the system has timers and this is the main thread."""
    before: Callable[[int, FrameType | None], Any] | int | None
    try:
        before = signal.signal(signal.SIGALRM, _expire)
        signal.setitimer(signal.ITIMER_REAL, seconds)
    except (ValueError, OSError, AttributeError):
        yield
        return
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _expire(_signal: int, _frame: FrameType | None) -> None:
    raise ShowTimeout

"""Anything like a table as a typed `Table`: bounded rows, exact values, names that can be told apart."""

import datetime as dt
import json
import math
import uuid
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from sandbox.table import Column, Table

MAX_ROWS = 5_000
MAX_COLUMNS = 500
MAX_CELLS = 500_000
MAX_CELL_CHARACTERS = 5_000
MAX_TABLE_CHARACTERS = 8_000_000
WHOLE = {
    "int8": "TINYINT", "int16": "SMALLINT", "int32": "INTEGER", "int64": "BIGINT",
    "uint8": "UTINYINT", "uint16": "USMALLINT", "uint32": "UINTEGER", "uint64": "UBIGINT",
}  # fmt: skip
Typed = tuple[str, list[Any]]


def table(frame: pd.DataFrame) -> Table:
    """The first rows of a DataFrame; `row_count` counts all of them.

    An index stays as columns unless it only numbers the rows.
    """
    kept = frame.iloc[:MAX_ROWS, :MAX_COLUMNS]
    parts: list[tuple[Any, Any]] = [(label, kept.iloc[:, i]) for i, label in enumerate(kept.columns)]
    parts = [*_index_parts(kept), *parts]
    names = unique([label_text(label) for label, _ in parts])
    typed = [column(values) for _, values in parts]
    columns = [Column(name, kind) for name, (kind, _) in zip(names, typed, strict=True)]
    count = min(len(kept), MAX_CELLS // max(1, len(columns)), _affordable(typed))
    cells = [values[:count] for _, values in typed]
    rows = [list(row) for row in zip(*cells, strict=True)] if columns else []
    return Table(columns, rows, len(frame), truncated=count < len(frame) or len(frame.columns) > MAX_COLUMNS)


def _index_parts(frame: pd.DataFrame) -> list[tuple[Any, Any]]:
    index = frame.index
    if isinstance(index, pd.MultiIndex):
        return [
            (f"level_{i}" if name is None else name, index.get_level_values(i))
            for i, name in enumerate(index.names)
        ]
    if index.name is None and (isinstance(index, pd.RangeIndex) or not len(index)):
        return []
    return [("index" if index.name is None else index.name, index)]


def _affordable(typed: list[Typed]) -> int:
    """How many rows stay below the bound of characters."""
    texts = [values for kind, values in typed if kind == "VARCHAR" or kind == "BLOB" or kind.endswith("]")]
    if not texts:
        return MAX_ROWS
    size = 0
    for position, row in enumerate(zip(*texts, strict=True)):
        size += sum(_size(value) for value in row)
        if size > MAX_TABLE_CHARACTERS:
            return position
    return MAX_ROWS


def _size(value: Any) -> int:
    if isinstance(value, list):
        return 2 + sum(_size(item) for item in value)
    return len(value) if isinstance(value, (str, bytes)) else 8


def label_text(label: Any) -> str:
    """A column's label as text: the levels of a tuple side by side, midnight as a date."""
    if isinstance(label, tuple):
        return " ".join(part for part in map(label_text, label) if part)
    if label is None or label is pd.NaT or (isinstance(label, float) and math.isnan(label)):
        return ""
    if isinstance(label, pd.Timestamp) and label == label.normalize():
        return label.date().isoformat()
    if isinstance(label, float) and label.is_integer() and abs(label) < 1e15:
        return str(int(label))
    return safe_text(label, str)[:200]


def unique(names: Iterable[str]) -> list[str]:
    """Each name once: a second `x` is `x_2`; a missing one is `column`."""
    found: list[str] = []
    taken: set[str] = set()
    for name in names:
        base = name or "column"
        candidate, number = base, 1
        while candidate in taken:
            number += 1
            candidate = f"{base}_{number}"
        taken.add(candidate)
        found.append(candidate)
    return found


def column(values: Any) -> Typed:
    """DuckDB's name for the type of a Series or an Index, and its values as Python's own."""
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _categories(values)
    if isinstance(dtype, pd.SparseDtype):
        return column(pd.Series(values.array.to_dense()))
    if isinstance(dtype, (pd.PeriodDtype, pd.IntervalDtype)):
        return "VARCHAR", [None if missing(value) else str(value) for value in values]
    if isinstance(dtype, pd.ArrowDtype):
        return _arrow(dtype, values)
    if isinstance(dtype, pd.StringDtype):
        return "VARCHAR", [None if missing(value) else cut(value) for value in values.tolist()]
    if isinstance(dtype, pd.DatetimeTZDtype) or dtype.kind == "M":
        return _moments(values, zoned=isinstance(dtype, pd.DatetimeTZDtype))
    if dtype.kind == "m":
        return "INTERVAL", [_plain(value) for value in values.tolist()]
    if dtype.kind == "b":
        return "BOOLEAN", _without_na(values.tolist())
    if dtype.kind in "iu":
        return WHOLE.get(str(dtype).lower(), "BIGINT"), _without_na(values.tolist())
    if dtype.kind == "f":
        return "FLOAT" if dtype.itemsize == 4 else "DOUBLE", [_float(value) for value in values.tolist()]
    return mixed(values.tolist())


def _without_na(values: list[Any]) -> list[Any]:
    return [None if value is pd.NA else value for value in values]


def _float(value: Any) -> float | None:
    return None if value is pd.NA else float(value)


def _categories(values: Any) -> Typed:
    codes = np.asarray((values.cat if isinstance(values, pd.Series) else values).codes)
    kind, items = column(values.dtype.categories)
    return kind, [None if code < 0 else items[code] for code in codes.tolist()]


def _arrow(dtype: pd.ArrowDtype, values: Any) -> Typed:
    kind, items = mixed(values.tolist())
    if dtype.kind in "iu" and kind in ("BIGINT", "VARCHAR"):
        kind = WHOLE.get(str(dtype).removesuffix("[pyarrow]"), kind)
    return ("DOUBLE" if dtype.kind == "f" and not any(item is not None for item in items) else kind), items


def _moments(values: Any, zoned: bool) -> Typed:
    name = "TIMESTAMP WITH TIME ZONE" if zoned else "TIMESTAMP"
    return name, [None if value is pd.NaT else _moment(value) for value in values.tolist()]


def _moment(value: Any) -> Any:
    if not isinstance(value, pd.Timestamp):
        return value
    try:
        return value.to_pydatetime(warn=False)
    except (ValueError, OverflowError):  # a year that Python's datetime cannot hold
        return str(value)


def missing(value: Any) -> bool:
    """Whether pandas counts a single value as missing."""
    return (
        value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value))
    )


def mixed(values: list[Any]) -> Typed:
    """The narrowest type for objects of any kind, text if nothing else fits all of them."""
    plain = [_plain(value) for value in values]
    kinds = {_kind(value) for value in plain if value is not None}
    numbers = kinds <= {"BIGINT", "DOUBLE"} and "DOUBLE" in kinds
    if not numbers and any(isinstance(value, float) and math.isnan(value) for value in plain):
        plain = [None if missing(value) else value for value in plain]
        kinds = {_kind(value) for value in plain if value is not None}
    if numbers:
        return "DOUBLE", [None if value is None else _as_float(value) for value in plain]
    if kinds == {"DECIMAL"}:
        places = max(_places(value) for value in plain if value is not None)
        return f"DECIMAL(38,{min(places, 37)})", plain
    if kinds in ({"BIGINT"}, {"HUGEINT"}, {"BIGINT", "HUGEINT"}):
        return "HUGEINT" if "HUGEINT" in kinds else "BIGINT", plain
    if len(kinds) == 1 and (kind := kinds.pop()) != "OTHER":
        if kind == "LIST":
            return _lists(plain)
        return kind, [cut(value) if kind == "VARCHAR" and value is not None else value for value in plain]
    return "VARCHAR", [None if missing(value) else cut(as_text(value)) for value in plain]


def _lists(values: list[Any]) -> Typed:
    items = [item for value in values if value is not None for item in value[:1000]]
    kind, typed = mixed(items)
    if len(items) > MAX_CELLS:
        return "VARCHAR", [None if value is None else cut(as_text(value)) for value in values]
    rows, start = [], 0
    for value in values:
        size = 0 if value is None else len(value[:1000])
        rows.append(None if value is None else typed[start : start + size])
        start += size
    return f"{kind}[]", rows


def _plain(value: Any) -> Any:
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, (np.bool_, np.integer, np.floating, np.str_, np.bytes_)):
        return value.item()
    if isinstance(value, pd.Timestamp):
        return _moment(value)
    if isinstance(value, pd.Timedelta):
        return value.to_pytimedelta()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, (np.datetime64, np.timedelta64)):
        return None if np.isnat(value) else _plain(pd.Series([value]).tolist()[0])
    if isinstance(value, (tuple, set, frozenset)):
        return list(value)
    return value


KINDS: list[tuple[type, str]] = [
    (bool, "BOOLEAN"), (float, "DOUBLE"), (str, "VARCHAR"), (Decimal, "DECIMAL"), (dt.date, "DATE"),
    (dt.time, "TIME"), (dt.timedelta, "INTERVAL"), (bytes, "BLOB"), (uuid.UUID, "UUID"), (list, "LIST"),
]  # fmt: skip


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "BOOLEAN"
    if isinstance(value, int):
        if -(2**63) <= value < 2**63:
            return "BIGINT"
        return "HUGEINT" if abs(value) < 2**127 else "OTHER"
    if isinstance(value, dt.datetime):
        return "TIMESTAMP" if value.tzinfo is None else "TIMESTAMP WITH TIME ZONE"
    if isinstance(value, bytes) and len(value) > MAX_CELL_CHARACTERS:
        return "OTHER"
    if isinstance(value, Decimal) and not (value.is_finite() and _places(value) <= 37):
        return "OTHER"
    return next((kind for known, kind in KINDS if isinstance(value, known)), "OTHER")


def _places(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 38


def _as_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value)


def as_text(value: Any) -> str:
    """A value of no table type as text; dictionaries and lists as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, (dict, list)):
        try:
            return json.dumps(value, ensure_ascii=False, default=str)
        except (TypeError, ValueError, RecursionError):
            return safe_text(value, str)
    return safe_text(value, str)


def safe_text(value: Any, render: Callable[[Any], str]) -> str:
    """str or repr of anything, also of what raises at it."""
    try:
        return str.__str__(render(value))
    except Exception as error:
        return f"<{type(value).__name__}; its text cannot be shown: {type(error).__name__}>"


def cut(text: Any) -> str:
    """A cell's text within its bound, without lone surrogates."""
    whole = str(text)
    if not whole.isascii():
        whole = whole.encode("utf-8", "replace").decode("utf-8")
    return whole if len(whole) <= MAX_CELL_CHARACTERS else f"{whole[: MAX_CELL_CHARACTERS - 1]}…"

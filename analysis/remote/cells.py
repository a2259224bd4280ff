"""Rows of a driver as the same typed table that DuckDB gives, whatever the driver makes of its types."""

import datetime as dt
import json
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from ibis.backends.sql.datatypes import DuckDBType

from sandbox.table import Column, Table

Read = Callable[[Any], Any]
SPELT = {"TEXT": "VARCHAR", "INT": "INTEGER", "REAL": "FLOAT", "BOOL": "BOOLEAN"}
"""Names that SQLGlot writes, as DuckDB itself calls them."""
OF_PYTHON: list[tuple[type, str]] = [
    (bool, "BOOLEAN"), (int, "BIGINT"), (float, "DOUBLE"), (Decimal, "DECIMAL"), (dt.datetime, "TIMESTAMP"),
    (dt.date, "DATE"), (dt.time, "TIME"), (bytes, "BLOB"),
]  # fmt: skip


def table(
    names: Sequence[str], rows: Sequence[Sequence[Any]], schema: Any, count: int, began: float
) -> Table:
    """`rows` with the types of an Ibis `schema`, or without one with those of the values themselves."""
    if schema is None:
        columns = [Column(name, _type_of([row[i] for row in rows])) for i, name in enumerate(names)]
        readers: list[Read] = [_plain if column.type != "VARCHAR" else _text for column in columns]
    else:
        columns = [Column(name, duckdb_type(kind)) for name, kind in schema.items()]
        readers = [reader(kind) for kind in schema.types]
    read = [
        [None if value is None else convert(value) for value, convert in zip(row, readers, strict=True)]
        for row in rows
    ]
    return Table(columns, read, count, len(read) < count, time.perf_counter() - began)


def duckdb_type(kind: Any) -> str:
    """DuckDB's name of an Ibis type; text for what DuckDB has no type for."""
    if kind.is_timestamp():
        return "TIMESTAMP"
    if kind.is_decimal():
        return f"DECIMAL({kind.precision or 38},{9 if kind.scale is None else kind.scale})"
    try:
        written: str = DuckDBType.to_string(kind)
    except Exception:
        return "VARCHAR"
    return SPELT.get(written, written)


def reader(kind: Any) -> Read:
    """What turns a driver's value to one of the Ibis type `kind`."""
    if kind.is_boolean():
        return bool
    if kind.is_integer():
        return int
    if kind.is_floating():
        return float
    if kind.is_decimal():
        return partial(_decimal, kind.scale)
    if kind.is_date():
        return _date
    if kind.is_timestamp():
        return _moment
    if kind.is_time():
        return _time
    if kind.is_array():
        item = reader(kind.value_type)
        return lambda values: [None if v is None else item(v) for v in _listed(values)]
    return _plain if kind.is_binary() else _text


def _decimal(scale: int | None, value: Any) -> Decimal:
    """A decimal; a float of an engine without decimals is rounded to the digits that the column has."""
    found = value if isinstance(value, Decimal) else Decimal(str(value))
    return round(found, scale) if isinstance(value, float) and scale is not None else found


def _date(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.date()
    return value if isinstance(value, dt.date) else dt.date.fromisoformat(str(value)[:10])


def _moment(value: Any) -> Any:
    if isinstance(value, str):
        value = dt.datetime.fromisoformat(value)
    if not isinstance(value, dt.datetime):
        value = dt.datetime.combine(value, dt.time())
    return value.astimezone(dt.UTC).replace(tzinfo=None) if value.tzinfo else value


def _time(value: Any) -> Any:
    if isinstance(value, dt.timedelta):
        value = (dt.datetime.min + value).time()
    return value if isinstance(value, dt.time) else dt.time.fromisoformat(str(value))


def _listed(values: Any) -> Any:
    return json.loads(values) if isinstance(values, str) else values


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime) and value.tzinfo:
        return value.astimezone(dt.UTC).replace(tzinfo=None)
    return bytes(value) if isinstance(value, (bytearray, memoryview)) else value


def _text(value: Any) -> str:
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, default=str, ensure_ascii=False)
    return str(value)


def _type_of(values: list[Any]) -> str:
    """The type that all values have, text when they have several or none."""
    known = [value for value in values if value is not None]
    if known and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in known):
        return "BIGINT" if all(isinstance(v, int) for v in known) else "DOUBLE"
    for kind, name in OF_PYTHON:
        if known and all(type(value) is kind for value in known):
            return f"DECIMAL(38,{_scale(known)})" if kind is Decimal else name
    return "VARCHAR"


def _scale(values: list[Decimal]) -> int:
    exponents = [value.as_tuple().exponent for value in values]
    return min(38, max((-e for e in exponents if isinstance(e, int) and e < 0), default=0))

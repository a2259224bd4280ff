"""DuckDB's type names, and how a value of each is read back from JSON.

A date or time that Python cannot hold (before the year 1, 24:00) stays the text that DuckDB writes.
"""

import base64
import datetime as dt
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

Decoder = Callable[[Any], Any]

INTEGERS = {
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT",
    "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT",
}  # fmt: skip


def base_type(name: str) -> str:
    """DECIMAL for DECIMAL(18,3); LIST for INTEGER[]; TIMESTAMP for its precisions."""
    if name.endswith("]"):
        return "LIST"
    base = name.split("(")[0]
    return "TIMESTAMP" if base in ("TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS") else base


def decoder(name: str) -> Decoder:
    """What turns the JSON of a value of type `name` back to the value; nulls are let through inside."""
    base = base_type(name)
    if base == "LIST":
        return _list(decoder(name[: name.rindex("[")]))
    if base == "STRUCT":
        fields = dict(_named(part) for part in _parts(name))
        return _struct({field: decoder(kind) for field, kind in fields.items()})
    if base == "MAP":
        key, value = _parts(name)
        return _map(int if base_type(key) in INTEGERS else decoder(key), decoder(value))
    return DECODERS.get(base, _same)


def _list(item: Decoder) -> Decoder:
    return lambda values: [None if value is None else item(value) for value in values]


def _struct(fields: dict[str, Decoder]) -> Decoder:
    return lambda values: {
        name: None if value is None else fields.get(name, _same)(value) for name, value in values.items()
    }


def _map(key: Decoder, item: Decoder) -> Decoder:
    return lambda values: {key(k): None if value is None else item(value) for k, value in values.items()}


def _parts(name: str) -> list[str]:
    """The arguments of a type: `STRUCT(a INTEGER, b DECIMAL(4,2))` has two."""
    inside = name[name.index("(") + 1 : -1]
    parts, depth, quoted, start = [], 0, False, 0
    for index, char in enumerate(inside):
        if char == '"':
            quoted = not quoted
        elif not quoted and char in "([":
            depth += 1
        elif not quoted and char in ")]":
            depth -= 1
        elif not quoted and depth == 0 and char == ",":
            parts.append(inside[start:index].strip())
            start = index + 1
    return [*parts, inside[start:].strip()]


def _named(part: str) -> tuple[str, str]:
    """`"a b" DATE` is the field `a b` of type DATE."""
    if not part.startswith('"'):
        name, _, kind = part.partition(" ")
        return name, kind
    end = 1
    while part[end] != '"' or part[end : end + 2] == '""':
        end += 2 if part[end] == '"' else 1
    return part[1:end].replace('""', '"'), part[end + 1 :].strip()


def _same(value: Any) -> Any:
    return value


def _or_text(read: Decoder) -> Decoder:
    def decode(value: Any) -> Any:
        try:
            return read(value)
        except ValueError:
            return value

    return decode


DECODERS: dict[str, Decoder] = {
    "DOUBLE": float,
    "FLOAT": float,
    "DECIMAL": Decimal,
    "DATE": _or_text(dt.date.fromisoformat),
    "TIMESTAMP": _or_text(dt.datetime.fromisoformat),
    "TIMESTAMP WITH TIME ZONE": _or_text(dt.datetime.fromisoformat),
    "TIME": _or_text(dt.time.fromisoformat),
    "TIME WITH TIME ZONE": _or_text(dt.time.fromisoformat),
    "INTERVAL": lambda value: dt.timedelta(*value),
    "BLOB": base64.b64decode,
    "UUID": uuid.UUID,
}

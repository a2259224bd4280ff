"""Stated rules that turn any value into JSON, so that an odd value never breaks a turn.

| value | becomes |
|---|---|
| NaN, +inf, -inf (also NumPy's), NaT, pandas.NA | null |
| NumPy scalar | the Python number, string or boolean it holds |
| NumPy array, set, tuple, generator | list (sets sorted by text) |
| Decimal | string, so that no digit is lost |
| date, time, datetime, pandas.Timestamp, NumPy's datetime64 | ISO 8601 string |
| timedelta, also NumPy's | seconds as a number |
| bytes | UTF-8 text, else base64 |
| text with half a character (a lone surrogate) | `?` in its place |
| DataFrame | list of records; Series: list |
| pydantic model, dataclass, enum | its fields or value |
| mapping key that is no string | its text |
| anything else | its text |
"""

import base64
import dataclasses
import datetime as dt
import enum
import math
import time
from collections.abc import Generator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.adk.events.event import Event
    from pydantic import BaseModel

MAX_DEPTH = 60


def clean_text(text: str) -> str:
    """Text that UTF-8 can hold."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def make_json_safe(event: "Event") -> str:
    """The JSON of an event, after what is no JSON in it was replaced by the stated rules."""
    for part in (event.content.parts or []) if event.content else []:
        if part.text:
            part.text = clean_text(part.text)
        if part.function_response is not None and part.function_response.response is not None:
            part.function_response.response = to_json_safe(part.function_response.response)
        if part.function_call is not None and part.function_call.args is not None:
            part.function_call.args = to_json_safe(part.function_call.args)
    if event.actions and event.actions.state_delta:
        event.actions.state_delta = to_json_safe(event.actions.state_delta)
    if event.custom_metadata:
        event.custom_metadata = to_json_safe(event.custom_metadata)
    if event.output is not None:
        event.output = to_json_safe(event.output)
    if not math.isfinite(event.timestamp):
        event.timestamp = time.time()
    try:
        return event.model_dump_json(exclude_none=True)
    except ValueError:
        _clean_fields(event)
        return event.model_dump_json(exclude_none=True)


def _clean_fields(model: "BaseModel") -> None:
    """Replaces what is no JSON wherever it is; costs more than the few fields where it is common."""
    for name in model.model_fields_set:
        setattr(model, name, _cleaned(getattr(model, name)))


def _cleaned(value: Any) -> Any:
    if hasattr(value, "model_fields_set"):
        _clean_fields(value)
        return value
    if isinstance(value, dict):
        return {_key(key): _cleaned(item) for key, item in value.items()}
    if isinstance(value, (list, set)):
        return type(value)(_cleaned(item) for item in value)
    return value if isinstance(value, (bytes, enum.Enum)) else to_json_safe(value)


def to_json_safe(value: Any, depth: int = 0) -> Any:
    """The JSON value for `value` by the rules above; never raises for its content.

    Nesting deeper than 60 levels becomes text.
    """
    kind = type(value)
    if kind is str:
        return clean_text(value)
    if value is None or kind is int or kind is bool:
        return value
    if kind is float:
        return value if math.isfinite(value) else None
    if depth > MAX_DEPTH:
        return clean_text(str(value))
    if kind is dict:
        return {_key(key): to_json_safe(item, depth + 1) for key, item in value.items()}
    if kind is list:
        return [to_json_safe(item, depth + 1) for item in value]
    if isinstance(value, Mapping):
        return {_key(key): to_json_safe(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple, Generator)):
        return [to_json_safe(item, depth + 1) for item in value]
    if isinstance(value, (set, frozenset)):
        return [to_json_safe(item, depth + 1) for item in sorted(value, key=str)]
    return _other(value, depth)


def _key(key: Any) -> str:
    return clean_text(key) if type(key) is str else str(getattr(key, "value", key))


def _other(value: Any, depth: int) -> Any:
    if isinstance(value, enum.Enum):
        return to_json_safe(value.value, depth + 1)
    if isinstance(value, Decimal):
        return str(value) if value.is_finite() else None
    if isinstance(value, dt.timedelta):
        return to_json_safe(value.total_seconds())
    if isinstance(value, (dt.date, dt.time)):
        text = value.isoformat()
        return None if text == "NaT" else text
    if isinstance(value, (bytes, bytearray, memoryview)):
        raw = bytes(value)
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            return base64.b64encode(raw).decode("ascii")
    if isinstance(value, (str, int, float)):
        return to_json_safe(_builtin(value), depth)
    return _by_library(value, depth)


def _builtin(value: str | int | float) -> str | int | float:
    for kind in (str, int, float):
        if isinstance(value, kind):
            return kind(value)
    return str(value)


def _by_library(value: Any, depth: int) -> Any:
    name = type(value).__name__
    if name in ("NaTType", "NAType"):
        return None
    if name == "DataFrame":
        return to_json_safe(value.to_dict("records"), depth + 1)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return to_json_safe(fields, depth + 1)
    if hasattr(value, "model_dump"):
        return to_json_safe(value.model_dump(), depth + 1)
    if type(value).__module__ == "numpy" and value.dtype.kind in "mM":
        # Nanoseconds would become a plain number.
        value = value.astype(f"{'timedelta64' if value.dtype.kind == 'm' else 'datetime64'}[us]")
    if hasattr(value, "tolist"):  # NumPy scalars and arrays, pandas Series
        plain = value.tolist()
        return to_json_safe(plain, depth + 1) if type(plain) is not type(value) else str(value)
    return str(value)

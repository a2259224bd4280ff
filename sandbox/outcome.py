"""What one run of somebody's Python gave: data only, in a few types, read without trust in who wrote it."""

import base64
import math
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sandbox.table import Column, Table

PNG = b"\x89PNG\r\n\x1a\n"
MAX_OUTPUTS = 30
MAX_NOTES = 50
MAX_CHARACTERS = 1_000_000
MAX_ROWS = 10_000
MAX_DEPTH = 100
MAX_DIGITS = 1000
MAX_PIXELS = 100_000_000
LOADED = {"source", "geojson", "style", "src", "url"}
"""What a figure names thus, Plotly fetches when the page draws it."""
CONTROL = {
    code: "\N{REPLACEMENT CHARACTER}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n\r"
}


@dataclass(frozen=True)
class TableOutput:
    """Rows with types; at most the rows that a result keeps, `row_count` counts all."""

    title: str
    table: Table


@dataclass(frozen=True)
class FigureOutput:
    """A Plotly figure as its JSON."""

    title: str
    figure: dict[str, Any]


@dataclass(frozen=True)
class ImageOutput:
    """A picture as PNG bytes, as matplotlib draws it."""

    title: str
    png: bytes


@dataclass(frozen=True)
class ValueOutput:
    """One number, text, truth value or date (ISO text), or None."""

    title: str
    value: Any


@dataclass(frozen=True)
class TextOutput:
    """Anything else, as the text that describes it."""

    title: str
    text: str


@dataclass(frozen=True)
class FileOutput:
    """A file that the code left in its folder."""

    name: str
    data: bytes


Output = TableOutput | FigureOutput | ImageOutput | ValueOutput | TextOutput | FileOutput


@dataclass(frozen=True)
class Failure:
    """Why code did not end, in words that help to correct it."""

    type: str
    """The exception's name, such as KeyError; TimeLimitExceeded and its like for a run that was ended."""
    message: str
    line: int | None = None
    """The line of the code, from 1."""
    trace: str = ""
    """The traceback's part that is in the code, with the lines."""
    suggestions: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class RunOutcome:
    """What a run showed and printed; with `failure` it left the conversation's variables as they were."""

    outputs: list[Output]
    printed: str = ""
    failure: Failure | None = None
    duration: float = 0.0
    """Seconds."""
    rebuilt: int = 0
    """How many earlier runs were run again first, because their variables were gone."""
    notes: list[str] = field(default_factory=list)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "RunOutcome":
        """Reads what `sandbox.notebook` wrote. Other data raises ValueError, TypeError or LookupError."""
        failure = data["failure"]
        outputs = [READERS[str(item["kind"])](item) for item in list(data["outputs"])[:MAX_OUTPUTS]]
        notes = [text(note) for note in list(data["notes"])[:MAX_NOTES]]
        return cls(
            outputs=outputs,
            printed=text(data["printed"]),
            failure=None if failure is None else _failure(failure),
            duration=float(data["duration"]),
            notes=notes,
        )


def text(value: Any) -> str:
    """Text that every file and page takes: no halves of surrogates, nothing that a terminal obeys."""
    return storable(str(value)[:MAX_CHARACTERS]).translate(CONTROL)


def storable(value: str) -> str:
    """The text without halves of surrogates, which cannot be written as UTF-8."""
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def _failure(data: dict[str, Any]) -> Failure:
    line = data["line"]
    return Failure(
        type=text(data["type"]),
        message=text(data["message"]),
        line=None if line is None else int(line),
        trace=text(data["trace"]),
        suggestions=[text(item) for item in list(data["suggestions"])[:MAX_NOTES]],
    )


def _table(item: dict[str, Any]) -> Output:
    table = Table.from_json(item["table"])
    if not all(type(column.name) is str and type(column.type) is str for column in table.columns):
        raise ValueError("a column has a name and a type")
    if type(table.row_count) is not int or table.row_count < len(table.rows):
        raise ValueError("a table counts its rows")
    rows = [[_cell(value) for value in row] for row in table.rows[:MAX_ROWS]]
    return TableOutput(
        text(item["title"]),
        Table(
            columns=[Column(storable(column.name), storable(column.type)) for column in table.columns],
            rows=rows,
            row_count=table.row_count,
            truncated=bool(table.truncated) or table.row_count > len(rows),
            elapsed=float(table.elapsed),
        ),
    )


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    # Written out in full, such a number would take gigabytes.
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) > MAX_DIGITS:
        raise ValueError("a number of too many digits")
    if isinstance(value, list):
        return [_cell(item) for item in value]
    if isinstance(value, dict):
        return {_cell(key): _cell(item) for key, item in value.items()}
    return value


def _figure(item: dict[str, Any]) -> Output:
    figure = dict(item["figure"])
    traces = figure.get("data", [])
    if not isinstance(traces, list) or not isinstance(figure.get("layout", {}), dict):
        raise ValueError("a figure is a list of traces and a layout")
    return FigureOutput(text(item["title"]), _part(figure))


def _part(value: Any, name: str = "", depth: int = 0) -> Any:
    """A figure's part as strict JSON, without addresses that the page would load: they carry data away."""
    if depth > MAX_DEPTH:
        raise ValueError("a figure of too great a depth")
    if isinstance(value, dict):
        return {text(key): _part(item, str(key), depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_part(item, name, depth + 1) for item in value]
    if isinstance(value, str):
        return "" if name in LOADED and not _inside(value) else storable(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _inside(value: str) -> bool:
    """Whether a picture, a map's style or its outlines are data themselves, or one of Plotly's names."""
    return value.startswith("data:image/") or not re.search("[/:\\\\]", value)


def _image(item: dict[str, Any]) -> Output:
    png = base64.b64decode(item["png"], validate=True)
    if not png.startswith(PNG):
        raise ValueError("an image is a PNG")
    # Its first part is IHDR, with width and height.
    width, height = struct.unpack(">II", png[16:24].ljust(8, b"\0"))
    if width * height > MAX_PIXELS:
        raise ValueError("an image of too many pixels")
    return ImageOutput(text(item["title"]), png)


def _value(item: dict[str, Any]) -> Output:
    value = item["value"]
    if isinstance(value, float) and not math.isfinite(value):
        value = str(value)
    if not isinstance(value, (str, int, float, bool, type(None))):
        raise ValueError("a value is a number, a text, a truth value or nothing")
    return ValueOutput(text(item["title"]), text(value) if isinstance(value, str) else value)


READERS: dict[str, Callable[[dict[str, Any]], Output]] = {
    "table": _table,
    "figure": _figure,
    "image": _image,
    "value": _value,
    "text": lambda item: TextOutput(text(item["title"]), text(item["text"])),
}

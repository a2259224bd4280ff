"""What one run of somebody's Python gave: data only, in a few types, read without trust in who wrote it."""

import base64
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sandbox.table import Table

PNG = b"\x89PNG\r\n\x1a\n"
MAX_OUTPUTS = 30


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
        return cls(
            outputs=[READERS[str(item["kind"])](item) for item in list(data["outputs"])[:MAX_OUTPUTS]],
            printed=str(data["printed"]),
            failure=None if failure is None else _failure(failure),
            duration=float(data["duration"]),
            notes=[str(note) for note in data["notes"]],
        )


def _failure(data: dict[str, Any]) -> Failure:
    line = data["line"]
    return Failure(
        type=str(data["type"]),
        message=str(data["message"]),
        line=None if line is None else int(line),
        trace=str(data["trace"]),
        suggestions=[str(item) for item in data["suggestions"]],
    )


def _figure(item: dict[str, Any]) -> Output:
    figure = dict(item["figure"])
    traces = figure.get("data", [])
    if not isinstance(traces, list) or not isinstance(figure.get("layout", {}), dict):
        raise ValueError("a figure is a list of traces and a layout")
    return FigureOutput(str(item["title"]), figure)


def _image(item: dict[str, Any]) -> Output:
    png = base64.b64decode(item["png"], validate=True)
    if not png.startswith(PNG):
        raise ValueError("an image is a PNG")
    return ImageOutput(str(item["title"]), png)


def _value(item: dict[str, Any]) -> Output:
    value = item["value"]
    if isinstance(value, float) and not math.isfinite(value):
        value = str(value)
    if not isinstance(value, (str, int, float, bool, type(None))):
        raise ValueError("a value is a number, a text, a truth value or nothing")
    return ValueOutput(str(item["title"]), value)


READERS: dict[str, Callable[[dict[str, Any]], Output]] = {
    "table": lambda item: TableOutput(str(item["title"]), Table.from_json(item["table"])),
    "figure": _figure,
    "image": _image,
    "value": _value,
    "text": lambda item: TextOutput(str(item["title"]), str(item["text"])),
}

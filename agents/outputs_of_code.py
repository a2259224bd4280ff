"""What code gave, in the form in which results are stored."""

import base64
import mimetypes
import re
from typing import Any

from agents.artifacts import Artifact
from sandbox.outcome import (
    FigureOutput,
    FileOutput,
    ImageOutput,
    Output,
    TableOutput,
    TextOutput,
    ValueOutput,
)
from sandbox.table import Column, Table

UNKNOWN = "application/octet-stream"
BIGGEST, SMALLEST = 2**63 - 1, -(2**63)
TYPES = {bool: "BOOLEAN", int: "BIGINT", float: "DOUBLE"}


def as_output(given: Output, place: str) -> tuple[str, dict[str, Any], Artifact | None]:
    """A result's kind and output; a file's bytes go under a name that begins with `place`."""
    match given:
        case TableOutput():
            return "table", {"table": given.table.to_json()}, None
        case ValueOutput():
            return "value", {"table": _of_value(given.value).to_json()}, None
        case FigureOutput():
            return "figure", {"figure": given.figure, "alt": _alternative(given)}, None
        case ImageOutput():
            png = base64.b64encode(given.png).decode("ascii")
            return "image", {"png": png, "alt": given.title or "A picture that the code drew."}, None
        case TextOutput():
            return "text", {"text": given.text}, None
        case FileOutput():
            return _file(given, place)


def _of_value(value: Any) -> Table:
    kind = TYPES.get(type(value), "VARCHAR")
    if kind == "BIGINT" and not SMALLEST <= value <= BIGGEST:
        kind = "HUGEINT"
    return Table([Column("value", kind)], [[value]], 1)


def _alternative(given: FigureOutput) -> str:
    traces = [trace for trace in given.figure.get("data") or [] if isinstance(trace, dict)]
    kinds = list(dict.fromkeys(str(trace.get("type", "scatter")) for trace in traces))
    drawn = f"A chart of kind {', '.join(kinds[:5])}" if kinds else "An empty chart"
    return f"{drawn}: {given.title}" if given.title else f"{drawn}."


def _file(given: FileOutput, place: str) -> tuple[str, dict[str, Any], Artifact]:
    mime = mimetypes.guess_type(given.name)[0] or UNKNOWN
    # The name is the code's; as a path it is made harmless. It is new for each run, so its version is 0.
    name = f"{place}-{re.sub(r'[^A-Za-z0-9._-]+', '-', given.name)[-80:]}"
    output = {"name": given.name, "artifact": name, "version": 0, "size": len(given.data), "mime": mime}
    return "file", output, Artifact(name, given.data, mime, f"The file {given.name}")

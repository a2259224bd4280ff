"""Stands in for the readers until they land."""

import dataclasses
import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.csv_format import detect_encoding, detect_format, write_utf8
from analysis.errors import IngestError
from sandbox.client import Worker
from sandbox.errors import QueryFailed, WorkerStopped

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class ReadOptions:
    format: str | None = None
    member: str | None = None
    part: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    skip: int | None = None
    header_rows: int | None = None
    decimal: str | None = None
    thousands: str | None = None
    day_first: bool | None = None
    types: dict[str, str] | None = None
    skip_last: int | None = None

    def key(self) -> str:
        text = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Part:
    name: str
    options: ReadOptions
    notes: list[str] = field(default_factory=list)
    rows: int | None = None
    hidden: bool = False


@dataclass(frozen=True)
class Preview:
    columns: list[tuple[str, str]]
    rows: list[list[Any]]
    notes: list[str]


@dataclass(frozen=True)
class Sampled:
    columns: list[tuple[str, str]]
    rows_estimate: int
    rows_sampled: int
    notes: list[str]


@dataclass(frozen=True)
class Converted:
    rows: int
    columns: list[tuple[str, str]]
    original_names: dict[str, str]
    notes: list[str]
    rejected_rows: int
    options: ReadOptions


def look(original: Path, file_name: str, worker: Worker) -> list[Part]:
    if file_name.endswith(".many"):
        n = int(file_name.split(".")[-2])
        return [Part(f"s{i}", ReadOptions(format="csv", part=f"s{i}")) for i in range(n)]
    detect_encoding(original)
    return [Part("", ReadOptions(format="csv"))]


def convert(
    original: Path, options: ReadOptions, target: Path, worker: Worker, progress: Progress | None = None
) -> Converted:
    with tempfile.TemporaryDirectory() as folder:
        encoding = options.encoding or detect_encoding(original)
        readable = original
        if encoding != "utf-8":
            readable = Path(folder) / "utf8.csv"
            write_utf8(original, readable, encoding)
        found = detect_format(readable, encoding)
        read = found.read_options()
        if options.decimal:
            read["decimal"] = options.decimal
        if options.delimiter:
            read["delimiter"] = options.delimiter
        if progress:
            progress(0.3, "")
        try:
            report = worker.convert(readable, target, read)
        except QueryFailed as error:
            raise IngestError(f"The file cannot be read as a table: {error}") from error
    if report["rows"] == 0:
        target.unlink(missing_ok=True)
        raise IngestError("No row of the file fits its header. Check the delimiter and quotes.")
    originals = dict(zip(found.names, found.original_names, strict=True))
    return Converted(
        report["rows"],
        [(n, k) for n, k in report["columns"]],
        originals,
        found.notes,
        report["rejected_rows"],
        options,
    )


def preview(original: Path, options: ReadOptions, worker: Worker, rows: int = 50) -> Preview:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "t.parquet"
        made = convert(original, options, target, worker)
        table = worker.query("SELECT * FROM t", {"t": target}, limit=rows)
        return Preview(made.columns, [list(r) for r in table.rows], made.notes)


def sample(original: Path, options: ReadOptions, target: Path, worker: Worker) -> Sampled:
    with tempfile.TemporaryDirectory() as folder:
        head = Path(folder) / "head.csv"
        with original.open("rb") as source:
            data = source.read(1 << 20)
        head.write_bytes(data[: data.rfind(b"\n") + 1])
        made = convert(head, options, target, worker)
    estimate = int(made.rows * original.stat().st_size / max(len(data), 1))
    return Sampled(made.columns, estimate, made.rows, ["Estimated from the start."])


def _unused() -> None:
    raise WorkerStopped("")

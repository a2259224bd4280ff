"""From an uploaded file to a dataset: kept, understood, converted once, profiled.

Nothing is changed silently: what was decided, renamed or left out stands in the dataset's notes.
"""

import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from analysis.column_profile import profile_columns
from analysis.csv_format import CsvFormat, detect_encoding, detect_format, write_utf8
from analysis.errors import IngestError
from sandbox.client import Worker
from sandbox.errors import QueryFailed, SandboxError
from storage.datasets import Dataset, Datasets, TooLarge

Progress = Callable[[float, str], None]
OPTIONS_KEY = "table"
MAX_NAME = 40


def ingest(
    source: BinaryIO,
    file_name: str,
    *,
    datasets: Datasets,
    worker: Worker,
    user_id: str,
    limit_mb: int,
    progress: Progress | None = None,
) -> Dataset:
    """Brings a CSV file in; the same bytes are converted only once.

    Raises IngestError with a sentence for the person who uploaded it.
    """
    say = progress or (lambda part, label: None)
    say(0.1, f"Reading {file_name}")
    try:
        sha256, original, size = datasets.keep_original(source, limit_mb * 1_000_000)
    except TooLarge:
        raise IngestError(
            f"{file_name} is larger than {limit_mb} MB. Upload a part of it, or raise UPLOAD_LIMIT_MB."
        ) from None
    name = table_name(file_name)
    known = datasets.find_converted(sha256, OPTIONS_KEY)
    if known is not None:
        return _register(datasets, known, user_id, name, file_name)
    with tempfile.TemporaryDirectory() as folder:
        encoding = detect_encoding(original)
        readable = original
        if encoding != "utf-8":
            readable = Path(folder) / "utf8.csv"
            write_utf8(original, readable, encoding)
        found = detect_format(readable, encoding)
        say(0.3, "Converting to a columnar table")
        target = datasets.table_path(sha256, OPTIONS_KEY)
        report = _convert(worker, readable, target, found)
    say(0.8, "Looking at the columns")
    columns = [(column, kind) for column, kind in report["columns"]]
    originals = dict(zip(found.names, found.original_names, strict=True))
    try:
        profiled = profile_columns(worker, target, report["rows"], columns, originals)
    except SandboxError as error:
        raise IngestError(f"The columns of {file_name} could not be read: {error}") from error
    return datasets.register(
        user_id=user_id,
        name=name,
        sha256=sha256,
        options_key=OPTIONS_KEY,
        file_name=file_name,
        rows=report["rows"],
        columns=profiled,
        byte_size=size,
        notes=found.notes + _report_notes(report),
        read_options=found.read_options() | {"encoding": encoding},
        rejected_rows=report["rejected_rows"],
    )


def table_name(file_name: str) -> str:
    """The name queries use: the file's stem as a plain identifier."""
    stem = re.sub(r"\W+", "_", Path(file_name).stem.lower(), flags=re.ASCII).strip("_")
    if not stem or stem[0].isdigit():
        stem = f"data_{stem}".strip("_")
    return stem[:MAX_NAME]


def _convert(worker: Worker, source: Path, target: Path, found: CsvFormat) -> dict[str, Any]:
    try:
        report = worker.convert(source, target, found.read_options())
    except QueryFailed:
        # Types found on all rows can still clash (mixed encodings of a date); text always fits.
        try:
            report = worker.convert(source, target, found.read_options() | {"all_text": True})
        except SandboxError as error:
            raise IngestError(f"The file cannot be read as a table: {error}") from error
    except SandboxError as error:
        raise IngestError(str(error)) from error
    if report["rows"] == 0:
        target.unlink(missing_ok=True)
        raise IngestError("No row of the file fits its header. Check the delimiter and quotes.")
    return report


def _report_notes(report: dict[str, Any]) -> list[str]:
    notes = [
        f"Numbers with thousands separators in {name!r} were read as numbers." for name in report["separated"]
    ]
    notes += [f"Times with a zone in {name!r} were converted to UTC." for name in report["zoned"]]
    notes += [f"NaN in {name!r} counts as missing." for name in report["not_numbers"]]
    if report["rejected_rows"]:
        examples = "; ".join(f"line {line}: {why}" for line, why in report["examples"])
        notes.append(f"{report['rejected_rows']:,} row(s) could not be read and are left out: {examples}")
    return notes


def _register(datasets: Datasets, known: Dataset, user_id: str, name: str, file_name: str) -> Dataset:
    return datasets.register(
        user_id=user_id,
        name=name,
        sha256=known.sha256,
        options_key=OPTIONS_KEY,
        file_name=file_name,
        rows=known.rows,
        columns=known.columns,
        byte_size=known.byte_size,
        notes=known.notes,
        read_options=known.read_options,
        rejected_rows=known.rejected_rows,
    )

"""From an uploaded file to datasets: kept, understood, converted once, profiled.

Nothing is changed silently: what was decided, renamed or left out stands in the dataset's notes.
"""

import re
from pathlib import Path
from typing import BinaryIO

from analysis.column_profile import profile_columns
from analysis.errors import IngestError
from analysis.reading import (
    ENCODINGS,
    FORMATS,
    TYPES,
    Converted,
    Part,
    Preview,
    Progress,
    ReadOptions,
    Sampled,
    convert,
    look,
    preview,
    sample,
)
from sandbox.client import Worker
from sandbox.errors import SandboxError
from storage.datasets import Dataset, Datasets, TooLarge

__all__ = [
    "ENCODINGS", "FORMATS", "TYPES", "Converted", "Part", "Preview", "Progress", "ReadOptions", "Sampled",
    "convert", "ingest", "ingest_all", "look", "preview", "sample", "table_name",
]  # fmt: skip
MAX_NAME = 40
ENDINGS = (
    ".gz", ".zip", ".csv", ".tsv", ".txt", ".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".parquet", ".json",
    ".jsonl", ".ndjson", ".sqlite", ".sqlite3", ".db", ".duckdb", ".pq", ".tab", ".psv",
)  # fmt: skip


def ingest(
    source: BinaryIO,
    file_name: str,
    *,
    datasets: Datasets,
    worker: Worker,
    user_id: str,
    limit_mb: int,
    progress: Progress | None = None,
    options: ReadOptions | None = None,
) -> Dataset:
    """Brings in the first table of a file, or the one that `options` name; the same bytes once only.

    Raises IngestError with a sentence for the person who uploaded it.
    """
    say = progress or (lambda part, label: None)
    sha256, original, size = _kept(source, file_name, datasets, limit_mb, say)
    parts = look(original, file_name, worker, options)
    dataset = _ingest_part(
        sha256, original, size, file_name, parts[0], len(parts), datasets, worker, user_id, say
    )
    if len(parts) == 1 or (options is not None and (options.part or options.member)):
        return dataset
    others = ", ".join(repr(part.name) for part in parts[1:6])
    note = f"The file has {len(parts)} tables; this is {parts[0].name!r}. The others are {others}."
    return datasets.update(dataset, notes=[note, *dataset.notes]) if note not in dataset.notes else dataset


def ingest_all(
    source: BinaryIO,
    file_name: str,
    *,
    datasets: Datasets,
    worker: Worker,
    user_id: str,
    limit_mb: int,
    progress: Progress | None = None,
    options: ReadOptions | None = None,
) -> list[Dataset]:
    """Brings in every table of a file but those of hidden sheets. Raises IngestError."""
    say = progress or (lambda part, label: None)
    sha256, original, size = _kept(source, file_name, datasets, limit_mb, say)
    parts = look(original, file_name, worker, options)
    shown = [part for part in parts if not part.hidden] or parts
    return [
        _ingest_part(sha256, original, size, file_name, part, len(parts), datasets, worker, user_id, say)
        for part in shown
    ]


def table_name(file_name: str, part: str = "") -> str:
    """The name queries use: the file's stem, and the part where there are several, as a plain identifier."""
    stem = Path(file_name).name
    while Path(stem).suffix.lower() in ENDINGS and Path(stem).stem:
        stem = Path(stem).stem
    if stem == Path(file_name).name:
        stem = Path(stem).stem
    name, part = _identifier(stem), _identifier(part)
    if part and part not in name:
        name = f"{name[: MAX_NAME - 1 - min(len(part), 24)]}_{part[:24]}".strip("_")
    if not name or name[0].isdigit():
        name = f"data_{name}".strip("_")
    return name[:MAX_NAME]


def _identifier(text: str) -> str:
    return re.sub(r"\W+", "_", text.lower(), flags=re.ASCII).strip("_")


def _kept(
    source: BinaryIO, file_name: str, datasets: Datasets, limit_mb: int, say: Progress
) -> tuple[str, Path, int]:
    say(0.05, f"Reading {file_name}")
    try:
        return datasets.keep_original(source, limit_mb * 1_000_000)
    except TooLarge:
        raise IngestError(
            f"{file_name} is larger than {limit_mb} MB. Upload a part of it, or raise UPLOAD_LIMIT_MB."
        ) from None


def _ingest_part(
    sha256: str,
    original: Path,
    size: int,
    file_name: str,
    part: Part,
    count: int,
    datasets: Datasets,
    worker: Worker,
    user_id: str,
    say: Progress,
) -> Dataset:
    key = part.options.key()
    name = table_name(file_name, part.name if count > 1 else "")
    known = datasets.find_converted(sha256, key)
    if known is not None and known.state == "ready":
        return datasets.register(
            user_id=user_id, name=name, sha256=sha256, options_key=key, file_name=file_name, rows=known.rows,
            columns=known.columns, byte_size=known.byte_size, notes=known.notes,
            read_options=known.read_options, rejected_rows=known.rejected_rows, part=part.name,
        )  # fmt: skip
    target = datasets.table_path(sha256, key)
    made = convert(
        original, part.options, target, worker, lambda done, text: say(0.1 + 0.7 * done, text), file_name
    )
    say(0.8, "Looking at the columns")
    originals = {
        column: original for (column, _), original in zip(made.columns, made.original_names, strict=False)
    }
    try:
        columns = profile_columns(worker, target, made.rows, made.columns, originals)
    except SandboxError as error:
        raise IngestError(f"The columns of {file_name} could not be read: {error}") from error
    return datasets.register(
        user_id=user_id, name=name, sha256=sha256, options_key=key, file_name=file_name, rows=made.rows,
        columns=columns, byte_size=size, notes=[*part.notes, *made.notes],
        read_options=made.options.to_json(), rejected_rows=made.rejected_rows, part=part.name,
    )  # fmt: skip

"""Files parsed in a locked process: what is in one, how it looks, and its tables as Parquet.

The process writes into a folder of its own beside the target; what it leaves there is moved, never followed.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.errors import IngestError
from sandbox.client import Worker
from sandbox.errors import (
    DiskLimitExceeded,
    MemoryLimitExceeded,
    QueryFailed,
    SandboxError,
    TimeLimitExceeded,
    Unreadable,
    WorkerDied,
    WorkerStopped,
)
from sandbox.reading.options import ENCODINGS, FORMATS, TYPES, ReadOptions
from sandbox.reading.parts import Part

__all__ = [
    "ENCODINGS", "FORMATS", "TYPES", "Converted", "Part", "Preview", "ReadOptions", "Sampled", "convert",
    "look", "preview", "sample",
]  # fmt: skip
Progress = Callable[[float, str], None]
PREFIX = "reading-"
ABANDONED_SECONDS = 24 * 3600
TABLE, REJECTS = "table.parquet", "table.rejects.parquet"
TOO_MUCH = "Reading {0} needs more memory than is allowed here. Upload a part of it, or Parquet instead."
TOO_LONG = "Reading {0} took too long and was stopped. Upload a part of it, or Parquet instead."
CRASHED = "Reading {0} ended the process that reads files: it is damaged, or made to do harm."


@dataclass(frozen=True)
class Preview:
    """The first rows as they would be read, and how."""

    columns: list[tuple[str, str]]
    """Names and DuckDB types, found on the beginning of the file."""
    rows: list[list[str | None]]
    """Cells as text, shortened."""
    notes: list[str]
    decided: ReadOptions
    """The options with what was decided in place of None."""


@dataclass(frozen=True)
class Sampled:
    """Rows of a file that stand for all of it."""

    columns: list[tuple[str, str]]
    original_names: list[str]
    rows_estimate: int | None
    """Rows of the whole file; None where nobody knows before it is read."""
    rows_sampled: int
    notes: list[str]


@dataclass(frozen=True)
class Converted:
    """A table that was written."""

    rows: int
    columns: list[tuple[str, str]]
    original_names: list[str]
    """As they stand in the file, in the columns' order."""
    notes: list[str]
    rejected_rows: int
    options: ReadOptions
    """With what was decided in place of None."""


def look(original: Path, file_name: str, worker: Worker, options: ReadOptions | None = None) -> list[Part]:
    """The tables in a file, at least one; each part's options read it. Raises IngestError."""
    with _folder(original.parent) as folder:
        answer = _asked(worker, "look", original, file_name, options or ReadOptions(), folder)
    return [Part.from_json(part) for part in answer["parts"]]


def preview(
    original: Path, options: ReadOptions, worker: Worker, rows: int = 50, file_name: str = ""
) -> Preview:
    """The first rows as `options` read them; fast at any size. Raises IngestError."""
    with _folder(original.parent) as folder:
        answer = _asked(worker, "preview", original, file_name, options, folder, rows=rows)
    columns = [(name, kind) for name, kind in answer["columns"]]
    return Preview(columns, answer["first"], answer["notes"], ReadOptions.from_json(answer["options"]))


def sample(
    original: Path, options: ReadOptions, target: Path, worker: Worker, file_name: str = ""
) -> Sampled:
    """Writes rows from all over a delimited file, or the first of another one, to Parquet.

    Raises IngestError.
    """
    with _folder(target.parent) as folder:
        answer = _asked(worker, "sample", original, file_name, options, folder)
        _keep(folder / TABLE, target)
    columns = [(name, kind) for name, kind in answer["columns"]]
    total = answer["rows"] if answer["total"] is None and answer["rows"] < 100_000 else answer["total"]
    return Sampled(columns, answer["originals"], total, answer["rows"], answer["notes"])


def convert(
    original: Path,
    options: ReadOptions,
    target: Path,
    worker: Worker,
    progress: Progress | None = None,
    file_name: str = "",
) -> Converted:
    """Writes a table to `target`, and the rows that could not be read to its `.rejects.parquet`.

    Raises IngestError, and WorkerStopped when `worker.kill()` ended it.
    """
    with _folder(target.parent) as folder:
        answer = _asked(worker, "convert", original, file_name, options, folder, progress=progress)
        rejects = target.with_suffix(".rejects.parquet")
        rejects.unlink(missing_ok=True)
        if (folder / REJECTS).exists():
            _keep(folder / REJECTS, rejects)
        _keep(folder / TABLE, target)
    return Converted(
        rows=answer["rows"],
        columns=[(name, kind) for name, kind in answer["columns"]],
        original_names=answer["originals"],
        notes=answer["notes"],
        rejected_rows=answer["rejected_rows"],
        options=ReadOptions.from_json(answer["options"]),
    )


def _asked(
    worker: Worker, what: str, original: Path, file_name: str, options: ReadOptions, folder: Path, **more: Any
) -> dict[str, Any]:
    shown = file_name or "the file"
    try:
        return worker.read(what, original, file_name, options.to_json(), folder, **more)
    except WorkerStopped:
        raise
    except (MemoryLimitExceeded, DiskLimitExceeded):
        raise IngestError(TOO_MUCH.format(shown)) from None
    except TimeLimitExceeded:
        raise IngestError(TOO_LONG.format(shown)) from None
    except WorkerDied:
        raise IngestError(CRASHED.format(shown)) from None
    except Unreadable as error:
        raise IngestError(str(error)) from None
    except QueryFailed as error:
        raise IngestError(f"The file cannot be read as a table: {error}") from error
    except SandboxError as error:
        raise IngestError(str(error)) from error


@contextmanager
def _folder(beside: Path) -> Iterator[Path]:
    """A new folder on the same disk, gone afterwards."""
    beside.mkdir(parents=True, exist_ok=True)
    for old in beside.glob(f"{PREFIX}*"):
        # Left by a process that was killed.
        if time.time() - old.stat().st_mtime > ABANDONED_SECONDS:
            shutil.rmtree(old, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=beside))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _keep(made: Path, target: Path) -> None:
    if made.is_symlink() or not made.is_file():
        raise IngestError("The file could not be converted. Upload it again.")
    made.replace(target)

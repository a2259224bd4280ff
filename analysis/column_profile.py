"""What a stored dataset says of its columns."""

from pathlib import Path

from analysis.column_kinds import kind_of, quoted
from analysis.profiling import profile_table
from sandbox.client import Worker
from storage.datasets import ColumnInfo

__all__ = ["kind_of", "profile_columns", "quoted"]


def profile_columns(
    worker: Worker, path: Path, rows: int, columns: list[tuple[str, str]], originals: dict[str, str]
) -> list[ColumnInfo]:
    """Exact missing and distinct counts, range, mean and frequent values of each column."""
    return profile_table(worker, path, columns).infos(originals)

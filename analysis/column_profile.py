"""What a stored dataset says of its columns."""

from pathlib import Path

from analysis.column_kinds import kind_of, quoted
from analysis.profiling import profile_table, write_profile
from sandbox.client import Worker
from storage.datasets import ColumnInfo

__all__ = ["kind_of", "profile_columns", "quoted"]


def profile_columns(
    worker: Worker, path: Path, rows: int, columns: list[tuple[str, str]], originals: dict[str, str]
) -> list[ColumnInfo]:
    """Exact missing and distinct counts, range, mean and frequent values of each column.

    The whole profile stays beside the table. Raises SandboxError.
    """
    profile = profile_table(worker, path, columns)
    write_profile(path.with_suffix(".profile.json"), profile)
    return profile.infos(originals)

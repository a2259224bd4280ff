"""The profile of a table: what is worth knowing of every column before the first question.

Computed in the locked worker in one pass (`sandbox.profiling`), on all rows or on a sample that stands for
them until the whole is there. A profile of a sample says so: counts are scaled up to the whole table, while
range, quantiles and different values are those of the sample.
"""

import datetime as dt
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from analysis.column_kinds import (
    COLUMNS_WITH_VALUES,
    FEW_DISTINCT,
    LISTED_VALUES,
    MIN_MAX_KINDS,
    VALUE_KINDS,
    kind_of,
)
from sandbox.client import Worker
from sandbox.text_values import LONGEST
from storage.datasets import ColumnInfo, Dataset

FORMAT = 1
COUNTS = ("missing", "future")
Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class ColumnProfile:
    """One column. Dates and times are ISO text, decimals text; figures of numbers are of the finite ones."""

    name: str
    type: str
    """DuckDB's type name."""
    kind: str
    """integer, number, text, date, datetime, time, boolean or other."""
    missing: int
    distinct: int
    """Different values, missing not counted; of a sample those in it."""
    min: Any = None
    max: Any = None
    mean: float | None = None
    """Of yes/no the share of yes."""
    std: float | None = None
    """Of a sample of the population: n - 1."""
    skew: float | None = None
    quantiles: dict[str, Any] = field(default_factory=dict)
    """"5%" to "95%", interpolated; a date is rounded down."""
    top: list[list[Any]] = field(default_factory=list)
    """[value, rows] of the 30 most frequent, most first; empty where no value of a text comes twice."""
    histogram: dict[str, list[Any]] = field(default_factory=dict)
    """edges (one more than there are bins) and counts."""
    lengths: dict[str, float] = field(default_factory=dict)
    """min, max and mean number of characters of a text."""
    text: dict[str, Any] = field(default_factory=dict)
    """Rows that are empty, blank, have spaces around, look like numbers, stand for a gap (placeholders) or
    are called a total; variants: how many values are spelled in several ways, with examples (spellings)."""
    not_finite: dict[str, int] = field(default_factory=dict)
    """Rows with nan, above (infinity) and below (minus infinity); endless dates."""
    outliers: dict[str, Any] = field(default_factory=dict)
    """Fences low and high, 1.5 times the range of the middle half away, and the rows below and above."""
    signs: dict[str, int] = field(default_factory=dict)
    """Rows with zero and with negative numbers."""
    watched: list[list[Any]] = field(default_factory=list)
    """[value, rows] of values that often stand for a gap: -1, 999, 1900-01-01."""
    over: dict[str, int] = field(default_factory=dict)
    """Rows above 100 and above 120."""
    future: int = 0
    """Rows with a date after the day the profile was made."""
    sketch: list[int] = field(default_factory=list)
    """The smallest hashes of the different values, to tell which columns share values."""


@dataclass(frozen=True)
class Profile:
    """All columns of a table, and the table as a whole."""

    exact: bool
    """False: made of a sample."""
    rows: int
    """Of the table; an estimate unless exact."""
    rows_seen: int
    duplicates: int | None
    """Rows equal to an earlier one in every column; None where a sample cannot tell."""
    details: list[ColumnProfile]
    correlations: list[list[Any]] = field(default_factory=list)
    """[column, column, Pearson's r] of pairs from 0.8 up, strongest first, of evenly spaced rows."""
    correlation_rows: int = 0
    gaps: list[list[Any]] = field(default_factory=list)
    """[column with gaps, grouping column, group, its rows, rows of these with a gap]."""
    made_at: str = ""

    @cached_property
    def columns(self) -> list[ColumnInfo]:
        """What a stored dataset says of its columns."""
        return self.infos({})

    def infos(self, originals: Mapping[str, str]) -> list[ColumnInfo]:
        """What a stored dataset says of its columns, with their names in the file."""
        listed = 0
        found = []
        for column in self.details:
            few = column.kind in VALUE_KINDS and 0 < column.distinct <= FEW_DISTINCT
            listed += few
            values = frequent_values(column) if few and listed <= COLUMNS_WITH_VALUES else []
            found.append(_info(column, values, originals.get(column.name, column.name)))
        return found

    def column(self, name: str) -> ColumnProfile:
        """One column's profile. Raises KeyError."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, ColumnProfile]:
        return {column.name: column for column in self.details}

    @property
    def words(self) -> str:
        """What the figures are of, as a sentence."""
        if self.exact:
            return f"Computed on all {self.rows:,} rows."
        return (
            f"Quick look at {self.rows_seen:,} of about {self.rows:,} rows: counts are scaled up to all "
            "rows; range, quantiles and different values are those of the rows looked at."
        )

    def to_json(self) -> str:
        """Text that `from_json` reads back."""
        columns = [{key: value for key, value in asdict(c).items() if value != {}} for c in self.details]
        record = {**self.__dict__, "details": columns, "format": FORMAT}
        kept = {key: value for key, value in record.items() if key not in ("columns", "_by_name")}
        return json.dumps(kept, allow_nan=False, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Profile":
        """The profile that `to_json` wrote. Raises ValueError for one of another format."""
        record = json.loads(text)
        if record.pop("format", None) != FORMAT:
            raise ValueError("a profile of another format")
        record["details"] = [ColumnProfile(**column) for column in record["details"]]
        return cls(**record)


def profile_table(
    worker: Worker,
    path: Path,
    columns: Sequence[tuple[str, str]],
    *,
    rows_total: int | None = None,
    progress: Progress | None = None,
    now: dt.datetime | None = None,
) -> Profile:
    """Profiles a Parquet file's columns (name, DuckDB type) in the locked worker.

    `rows_total`: the file is a sample of a table of about so many rows. Raises SandboxError.
    """
    made_at = (now or dt.datetime.now()).isoformat(timespec="seconds")
    found = worker.profile(path, columns, now=made_at, progress=progress)
    seen = int(found["rows"])
    details = [ColumnProfile(kind=kind_of(column["type"]), **column) for column in found["columns"]]
    profile = Profile(
        exact=rows_total is None,
        rows=seen if rows_total is None else max(seen, rows_total),
        rows_seen=seen,
        duplicates=found["duplicates"],
        details=details,
        correlations=found["relations"]["pairs"],
        correlation_rows=found["relations"]["rows"],
        gaps=found["gaps"],
        made_at=made_at,
    )
    return profile if profile.exact else _scaled(profile)


def _scaled(profile: Profile) -> Profile:
    """The counts of a sample as those of the whole table."""
    factor = profile.rows / profile.rows_seen if profile.rows_seen else 1.0

    def scale(count: int) -> int:
        return round(count * factor)

    def column(found: ColumnProfile) -> ColumnProfile:
        record = asdict(found)
        for name in COUNTS:
            record[name] = scale(record[name])
        for name in ("not_finite", "signs", "over"):
            record[name] = {key: scale(count) for key, count in record[name].items()}
        for name in ("top", "watched"):
            record[name] = [[value, scale(count)] for value, count in record[name]]
        if record["histogram"]:
            record["histogram"]["counts"] = [scale(count) for count in record["histogram"]["counts"]]
        for name in ("below", "above"):
            if name in record["outliers"]:
                record["outliers"][name] = scale(record["outliers"][name])
        counted = ("empty", "blank", "spaces", "numbers", "placeholders", "totals")
        record["text"] = {
            key: scale(value) if key in counted else value for key, value in record["text"].items()
        }
        return ColumnProfile(**record)

    return replace(
        profile,
        # Rows that are alike in the whole may be single ones in the sample.
        duplicates=None if profile.rows > profile.rows_seen else profile.duplicates,
        details=[column(found) for found in profile.details],
        gaps=[[*names, scale(rows), scale(gaps)] for *names, rows, gaps in profile.gaps],
    )


def read_profile(dataset: Dataset) -> Profile | None:
    """The dataset's stored profile; None if none was stored, or of another format."""
    try:
        return Profile.from_json(dataset.profile_path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def store_profile(dataset: Dataset, profile: Profile) -> None:
    """Puts the profile beside the dataset's table."""
    write_profile(dataset.profile_path, profile)


def write_profile(target: Path, profile: Profile) -> None:
    """Writes a profile in one move."""
    handle, name = tempfile.mkstemp(dir=target.parent, suffix=".profile")
    written = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(profile.to_json())
        written.replace(target)
    finally:
        written.unlink(missing_ok=True)


def ensure_profile(worker: Worker, dataset: Dataset, progress: Progress | None = None) -> Profile:
    """The stored profile, made and stored first if there is none. Raises SandboxError."""
    known = read_profile(dataset)
    if known is not None and known.exact:
        return known
    columns = [(column.name, column.type) for column in dataset.columns]
    profile = profile_table(worker, dataset.table_path, columns, progress=progress)
    store_profile(dataset, profile)
    return profile


def frequent_values(column: ColumnProfile) -> list[Any]:
    """The values that a column of few is said to have, most frequent first; without those that were cut."""
    ranked = sorted(column.top, key=lambda pair: (-pair[1], str(pair[0])))
    return [value for value, _ in ranked[:LISTED_VALUES] if len(str(value)) <= LONGEST]


def _info(column: ColumnProfile, values: list[Any], original: str) -> ColumnInfo:
    """A range with NaN or infinities in it has no end, as `analysis.engine.not_finite` expects."""
    ranged = column.kind in MIN_MAX_KINDS
    number = column.kind in ("integer", "number")
    odd = column.not_finite
    return ColumnInfo(
        name=column.name,
        type=column.type,
        kind=column.kind,
        missing=column.missing,
        distinct=column.distinct,
        min=column.min if ranged and "below" not in odd else None,
        max=column.max if ranged and not {"nan", "above"} & odd.keys() else None,
        mean=column.mean if number and not odd else None,
        values=values,
        original_name=original,
    )

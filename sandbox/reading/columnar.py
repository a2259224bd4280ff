"""Parquet files: read whole and written again, so that what the footer says is never taken for the data."""

from pathlib import Path

import duckdb

from sandbox.engine import literal
from sandbox.errors import Unreadable
from sandbox.reading.options import ReadOptions
from sandbox.reading.parts import Part
from sandbox.reading.relations import convert_relation, with_total
from sandbox.reading.writing import WITHOUT, Work, Written

DAMAGED = "The Parquet file is damaged ({0}). Write it again and upload that."
LIES = "The Parquet file is damaged: it says that it has {0:,} rows, and {1:,} could be read. Write it again."


def parts(work: Work, path: Path, options: ReadOptions) -> list[Part]:
    """The one table. Raises Unreadable."""
    return [Part(options.but(format="parquet"), rows=_rows(work, path))]


def convert(work: Work, path: Path, options: ReadOptions, target: Path) -> Written:
    """Writes the table. Raises Unreadable, also when the file contradicts itself."""
    said = _rows(work, path)
    # Its own statistics may be wrong, and would decide what is read.
    work.connection.execute(f"SET disabled_optimizers = '{WITHOUT},statistics_propagation'")
    try:
        relation = f"read_parquet({literal(str(path))})"
        written = convert_relation(
            work, relation, target, options.but(format="parquet"), originals=_names(work, path)
        )
    except duckdb.Error as error:
        raise Unreadable(DAMAGED.format(_reason(error))) from None
    if work.limit is not None:
        return with_total(written, said)
    if written.rows != said:
        raise Unreadable(LIES.format(said, written.rows))
    return written


def _rows(work: Work, path: Path) -> int:
    try:
        found = work.query(f"SELECT num_rows FROM parquet_file_metadata({literal(str(path))})")
    except duckdb.Error as error:
        raise Unreadable(DAMAGED.format(_reason(error))) from None
    return int(found[0][0])


def _names(work: Work, path: Path) -> list[str] | None:
    """Names as they stand in the file, which DuckDB makes unique; None where columns have columns inside."""
    rows = work.query(f"SELECT name, num_children FROM parquet_schema({literal(str(path))})")
    return [name for name, _ in rows[1:]] if len(rows) - 1 == rows[0][1] else None


def _reason(error: duckdb.Error) -> str:
    return (
        str(error).split("\n")[0].partition(": ")[2].split(" file ")[0].strip()[:200] or "it cannot be read"
    )

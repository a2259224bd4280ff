"""Tables that have types of their own: made plain, with what is only text looked at, and written."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sandbox.engine import quoted
from sandbox.reading.columns import Column, decide
from sandbox.reading.headers import renamed_note, unique_names
from sandbox.reading.options import ReadOptions
from sandbox.reading.writing import Work, Written, described, plain_columns, require_rows, write

MOMENTS = ("DATE", "TIMESTAMP", "TIME")
EMPTY_TABLE = "The table has no rows. Upload one with at least one row."


def convert_relation(
    work: Work,
    relation: str,
    target: Path,
    options: ReadOptions,
    *,
    originals: Sequence[str] | None = None,
    readings: Sequence[str] | None = (),
    decimals: Sequence[str] = (".", ","),
    notes: Sequence[str] = (),
    rejected: int = 0,
) -> Written:
    """Writes a relation; text is read as one of `readings` (None: of any type) where all of it fits.

    Raises Unreadable when it has no rows.
    """
    values, inner, said = plain_columns(work, relation)
    names = unique_names(originals if originals is not None else inner)
    listed = ", ".join(f"{value} AS {quoted(name)}" for value, name in zip(values, names, strict=True))
    work.connection.execute(f"CREATE OR REPLACE TEMP VIEW made_plain AS SELECT {listed} FROM {relation}")
    types = described(work, "made_plain")
    wanted = {name.lower() for name in options.types}
    texts = {
        name: quoted(name) if kind == "VARCHAR" else f"CAST({quoted(name)} AS VARCHAR)"
        for name, kind in types
        if name.lower() in wanted or (kind == "VARCHAR" and readings != ())
    }
    decided: dict[str, Column] = {}
    if texts:
        found = decide(work.connection, "made_plain", texts, options, decimals, readings=readings)
        decided = {column.name: column for column in found}
    selected = ", ".join(
        f"{decided[name].value() if name in decided else quoted(name)} AS {quoted(name)}" for name, _ in types
    )
    with work.watched(0.4, 0.95, "Converting to a columnar table"):
        rows = require_rows(write(work, f"SELECT {selected} FROM made_plain", target), EMPTY_TABLE)
    notes = [*notes, *said, *renamed_note(originals or inner, names)]
    notes += [note for column in decided.values() for note in column.notes]
    return Written(
        rows=rows,
        columns=[(name, decided[name].type if name in decided else kind) for name, kind in types],
        originals=list(originals or inner),
        notes=notes,
        options=options.to_json(),
        rejected_rows=rejected,
    )


def with_total(written: Written, total: int | None) -> Written:
    """With the rows of the whole table where only the first were read."""
    return replace(written, total=total)

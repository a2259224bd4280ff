"""Delimited text to Parquet, inside the worker, by options that were decided outside."""

from pathlib import Path
from typing import Any

import duckdb

from sandbox.engine import literal

MAX_LINE_BYTES = 64 * 1024 * 1024
EXAMPLES = 5


def convert(source: str, target: str, read: dict[str, Any], memory_mb: int) -> dict[str, Any]:
    """Writes `target` in one move; returns rows, columns, rejected rows with examples.

    `read`: delimiter, quote, escape, header (bool), skip (lines), names (columns in order), encoding
    (utf-8, latin-1 or utf-16), decimal, thousands, date_format, timestamp_format, all_text (bool).
    Types are found on all rows. A row that fits no reading is left out, counted and named.
    """
    connection = duckdb.connect(":memory:", config={"memory_limit": f"{memory_mb}MB"})
    temporary = Path(target).with_suffix(".part")
    try:
        connection.execute(f"CREATE TABLE incoming AS SELECT * FROM {reader(source, read)}")
        rejects = connection.execute(
            "SELECT line, min(error_message) FROM reject_errors GROUP BY line ORDER BY line"
        ).fetchall()
        columns = connection.execute("DESCRIBE incoming").fetchall()
        _, *rows = connection.execute("SELECT count(*), count(*) FROM incoming").fetchone() or (0, 0)
        temporary.parent.mkdir(parents=True, exist_ok=True)
        connection.execute(
            f"COPY incoming TO {literal(str(temporary))} (FORMAT parquet, COMPRESSION zstd)"
        )
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
        connection.close()
    return {
        "rows": rows[0],
        "columns": [[name, kind] for name, kind, *_ in columns],
        "rejected_rows": len(rejects),
        "examples": [[line, message.split("\n")[0]] for line, message in rejects[:EXAMPLES]],
    }


def reader(source: str, read: dict[str, Any]) -> str:
    """The read_csv call for these options."""
    options: dict[str, str] = {
        "auto_detect": "true",
        "sample_size": "-1",
        "null_padding": "true",
        "strict_mode": "false",
        "store_rejects": "true",
        "rejects_limit": "0",
        "max_line_size": str(MAX_LINE_BYTES),
        "buffer_size": str(MAX_LINE_BYTES * 2),
        "parallel": "false",
        "header": str(read["header"]).lower(),
        "skip": str(read["skip"]),
        "delim": literal(read["delimiter"]),
        "quote": literal(read["quote"]),
        "escape": literal(read["quote"]),
        "encoding": literal(read["encoding"]),
        "names": "[" + ", ".join(literal(name) for name in read["names"]) + "]",
    }
    if read["decimal"] != ".":
        options["decimal_separator"] = literal(read["decimal"])
    if read.get("thousands"):
        options["thousands"] = literal(read["thousands"])
    for name, option in (("date_format", "dateformat"), ("timestamp_format", "timestampformat")):
        if read.get(name):
            options[option] = literal(read[name])
    if read.get("text_columns"):
        typed = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in read["text_columns"])
        options["types"] = "{" + typed + "}"
    if read.get("all_text"):
        options["all_varchar"] = "true"
    arguments = ", ".join(f"{name} = {value}" for name, value in options.items())
    return f"read_csv({literal(source)}, {arguments})"



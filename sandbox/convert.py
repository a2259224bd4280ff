"""Delimited text to Parquet, inside the worker, by options that were decided outside."""

from pathlib import Path
from typing import Any

import duckdb
from duckdb import connect  # DuckDB's own, also where `sandbox.connections` stands in for it

from sandbox.engine import literal, quoted

MAX_LINE_BYTES = 32 * 1024 * 1024
EXAMPLES = 5
# A number with thousands separators, by decimal mark.
SEPARATED = {
    ".": r"\s*[-+]?\d{1,3}(,\d{3})*(\.\d+)?\s*",
    ",": r"\s*[-+]?\d{1,3}(\.\d{3})*(,\d+)?\s*",
}


def convert(source: str, target: str, read: dict[str, Any], memory_mb: int) -> dict[str, Any]:
    """Writes `target` in one move; returns rows, columns, rejected rows with examples.

    `read`: delimiter, quote, header (bool), skip (lines), names (columns in order), decimal, and
    all_text (bool). The source is UTF-8. Types are found on all rows. A row that fits no reading is
    left out, counted and named.
    """
    connection = connect(":memory:", config={"memory_limit": f"{memory_mb}MB"})
    temporary = Path(target).with_suffix(".part")
    try:
        rejects = load(connection, source, temporary, read)
        separated = read_separated(connection, read["decimal"])
        zoned = read_zoned(connection)
        not_numbers = clear_not_numbers(connection)
        columns = connection.execute("DESCRIBE incoming").fetchall()
        counted = connection.execute("SELECT count(*) FROM incoming").fetchone()
        temporary.parent.mkdir(parents=True, exist_ok=True)
        connection.execute(f"COPY incoming TO {literal(str(temporary))} (FORMAT parquet, COMPRESSION zstd)")
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
        connection.close()
    return {
        "rows": counted[0] if counted else 0,
        "columns": [[name, kind] for name, kind, *_ in columns],
        "separated": separated,
        "zoned": zoned,
        "not_numbers": not_numbers,
        "rejected_rows": len(rejects),
        "examples": [[line, message.split("\n")[0]] for line, message in rejects[:EXAMPLES]],
    }


def load(
    connection: duckdb.DuckDBPyConnection, source: str, temporary: Path, read: dict[str, Any]
) -> list[tuple[int, str]]:
    """Fills the table `incoming`; returns the rejected lines with why.

    DuckDB refuses to look for types in a file whose rows have too many fields. Such a file is read as
    text first, which leaves those rows out and names them, and the rest is read again with types.
    """
    try:
        connection.execute(f"CREATE TABLE incoming AS SELECT * FROM {reader(source, read)}")
        return rejected(connection)
    except duckdb.InvalidInputException:
        connection.execute(f"CREATE TABLE plain AS SELECT * FROM {text_reader(source, read)}")
    lines = rejected(connection)
    even = temporary.with_suffix(".even")
    try:
        connection.execute(f"COPY plain TO {literal(str(even))} (FORMAT csv, HEADER)")
        plain = read | {"delimiter": ",", "quote": '"', "skip": 0, "header": True}
        connection.execute(f"CREATE TABLE incoming AS SELECT * FROM {reader(str(even), plain)}")
    finally:
        even.unlink(missing_ok=True)
    return lines


def rejected(connection: duckdb.DuckDBPyConnection) -> list[tuple[int, str]]:
    """Line numbers and reasons of the rows that the last read left out."""
    return connection.execute(
        "SELECT line, min(error_message) FROM reject_errors GROUP BY line ORDER BY line"
    ).fetchall()


def text_reader(source: str, read: dict[str, Any]) -> str:
    """The read_csv call that takes every field as text and types nothing."""
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in read["names"])
    return (
        f"read_csv({literal(source)}, auto_detect = false, columns = {{{columns}}},"
        f" delim = {literal(read['delimiter'])}, quote = {literal(read['quote'])},"
        f" escape = {literal(read['quote'])}, header = {str(read['header']).lower()},"
        f" skip = {read['skip']}, null_padding = true, store_rejects = true,"
        f" rejects_limit = 0, max_line_size = {MAX_LINE_BYTES}, parallel = false)"
    )


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
        "parallel": "false",
        "header": str(read["header"]).lower(),
        "skip": str(read["skip"]),
        "delim": literal(read["delimiter"]),
        "quote": literal(read["quote"]),
        "escape": literal(read["quote"]),
        "names": "[" + ", ".join(literal(name) for name in read["names"]) + "]",
    }
    if read["decimal"] != ".":
        options["decimal_separator"] = literal(read["decimal"])
    if read.get("all_text"):
        options["all_varchar"] = "true"
    arguments = ", ".join(f"{name} = {value}" for name, value in options.items())
    return f"read_csv({literal(source)}, {arguments})"


def read_separated(connection: duckdb.DuckDBPyConnection, decimal: str) -> list[str]:
    """Makes numbers of text columns that hold only numbers, some with thousands separators."""
    pattern = literal(SEPARATED[decimal])
    thousands = literal("," if decimal == "." else ".")
    changed = []
    for name, kind, *_ in connection.execute("DESCRIBE incoming").fetchall():
        column = quoted(name)
        if kind != "VARCHAR":
            continue
        row = connection.execute(
            f"SELECT bool_and(regexp_full_match({column}, {pattern})),"
            f" bool_or(contains({column}, {thousands})),"
            f" bool_or(regexp_full_match({column}, '0\\d+')) FROM incoming WHERE {column} <> ''"
        ).fetchone()
        if row and row[0] and row[1] and not row[2]:
            number = f"replace({column}, {thousands}, '')"
            if decimal == ",":
                number = f"replace({number}, ',', '.')"
            connection.execute(
                f"ALTER TABLE incoming ALTER {column} TYPE DOUBLE"
                f" USING CAST(nullif(trim({number}), '') AS DOUBLE)"
            )
            changed.append(name)
    return changed


def read_zoned(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Makes plain UTC times of times with a zone, which would else be shown in the server's zone."""
    changed = []
    for name, kind, *_ in connection.execute("DESCRIBE incoming").fetchall():
        if kind == "TIMESTAMP WITH TIME ZONE":
            column = quoted(name)
            connection.execute(
                f"ALTER TABLE incoming ALTER {column} TYPE TIMESTAMP USING {column} AT TIME ZONE 'UTC'"
            )
            changed.append(name)
    return changed


def clear_not_numbers(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Makes gaps of what a file calls nan, as every reader of CSV does."""
    changed = []
    for name, kind, *_ in connection.execute("DESCRIBE incoming").fetchall():
        column = quoted(name)
        if kind not in ("DOUBLE", "FLOAT"):
            continue
        found = connection.execute(f"SELECT bool_or(isnan({column})) FROM incoming").fetchone()
        if found and found[0]:
            connection.execute(f"UPDATE incoming SET {column} = NULL WHERE isnan({column})")
            changed.append(name)
    return changed

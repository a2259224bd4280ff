"""A SELECT over the datasets to a Parquet file, in a process that may write one folder and nothing else."""

from pathlib import Path
from typing import Any

from sandbox.engine import Engine, literal
from sandbox.gate import check

ROW_GROUP = 122_880


def save(sql: str, tables: dict[str, str], target: str, memory_mb: int, threads: int) -> dict[str, Any]:
    """Writes the rows of one reading statement in their order; returns how many, and the columns.

    What does not fit in memory goes to the target's folder. Raises QueryFailed for a statement that does
    more than read `tables`.
    """
    connection = Engine(memory_mb, threads).open(tables, write=target, spill=str(Path(target).parent))
    check(connection, sql, tables)
    # The line break ends a comment that the statement may end with.
    statement = sql.strip().rstrip(";")
    connection.execute(
        f"COPY ({statement}\n) TO {literal(target)}"
        f" (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP})"
    )
    written = f"read_parquet({literal(target)})"
    counted = connection.execute(f"SELECT count(*) FROM {written}").fetchone()
    columns = connection.execute(f"DESCRIBE SELECT * FROM {written}").fetchall()
    connection.close()
    return {
        "rows": counted[0] if counted else 0,
        "columns": [[name, kind] for name, kind, *_ in columns],
    }

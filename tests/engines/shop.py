"""One table of 20,000 invented orders with gaps, and how it gets into each engine."""

import sqlite3
from pathlib import Path

import duckdb
import psycopg

from analysis.column_profile import profile_columns
from sandbox.client import Worker
from storage.datasets import Dataset
from storage.store import Store

ROWS = 20_000
SQL = f"""
SELECT
  i::BIGINT AS id,
  CASE WHEN i % 41 = 0 THEN NULL ELSE ['Berlin', 'Paris', 'Rome', 'berlin', 'Łódź', 'O''Hare 50%_'][i % 6 + 1]
  END AS city,
  ['new', 'regular', 'vip'][i * i % 7 % 3 + 1] AS segment,
  CASE WHEN i % 29 = 0 THEN NULL
       ELSE round(20 + 15 * sin(i * 0.7) + (i * 7919 % 1000) / 37.0 + if(i % 997 = 0, 400, 0), 2)
  END AS amount,
  CASE WHEN i % 53 = 0 THEN NULL ELSE (i * 31 % 11)::INTEGER END AS units,
  CASE WHEN i % 31 = 0 THEN 'NaN'::DOUBLE WHEN i % 37 = 0 THEN NULL
       ELSE (i * 31 % 11) * 2.5 + (i * 104729 % 997) / 100.0 END AS score,
  (i * 613 % 100000 / 100.0)::DECIMAL(10, 2) AS price,
  CASE WHEN i % 61 = 0 THEN NULL ELSE DATE '2023-01-02' + (i * 13 % 420)::INTEGER END AS ordered,
  TIMESTAMP '2024-02-26 00:30:00' + to_minutes(i * 37 % 9000) AS at,
  CASE WHEN i % 43 = 0 THEN NULL ELSE i % 3 = 0 END AS active
FROM range(1, {ROWS} + 1) t(i)
WHERE i * 13 % 420 NOT BETWEEN 200 AND 240
"""
TYPES = {
    "id": "BIGINT", "city": "TEXT", "segment": "TEXT", "amount": "DOUBLE PRECISION", "units": "INTEGER",
    "score": "DOUBLE PRECISION", "price": "DECIMAL(10, 2)", "ordered": "DATE", "at": "TIMESTAMP",
    "active": "BOOLEAN",
}  # fmt: skip
CREATE = "CREATE TABLE orders (" + ", ".join(f'"{name}" {kind}' for name, kind in TYPES.items()) + ")"


def parquet(folder: Path) -> Path:
    """The table as a Parquet file."""
    path = folder / "orders.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({SQL}) TO '{path}' (FORMAT parquet)")
    return path


def rows(path: Path) -> list[tuple[object, ...]]:
    """The rows of the Parquet file."""
    with duckdb.connect() as connection:
        return connection.execute(f"FROM '{path}'").fetchall()


def local(store: Store, worker: Worker, path: Path) -> Dataset:
    """The table as an uploaded dataset."""
    target = store.datasets.table_path("0" * 64, "key")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(path.read_bytes())
    with duckdb.connect() as connection:
        described = connection.execute(f"DESCRIBE FROM '{path}'").fetchall()
    count = len(rows(path))
    columns = profile_columns(worker, target, count, [(row[0], row[1]) for row in described], {})
    return store.datasets.register(
        user_id="ann", name="orders", sha256="0" * 64, options_key="key", file_name="orders.parquet",
        rows=count, columns=columns, byte_size=1, notes=[], read_options={}, rejected_rows=0,
    )  # fmt: skip


def into_postgres(url: str, path: Path) -> None:
    """Makes the table in a PostgreSQL database."""
    names = ", ".join(f'"{name}"' for name in TYPES)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(CREATE.encode())
        with connection.cursor().copy(f"COPY orders ({names}) FROM STDIN".encode()) as copy:
            for row in rows(path):
                copy.write_row(row)


def into_sqlite(target: Path, path: Path) -> None:
    """Makes the table in an SQLite file."""
    with sqlite3.connect(target) as connection:
        connection.execute(CREATE)
        values = [[_sqlite(value) for value in row] for row in rows(path)]
        connection.executemany(f"INSERT INTO orders VALUES ({', '.join('?' * len(TYPES))})", values)
    connection.close()


def into_duckdb(target: Path, path: Path) -> None:
    """Makes the table in a DuckDB file."""
    with duckdb.connect(str(target)) as connection:
        connection.execute(f"CREATE TABLE orders AS FROM '{path}'")


def _sqlite(value: object) -> object:
    if hasattr(value, "isoformat"):
        return value.isoformat(sep=" ") if hasattr(value, "hour") else value.isoformat()
    return value if value is None or isinstance(value, (bool, int, float, str)) else float(str(value))

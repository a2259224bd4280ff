"""A CSV of orders of any length: twelve mixed columns, about 105 bytes a row, the same bytes each time."""

import sys
from pathlib import Path

import duckdb

COLUMNS = """
    i AS order_id,
    TIMESTAMP '2022-01-01' + INTERVAL (i * 9 + h % 9) SECOND AS ordered_at,
    DATE '2022-01-01' + CAST((i * 9) // 86400 + 1 + h % 14 AS INTEGER) AS shipped_on,
    ['North', 'South', 'East', 'West', 'Centre'][1 + h % 5] AS region,
    'P-' || lpad(CAST(h // 7 % 20000 AS VARCHAR), 5, '0') AS product,
    CASE h // 11 % 20 WHEN 0 THEN 'Ann said "fine", twice' WHEN 1 THEN 'left, then right'
        ELSE 'note ' || CAST(h % 1000003 AS VARCHAR) || ' of the customer' END AS remark,
    CAST(1 + h // 13 % 12 AS INTEGER) AS quantity,
    CAST((h // 17 % 100000) / 100 AS DECIMAL(9, 2)) AS price,
    CASE WHEN h // 19 % 25 = 0 THEN NULL ELSE (h // 23 % 1000000007) / 1e9 END AS score,
    CASE WHEN h // 29 % 10 = 0 THEN NULL ELSE CAST(h // 31 % 5 + 1 AS INTEGER) END AS rating,
    h // 37 % 3 = 0 AS returned,
    printf('%05d', CAST(h // 41 % 99999 AS INTEGER)) AS postcode
"""


def write_big_csv(path: Path, rows: int = 10_000_000) -> None:
    """Writes `rows` rows and a header; ten million are one gigabyte and take some seconds."""
    text = str(path).replace("'", "''")
    with duckdb.connect() as connection:
        # The h is the same for each i in every version of DuckDB, unlike its hash().
        connection.execute(
            f"COPY (SELECT {COLUMNS} FROM (SELECT i, (i * 2654435761 + 12345) % 4294967291 AS h"
            f" FROM range(1, {rows} + 1) AS numbers(i))) TO '{text}' (FORMAT csv, HEADER)"
        )


if __name__ == "__main__":
    write_big_csv(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 10_000_000)

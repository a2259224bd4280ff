"""A dataset as CSV text, for a service that takes files: written in the worker from the Parquet copy.

Every value is DuckDB's own text for it, so whole numbers stay whole beside gaps and no digit is lost.
"""

import json
from typing import Any

from analysis.engine import require_here
from analysis.errors import BadQuery, LimitExceeded
from sandbox import errors as sandbox_errors
from sandbox.client import Worker
from storage.datasets import Dataset

# A batch is small, so that a table far beyond the limit is given up early.
PROGRAM = """\
import csv, io, json

about = json.loads({about!r})
found = con.execute('SELECT COLUMNS(*)::VARCHAR FROM "' + about["table"].replace('"', '""') + '"')
text, rows = io.StringIO(), 0
writer = csv.writer(text, lineterminator="\\n")
writer.writerow(about["columns"])
while text.tell() <= about["limit"] and (batch := found.fetchmany(2_000)):
    writer.writerows(batch)
    rows += len(batch)
size = len(text.getvalue().encode())
fits = size <= about["limit"]
output = {{"rows": rows, "size": size, "csv": text.getvalue() if fits else ""}}
"""


class TooLargeAsCsv(Exception):
    """The table has more bytes as CSV than the limit given."""

    def __init__(self, size: int) -> None:
        super().__init__(f"about {size / 1e6:,.1f} MB")
        self.size = size
        """About how many bytes it has; nothing beyond the limit was written."""


def as_csv(worker: Worker, dataset: Dataset, limit: int) -> bytes:
    """All rows with a line of names before them, in UTF-8.

    Raises TooLargeAsCsv when that is more than `limit` bytes, BadQuery, LimitExceeded and ElsewhereOnly.
    """
    require_here([dataset])
    about = {
        "table": dataset.name,
        "columns": [column.name for column in dataset.columns],
        "limit": limit,
    }
    code = PROGRAM.format(about=json.dumps(about))
    try:
        values = worker.program(code, {dataset.name: dataset.table_path}).values
    except (sandbox_errors.ProgramFailed, sandbox_errors.QueryFailed) as error:
        raise BadQuery(f"The table could not be written as CSV: {error}") from error
    except sandbox_errors.SandboxError as error:
        raise LimitExceeded(str(error)) from error
    return _checked(values, dataset.rows, limit)


def _checked(values: dict[str, Any], rows: int, limit: int) -> bytes:
    written, size = int(values["rows"]), int(values["size"])
    if size > limit:
        raise TooLargeAsCsv(round(size * max(rows, written) / max(written, 1)))
    return str(values["csv"]).encode()

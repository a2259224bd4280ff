"""A result as a model reads it, as a table for the page, and as text for an artifact."""

from typing import TYPE_CHECKING, Any

from analysis.engine import result_table
from storage.jsonsafe import to_json_safe
from storage.results import Result

if TYPE_CHECKING:
    import pandas as pd

MODEL_ROWS = 50
MODEL_COLUMNS = 40
CELL_LENGTH = 200


def frame(result: Result) -> "pd.DataFrame":
    """The result's table as a DataFrame."""
    return result_table(result).to_pandas()


def to_model(result: Result, max_rows: int = MODEL_ROWS) -> dict[str, Any]:
    """What a tool returns: JSON, short, and plain about what is not shown.

    At most `max_rows` rows, 40 columns and 200 characters a cell; `row_count` is exact.
    """
    table = result_table(result)
    rows = [[_cell(value) for value in row[:MODEL_COLUMNS]] for row in to_json_safe(table.rows[:max_rows])]
    notes, more = result.notes, len(table.columns) - MODEL_COLUMNS
    if more > 0:
        notes = [*notes, f"{more:,} more column(s) are not listed here."]
    return {
        "status": "ok",
        "result_id": result.id,
        "title": result.title,
        "kind": result.kind,
        "columns": table.names[:MODEL_COLUMNS],
        "rows": rows,
        "row_count": table.row_count,
        "rows_shown": len(rows),
        "rows_used": result.rows_used,
        "rows_total": result.rows_total,
        "notes": notes,
        "facts": result.facts,
    }


def _cell(value: Any) -> Any:
    if isinstance(value, str) and len(value) > CELL_LENGTH:
        return value[:CELL_LENGTH] + "…"
    return value

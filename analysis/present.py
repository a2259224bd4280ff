"""A result as a model reads it, and as a table for the page."""

from typing import TYPE_CHECKING, Any

from analysis.engine import result_table
from storage.jsonsafe import to_json_safe
from storage.results import Result

if TYPE_CHECKING:
    import pandas as pd

MODEL_ROWS = 50
MODEL_COLUMNS = 40
CELL_LENGTH = 200
MODEL_TRACES = 20
TEXT_LENGTH = 4_000


def frame(result: Result) -> "pd.DataFrame":
    """The result's table as a DataFrame. Raises NoTable."""
    return result_table(result).to_pandas()


def to_model(result: Result, max_rows: int = MODEL_ROWS) -> dict[str, Any]:
    """What a tool returns: JSON, short, and plain about what is not shown.

    At most `max_rows` rows, 40 columns and 200 characters a cell; `row_count` is exact. Of a result without
    a table, what it is instead of its data.
    """
    if "table" not in result.output:
        return _without_table(result)
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


def _without_table(result: Result) -> dict[str, Any]:
    output = result.output
    about: dict[str, Any] = {}
    if "figure" in output:
        about = {"drawn": _traces(output["figure"])}
    elif "text" in output:
        about = {"text": shortened(output["text"], TEXT_LENGTH)}
    elif "name" in output:
        about = {name: output[name] for name in ("name", "size", "mime")}
    known = {"status": result.status, "result_id": result.id, "title": result.title, "kind": result.kind}
    return known | about | {"notes": result.notes}


def _traces(figure: dict[str, Any]) -> list[dict[str, Any]]:
    """Type and name of what a figure shows."""
    traces = [trace for trace in figure.get("data") or [] if isinstance(trace, dict)]
    return [
        {"type": str(trace.get("type", "scatter")), "name": _cell(str(trace.get("name") or ""))}
        for trace in traces[:MODEL_TRACES]
    ]


def shortened(text: str, length: int) -> str:
    """The text, or its beginning and end with what is left out between them."""
    if len(text) <= length:
        return text
    half = length // 2
    return f"{text[:half]}\n[{len(text) - 2 * half:,} characters are left out here]\n{text[-half:]}"


def _cell(value: Any) -> Any:
    if isinstance(value, str) and len(value) > CELL_LENGTH:
        return value[:CELL_LENGTH] + "…"
    return value

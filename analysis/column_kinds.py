"""What kinds of columns there are, by DuckDB's types, and how a column is named in SQL."""

from sandbox.table import base_type

LISTED_VALUES = 30
FEW_DISTINCT = 200
COLUMNS_WITH_VALUES = 300
KINDS = {
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMP": "datetime",
    "TIMESTAMP WITH TIME ZONE": "datetime",
    "TIME": "time",
    "VARCHAR": "text",
    "DOUBLE": "number",
    "FLOAT": "number",
    "DECIMAL": "number",
}
MIN_MAX_KINDS = ("integer", "number", "date", "datetime", "time")
VALUE_KINDS = ("text", "boolean", "integer")


def kind_of(type_name: str) -> str:
    """integer, number, text, date, datetime, time, boolean or other."""
    base = base_type(type_name)
    return KINDS.get(base, "integer" if base.endswith("INT") or base == "INTEGER" else "other")


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'

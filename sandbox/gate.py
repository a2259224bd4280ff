"""Only a single reading statement passes: judged on DuckDB's own parse tree, never on the text.

DuckDB calls `WITH a AS (COPY ... TO ...) SELECT 1` a SELECT, and it writes; so the statement's type is
not enough, and every node of the tree has to be one that only reads.
"""

import json
from typing import Any

import duckdb

from sandbox.errors import QueryFailed

READING_NODES = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
TABLE_FUNCTIONS = {"unnest", "range", "generate_series"}
REFUSED = "Only a single SELECT over the datasets is allowed."


def check(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Raises QueryFailed unless `sql` is one statement that only reads the registered tables."""
    row = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchone()
    tree: dict[str, Any] = json.loads(row[0]) if row else {"error": True}
    if tree.get("error"):
        message = str(tree.get("error_message", ""))
        if "Only SELECT statements" in message or not message:
            raise QueryFailed(REFUSED)
        raise QueryFailed(message)
    if len(tree["statements"]) != 1:
        raise QueryFailed(f"{REFUSED} Here are {len(tree['statements'])}.")
    pending: list[Any] = [tree["statements"]]
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, dict):
            _check_node(item)
            pending.extend(item.values())


def _check_node(node: dict[str, Any]) -> None:
    kind = node.get("type")
    if isinstance(kind, str) and kind.endswith("_NODE") and kind not in READING_NODES:
        raise QueryFailed(REFUSED)
    if kind == "TABLE_FUNCTION":
        name = str(node.get("function", {}).get("function_name", "")).lower()
        if name not in TABLE_FUNCTIONS:
            raise QueryFailed(f"{REFUSED} The table function {name} is not available.")

"""Only a single reading statement passes: judged on DuckDB's own parse tree, never on the text.

DuckDB calls `WITH a AS (COPY ... TO ...) SELECT 1` a SELECT, and it writes; so the statement's type is
not enough: every node of the tree has to be one that only reads, and every table one of the datasets
(DuckDB's own catalog would show where the files lie).
"""

import json
from collections.abc import Collection, Iterator
from typing import Any

import duckdb

from sandbox.errors import QueryFailed

READING_NODES = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
TABLE_FUNCTIONS = {"unnest", "range", "generate_series"}
REFUSED_FUNCTIONS = {"current_setting", "write_log", "nextval", "sleep_ms", "pg_sleep"}
REFUSED = "Only a single SELECT over the datasets is allowed."


def check(connection: duckdb.DuckDBPyConnection, sql: str, tables: Collection[str]) -> None:
    """Raises QueryFailed unless `sql` is one statement that only reads `tables`."""
    row = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchone()
    tree: dict[str, Any] = json.loads(row[0]) if row else {"error": True}
    if tree.get("error"):
        message = str(tree.get("error_message", ""))
        if "Only SELECT statements" in message or not message:
            raise QueryFailed(REFUSED)
        raise QueryFailed(message)
    if len(tree["statements"]) != 1:
        raise QueryFailed(f"{REFUSED} Here are {len(tree['statements'])}.")
    nodes = list(_nodes(tree["statements"]))
    named = {str(entry["key"]).lower() for node in nodes for entry in node.get("cte_map", {}).get("map", [])}
    readable = {name.lower() for name in tables} | named
    for node in nodes:
        _check_node(node, readable, tables)


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    pending = [tree]
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, dict):
            yield item
            pending.extend(item.values())


def _check_node(node: dict[str, Any], readable: set[str], tables: Collection[str]) -> None:
    kind = node.get("type")
    if isinstance(kind, str) and kind.endswith("_NODE") and kind not in READING_NODES:
        raise QueryFailed(REFUSED)
    if kind == "TABLE_FUNCTION":
        name = str(node.get("function", {}).get("function_name", "")).lower()
        if name not in TABLE_FUNCTIONS:
            raise QueryFailed(f"{REFUSED} The table function {name} is not available.")
    if kind == "FUNCTION" and str(node["function_name"]).lower() in REFUSED_FUNCTIONS:
        raise QueryFailed(f"{REFUSED} The function {node['function_name']} is not available.")
    if kind == "BASE_TABLE" and not _is_readable(node, readable):
        known = ", ".join(tables) or "none"
        raise QueryFailed(f"There is no table {node['table_name']}. The datasets here are: {known}.")


def _is_readable(node: dict[str, Any], readable: set[str]) -> bool:
    outside = node.get("schema_name") not in ("", "main") or node.get("catalog_name") not in ("", "memory")
    return not outside and str(node["table_name"]).lower() in readable

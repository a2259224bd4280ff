"""The record behind every number, table and chart."""

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

from storage.conversations import session_key
from storage.database import Connection, Database
from storage.keys import SessionKey

OF_SESSION = "s.user_id = ? AND s.app_name = ? AND s.id = ?"
RUN_PYTHON = "run_python"
"""The tool whose results are outputs of somebody's Python."""


@dataclass(frozen=True)
class InputRef:
    """The exact data that a result was computed from."""

    dataset: str
    version: int
    sha256: str


@dataclass(frozen=True)
class Result:
    """What was computed, from what, by which code."""

    id: str
    key: SessionKey
    invocation_id: str
    kind: str
    """value (one row), table, figure or model; image, text or file of somebody's Python."""
    title: str
    tool: str
    arguments: dict[str, Any]
    language: str
    """sql or python."""
    code: str
    code_sha256: str
    inputs: list[InputRef]
    output: dict[str, Any]
    """{"table": typed table}; a figure has besides "figure" (Plotly JSON) and "alt" (its text).

    Of somebody's Python, a figure has no table; an image has "png" (base64) and "alt", a text "text", a file
    "name", "artifact", "version", "size" (bytes) and "mime". The first output of a run has besides "printed"
    if something was; one that failed has "failure".
    """
    parents: list[str] = field(default_factory=list)
    engine: dict[str, str] = field(default_factory=dict)
    """Names of the engines with their versions."""
    rows_used: int | None = None
    rows_total: int | None = None
    notes: list[str] = field(default_factory=list)
    """What a reader must know: rows left out and why, ties, limits."""
    facts: dict[str, Any] = field(default_factory=dict)
    """Key numbers by name, JSON-safe."""
    status: str = "ok"
    duration: float = 0.0
    """Seconds."""
    created_at: float = 0.0
    """Unix seconds."""


@dataclass(frozen=True)
class Run:
    """A run of somebody's Python that ended well."""

    id: str
    code: str


class Results:
    """Stored results; they are written once and deleted with their session."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, result: Result) -> None:
        """Stores a new result."""
        fields = {f.name: getattr(result, f.name) for f in dataclasses.fields(result)}
        del fields["key"]
        fields["inputs"] = [dataclasses.asdict(ref) for ref in result.inputs]
        record = json.dumps(fields, allow_nan=False)

        def insert(connection: Connection) -> None:
            row_key = session_key(connection, result.key)
            connection.execute(
                "INSERT INTO results (id, session_key, position, invocation_id, kind, created_at,"
                " record, run_id, run_code) VALUES (?, ?, (SELECT coalesce(max(position), 0) + 1 FROM results"
                " WHERE session_key = ?), ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
                (
                    result.id,
                    row_key,
                    row_key,
                    result.invocation_id,
                    result.kind,
                    result.created_at,
                    record,
                    *run_columns(fields),
                ),
            )

        self._database.write(insert, user=result.key.user_id, patient=True)

    def get(self, user_id: str, result_id: str) -> Result | None:
        """One of the user's results by its id."""
        found = self._select("s.user_id = ? AND r.id = ?", (user_id, result_id))
        return found[0] if found else None

    def for_session(self, key: SessionKey) -> list[Result]:
        """All results of a session, oldest first."""
        return self._select(OF_SESSION, _values(key))

    def models(self, key: SessionKey) -> list[Result]:
        """The trained models of a session, oldest first."""
        return self._select(f"{OF_SESSION} AND r.kind = 'model'", _values(key))

    def for_invocation(self, key: SessionKey, invocation_id: str) -> list[Result]:
        """The results of one turn, oldest first."""
        return self._select(
            f"{OF_SESSION} AND r.invocation_id = ?",
            (*_values(key), invocation_id),
        )

    def runs(self, key: SessionKey) -> list[Run]:
        """A session's runs of Python that ended well, oldest first."""
        rows = self._database.read(
            lambda c: c.execute(
                "SELECT r.run_id, r.run_code FROM results r JOIN adk_sessions s ON s.key = r.session_key"
                f" WHERE {OF_SESSION} AND r.run_id IS NOT NULL AND r.run_code IS NOT NULL"
                " ORDER BY r.position",
                _values(key),
            ).fetchall(),
            user=key.user_id,
        )
        return [Run(row["run_id"], row["run_code"]) for row in rows]

    def failed_runs(self, key: SessionKey, invocation_id: str) -> int:
        """How many runs of Python failed in one turn."""
        count: int = self._database.read(
            lambda c: c.execute(
                "SELECT count(DISTINCT r.run_id) - count(r.run_code) FROM results r"
                " JOIN adk_sessions s ON s.key = r.session_key"
                f" WHERE {OF_SESSION} AND r.run_id IS NOT NULL AND r.invocation_id = ?",
                (*_values(key), invocation_id),
            ).fetchone()[0],
            user=key.user_id,
        )
        return count

    def last(self, key: SessionKey) -> Result | None:
        """The newest result of a session that has a table."""
        found = self._select(
            f"{OF_SESSION} AND (r.kind IN ('value', 'table') OR r.kind = 'figure' AND r.run_id IS NULL)",
            _values(key),
            "ORDER BY r.position DESC LIMIT 1",
        )
        return found[0] if found else None

    def _select(
        self, where: str, values: tuple[str, ...], order: str = "ORDER BY r.position"
    ) -> list[Result]:
        rows = self._database.read(
            lambda c: c.execute(
                "SELECT r.record, s.app_name, s.user_id, s.id FROM results r"
                f" JOIN adk_sessions s ON s.key = r.session_key WHERE {where} {order}",
                values,
            ).fetchall(),
            user=values[0],
        )
        return [_result(row) for row in rows]


def run_columns(record: dict[str, Any]) -> tuple[str | None, str | None]:
    """`run_id` and `run_code` of a result's row."""
    arguments = record["arguments"]
    if record["tool"] != RUN_PYTHON or not isinstance(arguments.get("run"), str):
        return None, None
    first = arguments.get("position") == 0 and record["status"] == "ok"
    return arguments["run"], record["code"] if first else None


def _values(key: SessionKey) -> tuple[str, str, str]:
    return key.user_id, key.app_name, key.session_id


def _result(row: Any) -> Result:
    fields = json.loads(row["record"])
    fields["inputs"] = [InputRef(**ref) for ref in fields["inputs"]]
    return Result(key=SessionKey(row["app_name"], row["user_id"], row["id"]), **fields)

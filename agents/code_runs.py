"""One run of somebody's Python in the conversation's notebook: run, stored as results, told to the model.

The tool, the code executor, the environment and "Edit and run" all come here, so that a run is the same
whoever wrote its code. The recorded code is also the memory: a notebook in a new process is rebuilt from it.
"""

import ast
import hashlib
import json
import re
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any

from agents.artifacts import Artifact, csv_of
from agents.outputs_of_code import as_output
from agents.workspace import Workspace
from analysis.present import MODEL_ROWS, shortened, to_model
from sandbox import errors
from sandbox.live_notebook import Cell
from sandbox.outcome import Failure, RunOutcome
from storage.datasets import Dataset
from storage.jsonsafe import to_json_safe
from storage.keys import SessionKey
from storage.results import RUN_PYTHON, InputRef, Result

MAX_FAILURES = 3
"""Failed runs that one answer may have."""
TITLE_LENGTH = 60
PRINTED_CHARACTERS = 100_000
PRINTED_TO_MODEL = 4_000
TRACE_TO_MODEL = 2_000
ENGINES = ("duckdb", "pandas", "numpy", "plotly")
# Names by which code has every dataset.
ALL_DATASETS = ("con", "tables")
CURRENT_DATASET = "df"
GIVE_UP = (
    f"The code of this answer failed {MAX_FAILURES} times, and no more is run. Say plainly that it failed and"
    " with which error. State no numbers that it should have given."
)


class NoAttemptsLeft(Exception):
    """Too many runs of this answer failed; the message tells the model what to do."""


@dataclass(frozen=True)
class CodeRun:
    """A run that was stored: its results, in order, and the files to keep for them."""

    id: str
    outcome: RunOutcome
    results: list[Result]
    artifacts: list[Artifact]


def run_code(
    place: Workspace,
    key: SessionKey,
    code: str,
    *,
    invocation_id: str,
    title: str = "",
    parents: Sequence[str] = (),
    limited: bool = True,
    timeout: float | None = None,
) -> CodeRun:
    """Runs the code and stores what it gave; blocks. One run of a session at a time.

    Code that fails, or is ended because it takes too much, gives one failed result. Raises NoAttemptsLeft
    if `limited`, WorkerStopped when somebody stopped it, IsolationMissing where code cannot be run safely,
    and StorageError; nothing is stored then.
    """
    results = place.store.results
    if limited and results.failed_runs(key, invocation_id) >= MAX_FAILURES:
        raise NoAttemptsLeft(GIVE_UP)
    # Code finds what is here; tables of other engines are for the other tools.
    datasets = [dataset for dataset in place.store.datasets.for_session(key) if not dataset.source]
    history = [Cell(run.id, run.code) for run in results.runs(key)]
    run_id, started = uuid.uuid4().hex, time.perf_counter()
    try:
        outcome = place.pool.worker(key.session_id).run(
            code,
            {dataset.name: dataset.table_path for dataset in datasets if dataset.state == "ready"},
            history=history,
            cell_id=run_id,
            timeout=min(timeout or place.settings.code_timeout_seconds, place.settings.code_timeout_seconds),
        )
    except (errors.WorkerStopped, errors.IsolationMissing):
        raise
    except errors.SandboxError as error:
        outcome = RunOutcome(
            outputs=[],
            failure=Failure(type(error).__name__, str(error)),
            duration=time.perf_counter() - started,
        )
    maker = _Maker(key, invocation_id, run_id, code, title, datasets, list(parents), outcome)
    made = CodeRun(run_id, outcome, *maker.make())
    for result in made.results:
        results.save(result)
    return made


@dataclass(frozen=True)
class _Maker:
    """Turns an outcome into results."""

    key: SessionKey
    invocation_id: str
    run_id: str
    code: str
    title: str
    datasets: list[Dataset]
    parents: list[str]
    outcome: RunOutcome

    def make(self) -> tuple[list[Result], list[Artifact]]:
        outcome = self.outcome
        printed = {"printed": outcome.printed[-PRINTED_CHARACTERS:]} if outcome.printed else {}
        if outcome.failure is not None:
            failure = {"failure": to_json_safe(outcome.failure)}
            output = {"text": "", "printed": "", **printed, **failure}
            return [self._result("text", self._title(""), output, 0, 1, status="failed")], []
        results: list[Result] = []
        artifacts: list[Artifact] = []
        for position, given in enumerate(outcome.outputs):
            kind, output, artifact = as_output(given, f"run-{self.run_id}/{position}")
            artifacts += [artifact] if artifact else []
            result = self._result(
                kind,
                self._title(getattr(given, "title", "") or output.get("name", "")),
                output | (printed if position == 0 else {}),
                position,
                len(outcome.outputs),
            )
            artifacts += [csv_of(result)] if kind in ("table", "value") else []
            results.append(result)
        if not results:
            results.append(self._result("text", self._title(""), {"text": ""} | printed, 0, 1))
        return results, artifacts

    def _title(self, given: str) -> str:
        return " ".join((given or self.title or first_line(self.code)).split())[:200]

    def _result(
        self, kind: str, title: str, output: dict[str, Any], position: int, count: int, status: str = "ok"
    ) -> Result:
        outcome = self.outcome
        return Result(
            id=uuid.uuid4().hex,
            key=self.key,
            invocation_id=self.invocation_id,
            kind=kind,
            title=title,
            tool=RUN_PYTHON,
            arguments={
                "run": self.run_id, "position": position, "count": count, "rebuilt": outcome.rebuilt,
            },
            language="python",
            code=self.code,
            code_sha256=hashlib.sha256(self.code.encode("utf-8", "replace")).hexdigest(),
            inputs=[InputRef(d.name, d.version, d.sha256) for d in named(self.code, self.datasets)],
            output=to_json_safe(output),
            parents=self.parents,
            engine=engine_versions(),
            notes=_notes(outcome, output) if position == 0 else _notes(None, output),
            status=status,
            duration=outcome.duration,
            created_at=time.time(),
        )  # fmt: skip


def _notes(outcome: RunOutcome | None, output: dict[str, Any]) -> list[str]:
    notes: list[str] = []
    table = output.get("table")
    if table and table["truncated"]:
        notes.append(f"The first {len(table['rows']):,} of {table['row_count']:,} rows are kept.")
    if outcome is None:
        return notes
    if outcome.rebuilt:
        runs = "1 earlier run was" if outcome.rebuilt == 1 else f"{outcome.rebuilt} earlier runs were"
        notes.append(f"The variables were gone, so {runs} run again first.")
    return [*notes, *outcome.notes]


def named(code: str, datasets: Sequence[Dataset]) -> list[Dataset]:
    """The datasets that the code names; all of them with the connection to all."""
    try:
        names = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        names = set(re.findall(r"\w+", code))
    if names.intersection(ALL_DATASETS):
        return list(datasets)
    return [
        dataset
        for dataset in datasets
        if dataset.name in names or (CURRENT_DATASET in names and dataset is datasets[-1])
    ]


def first_line(code: str) -> str:
    """A name for code that nobody named: its first line that says something."""
    lines = (line.strip().lstrip("#").strip() for line in code.splitlines())
    line = next((line for line in lines if line and not line.startswith(("import ", "from "))), "Python")
    return line if len(line) <= TITLE_LENGTH else line[: TITLE_LENGTH - 1] + "…"


@cache
def engine_versions() -> dict[str, str]:
    """What code runs on."""
    return {name: version(name) for name in ENGINES}


def told(run: CodeRun, attempts_left: int) -> dict[str, Any]:
    """The run as a model reads it: short, with what to correct when it failed."""
    outcome, first = run.outcome, run.results[0]
    if outcome.failure is not None:
        return _told_failure(run, outcome.failure, attempts_left)
    tables = sum("table" in result.output for result in run.results)
    rows = MODEL_ROWS if tables <= 1 else max(MODEL_ROWS // tables, 5)
    shown = [result for result in run.results if result.output.get("text") != ""]
    answer = {
        "status": "ok",
        "run": run.id,
        "outputs": [_told_output(result, rows) for result in shown],
        "printed": shortened(outcome.printed, PRINTED_TO_MODEL),
        "notes": first.notes,
    }
    if not shown:
        answer["result_id"] = first.id
        if not outcome.printed:
            answer["notes"] = [*first.notes, "The code showed nothing; end it with the value to show."]
    return answer


def _told_output(result: Result, rows: int) -> dict[str, Any]:
    about = to_model(result, rows)
    for name in ("status", "rows_used", "rows_total", "facts"):
        about.pop(name, None)
    if result.arguments["position"] == 0:
        del about["notes"]
    return about


def _told_failure(run: CodeRun, failure: Failure, attempts_left: int) -> dict[str, Any]:
    message = failure.message if attempts_left else f"{failure.message}\n{GIVE_UP}"
    return {
        "status": "error",
        "kind": failure.type,
        "message": message,
        "line": failure.line,
        "trace": shortened(failure.trace, TRACE_TO_MODEL),
        "suggestions": failure.suggestions,
        "printed": run.outcome.printed[-TRACE_TO_MODEL:],
        "attempts_left": attempts_left,
        "run": run.id,
        "result_id": run.results[0].id,
    }


def attempts_left(place: Workspace, key: SessionKey, invocation_id: str) -> int:
    """How many more runs of an answer may fail."""
    return max(MAX_FAILURES - place.store.results.failed_runs(key, invocation_id), 0)


def parts_of(response: dict[str, Any]) -> list[dict[str, Any]]:
    """The turn's parts for what `told` gave; none for a run that was refused."""
    if "run" not in response:
        return []
    ids = [output["result_id"] for output in response.get("outputs") or []] or [response["result_id"]]
    failed = {"failed": True} if response["status"] == "error" else {}
    return [{"kind": "result", "id": result_id, "run": response["run"]} | failed for result_id in ids]


def as_text(response: dict[str, Any]) -> str:
    """What `told` gave, for models that read text."""
    return json.dumps(to_json_safe(response), ensure_ascii=False)

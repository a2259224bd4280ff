"""Runs the checks of an answer, in processes that the answer's code has never touched.

The recorded code runs again in one, the checks in another, each with nothing but the data and the stored
answer; what the answer's code left in its own process cannot reach either.
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agents.card import CLOSE, OPEN, data_card
from agents.outputs_of_code import as_output
from agents.planner.programs import intent_of
from agents.planner.schema import Schema
from agents.problem import Planned, unusable
from agents.second_path import comparable, computed, written
from agents.settings import Settings
from agents.workspace import workspace
from analysis import checks as formulations
from analysis.agreement import difference
from analysis.checks import Check
from analysis.cleaning import CLEAN, JOIN
from analysis.cleaning_checks import check_step
from analysis.engine import Engine, result_table
from analysis.errors import AnalysisError
from sandbox.client import Worker
from sandbox.errors import IsolationMissing, SandboxError, WorkerStopped
from sandbox.live_notebook import Cell
from sandbox.outcome import Output, RunOutcome, TableOutput, TextOutput, ValueOutput
from sandbox.pool import WorkerPool
from storage.datasets import Dataset
from storage.jsonsafe import to_json_safe
from storage.keys import SessionKey
from storage.results import RUN_PYTHON, Result
from storage.store import Store

MAX_ROWS = 2_000
AGAIN, AGAIN_STATEMENT = "same code again", "The recorded code, run from scratch, gives the same numbers."
OTHER, OTHER_STATEMENT = "other path", "Computed by {}, the numbers are the same."
NOT_NOTICED = "It passes for wrong numbers too, so it is not counted as another path."
PRELUDE = """import json as _json
import pandas as _pandas

def _frame(table):
    frame = _pandas.DataFrame(table["rows"], columns=table["columns"])
    for name in table["dates"]:
        frame[name] = _pandas.to_datetime(frame[name], errors="coerce")
    return frame

_given = _json.loads({given})
answer = [_frame(table) for table in _given["answer"]]
figures = [_frame(table) for table in _given["figures"]]
values = _given["values"]
del _frame, _given, _json, _pandas
"""


@dataclass(frozen=True)
class Answer:
    """The stored results of one attempt."""

    results: list[Result]
    by_planner: bool
    """Whether a first line that tells the question is the planner's own."""

    @property
    def final(self) -> Result:
        """The one that the answer is about."""
        return self.results[-1]


class Checker:
    """The checks of one conversation's answers; calls block."""

    def __init__(self, store: Store, pool: WorkerPool, settings: Settings, key: SessionKey) -> None:
        self._store = store
        self._pool = pool
        self._settings = settings
        self._key = key
        self._names = [f"checks of {key.session_id}", f"second run of {key.session_id}"]

    def check(self, answer: Answer, planned: Sequence[Planned]) -> list[Check]:
        """All checks that fit the answer, run; what the model planned comes last."""
        datasets = self._store.datasets.for_session(self._key)
        checking, again = (self._pool.worker(name) for name in self._names)
        there = workspace().connections
        engine = Engine(checking, datasets, key=self._key, invocation_id="", connections=there)
        try:
            found = [
                check for result in answer.results for check in self._of_result(engine, checking, result)
            ]
            found += self._of_runs(answer, engine, again)
            found += [self._run(item, answer, checking, engine) for item in planned]
        finally:
            self.end()
        return _named_apart(found)

    def stop(self) -> None:
        """Ends what is running, from any thread."""
        for name in self._names:
            self._pool.kill(name)

    def end(self) -> None:
        """Ends the processes, so that the next checks have new ones."""
        for name in self._names:
            self._pool.forget(name)

    def _of_result(self, engine: Engine, worker: Worker, result: Result) -> Iterator[Check]:
        if result.tool not in (CLEAN, JOIN):
            yield from _of_tool(engine, worker, result)
            return
        known = {(d.name, d.version): d for d in self._store.datasets.for_user(self._key.user_id)}
        parents = [known.get((ref.dataset, ref.version)) for ref in result.inputs]
        made = known.get((result.facts["dataset"], result.facts["version"]))
        if made is not None and None not in parents:
            yield from check_step(engine, [parent for parent in parents if parent], made, result)

    def _of_runs(self, answer: Answer, engine: Engine, again: Worker) -> list[Check]:
        runs: dict[str, list[Result]] = {}
        for result in answer.results:
            if result.tool == RUN_PYTHON:
                runs.setdefault(result.arguments["run"], []).append(result)
        history = [Cell(run.id, run.code) for run in self._store.results.runs(self._key)] if runs else []
        found = []
        for run_id, results in runs.items():
            before = history[: next((i for i, cell in enumerate(history) if cell.id == run_id), len(history))]
            found.append(self._again(results, before, engine, again))
            call = intent_of(results[-1].code) if answer.by_planner else None
            if call is not None and comparable(*call):
                found += _by_tool(engine, results, *call)
        return found

    def _again(self, results: list[Result], before: list[Cell], engine: Engine, worker: Worker) -> Check:
        code, run_id = results[0].code, results[0].arguments["run"]
        timeout = self._settings.code_timeout_seconds
        try:
            outcome = worker.run(code, engine.tables, history=before, cell_id=run_id, timeout=timeout)
        except WorkerStopped:
            raise
        except SandboxError as error:
            return Check(AGAIN, AGAIN_STATEMENT, False, False, str(error))
        detail = outcome.failure.message if outcome.failure else _differs(results, outcome.outputs)
        return Check(AGAIN, AGAIN_STATEMENT, False, not detail, detail)

    def _run(self, item: Planned, answer: Answer, worker: Worker, engine: Engine) -> Check:
        if reason := unusable(item.code):
            return item.waiting(reason)
        check = self._outcome(item, _told(answer), worker, engine)
        if check.passed and check.independent:
            wrong = self._outcome(item, _told(answer, distort=True), worker, engine)
            if wrong.passed:
                return replace(check, independent=False, detail=NOT_NOTICED)
        return check

    def _outcome(self, item: Planned, told: dict[str, Any], worker: Worker, engine: Engine) -> Check:
        prelude = PRELUDE.format(given=repr(json.dumps(told)))
        try:
            outcome = worker.run(
                f"{prelude}{item.code}\n", engine.tables, timeout=self._settings.code_timeout_seconds
            )
        except WorkerStopped:
            raise
        except SandboxError as error:
            return item.waiting(f"The check could not be run: {error}")
        return _verdict(item, outcome)


def _verdict(item: Planned, outcome: RunOutcome) -> Check:
    failure = outcome.failure
    if failure is not None:
        if failure.type == "AssertionError":
            return replace(item.waiting(failure.message or "The assertion does not hold."), passed=False)
        return item.waiting(f"The check could not be run: {failure.type}: {failure.message}")
    said = {
        output.title: output for output in outcome.outputs if isinstance(output, (ValueOutput, TextOutput))
    }
    passed, detail = said.get("passed"), said.get("detail")
    words = detail.text if isinstance(detail, TextOutput) else str(detail.value) if detail else ""
    if isinstance(passed, ValueOutput) and isinstance(passed.value, bool):
        return replace(item.waiting(words), passed=passed.value)
    if "assert" in item.code and not said:
        return replace(item.waiting(), passed=True)
    return item.waiting(
        "The check could not be run: it said neither that the answer passes nor that it fails."
    )


def _of_tool(engine: Engine, worker: Worker, result: Result) -> Iterator[Check]:
    """A tool's result: its code again, a second formulation, and a program where one has its shape."""
    if result.tool == RUN_PYTHON:
        return
    yield from formulations.check(engine, result)
    if result.language != "sql":
        return
    schema = schema_of(engine.datasets)
    made = written(schema, result.tool, result.arguments) if schema else None
    if made is None:
        return
    statement = OTHER_STATEMENT.format("a program in pandas, with its own filter")
    try:
        outcome = worker.run(made.code, engine.tables)
    except WorkerStopped:
        raise
    except IsolationMissing:
        # Where no code may run, the other checks have to do.
        return
    except SandboxError as error:
        yield Check(OTHER, statement, True, None, str(error), made.code)
        return
    if outcome.failure is not None:
        yield Check(OTHER, statement, True, None, outcome.failure.message, made.code)
        return
    table = result_table(result)
    rows = next((_rows(output) for output in reversed(outcome.outputs) if _rows(output) is not None), None)
    detail = "The program showed no table." if rows is None else difference(table.rows, rows, ordered=False)
    yield Check(OTHER, statement, True, not detail, detail, made.code)


def _by_tool(engine: Engine, results: list[Result], tool: str, arguments: dict[str, Any]) -> Iterator[Check]:
    """A program of the planner against the tool that it stands for."""
    statement = OTHER_STATEMENT.format(f"the tool {tool}, in SQL")
    ours = next((result for result in reversed(results) if "table" in result.output), None)
    try:
        theirs = computed(engine, tool, arguments)
        if ours is None:
            detail = "The code showed no table."
        else:
            detail = difference(result_table(ours).rows, result_table(theirs).rows, ordered=False)
        independent = theirs.language == "sql"
        yield Check(OTHER, statement, independent, not detail, detail, theirs.code)
        if ours is not None and tool == "query":
            table = theirs.output | {"table": result_table(ours).to_json()}
            yield from formulations.sums(engine, replace(theirs, output=table))
    except AnalysisError as error:
        yield Check(OTHER, statement, True, False, str(error))


def schema_of(datasets: Sequence[Dataset]) -> Schema | None:
    """The planner's view of the data."""
    card = data_card(datasets).split(OPEN)[1].removesuffix(CLOSE)
    return Schema.from_card(json.loads(card))


def _rows(output: Output) -> list[list[Any]] | None:
    if isinstance(output, TableOutput):
        return output.table.rows
    return [[output.value]] if isinstance(output, ValueOutput) else None


def _differs(results: list[Result], outputs: list[Output]) -> str:
    """Where a run's outputs differ from the stored ones; empty when they agree."""
    count = results[0].arguments["count"]
    if len(outputs) != count:
        return f"{count} outputs are stored, and {len(outputs)} came out"
    for result in results:
        kind, output, _ = as_output(outputs[result.arguments["position"]], "again")
        if kind != result.kind:
            return f"{result.title}: {result.kind} is stored, and {kind} came out"
        if "table" in result.output:
            again = replace(result, output=to_json_safe(output))
            if detail := difference(result_table(result).rows, result_table(again).rows):
                return f"{result.title}: {detail}"
        elif "figure" in result.output:
            ours, theirs = list(_numbers(result.output["figure"])), list(_numbers(output["figure"]))
            if detail := difference([ours], [theirs]):
                return f"{result.title}: {detail}"
    return ""


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        for name in sorted(value):
            yield from _numbers(value[name])
    elif isinstance(value, list):
        for item in value:
            yield from _numbers(item)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield float(value)


def _told(answer: Answer, *, distort: bool = False) -> dict[str, Any]:
    """The answer as checks find it; distorted, every number is another one."""
    tables, figures, values = [], [], []
    for result in answer.results:
        if "table" in result.output:
            table = result_table(result)
            dates = [c.name for c in table.columns if c.type.startswith(("DATE", "TIMESTAMP"))]
            tables.append({"columns": table.names, "rows": table.rows[:MAX_ROWS], "dates": dates})
            values += table.rows[0] if result.kind == "value" and table.rows else []
        if "figure" in result.output:
            figures.append(
                {"columns": ["name", "x", "y"], "rows": _points(result.output["figure"]), "dates": []}
            )
    told = to_json_safe({"answer": tables, "figures": figures, "values": values})
    return _distorted(told) if distort else dict(told)


def _points(figure: dict[str, Any]) -> list[list[Any]]:
    found: list[list[Any]] = []
    for trace in figure.get("data") or []:
        xs, ys = (trace.get(name) for name in ("x", "y"))
        if "labels" in trace:
            xs, ys = trace["labels"], trace.get("values")
        if isinstance(xs, list) and isinstance(ys, list):
            found += [[str(trace.get("name") or ""), x, y] for x, y in zip(xs, ys, strict=False)]
    return found[:MAX_ROWS]


def _distorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _distorted(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_distorted(item) for item in value]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return value
    return value + 1 if isinstance(value, int) else value * 1.25 + 1


def _named_apart(found: list[Check]) -> list[Check]:
    """Numbers checks of one name, as where several results are checked alike."""
    counts: dict[str, int] = {}
    named = []
    for check in found:
        counts[check.name] = counts.get(check.name, 0) + 1
        number = counts[check.name]
        named.append(check if number == 1 else replace(check, name=f"{check.name} ({number})"))
    return named

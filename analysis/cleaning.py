"""Cleaning as recorded steps: each is a result with the SELECT that made the new table, and a new version of
the dataset. The version before stays as it was, and so do the original bytes.
"""

import hashlib
import inspect
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from analysis.cleaning_columns import cut, derive, drop_columns, keep_columns, one_hot, rename, split_column
from analysis.cleaning_plan import SHOWN, NothingToChange, Plan, Source
from analysis.cleaning_rows import drop_duplicates, drop_missing, filter_rows, outliers, sample, sort_rows
from analysis.cleaning_shape import append, pivot, unpivot
from analysis.cleaning_types import change_type
from analysis.cleaning_values import clean_text, fill_missing, replace_values, scale
from analysis.column_kinds import kind_of
from analysis.engine import Engine
from analysis.errors import AnalysisError, BadValue, UnknownOption, require_option
from analysis.joining import join
from analysis.measures import free_name
from analysis.profiling import profile_table, store_profile
from sandbox.engine import quoted
from sandbox.table import Column, Table
from storage.datasets import Dataset, Datasets
from storage.jsonsafe import to_json_safe
from storage.results import Result

CLEAN, JOIN = "clean_data", "join_tables"
STEPS: dict[str, Callable[..., Plan]] = {
    "change_type": change_type, "fill_missing": fill_missing, "drop_missing": drop_missing,
    "drop_duplicates": drop_duplicates, "outliers": outliers, "rename": rename, "drop_columns": drop_columns,
    "keep_columns": keep_columns, "replace_values": replace_values, "clean_text": clean_text,
    "derive": derive, "filter": filter_rows, "split_column": split_column, "bin": cut, "scale": scale,
    "one_hot": one_hot, "unpivot": unpivot, "pivot": pivot, "append": append, "sort": sort_rows,
    "sample": sample,
}  # fmt: skip
"""Every step by its name; what it takes are the options of the function."""
CELL = 80


@dataclass(frozen=True)
class Effect:
    """What a step changes, counted on all rows."""

    rows_before: int
    rows_after: int
    columns_before: int
    columns_after: int
    values_changed: int
    missing_before: int
    missing_after: int
    examples: list[dict[str, Any]] = field(default_factory=list)
    """Changed values (row, column, before, after), or rows that go."""

    @property
    def rows_removed(self) -> int:
        """Rows that are fewer; 0 when there are more."""
        return max(0, self.rows_before - self.rows_after)

    def table(self) -> Table:
        """Before and after, in figures."""
        rows: list[list[Any]] = [
            ["rows", self.rows_before, self.rows_after],
            ["columns", self.columns_before, self.columns_after],
            ["missing values", self.missing_before, self.missing_after],
            ["values changed", None, self.values_changed],
            ["rows removed", None, self.rows_removed],
        ]
        columns = [Column("what", "VARCHAR"), Column("before", "BIGINT"), Column("after", "BIGINT")]
        return Table(columns, rows, len(rows))


@dataclass(frozen=True)
class Change:
    """A step that was made."""

    result: Result
    dataset: Dataset
    """The new version."""


def plan(engine: Engine, step: str, dataset: str = "", **options: Any) -> Plan:
    """The step checked against its table. Raises AnalysisError for what it cannot do."""
    name = require_option(step, list(STEPS), "step")
    taken = list(inspect.signature(STEPS[name]).parameters)[1:]
    if unknown := [option for option in options if option not in taken]:
        raise UnknownOption(f"{name} takes no {unknown[0]}. It takes: {', '.join(taken)}.", taken)
    source = Source(engine, dataset)
    _require_ready(source.data)
    return STEPS[name](source, **options)


def preview(engine: Engine, made: Plan) -> Effect:
    """What a planned step would change. Raises NothingToChange when that is nothing."""
    data, code = made.parents[0], made.code
    engine = engine.over(made.parents)
    answer = engine.select(f"SELECT * FROM (\n{code}\n) AS made LIMIT 0")
    after = list(zip(answer.names, (c.type for c in answer.columns), strict=True))
    gaps = " + ".join(f"count(*) - count({quoted(name)})" for name, _ in after)
    rows, missing = engine.select(f"SELECT count(*), {gaps} FROM (\n{code}\n) AS made").rows[0]
    pairs = _compared(made, after)
    changed, examples = _changes(engine, made, pairs, after) if pairs else (0, [])
    if made.removed:
        examples = engine.select(f"SELECT * FROM (\n{made.removed}\n) AS gone LIMIT {SHOWN}").records()
    before = [(c.name, c.type) for c in data.columns]
    effect = Effect(
        data.rows, rows, len(before), len(after), changed, sum(c.missing for c in data.columns), missing,
        to_json_safe(examples),
    )  # fmt: skip
    if before == after and rows == data.rows and not changed and made.compared:
        raise NothingToChange(f"{made.text}: nothing would change, every value is so already.")
    if before == after and rows == data.rows and made.removed:
        raise NothingToChange(f"{made.text}: nothing would change, there are no such rows.")
    return effect


def clean(engine: Engine, datasets: Datasets, step: str, dataset: str = "", **options: Any) -> Change:
    """Makes one step: a result, and the next version. Raises AnalysisError; nothing is made then."""
    made = plan(engine, step, dataset, **options)
    given = {"step": step, "dataset": dataset} | options
    return _make(engine, datasets, CLEAN, given, made)


def join_tables(
    engine: Engine,
    datasets: Datasets,
    left: str = "",
    right: str = "",
    how: str = "left",
    left_on: Sequence[str] = (),
    right_on: Sequence[str] = (),
    allow_many: bool = False,
) -> Change:
    """Joins two tables; the left one's next version has the columns of both. Raises AnalysisError."""
    made = join(engine, left, right, how, left_on, right_on, allow_many)
    for parent in made.parents:
        _require_ready(parent)
    given = {
        "left": left, "right": right, "how": how, "left_on": list(left_on), "right_on": list(right_on),
        "allow_many": allow_many,
    }  # fmt: skip
    return _make(engine, datasets, JOIN, given, made)


def derived(
    engine: Engine, datasets: Datasets, parents: list[Dataset], code: str, step: dict[str, Any]
) -> Dataset:
    """The table that a step's code makes of its parents, as a version of the first one.

    The same code on the same parents is converted once. Raises BadQuery and LimitExceeded.
    """
    first = parents[0]
    key = options_key(parents, code)
    known = datasets.find_converted(first.sha256, key)
    profile = None
    if known is None:
        target = datasets.table_path(first.sha256, key)
        engine.tell(0.3, "Writing the new version")
        rows, kinds = engine.save(code, parents, target)
        engine.tell(0.8, "Looking at its columns")
        profile = profile_table(engine.worker, target, kinds)
        originals = {c.name: c.original_name for parent in reversed(parents) for c in parent.columns}
        columns = profile.infos(originals)
    else:
        rows, columns = known.rows, known.columns
    made = datasets.register(
        user_id=first.user_id,
        name=first.name,
        sha256=first.sha256,
        options_key=key,
        file_name=first.file_name,
        rows=rows,
        columns=columns,
        byte_size=first.byte_size,
        notes=first.notes,
        read_options=first.read_options,
        rejected_rows=first.rejected_rows,
        part=first.part,
        source=first.source,
        parents=[parent.id for parent in parents],
        step=to_json_safe(step),
    )
    if made.parents != [parent.id for parent in parents]:
        # The same table was deleted and read again since.
        made = datasets.update(made, parents=[parent.id for parent in parents], step=to_json_safe(step))
    if profile is not None:
        store_profile(made, profile)
    return made


def remade(engine: Engine, datasets: Datasets, parents: list[Dataset], step: dict[str, Any]) -> Dataset:
    """The version that a step recorded elsewhere makes of these tables, by its code.

    Its words are kept only if they are those of this very code. Raises BadQuery and LimitExceeded.
    """
    code, words = str(step.get("code", "")), str(step.get("text", ""))
    try:
        made = _planned_again(engine, parents, step)
        said = (made.code, made.text) == (code, words)
    except (AnalysisError, TypeError):
        said = False
    text = words if said else f"SQL of an imported step that calls itself: {words[:200]}"
    kept = {name: step[name] for name in ("tool", "arguments", "rows_before") if name in step}
    return derived(engine, datasets, parents, code, kept | {"text": text, "code": code, "result_id": ""})


def _planned_again(engine: Engine, parents: list[Dataset], step: dict[str, Any]) -> Plan:
    options = dict(step.get("arguments") or {})
    if step.get("tool") == JOIN:
        return join(engine, **options | {"left": parents[0].name})
    options.pop("dataset", None)
    return plan(engine, options.pop("step", ""), parents[0].name, **options)


def options_key(parents: Sequence[Dataset], code: str) -> str:
    """Names a derived table's file: the same tables and code give the same rows."""
    ways = [f"{parent.sha256}/{parent.table_path.stem}" for parent in parents]
    return hashlib.sha256("\n".join([*ways, code]).encode()).hexdigest()[:32]


def _make(engine: Engine, datasets: Datasets, tool: str, arguments: dict[str, Any], made: Plan) -> Change:
    began = time.perf_counter()
    first = made.parents[0]
    engine.tell(0.1, "Counting what changes")
    effect = preview(engine, made)
    record = engine.record(
        {"table": effect.table().to_json(), "examples": effect.examples},
        made.code,
        "sql",
        0.0,
        title=f"{made.text} ({first.name})",
        tool=tool,
        arguments=arguments,
        datasets=made.parents,
        rows_used=sum(parent.rows for parent in made.parents),
        notes=[*made.notes, *_example_notes(effect)],
        facts=made.facts,
    )
    step = {
        "tool": tool, "arguments": record.arguments, "text": made.text, "code": made.code,
        "result_id": record.id, "rows_before": effect.rows_before,
    }  # fmt: skip
    dataset = derived(engine, datasets, made.parents, made.code, step)
    facts = record.facts | {
        "dataset": dataset.name, "version": dataset.version, "rows_before": effect.rows_before,
        "rows_after": effect.rows_after, "rows_removed": effect.rows_removed,
        "values_changed": effect.values_changed, "text": made.text,
    }  # fmt: skip
    result = replace(record, facts=facts, duration=time.perf_counter() - began)
    return Change(result, dataset)


def _require_ready(dataset: Dataset) -> None:
    if dataset.source:
        raise BadValue(f"{dataset.name} lives in a database, which is only read. Upload a copy to clean it.")
    if dataset.state != "ready":
        raise BadValue(f"{dataset.file_name} is still being converted. Clean it when that has ended.")


def _compared(made: Plan, after: list[tuple[str, str]]) -> list[tuple[str, str]]:
    names = {name for name, _ in after}
    return [pair for pair in made.compared or [] if pair[1] in names]


def _changes(
    engine: Engine, made: Plan, pairs: list[tuple[str, str]], after: list[tuple[str, str]]
) -> tuple[int, list[dict[str, Any]]]:
    """How many values differ from those in the same row before, and the first ones."""
    row = free_name("__row_number", [c.name for c in made.parents[0].columns])
    both = (
        f"(SELECT row_number() OVER () AS {row}, * FROM {quoted(made.parents[0].name)}) AS o"
        f" POSITIONAL JOIN (\n{made.code}\n) AS n"
    )
    types = dict(after)
    old_types = {c.name: c.type for c in made.parents[0].columns}
    differ = [_differs(old, new, old_types[old], types[new]) for old, new in pairs]
    counts = engine.select(
        f"SELECT {', '.join(f'count(*) FILTER ({test})' for test in differ)} FROM {both}"
    ).rows[0]
    examples: list[dict[str, Any]] = []
    for (old, new), test, count in zip(pairs, differ, counts, strict=True):
        if not count or len(examples) >= SHOWN:
            continue
        found = engine.select(
            f"SELECT o.{row}, left(CAST(o.{quoted(old)} AS VARCHAR), {CELL}),"
            f" left(CAST(n.{quoted(new)} AS VARCHAR), {CELL}) FROM {both} WHERE {test}"
            f" ORDER BY n.{quoted(new)} IS NOT NULL, o.{row} LIMIT {SHOWN}"
        )
        examples += [dict(zip(("row", "column", "before", "after"), (r[0], new, r[1], r[2]), strict=True))
                     for r in found.rows]  # fmt: skip
    return sum(counts), examples[:SHOWN]


def _differs(old: str, new: str, old_type: str, new_type: str) -> str:
    """Whether a value is another one than before; of another type, such as text and number, it always is."""
    kinds = {kind_of(old_type), kind_of(new_type)}
    comparable = len(kinds) == 1 or kinds <= {"integer", "number"} or kinds <= {"date", "datetime"}
    before, after = f"o.{quoted(old)}", f"n.{quoted(new)}"
    return f"{before} IS DISTINCT FROM {after}" if comparable else f"{before} IS NOT NULL"


def _example_notes(effect: Effect) -> list[str]:
    if not effect.examples or "before" not in effect.examples[0] or "column" not in effect.examples[0]:
        return []
    one = effect.examples[0]
    before, after = ("missing" if one[end] is None else repr(one[end]) for end in ("before", "after"))
    return [f"For example, {one['column']} in row {one['row']:,}: {before} became {after}."]

"""The one place that executes: an Ibis expression, SQL or a program goes in, a `Result` comes out.

Expressions are compiled for the engine that holds the data: DuckDB in the conversation's worker, or the one
that the dataset is a table of. The stored code is the very text that ran, so it gives the same output
anywhere its tables are.
"""

import hashlib
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
import ibis
from ibis.backends.sql.datatypes import DuckDBType

from analysis.backends import (
    FILLED_HERE,
    GIVEN,
    Backend,
    Compiled,
    Gathered,
    IbisBackend,
    LocalBackend,
    compile_sql,
    refusals,
    tables_of,
    with_rows,
    written_out,
)
from analysis.errors import (
    BadQuery,
    ConnectionRefused,
    ElsewhereOnly,
    LimitExceeded,
    NoTable,
    UnknownColumn,
    UnknownDataset,
    nearest,
)
from analysis.remote.connections import Connections
from sandbox import errors as sandbox_errors
from sandbox.client import PROGRAM_SECONDS, READ_SECONDS, ProgramOutput, Worker
from sandbox.exchange import Progress
from sandbox.table import Table
from storage.datasets import ColumnInfo, Dataset
from storage.jsonsafe import to_json_safe
from storage.keys import SessionKey
from storage.results import InputRef, Result

__all__ = [
    "ROW_LIMIT",
    "Engine",
    "compile_sql",
    "engine_versions",
    "not_finite",
    "python_text",
    "result_table",
]
ROW_LIMIT = 5_000


class Engine:
    """Answers questions over the datasets of one conversation; the last one is the current one."""

    def __init__(
        self,
        worker: Worker,
        datasets: Sequence[Dataset],
        *,
        key: SessionKey,
        invocation_id: str,
        progress: Progress | None = None,
        connections: Connections | None = None,
    ) -> None:
        self._connections = connections
        self._counted: dict[str, int] = {}
        self._gathered: list[Gathered] = []
        self._worker = worker
        self._datasets = list(datasets)
        self._key = key
        self._invocation_id = invocation_id
        self._progress = progress

    @cached_property
    def tables(self) -> dict[str, Path]:
        """Name and Parquet file of every dataset that is here."""
        return {d.name: d.table_path for d in self._datasets if not d.source and d.state == "ready"}

    @cached_property
    def _local(self) -> LocalBackend:
        return LocalBackend(self._worker, self.tables)

    @property
    def datasets(self) -> list[Dataset]:
        """The conversation's datasets."""
        return self._datasets

    def dataset(self, name: str = "") -> Dataset:
        """The dataset called `name` (also its file's name); the current one for "".

        Raises UnknownDataset with the names there are.
        """
        if not self._datasets:
            raise UnknownDataset("There is no data in this conversation. Upload a CSV file first.")
        wanted = (name or "").strip().lower()
        if not wanted:
            return whole(self._datasets[-1])
        for dataset in self._datasets:
            if wanted in (dataset.name.lower(), dataset.file_name.lower()):
                return whole(dataset)
        names = [dataset.name for dataset in self._datasets]
        raise UnknownDataset(f"There is no dataset {name!r}. There is: {', '.join(names)}.", names)

    def column(self, dataset: Dataset, name: str) -> ColumnInfo:
        """The column called `name`, exactly or without regard to case.

        Raises UnknownColumn with the nearest names.
        """
        wanted = str(name).strip()
        for column in dataset.columns:
            if column.name == wanted:
                return column
        for column in dataset.columns:
            if column.name.lower() == wanted.lower():
                return column
        names = [column.name for column in dataset.columns]
        close = nearest(wanted, names) or names[:8]
        raise UnknownColumn(
            f"{dataset.file_name} has no column {wanted!r}. Nearest: {', '.join(close)}.", close
        )

    def backend(self, datasets: Iterable[Dataset]) -> Backend:
        """What runs queries over these datasets. Raises ElsewhereOnly when they are at several engines."""
        used = list(datasets)
        places = {dataset.source.get("connection", "") for dataset in used}
        if places <= {""}:
            return self._local
        if len(places) > 1:
            names = ", ".join(dataset.name for dataset in used)
            raise ElsewhereOnly(f"{names} are at different engines. Bring copies here, then ask again.")
        if self._connections is None:
            raise ConnectionRefused("No connection to another engine is configured here.")
        connection = self._connections.named(places.pop())
        there = [d for d in self._datasets if d.source.get("connection") == connection.name]
        return IbisBackend(connection, there, self._worker.watch)

    def rows(self, dataset: Dataset) -> int:
        """How many rows the dataset has; at another engine, now."""
        if not dataset.source:
            return dataset.rows
        if dataset.name not in self._counted:
            table = self.table(dataset)
            self._counted[dataset.name] = int(self.fetch(table.aggregate(n=table.count())).rows[0][0])
        return self._counted[dataset.name]

    def saw_rows(self, dataset: Dataset, rows: int) -> None:
        """Notes how many rows the dataset has, where an analysis counted them."""
        self._counted[dataset.name] = rows

    def table(self, dataset: Dataset) -> Any:
        """The dataset as an Ibis table; NaN and infinities count as missing."""
        schema = {c.name: DuckDBType.from_string(c.type) for c in dataset.columns}
        table = ibis.table(schema, name=dataset.name)
        unclean = [table[c.name] for c in dataset.columns if not_finite(c)]
        cleaned = {f.get_name(): (f.isnan() | f.isinf()).ifelse(ibis.null(f.type()), f) for f in unclean}
        return table.mutate(**cleaned) if cleaned else table

    def fetch(self, expression: Any) -> Table:
        """Runs an expression for its numbers alone; no result is recorded."""
        compiled = self._compiled(expression)
        return compiled.backend.query(compiled.text, expression.schema(), None)

    @property
    def worker(self) -> Worker:
        """What the queries run in."""
        return self._worker

    def over(self, datasets: Sequence[Dataset]) -> "Engine":
        """The same over these datasets alone."""
        return Engine(
            self._worker,
            datasets,
            key=self._key,
            invocation_id=self._invocation_id,
            progress=self._progress,
            connections=self._connections,
        )

    def select(self, text: str) -> Table:
        """Runs one SELECT for all its rows, for as long as a conversion may take; no result is recorded.

        Raises BadQuery or LimitExceeded.
        """
        with refusals():
            return self._worker.query(text, self.tables, limit=None, timeout=READ_SECONDS)

    def tell(self, part: float, text: str) -> None:
        """Says how far the work is: a part between 0 and 1, and words."""
        if self._progress is not None:
            self._progress(part, text)

    def save(self, text: str, datasets: Sequence[Dataset], target: Path) -> tuple[int, list[tuple[str, str]]]:
        """Writes the rows of one SELECT over `datasets` as Parquet; how many, and columns with their types.

        Raises BadQuery or LimitExceeded.
        """
        require_here(datasets)
        tables = {dataset.name: dataset.table_path for dataset in datasets}
        with refusals():
            report = self._worker.save(text, tables, target)
        return report["rows"], [(name, kind) for name, kind in report["columns"]]

    def run(self, expression: Any, **about: Any) -> Result:
        """Runs an expression; `about` is what `record` takes."""
        compiled = self._compiled(expression)
        table = compiled.backend.query(compiled.text, expression.schema(), ROW_LIMIT)
        return self._kept(table, compiled, **about)

    def keep(self, table: Table, expression: Any, **about: Any) -> Result:
        """The result of an expression whose rows came with another's, such as one that counts besides."""
        return self._kept(table, self._compiled(expression), **about)

    def sql(self, text: str, **about: Any) -> Result:
        """Runs one SELECT over the datasets by name. Raises BadQuery or LimitExceeded."""
        here = text.startswith(FILLED_HERE)
        backend = self._local if here else self.backend(about["datasets"])
        text = backend.written(text)
        table = backend.query(text, None, ROW_LIMIT)
        return self._kept(table, Compiled(text, backend, backend.versions), **about)

    def gather(self, expression: Any, *, arrays: bool = False) -> Any:
        """The expression for joining it to the rows of a range, or with `arrays` for adding lists to it.

        As it is, or its rows, brought here, where the engine cannot do that itself.
        """
        backend = self._backend_of(expression)
        if backend.arrays if arrays else backend.ranges:
            return expression
        text = backend.compile(expression)
        name = f"gathered_{len(self._gathered) + 1}"
        table = backend.query(text, expression.schema(), None)
        self._gathered.append(Gathered(name, table, text, backend))
        return ibis.table(expression.schema(), name=name)

    def finish(self, parts: Mapping[str, Any], code: str, **about: Any) -> tuple[ProgramOutput, Result]:
        """Runs expressions where their data is, and `code` here over their rows, lists of dictionaries."""
        lines: list[str] = []
        versions: dict[str, str] = {}
        for name, expression in parts.items():
            backend = self._backend_of(expression)
            text = backend.compile(expression)
            table = backend.query(text, expression.schema(), None)
            lines.append(written_out(name, table, backend.name, text))
            versions |= backend.versions
        about["engine"] = versions | engine_versions("python")
        return self._program("\n".join([*lines, code]), **about)

    def _backend_of(self, expression: Any) -> Backend:
        if not any(dataset.source for dataset in self._datasets):
            return self._local
        names = tables_of(expression)
        return self.backend(dataset for dataset in self._datasets if dataset.name in names)

    def _compiled(self, expression: Any) -> Compiled:
        backend = self._backend_of(expression)
        text = backend.compile(expression)
        named = tables_of(expression) if self._gathered else set()
        if gathered := [part for part in self._gathered if part.name in named]:
            text = with_rows(text, gathered)
            return Compiled(text, backend, gathered[0].backend.versions | backend.versions)
        return Compiled(text, backend, backend.versions)

    def _kept(self, table: Table, compiled: Compiled, **about: Any) -> Result:
        if len(table.rows) > ROW_LIMIT:
            table = replace(table, rows=table.rows[:ROW_LIMIT], truncated=True)
        if table.truncated:
            kept = f"The first {len(table.rows):,} of {table.row_count:,} rows are kept."
            about["notes"] = [*about.get("notes", ()), kept]
        output = {"table": table.to_json()}
        return self.record(output, compiled.text, "sql", table.elapsed, engine=compiled.versions, **about)

    def program(
        self,
        code: str,
        *,
        files: Mapping[str, Path] | None = None,
        timeout: float = PROGRAM_SECONDS,
        **about: Any,
    ) -> tuple[ProgramOutput, Result]:
        """Runs Python over the datasets; its first table is the result's, its values the facts.

        It may read `files` by name, and tell how far it is with `progress(part, text)`. Raises ElsewhereOnly
        for a dataset whose rows are at another engine.
        """
        if not code.startswith(GIVEN):
            require_here(about["datasets"])
        return self._program(code, files=files, timeout=timeout, **about)

    def _program(
        self,
        code: str,
        *,
        files: Mapping[str, Path] | None = None,
        timeout: float = PROGRAM_SECONDS,
        **about: Any,
    ) -> tuple[ProgramOutput, Result]:
        started = time.perf_counter()
        try:
            output = self._worker.program(
                code, self.tables, files=files, progress=self._progress, timeout=timeout
            )
        except (sandbox_errors.ProgramFailed, sandbox_errors.QueryFailed) as error:
            raise BadQuery(f"The calculation failed: {error}") from error
        except sandbox_errors.SandboxError as error:
            raise LimitExceeded(str(error)) from error
        table = next(iter(output.tables.values()))
        values = to_json_safe(output.values)
        facts = values | about.pop("facts", {})
        stored = {"table": table.to_json(), "values": values}
        elapsed = time.perf_counter() - started
        return output, self.record(stored, code, "python", elapsed, facts=facts, **about)

    def record(
        self,
        output: dict[str, Any],
        code: str,
        language: str,
        duration: float,
        *,
        title: str,
        tool: str,
        arguments: dict[str, Any],
        datasets: Iterable[Dataset],
        kind: str = "table",
        rows_used: int | None = None,
        notes: Iterable[str] = (),
        facts: dict[str, Any] | None = None,
        parents: Iterable[str] = (),
        engine: Mapping[str, str] | None = None,
    ) -> Result:
        """The record of what ran. `rows_used` None: unknown, as for SQL that somebody wrote."""
        used = list(datasets)
        return Result(
            id=uuid.uuid4().hex,
            key=self._key,
            invocation_id=self._invocation_id,
            kind=kind,
            title=title,
            tool=tool,
            arguments=to_json_safe(arguments),
            language=language,
            code=code,
            code_sha256=hashlib.sha256(code.encode()).hexdigest(),
            inputs=[InputRef(d.name, d.version, d.sha256) for d in used],
            output=to_json_safe(output),
            parents=list(parents),
            engine=dict(engine_versions(language) if engine is None else engine),
            rows_used=rows_used,
            rows_total=None if rows_used is None else sum(self.rows(d) for d in used),
            notes=list(notes),
            facts=to_json_safe(facts or {}),
            duration=duration,
            created_at=time.time(),
        )


def require_here(datasets: Iterable[Dataset]) -> None:
    """Raises ElsewhereOnly for a dataset whose rows are at another engine."""
    for dataset in datasets:
        if dataset.source:
            raise ElsewhereOnly(
                f"{dataset.name} is at {dataset.source['connection']}, and this needs its rows here. "
                "Bring a copy of it here (all rows, or those of a filter), and ask about the copy."
            )


def whole(dataset: Dataset) -> Dataset:
    """The dataset if all of it is there. Raises UnknownDataset with the reason."""
    if dataset.state == "converting":
        raise UnknownDataset(f"{dataset.file_name} is still being converted. Ask again when it is ready.")
    if dataset.state != "ready":
        raise UnknownDataset(f"{dataset.file_name} could not be read: {dataset.error}")
    return dataset


def not_finite(column: ColumnInfo) -> bool:
    """Whether a number column holds NaN or infinities: its range, stored as JSON, has no end then."""
    return column.kind == "number" and column.distinct > 0 and None in (column.min, column.max)


def python_text(text: str) -> str:
    """`text` as a Python literal: on its own lines where that is safe, whatever names the data has."""
    lines_show = all(line.isprintable() for line in text.split("\n"))
    plain = lines_show and "\\" not in text and '"""' not in text
    return f'"""\n{text}\n"""' if plain else repr(text)


def engine_versions(language: str) -> dict[str, str]:
    """What the code ran on."""
    versions = {"duckdb": duckdb.__version__}
    if language == "python":
        versions |= {name: version(name) for name in ("pandas", "scipy")}
    return versions


def result_table(result: Result) -> Table:
    """A stored result's table. Raises NoTable for one that is something else."""
    if "table" not in result.output:
        raise NoTable(f"{result.title} is no table, but of kind {result.kind}. Choose a table or a value.")
    return Table.from_json(result.output["table"])

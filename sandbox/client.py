"""One conversation's processes, from the app's side: calls with a time limit and a stop that always works.

Queries and our own programs run in one process, somebody's code in another, so that code cannot change what
a query answers. DuckDB's own limits do not hold (a long list sum ignores its interrupt, its time limit and
its memory limit), so the clock runs here. What comes back is data from a process that may have run
anything: its size is capped, and what is no answer ends the process.
"""

import base64
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sandbox import errors
from sandbox.exchange import STOPPED, Progress, ask
from sandbox.folders import Folders
from sandbox.launcher import Launcher, Process, shared
from sandbox.live_notebook import Cell, LiveNotebook
from sandbox.lockdown import Grant
from sandbox.outcome import RunOutcome
from sandbox.table import Table

OUTPUT_BYTES = 64 * 1024 * 1024
ROW_LIMIT = 10_000
QUERY_SECONDS = 30.0
PROGRAM_SECONDS = 60.0
READ_SECONDS = 3600.0
READ_FILE_MB = 1024 * 1024
READ_ENGINE_MB = 600
T = TypeVar("T")


def half_of_memory_mb() -> int:
    """Half of this machine's memory, at least 2 GB."""
    return max(2048, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**21)


@dataclass(frozen=True)
class Limits:
    """What one process of a worker may use."""

    memory_mb: int = field(default_factory=half_of_memory_mb)
    """Beyond what it has when it starts."""
    engine_mb: int = 2048
    """DuckDB's own share; beyond it, it says so instead of dying."""
    threads: int = 2
    output_bytes: int = OUTPUT_BYTES


@dataclass(frozen=True)
class ProgramOutput:
    """What a program left in `output`, and what it printed."""

    tables: dict[str, Table]
    values: dict[str, Any] = field(default_factory=dict)
    stdout: str = ""
    files: dict[str, bytes] = field(default_factory=dict)


class Worker:
    """Processes started when first needed and again after they ended; one call at a time."""

    def __init__(
        self, limits: Limits | None = None, *, launcher: Launcher | None = None, folder: Path | None = None
    ) -> None:
        self._limits = limits or Limits()
        self._launcher = launcher or shared()
        self._base = folder
        self._folders: Folders | None = None
        self._engine: Process | None = None
        self._turn = threading.Lock()
        self._stopped = threading.Event()
        self._elsewhere: list[Callable[[], None]] = []
        self._reading: Process | None = None
        self._closed = False
        self._notebook = LiveNotebook(
            self._launcher, self._start_notebook, partial(self._ask, read=RunOutcome.from_json), self._stopped
        )

    def query(
        self,
        sql: str,
        tables: Mapping[str, Path],
        *,
        limit: int | None = ROW_LIMIT,
        timeout: float = QUERY_SECONDS,
    ) -> Table:
        """Runs one SELECT over `tables` (name to Parquet file); times in seconds.

        Raises QueryFailed, TimeLimitExceeded, MemoryLimitExceeded, OutputTooLarge, WorkerStopped.
        """
        return self._engine_call(
            {"do": "query", "sql": sql, "limit": limit}, tables, timeout, Table.from_json
        )

    def program(
        self,
        code: str,
        tables: Mapping[str, Path],
        *,
        files: Mapping[str, Path] | None = None,
        progress: Progress | None = None,
        timeout: float = PROGRAM_SECONDS,
    ) -> ProgramOutput:
        """Runs Python of ours in which `con` is a DuckDB connection with `tables` as views.

        It assigns `output`: a DataFrame, or a dictionary of DataFrames, JSON values and bytes. `files` are
        paths that it may read, by name in its variable `files`; what it tells `progress(part, text)` is
        told here. Raises ProgramFailed besides what `query` raises.
        """
        call = {"do": "program", "code": code}
        return self._engine_call(call, tables, timeout, _program_output, files or {}, progress)

    def profile(
        self,
        table: Path,
        columns: Sequence[tuple[str, str]],
        *,
        now: str,
        progress: Progress | None = None,
        timeout: float = READ_SECONDS,
    ) -> dict[str, Any]:
        """Every column (name, DuckDB type) of a Parquet file on all rows; see `sandbox.profiling.profile`.

        `now` (ISO) is what dates in the future are after. Raises what `query` raises.
        """
        call = {"do": "profile", "columns": [list(column) for column in columns], "now": now}
        return self._engine_call(call, {"t": table}, timeout, dict[str, Any], progress=progress)

    def read(
        self,
        what: str,
        source: Path,
        name: str,
        options: dict[str, Any],
        folder: Path,
        *,
        rows: int = 0,
        progress: Progress | None = None,
        timeout: float = READ_SECONDS,
    ) -> dict[str, Any]:
        """Parses a file in a process of its own, which may write to `folder`; see `sandbox.reading.job`.

        `name` is what its owner calls the file. Raises Unreadable besides what `query` raises.
        """
        source, folder = source.resolve(), folder.resolve()
        call = {
            "do": "read", "what": what, "source": str(source), "name": name, "options": options,
            "folder": str(folder), "rows": rows,
        }  # fmt: skip
        grant = self._grant(read=[str(source)], write=str(folder), file_mb=READ_FILE_MB)
        with self._turn:
            self._begin()
            process = self._reading = self._spawn(
                "engine", grant, engine_mb=min(READ_ENGINE_MB, self._limits.engine_mb)
            )
            try:
                return self._ask(process, call, timeout, dict[str, Any], progress)
            finally:
                self._reading = None
                process.close()

    def save(
        self, sql: str, tables: Mapping[str, Path], target: Path, *, timeout: float = READ_SECONDS
    ) -> dict[str, Any]:
        """The rows of one SELECT over `tables` as the Parquet file `target`, in a process of its own.

        That may write an empty folder beside it and nothing else. Returns rows and columns; see
        `sandbox.saving.save`. Raises what `query` raises.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        with self._turn, tempfile.TemporaryDirectory(prefix="saving-", dir=target.parent) as folder:
            self._begin()
            paths = self._opened().link(tables)
            made = Path(folder).resolve() / target.name
            call = {"do": "save", "sql": sql, "tables": paths, "target": str(made)}
            grant = self._grant(read=[str(self._opened().data)], write=str(made.parent), file_mb=READ_FILE_MB)
            process = self._reading = self._spawn("engine", grant)
            try:
                report = self._ask(process, call, timeout, dict[str, Any])
            finally:
                self._reading = None
                process.close()
            made.replace(target)
        return report

    def run(
        self,
        code: str,
        tables: Mapping[str, Path],
        *,
        history: Sequence[Cell] = (),
        cell_id: str = "",
        timeout: float = PROGRAM_SECONDS,
    ) -> RunOutcome:
        """Runs somebody's code in the conversation's notebook; the current table is the last of `tables`.

        Where the live variables are not those of exactly `history`, its cells run again first. After success
        they are those of `history` and this cell; code that raises comes back as `failure`, and then, as
        after every error, they are as before. Raises TimeLimitExceeded, MemoryLimitExceeded,
        DiskLimitExceeded, OutputTooLarge, WorkerStopped, WorkerDied and IsolationMissing.
        """
        isolation = self._launcher.isolation
        if not isolation.runs_code:
            raise errors.IsolationMissing(isolation.text)
        with self._turn:
            self._begin()
            folders = self._opened()
            paths = folders.link(tables, only=True)
            return self._notebook.run(code, paths, folders, history=history, cell_id=cell_id, timeout=timeout)

    def read_file(self, name: str) -> bytes:
        """A file that code left, or that was put there. Raises FileNotFoundError."""
        data = self._opened().read(name)
        if data is None:
            raise FileNotFoundError(f"There is no file {name!r} here, or none that can be read.")
        return data

    def write_file(self, name: str, data: bytes) -> None:
        """Puts a file where code finds it. Raises OSError."""
        self._opened().write(name, data)

    @property
    def running(self) -> bool:
        """Whether one of its processes lives."""
        return any(
            process is not None and process.running for process in (self._engine, self._notebook.process)
        )

    @property
    def processes(self) -> list[int]:
        """The ids of the processes that were locked for it."""
        return [p.pid for p in (self._engine, self._notebook.process) if p is not None and p.running]

    def kill(self) -> None:
        """Ends what is running now: a call raises WorkerStopped. The notebook's variables stay."""
        self._stopped.set()
        for end in list(self._elsewhere):
            end()
        for process in (self._engine, self._reading):
            if process is not None:
                process.kill()
        self._notebook.stop()

    @contextmanager
    def watch(self, end: Callable[[], None]) -> Iterator[None]:
        """While it is entered, `kill` calls `end`, which ends what this conversation runs elsewhere."""
        self._elsewhere.append(end)
        try:
            yield
        finally:
            self._elsewhere.remove(end)

    def rest(self) -> bool:
        """Ends the processes unless a call is running; returns whether it did."""
        if not self._turn.acquire(blocking=False):
            return False
        try:
            self._end_engine()
            self._notebook.end()
        finally:
            self._turn.release()
        return True

    def close(self) -> None:
        """Ends everything and removes the folders; later calls raise WorkerStopped."""
        self._closed = True
        self._stopped.set()
        for process in (self._engine, self._notebook.process, self._reading):
            if process is not None:
                process.kill()
        with self._turn:
            self._end_engine()
            self._notebook.end()
            if self._folders is not None:
                self._folders.remove()
                self._folders = None

    def _begin(self) -> None:
        """At the start of a call, with the turn."""
        if self._closed:
            raise errors.WorkerStopped(STOPPED)
        self._stopped.clear()

    def _engine_call(
        self,
        call: dict[str, Any],
        tables: Mapping[str, Path],
        timeout: float,
        read: Callable[[Any], T],
        files: Mapping[str, Path] | None = None,
        progress: Progress | None = None,
    ) -> T:
        with self._turn:
            self._begin()
            folders = self._opened()
            call |= {"tables": folders.link(tables), "files": folders.link(files or {})}
            if self._engine is None or not self._engine.running:
                self._end_engine()
                self._engine = self._spawn("engine", self._grant(read=[str(folders.data)]))
            process = self._engine
            try:
                return self._ask(process, call, timeout, read, progress)
            except (errors.QueryFailed, errors.ProgramFailed):
                raise
            except BaseException:
                # Whatever it is doing, it does not end in time for the next call.
                self._end_engine()
                raise

    def _ask(
        self,
        process: Process,
        call: dict[str, Any],
        timeout: float,
        read: Callable[[Any], T],
        progress: Progress | None = None,
    ) -> T:
        return ask(
            process,
            call,
            timeout,
            read,
            output_bytes=self._limits.output_bytes,
            stopped=self._stopped,
            progress=progress,
        )

    def _opened(self) -> Folders:
        if self._folders is None:
            self._folders = Folders(self._base)
        return self._folders

    def _grant(self, **what: Any) -> Grant:
        return Grant(memory_mb=self._limits.memory_mb, **what)

    def _spawn(self, kind: str, grant: Grant, launcher: Launcher | None = None, **other: int) -> Process:
        names = ("engine_mb", "threads", "output_bytes")
        settings = {name: getattr(self._limits, name) for name in names} | other
        return (launcher or self._launcher).spawn(kind, grant, settings)

    def _start_notebook(self, launcher: Launcher) -> Process:
        folders = self._opened()
        grant = self._grant(read=[str(folders.data)], write=str(folders.scratch), forks=True)
        return self._spawn("notebook", grant, launcher)

    def _end_engine(self) -> None:
        if self._engine is not None:
            self._engine.close()
            self._engine = None


def _program_output(data: dict[str, Any]) -> ProgramOutput:
    tables = {name: Table.from_json(table) for name, table in data["tables"].items()}
    files = {name: base64.b64decode(text, validate=True) for name, text in data["files"].items()}
    return ProgramOutput(tables, dict(data["values"]), str(data["stdout"]), files)

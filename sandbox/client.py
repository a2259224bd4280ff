"""One conversation's processes, from the app's side: calls with a time limit and a stop that always works.

Queries and our own programs run in one process, somebody's code in another, so that code cannot change what
a query answers. DuckDB's own limits do not hold (a long list sum ignores its interrupt, its time limit and
its memory limit), so the clock runs here. What comes back is data from a process that may have run
anything: its size is capped, and what is no answer ends the process.
"""

import dataclasses
import json
import os
import re
import secrets
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from sandbox import errors
from sandbox.folders import Folders
from sandbox.launcher import Launcher, PipeEnded, Process, TimeOver, shared
from sandbox.lockdown import Grant
from sandbox.outcome import RunOutcome
from sandbox.processes import SCRATCH_FILES, SCRATCH_MB, fills, free_bytes
from sandbox.table import Table
from sandbox.warm import BUSY, DROP, IDLE, KEEP
from sandbox.worker import HEADER

OUTPUT_BYTES = 64 * 1024 * 1024
MAX_PARTS = 5_000_000
ROW_LIMIT = 10_000
QUERY_SECONDS = 30.0
PROGRAM_SECONDS = 60.0
CONVERT_SECONDS = 600.0
LEAVING_SECONDS = 0.3
READY_SECONDS = 2.0
CONVERTED_FILE_MB = 1024 * 1024
STOPPED = "Stopped."
FULL = f"The code filled its folder (at most {SCRATCH_FILES} files and {SCRATCH_MB} MB) and was ended."
DIED = "The process that computes answers {}. Ask again."
KINDS = {kind.__name__: kind for kind in errors.SandboxError.__subclasses__()}
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


@dataclass(frozen=True)
class Cell:
    """Code that ran, under an id of its own."""

    id: str
    code: str


class Worker:
    """Processes started when first needed and again after they ended; one call at a time."""

    def __init__(
        self, limits: Limits | None = None, *, launcher: Launcher | None = None, folder: Path | None = None
    ) -> None:
        self._limits = limits or Limits()
        self._launcher = launcher or shared()
        self._code_launcher = self._launcher
        self._base = folder
        self._folders: Folders | None = None
        self._engine: Process | None = None
        self._notebook: Process | None = None
        self._cells: list[Cell] = []
        self._mark = ""
        self._died = False
        """Whether the process of the last call has said that its run is over."""
        self._word = ""
        """The mark of what the notebook was told last; it says it back when it is ready for the next run."""
        self._turn = threading.Lock()
        self._stopped = threading.Event()
        self._converting: Process | None = None
        self._closed = False
        self._cell_over: threading.Event | None = None
        """Of the call that the notebook is at, if it is at one: a stop ends that and nothing else."""
        self._cell_lock = threading.Lock()

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
        self, code: str, tables: Mapping[str, Path], *, timeout: float = PROGRAM_SECONDS
    ) -> ProgramOutput:
        """Runs Python of ours in which `con` is a DuckDB connection with `tables` as views.

        It assigns `output`: a DataFrame, or a dictionary of DataFrames and JSON values.
        Raises ProgramFailed besides what `query` raises.
        """
        return self._engine_call({"do": "program", "code": code}, tables, timeout, _program_output)

    def convert(
        self, source: Path, target: Path, read: dict[str, Any], *, timeout: float = CONVERT_SECONDS
    ) -> dict[str, Any]:
        """Delimited text to Parquet, in a process of its own; see `sandbox.convert.convert`."""
        source, target = source.resolve(), target.resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        call = {"do": "convert", "read": read, "source": str(source), "target": str(target)}
        grant = self._grant(read=[str(source)], write=str(target.parent), file_mb=CONVERTED_FILE_MB)
        with self._turn:
            self._begin()
            process = self._converting = self._spawn("engine", grant)
            try:
                return self._ask(process, call, timeout, dict[str, Any])
            finally:
                self._converting = None
                process.close()

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
            rebuilt, notes = self._rebuild(history, paths, timeout)
            before = folders.seen()
            try:
                outcome = self._cell(code, paths, timeout)
            except errors.SandboxError as error:
                folders.remove_new(before, changed=isinstance(error, errors.DiskLimitExceeded))
                raise
            if outcome.failure is not None:
                folders.remove_new(before)
                return dataclasses.replace(outcome, rebuilt=rebuilt, notes=[*notes, *outcome.notes])
            self._cells = [*history, Cell(cell_id, code)]
            files, said = folders.changed(before)
            return dataclasses.replace(
                outcome,
                outputs=[*outcome.outputs, *files],
                rebuilt=rebuilt,
                notes=[*notes, *outcome.notes, *said],
            )

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
        return any(process is not None and process.running for process in (self._engine, self._notebook))

    @property
    def processes(self) -> list[int]:
        """The ids of the processes that were locked for it."""
        return [p.pid for p in (self._engine, self._notebook) if p is not None and p.running]

    def kill(self) -> None:
        """Ends what is running now: a call raises WorkerStopped. The notebook's variables stay."""
        self._stopped.set()
        for process in (self._engine, self._converting):
            if process is not None:
                process.kill()
        with self._cell_lock:
            notebook, over = self._notebook, self._cell_over
            if notebook is None or over is None:
                return
            notebook.tell(DROP)
        if not over.wait(LEAVING_SECONDS):
            # It did not come back from the run, so the variables are lost to a new process.
            notebook.kill()

    def rest(self) -> bool:
        """Ends the processes unless a call is running; returns whether it did."""
        if not self._turn.acquire(blocking=False):
            return False
        try:
            self._end_engine()
            self._end_notebook()
        finally:
            self._turn.release()
        return True

    def close(self) -> None:
        """Ends everything and removes the folders; later calls raise WorkerStopped."""
        self._closed = True
        self._stopped.set()
        for process in (self._engine, self._notebook, self._converting):
            if process is not None:
                process.kill()
        with self._turn:
            self._end_engine()
            self._end_notebook()
            if self._folders is not None:
                self._folders.remove()
                self._folders = None

    def _begin(self) -> None:
        """At the start of a call, with the turn."""
        if self._closed:
            raise errors.WorkerStopped(STOPPED)
        self._stopped.clear()

    def _engine_call(
        self, call: dict[str, Any], tables: Mapping[str, Path], timeout: float, read: Callable[[Any], T]
    ) -> T:
        with self._turn:
            self._begin()
            folders = self._opened()
            call |= {"tables": folders.link(tables)}
            if self._engine is None or not self._engine.running:
                self._end_engine()
                self._engine = self._spawn("engine", self._grant(read=[str(folders.data)]))
            process = self._engine
            try:
                process.tell(BUSY)
                return self._ask(process, call, timeout, read)
            except (errors.QueryFailed, errors.ProgramFailed):
                raise
            except BaseException:
                # Whatever it is doing, it does not end in time for the next call.
                self._end_engine()
                raise
            finally:
                process.tell(IDLE)

    def _rebuild(
        self, history: Sequence[Cell], paths: dict[str, str], timeout: float
    ) -> tuple[int, list[str]]:
        """Makes the live variables those of `history`; how many cells ran again, and what went wrong."""
        alive = self._notebook is not None and self._notebook.running
        if alive and self._cells == list(history) and self._ready():
            return 0, []
        self._end_notebook()
        folders = self._opened()
        grant = self._grant(read=[str(folders.data)], write=str(folders.scratch), forks=True)
        self._code_launcher = self._launcher.for_code(folders.data, folders.scratch)
        self._notebook = self._spawn("notebook", grant, self._code_launcher)
        notes = []
        for number, cell in enumerate(history, 1):
            try:
                failure = self._cell(cell.code, paths, timeout).failure
                reason = "" if failure is None else f"{failure.type}: {failure.message}"
            except (errors.WorkerStopped, errors.WorkerDied):
                self._end_notebook()
                raise
            except errors.SandboxError as error:
                reason = str(error)
            if reason:
                notes.append(f"Earlier code (run {number} of {len(history)}) did not run again: {reason}")
        self._cells = list(history)
        return len(history), notes

    def _cell(self, code: str, paths: dict[str, str], timeout: float) -> RunOutcome:
        process = self._notebook
        if process is None:
            raise errors.WorkerDied(DIED.format("ended after the run before"))
        scratch = str(self._opened().scratch)
        free = free_bytes(scratch)
        if not self._ready():
            self._end_notebook()
            raise errors.WorkerDied(DIED.format("did not come back from the run before"))
        over = threading.Event()
        with self._cell_lock:
            self._cell_over = over
        try:
            return self._finished(process, code, paths, timeout, scratch, free)
        finally:
            with self._cell_lock:
                self._cell_over = None
            over.set()

    def _finished(
        self, process: Process, code: str, paths: dict[str, str], timeout: float, scratch: str, free: int
    ) -> RunOutcome:
        """One call of the notebook to its end: it carries on, or is as it was before."""
        try:
            call = {"do": "run", "code": code, "tables": paths}
            outcome = self._ask(process, call, timeout, RunOutcome.from_json)
            with self._cell_lock:
                self._cell_over = None
            # It ended, and then the stop came.
            if self._stopped.is_set():
                raise errors.WorkerStopped(STOPPED)
            # Watched only now and then while it runs, and one run's files come to those of others.
            if outcome.failure is None and fills(scratch, free):
                raise errors.DiskLimitExceeded(FULL)
        except BaseException:
            self._drop(process)
            raise
        if outcome.failure is None:
            process.tell(KEEP)
            self._say(process, "keep")
        else:
            self._drop(process)
        return outcome

    def _drop(self, process: Process) -> None:
        """Kills the run, and waits until the process it was forked from is ready for the next."""
        process.tell(DROP)
        try:
            if not self._died:
                process.skip(_frame(r'"died": \d+', self._mark), time.monotonic() + LEAVING_SECONDS)
            self._say(process, "again")
        except (TimeOver, PipeEnded):
            self._end_notebook()

    def _ready(self) -> bool:
        """Whether the notebook took the last word; whatever a run has sent besides is passed over."""
        process, word = self._notebook, self._word
        self._word = ""
        if process is not None:
            process.tell(BUSY)
        try:
            if word and process is not None:
                process.skip(_frame('"ready": true', word), time.monotonic() + READY_SECONDS)
        except (TimeOver, PipeEnded):
            return False
        return True

    def _say(self, process: Process, word: str) -> None:
        self._word = secrets.token_hex(8)
        try:
            process.write(
                json.dumps({"do": word, "mark": self._word}).encode(), time.monotonic() + LEAVING_SECONDS
            )
        except (TimeOver, PipeEnded):
            self._end_notebook()

    def _ask(self, process: Process, call: dict[str, Any], timeout: float, read: Callable[[Any], T]) -> T:
        """Sends the call and reads its answer. Raises the errors that the process or its end mean."""
        # A stop that came before there was anything to stop.
        if self._stopped.is_set():
            raise errors.WorkerStopped(STOPPED)
        self._mark, self._died = secrets.token_hex(8), False
        message = json.dumps(call | {"seconds": timeout, "mark": self._mark}).encode()
        deadline = time.monotonic() + timeout
        try:
            process.write(message, deadline)
            answer = self._read(process, self._mark, deadline)
        except TimeOver:
            raise errors.TimeLimitExceeded(_too_long(timeout)) from None
        except PipeEnded:
            raise self._ended(process.reason(LEAVING_SECONDS)) from None
        if "ok" in answer:
            return _understood(read, answer["ok"])
        if "died" in answer:
            self._died = True
            raise self._ended(process.reason(0) or f"ended {_understood(int, answer['died'])}")
        kind, reason = _understood(_refusal, answer)
        raise kind(explained(kind, reason))

    def _read(self, process: Process, mark: str, deadline: float) -> dict[str, Any]:
        """The answer with this mark."""
        (size,) = HEADER.unpack(process.read(HEADER.size, deadline))
        if size <= self._limits.output_bytes + 1024:
            answer = _understood(_dictionary, process.read(size, deadline))
            if answer.get("mark") == mark:
                return answer
        raise errors.WorkerDied(DIED.format("sent something that is no answer"))

    def _ended(self, reason: str) -> errors.SandboxError:
        """What the end of a process means; `reason` is what the warm process said, or its status."""
        if self._stopped.is_set():
            return errors.WorkerStopped(STOPPED)
        if "disk" in reason:
            return errors.DiskLimitExceeded(FULL)
        if "threads" in reason:
            return errors.WorkerDied("The code started more than 256 threads and was ended.")
        digits = reason.rpartition("ended ")[2].strip()
        status = int(digits) if digits.isdigit() else 0
        ended_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        if ended_by == signal.SIGXCPU:
            return errors.TimeLimitExceeded("This took more processor time than a call may use.")
        if ended_by in (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS):
            return errors.MemoryLimitExceeded(explained(errors.MemoryLimitExceeded, ""))
        return errors.WorkerDied(DIED.format(f"ended ({reason or 'no reason given'})"))

    def _opened(self) -> Folders:
        if self._folders is None:
            self._folders = Folders(self._base)
        return self._folders

    def _grant(self, **what: Any) -> Grant:
        return Grant(memory_mb=self._limits.memory_mb, **what)

    def _spawn(self, kind: str, grant: Grant, launcher: Launcher | None = None) -> Process:
        settings = {name: getattr(self._limits, name) for name in ("engine_mb", "threads", "output_bytes")}
        return (launcher or self._launcher).spawn(kind, grant, settings)

    def _end_engine(self) -> None:
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def _end_notebook(self) -> None:
        if self._notebook is not None:
            self._notebook.close()
            self._notebook = None
        if self._code_launcher is not self._launcher:
            self._code_launcher.close()
            self._code_launcher = self._launcher
        self._cells = []
        self._word = ""


def _understood(read: Callable[[Any], T], data: Any) -> T:
    """`read(data)`; data of another form than an answer's raises WorkerDied."""
    try:
        return read(data)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise errors.WorkerDied(DIED.format("sent something that is no answer")) from error


def _frame(content: str, mark: str) -> re.Pattern[bytes]:
    """The end of a message that only says one thing, as `sandbox.worker` writes it."""
    return re.compile(rf'\{{{content}, "mark": "{mark}"\}}\Z'.encode())


def _dictionary(data: bytes) -> dict[str, Any]:
    # Millions of empty lists fit into few bytes, and would hold the whole app up while they are read.
    if data.count(b",") + data.count(b"[") + data.count(b"{") > MAX_PARTS:
        raise ValueError("an answer of too many parts")
    return dict(json.loads(data))


def _refusal(answer: dict[str, Any]) -> tuple[type[errors.SandboxError], str]:
    return KINDS[answer["error"]], str(answer["message"])


def _program_output(data: dict[str, Any]) -> ProgramOutput:
    tables = {name: Table.from_json(table) for name, table in data["tables"].items()}
    return ProgramOutput(tables, dict(data["values"]), str(data["stdout"]))


def _too_long(timeout: float) -> str:
    return (
        f"This took longer than {timeout:g} seconds and was stopped. "
        "Ask for less: fewer rows, fewer groups, or a narrower filter."
    )


def explained(kind: type[errors.SandboxError], message: str) -> str:
    """The message for a person."""
    if kind is errors.MemoryLimitExceeded:
        return (
            "This needs more memory than a query may use. Ask for less: fewer columns, fewer "
            "groups, or a narrower filter."
        )
    if kind is errors.OutputTooLarge:
        return f"The answer is too large to show ({message}). Group it, filter it, or ask for the top."
    first = message.split("\n\n")[0].strip()
    return first[:1000]

"""The parent's side of one worker: calls with a wall-clock limit, and a kill that always works.

DuckDB's own limits do not hold (a long list sum ignores its interrupt, its time limit and its memory
limit), so the clock runs here and the process is killed when it is over. What comes back is data from a
process that may have run anything: its size is capped, and what is no answer ends the worker.
"""

import contextlib
import dataclasses
import json
import math
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from sandbox import errors
from sandbox.table import Table
from sandbox.worker import HEADER

ROOT = Path(__file__).parent.parent
START = "import sys; sys.path.insert(0, sys.argv.pop(1)); from sandbox.worker import main; main()"
OUTPUT_BYTES = 64 * 1024 * 1024
ROW_LIMIT = 10_000
QUERY_SECONDS = 30.0
PROGRAM_SECONDS = 60.0
CONVERT_SECONDS = 600.0
WRITE_BYTES = 64 * 1024
LEAVING_SECONDS = 0.5
STOPPED = "Stopped."
DIED = "The process that computes answers {}. Ask again."
KINDS = {kind.__name__: kind for kind in errors.SandboxError.__subclasses__()}
T = TypeVar("T")
# Linux ends a child with the thread that started it, so one thread that stays starts them all.
STARTER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="worker-starter")
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "LD_LIBRARY_PATH")


@dataclass(frozen=True)
class Limits:
    """What one worker may use."""

    address_space_mb: int = 6144
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


class Worker:
    """One process, started when first needed and again after it was killed; one call at a time."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._process: subprocess.Popen[bytes] | None = None
        self._turn = threading.Lock()
        self._stopped = threading.Event()

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
        call = {"do": "query", "sql": sql, "tables": _paths(tables), "limit": limit}
        return self._call(call, timeout, Table.from_json)

    def program(
        self, code: str, tables: Mapping[str, Path], *, timeout: float = PROGRAM_SECONDS
    ) -> ProgramOutput:
        """Runs Python in which `con` is a DuckDB connection with `tables` as views.

        It assigns `output`: a DataFrame, or a dictionary of DataFrames and JSON values.
        Raises ProgramFailed besides what `query` raises.
        """
        call = {"do": "program", "code": code, "tables": _paths(tables)}
        return self._call(call, timeout, _program_output)

    def convert(
        self, source: Path, target: Path, read: dict[str, Any], *, timeout: float = CONVERT_SECONDS
    ) -> dict[str, Any]:
        """Delimited text to Parquet; see `sandbox.convert.convert`."""
        paths = {"source": str(source.resolve()), "target": str(target.resolve())}
        return self._call({"do": "convert", "read": read, **paths}, timeout, dict[str, Any])

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        process = self._process
        return process is not None and process.poll() is None

    def kill(self) -> None:
        """Ends the process now; a call that is running raises WorkerStopped."""
        self._stopped.set()
        process = self._process
        if process is not None and process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        # A running call still reads from the pipes; it closes them itself when it finds their end.
        self.rest()

    close = kill

    def rest(self) -> bool:
        """Ends the process unless a call is running; returns whether it did."""
        if not self._turn.acquire(blocking=False):
            return False
        try:
            self._end()
        finally:
            self._turn.release()
        return True

    def _call(self, call: dict[str, Any], timeout: float, read: Callable[[Any], T]) -> T:
        message = json.dumps(call | {"seconds": timeout}).encode()
        with self._turn:
            self._stopped.clear()
            process = self._started()
            try:
                # A kill that came before there was a process to kill.
                if self._stopped.is_set():
                    raise errors.WorkerStopped(STOPPED)
                answer = self._exchange(process, message, timeout)
                if "ok" in answer:
                    return _understood(read, answer["ok"])
                kind, reason = _understood(_refusal, answer)
            except BaseException:
                self._end()
                raise
        raise kind(explained(kind, reason))

    def _exchange(self, process: subprocess.Popen[bytes], message: bytes, timeout: float) -> dict[str, Any]:
        deadline = time.monotonic() + timeout
        self._write(process, HEADER.pack(len(message)) + message, deadline, timeout)
        (size,) = HEADER.unpack(self._read(process, HEADER.size, deadline, timeout))
        if size > self._limits.output_bytes + 1024:
            raise errors.OutputTooLarge(explained(errors.OutputTooLarge, f"{size / 1e6:,.0f} MB"))
        return _understood(_dictionary, self._read(process, size, deadline, timeout))

    def _write(self, process: subprocess.Popen[bytes], data: bytes, deadline: float, timeout: float) -> None:
        assert process.stdin is not None
        descriptor = process.stdin.fileno()
        os.set_blocking(descriptor, False)
        left = memoryview(data)
        try:
            while left:
                if not _ready(descriptor, select.POLLOUT, deadline):
                    raise _too_long(timeout)
                left = left[os.write(descriptor, left[:WRITE_BYTES]) :]
        except BrokenPipeError:
            raise self._ended(process) from None

    def _read(self, process: subprocess.Popen[bytes], size: int, deadline: float, timeout: float) -> bytes:
        assert process.stdout is not None
        descriptor = process.stdout.fileno()
        data = bytearray()
        while len(data) < size:
            if not _ready(descriptor, select.POLLIN, deadline):
                raise _too_long(timeout)
            piece = os.read(descriptor, min(size - len(data), 1 << 20))
            if not piece:
                raise self._ended(process)
            data += piece
        return bytes(data)

    def _ended(self, process: subprocess.Popen[bytes]) -> errors.SandboxError:
        if self._stopped.is_set():
            return errors.WorkerStopped(STOPPED)
        try:
            code = process.wait(LEAVING_SECONDS)
        except subprocess.TimeoutExpired:
            return errors.WorkerDied(DIED.format("closed its pipe"))
        if code == -signal.SIGXCPU:
            return errors.TimeLimitExceeded("This took more processor time than a call may use.")
        if code in (-signal.SIGKILL, -signal.SIGSEGV, -signal.SIGABRT):
            return errors.MemoryLimitExceeded(explained(errors.MemoryLimitExceeded, ""))
        return errors.WorkerDied(DIED.format(f"ended with code {code}"))

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._process = STARTER.submit(_start, self._limits).result()
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue


def _start(limits: Limits) -> subprocess.Popen[bytes]:
    settings = dataclasses.asdict(limits) | {"parent": os.getpid()}
    clean = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    clean |= {"HOME": tempfile.gettempdir(), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-I", "-c", START, str(ROOT), json.dumps(settings)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=clean,
        cwd=tempfile.gettempdir(),
        start_new_session=True,
    )


def _ready(descriptor: int, event: int, deadline: float) -> bool:
    """Whether the pipe can be used, or its other end is gone, before the deadline."""
    left = deadline - time.monotonic()
    poll = select.poll()
    poll.register(descriptor, event)
    return left > 0 and bool(poll.poll(math.ceil(left * 1000)))


def _understood(read: Callable[[Any], T], data: Any) -> T:
    """`read(data)`; data of another form than an answer's raises WorkerDied."""
    try:
        return read(data)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise errors.WorkerDied(DIED.format("sent something that is no answer")) from error


def _dictionary(data: bytes) -> dict[str, Any]:
    return dict(json.loads(data))


def _refusal(answer: dict[str, Any]) -> tuple[type[errors.SandboxError], str]:
    return KINDS[answer["error"]], str(answer["message"])


def _program_output(data: dict[str, Any]) -> ProgramOutput:
    tables = {name: Table.from_json(table) for name, table in data["tables"].items()}
    return ProgramOutput(tables, dict(data["values"]), str(data["stdout"]))


def _too_long(timeout: float) -> errors.TimeLimitExceeded:
    return errors.TimeLimitExceeded(
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


def _paths(tables: Mapping[str, Path]) -> dict[str, str]:
    return {name: str(path.resolve()) for name, path in tables.items()}

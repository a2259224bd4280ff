"""The parent's side of one worker: calls with a wall-clock limit, and a kill that always works.

DuckDB's own limits do not hold (a long list sum ignores its interrupt, its time limit and its memory
limit), so the clock runs here and the process is killed when it is over.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
        return Table.from_json(self._call(call, timeout))

    def program(
        self, code: str, tables: Mapping[str, Path], *, timeout: float = PROGRAM_SECONDS
    ) -> ProgramOutput:
        """Runs Python in which `con` is a DuckDB connection with `tables` as views.

        It assigns `output`: a DataFrame, or a dictionary of DataFrames and JSON values.
        Raises ProgramFailed besides what `query` raises.
        """
        call = {"do": "program", "code": code, "tables": _paths(tables)}
        data = self._call(call, timeout)
        named = {name: Table.from_json(table) for name, table in data["tables"].items()}
        return ProgramOutput(named, data["values"], data["stdout"])

    def convert(
        self, source: Path, target: Path, read: dict[str, Any], *, timeout: float = CONVERT_SECONDS
    ) -> dict[str, Any]:
        """Delimited text to Parquet; see `sandbox.convert.convert`."""
        paths = {"source": str(source.resolve()), "target": str(target.resolve())}
        return dict(self._call({"do": "convert", "read": read, **paths}, timeout))

    @property
    def busy(self) -> bool:
        """Whether a call is running."""
        return self._turn.locked()

    def kill(self) -> None:
        """Ends the process now; a call that is running raises WorkerStopped."""
        self._stopped.set()
        process = self._process
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        # A running call still reads from the pipes; it closes them itself when it finds their end.
        if self._turn.acquire(blocking=False):
            try:
                self._end()
            finally:
                self._turn.release()

    close = kill

    def _call(self, call: dict[str, Any], timeout: float) -> Any:
        with self._turn:
            self._stopped.clear()
            process = self._running()
            try:
                answer = self._exchange(process, json.dumps(call).encode(), timeout)
            except BaseException:
                self._end()
                raise
        if "ok" in answer:
            return answer["ok"]
        kind: type[errors.SandboxError] = getattr(errors, answer["error"])
        raise kind(explained(kind, answer["message"]))

    def _exchange(self, process: subprocess.Popen[bytes], message: bytes, timeout: float) -> dict[str, Any]:
        assert process.stdin is not None and process.stdout is not None
        deadline = time.monotonic() + timeout
        try:
            process.stdin.write(HEADER.pack(len(message)) + message)
            process.stdin.flush()
        except BrokenPipeError:
            raise self._ended(process) from None
        (size,) = HEADER.unpack(self._read(process, HEADER.size, deadline, timeout))
        if size > self._limits.output_bytes + 1024:
            raise errors.OutputTooLarge(explained(errors.OutputTooLarge, f"{size} bytes"))
        answer: dict[str, Any] = json.loads(self._read(process, size, deadline, timeout))
        return answer

    def _read(self, process: subprocess.Popen[bytes], size: int, deadline: float, timeout: float) -> bytes:
        assert process.stdout is not None
        descriptor = process.stdout.fileno()
        data = bytearray()
        while len(data) < size:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                raise errors.TimeLimitExceeded(
                    f"This took longer than {timeout:g} seconds and was stopped. "
                    "Ask for less: fewer rows, fewer groups, or a narrower filter."
                )
            piece = os.read(descriptor, min(size - len(data), 1 << 20))
            if not piece:
                raise self._ended(process)
            data += piece
        return bytes(data)

    def _ended(self, process: subprocess.Popen[bytes]) -> errors.SandboxError:
        if self._stopped.is_set():
            return errors.WorkerStopped("Stopped.")
        code = process.wait()
        if code in (-signal.SIGKILL, -signal.SIGSEGV, -signal.SIGABRT):
            return errors.MemoryLimitExceeded(explained(errors.MemoryLimitExceeded, ""))
        return errors.WorkerDied(f"The process that computes answers ended with code {code}. Ask again.")

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._process = self._start()
        return self._process

    def _start(self) -> subprocess.Popen[bytes]:
        settings = {name: getattr(self._limits, name) for name in Limits.__dataclass_fields__}
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

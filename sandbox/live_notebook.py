"""A conversation's live variables, from the app's side: each cell runs in a fork of the process with them.

A cell that succeeds leaves its fork as that process; after one that fails, or is stopped, the variables are
as they were before it.
"""

import dataclasses
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox import errors
from sandbox.exchange import DIED, FULL, LEAVING_SECONDS, STOPPED, await_death, await_ready, tell
from sandbox.folders import Folders
from sandbox.launcher import Launcher, PipeEnded, Process, TimeOver
from sandbox.outcome import RunOutcome
from sandbox.processes import fills, free_bytes
from sandbox.warm import BUSY, DROP, KEEP

READY_SECONDS = 2.0
Spawn = Callable[[Launcher], Process]
Ask = Callable[[Process, dict[str, Any], float], RunOutcome]


@dataclass(frozen=True)
class Cell:
    """Code that ran, under an id of its own."""

    id: str
    code: str


class LiveNotebook:
    """Its process is started when first needed and again after it ended; one run at a time."""

    def __init__(self, launcher: Launcher, spawn: Spawn, ask: Ask, stopped: threading.Event) -> None:
        """`stopped` is set by who calls `stop`, and cleared at the start of a run."""
        self.process: Process | None = None
        self._launcher = launcher
        self._code_launcher = launcher
        self._spawn = spawn
        self._ask = ask
        self._stopped = stopped
        self._cells: list[Cell] = []
        self._over: threading.Event | None = None
        """Of the run that it is at, if it is at one: a stop ends that and nothing else."""
        self._lock = threading.Lock()

    def run(
        self,
        code: str,
        paths: dict[str, str],
        folders: Folders,
        *,
        history: Sequence[Cell],
        cell_id: str,
        timeout: float,
    ) -> RunOutcome:
        """As `sandbox.client.Worker.run` says, with tables that are linked into `folders`."""
        rebuilt, notes = self._rebuild(history, paths, folders, timeout)
        before = folders.seen()
        try:
            outcome = self._cell(code, paths, str(folders.scratch), timeout)
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

    def stop(self) -> None:
        """Ends the run that it is at; the variables stay."""
        with self._lock:
            process, over = self.process, self._over
            if process is None or over is None:
                return
            process.tell(DROP)
        if not over.wait(LEAVING_SECONDS):
            # It did not come back from the run, so the variables are lost to a new process.
            process.kill()

    def end(self) -> None:
        """Ends the process; the next run makes the variables again."""
        if self.process is not None:
            self.process.close()
            self.process = None
        if self._code_launcher is not self._launcher:
            self._code_launcher.close()
            self._code_launcher = self._launcher
        self._cells = []

    def _rebuild(
        self, history: Sequence[Cell], paths: dict[str, str], folders: Folders, timeout: float
    ) -> tuple[int, list[str]]:
        """Makes the live variables those of `history`; how many cells ran again, and what went wrong."""
        alive = self.process is not None and self.process.running
        if alive and self._cells == list(history) and self._ready():
            return 0, []
        self.end()
        self._code_launcher = self._launcher.for_code(folders.data, folders.scratch)
        self.process = self._spawn(self._code_launcher)
        notes = []
        for number, cell in enumerate(history, 1):
            try:
                failure = self._cell(cell.code, paths, str(folders.scratch), timeout).failure
                reason = "" if failure is None else f"{failure.type}: {failure.message}"
            except (errors.WorkerStopped, errors.WorkerDied):
                self.end()
                raise
            except errors.SandboxError as error:
                reason = str(error)
            if reason:
                notes.append(f"Earlier code (run {number} of {len(history)}) did not run again: {reason}")
        self._cells = list(history)
        return len(history), notes

    def _cell(self, code: str, paths: dict[str, str], scratch: str, timeout: float) -> RunOutcome:
        process = self.process
        if process is None:
            raise errors.WorkerDied(DIED.format("ended after the run before"))
        free = free_bytes(scratch)
        if not self._ready():
            self.end()
            raise errors.WorkerDied(DIED.format("did not come back from the run before"))
        over = threading.Event()
        with self._lock:
            self._over = over
        try:
            return self._finished(process, code, paths, timeout, scratch, free)
        finally:
            with self._lock:
                self._over = None
            over.set()

    def _finished(
        self, process: Process, code: str, paths: dict[str, str], timeout: float, scratch: str, free: int
    ) -> RunOutcome:
        """One call of the process to its end: it carries on, or is as it was before."""
        try:
            outcome = self._ask(process, {"do": "run", "code": code, "tables": paths}, timeout)
            with self._lock:
                self._over = None
            # It ended, and then the stop came.
            if self._stopped.is_set():
                raise errors.WorkerStopped(STOPPED)
            # Watched only now and then while it runs, and one run's files come to those of others.
            if outcome.failure is None and fills(scratch, free):
                raise errors.DiskLimitExceeded(FULL)
        except BaseException:
            self._drop(process)
            raise
        if outcome.failure is not None:
            self._drop(process)
            return outcome
        process.tell(KEEP)
        try:
            tell(process, "keep")
        except (TimeOver, PipeEnded):
            self.end()
        return outcome

    def _drop(self, process: Process) -> None:
        """Kills the run, and waits until the process it was forked from is ready for the next."""
        process.tell(DROP)
        try:
            await_death(process, LEAVING_SECONDS)
            tell(process, "again")
        except (TimeOver, PipeEnded):
            self.end()

    def _ready(self) -> bool:
        """Whether the process took the last word; whatever a run has sent besides is passed over."""
        if self.process is None:
            return True
        self.process.tell(BUSY)
        try:
            await_ready(self.process, READY_SECONDS)
        except (TimeOver, PipeEnded):
            return False
        return True

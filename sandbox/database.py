"""A locked process that reads one database file where it lies, and nothing else."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from sandbox.client import Worker
from sandbox.exchange import Progress

T = TypeVar("T")
FILE = "database"
"""How a program finds the file in `files`."""


class DatabaseWorker(Worker):
    """Runs programs of ours that find the file under its own path; other workers get links to what they read.

    The file may be large, on another disk, and in use by others.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path.resolve()

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
            call |= {"tables": {}, "files": {FILE: str(self._path)}}
            if self._engine is None or not self._engine.running:
                self._end_engine()
                # What was written last is in a second file, until its writer closes it.
                wal = self._path.with_name(f"{self._path.name}.wal")
                there = [str(path) for path in (self._path, wal) if path.exists()]
                self._engine = self._spawn("engine", self._grant(read=there))
            try:
                return self._ask(self._engine, call, timeout, read, progress)
            except BaseException:
                self._end_engine()
                raise

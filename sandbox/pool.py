"""Which conversation has which worker; the process not used for longest makes room.

A worker stays its conversation's own after its process ended: whoever still holds it starts a process
that the pool knows, can stop and counts.
"""

import threading
from collections import OrderedDict
from pathlib import Path

from sandbox.client import Limits, Worker
from sandbox.errors import WorkerStopped
from sandbox.isolation import Isolation
from sandbox.launcher import Launcher, shared
from sandbox.places import Place

MAX_WORKERS = 8


class WorkerPool:
    """Workers by key; starting one is cheap until its first call."""

    def __init__(
        self,
        max_workers: int = MAX_WORKERS,
        limits: Limits | None = None,
        *,
        folder: Path | None = None,
        launcher: Launcher | None = None,
    ) -> None:
        """`folder` is where workers have their folders: on the datasets' disk, so that links suffice."""
        self._limits = limits
        self._max_workers = max_workers
        self._launcher = launcher or shared()
        self._place = Place(folder) if folder is not None else None
        self._workers: OrderedDict[str, Worker] = OrderedDict()
        self._lock = threading.Lock()
        self._closed = False

    @property
    def isolation(self) -> Isolation:
        """What keeps somebody's code in."""
        return self._launcher.isolation

    def warm(self) -> None:
        """Starts what workers are forked from, so that the first of them need not wait."""
        self._launcher.warm()

    def worker(self, key: str) -> Worker:
        """The worker of `key`. Raises WorkerStopped once the pool was closed."""
        with self._lock:
            if self._closed:
                raise WorkerStopped("The app is shutting down. Ask again when it is back.")
            worker = self._workers.get(key)
            if worker is None:
                folder = self._place.path if self._place else None
                worker = Worker(self._limits, launcher=self._launcher, folder=folder)
                self._workers[key] = worker
            self._workers.move_to_end(key)
            others = [w for w in self._workers.values() if w.running and w is not worker]
        surplus = len(others) + 1 - self._max_workers
        for idle in others:
            if surplus > 0 and idle.rest():
                surplus -= 1
        return worker

    def kill(self, key: str) -> None:
        """Stops what `key`'s worker is doing."""
        with self._lock:
            worker = self._workers.get(key)
        if worker is not None:
            worker.kill()

    def forget(self, key: str) -> None:
        """Ends `key`'s worker for good and removes its files."""
        with self._lock:
            worker = self._workers.pop(key, None)
        if worker is not None:
            worker.close()

    def close(self) -> None:
        """Ends every worker."""
        with self._lock:
            self._closed = True
            workers = list(self._workers.values())
            self._workers.clear()
        for worker in workers:
            worker.close()
        if self._place is not None:
            self._place.close()

"""Which conversation has which worker; the one not used for longest makes room."""

import threading
from collections import OrderedDict

from sandbox.client import Limits, Worker

MAX_WORKERS = 8


class WorkerPool:
    """Workers by key; starting one is cheap until its first call."""

    def __init__(self, max_workers: int = MAX_WORKERS, limits: Limits | None = None) -> None:
        self._limits = limits
        self._max_workers = max_workers
        self._workers: OrderedDict[str, Worker] = OrderedDict()
        self._lock = threading.Lock()

    def worker(self, key: str) -> Worker:
        """The worker of `key`."""
        with self._lock:
            worker = self._workers.get(key)
            if worker is None:
                worker = self._workers[key] = Worker(self._limits)
            self._workers.move_to_end(key)
            idle = [k for k, w in self._workers.items() if not w.busy and k != key]
            surplus = len(self._workers) - self._max_workers
            leaving = [self._workers.pop(k) for k in idle[: max(surplus, 0)]]
        for old in leaving:
            old.close()
        return worker

    def kill(self, key: str) -> None:
        """Stops what `key`'s worker is doing."""
        with self._lock:
            worker = self._workers.get(key)
        if worker is not None:
            worker.kill()

    def close(self) -> None:
        """Ends every worker."""
        with self._lock:
            workers = list(self._workers.values())
            self._workers.clear()
        for worker in workers:
            worker.close()

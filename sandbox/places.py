"""A folder for the workers of one app process; what a killed app left is removed by the next one."""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

LOCK = "in-use"


class Place:
    """A new folder beneath `base`, locked while this process lives."""

    def __init__(self, base: Path) -> None:
        base.mkdir(parents=True, exist_ok=True, mode=0o700)
        _sweep(base)
        self.path = Path(tempfile.mkdtemp(prefix="app-", dir=base))
        self._lock = os.open(self.path / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def close(self) -> None:
        """Removes it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def _sweep(base: Path) -> None:
    for folder in base.glob("app-*"):
        try:
            lock = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            # It was made this very moment, or is not ours to remove.
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(lock)

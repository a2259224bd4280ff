"""What tools work with: the store and the worker processes of this server, opened once.

The page opens it at start; `adk web` and `adk run` open it at the first use.
"""

import asyncio
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from weakref import WeakValueDictionary

from agents.settings import Settings
from analysis.remote.connections import Connections
from sandbox.launcher import shared
from sandbox.pool import WorkerPool
from storage.keys import SessionKey
from storage.store import Store


class Workspace:
    """Store and pool under one home. Raises StoreUnavailable when the home cannot be used."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._temporary = None if settings.persistent else tempfile.TemporaryDirectory()
        home = Path(self._temporary.name) if self._temporary else settings.home
        url = settings.database_url
        self.store = Store(
            home,
            url=url.get_secret_value() if url and settings.persistent else None,
            persistent=settings.persistent,
            expires_after=None if settings.expiry_hours is None else settings.expiry_hours * 3600,
        )
        self.pool = WorkerPool(folder=self.store.home / "workers", launcher=shared(settings.code_isolation))
        self.connections = Connections(settings.connections, settings.connection_timeout_seconds)
        self.progress: Callable[[SessionKey, float, str], None] = lambda key, part, text: None
        """Hears how far a tool of a session is: a part between 0 and 1, and words."""
        self._code_locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def code_lock(self, session_id: str) -> asyncio.Lock:
        """Held while code of a session runs: each run builds on the one before."""
        return self._code_locks.setdefault(session_id, asyncio.Lock())

    def close(self) -> None:
        """Ends the workers and closes the store."""
        self.pool.close()
        self.connections.close()
        self.store.close()
        if self._temporary:
            self._temporary.cleanup()


_lock = threading.Lock()
_opened: Workspace | None = None


def open_workspace(settings: Settings) -> Workspace:
    """Opens the process's workspace, or returns the one that is open."""
    global _opened
    with _lock:
        if _opened is None:
            _opened = Workspace(settings)
        return _opened


def workspace() -> Workspace:
    """The process's workspace, opened with default settings if need be."""
    return open_workspace(Settings.load()) if _opened is None else _opened


def close_workspace() -> None:
    """Closes it; the next use opens it anew."""
    global _opened
    with _lock:
        opened, _opened = _opened, None
    if opened is not None:
        opened.close()

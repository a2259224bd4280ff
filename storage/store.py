"""Everything that is kept, opened from one home folder."""

import time
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from storage.conversations import Conversations
from storage.database import open_database
from storage.datasets import Datasets
from storage.ingests import IngestRecords
from storage.models import Models
from storage.results import Results
from storage.session_states import SessionStates
from storage.sweeper import Swept, sweep
from storage.tickets import Tickets
from storage.turns import TurnRecords
from storage.uploads import Uploads
from storage.urls import DATABASE_NAME

if TYPE_CHECKING:
    from google.adk.artifacts.base_artifact_service import BaseArtifactService
    from google.adk.sessions.base_session_service import BaseSessionService

    from storage.sessions import DatabaseSessionService


class Store:
    """The database (at `url`, else in `home`) and the files under `home`.

    Raises StoreUnavailable when they cannot be used.

    `sessions` and `artifacts` import ADK when first used; the rest does not.
    """

    def __init__(
        self,
        home: Path,
        *,
        url: str | None = None,
        persistent: bool = True,
        expires_after: float | None = None,
    ) -> None:
        self.persistent = persistent
        self.home = home
        self.expires_after = expires_after
        self.database = open_database(url or str(home / DATABASE_NAME))
        self.session_states = SessionStates(self.database)
        self.conversations = Conversations(self.database)
        self.turns = TurnRecords(self.database)
        self.results = Results(self.database)
        self.datasets = Datasets(self.database, home / "datasets")
        self.models = Models(home / "models")
        self.uploads = Uploads(home / "uploads")
        self.tickets = Tickets(home / "tickets")
        self.ingests = IngestRecords(home / "ingests")
        self._lock = Lock()

    @cached_property
    def sessions(self) -> "BaseSessionService":
        """The session service; ADK's in-memory one when the store is not persistent."""
        if self.persistent:
            return self.database_sessions
        from google.adk.sessions.in_memory_session_service import InMemorySessionService

        with self._lock:
            return InMemorySessionService()

    @cached_property
    def database_sessions(self) -> "DatabaseSessionService":
        """Our session service on the store's database."""
        from storage.sessions import DatabaseSessionService

        with self._lock:
            return DatabaseSessionService(database=self.database, expires_after=self.expires_after)

    def sweep(self) -> Swept:
        """Expires and deletes what has to go."""
        moment = time.time()
        self.tickets.sweep(moment)
        self.ingests.sweep(moment)
        self.models.sweep(self.conversations.keys())
        return sweep(self.database, self.home / "datasets", moment, self.uploads)

    @cached_property
    def artifacts(self) -> "BaseArtifactService":
        """ADK's file artifact service under `home/artifacts`."""
        from google.adk.artifacts.file_artifact_service import FileArtifactService

        return FileArtifactService(root_dir=str(self.home / "artifacts"))

    def close(self) -> None:
        """Finishes queued writes and closes the database."""
        self.database.close()

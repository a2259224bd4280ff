"""What is being made of uploaded files: one JSON file for each under `home/ingests`.

Kept so that a server that comes back, or another one of the same home, can go on with it.
"""

import fcntl
import json
import re
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

from storage.keys import SessionKey

KEPT_SECONDS = 7 * 86_400.0
IDENTIFIER = re.compile(r"[0-9a-f]{32}")
RUNNING = ("fetching", "reading", "converting")


@dataclass
class IngestRecord:
    """One file on its way to datasets. Times are Unix seconds."""

    id: str
    """That of its upload, where it was one."""
    session: SessionKey
    file_name: str
    state: str = "reading"
    """fetching (from a URL or a folder), reading, asking (which tables), converting, done or failed."""
    sha256: str = ""
    size: int = 0
    source: str = ""
    """The path or URL that it is fetched from."""
    upload_id: str = ""
    """Where the bytes are until they are in their place."""
    options: dict[str, Any] | None = None
    """How to read it, where somebody said so."""
    name: str = ""
    """What the table that is read again is called."""
    displaced: list[str] = field(default_factory=list)
    """Ids of datasets of the conversation that made room; they come back if this is cancelled."""
    parts: list[str] = field(default_factory=list)
    """Names of the tables in the file."""
    ask: bool = True
    """Whether somebody is asked which, where there are many."""
    chosen: list[str] | None = None
    """Those to read; None for all."""
    datasets: list[str] = field(default_factory=list)
    """Ids of what was made so far."""
    error: str = ""
    owner: str = ""
    """The server process that works at it."""
    created_at: float = field(default_factory=time.time)

    @property
    def running(self) -> bool:
        """Whether a server works at it, or should."""
        return self.state in RUNNING


class IngestRecords:
    """Records under one folder; every call is safe from any thread and process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, record: IngestRecord) -> bool:
        """Stores a new one; False where there is one of its id."""
        with self._locked():
            if self.get(record.id) is not None:
                return False
            self.save(record)
            return True

    def save(self, record: IngestRecord) -> None:
        """Stores it as it is now, whole or not at all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(record)
        unnamed = path.with_suffix(".new")
        unnamed.write_text(json.dumps(asdict(record)))
        unnamed.replace(path)
        if record.state == "done":
            path.with_suffix(".json").unlink(missing_ok=True)

    def claim(self, record_id: str, owner: str, alive: Collection[str]) -> IngestRecord | None:
        """Takes over one that no living server works at; None where one does."""
        with self._locked():
            record = self.get(record_id)
            if record is None or not record.running or record.owner in alive:
                return None
            record.owner = owner
            self.save(record)
            return record

    def get(self, record_id: str) -> IngestRecord | None:
        """One of them by its id."""
        if not IDENTIFIER.fullmatch(record_id):
            return None
        for suffix in (".json", ".done"):
            try:
                state = json.loads((self._folder / f"{record_id}{suffix}").read_text())
            except FileNotFoundError:
                continue
            return IngestRecord(**state | {"session": SessionKey(**state["session"])})
        return None

    def open(self) -> list[IngestRecord]:
        """Every one that is not done, oldest first."""
        found = [self.get(path.stem) for path in self._folder.glob("*.json")]
        return sorted((record for record in found if record is not None), key=lambda r: r.created_at)

    def delete(self, record_id: str) -> None:
        """Forgets it."""
        for suffix in (".json", ".done"):
            (self._folder / f"{record_id}{suffix}").unlink(missing_ok=True)

    def sweep(self, moment: float) -> None:
        """Forgets those that nothing was said of for a week before `moment`."""
        for path in self._folder.glob("*.*"):
            if path.stat().st_mtime + KEPT_SECONDS < moment:
                path.unlink(missing_ok=True)

    def _path(self, record: IngestRecord) -> Path:
        # Those that are done lie apart: the others are looked for at every visit of the page.
        return self._folder / f"{record.id}{'.done' if record.state == 'done' else '.json'}"

    @contextmanager
    def _locked(self) -> Iterator[TextIO]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file

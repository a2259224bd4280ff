"""What lets a page send files for one person into one conversation, without the person's token.

Random, and kept as files named by their hashes under `home/tickets`: every server of the home knows
them, also after a restart, and who can list the folder has none of them. Each use makes it last longer.
"""

import hashlib
import json
import os
import secrets
import time
from dataclasses import asdict
from pathlib import Path

from storage.keys import SessionKey

IDLE_SECONDS = 2 * 3600.0
LONGEST = 200


class Tickets:
    """Tickets under one folder; every call is safe from any thread and process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def issue(self, key: SessionKey) -> str:
        """A new one."""
        ticket = secrets.token_urlsafe(32)
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(ticket)
        unnamed = path.with_suffix(".new")
        unnamed.write_text(json.dumps(asdict(key)))
        unnamed.replace(path)
        return ticket

    def holder(self, ticket: str) -> SessionKey | None:
        """The conversation that it is for; None when it is unknown or was not used for long."""
        path = self._path(ticket[:LONGEST])
        try:
            if path.stat().st_mtime + IDLE_SECONDS < time.time():
                return None
            key = SessionKey(**json.loads(path.read_text()))
            os.utime(path)
        except FileNotFoundError:
            return None
        return key

    def sweep(self, moment: float) -> None:
        """Deletes those that ended before `moment`."""
        for path in self._folder.glob("*"):
            if path.stat().st_mtime + IDLE_SECONDS < moment:
                path.unlink(missing_ok=True)

    def _path(self, ticket: str) -> Path:
        return self._folder / hashlib.sha256(ticket.encode()).hexdigest()

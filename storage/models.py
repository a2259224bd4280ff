"""Trained models as files: a folder a session, each file named by its hash.

A model is a pickle, and whoever can put one in place can run code where it is loaded. So it is saved only
here, handed out only to the session that made it and with its hash checked, and loaded only in the locked
worker. It never leaves in an exported conversation, nor comes in with one.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from storage.errors import NotFound
from storage.keys import SessionKey

SHA256 = re.compile("[0-9a-f]{64}")


class Models:
    """The models of all sessions, beneath one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, key: SessionKey, data: bytes) -> str:
        """Keeps a model with its session; returns its hash."""
        sha256 = hashlib.sha256(data).hexdigest()
        place = self._of(key) / f"{sha256}.model"
        place.parent.mkdir(parents=True, exist_ok=True)
        unfinished = place.with_suffix(f".{os.getpid()}")
        unfinished.write_bytes(data)
        unfinished.replace(place)
        return sha256

    def path(self, key: SessionKey, sha256: str) -> Path:
        """The session's model of that hash, checked. Raises NotFound when it is not here, or another."""
        gone = "The model's file is not here. Train it again."
        if not SHA256.fullmatch(sha256):
            raise NotFound(gone)
        place = self._of(key) / f"{sha256}.model"
        try:
            data = place.read_bytes()
        except OSError as error:
            raise NotFound(gone) from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise NotFound("The model's file was changed, so it is not used. Train it again.")
        return place

    def copy(self, key: SessionKey, other: SessionKey) -> None:
        """Gives a session's models to its duplicate."""
        if self._of(key).is_dir():
            shutil.copytree(self._of(key), self._of(other), dirs_exist_ok=True)

    def delete(self, key: SessionKey) -> None:
        """Removes a session's models."""
        shutil.rmtree(self._of(key), ignore_errors=True)

    def sweep(self, kept: Iterable[SessionKey]) -> int:
        """Removes the models of all other sessions; how many sessions those were."""
        names = {self._of(key).name for key in kept}
        folders = self._folder.iterdir() if self._folder.is_dir() else iter(())
        gone = [folder for folder in folders if folder.is_dir() and folder.name not in names]
        for folder in gone:
            shutil.rmtree(folder, ignore_errors=True)
        return len(gone)

    def _of(self, key: SessionKey) -> Path:
        parts = (key.app_name, key.user_id, key.session_id)
        return self._folder / hashlib.sha256("\0".join(parts).encode()).hexdigest()

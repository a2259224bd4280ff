"""Files on their way in: appended piece by piece, and resumed where they broke off.

Each has a folder `home/uploads/<id>/` with `data`, whose size is how far it is, and `upload.json`. A piece is
written only where the file ends, so of two writers one is told that it is late, whichever server it asks; and
what a killed server had written counts.
"""

import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import threading
import time
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from storage.datasets import CHUNK_BYTES, TooLarge
from storage.errors import NotFound, StorageError
from storage.keys import SessionKey

EXPIRY_SECONDS = 86_400.0
"""An upload that nothing was added to for so long is deleted."""
SPARE_BYTES = 64_000_000
"""What stays free on the disk."""
SYNC_BYTES = 64 * 1024 * 1024
"""How often bytes are forced to the disk, so that a large file does not wait for all of them at its end."""
IDENTIFIER = re.compile(r"[0-9a-f]{32}")
DATA, STATE = "data", "upload.json"


class WrongOffset(StorageError):
    """The piece does not begin where the file ends."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"The upload is at byte {offset:,}.")
        self.offset = offset


class DiskFull(StorageError):
    """The file does not fit on the server's disk."""


@dataclass(frozen=True)
class Upload:
    """A file that is being sent. Times are Unix seconds."""

    id: str
    user_id: str
    session: SessionKey | None
    """Where its tables belong; None for a conversation that is made when it is whole."""
    file_name: str
    size: int
    offset: int
    """Bytes that are there."""
    touched_at: float
    modified: str = ""
    """What the sender knows the file by, besides name and size."""

    @property
    def whole(self) -> bool:
        """Whether every byte is there."""
        return self.offset == self.size

    @property
    def expires_at(self) -> float:
        """When it is deleted unless more comes."""
        return self.touched_at + EXPIRY_SECONDS


class Uploads:
    """Uploads under one folder; every call is safe from any thread and process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._digests: dict[str, tuple[Any, int]] = {}
        """SHA-256 of what this process wrote, up to which byte; where it is behind, the file is read."""
        self._lock = threading.Lock()

    def create(
        self,
        user_id: str,
        session: SessionKey | None,
        file_name: str,
        size: int,
        limit_bytes: int,
        *,
        modified: str = "",
    ) -> Upload:
        """Makes an empty one. Raises TooLarge and DiskFull before a byte is sent."""
        if size > limit_bytes:
            raise TooLarge(
                f"{file_name} has {size / 1e6:,.1f} MB; at most {limit_bytes / 1e6:,.0f} MB are taken."
                " Upload a part of it, or raise UPLOAD_LIMIT_MB."
            )
        self._folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self._folder).free - SPARE_BYTES
        if size > free:
            raise DiskFull(_full(f"{max(free, 0) / 1e6:,.0f} MB are free, {file_name} has {size / 1e6:,.0f}"))
        made = Upload(uuid.uuid4().hex, user_id, session, file_name, size, 0, time.time(), modified)
        folder = self._folder / made.id
        try:
            folder.mkdir()
            (folder / DATA).touch()
            unnamed = folder / f"{STATE}.new"
            unnamed.write_text(json.dumps(_state(made)))
            unnamed.replace(folder / STATE)
        except OSError as error:
            raise _failure(error) from error
        return made

    def get(self, user_id: str, upload_id: str) -> Upload:
        """One of the user's uploads. Raises NotFound."""
        found = self._read(upload_id)
        if found is None or found.user_id != user_id:
            raise NotFound("There is no such upload: it was finished, cancelled or has expired.")
        return found

    def all(self) -> list[Upload]:
        """Everybody's, in no order."""
        found = [self._read(path.name) for path in self._folder.glob("*") if IDENTIFIER.fullmatch(path.name)]
        return [upload for upload in found if upload is not None]

    def for_session(self, key: SessionKey) -> list[Upload]:
        """Those of one conversation that are not whole, oldest first."""
        mine = [upload for upload in self.all() if upload.session == key and not upload.whole]
        return sorted(mine, key=lambda upload: upload.touched_at)

    def append(self, upload: Upload, offset: int, data: bytes) -> int:
        """Adds a piece that begins at byte `offset`; returns the new offset.

        Raises WrongOffset, TooLarge when it goes beyond the file's size, DiskFull and NotFound.
        """
        if offset + len(data) > upload.size:
            raise TooLarge(f"More bytes came than the {upload.size:,} that were announced.")
        try:
            with (self._folder / upload.id / DATA).open("r+b", buffering=0) as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                end = file.seek(0, os.SEEK_END)
                if end != offset:
                    raise WrongOffset(end)
                left = memoryview(data)
                while left:
                    left = left[file.write(left) :]
                if (offset + len(data)) // SYNC_BYTES > offset // SYNC_BYTES:
                    os.fsync(file.fileno())
                self._digest(upload.id, offset, data)
        except FileNotFoundError:
            raise NotFound("This upload was cancelled or has expired.") from None
        except OSError as error:
            raise _failure(error) from error
        return offset + len(data)

    def seal(self, upload: Upload) -> tuple[str, Path]:
        """SHA-256 and path of a whole file, which is safe on the disk then. Raises NotFound."""
        path = self._folder / upload.id / DATA
        with self._lock:
            digest, position = self._digests.pop(upload.id, (None, -1))
        try:
            with path.open("rb") as file:
                os.fsync(file.fileno())
                if digest is None or position != upload.size:
                    digest = hashlib.file_digest(file, "sha256")
        except FileNotFoundError:
            raise NotFound("This upload was cancelled or has expired.") from None
        except OSError as error:
            raise _failure(error) from error
        return str(digest.hexdigest()), path

    def read(self, upload: Upload) -> BinaryIO:
        """The bytes that are there."""
        return (self._folder / upload.id / DATA).open("rb")

    def delete(self, upload_id: str) -> None:
        """Deletes it and its bytes, if they are still its own."""
        with self._lock:
            self._digests.pop(upload_id, None)
        if IDENTIFIER.fullmatch(upload_id):
            shutil.rmtree(self._folder / upload_id, ignore_errors=True)

    def sweep(self, moment: float) -> int:
        """Deletes those that have expired at `moment`; returns how many."""
        expired = [upload.id for upload in self.all() if not upload.whole and upload.expires_at <= moment]
        for upload_id in expired:
            self.delete(upload_id)
        return len(expired)

    def _read(self, upload_id: str) -> Upload | None:
        if not IDENTIFIER.fullmatch(upload_id):
            return None
        folder = self._folder / upload_id
        try:
            state = json.loads((folder / STATE).read_text())
            data = (folder / DATA).stat()
        except FileNotFoundError:
            return None
        session = state.pop("session")
        return Upload(
            **state,
            session=SessionKey(**session) if session else None,
            offset=data.st_size,
            touched_at=data.st_mtime,
        )

    def _digest(self, upload_id: str, offset: int, data: bytes) -> None:
        with self._lock:
            digest, position = self._digests.get(upload_id, (None, -1))
            if offset == 0:
                digest, position = hashlib.sha256(), 0
            if digest is None or position != offset:
                self._digests.pop(upload_id, None)
                return
            self._digests[upload_id] = digest, offset + len(data)
        digest.update(data)


def copy(source: BinaryIO, uploads: Uploads, upload: Upload) -> Upload:
    """Appends what `source` holds."""
    offset = upload.offset
    while chunk := source.read(CHUNK_BYTES):
        offset = uploads.append(upload, offset, chunk)
    return uploads.get(upload.user_id, upload.id)


def _state(upload: Upload) -> dict[str, Any]:
    kept = asdict(upload)
    return {name: kept[name] for name in ("id", "user_id", "session", "file_name", "size", "modified")}


def _failure(error: OSError) -> StorageError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(_full("what came is kept"))
    return StorageError(f"The file could not be written: {error.strerror}.")


def _full(reason: str) -> str:
    return f"The server's disk is full: {reason}. Make room there and try again."

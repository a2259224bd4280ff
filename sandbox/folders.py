"""A worker's folders: links to its datasets, which it may read, and a flat one that it may write.

Links are hard links, because Landlock judges a symbolic one by where it leads. What somebody's code left is
looked at without following anything: regular files of one name only, and no more than a result keeps.
"""

import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import QueryFailed
from sandbox.outcome import FileOutput

MAX_FILES = 10
MAX_FILE_BYTES = 20 * 1024 * 1024


@dataclass(frozen=True)
class Seen:
    """A file as it was: another inode, size or time is another file."""

    inode: int
    size: int
    changed: int


class Folders:
    """Made when first needed, removed with `remove`; beneath `base`, or among the temporary files."""

    def __init__(self, base: Path | None = None) -> None:
        if base is not None:
            base.mkdir(parents=True, exist_ok=True)
        self.root = Path(tempfile.mkdtemp(prefix="worker-", dir=base)).resolve()
        self.data = self.root / "data"
        self.scratch = self.root / "files"
        for folder in (self.data, self.scratch):
            folder.mkdir(mode=0o700)

    def link(self, tables: Mapping[str, Path], *, only: bool = False) -> dict[str, str]:
        """Each table's path for the worker; with `only`, no other table stays readable.

        Raises QueryFailed when a table's file is gone.
        """
        paths = {name: self._link(name, path) for name, path in tables.items()}
        if only:
            wanted = set(paths.values())
            for entry in self.data.iterdir():
                if str(entry) not in wanted:
                    entry.unlink()
        return paths

    def _link(self, name: str, path: Path) -> str:
        place = self.data / f"{hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:24]}{path.suffix}"
        try:
            if not _is_same(place, path):
                place.unlink(missing_ok=True)
                try:
                    os.link(path, place, follow_symlinks=True)
                except OSError:
                    # Another file system, or one without hard links.
                    shutil.copy2(path, place)
        except FileNotFoundError:
            raise QueryFailed(f"The stored table {name} is gone. Upload its file again.") from None
        return str(place)

    def seen(self) -> dict[str, Seen]:
        """The files of the flat folder, by name."""
        found = {}
        for entry in self._entries():
            # It may be gone by now.
            with contextlib.suppress(OSError):
                found[entry.name] = _seen(entry.stat(follow_symlinks=False))
        return found

    def changed(self, before: Mapping[str, Seen]) -> tuple[list[FileOutput], list[str]]:
        """What is new or another file than `before`, and what is said about files that are not kept."""
        files: list[FileOutput] = []
        notes: list[str] = []
        for name, now in sorted(self.seen().items()):
            if before.get(name) == now:
                continue
            if len(files) == MAX_FILES:
                notes.append(f"Only the first {MAX_FILES} files are kept.")
                break
            data = self.read(name)
            if data is None:
                notes.append(f"The file {name!r} is not kept: it is no ordinary file, or larger than 20 MB.")
            else:
                # A name may hold anything but "/" and NUL: line breaks, what is no text, a path elsewhere.
                shown = "".join(char if char.isprintable() and char not in "\\:" else "_" for char in name)
                files.append(FileOutput(shown, data))
        return files, notes

    def remove_new(self, before: Mapping[str, Seen], *, changed: bool = False) -> None:
        """Removes files whose names are not among `before`; with `changed` also those that are others now."""
        for entry in self._entries():
            known = before.get(entry.name)
            with contextlib.suppress(OSError):
                if known is None or (changed and known != _seen(entry.stat(follow_symlinks=False))):
                    Path(entry.path).unlink()

    def read(self, name: str) -> bytes | None:
        """A file's bytes; None for what is no regular file of one name, or larger than 20 MB."""
        try:
            descriptor = os.open(self._place(name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1 or status.st_size > MAX_FILE_BYTES:
                return None
            data = file.read(MAX_FILE_BYTES + 1)
        return data if len(data) <= MAX_FILE_BYTES else None

    def write(self, name: str, data: bytes) -> None:
        """Puts a file there, in place of one of that name. Raises OSError."""
        place = self._place(name)
        place.unlink(missing_ok=True)
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)

    def remove(self) -> None:
        """Removes everything."""
        shutil.rmtree(self.root, ignore_errors=True)

    def _place(self, name: str) -> Path:
        if name != os.path.basename(name) or name in ("", ".", "..") or "\0" in name:  # noqa: PTH119
            raise FileNotFoundError(f"{name!r} is no name of a file in the folder, which has no folders.")
        return self.scratch / name

    def _entries(self) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self.scratch) as entries:
                return list(entries)
        except OSError:
            return []


def _is_same(place: Path, path: Path) -> bool:
    """Whether `place` is a link to the file, or a copy of it as it is now."""
    there, wanted = place.stat() if place.exists() else None, path.stat()
    if there is None:
        return False
    copied = (there.st_size, there.st_mtime_ns) == (wanted.st_size, wanted.st_mtime_ns)
    return place.samefile(path) or (there.st_dev != wanted.st_dev and copied)


def _seen(status: os.stat_result) -> Seen:
    return Seen(status.st_ino, status.st_size, status.st_mtime_ns)

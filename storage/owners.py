"""Which server processes are alive, so that only a dead one's turns are called interrupted.

Each process holds a lock on a file of its own; the system lets go of it when the process ends, however
it ends, which a process number alone would not tell.
"""

import fcntl
import uuid
from contextlib import suppress
from pathlib import Path


class Owner:
    """This process, alive for as long as the object is open."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder_id = _folder_id(folder / "id")
        self.name = f"{self.folder_id}.{uuid.uuid4().hex}"
        self._folder = folder
        self._path = folder / f"{self.name}.lock"
        # Locked before it has the name that others look for.
        unnamed = folder / f"{self.name}.new"
        self._file = unnamed.open("w")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        unnamed.rename(self._path)

    def alive(self) -> set[str]:
        """Names of the processes that run now; files of dead ones are removed."""
        found = {self.name}
        for path in self._folder.glob("*.lock"):
            if path == self._path:
                continue
            with suppress(FileNotFoundError), path.open("r+") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    found.add(path.stem)
                    continue
                path.unlink()
        return found

    def close(self) -> None:
        """Lets go."""
        self._path.unlink(missing_ok=True)
        self._file.close()


def _folder_id(path: Path) -> str:
    """A name for all processes that share the folder, made by the first of them."""
    with path.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        known = file.read()
        if not known:
            known = uuid.uuid4().hex
            file.write(known)
        return known

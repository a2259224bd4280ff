"""What the warm process looks up about the processes it forked, and about their folder."""

import os
from pathlib import Path

PROC = Path("/proc")
MB = 1024 * 1024
SCRATCH_MB = 1024
SCRATCH_FILES = 500
# A file that was removed while it is open takes space that no look at the folder shows. What others write
# meanwhile counts too, so it is more.
HIDDEN_MB = 2 * SCRATCH_MB


def members(group: int) -> list[int]:
    """The living processes of a process group."""
    return [pid for pid, fields in _stats() if int(fields[2]) == group and fields[0] != "Z"]


def children(parent: int) -> list[int]:
    """The processes that `parent` forked, also those that ended and were not waited for."""
    tasks = PROC / str(parent) / "task"
    found: list[int] = []
    try:
        for task in tasks.iterdir():
            found += map(int, (task / "children").read_text().split())
    except OSError:
        # The kernel was built without these lists, or the process is gone.
        return [pid for pid, fields in _stats() if int(fields[1]) == parent]
    return found


def threads(pid: int) -> int:
    """How many threads a process has; 0 for one that is gone."""
    try:
        return len(os.listdir(PROC / str(pid) / "task"))  # noqa: PTH208
    except OSError:
        return 0


def _stats() -> list[tuple[int, list[str]]]:
    """For each process: state, parent, group and more, as in proc_pid_stat(5)."""
    found = []
    for folder in PROC.iterdir() if PROC.is_dir() else []:
        if folder.name.isdigit():
            try:
                text = (folder / "stat").read_text(errors="replace")
            except OSError:
                continue
            # The program's name stands in parentheses and may hold any character.
            found.append((int(folder.name), text[text.rindex(")") + 2 :].split(" ", 4)))
    return found


def free_bytes(folder: str) -> int:
    """What is free on the folder's disk."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return 0
    return found.f_bavail * found.f_frsize


def fills(folder: str, free_before: int) -> bool:
    """Whether a run has put too much into its folder, or on the folder's disk in files without a name."""
    return free_before - free_bytes(folder) > HIDDEN_MB * MB or folder_exceeds(
        folder, SCRATCH_MB, SCRATCH_FILES
    )


def folder_exceeds(folder: str, megabytes: int, files: int) -> bool:
    """Whether a flat folder holds more than that; looks at no more than `files` + 1 entries."""
    used = 0
    try:
        with os.scandir(folder) as entries:
            for number, entry in enumerate(entries, 1):
                if number > files:
                    return True
                used += entry.stat(follow_symlinks=False).st_blocks * 512
    except OSError:
        return False
    return used > megabytes * MB

"""What keeps somebody's code away from everything else on this machine, and what is said about it."""

import functools
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from sandbox import landlock, seccomp
from sandbox.lockdown import SYSTEM, interpreter

AUTO, BUBBLEWRAP, OFF = "auto", "bubblewrap", "off"
WANTED = (AUTO, BUBBLEWRAP, OFF)
TRIAL_SECONDS = 10
SEES = "it sees this conversation's data and nothing else, has no network, and cannot start programs."


@dataclass(frozen=True)
class Isolation:
    """How code is kept in."""

    kind: str
    """kernel, bubblewrap, or none."""
    runs_code: bool
    unsafe: bool
    """Nothing keeps it in: it runs because a setting says so."""
    text: str
    """For the page."""

    @property
    def landlock(self) -> bool:
        """Whether processes give up all files but theirs."""
        return self.kind == "kernel"

    @property
    def seccomp(self) -> bool:
        """Whether processes give up most system calls."""
        return self.kind in ("kernel", "bubblewrap")


KERNEL = Isolation(
    "kernel", runs_code=True, unsafe=False, text=f"Code runs on this machine in a locked process: {SEES}"
)
WRAPPED = Isolation(
    "bubblewrap",
    runs_code=True,
    unsafe=False,
    text=f"Code runs on this machine in a bubblewrap container, because this system has no Landlock: {SEES} "
    "A conversation's first run takes some seconds.",
)
UNSAFE = Isolation(
    "none",
    runs_code=True,
    unsafe=True,
    text="Code runs on this machine with nothing to keep it in: it can read, change and send all that "
    "this app can. CODE_ISOLATION=off says so; remove that setting to be safe.",
)
REFUSED = Isolation(
    "none",
    runs_code=False,
    unsafe=False,
    text="Code is not run here, because nothing would keep it in. That takes Linux with seccomp and Landlock "
    "(kernel 5.13 or newer) or bubblewrap; a container on such a system has it. Direct mode works.",
)


def find(wanted: str = AUTO) -> Isolation:
    """What this machine offers, the strongest first; `wanted` is one of WANTED."""
    if wanted == OFF:
        return UNSAFE
    if sys.platform != "linux" or seccomp.machine() is None:
        return REFUSED
    if wanted == AUTO and landlock.version() > 0:
        return KERNEL
    return WRAPPED if _bubblewrap_works() else REFUSED


def wrapper(read: Path, write: Path, package: Path) -> list[str]:
    """The bubblewrap command (bwrap(1)) before a warm process of one conversation's own."""
    seen = [*SYSTEM, *interpreter(), sys.base_prefix, sys.prefix, str(package), str(read)]
    command = [
        "bwrap",
        "--unshare-all",
        "--die-with-parent",
        "--new-session",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
    ]
    for path in dict.fromkeys(seen):
        if not path.startswith(("/proc", "/dev")):
            command += ["--ro-bind-try", path, path]
    command += ["--bind", str(write), str(write), "--chdir", str(write)]
    # What bubblewrap puts between the folders is memory, which nobody should fill.
    return [*command, "--remount-ro", "/"]


@functools.cache
def _bubblewrap_works() -> bool:
    """Whether it is installed, and the system lets it make namespaces."""
    if shutil.which("bwrap") is None:
        return False
    trial = [
        "bwrap",
        "--unshare-all",
        "--ro-bind",
        "/",
        "/",
        "--proc",
        "/proc",
        sys.executable,
        "-I",
        "-c",
        "",
    ]
    try:
        return subprocess.run(trial, capture_output=True, timeout=TRIAL_SECONDS, check=False).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False

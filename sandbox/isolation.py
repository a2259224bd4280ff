"""What keeps somebody's code away from everything else on this machine, and what is said about it."""

import sys
from dataclasses import dataclass

from sandbox import landlock, seccomp

ELSEWHERE = (
    "Code needs Linux with Landlock (kernel 5.13 or newer) and seccomp to run safely. Run the app on such a "
    "system, or in a container on one; direct mode works here."
)


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


KERNEL = Isolation(
    "kernel",
    runs_code=True,
    unsafe=False,
    text="Code runs on this machine in a locked process: it sees this conversation's data and nothing else, "
    "has no network, and cannot start programs.",
)


def find() -> Isolation:
    """What this machine offers."""
    if sys.platform == "linux" and landlock.version() > 0 and seccomp.machine() is not None:
        return KERNEL
    return Isolation("none", runs_code=False, unsafe=False, text=ELSEWHERE)

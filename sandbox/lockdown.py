"""What a forked process takes on itself before the first line of somebody's code, and never gets rid of.

In this order: resource limits, no capabilities, no new privileges, Landlock, seccomp. Each is inherited by
whatever the process forks. It is called in a process with one thread.
"""

import ctypes
import functools
import os
import platform
import resource
import sys
import sysconfig
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sandbox import landlock, seccomp

# prctl(2)
PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 4, 38
# capset(2): version 3 of the interface, with two sets of 32 bits.
CAPABILITY_VERSION = 0x20080522
CAPSET = {"x86_64": 126, "aarch64": 91}
MB = 1024 * 1024
OPEN_FILES = 256
PROCESSOR_SECONDS = 3600
PAGE = os.sysconf("SC_PAGE_SIZE")
# What lazily imported modules and the C library read; nothing here is the analyst's.
SYSTEM = (
    "/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64", "/usr/share/zoneinfo",
    "/usr/share/fonts", "/etc/ld.so.cache", "/etc/localtime", "/dev/urandom",
)  # fmt: skip
# DuckDB ends the process when these are there and cannot be opened; a notebook has its engine open before it
# is locked, and they name every process of the machine.
CONTROL_GROUPS = ("/proc/self/cgroup", "/sys/fs/cgroup")
# Where scikit-learn looks which libraries with threads are loaded; a notebook has that from the warm process.
LIBRARIES = ("/proc/self/maps",)


@dataclass(frozen=True)
class Grant:
    """What one process may touch and use. Sizes in MB."""

    read: list[str] = field(default_factory=list)
    """Files and folders."""
    write: str | None = None
    """One folder, flat: regular files only."""
    memory_mb: int = 4096
    """Address space beyond what it has when it is locked."""
    file_mb: int = 256
    forks: bool = False
    """Whether it may fork when the listener allows it."""


def lock(grant: Grant, *, hand_over: Callable[[int], None], files: bool = True, calls: bool = True) -> None:
    """Locks this process; with `grant.forks`, `hand_over` gets the descriptor that is asked about forks.

    `files` takes Landlock, `calls` seccomp; limits are taken in any case. Raises OSError when the system
    refuses anything.
    """
    limit(grant)
    here = seccomp.machine()
    if not calls or here is None:
        return
    drop_capabilities()
    _prctl(PR_SET_DUMPABLE, 0)
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    if files:
        landlock.restrict(rules(grant))
    if grant.forks:
        listener = seccomp.install(seccomp.fork_notice(here), here, listener=True)
        hand_over(listener)
        os.close(listener)
    seccomp.install(seccomp.allow_list(here, forks=grant.forks), here)


def prepare() -> None:
    """Works out in advance what is the same for every process that will be locked."""
    interpreter()
    here = seccomp.machine()
    if here is not None:
        for forks in (True, False):
            seccomp.allow_list(here, forks=forks)
        seccomp.fork_notice(here)


def rules(grant: Grant) -> list[tuple[Path, int]]:
    """Landlock's rules: paths with what may be done beneath them."""
    system = SYSTEM if grant.forks else (*SYSTEM, *CONTROL_GROUPS, *LIBRARIES)
    found = [(Path(path), landlock.READING) for path in (*interpreter(), *system, *grant.read)]
    found.append((Path(os.devnull), landlock.READ_FILE | landlock.WRITE_FILE))
    if grant.write is not None:
        found.append((Path(grant.write), landlock.SCRATCH))
    return found


@functools.cache
def interpreter() -> list[str]:
    """Folders of this Python and of what is installed in it."""
    named = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return sorted({path for path in named if path} | {str(Path(sys.base_prefix) / "lib")})


def limit(grant: Grant) -> None:
    """Resource limits (setrlimit(2)), the highest place on the list when memory runs out, no name."""
    pages = Path("/proc/self/statm")
    used = int(pages.read_text().split()[0]) * PAGE if pages.exists() else 0
    wanted = {
        "RLIMIT_CORE": 0,
        "RLIMIT_NOFILE": OPEN_FILES,
        "RLIMIT_FSIZE": grant.file_mb * MB,
        "RLIMIT_AS": used + grant.memory_mb * MB,
        # Of each fork; a call has less, and a clock outside.
        "RLIMIT_CPU": PROCESSOR_SECONDS if grant.forks else resource.RLIM_INFINITY,
        "RLIMIT_MEMLOCK": 0,
        "RLIMIT_MSGQUEUE": 0,
        "RLIMIT_NICE": 0,
        "RLIMIT_RTPRIO": 0,
    }
    for name, value in wanted.items():
        # macOS knows fewer, and refuses to set RLIMIT_AS.
        with suppress(AttributeError, ValueError, OSError):
            resource.setrlimit(getattr(resource, name), (value, value))
    # Only a hint to the system, which may not be there.
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def drop_capabilities() -> None:
    """What makes root root; files of root are then read by owner and mode like anybody's."""
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)()
    libc = ctypes.CDLL(None, use_errno=True)
    number = CAPSET[platform.machine()]
    if libc.syscall(ctypes.c_long(number), ctypes.byref(header), ctypes.byref(sets)) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}")

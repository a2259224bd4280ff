"""Landlock: a process gives up every file but those beneath some paths, for ever (landlock(7)).

The Python package of that name is a pre-release that knows the first kernel interface only, so the three
system calls are made here; their numbers are the same on every architecture.
"""

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

# landlock_create_ruleset(2), landlock_add_rule(2), landlock_restrict_self(2)
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
VERSION = 1
PATH_BENEATH = 1
# linux/landlock.h: LANDLOCK_ACCESS_FS_…
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE = (1 << bit for bit in range(6))
MAKE_REG, TRUNCATE = 1 << 8, 1 << 14
FILE_RIGHTS = READ_FILE | WRITE_FILE | EXECUTE | TRUNCATE
READING = READ_FILE | READ_DIR
# Flat: no folders, links, FIFOs, sockets or devices can be made, so that one look shows everything.
SCRATCH = READING | WRITE_FILE | REMOVE_FILE | MAKE_REG | TRUNCATE
# How many file rights each version of the interface knows.
KNOWN = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
ALL_NETWORK = 0b11
ALL_SCOPES = 0b11


class RulesetAttributes(ctypes.Structure):
    """struct landlock_ruleset_attr."""

    _fields_ = [(name, ctypes.c_uint64) for name in ("fs", "network", "scoped")]


class PathBeneath(ctypes.Structure):
    """struct landlock_path_beneath_attr."""

    _pack_ = 1
    _layout_ = "ms"
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


def version() -> int:
    """The kernel's version of the interface; 0 where there is none."""
    if os.name != "posix" or not hasattr(os, "O_PATH"):
        return 0
    libc = ctypes.CDLL(None, use_errno=True)
    return max(0, int(libc.syscall(ctypes.c_long(CREATE_RULESET), None, ctypes.c_size_t(0), VERSION)))


def restrict(rules: Iterable[tuple[Path, int]]) -> None:
    """Leaves this process the given rights beneath the given paths, and no others.

    Paths that are not there are left out. Needs no_new_privs. Raises OSError.
    """
    found = version()
    known = (1 << KNOWN.get(found, 16)) - 1
    attributes = RulesetAttributes(known, ALL_NETWORK if found >= 4 else 0, ALL_SCOPES if found >= 6 else 0)
    # Older kernels refuse a structure that is longer than theirs and not zero there.
    size = 8 if found < 4 else 16 if found < 6 else 24
    libc = ctypes.CDLL(None, use_errno=True)
    ruleset = _checked(
        libc, libc.syscall(ctypes.c_long(CREATE_RULESET), ctypes.byref(attributes), ctypes.c_size_t(size), 0)
    )
    try:
        for path, rights in rules:
            _add(libc, ruleset, path, rights & known)
        _checked(libc, libc.syscall(ctypes.c_long(RESTRICT_SELF), ruleset, 0))
    finally:
        os.close(ruleset)


def _add(libc: ctypes.CDLL, ruleset: int, path: Path, rights: int) -> None:
    try:
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        rights &= rights if path.is_dir() else FILE_RIGHTS
        rule = PathBeneath(rights, parent)
        _checked(libc, libc.syscall(ctypes.c_long(ADD_RULE), ruleset, PATH_BENEATH, ctypes.byref(rule), 0))
    finally:
        os.close(parent)


def _checked(libc: ctypes.CDLL, found: int) -> int:
    if found < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"landlock: {os.strerror(code)}")
    return found

"""Two seccomp filters: an allow-list of system calls, and a fork that needs leave from outside.

A filter is a small program that the kernel runs at each system call (seccomp(2), bpf(4) "classic"). The
allow-list can never be taken off again, also not by a process that a locked one forks.
"""

import ctypes
import functools
import os
import platform
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.syscalls import JUDGED, SYSCALLS

# seccomp(2), linux/seccomp.h
SET_MODE_FILTER = 1
NEW_LISTENER = 8
KILL_PROCESS, ERRNO, USER_NOTIF, ALLOW = 0x80000000, 0x00050000, 0x7FC00000, 0x7FFF0000
EPERM, ENOSYS = 1, 38
# linux/bpf_common.h: BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, …JGE…, BPF_ALU|BPF_AND|BPF_K, BPF_RET|BPF_K
LOAD, EQUAL, AT_LEAST, AND, RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
# Offsets in struct seccomp_data: number, architecture, then six arguments of 64 bits (low half first).
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16
# linux/sched.h: what glibc's fork and pthread_create ask of clone(2).
FORK = 0x01200011  # CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD
THREADS = (0x003D0F00, 0x007D0F00)  # glibc's and musl's
# fcntl(2): duplicates, flags, sizes of pipes, locks; nothing that sends signals or leases files.
FCNTL = (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1032)
# ioctl(2): TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIOCLEX, FIONCLEX.
IOCTL = (0x5401, 0x5413, 0x541B, 0x5421, 0x5451, 0x5450)
# prctl(2): PR_GET_DUMPABLE, PR_SET_NAME, PR_GET_NAME, PR_SET_VMA.
PRCTL = (3, 15, 16, 0x53564D41)
O_ACCMODE, O_TRUNC = 3, 0x200
X32 = 0x40000000


@dataclass(frozen=True)
class Machine:
    """What differs between the two processor architectures that have numbers here."""

    column: int
    audit: int
    """AUDIT_ARCH_… of linux/audit.h."""
    seccomp: int
    """The number of seccomp(2)."""


MACHINES = {"x86_64": Machine(0, 0xC000003E, 317), "aarch64": Machine(1, 0xC00000B7, 277)}


def machine() -> Machine | None:
    """This machine, or None where no numbers are known."""
    return MACHINES.get(platform.machine())


class SockFprog(ctypes.Structure):
    """struct sock_fprog: how many instructions, and where."""

    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


Instruction = tuple[int, int, int, int]


@functools.cache
def allow_list(here: Machine, *, forks: bool) -> bytes:
    """The program that lets SYSCALLS through, with EPERM for all others; `forks` also lets fork through.

    Calls of another architecture, or of x32, end the process.
    """
    program: list[Instruction] = [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 1, 0, here.audit),
        (RETURN, 0, 0, KILL_PROCESS),
        (LOAD, 0, 0, NUMBER),
    ]
    if here.column == 0:
        program += [(AT_LEAST, 0, 1, X32), (RETURN, 0, 0, KILL_PROCESS)]
    for name, numbers in SYSCALLS.items():
        number = numbers[here.column]
        if number is not None and name not in JUDGED:
            program += [(EQUAL, 0, 1, number), (RETURN, 0, 0, ALLOW)]
    clones = (*THREADS, FORK) if forks else THREADS
    for name, body in {
        "clone": _one_of(0, clones, wide=True),
        "clone3": [(RETURN, 0, 0, ERRNO | ENOSYS)],  # glibc then falls back to clone
        "fcntl": _one_of(1, FCNTL),
        "ioctl": _one_of(1, IOCTL),
        "prctl": _one_of(0, PRCTL),
        "open": _no_truncating_read(1),
        "openat": _no_truncating_read(2),
        "prlimit64": _one_of(0, (0,)),
    }.items():
        number = SYSCALLS[name][here.column]
        if number is not None:
            program += [(EQUAL, 0, len(body), number), *body]
    program.append((RETURN, 0, 0, ERRNO | EPERM))
    return _packed(program)


@functools.cache
def fork_notice(here: Machine) -> bytes:
    """The program that asks the listener about each fork, and lets everything else through."""
    number = SYSCALLS["clone"][here.column]
    assert number is not None
    asked: list[Instruction] = [
        (LOAD, 0, 0, ARGUMENTS),
        (EQUAL, 0, 1, FORK),
        (RETURN, 0, 0, USER_NOTIF),
    ]
    start: list[Instruction] = [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 1, 0, here.audit),
        (RETURN, 0, 0, KILL_PROCESS),
        (LOAD, 0, 0, NUMBER),
        (EQUAL, 0, len(asked), number),
    ]
    return _packed([*start, *asked, (RETURN, 0, 0, ALLOW)])


def install(program: bytes, here: Machine, *, listener: bool = False) -> int:
    """Puts a filter on this process for ever; returns the listener's descriptor, or 0. Raises OSError."""
    buffer = ctypes.create_string_buffer(program, len(program))
    described = SockFprog(len(program) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    libc = ctypes.CDLL(None, use_errno=True)
    flags = NEW_LISTENER if listener else 0
    found: int = libc.syscall(
        ctypes.c_long(here.seccomp), SET_MODE_FILTER, ctypes.c_uint(flags), ctypes.byref(described)
    )
    if found < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"seccomp: {os.strerror(code)}")
    return found


def _argument(index: int, *, high: bool = False) -> Instruction:
    return (LOAD, 0, 0, ARGUMENTS + 8 * index + (4 if high else 0))


def _one_of(index: int, values: Sequence[int], *, wide: bool = False) -> list[Instruction]:
    """Lets the call through if its argument is one of `values`; `wide` looks at all 64 bits."""
    body: list[Instruction] = []
    if wide:
        body += [_argument(index, high=True), (EQUAL, 1, 0, 0), (RETURN, 0, 0, ERRNO | EPERM)]
    body.append(_argument(index))
    for value in values:
        body += [(EQUAL, 0, 1, value), (RETURN, 0, 0, ALLOW)]
    return [*body, (RETURN, 0, 0, ERRNO | EPERM)]


def _no_truncating_read(index: int) -> list[Instruction]:
    """O_TRUNC empties a file that is opened for reading, or by the access mode 3 for neither.

    Landlock has no right for it before its third version.
    """
    return [
        _argument(index),
        (AND, 0, 0, O_ACCMODE | O_TRUNC),
        *(
            (EQUAL, 3 - place, 0, bad)
            for place, bad in enumerate((O_TRUNC, O_ACCMODE, O_ACCMODE | O_TRUNC), 1)
        ),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, ERRNO | EPERM),
    ]


def _packed(program: Sequence[Instruction]) -> bytes:
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)

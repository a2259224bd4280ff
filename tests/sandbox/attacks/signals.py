"""Signals and traces: to the parent, to the group, to siblings, by every call that sends one."""

import os
from collections.abc import Mapping

from tests.sandbox.attacks.attack import Attack, Seen, reached
from tests.sandbox.attacks.stage import Stage


def victim(stage: Stage) -> Mapping[str, object]:
    found = stage.victim()
    return {"pid": found.pid, "address": found.address, "fd": found.descriptor, "size": len(stage.token)}


def dead(stage: Stage, seen: Seen) -> bool:
    return stage.the_victim.dead


def stopped(stage: Stage, seen: Seen) -> bool:
    return stage.the_victim.stopped


def app(stage: Stage) -> Mapping[str, object]:
    return {"app": os.getpid()}


TRACE = """
libc.ptrace.restype = ctypes.c_long
def trace(request, pid, address=0, data=0):
    libc.ptrace.argtypes = [ctypes.c_long] * 4
    return libc.ptrace(request, pid, address, data)
"""
PIDFD = "handle = syscall('pidfd_open', $pid, 0)\n"
SIGNALS = [
    Attack("a sibling killed", "import os; os.kill($pid, 9)", victim, dead),
    Attack("a sibling asked to end", "import os; os.kill($pid, 15)", victim, dead),
    Attack("a sibling stopped", "import os, time; os.kill($pid, 19); time.sleep(0.02)", victim, stopped),
    Attack("a sibling's group killed", "import os; os.killpg($pid, 9)", victim, dead),
    Attack("a sibling killed by tkill", "won(syscall('tkill', $pid, 9) == 0)", victim, dead),
    Attack("a sibling killed by tgkill", "syscall('tgkill', $pid, $pid, 9)", victim, dead),
    Attack(
        "a sibling killed by sigqueue",
        "libc.sigqueue($pid, 9, ctypes.c_void_p(0))",
        victim,
        dead,
    ),
    Attack(
        "a sibling killed by rt_tgsigqueueinfo",
        """
        import struct
        about = ctypes.create_string_buffer(struct.pack("iii", 9, 0, -1) + bytes(116))
        syscall("rt_tgsigqueueinfo", $pid, $pid, 9, about)
        """,
        victim,
        dead,
    ),
    Attack(
        "a sibling killed through a pidfd",
        PIDFD + "syscall('pidfd_send_signal', handle, 9, 0, 0)",
        victim,
        dead,
    ),
    Attack(
        "a sibling killed through its folder in /proc",
        """
        handle = os.open(f"/proc/{$pid}", os.O_RDONLY | os.O_DIRECTORY)
        syscall("pidfd_send_signal", handle, 9, 0, 0)
        """,
        victim,
        dead,
    ),
    Attack(
        "a sibling ended by its memory taken",
        PIDFD + "won(handle >= 0 and syscall('process_mrelease', handle, 0) == -22)",
        victim,
    ),
    Attack("a sibling seen through a pidfd", PIDFD + "won(handle >= 0)", victim),
    Attack(
        "a sibling's descriptor taken",
        PIDFD + "show(os.read(syscall('pidfd_getfd', handle, $fd, 0), $size).decode())",
        victim,
    ),
    Attack(
        "a signal sent by a file's owner",
        """
        import fcntl, os, signal, time
        reading, writing = os.pipe()
        fcntl.fcntl(reading, fcntl.F_SETOWN, $pid)
        fcntl.fcntl(reading, fcntl.F_SETSIG, 9)
        fcntl.fcntl(reading, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
        os.write(writing, b"x")
        time.sleep(0.02)
        """,
        victim,
        dead,
    ),
    Attack(
        "a signal sent by a timer",
        """
        import struct
        event = ctypes.create_string_buffer(struct.pack("qiii", 0, 9, 4, $pid) + bytes(44))
        won(syscall("timer_create", 1, event, ctypes.byref(ctypes.c_int())) == 0)
        """,
        victim,
        lambda stage, seen: False,
        fails_anyway="a timer only signals threads of its own process",
    ),
    Attack("the parent signalled", "import os; os.kill(os.getppid(), 0); won()"),
    Attack("the app signalled", "import os; os.kill($app, 0); won()", app),
    Attack(
        "the parent stopped",
        "import os; os.kill(os.getppid(), 19)",
        None,
        lambda s, seen: seen.hung,
        timeout=2.0,
    ),
    Attack("the parent killed", "import os; os.kill(os.getppid(), 9)", None, lambda s, seen: seen.died),
    Attack(
        "the parent's group killed",
        "import os; os.killpg(os.getpgid(os.getppid()), 9)",
        None,
        lambda s, seen: seen.died,
    ),
    Attack("own group asked", "import os; os.killpg(0, 0); won()"),
    Attack("own group killed", "import os; os.killpg(0, 9)", None, lambda s, seen: seen.died),
    Attack("everybody asked", "import os; os.kill(-1, 0); won()"),
    Attack("the first process asked", "import os; os.kill(1, 0); won()", fails_anyway="needs root"),
    Attack(
        "a trace of a sibling",
        TRACE
        + """
won(trace(16, $pid) == 0)
os.waitpid($pid, 0x40000000)
word = trace(2, $pid, $address)
show((word & (1 << 64) - 1).to_bytes(8, "little").decode())
trace(17, $pid)
""",
        victim,
    ),
    Attack("a sibling seized", TRACE + "won(trace(0x4206, $pid) == 0)", victim),
    Attack(
        "a trace of the parent",
        TRACE + "won(trace(0x4206, os.getppid()) == 0)",
        None,
        fails_anyway="a child may not trace its parent where ptrace is for parents only",
    ),
    Attack("to be traced", TRACE + "won(trace(0, 0) == 0)"),
    Attack("ptrace by its number", "won(syscall('ptrace', 0x4206, $pid, 0, 0) == 0)", victim),
    reached(
        "a comparison with the parent",
        "syscall('kcmp', os.getpid(), os.getppid(), 2, 0, 0)",
        fails_anyway="a child may not look at its parent where ptrace is for parents only",
    ),
    reached(
        "another's memory moved",
        "syscall('move_pages', os.getppid(), 0, 0, 0, 0, 0)",
        fails_anyway="a child may not look at its parent where ptrace is for parents only",
    ),
    Attack(
        "another's memory advised",
        """
        import struct
        handle = syscall("pidfd_open", $pid, 0)
        piece = ctypes.create_string_buffer(struct.pack("QQ", $address & ~0xfff, 4096))
        won(syscall("process_madvise", handle, piece, 1, 20, 0) == 4096)
        """,
        victim,
        fails_anyway="needs a right",
    ),
]

"""The locks themselves: taking them off, adding to them, and settings of the process that weaken them."""

from collections.abc import Mapping

from tests.sandbox.attacks.attack import Attack, reached
from tests.sandbox.attacks.stage import Stage

FORK = """
import os
def forked():
    child = os.fork()
    if child == 0:
        os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
"""
ALL = """
import struct
program = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0x7fff0000), 8)
class Filter(ctypes.Structure):
    _fields_ = [("count", ctypes.c_ushort), ("program", ctypes.c_void_p)]
filters = Filter(1, ctypes.addressof(program))
"""


def secret(stage: Stage) -> Mapping[str, object]:
    return {"path": stage.secret()}


LOOSENING = [
    Attack(
        "a filter that lets all through",
        FORK
        + ALL
        + """
libc.prctl(38, 1, 0, 0, 0)
syscall("seccomp", 1, 0, ctypes.byref(filters))
won(forked())
""",
    ),
    Attack(
        "a filter by prctl",
        ALL + "libc.prctl(38, 1, 0, 0, 0)\nwon(libc.prctl(22, 2, ctypes.byref(filters)) == 0)",
    ),
    Attack(
        "a filter for all threads",
        ALL + "libc.prctl(38, 1, 0, 0, 0)\nwon(syscall('seccomp', 1, 1, ctypes.byref(filters)) == 0)",
    ),
    Attack(
        "a filter that listens",
        ALL + "libc.prctl(38, 1, 0, 0, 0)\nwon(syscall('seccomp', 1, 8, ctypes.byref(filters)) >= 0)",
    ),
    Attack(
        "the filter's way of working",
        "won(syscall('seccomp', 2, 0, ctypes.byref(ctypes.c_uint32(0x7fc00000))) == 0)",
    ),
    Attack("the filter read by prctl", "won(libc.prctl(21, 0, 0, 0, 0) >= 0)"),
    Attack(
        "calls dispatched by the process",
        "won(libc.prctl(59, 0, 0, 0, 0) == 0)",
        fails_anyway="new kernels only",
    ),
    Attack(
        "a rule of Landlock for everything",
        """
attributes = (ctypes.c_uint64 * 1)((1 << 13) - 1)
ruleset = syscall("landlock_create_ruleset", attributes, 8, 0)
import struct
rule = ctypes.create_string_buffer(struct.pack("=Qi", (1 << 13) - 1, os.open("/", os.O_PATH)), 12)
syscall("landlock_add_rule", ruleset, 1, rule, 0)
libc.prctl(38, 1, 0, 0, 0)
syscall("landlock_restrict_self", ruleset, 0)
show(open($path).read())
""",
        secret,
    ),
    reached(
        "Landlock's version", "syscall('landlock_create_ruleset', 0, 0, 1)", fails_anyway="new kernels only"
    ),
    Attack(
        "another security module's attribute",
        "won(syscall('lsm_set_self_attr', 100, 0, 0, 0) in (-22, -14, -95, -7))",
        fails_anyway="new kernels only",
    ),
    *[
        Attack(f"prctl: {name}", f"won(libc.prctl({call}) >= 0)", fails_anyway=why)
        for name, call, why in [
            ("may be dumped", "4, 1, 0, 0, 0", ""),
            ("outlives its parent", "1, 0, 0, 0, 0", ""),
            ("inherits orphans", "36, 1, 0, 0, 0", ""),
            ("may be traced by all", "0x59616d61, ctypes.c_ulong(-1), 0, 0, 0", "only where Yama is"),
            ("where its memory begins", "35, 1, ctypes.c_ulong(0x400000), 0, 0", "needs root"),
            ("keeps capabilities", "8, 0, 0, 0, 0", ""),
            ("capabilities given on", "47, 4, 0, 0, 0", ""),
            ("drops a capability for good", "24, 40, 0, 0, 0", "needs root"),
            ("secure bits", "28, 0, 0, 0, 0", "needs root"),
            ("no time stamps", "26, 1, 0, 0, 0", "x86 only"),
            ("speculation", "53, 0, 2, 0, 0", "not every processor"),
            ("scheduled alone", "62, 0, 0, 0, 0", "not in every kernel"),
            ("errors of memory", "33, 0, 0, 0, 0", ""),
            ("performance counters", "32, 0, 0, 0, 0", ""),
            ("merged memory", "67, 0, 0, 0, 0", "new kernels only"),
        ]
    ],
    Attack(
        "no new privileges, taken back", "won(libc.prctl(38, 0, 0, 0, 0) == 0)", fails_anyway="nobody can"
    ),
    Attack(
        "capabilities taken",
        """
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)
        sets = (ctypes.c_uint32 * 6)(1 << 21, 1 << 21, 0, 0, 0, 0)
        won(libc.capset(header, sets) == 0)
        """,
        fails_anyway="needs root",
    ),
    Attack(
        "rights of root still there",
        """
        held = [line.split()[1] for line in open("/proc/self/status") if line.startswith("CapEff")]
        won(int(held[0], 16) != 0)
        """,
        fails_anyway="needs root",
    ),
    Attack(
        "root's rights over files",
        "import os; os.chown('.', 12345, 12345); won(os.stat('.').st_uid == 12345)",
        fails_anyway="needs root",
    ),
    Attack(
        "a fork asked for in other words",
        """
        answers = []
        for flags in (0x01200011, 0x200011, 0x1000011, 0x11, 0x00800011, 0x01200012, 0x01200000):
            child = syscall("clone", flags, 0, 0, ctypes.addressof(ctypes.c_int()), 0)
            if child == 0:
                os._exit(7)
            answers.append(child)
            if child > 0:
                os.waitpid(child, 0x40000000)
        won(any(child > 0 for child in answers))
        """,
    ),
    Attack(
        "a fork with high bits in its flags",
        """
        child = syscall("clone", (1 << 32) | 0x01200011, 0, 0, 0, 0)
        if child == 0:
            os._exit(7)
        won(child > 0 and os.waitpid(child, 0x40000000)[0] == child)
        """,
    ),
    Attack(
        "forks tried without end",
        """
        import os, threading
        done = []
        def fork():
            for _ in range(300):
                try:
                    child = os.fork()
                except OSError:
                    continue
                if child == 0:
                    os._exit(7)
                done.append(os.waitpid(child, 0)[0])
                break
        threads = [threading.Thread(target=fork) for _ in range(4)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        won(done)
        """,
    ),
]

"""The app's key and other processes' memory: environments, /proc, and scans of what was inherited."""

import os
from collections.abc import Mapping
from pathlib import Path

from tests.sandbox.attacks.attack import Attack, Seen
from tests.sandbox.attacks.stage import APP_SECRET, Stage


def key(stage: Stage, seen: Seen) -> bool:
    """The key came out; the attacks only know how it begins."""
    return APP_SECRET in seen.text or (seen.later is not None and APP_SECRET in seen.later.text)


def app(stage: Stage) -> Mapping[str, object]:
    return {"app": os.getpid() if stage.protected else 0}


def victim(stage: Stage) -> Mapping[str, object]:
    found = stage.victim()
    return {"pid": found.pid, "address": found.address, "size": len(stage.token), "token": stage.token[:10]}


def overwritten(stage: Stage, seen: Seen) -> bool:
    """The victim's memory is no longer what it was."""
    found = stage.the_victim
    with Path(f"/proc/{found.pid}/mem").open("rb") as memory:
        memory.seek(found.address)
        return memory.read(len(stage.token)) != stage.token.encode()


SCAN = """
import re
def scan(place, pattern=b"sk-plan" + b"ted-[0-9a-f]{32}"):
    with open(place + "/maps") as maps, open(place + "/mem", "rb", 0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            start, end = (int(side, 16) for side in span.split("-"))
            if not rights.startswith("rw") or end - start > 1 << 28 or "[v" in line:
                continue
            try:
                memory.seek(start)
                for found in re.findall(pattern, memory.read(end - start)):
                    yield found.decode()
            except (OSError, ValueError, OverflowError):
                continue
"""
# What cannot be read is an error of the call, not the end of the process.
TOUCH = """
import re, sys
reading, writing = os.pipe()
def page(at):
    try:
        os.write(writing, (ctypes.c_char * 4096).from_address(at))
    except OSError:
        return b""
    return os.read(reading, 4096)
"""
PARENTS = """
def parents():
    process = os.getppid()
    while process > 1:
        yield process
        with open(f"/proc/{process}/stat") as stat:
            process = int(stat.read().rsplit(")", 1)[1].split()[1])
        if $app == 0:
            break
"""
READ_VICTIM = """
class Piece(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
mine = ctypes.create_string_buffer($size)
"""

ATTACKS = [
    Attack("os.environ", "import os; dict(os.environ).__repr__()", after=key),
    Attack(
        "getenv of C",
        """
        libc.getenv.restype = ctypes.c_char_p
        show(str(libc.getenv(b"MODEL_API_KEY")))
        """,
        after=key,
    ),
    Attack(
        "environ of C",
        """
        names = ctypes.POINTER(ctypes.c_char_p).in_dll(libc, "environ")
        found = []
        while names[len(found)]:
            found.append(names[len(found)])
        show(str(found))
        """,
        after=key,
    ),
    Attack("own environ file", "show(str(open('/proc/self/environ', 'rb').read()))", after=key),
    Attack("a thread's environ file", "show(str(open('/proc/thread-self/environ', 'rb').read()))", after=key),
    Attack(
        "the parent's environ file",
        "import os; show(str(open(f'/proc/{os.getppid()}/environ', 'rb').read()))",
        after=key,
    ),
    Attack(
        "every process's environ file",
        """
        import glob
        for path in glob.glob("/proc/[0-9]*/environ"):
            try:
                text = open(path, "rb").read()
            except OSError:
                continue
            if b"sk-planted" in text:
                show(text.decode())
        """,
        after=key,
    ),
    Attack(
        "above the stack's start",
        TOUCH
        + """
start = ctypes.c_void_p.in_dll(libc, "__libc_stack_end").value
text = b"".join(page(at) for at in range(start & ~0xfff, (start & ~0xfff) + (16 << 12), 4096))
show(str(re.findall(b"sk-plan" + b"ted-[0-9a-f]{32}", text)))
""",
        after=key,
        fails_anyway="not every C library says where the stack begins",
    ),
    Attack(
        "objects that the collector knows",
        """
        import gc
        kinds = (dict, list, tuple)
        found = [o for o in gc.get_objects() if type(o) in kinds and "sk-plan" + "ted-" in repr(o)]
        show(repr(found)[:100_000] if found else "")
        """,
        after=key,
    ),
    Attack(
        "frames of callers",
        """
        import sys
        frame, found = sys._getframe(), []
        while frame:
            values = (*frame.f_locals.values(), *frame.f_globals.values())
            found += [str(value) for value in values if type(value) in (str, bytes)]
            frame = frame.f_back
        show(str(found))
        """,
        after=key,
    ),
    Attack("own memory through /proc", SCAN + "show(str(list(scan('/proc/self'))))", after=key),
    Attack(
        "own memory through pointers",
        """
        import re
        found = []
        for line in open("/proc/self/maps").read().splitlines():
            span, rights = line.split()[:2]
            start, end = (int(side, 16) for side in span.split("-"))
            if rights.startswith("rw") and end - start < 1 << 28 and "[v" not in line:
                found += re.findall(b"sk-plan" + b"ted-[0-9a-f]{32}", ctypes.string_at(start, end - start))
        show(str(found))
        """,
        after=key,
    ),
    Attack(
        "own memory without a map of it",
        TOUCH
        + """
libc.sbrk.restype, libc.sbrk.argtypes = ctypes.c_void_p, [ctypes.c_ssize_t]
end, found = libc.sbrk(0) & ~0xfff, []
for at in range(end - 4096, end - (64 << 20), -4096):
    there = page(at)
    if not there:
        break
    found.append(there)
arenas = {id(o) & ~0xfffff for o in (*vars().values(), *sys.modules.values(), *sys.modules, *os.environ)}
found += [page(at) for arena in arenas for at in range(arena, arena + 0x100000, 4096)]
show(str(re.findall(b"sk-plan" + b"ted-[0-9a-f]{32}", b"".join(found))))
""",
        after=key,
    ),
    Attack(
        "memory of the parents",
        "import os\n" + SCAN + PARENTS + "for pid in parents(): show(str(list(scan(f'/proc/{pid}'))))",
        app,
        key,
        fails_anyway="a child may not read its parent where ptrace is for parents only",
    ),
    Attack(
        "memory of the app",
        "import os\n" + SCAN + "show(str(list(scan(f'/proc/{$app or os.getppid()}'))))",
        app,
        key,
        fails_anyway="a child may not read its parent where ptrace is for parents only",
    ),
    Attack(
        "where the parent's memory lies",
        "import os; won('heap' in open(f'/proc/{os.getppid()}/maps').read())",
        fails_anyway="a child may not read its parent where ptrace is for parents only",
    ),
    Attack("where own memory lies", "won('stack' in open('/proc/self/maps').read())"),
    Attack(
        "how the app was started", "import os; won('python' in open(f'/proc/{os.getppid()}/cmdline').read())"
    ),
    Attack(
        "memory of another process through /proc",
        """
        with open(f"/proc/{$pid}/mem", "rb", 0) as memory:
            memory.seek($address)
            show(memory.read($size).decode())
        """,
        victim,
    ),
    Attack(
        "memory of another process overwritten",
        """
        with open(f"/proc/{$pid}/mem", "r+b", 0) as memory:
            memory.seek($address)
            memory.write(b"planted")
        """,
        victim,
        overwritten,
    ),
    Attack(
        "process_vm_readv",
        READ_VICTIM
        + """
here, there = Piece(ctypes.addressof(mine), $size), Piece($address, $size)
syscall("process_vm_readv", $pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
show(mine.raw.decode())
""",
        victim,
    ),
    Attack(
        "process_vm_writev",
        READ_VICTIM
        + """
mine.raw = b"p" * $size
here, there = Piece(ctypes.addressof(mine), $size), Piece($address, $size)
syscall("process_vm_writev", $pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
""",
        victim,
        overwritten,
    ),
    Attack(
        "process_vm_readv of the parent",
        READ_VICTIM
        + """
here, there = Piece(ctypes.addressof(mine), 8), Piece(id(None), 8)
won(syscall("process_vm_readv", os.getppid(), ctypes.byref(here), 1, ctypes.byref(there), 1, 0) == 8)
""",
        lambda stage: {"size": 8},
        fails_anyway="a child may not read its parent where ptrace is for parents only",
    ),
    Attack(
        "a copy of the parent's key in a core file",
        "import os; won(os.path.getsize(f'/proc/{os.getppid()}/coredump_filter') >= 0 and "
        "open(f'/proc/{os.getppid()}/coredump_filter', 'r+').write('0x33'))",
        fails_anyway="a child may not change its parent where ptrace is for parents only",
    ),
    Attack(
        "what another conversation computed",
        "theirs = TOKEN",
        then="""
        import gc
        found = [o for o in gc.get_objects() if type(o) is dict and "theirs" in o]
        show(str([o["theirs"] for o in found if type(o["theirs"]) is str]))
        """,
        where="other",
    ),
    Attack(
        "another conversation's memory",
        "theirs = 'sk-plan' + 'ted-' + TOKEN.split('-')[1]; theirs = [theirs * 2 for _ in range(100)]",
        then="import os\n" + SCAN.replace("{32}", "{24}") + "show(str(list(scan('/proc/self'))[:5]))",
        after=lambda stage, seen: (
            seen.later is not None and stage.token.split("-")[1] in seen.later.text.replace("Traceback", "")
        ),
        where="other",
    ),
]

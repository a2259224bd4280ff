"""Resources: memory and time without end; disks, crashes and floods have files of their own."""

from tests.sandbox.attacks.attack import Attack
from tests.sandbox.attacks.crashes import CRASHES, FLOODS
from tests.sandbox.attacks.disk import DISK

MEMORY = {"mb": (1500.0, 100.0)}
"""The tests' workers may use 512 MB."""
SECONDS = {"seconds": (4, 0.1)}


def memory(name: str, code: str, fails_anyway: str = "") -> Attack:
    """Code that ends only if it could use all of `$mb` MB."""
    return Attack(name, f"size = int($mb) << 20\n{code}", sizes=MEMORY, fails_anyway=fails_anyway)


def endless(name: str, code: str) -> Attack:
    """Code that ends after `$seconds`, which is beyond the run's time."""
    return Attack(
        name, f"import time\nuntil = time.monotonic() + $seconds\n{code}", sizes=SECONDS, timeout=1.0
    )


TOUCH = """
for at in range(0, size, 4096):
    there[at] = 1
won()
"""
MEMORIES = [
    memory("memory by a list", "there = [0] * (size // 8); won(len(there) * 8 >= size - 8)"),
    memory("memory by many objects", "there = [bytes(1 << 16) for _ in range(size >> 16)]; won()"),
    memory("memory by bytes", "there = b'x' * size; won(there[-1])"),
    memory("memory by doubling a text", "there = 'x'\nwhile len(there) < size: there += there\nwon()"),
    memory("memory by a number", "there = 1 << (8 * size); won(there.bit_length() > size)"),
    memory("memory by numpy", "import numpy; there = numpy.ones(size, 'u1'); won(there[-1] == 1)"),
    memory(
        "memory by a join of pandas",
        """
import pandas
side = pandas.DataFrame({"a": range(int((size / 16) ** 0.5))})
won(len(side.merge(side, how="cross")) * 16 > size * 0.99)
""",
    ),
    memory(
        "memory by pyarrow",
        """
import pyarrow as pa, numpy
there = numpy.frombuffer(pa.allocate_buffer(size), "u1")
there = pa.array(numpy.ones(size, "u1"))
won(len(there) == size)
""",
    ),
    memory(
        "memory by DuckDB",
        """
con.execute("SET memory_limit = '64GB'")
text = f"SELECT length(string_agg(repeat('x', 1000000), '')) FROM range({size // 1000000})"
won(con.sql(text).fetchall()[0][0])
""",
    ),
    memory(
        "memory by a compressed text",
        """
import zlib
bomb = zlib.compressobj(1)
packed = b"".join(bomb.compress(bytes(1 << 20)) for _ in range(size >> 20)) + bomb.flush()
won(len(zlib.decompress(packed)) == size)
""",
    ),
    memory(
        "memory mapped",
        f"import mmap; there = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS){TOUCH}",
    ),
    memory("memory mapped and shared", f"import mmap; there = mmap.mmap(-1, size){TOUCH}"),
    memory(
        "memory mapped in pieces",
        """
import mmap
there = []
for _ in range(size >> 20):
    there.append(mmap.mmap(-1, 1 << 20))
    there[-1].write(b"x" * (1 << 20))
won()
""",
    ),
    memory(
        "memory mapped without reserve",
        """
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
there = libc.mmap(None, size, 3, 0x4022, -1, 0)
if there != ctypes.c_void_p(-1).value:
    ctypes.memset(there, 1, size)
    won()
""",
    ),
    memory(
        "memory by malloc",
        """
libc.malloc.restype = ctypes.c_void_p
there = [libc.malloc(ctypes.c_size_t(1 << 20)) for _ in range(size >> 20)]
if all(there):
    for piece in there:
        ctypes.memset(piece, 1, 1 << 20)
    won()
""",
    ),
    memory(
        "memory by brk",
        """
libc.sbrk.restype, libc.sbrk.argtypes = ctypes.c_void_p, [ctypes.c_ssize_t]
there = libc.sbrk(size)
if there != ctypes.c_void_p(-1).value:
    ctypes.memset(there, 1, size)
    won()
""",
        "the heap's way up may be blocked by a library",
    ),
    memory(
        "memory in a file without a name",
        """
import os
there = os.memfd_create("m")
for _ in range(size >> 20):
    os.write(there, b"x" * (1 << 20))
won()
""",
    ),
    memory(
        "memory in a secret file",
        """
import os, mmap
there = syscall("memfd_secret", 0)
os.ftruncate(there, 1 << 16)
mapped = mmap.mmap(there, 1 << 16)
mapped[:10] = b"x" * 10
won()
""",
        "can be switched off",
    ),
    memory(
        "memory in /dev/shm",
        """
import os
path = "/dev/shm/" + "planted-memory"
with open(path, "wb") as there:
    os.unlink(path)
    for _ in range(size >> 20):
        there.write(b"x" * (1 << 20))
    won()
""",
    ),
    memory(
        "memory of System V",
        """
libc.shmat.restype = ctypes.c_void_p
key = libc.shmget(0, ctypes.c_size_t(size), 0o1600)
there = libc.shmat(key, None, 0)
libc.shmctl(key, 0, None)
if key >= 0:
    ctypes.memset(there, 1, size)
    won()
""",
    ),
    memory(
        "memory by threads' stacks",
        """
import threading, time
threading.stack_size(64 << 20)
def stay():
    here = ctypes.create_string_buffer(1)
    time.sleep(0.2)
import ctypes
for _ in range((size >> 26) + 1):
    threading.Thread(target=stay, daemon=True).start()
won()
""",
    ),
    memory(
        "memory in pipes",
        """
import fcntl, os
kept = 0
for _ in range(64):
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    kept += fcntl.fcntl(writing, 1031, 1 << 20)
won(kept == 64 << 20)
""",
        "a user has few such pipes",
    ),
    memory(
        "memory locked", "there = ctypes.create_string_buffer(1 << 20); won(libc.mlock(there, 1 << 16) == 0)"
    ),
    memory("all memory locked", "won(libc.mlockall(2) == 0)", "needs a right or a high limit"),
]
TIMES = [
    endless("a loop", "while time.monotonic() < until: pass\nwon()"),
    endless("a sleep", "time.sleep($seconds)\nwon()"),
    endless("a sleep in C", "libc.usleep(int($seconds * 1e6))\nwon()"),
    endless(
        "a thread that is waited for",
        """
import threading
thread = threading.Thread(target=time.sleep, args=($seconds,))
thread.start()
thread.join()
won()
""",
    ),
    endless(
        "a lock that nobody opens",
        "import threading; threading.Lock().acquire() and threading.Lock()\n"
        "lock = threading.Lock(); lock.acquire(); lock.acquire(timeout=$seconds); won()",
    ),
    endless(
        "signals ignored",
        """
import signal
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): continue
while time.monotonic() < until: pass
won()
""",
    ),
    endless(
        "signals blocked",
        """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
while time.monotonic() < until: pass
won()
""",
    ),
    endless(
        "every exception caught",
        """
while time.monotonic() < until:
    try:
        time.sleep(0.01)
    except BaseException:
        continue
won()
""",
    ),
    Attack(
        "a regular expression that explodes",
        "import re; re.match('(a+)+$$', 'a' * $n + 'b'); won()",
        sizes={"n": (40, 12)},
        timeout=1.0,
    ),
    Attack(
        "a number too long to write",
        """
        import sys
        sys.set_int_max_str_digits(0)
        won(len(str(7 ** $n)))
        """,
        sizes={"n": (3_000_000, 1000)},
        timeout=1.0,
    ),
    Attack("a power of a power", "won((9 ** 9 ** $n).bit_length())", sizes={"n": (9, 5)}, timeout=1.0),
    Attack("a sum that never ends", "won(sum(range($n)))", sizes={"n": (10**11, 1000)}, timeout=1.0),
    Attack(
        "a comparison that never ends",
        "import itertools\nwon(sum(1 for _ in itertools.product(range($n), repeat=4)))",
        sizes={"n": (1000, 5)},
        timeout=1.0,
    ),
    Attack(
        "a query that never ends",
        "won(con.sql(f'SELECT sum(a.range * b.range) FROM range({$n}) a, range({$n}) b').fetchall())",
        sizes={"n": (3_000_000, 100)},
        timeout=1.0,
    ),
    Attack(
        "matrices without end",
        "import numpy\nfor _ in range($n): numpy.ones((900, 900)) @ numpy.ones((900, 900))\nwon()",
        sizes={"n": (100_000, 1)},
        timeout=1.0,
    ),
    Attack(
        "time that runs on in a value's text",
        """
        import time
        class Slow:
            def __repr__(self):
                time.sleep($seconds)
                return TOKEN
            __str__ = __repr__
        won(str(Slow()))
        """,
        sizes=SECONDS,
        timeout=1.0,
    ),
]
ATTACKS = [*MEMORIES, *TIMES, *DISK, *CRASHES, *FLOODS]

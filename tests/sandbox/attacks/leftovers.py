"""What a run leaves behind for the next one, for queries, and for other conversations."""

import os
import time
from pathlib import Path

from tests.sandbox.attacks.attack import Attack, Seen, Where
from tests.sandbox.attacks.stage import Stage

TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds(pids: list[int]) -> float:
    """What the processes have used so far."""
    used = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        used += int(fields[11]) + int(fields[12])
    return used / TICKS


def works_on(stage: Stage, seen: Seen) -> bool:
    """Something still uses the processor after the run has given its answer."""
    if not stage.protected:
        return seen.hung or stage.token in seen.text
    time.sleep(0.1)
    before = processor_seconds(stage.processes())
    time.sleep(0.2)
    return processor_seconds(stage.processes()) - before > 0.1


def writes_on(stage: Stage, seen: Seen) -> bool:
    """Files still come after the run has given its answer."""
    if not stage.protected:
        return stage.token in seen.text
    time.sleep(0.1)
    before = len(list(stage.scratch.iterdir()))
    time.sleep(0.1)
    return len(list(stage.scratch.iterdir())) > before


BUSY = """
import threading, time
count = [0]
def work():
    while True:
        count[0] += 1
        time.sleep(0.001)
"""
COUNTED = "import time; before = count[0]; time.sleep(0.05); won(count[0] > before)"
THREADS = [
    Attack(
        "a thread that runs on", BUSY + "threading.Thread(target=work, daemon=True).start()", then=COUNTED
    ),
    Attack(
        "a thread that is no daemon",
        BUSY + "threading.Thread(target=work).start()",
        then=COUNTED,
        timeout=2.0,
    ),
    Attack(
        "a thread without the threading module",
        BUSY + "import _thread; _thread.start_new_thread(work, ())",
        then=COUNTED,
    ),
    Attack(
        "a timer",
        "import threading; seen = []; threading.Timer(0.05, seen.append, [1]).start()",
        then="import time; time.sleep(0.15); won(seen)",
    ),
    Attack(
        "an executor",
        BUSY + "import concurrent.futures as f; pool = f.ThreadPoolExecutor(); pool.submit(work)",
        then=COUNTED,
        timeout=2.0,
    ),
    Attack(
        "a thread that started a thread at the run's end",
        BUSY
        + """
import sys
def later():
    time.sleep(0.01)
    threading.Thread(target=work, daemon=True).start()
threading.Thread(target=later, daemon=True).start()
""",
        then=COUNTED,
    ),
    Attack(
        "a thread that computes on without a call",
        """
        import threading
        def work():
            while True: pass
        threading.Thread(target=work, daemon=True).start()
        show(TOKEN)
        """,
        None,
        works_on,
    ),
    Attack(
        "a thread of C that sleeps on",
        """
        import time
        show(TOKEN)
        thread = ctypes.c_ulong()
        libc.pthread_create(ctypes.byref(thread), None, ctypes.cast(libc.pause, ctypes.c_void_p), None)
        """,
        None,
        works_on,
    ),
    Attack(
        "a thread that writes files on",
        """
        import threading, time
        def work():
            for number in range(1000):
                open(f"f{number}", "w").close()
                time.sleep(0.005)
        threading.Thread(target=work, daemon=True).start()
        show(TOKEN)
        """,
        None,
        writes_on,
    ),
    *[
        Attack(
            f"{what} that takes the fork of the run's end",
            f"""
            import os, threading, time
            def work():
                end = time.monotonic() + 3
                number = 0
                while time.monotonic() < end:
                    number += 1
                    {does}
            def fork():
                for _ in range(20000):
                    try:
                        os.fork()
                    except OSError:
                        continue
                    work()
            for _ in range(8):
                threading.Thread(target=fork, daemon=True).start()
            time.sleep(0.05)
            show(TOKEN)
            """,
            None,
            check,
            timeout=4.0,
        )
        for what, does, check in [
            ("a computation", "pass", works_on),
            ("a writer", "open(f'f{number}', 'w').close(); time.sleep(0.002)", writes_on),
        ]
    ],
]


def next_run(name: str, code: str, then: str, gap: str = "") -> Attack:
    return Attack(name, code, then=then, gap=gap)


LENGTH = "import builtins; true = builtins.abs; builtins.abs = lambda x: 42"
SUM = "import pandas; pandas.Series.sum = lambda *_, **__: 42"
WRONG_SUM = "import pandas; won(pandas.Series([1, 2]).sum() == 42)"
PATCHES = [
    next_run("a builtin function", LENGTH, "won(abs(0) == 42)"),
    next_run(
        "a builtin function's own dictionary",
        "__builtins__ = __import__('builtins').__dict__; __builtins__['sum'] = lambda *a: 42",
        "won(sum([]) == 42)",
    ),
    next_run("a new builtin name", "import builtins; builtins.planted = 1", "won(planted)"),
    next_run("a module's constant", "import math; math.pi = 3", "import math; won(math.pi == 3)"),
    next_run(
        "a module's function",
        "import statistics; statistics.mean = lambda x: 42",
        "import statistics; won(statistics.mean([1]) == 42)",
    ),
    next_run("a method of pandas", SUM, WRONG_SUM),
    next_run(
        "a method of numpy",
        "import numpy; numpy.mean = lambda *_: 42",
        "import numpy; won(numpy.mean([1]) == 42)",
    ),
    next_run(
        "a module in another's place",
        "import sys, types; sys.modules['statistics'] = types.ModuleType('planted')",
        "import statistics; won(statistics.__name__ == 'planted')",
    ),
    next_run(
        "a module of its own folder",
        "open('planted_module.py', 'w').write('x = 1'); import sys; sys.path.insert(0, '')",
        "import planted_module; won(planted_module.x)",
    ),
    next_run(
        "an import hook",
        """
        import sys, types
        class Finder:
            def find_spec(self, name, path=None, target=None):
                seen.append(name)
        seen = []
        sys.meta_path.insert(0, Finder())
        """,
        "import sys; won(any(type(found).__name__ == 'Finder' for found in sys.meta_path))",
    ),
    next_run(
        "an exit handler",
        "import atexit; atexit.register(lambda: open('left.txt', 'w').write(TOKEN))",
        "import os; raise SystemExit",
    ),
    next_run(
        "an object's end",
        """
        class Left:
            def __del__(self, write=open, token=TOKEN):
                write("left.txt", "w").write(token)
        left = Left()
        """,
        "raise SystemExit",
    ),
    next_run(
        "a callback of the collector",
        "import gc; seen = []; gc.callbacks.append(lambda *_: seen.append(1))",
        "import gc; del seen[:]; gc.collect(); won(seen)",
    ),
    next_run(
        "a signal's handler",
        "import signal; seen = []; signal.signal(signal.SIGALRM, lambda *_: seen.append(1))\n"
        "signal.setitimer(0, 0.1)",
        "import time; time.sleep(0.2); won(seen)",
    ),
    next_run(
        "a trace", "import sys; sys.settrace(lambda *_: None)", "import sys; won(sys.gettrace() is not None)"
    ),
    next_run(
        "a profile",
        "import sys; sys.setprofile(lambda *_: None)",
        "import sys; won(sys.getprofile() is not None)",
    ),
    next_run(
        "a trace of new threads",
        "import threading; threading.settrace(lambda *_: None)",
        "import threading; won(threading.gettrace() is not None)",
    ),
    next_run(
        "an audit hook",
        "import sys; seen = []; sys.addaudithook(lambda name, _: seen.append(name))",
        "del seen[:]; open('/dev/null').close(); won(seen)",
        gap="Python takes no hook off again; it hears of its own conversation only",
    ),
    next_run(
        "a limit of recursion",
        "import sys; sys.setrecursionlimit(77777)",
        "import sys; won(sys.getrecursionlimit() == 77777)",
    ),
    next_run("a folder", "import os; os.chdir('/')", "import os; won(os.getcwd() == '/')"),
    next_run(
        "a variable of the environment",
        "import os; os.environ['PLANTED'] = '1'",
        "import os; won('PLANTED' in os.environ)",
    ),
    next_run(
        "a place for output",
        "import sys, io; planted = sys.stdout = sys.stderr = io.StringIO()",
        "import sys; won(sys.stdout is planted)",
    ),
    next_run(
        "a hook for errors", "import sys; sys.excepthook = print", "import sys; won(sys.excepthook is print)"
    ),
    next_run(
        "a hook for the last value",
        "import sys; sys.displayhook = print",
        "import sys; won(sys.displayhook is print)",
    ),
    next_run("the collector switched off", "import gc; gc.disable()", "import gc; won(not gc.isenabled())"),
    next_run(
        "no descriptor left",
        """
        import os
        try:
            while True:
                os.open("/dev/null", 0)
        except OSError:
            pass
        """,
        "try: open('/dev/null').close()\nexcept OSError: won()",
        gap="a variable may hold any of them; the conversation's own processes only",
    ),
    Attack(
        "a number changed",
        "small = 77\nctypes.c_uint32.from_address(id(small) + 24).value = 78",
        then="won(77 == 78)",
        where="rebuilt",
    ),
    Attack(
        "a number changed for another conversation",
        "small = 77\nctypes.c_uint32.from_address(id(small) + 24).value = 78",
        then="won(77 == 78)",
        where="other",
    ),
]
SEEN_BY: list[tuple[str, Where]] = [
    ("a conversation without that cell", "rebuilt"),
    ("another conversation", "other"),
]
FILES = "the folder is the conversation's, whatever became of the cell"
KEPT = ("a file", "rebuilt")
ELSEWHERE = [
    Attack(f"{what}, seen by {who}", code, then=then, where=where, gap=FILES if (what, where) == KEPT else "")
    for what, code, then in [
        ("a builtin function", LENGTH, "won(abs(0) == 42)"),
        ("a method of pandas", SUM, WRONG_SUM),
        ("a variable", "planted = 1", "won(planted)"),
        ("a file", "open('planted.txt', 'w').write('x')", "import os; won(os.path.exists('planted.txt'))"),
        (
            "a variable of the environment",
            "import os; os.environ['PLANTED'] = '1'",
            "import os; won('PLANTED' in os.environ)",
        ),
    ]
    for who, where in SEEN_BY
]
LIAR = """
class Liar:
    def __getattr__(self, name): return lambda *a, **k: self
    def fetchall(self): return [[TOKEN]]
    def fetchone(self): return [TOKEN]
    description = [("a", "VARCHAR")]
"""
DATASETS = """
import glob, os, re
views = con.execute("SELECT sql FROM duckdb_views() WHERE NOT internal").fetchall()
paths = [*re.findall(r"'(/[^']+)'", str(views).replace("\\\\", "")), *glob.glob("../*/*.parquet")]
if not paths:
    raise LookupError("no dataset was found")
"""
QUERIES = [
    Attack(
        "a query answered by a patch",
        LIAR + "import duckdb; duckdb.connect = lambda *a, **k: Liar()",
        then="SELECT 1 AS a",
        where="query",
    ),
    Attack(
        "a query answered by a patch of the engine",
        LIAR
        + """
import sys, duckdb
for module in list(sys.modules.values()):
    if hasattr(module, "Engine") or hasattr(module, "check"):
        module.check = lambda *_: None
duckdb.connect = lambda *a, **k: Liar()
""",
        then="SELECT 2 AS a",
        where="query",
    ),
    *[
        Attack(
            f"a dataset's file {what}",
            DATASETS + f"for path in paths:\n    {how}\n    won()",
            lambda stage: {"_": stage.secret("scratch/other/orders.parquet")},
        )
        for what, how in {
            "changed": "open(path, 'r+b').write(b'x')",
            "emptied": "os.truncate(path, 0)",
            "removed": "os.unlink(path)",
            "moved": "os.rename(path, 'mine')",
            "linked": "os.link(path, 'mine')",
            "opened to all": "os.chmod(path, 0o777)",
        }.items()
    ],
    Attack("a dataset added", "open('../data.parquet', 'w').write('x'); won()"),
]
ATTACKS = [*THREADS, *PATCHES, *ELSEWHERE, *QUERIES]

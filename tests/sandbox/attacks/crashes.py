"""Code that takes its process down, and output without end."""

from tests.sandbox.attacks.attack import Attack, Seen
from tests.sandbox.attacks.stage import Stage

FLOOD = {"mb": (100, 5)}


def crashed(stage: Stage, seen: Seen) -> bool:
    """The process of the host that has all variables is gone; what the sandbox loses shows as harm."""
    return not stage.protected and ("no answer" in seen.text or seen.died or seen.hung)


def flooded(stage: Stage, seen: Seen) -> bool:
    """More came back than a page could ever show, or the host broke on it."""
    return seen.died or len(seen.text) > (70_000_000 if stage.protected else 3_000_000)


CRASHES = [
    Attack("an end without a word", "import os; os._exit(0)", None, crashed),
    Attack("an abort", "import os; os.abort()", None, crashed),
    Attack("memory that is not there", "import ctypes; ctypes.string_at(0)", None, crashed),
    Attack("a signal to itself", "import os; os.kill(os.getpid(), 9)", None, crashed),
    Attack("a stop of itself", "import os; os.kill(os.getpid(), 19)", None, crashed, timeout=1.5),
    Attack(
        "recursion in C",
        """
        import sys
        sys.setrecursionlimit(10**8)
        class Deep:
            def __getattr__(self, name): return getattr(self, name + "x")
        def deep(n): return sorted([n], key=deep)
        deep(1)
        """,
        None,
        crashed,
    ),
    Attack(
        "a nested text read as JSON",
        """
        import json, sys
        sys.setrecursionlimit(10**8)
        json.loads("[" * 10**6)
        """,
        None,
        crashed,
    ),
    Attack(
        "bytecode that is none",
        """
        import types
        code = (lambda: 0).__code__.replace(co_code=bytes([100, 255] * 50), co_consts=())
        types.FunctionType(code, {})()
        """,
        None,
        crashed,
    ),
    Attack(
        "a broken interpreter",
        """
        import ctypes
        ctypes.memset(id(None) + 16, 0, 8)
        ctypes.memset(id(type), 0, 400)
        type("x", (), {})
        """,
        None,
        crashed,
    ),
]
FLOODS = [
    Attack("printed without end", "for _ in range($mb): print('x' * 1_000_000)", None, flooded, sizes=FLOOD),
    Attack("shown without end", "for _ in range($mb): show('x' * 1_000_000)", None, flooded, sizes=FLOOD),
    Attack("a value without end", "'x' * ($mb * 1_000_000)", None, flooded, sizes=FLOOD),
    Attack(
        "a table without end",
        "import pandas; pandas.DataFrame({'a': ['x' * 1000] * ($mb * 1000)}).to_dict() if $mb < 50 else "
        "pandas.DataFrame({'a': ['x' * 1000] * ($mb * 1000)})",
        None,
        flooded,
        sizes=FLOOD,
    ),
    Attack("an error without end", "raise ValueError('x' * ($mb * 1_000_000))", None, flooded, sizes=FLOOD),
    Attack(
        "the first standard output",
        "import sys\nfor _ in range($mb): sys.__stdout__.write('x' * 1_000_000)",
        None,
        flooded,
        sizes=FLOOD,
    ),
    Attack(
        "the standard error",
        "import sys\nfor _ in range($mb): sys.__stderr__.write('x' * 1_000_000)",
        None,
        flooded,
        sizes=FLOOD,
    ),
    *[
        Attack(
            f"{what} on every descriptor",
            f"""
            import os
            for fd in range(0, 21):
                try:
                    os.set_blocking(fd, False)
                    for _ in range(200):
                        os.write(fd, {data})
                except OSError:
                    continue
            """,
            None,
            lambda stage, seen: seen.died or seen.hung or flooded(stage, seen),
            timeout=2.0,
        )
        for what, data in {
            "text": "b'x' * 65536",
            "zeros": "bytes(65536)",
            "lengths": "b'\\xff' * 65536",
        }.items()
    ],
]

"""A host as it is without a sandbox: forks, runs the code with `exec`, unpickles the answer, reads the files.

Started by path, by itself; it imports nothing of ours. What a host prints is what somebody would have seen.
"""

import ast
import atexit
import contextlib
import gc
import importlib
import json
import os
import pickle
import resource
import struct
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

HEADER = struct.Struct(">Q")
MOST_MEMORY = 6 << 30
LIBRARIES = ("numpy", "pandas", "duckdb", "pyarrow.csv", "matplotlib.pyplot", "plotly.graph_objects")


def main() -> None:
    """Imports what attacks use, then is a new host in a fork for every path that it reads."""
    for name in LIBRARIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.freeze()
    while path := sys.stdin.readline().strip():
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                host(Path(path))
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                with contextlib.suppress(OSError):
                    sys.stdout.flush()
                os._exit(status)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        status = os.waitpid(pid, 0)[1]
        sys.stdout.write(f"{status}\n")
        sys.stdout.flush()


def host(path: Path) -> None:
    """Runs the cells of a file; its own environment and memory hold the key, as any app's."""
    os.setsid()
    # Left open through the fork, as an app's files are.
    file = path.open(encoding="utf-8")
    spec = json.load(file)
    printed = os.open(spec["printed"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for descriptor, opened in enumerate((os.open(os.devnull, os.O_RDONLY), printed, printed)):
        os.dup2(opened, descriptor)
    os.close(printed)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    os.environ["HOME"] = spec["home"]
    key = os.environ["MODEL_API_KEY"]
    settings = {"key": key, "hosts": []}
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.close(reading)
        os.chdir(spec["scratch"])
        scope: dict[str, Any] = {}
        serve(writing, spec["cells"], scope)
        # As a program ends: it waits for threads, calls what wants to be called, and drops everything.
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        scope.clear()
        sys.stdout.flush()
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answers:
        for _ in spec["cells"]:
            sys.stdout.write("\n".join(texts(received(answers))) + "\n")
            sys.stdout.flush()
    os.wait()
    for folder, _, names in os.walk(spec["scratch"]):
        for name in names:
            with Path(folder, name).open("rb") as output:
                sys.stdout.write(f"{name}: {output.read(1_000_000)!r}\n")
    file.close()
    assert settings


def texts(answer: Any) -> Iterator[str]:
    """All that a page would show of an answer."""
    if isinstance(answer, dict):
        answer = [*answer, *answer.values()]
    if isinstance(answer, list):
        for item in answer:
            yield from texts(item)
    else:
        yield str(answer)


def serve(writing: int, cells: list[list[str]], scope: dict[str, Any]) -> None:
    """All cells in one process, one answer each."""
    shown: list[Any] = []
    scope.update({"__name__": "__main__", "show": lambda value, title="": shown.append(value)})
    if any("con." in code or "df" in code for _, code in cells):
        import duckdb

        scope["con"] = duckdb.connect()
        scope["df"] = duckdb.connect().sql("SELECT range AS n, 'x' AS s FROM range(10)").df()
    for kind, code in cells:
        shown.clear()
        try:
            if kind == "query":
                import duckdb

                shown.append(duckdb.connect().execute(code).fetchall())
            else:
                run(code, scope, shown)
        except BaseException:
            shown.append(traceback.format_exc())
        data = pickled(shown)
        os.write(writing, HEADER.pack(len(data)))
        left = memoryview(data)
        while left:
            left = left[os.write(writing, left) :]


def run(code: str, scope: dict[str, Any], shown: list[Any]) -> None:
    """Runs a cell and shows the value of its last expression."""
    tree = ast.parse(code)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<cell>", "exec"), scope)
    if isinstance(last, ast.Expr):
        value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), scope)
        if value is not None:
            shown.append(value)


def pickled(shown: list[Any]) -> bytes:
    """The values, or those that cannot be pickled as text."""
    try:
        return pickle.dumps(shown)
    except Exception:
        return pickle.dumps([repr(value) for value in shown])


def received(answers: BinaryIO) -> Any:
    """The next answer: a pickle, or JSON."""
    (size,) = HEADER.unpack(answers.read(HEADER.size) or HEADER.pack(0))
    data = answers.read(size)
    if not data:
        return "no answer"
    return json.loads(data) if data[:1] in b"{[" else pickle.loads(data)


if __name__ == "__main__":
    main()

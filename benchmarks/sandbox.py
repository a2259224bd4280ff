"""Running code here beside a fresh Python and a Jupyter kernel: `python -m benchmarks.sandbox [--quick]`.

Prints medians as a Markdown table. Needs `pip install ipykernel jupyter-client`. Peers take turns, with a
pause before each call as between two questions.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.kernel import Kernel
from benchmarks.verdict import Row, table, timed
from sandbox.client import Worker
from sandbox.launcher import shared
from sandbox.live_notebook import Cell
from sandbox.lockdown import Grant, lock, prepare
from sandbox.outcome import FigureOutput

FIGURE = """import pandas as pd
import plotly.express as px
frame = pd.DataFrame({"region": ["north", "south", "east"], "revenue": [3, 5, 4]})
px.bar(frame, x="region", y="revenue", title="Revenue by region")"""
IMPORTS = """import numpy, pandas, duckdb, plotly.express, scipy.stats, sklearn.linear_model, statsmodels.api
import matplotlib.pyplot, seaborn
"""
QUERY = "SELECT g, sum(x) AS total, avg(y) AS mean, count(DISTINCT k) AS keys FROM big GROUP BY g ORDER BY g"
PAUSE = 0.25
BIG_ROWS = 62_000_000
QUICK_ROWS = 2_000_000


def figures(rounds: int) -> Row:
    """A small figure in a conversation already running, as a result each."""
    worker, kernel = Worker(), Kernel()
    history: list[Cell] = []
    kernel.run(IMPORTS)
    samples: dict[str, list[float]] = {"ours": [], "kernel": []}

    def ours() -> None:
        number = str(len(history))
        outcome = worker.run(FIGURE, {}, history=history, cell_id=number)
        assert isinstance(outcome.outputs[0], FigureOutput)
        history.append(Cell(number, FIGURE))

    def as_json() -> None:
        # Less than a notebook does: it would also describe the figure as HTML and copy it.
        assert "text/plain" in kernel.run(f"{FIGURE}.to_json()")

    for number in range(rounds + 1):
        for name, work in zip(samples, (ours, as_json), strict=True):
            time.sleep(PAUSE)
            taken = timed(work)
            if number:
                samples[name].append(taken)
    fresh = [
        timed(lambda: subprocess.run([sys.executable, "-c", f"{FIGURE}.to_json()"], check=True))
        for _ in range(max(3, rounds // 4))
    ]
    worker.close()
    kernel.close()
    found = {name: statistics.median(values) for name, values in samples.items()}
    found["fresh Python"] = statistics.median(fresh)
    faster = found["fresh Python"] / found["ours"]
    beside = found["kernel"] / found["ours"]
    return Row(
        "code to a small Plotly figure as a result, conversation running",
        found, "ms", f"{faster:.1f}x fresh Python, {beside:.2f}x kernel",
        "12x fresh Python, not slower than the kernel", faster >= 12 and beside >= 1,
    )  # fmt: skip


def first_runs(rounds: int) -> Row:
    """A new conversation's first run beside a new kernel's."""
    ours: list[float] = []
    kernels: list[float] = []
    for _ in range(rounds):
        time.sleep(PAUSE)
        worker = Worker()
        ours.append(timed(partial(worker.run, FIGURE, {})))
        worker.close()
        started = time.perf_counter()
        kernel = Kernel()
        kernel.run(IMPORTS)
        kernel.run(f"{FIGURE}.to_json()")
        kernels.append((time.perf_counter() - started) * 1000)
        kernel.close()
    found = {"ours": statistics.median(ours), "kernel": statistics.median(kernels)}
    faster = found["kernel"] / found["ours"]
    return Row(
        "a new conversation's first run (the same figure)",
        found, "ms", f"{faster:.1f}x", "5x a kernel's start, imports and run", faster >= 5,
    )  # fmt: skip


def lock_downs(rounds: int) -> Row:
    """What a process needs to lock itself."""
    # As the warm process has, before it forks.
    prepare()
    taken: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            reading, writing = os.pipe()
            if os.fork() == 0:
                grant = Grant(read=[folder], write=folder, forks=True)
                taken_here = timed(partial(lock, grant, hand_over=lambda _: None))
                os.write(writing, str(taken_here).encode())
                os._exit(0)
            os.wait()
            taken.append(float(os.read(reading, 100)))
            os.close(reading)
            os.close(writing)
    median = statistics.median(taken)
    return Row("the lock-down itself", {"ours": median}, "ms", "", "under 5 ms", median < 5)


def big_queries(rounds: int, rows: int) -> Row:
    """The first query of a new conversation on a large table, beside DuckDB outside."""
    with tempfile.TemporaryDirectory(dir=".") as folder:
        path = Path(folder) / "big.parquet"
        duckdb.sql(
            f"COPY (SELECT (hash(range) % 12)::INT AS g, hash(range + 1) % 100000 AS k, random() AS x,"
            f" random() AS y FROM range({rows})) TO '{path}' (FORMAT parquet)"
        )
        size = path.stat().st_size / 1e9
        samples: dict[str, list[float]] = {"query tool": [], "code": [], "outside": []}
        for number in range(rounds + 1):
            worker = Worker(folder=Path(folder) / "workers")
            worker.query("SELECT 1", {})
            worker.run("1", {})
            code = f"con.sql({QUERY!r}).df()"
            with duckdb.connect(config={"threads": 2}) as outside:
                outside.execute(f"CREATE VIEW big AS FROM read_parquet('{path}')")
                works: tuple[Callable[[], Any], ...] = (
                    partial(worker.query, QUERY, {"big": path}),
                    partial(worker.run, code, {"big": path}, history=[Cell("", "1")]),
                    partial(outside_query, outside),
                )
                for name, work in zip(samples, works, strict=True):
                    taken = timed(work)
                    if number:
                        samples[name].append(taken)
            worker.close()
    found = {name: statistics.median(values) for name, values in samples.items()}
    tool, inside = (found[name] / found["outside"] for name in ("query tool", "code"))
    return Row(
        f"first query on a Parquet file of {size:.2f} GB", found, "ms",
        f"{tool:.2f} (tool), {inside:.2f} (code) of the time outside",
        "at most 1.3", max(tool, inside) <= 1.3,
    )  # fmt: skip


def outside_query(connection: duckdb.DuckDBPyConnection) -> Any:
    """The same query with no process between."""
    return connection.execute(QUERY).df()


def idle_memory(conversations: int) -> Row:
    """What an idle conversation with variables has for itself."""
    workers = [Worker() for _ in range(conversations)]
    taken: list[float] = []
    for worker in workers:
        worker.run(f"{FIGURE}\nkept = frame.copy()\nfigure = px.bar(kept, x='region', y='revenue')", {})
        time.sleep(1)
        group = worker.processes[-1]
        taken.append(sum(private_mb(pid) for pid in of_group(group)))
    for worker in workers:
        worker.close()
    median = statistics.median(taken)
    return Row("idle memory of a conversation with variables", {"ours": median}, "MB", "", "under 60 MB",
               median < 60)  # fmt: skip


def of_group(group: int) -> list[int]:
    """The processes of a process group."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and os.getpgid(int(folder.name)) == group:
            found.append(int(folder.name))
    return found


def private_mb(pid: int) -> float:
    """Memory that no other process has (proc_pid_smaps_rollup(5))."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds and a small table")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    chosen = parser.parse_args()
    rounds, rows = (4, QUICK_ROWS) if chosen.quick else (20, BIG_ROWS)
    shared().warm()
    Worker().run("1", {})
    found = [
        figures(rounds),
        first_runs(max(3, rounds // 3)),
        lock_downs(rounds),
        big_queries(max(3, rounds // 4), rows),
        idle_memory(3),
    ]
    sys.stdout.write(table(found))
    if chosen.json:
        chosen.json.write_text(json.dumps([asdict(row) for row in found], indent=2))


if __name__ == "__main__":
    main()

"""Reading, profiling and asking large files beside pandas, DuckDB and ydata-profiling.

`python -m benchmarks.data [--rows N] [--ydata PYTHON] [--json FILE]` prints medians as a Markdown table.
Peers run in processes of their own, whose start and imports do not count. `--ydata` is a Python with
ydata-profiling, which needs an older pandas. Everything has two threads.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import duckdb

from analysis.correlate import correlate
from analysis.distribution import distribution
from analysis.engine import Engine
from analysis.ingest import ReadOptions, convert, look, sample
from analysis.profiling import profile_table
from analysis.query import query
from analysis.trend import trend
from benchmarks.big_csv import write_big_csv
from benchmarks.verdict import Row, table, timed
from sandbox.client import Worker
from sandbox.launcher import shared
from storage.datasets import Dataset
from storage.keys import SessionKey
from storage.results import Result

ROUND_TRIP_MS = 30.0
KEY = SessionKey("benchmark", "analyst", "data")
READ = "import pandas; frame = pandas.read_csv({path!r}"
PANDAS_LOOK = READ + "); frame.describe(include='all'); frame.head()"
YDATA = (
    "import pandas; from ydata_profiling import ProfileReport\n"
    "frame = pandas.read_parquet({path!r})\n"
    "START\nProfileReport(frame, minimal=True, progress_bar=False).get_description()"
)
Question = tuple[str, Callable[[Engine], Result], str, str]
QUESTIONS: list[Question] = [
    (
        "group",
        lambda e: query(e, measure="price", aggregate=["sum"], by=["region"]),
        "SELECT region, sum(price) AS v FROM big GROUP BY 1 ORDER BY v DESC",
        "frame.groupby('region').price.sum().sort_values()",
    ),
    (
        "filter",
        lambda e: query(
            e,
            measure="price",
            aggregate=["mean"],
            by=["region"],
            where=[{"column": "quantity", "op": "greater_than", "value": 5}],
        ),
        "SELECT region, avg(price) AS v FROM big WHERE quantity > 5 GROUP BY 1 ORDER BY v DESC",
        "frame[frame.quantity > 5].groupby('region').price.mean().sort_values()",
    ),
    (
        "correlation",
        lambda e: correlate(e, "price", "score"),
        "SELECT corr(price, score) FROM big",
        "frame.price.corr(frame.score)",
    ),
    (
        "histogram",
        lambda e: distribution(e, "score"),
        "SELECT floor(score / 0.05) AS bin, count(*) FROM big WHERE score IS NOT NULL GROUP BY 1 ORDER BY 1",
        "pandas.cut(frame.score, 20).value_counts()",
    ),
    (
        "resample",
        lambda e: trend(e, measure="price", date="ordered_at", interval="day"),
        "SELECT date_trunc('day', ordered_at) AS m, sum(price) FROM big GROUP BY 1 ORDER BY 1",
        "frame.set_index(pandas.to_datetime(frame.ordered_at)).price.resample('D').sum()",
    ),
    (
        "top",
        lambda e: query(e, measure="price", aggregate=["sum"], by=["product"], limit=10),
        "SELECT product, sum(price) AS v FROM big GROUP BY 1 ORDER BY v DESC LIMIT 10",
        "frame.groupby('product').price.sum().nlargest(10)",
    ),
]


class Bench:
    """One file, its columnar copy and its dataset."""

    def __init__(self, folder: Path, rows: int, rounds: int) -> None:
        self.rounds = rounds
        self.csv = folder / f"{rows}.csv"
        write_big_csv(self.csv, rows)
        self.size = self.csv.stat().st_size
        self.copy = folder / f"{rows}.parquet"
        self.worker = Worker(folder=folder / "workers")
        self.options: ReadOptions = look(self.csv, self.csv.name, self.worker)[0].options
        self.worker.query("SELECT 1", {})

    @property
    def name(self) -> str:
        """The file's size in words."""
        return f"{self.size / 1e9:.2f} GB" if self.size > 1e9 else f"{self.size / 1e6:.0f} MB"

    def first_look(self) -> Row:
        """First rows and a quick profile, from the bytes."""
        taken = self.copy.with_suffix(".sample.parquet")

        def ours() -> None:
            options = look(self.csv, self.csv.name, self.worker)[0].options
            seen = sample(self.csv, options, taken, self.worker)
            profile_table(self.worker, taken, seen.columns, rows_total=seen.rows_estimate)
            self.worker.query("SELECT * FROM t LIMIT 200", {"t": taken})

        found = {
            "ours": statistics.median(timed(ours) for _ in range(self.rounds + 2)),
            "pandas": peer(PANDAS_LOOK.format(path=str(self.csv)) + "", self.rounds),
        }
        ratio = found["pandas"] / found["ours"]
        return Row(
            f"first rows and a quick profile, {self.name}", found, "ms", f"{ratio:.1f}x",
            "10x read_csv and describe(include='all')", ratio > 10,
        )  # fmt: skip

    def converted(self) -> list[Row]:
        """To the columnar copy, beside DuckDB's own, and the most memory it took."""
        theirs = self.copy.with_suffix(".theirs.parquet")
        code = (
            "import duckdb; c = duckdb.connect(); c.execute('SET threads = 2')\nSTART\n"
            f"c.execute(\"COPY (FROM read_csv('{self.csv}')) TO '{theirs}' (FORMAT parquet)\")"
        )
        samples: dict[str, list[float]] = {"ours": [], "DuckDB": []}
        ours = partial(convert, self.csv, self.options, self.copy, self.worker)
        for _ in range(self.rounds):
            samples["ours"].append(timed(ours))
            samples["DuckDB"].append(peer(code, 1))
        # Apart: to look at a process's memory makes it wait.
        with Memory() as memory:
            ours()
        peak = memory.peak_mb
        found = {name: statistics.median(values) for name, values in samples.items()}
        ratio = found["ours"] / found["DuckDB"]
        return [
            Row(
                f"to the columnar copy, {self.name}", found, "ms", f"{ratio:.2f}",
                "at most 1.2 of DuckDB's CSV to Parquet", ratio <= 1.2,
            ),
            Row(
                f"most memory of that, {self.name}", {"ours": peak}, "MB", "", "under 1,000 MB", peak < 1000
            ),
        ]  # fmt: skip

    def dataset(self) -> Dataset:
        """As the app has it once the exact profile is there."""
        done = convert(self.csv, self.options, self.copy, self.worker)
        profile = profile_table(self.worker, self.copy, done.columns)
        return Dataset(
            "1", KEY.user_id, "big", 1, "0" * 64, self.csv.name, done.rows, profile.columns,
            self.size, [], {}, 0, 0.0, self.csv, self.copy,
        )  # fmt: skip

    def profiled(self, dataset: Dataset, ydata: str) -> list[Row]:
        """The exact profile beside DuckDB's summary with top values, and ydata-profiling."""
        columns = [(column.name, column.type) for column in dataset.columns]
        tops = "\n".join(
            f"c.execute('SELECT {name}, count(*) AS n FROM big GROUP BY 1 ORDER BY 2 DESC LIMIT 9')"
            for name, _ in columns
        )
        code = (
            "import duckdb; c = duckdb.connect(); c.execute('SET threads = 2')\n"
            f"c.execute(\"CREATE VIEW big AS FROM read_parquet('{self.copy}')\")\n"
            f"START\nc.execute('SUMMARIZE big').fetchall()\n{tops}"
        )
        ours = [timed(partial(profile_table, self.worker, self.copy, columns)) for _ in range(self.rounds)]
        found = {"ours": statistics.median(ours), "SUMMARIZE and top values": peer(code, self.rounds)}
        ratio = found["SUMMARIZE and top values"] / found["ours"]
        rows = [
            Row(
                f"exact profile, {self.name}", found, "ms", f"{ratio:.2f}x",
                "3x SUMMARIZE and top values", ratio >= 3,
            )
        ]  # fmt: skip
        if ydata:
            beside = {
                "ours": found["ours"],
                "ydata minimal": peer(YDATA.format(path=str(self.copy)), 1, ydata),
            }
            ratio = beside["ydata minimal"] / beside["ours"]
            rows.append(
                Row(
                    f"the same beside ydata-profiling, {self.name}", beside, "ms", f"{ratio:.1f}x",
                    "10x ydata-profiling's minimal mode", ratio >= 10,
                )
            )  # fmt: skip
        return rows

    def asked(self, dataset: Dataset) -> list[Row]:
        """Each question beside DuckDB's own, and beside pandas reading the file and answering."""
        engine = Engine(self.worker, [dataset], key=KEY, invocation_id="")
        plain = duckdb.connect(config={"threads": 2})
        plain.execute(f"CREATE VIEW big AS FROM read_parquet('{self.copy}')")
        rows = []
        for name, ours, sql, pandas in QUESTIONS:
            samples: dict[str, list[float]] = {"ours": [], "DuckDB": []}
            for number in range(3 * self.rounds + 1):
                taken = timed(partial(ours, engine)), timed(lambda: plain.execute(sql).fetchall())  # noqa: B023
                for values, value in zip(samples.values(), taken, strict=True):
                    if number:
                        values.append(value)
            found = {key: statistics.median(values) for key, values in samples.items()}
            found["pandas from the file"] = peer(f"{READ.format(path=str(self.csv))}); {pandas}", 1)
            more = (found["ours"] - ROUND_TRIP_MS) / found["DuckDB"]
            faster = found["pandas from the file"] / found["ours"]
            rows.append(
                Row(
                    f"{name}, {self.name}", found, "ms", f"{max(more, 0):.2f}, {faster:.0f}x",
                    "1.3 of DuckDB and 30 ms; 5x pandas", more <= 1.3 and faster >= 5,
                )
            )  # fmt: skip
        plain.close()
        return rows

    def many(self, dataset: Dataset) -> Row:
        """The worker's memory after fifty questions, and after 300 more."""
        engine = Engine(self.worker, [dataset], key=KEY, invocation_id="")
        sizes = []
        for number in range(350):
            QUESTIONS[number % len(QUESTIONS)][1](engine)
            if number in (49, 349):
                sizes.append(sum(map(private_mb, self.worker.processes)))
        grown = sizes[1] - sizes[0]
        return Row(
            f"memory after 50 questions and after 300 more, {self.name}",
            {"before": sizes[0], "after": sizes[1]}, "MB", f"{grown:+.0f} MB",
            "no growth (at most 5 %)", grown <= 0.05 * sizes[0],
        )  # fmt: skip


class Memory:
    """The most memory that processes started meanwhile had for themselves."""

    def __enter__(self) -> "Memory":
        self.peak_mb = 0.0
        self._before = set(children())
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            for pid in set(children()) - self._before:
                self.peak_mb = max(self.peak_mb, private_mb(pid))


def children() -> list[int]:
    """Processes of ours that are locked: forks of the warm one."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "status").read_text()
            except OSError:
                continue
            if "Seccomp:\t2" in status:
                found.append(int(entry.name))
    return found


def private_mb(pid: int) -> float:
    """Memory that no other process has (proc_pid_smaps_rollup(5)); 0 for one that has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def peer(code: str, rounds: int, python: str = sys.executable) -> float:
    """Median milliseconds of code in a process of its own, from START or after its first import."""
    imports, _, body = code.partition("START\n") if "START\n" in code else code.partition("; ")
    timing = f"{imports}\nimport time; t = time.perf_counter()\n{body}\nprint(time.perf_counter() - t)"
    taken = []
    for _ in range(rounds):
        done = subprocess.run([python, "-c", timing], check=True, capture_output=True, text=True)
        taken.append(float(done.stdout.split()[-1]) * 1000)
    return statistics.median(taken)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ydata", default="", metavar="PYTHON")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    chosen = parser.parse_args()
    shared().warm()
    started = time.perf_counter()
    folder = Path(tempfile.mkdtemp(dir="."))
    found: list[Row] = []

    def add(rows: Sequence[Row]) -> None:
        found.extend(rows)
        sys.stderr.write("".join(f"{row.line()}\n" for row in rows))

    try:
        for rows in (90_000, chosen.rows):
            bench = Bench(folder, rows, chosen.rounds)
            add([bench.first_look(), *bench.converted()])
            dataset = bench.dataset()
            add(bench.profiled(dataset, chosen.ydata if rows == chosen.rows else ""))
            add([*bench.asked(dataset), bench.many(dataset)])
            bench.worker.close()
    finally:
        shutil.rmtree(folder)
    sys.stdout.write(table(found) + f"\n{time.perf_counter() - started:.0f} s in all\n")
    if chosen.json:
        chosen.json.write_text(json.dumps([asdict(row) for row in found], indent=2))


if __name__ == "__main__":
    main()

"""The worker: exact values, only reading, bounded, killable, and with nothing of ours in its environment."""

import datetime as dt
import math
import os
import threading
import time
import uuid
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from sandbox import errors
from sandbox.client import Limits, Worker
from sandbox.pool import WorkerPool
from sandbox.table import Table


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    path = tmp_path_factory.mktemp("data") / "t.parquet"
    duckdb.sql(f"COPY (SELECT range AS n, 'x' AS s FROM range(1000)) TO '{path}' (FORMAT parquet)")
    return {"t": path}


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    made = Worker()
    yield made
    made.close()


def test_values_come_back_exact(worker: Worker) -> None:
    row = worker.query(
        "SELECT 170141183460469231731687303715884105727::HUGEINT AS big, 0.1 + 0.2::DOUBLE AS f, "
        "'nan'::DOUBLE AS nan, '-infinity'::DOUBLE AS inf, 1.10::DECIMAL(5,2) AS d, "
        "DATE '2024-02-29' AS day, "
        "TIMESTAMP '2024-02-29 12:30:00.000001' AS ts, TIME '10:00:01' AS t, INTERVAL 90 MINUTE AS i, "
        "'\\xAA\\x00'::BLOB AS b, true AS yes, NULL AS none, 'ä''\"' AS s, [1, 2] AS l",
        {},
    ).records()[0]
    assert row["big"] == 2**127 - 1 and row["d"] == Decimal("1.10")
    assert math.isnan(row["nan"]) and row["inf"] == -math.inf
    assert row["day"] == dt.date(2024, 2, 29) and row["ts"] == dt.datetime(2024, 2, 29, 12, 30, 0, 1)
    assert row["t"] == dt.time(10, 0, 1) and row["i"] == dt.timedelta(minutes=90)
    assert row["b"] == b"\xaa\x00" and row["yes"] is True and row["none"] is None
    assert row["s"] == "ä'\"" and row["l"] == [1, 2]


def test_values_inside_values_come_back_exact(worker: Worker) -> None:
    row = worker.query(
        "SELECT {'a b': 1.50::DECIMAL(4,2), 'c\"d': DATE '2024-02-29', 'e': NULL::DOUBLE} AS s, "
        "[1.10::DECIMAL(4,2), NULL] AS l, ['nan'::DOUBLE, 'infinity'::DOUBLE] AS f, "
        "MAP {DATE '2024-02-29': [TIME '01:02:03']} AS m, MAP {7: 'x'} AS k, "
        "[{'when': TIMESTAMP '2024-02-29 01:00:00'}] AS n, "
        "UUID '00000000-0000-0000-0000-00000000000f' AS u",
        {},
    ).records()[0]
    assert row["s"] == {"a b": Decimal("1.50"), 'c"d': dt.date(2024, 2, 29), "e": None}
    assert row["l"] == [Decimal("1.10"), None] and math.isnan(row["f"][0]) and row["f"][1] == math.inf
    assert row["m"] == {dt.date(2024, 2, 29): [dt.time(1, 2, 3)]} and row["k"] == {7: "x"}
    assert row["n"] == [{"when": dt.datetime(2024, 2, 29, 1)}] and row["u"] == uuid.UUID(int=15)


def test_times_with_a_zone_and_dates_python_cannot_hold(worker: Worker) -> None:
    row = worker.query(
        "SELECT TIMESTAMPTZ '2024-01-01 10:00:00+02' AS z, '0044-03-15 (BC)'::DATE AS b, "
        "TIME '24:00:00' AS t, now() IS NOT NULL AS n",
        {},
    ).records()[0]
    assert row["z"] == dt.datetime(2024, 1, 1, 8, tzinfo=dt.UTC)
    assert (row["b"], row["t"], row["n"]) == ("0044-03-15 (BC)", "24:00:00", True)


def test_a_table_survives_json(worker: Worker, tables: dict[str, Path]) -> None:
    table = worker.query("SELECT n, n / 3 AS f, DATE '2024-01-01' + n::INT AS d FROM t", tables)
    assert Table.from_json(table.to_json()) == table
    frame = table.to_pandas()
    assert frame["n"].sum() == 499_500 and str(frame["d"].dtype).startswith("datetime64")


def test_rows_are_limited_and_all_are_counted(worker: Worker, tables: dict[str, Path]) -> None:
    table = worker.query("SELECT n FROM t ORDER BY n DESC", tables, limit=3)
    assert (table.column("n"), table.row_count, table.truncated) == ([999, 998, 997], 1000, True)


def test_ordinary_reading_passes_the_gate(worker: Worker, tables: dict[str, Path]) -> None:
    for sql in (
        "WITH a AS (SELECT n % 2 AS k FROM t) SELECT k, count(*) FROM a GROUP BY k UNION ALL SELECT 9, 9",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT sum(n) FROM r",
        "FROM t SELECT max(n) OVER (ORDER BY n)",
        "SELECT unnest(range(3))",
        "SELECT s, sum(n) FROM t GROUP BY ALL HAVING sum(n) > (SELECT 1) ORDER BY 2 LIMIT 5;",
    ):
        assert worker.query(sql, tables).row_count > 0


def test_a_query_that_runs_away_is_killed_on_time_and_the_next_one_works(tables: dict[str, Path]) -> None:
    worker = Worker()
    begun = time.monotonic()
    with pytest.raises(errors.TimeLimitExceeded, match="longer than 1 seconds"):
        worker.query("SELECT list_sum(range(100000000)), list_sum(range(300000000))", {}, timeout=1)
    assert time.monotonic() - begun < 2.5
    assert worker.query("SELECT count(*) FROM t", tables).rows == [[1000]]
    worker.close()


def test_memory_is_bounded_by_the_system() -> None:
    worker = Worker(Limits(memory_mb=1024, engine_mb=512))
    with pytest.raises((errors.MemoryLimitExceeded, errors.ProgramFailed)):
        worker.program("output = b'x' * (8 << 30)", {})
    with pytest.raises((errors.MemoryLimitExceeded, errors.TimeLimitExceeded)):
        worker.query("SELECT list(a.range || b.range) FROM range(30000) a, range(30000) b", {}, timeout=20)
    worker.close()


def test_an_answer_that_is_too_large_is_refused() -> None:
    worker = Worker(Limits(output_bytes=100_000))
    with pytest.raises(errors.OutputTooLarge):
        worker.query("SELECT repeat('x', 1000) FROM range(1000)", {})
    assert worker.query("SELECT 1", {}).rows == [[1]]
    worker.close()


def test_stopping_from_another_thread(tables: dict[str, Path]) -> None:
    worker = Worker()
    threading.Timer(0.7, worker.kill).start()
    with pytest.raises(errors.WorkerStopped):
        worker.query("SELECT list_sum(range(300000000)), list_sum(range(400000000))", {}, timeout=30)
    assert worker.query("SELECT count(*) FROM t", tables).rows == [[1000]]
    worker.close()


def test_the_worker_knows_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_API_KEY", "secret")
    worker = Worker()
    seen = worker.program("import os\noutput = {'names': sorted(os.environ), 'cwd': os.getcwd()}", {})
    assert not any("KEY" in name or "TOKEN" in name for name in seen.values["names"])
    assert seen.values["cwd"] != str(Path.cwd())
    worker.close()


def test_programs_return_tables_values_and_what_they_print(worker: Worker, tables: dict[str, Path]) -> None:
    code = "print('hello')\ndf = con.sql('SELECT sum(n) AS total FROM t').df()\noutput = {'a': df, 'n': 3}"
    output = worker.program(code, tables)
    assert output.tables["a"].rows == [[499_500]] and output.values == {"n": 3}
    assert output.stdout == "hello\n"
    with pytest.raises(errors.ProgramFailed, match="ZeroDivisionError"):
        worker.program("1 / 0", {})


SPOILING = [
    "con.close()",
    "con.execute('CREATE OR REPLACE VIEW t AS SELECT 1 AS n')",
    "con.execute('CREATE TEMP VIEW t AS SELECT 1 AS n')",
    "import sys\nsys.stdin.read()",
    "print('x' * 10_000_000)",
]


@pytest.mark.parametrize("code", SPOILING)
def test_a_program_cannot_spoil_later_queries(code: str, worker: Worker, tables: dict[str, Path]) -> None:
    assert len(worker.program(code, tables).stdout) < 200_000
    assert worker.query("SELECT count(*) FROM t", tables).rows == [[1000]]


FAILING = {
    "exit()": "SystemExit",
    "raise KeyboardInterrupt": "KeyboardInterrupt",
    "x = 1\nx / 0": r"ZeroDivisionError.*line 2",
    "output = object()": "cannot be returned",
    "output = 10 ** 5000": "JSON",
    "x = []\nx.append(x)\noutput = {'x': x}": "RecursionError",
    "import pandas as pd\noutput = pd.DataFrame()": "no columns",
    "this is no program": "SyntaxError",
}


@pytest.mark.parametrize("code", FAILING)
def test_a_program_that_fails_says_why(code: str, worker: Worker) -> None:
    with pytest.raises(errors.ProgramFailed, match=FAILING[code]):
        worker.program(code, {})


def test_values_of_programs_are_plain(worker: Worker) -> None:
    code = (
        "import numpy as np, datetime as dt, decimal\n"
        "output = {'i': np.int64(3), 'a': np.array([1.5, 2]), 'd': dt.date(2024, 1, 2), 's': {1},"
        " 'm': {2: np.bool_(True)}, 'e': decimal.Decimal('1.10'), 'n': float('nan')}"
    )
    values = worker.program(code, {}).values
    assert math.isnan(values.pop("n"))
    assert values == {
        "i": 3, "a": [1.5, 2.0], "d": "2024-01-02", "s": [1], "m": {"2": True}, "e": "1.10",
    }  # fmt: skip


FORGED = [
    "b'\\x00' * 7 + b'\\x05' + b'hello'",
    "b'\\x00' * 7 + b'\\x04' + b'null'",
    "b'\\x00' * 7 + b'\\x09' + b'{\"ok\": 1}'",
    "b'\\x00' * 7 + b'\\x0e' + b'{\"error\": \"x\"}'",
    "b'\\x00' * 6 + b'\\x9c\\x40' + b'[' * 40000",
]


@pytest.mark.parametrize("answer", FORGED)
def test_an_answer_that_is_none_ends_the_worker(answer: str, tables: dict[str, Path]) -> None:
    worker = Worker()
    code = (
        f"import os\nfor pipe in range(3, 12):\n    try:\n        os.write(pipe, {answer})\n"
        "    except OSError:\n        continue"
    )
    with pytest.raises(errors.WorkerDied, match="no answer"):
        worker.program(code, {}, timeout=5)
    assert worker.query("SELECT count(*) FROM t", tables).rows == [[1000]]
    worker.close()


def test_a_program_that_closes_the_pipe_does_not_hold_the_caller(tables: dict[str, Path]) -> None:
    worker = Worker()
    begun = time.monotonic()
    with pytest.raises(errors.WorkerDied):
        worker.program("import os, time\nos.closerange(3, 20)\ntime.sleep(60)", {}, timeout=30)
    assert time.monotonic() - begun < 5
    assert worker.query("SELECT count(*) FROM t", tables).rows == [[1000]]
    worker.close()


def test_stopping_while_the_process_starts() -> None:
    def ask(worker: Worker, outcome: list[str]) -> None:
        try:
            worker.query("SELECT list_sum(range(60000000))", {}, timeout=20)
            outcome.append("answered")
        except errors.WorkerStopped:
            outcome.append("stopped")

    for wait in range(8):
        worker, outcome = Worker(), list[str]()
        thread = threading.Thread(target=ask, args=(worker, outcome))
        thread.start()
        while not worker._turn.locked():
            time.sleep(0)
        time.sleep(wait / 500)
        worker.kill()
        thread.join()
        worker.close()
        assert outcome == ["stopped"]


def test_a_worker_outlives_the_thread_that_first_asked(tables: dict[str, Path]) -> None:
    worker = Worker()
    thread = threading.Thread(target=worker.query, args=("SELECT 1", {}))
    thread.start()
    thread.join()
    process = worker.processes
    time.sleep(0.2)
    assert worker.query("SELECT count(*) FROM t", tables).rows == [[1000]] and worker.processes == process
    worker.close()


def test_a_long_query_text_passes(worker: Worker) -> None:
    listed = ", ".join(str(number) for number in range(60_000))
    assert worker.query(f"SELECT len([{listed}])", {}).rows == [[60_000]]


def test_the_worker_dies_with_its_parent(tmp_path: Path) -> None:
    import signal
    import subprocess
    import sys

    from tests.conftest import ROOT

    script = (
        "from sandbox.client import Worker\nw = Worker(); w.query('SELECT 1', {})\n"
        "print(w.processes[0], flush=True)\n"
        "w.query('SELECT list_sum(range(300000000)), list_sum(range(400000000))', {})"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and _runs(child):
        time.sleep(0.1)
    assert not _runs(child)


def _runs(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().split(") ")[1][0]
    except FileNotFoundError:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return False
        return not Path("/proc").exists()
    return state != "Z"


def test_the_pool_keeps_a_bounded_number_of_workers() -> None:
    pool = WorkerPool(max_workers=2)
    for key in ("a", "b", "c"):
        assert pool.worker(key).query("SELECT 1", {}).rows == [[1]]
    assert pool.worker("c") is pool.worker("c")
    assert [pool.worker(key).running for key in ("c", "b", "a")] == [True, True, False]
    assert pool.worker("a").query("SELECT 2", {}).rows == [[2]]
    assert sum(worker.running for worker in pool._workers.values()) <= 2
    pool.close()

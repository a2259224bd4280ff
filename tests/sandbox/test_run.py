"""Somebody's code in a notebook: variables, failures, stops, limits, files, and what is left."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from sandbox import errors
from sandbox.client import Limits, Worker
from sandbox.launcher import Launcher
from sandbox.live_notebook import Cell
from sandbox.outcome import FileOutput, RunOutcome, TableOutput, ValueOutput
from sandbox.warm import FREEZE_SECONDS
from tests.conftest import ROOT


class Conversation:
    """A worker with the history that an app would store."""

    def __init__(self, tables: dict[str, Path], limits: Limits | None = None) -> None:
        self.worker = Worker(limits)
        self.tables = tables
        self.history: list[Cell] = []

    def run(self, code: str, **options: Any) -> RunOutcome:
        """Runs a cell and remembers it if it succeeded."""
        number = str(len(self.history))
        outcome = self.worker.run(code, self.tables, history=self.history, cell_id=number, **options)
        if outcome.failure is None:
            self.history.append(Cell(number, code))
        return outcome

    def value(self, code: str, **options: Any) -> Any:
        """The single value that the code shows."""
        outcome = self.run(code, **options)
        assert outcome.failure is None, outcome.failure
        (output,) = outcome.outputs
        assert isinstance(output, ValueOutput)
        return output.value


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    path = tmp_path_factory.mktemp("data") / "t.parquet"
    duckdb.sql(f"COPY (SELECT range AS n, range % 3 AS g FROM range(1, 1001)) TO '{path}' (FORMAT parquet)")
    return {"t": path}


@pytest.fixture
def talk(tables: dict[str, Path]) -> Iterator[Conversation]:
    made = Conversation(tables)
    yield made
    made.worker.close()


def test_all_rows_count_and_variables_stay(talk: Conversation) -> None:
    assert talk.value("int(t['n'].sum())") == sum(range(1, 1001))
    talk.run("total = int(df['n'].sum())\ndef double(x):\n    return 2 * x")
    assert talk.value("double(total)") == 1_001_000
    talk.run("con.execute('CREATE TEMP TABLE kept AS SELECT max(n) AS most FROM t')")
    assert talk.value("con.execute('SELECT most FROM kept').fetchone()[0]") == 1000
    first = talk.worker.processes
    assert talk.value("total") == 500_500 and talk.worker.processes == first


def test_libraries_that_look_for_threads_and_processors_run(talk: Conversation) -> None:
    code = (
        "import numpy\nfrom sklearn.cluster import KMeans\n"
        "from sklearn.neighbors import KNeighborsClassifier\n"
        "points = numpy.array([[0.0] * 20, [0.1] * 20, [9.0] * 20, [9.1] * 20])\n"
        "labels = KMeans(2, n_init=1, random_state=0).fit_predict(points)\n"
        "nearest = KNeighborsClassifier(1).fit(points, labels).predict(points)\n"
        "bool((nearest == labels).all() and labels[0] == labels[1] != labels[2])"
    )
    assert talk.value(code) is True


def test_a_failed_run_leaves_the_variables_as_they_were(talk: Conversation) -> None:
    talk.run("values = [1, 2, 3]\nframe = t.head(3)")
    failed = talk.run("values.append(4)\nframe['more'] = 1\nnew = 5\nraise ValueError('no')")
    assert failed.failure is not None and (failed.failure.type, failed.failure.line) == ("ValueError", 4)
    assert (
        talk.value("str(values) + str(list(frame)) + str('new' in globals())") == "[1, 2, 3]['n', 'g']False"
    )


@pytest.mark.parametrize(
    "code",
    [
        "import os\nos._exit(3)",
        "import os\nos.abort()",
        "import ctypes\nctypes.string_at(0)",
        "import sys\nsys.exit()",
        "import os\nos.closerange(0, 100)",
    ],
)
def test_a_process_that_ends_leaves_the_variables(code: str, talk: Conversation) -> None:
    talk.run("kept = 7")
    with contextlib.suppress(errors.SandboxError):
        assert talk.run(code, timeout=3).failure is not None
    assert talk.value("kept") == 7


def test_a_crash_is_called_a_crash(talk: Conversation) -> None:
    with pytest.raises(errors.WorkerDied, match="crashed its process"):
        talk.run("import os\nos.abort()")


def test_variables_are_made_again_from_the_recorded_code(tables: dict[str, Path]) -> None:
    talk = Conversation(tables)
    talk.run("total = int(t['n'].sum())")
    talk.run("twice = 2 * total")
    talk.worker.close()
    later = Conversation(tables)
    later.history = talk.history
    outcome = later.run("twice")
    assert outcome.rebuilt == 2 and outcome.outputs == [ValueOutput("twice", 1_001_000)]
    assert later.run("twice").rebuilt == 0
    later.history = later.history[:1]
    assert later.run("'twice' in globals()").outputs == [ValueOutput("", False)]
    later.worker.close()


def test_recorded_code_that_no_longer_runs_is_said(talk: Conversation) -> None:
    talk.history = [Cell("a", "x = 1"), Cell("b", "missing + 1")]
    outcome = talk.run("x")
    assert outcome.outputs == [ValueOutput("x", 1)]
    assert any("run 2 of 2" in note and "NameError" in note for note in outcome.notes)


@pytest.mark.parametrize("code", ["while True: pass", "import time\ntime.sleep(60)", "sum(range(10**12))"])
def test_stop_ends_a_run_at_once_and_keeps_the_variables(code: str, talk: Conversation) -> None:
    talk.run("kept = 7")
    stopped: list[float] = []

    def stop() -> None:
        talk.worker.kill()
        stopped.append(time.monotonic())

    threading.Timer(0.5, stop).start()
    with pytest.raises(errors.WorkerStopped):
        talk.run(code)
    ended = time.monotonic()
    while not stopped:
        time.sleep(0.01)
    assert abs(ended - stopped[0]) < 0.5
    assert talk.value("kept") == 7


def test_a_stop_while_nothing_runs_stops_nothing(talk: Conversation) -> None:
    talk.run("kept = 7")
    for _ in range(5):
        talk.worker.kill()
        assert talk.value("kept") == 7


def test_a_run_that_takes_too_long_is_ended_and_keeps_the_variables(talk: Conversation) -> None:
    talk.run("kept = 7")
    begun = time.monotonic()
    with pytest.raises(errors.TimeLimitExceeded, match="longer than 1 seconds"):
        talk.run("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: pass", timeout=1)
    assert time.monotonic() - begun < 2
    assert talk.value("kept") == 7


def test_memory_is_bounded(tables: dict[str, Path]) -> None:
    talk = Conversation(tables, Limits(memory_mb=512))
    talk.run("kept = 7")
    outcome = talk.run("import numpy as np\nnp.ones(10**9)")
    assert outcome.failure is not None and outcome.failure.type in ("MemoryError", "_ArrayMemoryError")
    assert talk.value("kept") == 7
    talk.worker.close()


def test_a_full_folder_ends_the_run(talk: Conversation) -> None:
    talk.run("kept = 7")
    with pytest.raises(errors.DiskLimitExceeded):
        talk.run("for i in range(100_000):\n    open(f'f{i}', 'w').write('x')")
    assert talk.value("len(__import__('os').listdir('.'))") == 0
    assert talk.value("kept") == 7


def test_files_are_handed_out_once(talk: Conversation) -> None:
    made = talk.run("t.head(2).to_csv('two.csv', index=False)\nopen('a.bin', 'wb').write(bytes(5))")
    files = {output.name: output.data for output in made.outputs if isinstance(output, FileOutput)}
    assert files == {"two.csv": b"n,g\n1,1\n2,2\n", "a.bin": bytes(5)}
    assert not any(isinstance(output, FileOutput) for output in talk.run("1").outputs)
    again = talk.run("open('two.csv', 'a').write('3,0\\n')\nNone")
    assert again.outputs == [FileOutput("two.csv", b"n,g\n1,1\n2,2\n3,0\n")]
    assert talk.worker.read_file("a.bin") == bytes(5)
    talk.worker.write_file("given.txt", b"hello")
    assert talk.value("open('given.txt').read()") == "hello"
    for name in ("../up", "/etc/passwd", "none", ""):
        with pytest.raises(FileNotFoundError):
            talk.worker.read_file(name)


def test_a_failed_run_leaves_no_new_files(talk: Conversation) -> None:
    talk.run("open('left.txt', 'w').write('x')\n1 / 0")
    assert talk.value("len(__import__('os').listdir('.'))") == 0


def test_another_table_of_the_same_name_is_loaded(talk: Conversation, tmp_path: Path) -> None:
    assert talk.value("len(t)") == 1000
    duckdb.sql(f"COPY (SELECT 1 AS n) TO '{tmp_path / 'u.parquet'}' (FORMAT parquet)")
    talk.tables = {"t": tmp_path / "u.parquet"}
    assert talk.value("len(t)") == 1
    talk.tables = {}
    gone = talk.run("con.sql('SELECT * FROM t').df()")
    assert gone.failure is not None


def test_code_cannot_change_what_a_query_answers(talk: Conversation) -> None:
    # A patch may break its own run, and nothing else.
    with contextlib.suppress(errors.WorkerDied):
        talk.run("import duckdb\nduckdb.DuckDBPyConnection.execute = lambda *_: None\nduckdb.connect = None")
    assert talk.worker.query("SELECT count(*) FROM t", talk.tables).rows == [[1000]]


def test_threads_that_code_started_end_with_the_run(talk: Conversation) -> None:
    code = (
        "import threading, time\ncounter = [0]\ndef count():\n    while True:\n        counter[0] += 1\n"
        "        time.sleep(0.001)\nthreading.Thread(target=count, daemon=True).start()\ntime.sleep(0.05)"
    )
    assert talk.run(code).failure is None
    before = talk.value("counter[0]")
    time.sleep(0.1)
    assert before > 0 and talk.value("counter[0]") == before


def test_an_error_in_an_earlier_answer_is_not_the_next_ones(talk: Conversation) -> None:
    forged = (
        "import os, json, struct\nanswer = json.dumps({'mark': 'x', 'ok': 1}).encode()\n"
        "for pipe in range(3, 12):\n    try:\n        os.write(pipe, struct.pack('>Q', len(answer)) "
        "+ answer)\n"
        "    except OSError:\n        pass"
    )
    with pytest.raises(errors.WorkerDied, match="no answer"):
        talk.run(forged, timeout=5)
    assert talk.value("1 + 1") == 2


def test_everything_ends_with_the_app(tables: dict[str, Path]) -> None:
    script = (
        "import pathlib\nfrom sandbox.client import Worker\nw = Worker(); w.query('SELECT 1', {})\n"
        "w.run('x = 1', {})\nprint(*w.processes, flush=True)\n"
        "w.run('while True: pass', {})"
    )
    app = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert app.stdout is not None
    groups = [int(number) for number in app.stdout.readline().split()]
    assert len(groups) == 2
    time.sleep(0.5)
    app.send_signal(signal.SIGKILL)
    app.wait()
    app.stdout.close()
    _wait_for_the_end(groups)


def _wait_for_the_end(groups: list[int]) -> None:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and any(map(_lives, groups)):
        time.sleep(0.05)
    assert not any(map(_lives, groups))


def _lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_code_that_goes_on_after_its_answer_is_halted(talk: Conversation) -> None:
    code = (
        "import threading, time\ndef spin():\n    while True:\n"
        "        open('beat', 'w').write(str(time.time()))\n"
        "threading.Thread(target=spin).start()\n"
        "import os, sys\nframe = sys._getframe()\nwhile 'call' not in frame.f_locals:\n"
        "    frame = frame.f_back\nimport json, struct\n"
        "answer = {'ok': {'outputs': [], 'printed': '', 'failure': None, 'duration': 0, 'notes': []}}\n"
        "data = json.dumps(answer | {'mark': frame.f_locals['call']['mark']}).encode()\n"
        "os.write(4, struct.pack('>Q', len(data)) + data)\nwhile True:\n    pass"
    )
    assert talk.run(code).failure is None
    beat = talk.worker._opened().scratch / "beat"
    time.sleep(FREEZE_SECONDS + 1)
    seen = beat.read_text()
    time.sleep(0.5)
    assert beat.read_text() == seen
    with contextlib.suppress(errors.WorkerDied):
        talk.run("1")
    talk.history.clear()
    assert talk.value("1 + 1") == 2


def test_an_idle_conversation_is_halted_and_goes_on(talk: Conversation) -> None:
    talk.run("kept = 7")
    time.sleep(FREEZE_SECONDS + 1)
    assert talk.value("kept") == 7


def test_too_many_threads_end_the_run(talk: Conversation) -> None:
    code = (
        "import threading, time\nthreading.stack_size(65536)\nfor _ in range(3000):\n"
        "    threading.Thread(target=time.sleep, args=(5,)).start()\ntime.sleep(5)"
    )
    with pytest.raises(errors.SandboxError):
        talk.run(code)
    assert talk.value("1 + 1") == 2


def test_a_closed_worker_stays_closed(tables: dict[str, Path]) -> None:
    worker = Worker()
    worker.close()
    with pytest.raises(errors.WorkerStopped):
        worker.query("SELECT 1", {})
    assert not worker.running


def test_code_ends_although_the_warm_process_is_gone(tables: dict[str, Path]) -> None:
    launcher = Launcher()
    worker = Worker(launcher=launcher)
    worker.run("x = 1", {})
    (group,) = worker.processes
    assert launcher._process is not None
    threading.Timer(0.3, launcher._process.kill).start()
    threading.Timer(1.0, worker.kill).start()
    begun = time.monotonic()
    with pytest.raises(errors.SandboxError):
        worker.run("while True: pass", {}, history=[Cell("", "x = 1")])
    assert time.monotonic() - begun < 3
    worker.close()
    launcher.close()
    _wait_for_the_end([group])


def test_the_warm_process_is_started_again(tables: dict[str, Path]) -> None:
    launcher = Launcher()
    worker = Worker(launcher=launcher)
    assert worker.run("1", {}).outputs == [ValueOutput("", 1)]
    assert launcher._process is not None
    launcher._process.kill()
    launcher._process.wait()
    for _ in range(2):
        try:
            outcome = worker.run("con.sql('SELECT count(*) AS n FROM t').df()", tables)
            break
        except errors.WorkerDied:
            continue
    (output,) = outcome.outputs
    assert isinstance(output, TableOutput) and output.table.rows == [[1000]]
    worker.close()
    launcher.close()

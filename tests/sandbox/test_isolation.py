"""What keeps code in where the kernel's Landlock is missing, and what happens where nothing does."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from sandbox import errors, isolation
from sandbox.client import Worker
from sandbox.launcher import Launcher
from sandbox.live_notebook import Cell
from sandbox.outcome import ValueOutput

needs_bubblewrap = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")


@pytest.fixture(scope="module")
def wrapped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Worker, dict[str, Path]]]:
    folder = tmp_path_factory.mktemp("wrapped")
    path = folder / "t.parquet"
    duckdb.sql(f"COPY (SELECT range AS n FROM range(1, 1001)) TO '{path}' (FORMAT parquet)")
    (folder / "secret.txt").write_text("secret")
    launcher = Launcher(isolation.find(isolation.BUBBLEWRAP))
    worker = Worker(launcher=launcher, folder=folder / "workers")
    yield worker, {"t": path}
    worker.close()
    launcher.close()


@needs_bubblewrap
@pytest.mark.slow
def test_bubblewrap_runs_code_on_all_rows_and_keeps_variables(
    wrapped: tuple[Worker, dict[str, Path]],
) -> None:
    worker, tables = wrapped
    assert worker.run("x = int(t['n'].sum())", tables, cell_id="a").failure is None
    history = [Cell("a", "x = int(t['n'].sum())")]
    outcome = worker.run("x", tables, history=history, cell_id="b")
    assert (outcome.outputs, outcome.rebuilt) == ([ValueOutput("x", 500_500)], 0)
    assert worker.query("SELECT sum(n) FROM t", tables).rows == [[500_500]]


@needs_bubblewrap
@pytest.mark.slow
@pytest.mark.parametrize(
    "code",
    [
        "open('/etc/passwd').read()",
        "open({secret!r}).read()",
        "open({table!r}, 'wb')",
        "import os\nos.fork()",
        "import subprocess\nsubprocess.run(['true'], check=True)",
        "import socket\nsocket.create_connection(('127.0.0.1', 80))",
        "import os\nos.kill(os.getppid(), 0)",
    ],
)
def test_bubblewrap_keeps_code_in(code: str, wrapped: tuple[Worker, dict[str, Path]]) -> None:
    worker, tables = wrapped
    folder = tables["t"].parent
    code = code.format(secret=str(folder / "secret.txt"), table=str(tables["t"]))
    outcome = worker.run(code, tables)
    assert outcome.failure is not None
    assert tables["t"].stat().st_size > 0


def test_without_isolation_code_is_refused_and_queries_run() -> None:
    launcher = Launcher(isolation.REFUSED)
    worker = Worker(launcher=launcher)
    with pytest.raises(errors.IsolationMissing, match="Landlock"):
        worker.run("1", {})
    assert worker.query("SELECT 1", {}).rows == [[1]]
    worker.close()
    launcher.close()


def test_nothing_is_called_safe_that_is_not() -> None:
    assert isolation.find(isolation.OFF).unsafe
    found = isolation.find()
    assert found.runs_code == (found.kind in ("kernel", "bubblewrap")) and not found.unsafe

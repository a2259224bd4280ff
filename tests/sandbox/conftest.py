"""Notebooks to run code in, and data for them."""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from sandbox.client import Worker
from sandbox.outcome import Failure, RunOutcome, TableOutput, ValueOutput
from tests.sandbox.attacks import protected

ROOT = Path(__file__).parents[2]
SERVER = [sys.executable, "-m", "tests.sandbox.notebook_process"]
NUMBERS = itertools.count()
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MPLBACKEND": "agg",
}


class NotebookClient:
    """One notebook in the process of `tests.sandbox.notebook_process`."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path, tables: dict[str, Path]) -> None:
        self._process = process
        self._number = next(NUMBERS)
        self.tables = tables
        self._ask(do="open", folder=str(folder))

    def run(self, code: str, tables: dict[str, Path] | None = None) -> RunOutcome:
        """What the code shows, read as the parent of a sandbox reads it."""
        return RunOutcome.from_json(self._ask(do="run", code=code, tables=self._paths(tables)))

    def run_forked(self, code: str) -> RunOutcome:
        """The same in a fork, whose variables are lost."""
        return RunOutcome.from_json(self._ask(do="fork", code=code, tables=self._paths(None)))

    def value(self, code: str) -> Any:
        """The only value that the code shows."""
        outcome = self.run(code)
        assert outcome.failure is None, outcome.failure
        (output,) = outcome.outputs
        assert isinstance(output, ValueOutput)
        return output.value

    def frame(self, code: str) -> pd.DataFrame:
        """The only table that the code shows."""
        outcome = self.run(code)
        assert outcome.failure is None, outcome.failure
        (output,) = outcome.outputs
        assert isinstance(output, TableOutput)
        return output.table.to_pandas()

    def failure(self, code: str) -> Failure:
        """Why the code failed."""
        found = self.run(code).failure
        assert found is not None
        return found

    def rest(self) -> list[str]:
        """The names of the threads that are left between runs."""
        found: list[str] = self._ask(do="rest")
        return found

    def close(self) -> None:
        """Forgets the variables."""
        self._ask(do="close")

    def _paths(self, tables: dict[str, Path] | None) -> dict[str, str]:
        return {name: str(path) for name, path in (self.tables if tables is None else tables).items()}

    def _ask(self, **call: Any) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"notebook": self._number, **call}) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@pytest.fixture(scope="session")
def notebook_process() -> "Iterator[subprocess.Popen[str]]":
    """A process that holds the notebooks of a test run."""
    with subprocess.Popen(
        SERVER,
        cwd=ROOT,
        env=os.environ | ONE_THREAD,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture(scope="session")
def order_rows(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Two hundred orders; also a Parquet file, whose path is in `attrs`."""
    rows = range(200)
    frame = pd.DataFrame(
        {
            "region": [("north", "south", "east")[i % 3] for i in rows],
            "revenue": [i * 1.5 if i % 11 else None for i in rows],
            "quantity": [i % 7 for i in rows],
            "day": pd.date_range("2024-01-01", periods=200),
        }
    )
    path = tmp_path_factory.mktemp("data") / "orders.parquet"
    frame.to_parquet(path)
    frame.attrs["path"] = path
    return frame


@pytest.fixture
def open_notebook(
    notebook_process: "subprocess.Popen[str]", tmp_path: Path, order_rows: pd.DataFrame
) -> Iterator[Callable[[], NotebookClient]]:
    """Opens notebooks of their own, over customers and (current) orders."""
    other = tmp_path / "customers.parquet"
    pd.DataFrame({"id": [1, 2, 3], "name": ["Ann", "Bob", None]}).to_parquet(other)
    folder = tmp_path / "scratch"
    folder.mkdir()
    opened: list[NotebookClient] = []

    def open_one() -> NotebookClient:
        tables = {"our customers": other, "customers": other, "orders": order_rows.attrs["path"]}
        opened.append(NotebookClient(notebook_process, folder, tables))
        return opened[-1]

    yield open_one
    for client in opened:
        client.close()


@pytest.fixture
def notebook(open_notebook: Callable[[], NotebookClient]) -> NotebookClient:
    """A notebook of its own."""
    return open_notebook()


@pytest.fixture(scope="module")
def attacked_tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The table of the conversation that is attacked from within."""
    path = tmp_path_factory.mktemp("data") / "orders.parquet"
    duckdb.sql(f"COPY (SELECT range AS n, 'x' AS s FROM range(1000)) TO '{path}' (FORMAT parquet)")
    return {"orders": path}


@pytest.fixture(scope="module")
def bystander() -> Iterator[Worker]:
    """Another conversation, which no attack may reach."""
    made = Worker(protected.LIMITS)
    yield made
    made.close()

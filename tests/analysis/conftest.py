"""An engine over the sample, and over small tables that a test writes."""

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pandas as pd
import pytest

from analysis.engine import Engine
from analysis.ingest import ingest
from sandbox.client import Worker
from storage.datasets import Dataset
from storage.keys import SessionKey
from storage.store import Store
from tests.conftest import SAMPLE

KEY = SessionKey("app", "ann", "s")
Load = Callable[..., Engine]


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    made = Worker()
    yield made
    made.close()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    opened = Store(tmp_path_factory.mktemp("home"))
    yield opened
    opened.close()


def read(store: Store, worker: Worker, name: str, content: bytes, limit_mb: int = 50) -> Dataset:
    """Ingests a file's bytes."""
    return ingest(
        BytesIO(content), name, datasets=store.datasets, worker=worker, user_id="ann", limit_mb=limit_mb
    )


@pytest.fixture(scope="module")
def engine(store: Store, worker: Worker) -> Engine:
    dataset = read(store, worker, "orders.csv", Path(SAMPLE).read_bytes())
    return Engine(worker, [dataset], key=KEY, invocation_id="i")


@pytest.fixture(scope="module")
def load(store: Store, worker: Worker) -> Load:
    """Engine over tables given as DataFrames or bytes, by name."""

    def make(**tables: pd.DataFrame | bytes) -> Engine:
        datasets = []
        for name, table in tables.items():
            content = table if isinstance(table, bytes) else table.to_csv(index=False).encode()
            datasets.append(read(store, worker, f"{name}.csv", content))
        return Engine(worker, datasets, key=KEY, invocation_id="i")

    return make

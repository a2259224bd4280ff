"""One table in every engine, and an `Engine` over each."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from analysis.engine import Engine
from analysis.remote.connections import Connections, Found
from analysis.remote.tables import look
from sandbox.client import Worker
from storage.datasets import Dataset
from storage.keys import SessionKey
from storage.results import Result
from storage.store import Store
from tests.engines import shop
from tests.engines.operations import OPERATIONS

KEY = SessionKey("app", "ann", "s")
At = Callable[[str, str], AbstractContextManager[Engine]]


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    made = Worker()
    yield made
    made.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shop.parquet(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def orders(worker: Worker, file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dataset]:
    store = Store(tmp_path_factory.mktemp("home"))
    yield shop.local(store, worker, file)
    store.close()


@pytest.fixture(scope="module")
def expected(worker: Worker, orders: Dataset) -> dict[str, Result]:
    """What every operation gives on DuckDB here."""
    here = Engine(worker, [orders], key=KEY, invocation_id="i")
    return {name: operation(here) for name, operation in OPERATIONS.items()}


@pytest.fixture(scope="module")
def at(worker: Worker, orders: Dataset) -> At:
    """An engine over the table `orders` of a schema at a URL, for as long as a block runs."""

    @contextmanager
    def connect(url: str, schema: str) -> Iterator[Engine]:
        connections = Connections({"shop": SecretStr(url)})
        columns, rows, notes = look(connections["shop"], Found(schema, "orders"))
        source = {"connection": "shop", "schema": schema, "table": "orders"}
        dataset = replace(orders, columns=columns, rows=rows, notes=notes, source=source)
        yield Engine(worker, [dataset], key=KEY, invocation_id="i", connections=connections)
        connections.close()

    return connect

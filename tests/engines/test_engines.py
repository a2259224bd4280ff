"""The same analyses give the same numbers on DuckDB here and at PostgreSQL, SQLite and a DuckDB file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis.engine import Engine
from storage.results import Result
from tests.engines import shop
from tests.engines.conftest import At
from tests.engines.operations import OPERATIONS, differences
from tests.servers.postgres import postgres


@pytest.fixture(scope="module", params=["PostgreSQL", "SQLite", "DuckDB"])
def there(
    request: pytest.FixtureRequest, at: At, file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "PostgreSQL":
        with postgres(folder / "server") as server:
            url = server.url()
            shop.into_postgres(url, file)
            with at(url, "public") as engine:
                yield engine
    elif request.param == "SQLite":
        shop.into_sqlite(folder / "orders.db", file)
        with at(f"sqlite:///{folder}/orders.db", "main") as engine:
            yield engine
    else:
        shop.into_duckdb(folder / "orders.db", file)
        with at(f"duckdb:///{folder}/orders.db", "main") as engine:
            yield engine


def test_every_operation_gives_the_same_numbers(expected: dict[str, Result], there: Engine) -> None:
    # The SQL is the same for a file of DuckDB; some operations show that the way there and back is right.
    (engine,) = OPERATIONS["count"](there).engine
    names = list(expected)[:: 6 if engine == "DuckDB" else 1]
    found = {name: differences(name, expected[name], there) for name in names}
    assert {name: said for name, said in found.items() if said} == {}


def test_a_result_says_where_it_ran(there: Engine) -> None:
    result = OPERATIONS["missing group"](there)
    (name,) = result.engine
    assert name in ("PostgreSQL", "SQLite", "DuckDB") and result.engine[name][0].isdigit()
    assert "orders" in result.code and result.language == "sql"

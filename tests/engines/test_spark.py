"""The same numbers on DuckDB here and on a Spark cluster: master, two workers, Connect server."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis.engine import Engine
from storage.results import Result
from tests.engines.conftest import At
from tests.engines.operations import OPERATIONS, differences
from tests.servers import spark

pytestmark = [pytest.mark.slow, pytest.mark.spark, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def there(at: At, file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    if why := spark.missing():
        pytest.skip(why)
    with spark.spark(tmp_path_factory.mktemp("spark")) as url:
        with warnings.catch_warnings():
            # It has not said yet that it supports pandas 3.
            warnings.simplefilter("ignore")
            from pyspark.sql import SparkSession

            session = SparkSession.builder.remote(url).create()
        session.sql(f"CREATE TABLE orders USING PARQUET LOCATION 'file://{file}'")
        session.stop()
        with at(url, "default") as engine:
            yield engine


def test_every_operation_gives_the_same_numbers(expected: dict[str, Result], there: Engine) -> None:
    found = {name: differences(name, result, there) for name, result in expected.items()}
    assert {name: said for name, said in found.items() if said} == {}
    assert OPERATIONS["count"](there).engine.keys() == {"Spark"}

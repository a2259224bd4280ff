"""A dataset as CSV text: nothing is lost, and nothing beyond the limit is written."""

import io

import pandas as pd
import pytest

from analysis.table_csv import TooLargeAsCsv, as_csv
from sandbox.client import Worker
from tests.analysis.conftest import Load


def test_a_table_as_csv_keeps_every_value(load: Load, worker: Worker) -> None:
    frame = pd.DataFrame(
        {
            "whole": [1, None, 9_007_199_254_740_993],
            "number": [0.1, 1e300, None],
            "text": ['with "quotes", commas', "two\nlines", "žluťoučký 🐎"],
            "day": ["2024-01-31", None, "1999-12-31"],
            'odd "name"': ["a", "b", "c"],
        }
    ).astype({"whole": "Int64"})
    (dataset,) = load(odd=frame).datasets
    data = as_csv(worker, dataset, 10_000)
    read = pd.read_csv(io.BytesIO(data), dtype={"whole": "Int64"})
    pd.testing.assert_frame_equal(read, frame.set_axis([c.name for c in dataset.columns], axis=1))
    assert as_csv(worker, dataset, len(data)) == data
    with pytest.raises(TooLargeAsCsv) as raised:
        as_csv(worker, dataset, len(data) - 1)
    assert raised.value.size == len(data)


def test_the_size_of_a_large_table_is_estimated(load: Load, worker: Worker) -> None:
    (dataset,) = load(large=pd.DataFrame({"word": ["x" * 99] * 50_000})).datasets
    with pytest.raises(TooLargeAsCsv, match=r"about 5\.0 MB"):
        as_csv(worker, dataset, 1_000_000)

"""Two paths write dates, gaps and truth values in their own ways; numbers are the same to nine digits."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from analysis.agreement import difference, same


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (1, 1.0),
        (0.1 + 0.2, 0.3),
        (Decimal("2.50"), 2.5),
        (True, "yes"),
        (False, "False"),
        (None, float("nan")),
        (None, "(missing)"),
        (pd.NaT, None),
        (dt.date(2024, 3, 1), dt.datetime(2024, 3, 1)),
        (dt.date(2024, 3, 1), "2024-03-01 00:00:00"),
        ("a", "a"),
    ],
)
def test_the_same_however_it_is_written(one: Any, two: Any) -> None:
    assert same(one, two) and same(two, one)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (1, 1.000001),
        (1, None),
        (0, None),
        ("a", "A"),
        ("a", 1),
        (dt.datetime(2024, 3, 1, 9), dt.date(2024, 3, 1)),
        (float("inf"), 1),
    ],
)
def test_what_differs_is_not_the_same(one: Any, two: Any) -> None:
    assert not same(one, two) and not same(two, one)


def test_the_first_difference_is_named() -> None:
    assert difference([[1, "a"]], [[1.0, "a"]]) == ""
    assert difference([["a", 1], ["b", 2]], [["a", 1], ["b", 3]]) == "row 2: 2 and 3"
    assert difference([[1]], [[1], [2]]) == "1 rows and 2 rows"
    assert difference([[1, 2]], [[1]]) == "2 columns and 1 columns"


def test_order_counts_unless_it_may_not() -> None:
    ours: list[list[Any]]
    theirs: list[list[Any]]
    ours, theirs = [["b", 2.0], [None, 1.0], ["a", 3.0]], [["a", 3], ["b", 2], ["(missing)", 1]]
    assert difference(ours, theirs)
    assert difference(ours, theirs, ordered=False) == ""
    assert difference(ours, [["a", 3], ["b", 1], [None, 2]], ordered=False)

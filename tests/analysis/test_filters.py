"""Filters where the obvious reading of a value is the wrong one."""

from typing import Any

import pandas as pd
import pytest

from analysis.engine import Engine
from analysis.errors import AnalysisError, BadValue, EmptySelection, UnknownColumn, UnknownOption
from analysis.query import query
from analysis.rows import rows
from tests.analysis.conftest import Load

FRAME = pd.DataFrame(
    {
        "name": ["a(b", "A(B", "100%", "Ärger", None, "5"],
        "n": [0, 1, -2, 1234, None, 5],
        "x": [0.0, 1.5, 0.1, 1234.5, 2.0, None],
        "on": [True, False, False, True, None, False],
        "at": pd.to_datetime(
            ["2024-02-29 23:59:59", "2024-03-01", "2024-03-31 12:00", "2024-12-31", "NaT", "9999-12-30"],
            format="ISO8601",
        ),
    }
)


@pytest.fixture
def odd(load: Load) -> Engine:
    return load(odd=FRAME)


def count(engine: Engine, column: str, op: str, value: Any = None) -> int:
    found = query(engine, where=[{"column": column, "op": op, "value": value}]).facts["value"]
    listed = rows(engine, where=[{"column": column, "op": op, "value": value}])
    assert listed.facts["matching_rows"] == found
    return int(found)


CASES: list[tuple[str, str, Any, Any]] = [
    ("n", "equals", 0, lambda d: d["n"] == 0),
    ("x", "equals", 0, lambda d: d["x"] == 0),
    ("n", "not_equals", 0, lambda d: d["n"] != 0),
    ("n", "not_in", [0, 1], lambda d: ~d["n"].isin([0, 1])),
    ("x", "equals", "1,234.5", lambda d: d["x"] == 1234.5),
    ("n", "at_least", "1,234", lambda d: d["n"] >= 1234),
    ("n", "less_than", 10**30, lambda d: d["n"] < 1e30),
    ("n", "greater_than", -2.5, lambda d: d["n"] > -2.5),
    ("on", "equals", False, lambda d: d["on"] == False),  # noqa: E712
    ("on", "equals", 0.0, lambda d: d["on"] == False),  # noqa: E712
    ("on", "not_equals", True, lambda d: d["on"] != True),  # noqa: E712
    ("name", "contains", "(", lambda d: d["name"].str.contains("(", regex=False, na=False)),
    ("name", "equals", "A(b", lambda d: d["name"].str.lower() == "a(b"),
    ("name", "not_equals", "A(b", lambda d: d["name"].str.lower() != "a(b"),
    ("name", "equals", "ÄRGER", lambda d: d["name"] == "Ärger"),
    ("name", "equals", 5.0, lambda d: d["name"] == "5"),
    ("name", "starts_with", "10", lambda d: d["name"].str.startswith("10", na=False)),
    ("name", "ends_with", "%", lambda d: d["name"].str.endswith("%", na=False)),
    ("name", "is_missing", None, lambda d: d["name"].isna()),
    ("at", "equals", "2024-03", lambda d: d["at"].dt.strftime("%Y-%m") == "2024-03"),
    ("at", "equals", 2024.0, lambda d: d["at"].dt.year == 2024),
    ("at", "not_equals", "2024-03", lambda d: d["at"].dt.strftime("%Y-%m") != "2024-03"),
    ("at", "equals", "2024-12", lambda d: d["at"].dt.strftime("%Y-%m") == "2024-12"),
    ("at", "equals", "2024-02-29", lambda d: d["at"].dt.strftime("%Y-%m-%d") == "2024-02-29"),
    ("at", "greater_than", "2024-03", lambda d: d["at"] >= "2024-04-01"),
    ("at", "at_most", "2024-02-29", lambda d: d["at"] < "2024-03-01"),
    ("at", "at_least", "2024-03-31T12:00:00", lambda d: d["at"] >= "2024-03-31 12:00"),
    ("at", "less_than", "2024-03-31T14:00:00+02:00", lambda d: d["at"] < "2024-03-31 12:00"),
    ("at", "between", ["2024-02", "2024-03"], lambda d: d["at"].between("2024-02-01", "2024-03-31 23:59")),
]


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c[0]} {c[1]} {c[2]}")
def test_rows_that_pass(case: tuple[str, str, Any, Any], odd: Engine) -> None:
    column, op, value, mask = case
    expected = int(mask(FRAME).sum())
    assert expected > 0 and count(odd, column, op, value) == expected


def test_a_filter_and_its_opposite_share_out_all_rows(odd: Engine) -> None:
    values: list[tuple[str, Any]] = [
        ("name", "a(b"), ("n", 1), ("x", 1.5), ("on", True), ("at", "2024-03"),
    ]  # fmt: skip
    for column, value in values:
        assert count(odd, column, "equals", value) + count(odd, column, "not_equals", value) == len(FRAME)
        assert count(odd, column, "in", [value]) + count(odd, column, "not_in", [value]) == len(FRAME)


def test_an_empty_string_is_a_value(load: Load) -> None:
    engine = load(blank=pd.DataFrame({"s": ["x", "y"], "n": [1, 2]}))
    with pytest.raises(EmptySelection):
        query(engine, where=[{"column": "s", "op": "equals", "value": ""}])
    assert count(engine, "s", "not_equals", "") == 2


@pytest.mark.parametrize(
    ("column", "op", "value", "error"),
    [
        ("x", "equals", "1,5", BadValue),
        ("x", "equals", "nan", BadValue),
        ("x", "equals", "inf", BadValue),
        ("n", "equals", True, BadValue),
        ("on", "equals", "maybe", BadValue),
        ("at", "equals", "9999", BadValue),
        ("at", "equals", "0000", BadValue),
        ("at", "equals", "2024-13", BadValue),
        ("at", "equals", "2023-02-29", BadValue),
        ("at", "equals", "soon", BadValue),
        ("n", "between", [1], BadValue),
        ("n", "between", 1, BadValue),
        ("n", "equals", None, BadValue),
        ("n", "in", [], BadValue),
        ("name", "at_least", "b", UnknownOption),
        ("n", "like", 1, UnknownOption),
        ("nmae", "equals", 1, UnknownColumn),
        ("n", "equals", 77, EmptySelection),
    ],
)
def test_what_cannot_be_meant_is_an_error_with_what_to_do(
    column: str, op: str, value: Any, error: type[AnalysisError], odd: Engine
) -> None:
    with pytest.raises(error) as caught:
        query(odd, where=[{"column": column, "op": op, "value": value}])
    assert column in str(caught.value) or caught.value.suggestions
    if error is UnknownColumn:
        assert "name" in caught.value.suggestions
    if (column, op) == ("n", "like"):
        assert {"equals", "contains", "between"} <= set(caught.value.suggestions)


def test_the_filter_is_said_in_the_title(odd: Engine) -> None:
    found = query(odd, where=[{"column": "n", "op": "between", "value": [0.0, 5.0]}])
    assert found.title == "Number of rows where n is between 0 and 5"

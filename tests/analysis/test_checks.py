"""Checks pass for right results of every kind, and fail for a wrong number or a changed table."""

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from analysis.checks import check, passed
from analysis.compare import compare
from analysis.engine import Engine
from analysis.query import query
from tests.analysis.conftest import Load

MARCH: list[Any] = [{"column": "order_date", "op": "equals", "value": "2025-03"}]
QUESTIONS: dict[str, dict[str, Any]] = {
    "rows": {},
    "rows by group": {"by": ["region"]},
    "sum": {"measure": "revenue"},
    "sum by month": {"measure": "revenue", "by": ["order_date"], "interval": "month"},
    "sum by weekday": {"measure": "revenue", "by": ["order_date"], "interval": "weekday"},
    "two groups": {"measure": "revenue", "by": ["region", "channel"]},
    "several": {"measure": "revenue", "aggregate": ["mean", "median", "std", "min", "max"], "by": ["city"]},
    "filtered": {"measure": "revenue", "by": ["region"], "where": MARCH},
    "missing": {"measure": "rating", "aggregate": ["mean", "count", "distinct"], "by": ["city"]},
    "top": {"measure": "revenue", "by": ["product"], "limit": 3},
    "dates": {"measure": "order_date", "aggregate": ["min", "max"], "by": ["region"]},
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_right_results_pass(name: str, engine: Engine) -> None:
    checks = check(engine, query(engine, **QUESTIONS[name]))
    assert [item for item in checks if not item.passed] == []
    assert passed(checks)


@pytest.mark.parametrize("name", ["sum", "sum by month", "several", "top"])
def test_one_wrong_number_is_found(name: str, engine: Engine) -> None:
    result = query(engine, **QUESTIONS[name])
    rows = [list(row) for row in result.output["table"]["rows"]]
    rows[0][-1] = float(rows[0][-1]) * 1.001
    wrong = replace(result, output={"table": result.output["table"] | {"rows": rows}})
    checks = check(engine, wrong)
    assert not passed(checks)
    failed = {item.name for item in checks if not item.passed}
    assert {"same code again", "second formulation"} <= failed
    assert all(item.detail for item in checks if not item.passed)


def test_a_lost_group_is_found(engine: Engine) -> None:
    result = query(engine, measure="revenue", by=["region"])
    short = replace(result, output={"table": result.output["table"] | {
        "rows": result.output["table"]["rows"][:-1], "row_count": 3}})  # fmt: skip
    failed = {item.name for item in check(engine, short) if not item.passed}
    assert failed == {"same code again", "second formulation", "parts and total"}


def test_wrong_code_is_found_by_the_other_path(engine: Engine) -> None:
    right = query(engine, measure="revenue", by=["region"])
    doubled = right.code.replace("SUM(", "2 * SUM(")
    assert doubled != right.code
    wrong = replace(engine.sql(doubled, title="t", tool="query", arguments=right.arguments, datasets=[]))
    checks = {item.name: item.passed for item in check(engine, wrong)}
    assert checks == {"same code again": True, "second formulation": False, "parts and total": False}


def test_missing_groups_and_odd_names_pass(load: Load) -> None:
    engine = load(
        odd=pd.DataFrame({"value": [1, 2, 3, 4], "__v": ["a", None, "a", "b"], "b": [True, False] * 2})
    )
    for question in ({"measure": "value", "by": ["__v"]}, {"by": ["value"]}, {"measure": "b", "by": ["__v"]}):
        by = [engine.dataset().columns[["value", "__v", "b"].index(n)].name for n in question["by"]]
        checks = check(engine, query(engine, measure=str(question.get("measure", "")), by=by))
        assert [item for item in checks if not item.passed] == []


def test_what_cannot_be_checked_on_another_path_is_not_called_passed(engine: Engine) -> None:
    checks = check(engine, compare(engine, "revenue", "channel"))
    assert [item.passed for item in checks] == [True] and not passed(checks)

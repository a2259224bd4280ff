"""What may be called verified."""

from dataclasses import replace
from typing import Any

import pytest

from storage.session_states import SessionState
from ui import verification


def check(name: str, passed: bool | None) -> dict[str, Any]:
    return {"name": name, "statement": "It holds.", "independent": True} | (
        {} if passed is None else {"passed": passed}
    )


DONE = SessionState(
    thread_id="t",
    user_prompt="q",
    problem_tests=[check("one", True), check("two", True)],
    tests_passed=True,
    workflow_status="completed",
)


def test_all_checks_passed_and_the_row_says_so() -> None:
    assert verification.verified(DONE)


@pytest.mark.parametrize(
    "state",
    [
        replace(DONE, workflow_status="running"),
        replace(DONE, workflow_status="failed"),
        replace(DONE, tests_passed=False),
        replace(DONE, tests_passed=None),
        replace(DONE, problem_tests=[]),
        replace(DONE, problem_tests=None),
        replace(DONE, problem_tests="all fine"),
        replace(DONE, problem_tests=[check("one", True), check("two", None)]),
        replace(DONE, problem_tests=[check("one", True), check("two", False)]),
    ],
)
def test_anything_less_is_not_verified_and_says_why(state: SessionState) -> None:
    assert not verification.verified(state)
    assert verification.reason(state).endswith(".")


def test_the_reason_names_the_checks_that_failed() -> None:
    state = replace(
        DONE,
        workflow_status="failed",
        tests_passed=False,
        problem_tests=[check("one", True), check("two", False)],
    )
    assert verification.reason(state) == "1 check of 2 failed: two."

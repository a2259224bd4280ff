"""A verified answer leaves one row that says what was asked, which checks ran, and the verdict."""

from collections.abc import Callable

import pytest

from agents.turns import TurnRefused
from storage.keys import SessionKey
from tests.agents.conftest import Open, with_gemini, with_sample
from tests.servers.gemini import GeminiServer, text


def test_a_right_answer_is_verified_and_recorded(assistant: Open) -> None:
    made = assistant()
    key = with_sample(made)
    state = made.verified(key, "total revenue by region")
    assert (state.workflow_status, state.tests_passed, state.problem_attempts) == ("completed", True, 1)
    assert (state.topic, state.difficulty) == ("aggregation", "easy")
    assert state.problem_description == "Sum of revenue by region" and "SUM(" in str(state.code)
    assert {item["name"]: item["passed"] for item in state.problem_tests} == {
        "same code again": True,
        "second formulation": True,
        "parts and total": True,
    }
    turn = made.store.turns.for_session(key)[-1]
    assert state.run_id == turn.invocation_id and state.session_id == key.session_id
    stored = made.store.session_states.get_session_state(state.thread_id, user_id=key.user_id)
    assert stored == state
    assert made.store.session_states.get_session_state(state.thread_id, user_id="bea") is None


def test_what_has_no_second_path_is_not_called_verified(assistant: Open) -> None:
    made = assistant()
    state = made.verified(with_sample(made), "correlation between quantity and discount", max_attempts=2)
    assert (state.workflow_status, state.tests_passed, state.problem_attempts) == ("failed", False, 2)
    assert (state.topic, state.difficulty, state.code_attempts) == ("correlation", "hard", 2)


def test_an_answer_without_numbers_fails_with_its_reason(
    assistant: Open, gemini: Callable[..., GeminiServer]
) -> None:
    made = assistant(**with_gemini(gemini([[text("It is about a million.")]], [[text("Still a million.")]])))
    key = with_sample(made)
    state = made.verified(key, "total revenue", max_attempts=2)
    assert (state.workflow_status, state.tests_passed, state.code) == ("failed", False, None)
    assert state.problem_tests[0]["detail"] == "The answer holds no numbers."
    analytics = made.store.session_states.get_session_analytics(user_id=key.user_id)
    assert (analytics["total"], analytics["success_rate"]) == (1, 0)


def test_a_conversation_that_is_not_there_leaves_no_row(assistant: Open) -> None:
    made = assistant()
    with pytest.raises(TurnRefused):
        made.verified(SessionKey("agents", "ann", "gone"), "total revenue")
    assert made.store.session_states.get_session_states_by_criteria(user_id=None) == []


def test_a_run_that_breaks_off_is_not_left_open(assistant: Open) -> None:
    made = assistant()
    key = with_sample(made)
    table = made.datasets(key)[0].table_path

    def lose_the_data(*_: object) -> None:
        table.unlink()

    made.store.results.save = _after(made.store.results.save, lose_the_data)  # type: ignore[method-assign]
    state = made.verified(key, "total revenue by region", max_attempts=1)
    assert (state.workflow_status, state.tests_passed) == ("failed", False)
    assert any(not item["passed"] and item["detail"] for item in state.problem_tests)


def _after(work: Callable[..., None], then: Callable[..., None]) -> Callable[..., None]:
    def both(*given: object) -> None:
        work(*given)
        then()

    return both

"""A verified answer is one turn; it leaves a row that says what was asked, which checks ran, the verdict."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from agents.assistant import Assistant
from agents.turns import TurnRefused
from agents.verified import DETERMINISTIC, MAX_ATTEMPTS, NOT_HELD
from storage.keys import SessionKey
from storage.session_states import SessionState
from storage.turns import TurnRecord
from tests.agents.conftest import Open, result_ids, said, with_gemini, with_sample
from tests.servers.gemini import GeminiServer, call, error, text

Gemini = Callable[..., GeminiServer]
RIGHT = 'show(orders.groupby("region", as_index=False)["revenue"].sum(), "revenue by region")'
WRONG = 'show(orders.groupby("region", as_index=False)["revenue"].mean(), "revenue by region")'
BY_SQL = {
    "name": "sums by SQL",
    "statement": "The sums of SQL are the answer's.",
    "independent": True,
    "code": (
        "import math\n"
        'wanted = sorted(con.sql("SELECT sum(revenue) FROM orders GROUP BY region").df().iloc[:, 0])\n'
        'found = sorted(answer[-1].select_dtypes("number").iloc[:, 0])\n'
        "same = len(wanted) == len(found) and all(map(math.isclose, wanted, found))\n"
        'output = {"passed": same, "detail": f"{found} instead of {wanted}"}\n'
    ),
}
FOUR = {
    "name": "four regions",
    "statement": "There is a row a region.",
    "independent": False,
    "code": "assert len(answer[-1]) == orders['region'].nunique(), f'{len(answer[-1])} rows'",
}


def problem(*checks: dict[str, Any], **given: Any) -> list[list[dict[str, Any]]]:
    """What the model says when it is asked for the problem."""
    stated = {"problem": "The sum of revenue for each region.", "topic": "aggregation", "difficulty": "easy"}
    return [[text(f"Here it is:\n```json\n{json.dumps(stated | {'checks': list(checks)} | given)}\n```")]]


def with_code(*answers: str) -> list[list[list[dict[str, Any]]]]:
    """A coordinator's and an analyst's replies, an answer for each code."""
    replies: list[list[list[dict[str, Any]]]] = []
    for code in answers:
        replies += [
            [[call("transfer_to_agent", agent_name="analysis_agent")]],
            [[call("run_python", code=code, title="revenue by region")]],
            [[text("These are the revenues by region.")]],
        ]
    return replies


def checks_of(state: SessionState) -> dict[str, bool | None]:
    """How each check ended."""
    return {item["name"]: item["passed"] for item in state.problem_tests}


def turn_of(made: Assistant, key: SessionKey) -> TurnRecord:
    """The newest turn."""
    return made.store.turns.for_session(key)[-1]


def test_a_right_answer_is_verified_and_recorded(assistant: Open) -> None:
    made = assistant()
    key = with_sample(made)
    state = made.verified(key, "total revenue by region")
    assert (state.workflow_status, state.tests_passed) == ("completed", True)
    assert (state.problem_attempts, state.code_attempts) == (1, 1)
    assert (state.topic, state.difficulty) == ("aggregation", "easy")
    assert state.problem_description == "Sum of revenue by region" and "SUM(" in str(state.code)
    assert checks_of(state) == {
        "same code again": True,
        "second formulation": True,
        "parts and total": True,
        "other path": True,
    }
    turn = turn_of(made, key)
    assert turn.parts[0] == {"kind": "verification", "thread_id": state.thread_id}
    assert len(made.store.turns.for_session(key)) == 1
    assert state.run_id == turn.invocation_id and state.session_id == key.session_id
    stored = made.store.session_states.get_session_state(state.thread_id, user_id=key.user_id)
    assert stored == state
    assert made.store.session_states.get_session_state(state.thread_id, user_id="bea") is None


@pytest.mark.parametrize(
    "question",
    [
        "total revenue by region",
        "total revenue",
        "average rating by category where channel is Web",
        "top 3 products by revenue",
        "revenue by month",
        "plot revenue by region",
        "distribution of quantity",
        "crosstab of region and category",
    ],
)
def test_the_planners_code_is_verified_by_its_tools(question: str, assistant: Open) -> None:
    made = assistant()
    key = with_sample(made)
    made.set_mode(key, "code")
    state = made.verified(key, question)
    assert (state.workflow_status, state.tests_passed) == ("completed", True), state.problem_tests
    assert str(state.code).startswith("# ")
    found = checks_of(state)
    assert found["same code again"] and found["other path"]
    (other,) = [item for item in state.problem_tests if item["name"] == "other path"]
    assert other["independent"] and "SELECT" in other["code"]


def test_what_has_no_second_path_is_not_called_verified(assistant: Open) -> None:
    made = assistant()
    state = made.verified(with_sample(made), "correlation between quantity and discount")
    assert (state.workflow_status, state.tests_passed, state.code_attempts) == ("failed", False, 1)
    assert (state.topic, state.difficulty) == ("correlation", "hard")
    assert state.problem_tests[-1]["statement"] == DETERMINISTIC and state.problem_tests[-1]["passed"] is None


def test_checks_are_written_before_the_answer_and_all_pass(assistant: Open, gemini: Gemini) -> None:
    server = gemini(problem(BY_SQL, FOUR), *with_code(RIGHT))
    made = assistant(**with_gemini(server))
    key = with_sample(made)
    made.set_mode(key, "code")
    state = made.verified(key, "revenue by region")
    assert (state.workflow_status, state.tests_passed) == ("completed", True), state.problem_tests
    assert state.problem_description == "The sum of revenue for each region."
    assert (state.topic, state.difficulty, state.code) == ("aggregation", "easy", RIGHT)
    assert checks_of(state) == {"same code again": True, "sums by SQL": True, "four regions": True}
    first = json.dumps(server.requests[0])
    assert "revenue by region" in first and "order_date" in first and "functionDeclarations" not in first
    assert "BY_SQL" not in said(turn_of(made, key))


def test_a_wrong_answer_is_caught_and_corrected_in_the_same_turn(assistant: Open, gemini: Gemini) -> None:
    server = gemini(problem(BY_SQL, FOUR), *with_code(WRONG, RIGHT))
    made = assistant(**with_gemini(server))
    key = with_sample(made)
    made.set_mode(key, "code")
    state = made.verified(key, "revenue by region")
    assert (state.workflow_status, state.tests_passed) == ("completed", True), state.problem_tests
    assert (state.code_attempts, state.problem_attempts, state.code) == (2, 1, RIGHT)
    (turn,) = made.store.turns.for_session(key)
    assert len(result_ids(turn)) == 2
    assert said(turn).splitlines() == [NOT_HELD, "These are the revenues by region."]
    told = json.dumps(server.requests[4])
    assert "sums by SQL" in told and "does not hold" in told and "instead of" in told


def test_attempts_end_and_the_verdict_is_failed(assistant: Open, gemini: Gemini) -> None:
    made = assistant(**with_gemini(gemini(problem(BY_SQL), *with_code(*[WRONG] * MAX_ATTEMPTS))))
    key = with_sample(made)
    made.set_mode(key, "code")
    state = made.verified(key, "revenue by region")
    assert (state.workflow_status, state.tests_passed) == ("failed", False)
    assert state.code_attempts == MAX_ATTEMPTS
    assert checks_of(state) == {"same code again": True, "sums by SQL": False}
    assert turn_of(made, key).status == "completed"


BROKEN = BY_SQL | {"code": "answer[-1]\nraise KeyError('no such thing')"}


def test_a_check_that_cannot_run_is_written_again(assistant: Open, gemini: Gemini) -> None:
    server = gemini(problem(BROKEN, FOUR), *with_code(RIGHT), problem(BY_SQL))
    made = assistant(**with_gemini(server))
    key = with_sample(made)
    made.set_mode(key, "code")
    state = made.verified(key, "revenue by region")
    assert (state.tests_passed, state.problem_attempts, state.code_attempts) == (True, 2, 1), (
        state.problem_tests
    )
    assert "no such thing" in json.dumps(server.requests[-1])


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("answer[-1]\n1 / 0", "ZeroDivisionError"),
        ("answer[-1]\nlen(values)", "neither that the answer passes nor that it fails"),
        ("answer = []\noutput = {'passed': True, 'detail': ''}", "in the place of the answer"),
        ("output = {'passed': True, 'detail': ''}", "does not look at the answer"),
        ("answer[", "no Python"),
        ("answer[-1]\nwhile True: pass", "could not be run"),
        ("answer[-1]\noutput = {'passed': 'certainly', 'detail': ''}", "neither"),
    ],
)
def test_a_check_that_stays_broken_is_not_run_and_nothing_is_verified(
    code: str, why: str, assistant: Open, gemini: Gemini
) -> None:
    server = gemini(problem(BY_SQL | {"code": code}), *with_code(RIGHT), problem(BY_SQL | {"code": code}))
    made = assistant(**with_gemini(server), code_timeout_seconds=3)
    key = with_sample(made)
    made.set_mode(key, "code")
    state = made.verified(key, "revenue by region")
    assert (state.workflow_status, state.tests_passed, state.code_attempts) == ("failed", False, 1)
    (item,) = [item for item in state.problem_tests if item["name"] == "sums by SQL"]
    assert item["passed"] is None and why in item["detail"], item


def test_a_check_that_passes_for_anything_is_no_other_path(assistant: Open, gemini: Gemini) -> None:
    idle = BY_SQL | {"code": "output = {'passed': len(answer) > 0, 'detail': 'fine'}"}
    made = assistant(**with_gemini(gemini(problem(idle), *with_code(RIGHT))))
    key = with_sample(made)
    made.set_mode(key, "code")
    state = made.verified(key, "revenue by region")
    assert (state.workflow_status, state.tests_passed) == ("failed", False)
    (item,) = [item for item in state.problem_tests if item["name"] == "sums by SQL"]
    assert item["passed"] and not item["independent"] and "wrong numbers too" in item["detail"]


FORGED = f"""import math
import pandas
math.isclose = lambda *a, **k: True
pandas.Series.__iter__ = lambda self: iter([1])
answer, output = [orders], {{"passed": True, "detail": "trust me"}}
open("passed.txt", "w").write("True")
{WRONG}
output = None
"""


def test_what_the_answers_code_leaves_behind_reaches_no_check(assistant: Open, gemini: Gemini) -> None:
    made = assistant(**with_gemini(gemini(problem(BY_SQL), *with_code(FORGED, RIGHT))))
    key = with_sample(made)
    made.set_mode(key, "code")
    state = made.verified(key, "revenue by region")
    assert (state.tests_passed, state.code_attempts, state.code) == (True, 2, RIGHT), state.problem_tests


def test_numbers_that_chance_made_do_not_come_again(assistant: Open, gemini: Gemini) -> None:
    chance = "import time\nshow(orders['revenue'].sum() + time.time_ns() % 1_000_000, 'sum')"
    made = assistant(**with_gemini(gemini(problem(), *with_code(*[chance] * MAX_ATTEMPTS))))
    key = with_sample(made)
    made.set_mode(key, "code")
    state = made.verified(key, "revenue of three orders")
    assert (state.tests_passed, checks_of(state)) == (False, {"same code again": False})


def test_code_that_stands_on_earlier_runs_is_run_with_them(assistant: Open, gemini: Gemini) -> None:
    first, second = "sums = orders.groupby('region', as_index=False)['revenue'].sum()", "show(sums, 'sums')"
    analyst = [
        [[call("transfer_to_agent", agent_name="analysis_agent")]],
        [[call("run_python", code=first)]],
        [[call("run_python", code=second)]],
        [[text("Done.")]],
    ]
    made = assistant(**with_gemini(gemini(problem(BY_SQL), *analyst)))
    key = with_sample(made)
    made.set_mode(key, "code")
    state = made.verified(key, "revenue by region")
    assert (state.tests_passed, state.code) == (True, second), state.problem_tests


def test_in_direct_mode_the_tools_answer_is_checked_by_all(assistant: Open, gemini: Gemini) -> None:
    asked = call("query", measure="revenue", aggregate=["sum"], by=["region"])
    made = assistant(**with_gemini(gemini(problem(BY_SQL), [[asked]], [[text("See the table.")]])))
    state = made.verified(with_sample(made), "revenue by region")
    assert state.tests_passed, state.problem_tests
    assert list(checks_of(state)) == [
        "same code again", "second formulation", "parts and total", "other path", "sums by SQL",
    ]  # fmt: skip


@pytest.mark.parametrize("reply", ["I would rather not.", "{broken", '{"checks": []}', '["a"]'])
def test_a_model_that_writes_no_checks_leaves_the_general_ones(
    reply: str, assistant: Open, gemini: Gemini
) -> None:
    asked = call("query", measure="revenue", aggregate=["sum"], by=["region"])
    made = assistant(**with_gemini(gemini([[text(reply)]], [[asked]], [[text("See the table.")]])))
    state = made.verified(with_sample(made), "revenue by region")
    assert state.tests_passed and state.problem_description == "Sum of revenue by region"


def test_an_answer_without_numbers_fails_with_its_reason(assistant: Open, gemini: Gemini) -> None:
    made = assistant(**with_gemini(gemini([[text("It is about a million.")]])))
    key = with_sample(made)
    state = made.verified(key, "total revenue")
    assert (state.workflow_status, state.tests_passed, state.code) == ("failed", False, None)
    assert state.problem_tests[0]["detail"] == "The answer holds no numbers."
    assert state.code_attempts == MAX_ATTEMPTS
    analytics = made.store.session_states.get_session_analytics(user_id=key.user_id)
    assert (analytics["total"], analytics["success_rate"]) == (1, 0)


def test_a_model_that_fails_ends_the_run_with_its_reason(assistant: Open, gemini: Gemini) -> None:
    made = assistant(**with_gemini(gemini(error(400, "INVALID_ARGUMENT", "API key not valid."))))
    key = with_sample(made)
    state = made.verified(key, "total revenue")
    assert (state.workflow_status, state.tests_passed) == ("failed", False)
    assert turn_of(made, key).status == "failed" and state.problem_tests[0]["detail"]


def test_a_conversation_that_is_not_there_leaves_no_row(assistant: Open) -> None:
    made = assistant()
    with pytest.raises(TurnRefused):
        made.verified(SessionKey("agents", "ann", "gone"), "total revenue")
    assert made.store.session_states.get_session_states_by_criteria(user_id=None) == []


def test_every_step_is_stored_while_it_goes_on(assistant: Open, gemini: Gemini) -> None:
    made = assistant(**with_gemini(gemini(problem(BY_SQL), *with_code(WRONG, RIGHT))))
    key = with_sample(made)
    made.set_mode(key, "code")
    states = made.store.session_states
    seen: list[SessionState] = []
    save = states.save_session_state

    def kept(state: SessionState) -> SessionState:
        seen.append(save(state))
        return seen[-1]

    states.save_session_state = kept  # type: ignore[method-assign]
    made.verified(key, "revenue by region")
    assert [state.workflow_status for state in seen][-1] == "completed"
    assert {state.workflow_status for state in seen[:-1]} == {"running"}
    steps = [(state.code_attempts, checks_of(state) if state.problem_tests else {}) for state in seen]
    assert steps[0] == (0, {}) and steps[1] == (0, {"sums by SQL": None})
    assert (1, {"same code again": True, "sums by SQL": False}) in steps


def test_stop_ends_the_checks_and_the_run_is_not_left_open(assistant: Open, gemini: Gemini) -> None:
    endless = BY_SQL | {"code": "answer[-1]\nwhile True: pass"}
    made = assistant(**with_gemini(gemini(problem(endless), *with_code(RIGHT))))
    key = with_sample(made)
    made.set_mode(key, "code")
    running = made.turns.start(key, "revenue by region", verified=True)
    assert running.verification is not None
    while not any(part["kind"] == "text" for part in running.record.parts):
        running.wait(running.version, 10)
    threading.Timer(1.0, made.turns.stop, [key]).start()
    while not running.done:
        assert running.wait(running.version, 10)
    assert running.record.status == "stopped"
    assert running.verification.state.workflow_status == "failed"
    assert running.verification.state.tests_passed is False


def test_a_run_that_breaks_off_is_not_left_open(assistant: Open) -> None:
    made = assistant()
    key = with_sample(made)
    table = made.datasets(key)[0].table_path

    def lose_the_data(*_: object) -> None:
        table.unlink()

    made.store.results.save = _after(made.store.results.save, lose_the_data)  # type: ignore[method-assign]
    state = made.verified(key, "total revenue by region")
    assert (state.workflow_status, state.tests_passed) == ("failed", False)
    assert any(not item["passed"] and item["detail"] for item in state.problem_tests)


def _after(work: Callable[..., None], then: Callable[..., None]) -> Callable[..., None]:
    def both(*given: object) -> None:
        work(*given)
        then()

    return both

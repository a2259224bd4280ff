"""What a model writes as a problem with checks is read with care, whatever is around it."""

import json

import pytest

from agents.problem import MAX_CHECKS, MAX_CODE, NoProblem, read_problem, unusable

CHECK = {"name": "sum", "statement": "It adds up.", "independent": True, "code": "assert answer"}
STATED = {"problem": "Sum of revenue.", "topic": "aggregation", "difficulty": "easy", "checks": [CHECK]}
PLAIN = json.dumps(STATED)


@pytest.mark.parametrize(
    "text",
    [PLAIN, f"```json\n{PLAIN}\n```", f"```\n{PLAIN}\n```", f"Here you are:\n\n{PLAIN}\n\nGood luck!"],
)
def test_json_is_found_in_what_was_said(text: str) -> None:
    problem = read_problem(text)
    assert (problem.text, problem.topic, problem.difficulty) == ("Sum of revenue.", "aggregation", "easy")
    (check,) = problem.checks
    assert (check.name, check.independent, check.code) == ("sum", True, "assert answer")
    assert check.waiting().passed is None


@pytest.mark.parametrize(
    "text", ["", "No.", "{", "[1]", "{}", '{"problem": 5}', '{"problem": "  "}', "[" * 99_999]
)
def test_what_states_no_problem_is_refused(text: str) -> None:
    with pytest.raises(NoProblem):
        read_problem(text)


def test_odd_words_and_checks_are_left_out() -> None:
    checks = [
        CHECK,
        CHECK,
        "text",
        {"code": ""},
        {"name": 3, "code": "x" * (MAX_CODE + 1)},
        {"code": "answer"},
    ]
    given = STATED | {"topic": "magic", "difficulty": 7, "checks": checks}
    problem = read_problem(json.dumps(given))
    assert (problem.topic, problem.difficulty) == (None, None)
    assert [check.name for check in problem.checks] == ["sum", "sum (2)", "check"]
    assert not problem.checks[-1].independent
    assert read_problem(json.dumps(STATED | {"checks": None})).checks == []
    many = [CHECK | {"name": str(number)} for number in range(50)]
    assert len(read_problem(json.dumps(STATED | {"checks": many})).checks) == MAX_CHECKS


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("assert len(answer) > 0", ""),
        ("output = {'passed': values[0] > 1}", ""),
        ("for frame in figures: assert len(frame)", ""),
        ("output = {'passed': True}", "does not look"),
        ("answer = 1\nassert answer", "in the place of"),
        ("for values in [1]: pass", "in the place of"),
        ("del answer", "in the place of"),
        ("assert answer ==", "no Python"),
    ],
)
def test_a_check_has_to_look_at_the_answer_and_leave_it_alone(code: str, why: str) -> None:
    assert why in unusable(code) and bool(unusable(code)) is bool(why)

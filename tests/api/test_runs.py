"""Runs over HTTP: filters, pages, totals against hand-made data, deletion; and a verified answer."""

import time
from typing import Any

import pytest
from pydantic import SecretStr

from storage.session_states import DIFFICULTIES, TOPICS, SessionState
from tests.api.conftest import Client, Serve, problem, upload

# thread, topic, difficulty, status, checks passed, code attempts, problem attempts
RUNS: list[tuple[str, str | None, str | None, str, bool | None, int, int]] = [
    ("a", "aggregation", "easy", "completed", True, 1, 1),
    ("b", "aggregation", "hard", "completed", False, 3, 2),
    ("c", "correlation", "easy", "failed", False, 3, 1),
    ("d", "correlation", "medium", "running", None, 0, 1),
    ("e", None, None, "completed", True, 2, 1),
]


@pytest.fixture
def client(serve: Serve) -> Client:
    """Ann, who has the runs; Bob has one of his own."""
    served = serve(api_tokens=SecretStr("ann:ann-token,bob:bob-token"))
    states = served.assistant.store.session_states
    for thread, topic, difficulty, status, passed, code, tries in RUNS:
        states.save_session_state(
            SessionState(
                thread_id=thread,
                user_prompt=f"question {thread}",
                run_id=f"run {thread}",
                topic=topic,
                difficulty=difficulty,
                workflow_status=status,
                tests_passed=passed,
                code_attempts=code,
                problem_attempts=tries,
                problem_tests=[{"check": "sums agree"}],
                user_id="ann",
            )
        )
        time.sleep(0.002)  # the database keeps milliseconds
    states.save_session_state(SessionState(thread_id="bobs", user_prompt="his", user_id="bob"))
    return served.client("ann-token")


def found(client: Client, **params: Any) -> list[str]:
    answer = client.get("sessions", params=params)
    assert answer.status_code == 200, answer.text
    return [item["thread_id"] for item in answer.json()["items"]]


def test_newest_first_and_only_ones_own(client: Client) -> None:
    assert found(client) == ["e", "d", "c", "b", "a"]


@pytest.mark.parametrize(
    ("params", "threads"),
    [
        ({"tests_passed": "false"}, ["c", "b"]),
        ({"tests_passed": "true"}, ["e", "a"]),
        ({"topic": "aggregation"}, ["b", "a"]),
        ({"difficulty": "easy"}, ["c", "a"]),
        ({"workflow_status": "running"}, ["d"]),
        ({"topic": "correlation", "tests_passed": "false"}, ["c"]),
        ({"topic": "outliers"}, []),
        ({"limit": 2}, ["e", "d"]),
        ({"limit": 2, "offset": 2}, ["c", "b"]),
        ({"limit": 100, "offset": 5}, []),
        ({"limit": 1, "tests_passed": "false", "offset": 1}, ["b"]),
    ],
)
def test_filters_and_pages(client: Client, params: dict[str, Any], threads: list[str]) -> None:
    assert found(client, **params) == threads


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"), ("limit", "-1"), ("limit", "101"), ("limit", "abc"), ("limit", "1.5"),
        ("offset", "-1"),
        ("offset", "x"), ("offset", "9" * 30), ("topic", "weather"), ("topic", ""), ("difficulty", "EASY"),
        ("workflow_status", "done"), ("tests_passed", "maybe"), ("test_passed", "false"),
    ],
)  # fmt: skip
def test_a_value_outside_is_refused(client: Client, name: str, value: str) -> None:
    answer = client.get("sessions", params={name: value})
    assert problem(answer, 422)["details"][0]["where"] == f"query.{name}"


def test_one_run(client: Client) -> None:
    run = client.get("sessions/b").json()
    expected = {
        "thread_id": "b", "user_prompt": "question b", "run_id": "run b", "topic": "aggregation",
        "difficulty": "hard", "workflow_status": "completed", "tests_passed": False,
        "code_attempts": 3, "problem_attempts": 2,
        "problem_tests": [{"check": "sums agree"}],
    }  # fmt: skip
    assert {name: run[name] for name in expected} == expected
    problem(client.get("sessions/bobs"), 404)
    problem(client.get("sessions/unknown"), 404)


def test_deleted_once(client: Client) -> None:
    assert client.delete("sessions/a").status_code == 204
    problem(client.delete("sessions/a"), 404)
    problem(client.get("sessions/a"), 404)
    problem(client.delete("sessions/bobs"), 404)
    assert found(client) == ["e", "d", "c", "b"]


def test_totals_equal_the_data(client: Client) -> None:
    assert client.get("sessions/analytics").json() == {
        "total": 5,
        "success_rate": 2 / 4,
        "mean_code_attempts": 9 / 5,
        "mean_problem_attempts": 6 / 5,
        "topic": {"aggregation": 2, "correlation": 2},
        "difficulty": {"easy": 2, "hard": 1, "medium": 1},
        "workflow_status": {"completed": 3, "failed": 1, "running": 1},
    }


def test_totals_of_nothing(serve: Serve) -> None:
    analytics = serve().client().get("sessions/analytics").json()
    assert (analytics["total"], analytics["success_rate"], analytics["topic"]) == (0, None, {})


def test_words(client: Client) -> None:
    assert client.get("topics").json()["items"] == list(TOPICS)
    assert client.get("difficulties").json()["items"] == list(DIFFICULTIES)


def test_a_verified_answer_is_on_record_when_it_is_returned(client: Client) -> None:
    chat = upload(client)["chat_id"]
    answer = client.post("problems/verified", json={"question": "total revenue by region", "chat_id": chat})
    assert answer.status_code == 201, answer.text
    run = answer.json()
    assert run["workflow_status"] in ("completed", "failed") and run["session_id"] == chat
    assert run["user_prompt"] == "total revenue by region" and run["run_id"]
    assert client.get(f"sessions/{run['thread_id']}").json() == run
    assert found(client)[0] == run["thread_id"]


def test_a_verified_question_that_does_not_fit(client: Client) -> None:
    chat = client.post("chats").json()["id"]
    problem(client.post("problems/verified", json={"question": "total revenue"}), 422)
    problem(client.post("problems/verified", json={"question": " ", "chat_id": chat}), 422)
    problem(client.post("problems/verified", json={"question": "total", "chat_id": "unknown"}), 404)

"""The records of verified workflows, on both databases."""

from dataclasses import replace

import pytest

from storage.errors import StorageError, StoreUnavailable
from storage.keys import SessionKey
from storage.session_states import SessionState
from storage.store import Store

INJECTION = "'; DROP TABLE session_states; --"


def state(thread: str, **rest: object) -> SessionState:
    return SessionState(thread_id=thread, user_prompt="total?", user_id="ann", **rest)  # type: ignore[arg-type]


def test_saved_fields_come_back_and_an_update_keeps_the_run(store: Store) -> None:
    save, get = store.session_states.save_session_state, store.session_states.get_session_state
    first = save(
        state(
            "t", run_id="r1", topic="aggregation", difficulty="hard", problem_description="Sum",
            problem_tests=[{"name": "parts", "passed": None, "odd": "\u0000'\""}], code="SELECT 1",
            session_id="s",
        )
    )  # fmt: skip
    assert get("t", user_id="ann") == first and first.tests_passed is None and len(first.id) == 36
    second = save(replace(first, run_id=None, tests_passed=False, workflow_status="failed", code_attempts=2))
    assert (second.id, second.run_id, second.created_at) == (first.id, "r1", first.created_at)
    assert second.updated_at > first.updated_at and second.tests_passed is False
    assert get("t", user_id="bob") is None and get("t", user_id=None) == second
    with pytest.raises(StorageError, match="somebody else"):
        save(replace(second, user_id="bob", code="stolen"))
    assert get("t", user_id="ann") == second


@pytest.mark.parametrize(
    "wrong",
    [
        {"topic": "weather"},
        {"difficulty": "impossible"},
        {"workflow_status": "done"},
        {"code_attempts": -1},
    ],
)
def test_unknown_words_are_refused(store: Store, wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"is one of|0 or more"):
        store.session_states.save_session_state(state("t", **wrong))
    assert store.session_states.get_session_state("t", user_id=None) is None


def test_criteria_limits_and_order(store: Store) -> None:
    for number in range(60):
        store.session_states.save_session_state(
            state(
                f"t{number:02}",
                topic="summary" if number % 2 else "time_series",
                difficulty=("easy", "medium", "hard")[number % 3],
                workflow_status=("completed", "failed", "running")[number % 3],
                tests_passed=(True, False, None)[number % 3],
            )
        )
    find = store.session_states.get_session_states_by_criteria
    newest = find(user_id="ann")
    assert [s.thread_id for s in newest] == [f"t{n:02}" for n in reversed(range(10, 60))]
    rest = find(user_id="ann", offset=50)
    assert [s.thread_id for s in rest] == [f"t{n:02}" for n in reversed(range(10))]
    assert {s.tests_passed for s in find(user_id="ann", tests_passed=False, limit=100)} == {False}
    assert len(find(user_id="ann", tests_passed=False, limit=100)) == 20
    chosen = find(user_id="ann", topic="summary", difficulty="medium", workflow_status="failed", limit=100)
    assert [s.thread_id for s in chosen] == [f"t{n:02}" for n in reversed(range(60)) if n % 2 and n % 3 == 1]
    assert find(user_id="bob") == [] and len(find(user_id=None, limit=100)) == 60
    for limit in (0, -1, 101):
        with pytest.raises(ValueError, match="limit"):
            find(user_id="ann", limit=limit)
    with pytest.raises(ValueError, match="topic"):
        find(user_id="ann", topic=INJECTION)


def test_delete_is_true_once(store: Store) -> None:
    store.session_states.save_session_state(state("t"))
    assert not store.session_states.delete_session_state("t", user_id="bob")
    assert store.session_states.delete_session_state("t", user_id="ann")
    assert not store.session_states.delete_session_state("t", user_id="ann")
    store.session_states.save_session_state(state(INJECTION, code=INJECTION))
    assert store.session_states.delete_session_state(INJECTION, user_id="ann")


def test_analytics_of_hand_made_rows(store: Store) -> None:
    analytics = store.session_states.get_session_analytics
    assert analytics(user_id="ann") == {
        "total": 0, "success_rate": None, "mean_code_attempts": None, "mean_problem_attempts": None,
        "topic": {}, "difficulty": {}, "workflow_status": {},
    }  # fmt: skip
    rows = [
        ("a", "summary", "easy", "completed", True, 1, 1),
        ("b", "summary", "hard", "failed", False, 3, 2),
        ("c", "outliers", "easy", "completed", True, 2, 1),
        ("d", None, None, "running", None, 0, 1),
    ]
    for thread, topic, difficulty, status, passed, code, problem in rows:
        store.session_states.save_session_state(
            state(
                thread, topic=topic, difficulty=difficulty, workflow_status=status, tests_passed=passed,
                code_attempts=code, problem_attempts=problem,
            )
        )  # fmt: skip
    assert analytics(user_id="ann") == {
        "total": 4,
        "success_rate": pytest.approx(2 / 3),
        "mean_code_attempts": 1.5,
        "mean_problem_attempts": 1.25,
        "topic": {"outliers": 1, "summary": 2},
        "difficulty": {"easy": 2, "hard": 1},
        "workflow_status": {"completed": 2, "failed": 1, "running": 1},
    }
    assert analytics(user_id="bob")["total"] == 0


def test_the_summary_view_and_the_exact_columns(store: Store) -> None:
    store.session_states.save_session_state(state("t", topic="summary"))
    row = store.database.read(
        lambda c: c.execute("SELECT * FROM session_states_summary").fetchone(), user=None
    )
    assert (row["thread_id"], row["topic"], row["workflow_status"]) == ("t", "summary", "running")
    full = store.database.read(lambda c: c.execute("SELECT * FROM session_states").fetchone(), user=None)
    assert set(full.keys()) == {
        "id", "session_id", "user_id", "created_at", "updated_at", "thread_id", "run_id",
        "user_prompt", "topic", "difficulty", "problem_description", "problem_tests", "code",
        "tests_passed", "code_attempts", "problem_attempts", "workflow_status",
    }  # fmt: skip


async def test_the_runs_of_a_deleted_conversation_go_with_it(store: Store) -> None:
    for user, session in (("ann", "s"), ("ann", "other"), ("bob", "s")):
        await store.database_sessions.create_session(app_name="app", user_id=user, session_id=session)
        run = SessionState(f"{user} {session}", "q", user_id=user, session_id=session)
        store.session_states.save_session_state(run)
    store.conversations.delete(SessionKey("app", "ann", "s"))
    left = store.session_states.get_session_states_by_criteria(user_id=None)
    assert {state.thread_id for state in left} == {"ann other", "bob s"}


async def test_a_closed_store_says_so(store: Store) -> None:
    store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        store.conversations.page("app", "ann")
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.database_sessions.create_session(app_name="app", user_id="ann")

"""Conversations, turns, results and datasets: kept apart by user, deleted with their session."""

import io

import pytest

from storage.datasets import ColumnInfo, Dataset, TooLarge
from storage.errors import NotFound
from storage.keys import SessionKey
from storage.results import InputRef, Result
from storage.store import Store


def session(store: Store, name: str, user: str = "ann") -> SessionKey:
    key = SessionKey("app", user, name)
    store.conversations.ensure(key)
    return key


def dataset(store: Store, name: str, content: bytes, user: str = "ann") -> Dataset:
    sha256, _, size = store.datasets.keep_original(io.BytesIO(content))
    return store.datasets.register(
        user_id=user, name=name, sha256=sha256, options_key="table", file_name=f"{name}.csv", rows=1,
        columns=[ColumnInfo("a", "BIGINT", "integer")], byte_size=size, notes=[], read_options={},
        rejected_rows=0,
    )  # fmt: skip


def result(key: SessionKey, name: str) -> Result:
    table = {"columns": [], "rows": [], "row_count": 0, "truncated": False, "elapsed": 0}
    return Result(
        id=name, key=key, invocation_id="i1", kind="table", title=name, tool="query", arguments={},
        language="sql", code="SELECT 1", code_sha256="x", inputs=[InputRef("d", 1, "sha")],
        output={"table": table},
    )  # fmt: skip


def output_of(key: SessionKey, run: str, position: int, status: str = "ok") -> Result:
    """One output of a run of Python."""
    return Result(
        id=f"{run}{position}", key=key, invocation_id="i1", kind="figure", title="", tool="run_python",
        arguments={"run": run, "position": position, "count": 2}, language="python", code=f"# {run}",
        code_sha256="x", inputs=[], output={"figure": {}, "alt": ""}, status=status,
    )  # fmt: skip


def test_runs_of_python_are_listed_once_in_order_and_failed_ones_counted(store: Store) -> None:
    key, other = session(store, "s"), session(store, "t")
    store.results.save(result(key, "table"))
    for saved in (
        output_of(key, "b", 0), output_of(key, "b", 1), output_of(key, "f", 0, "failed"),
        output_of(key, "a", 0), output_of(other, "c", 0), output_of(key, "g", 0, "failed"),
    ):  # fmt: skip
        store.results.save(saved)
    assert [(run.id, run.code) for run in store.results.runs(key)] == [("b", "# b"), ("a", "# a")]
    assert store.results.failed_runs(key, "i1") == 2
    assert (store.results.failed_runs(key, "i2"), store.results.failed_runs(other, "i1")) == (0, 0)
    last = store.results.last(key)
    assert last is not None and last.id == "table", "a figure of code has no table"
    assert store.results.runs(SessionKey("app", "bob", "s")) == []


def test_parts_are_added_to_a_turn_that_ended_whatever_is_there_by_then(store: Store) -> None:
    key = session(store, "s")
    turn = store.turns.start(key, "question", "code", "m", "owner")
    turn.status, turn.parts = "completed", [{"kind": "text", "text": "one"}]
    store.turns.save(turn)
    for number in (2, 3):
        store.turns.append_parts(turn, [{"kind": "text", "text": f"{number}"}])
    stored = store.turns.get("ann", turn.id)
    assert stored is not None and [part["text"] for part in stored.parts] == ["one", "2", "3"]
    store.conversations.delete(key)
    with pytest.raises(NotFound):
        store.turns.append_parts(turn, [])


def test_pages_are_newest_first_and_leave_empty_ones_out(store: Store) -> None:
    keys = [session(store, f"s{n}") for n in range(7)]
    for key in keys[:6]:
        store.turns.start(key, f"question {key.session_id}", "direct", "m", "owner")
    first = store.conversations.page("app", "ann", limit=4)
    second = store.conversations.page("app", "ann", limit=4, cursor=first.next_cursor)
    assert [c.key.session_id for c in first.items + second.items] == ["s5", "s4", "s3", "s2", "s1", "s0"]
    assert second.next_cursor is None
    assert len(store.conversations.page("app", "ann", include_empty=True).items) == 7
    assert store.conversations.page("app", "bob").items == []


def test_titles_modes_metadata_and_counts(store: Store) -> None:
    key = session(store, "s")
    store.conversations.set_title_if_empty(key, "first")
    store.conversations.set_title_if_empty(key, "second")
    store.conversations.set_mode(key, "code")
    store.conversations.set_metadata(key, a=1, b=2)
    store.conversations.set_metadata(key, a=None)
    store.conversations.add_usage(key, turns=2, tokens=30)
    found = store.conversations.get(key)
    assert found is not None
    assert (found.title, found.mode, found.metadata) == ("first", "code", {"b": 2})
    assert (found.turn_count, found.total_tokens) == (2, 30)
    with pytest.raises(ValueError, match="direct, code"):
        store.conversations.set_mode(key, "turbo")
    with pytest.raises(NotFound):
        store.conversations.rename(SessionKey("app", "bob", "s"), "not mine")


def test_turns_and_results_come_back_as_they_were_and_go_with_their_session(store: Store) -> None:
    key = session(store, "s")
    turn = store.turns.start(key, "q", "direct", "m", "owner")
    turn.parts = [{"kind": "text", "text": "half an ans"}]
    turn.error = {"kind": "network", "message": "m", "action": "a"}
    turn.status = "failed"
    store.turns.save(turn)
    assert store.turns.get("ann", turn.id) == turn
    for name in ("r1", "r2"):
        store.results.save(result(key, name))
    assert store.results.get("ann", "r1") == result(key, "r1")
    last = store.results.last(key)
    assert last is not None and last.id == "r2"
    assert [r.id for r in store.results.for_invocation(key, "i1")] == ["r1", "r2"]
    store.conversations.delete(key)
    assert store.turns.get("ann", turn.id) is None and store.results.get("ann", "r1") is None


def test_the_same_bytes_are_stored_once_and_shared(store: Store) -> None:
    one, two = dataset(store, "sales", b"a\n1\n"), dataset(store, "copy", b"a\n1\n", user="bob")
    assert one.original_path == two.original_path
    originals = list((store.home / "datasets").rglob("original"))
    assert len(originals) == 1 and originals[0].read_bytes() == b"a\n1\n"
    store.datasets.forget("ann", one.id)
    assert two.original_path.exists()
    store.datasets.forget("bob", two.id)
    assert not two.original_path.exists()


def test_new_content_under_a_name_is_a_new_version_that_replaces_the_old_in_a_session(store: Store) -> None:
    key = session(store, "s")
    first, same = dataset(store, "sales", b"a\n1\n"), dataset(store, "sales", b"a\n1\n")
    second, other = dataset(store, "sales", b"a\n2\n"), dataset(store, "costs", b"a\n3\n")
    assert (first.version, same.id, second.version) == (1, first.id, 2)
    for item in (first, other, second):
        store.datasets.attach(key, item.id)
    assert [d.id for d in store.datasets.for_session(key)] == [other.id, second.id]
    store.datasets.attach(key, other.id)
    assert store.datasets.for_session(key)[-1].id == other.id
    store.datasets.detach(key, other.id)
    assert [d.id for d in store.datasets.for_session(key)] == [second.id]


def test_a_file_over_the_limit_leaves_nothing(store: Store) -> None:
    with pytest.raises(TooLarge):
        store.datasets.keep_original(io.BytesIO(b"x" * 5_000_000), limit_bytes=1_000_000)
    assert [p for p in (store.home / "datasets").rglob("*") if p.is_file()] == []

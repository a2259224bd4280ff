"""A conversation that leaves as a file and comes back is the same, down to its numbers."""

import io
import json
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from agents.assistant import Assistant
from agents.transfer import VERSION
from storage.errors import InvalidExport, NotFound
from storage.keys import SessionKey
from tests.agents.conftest import Open, ask, result_ids, said, with_sample


def talked(made: Assistant) -> SessionKey:
    key = with_sample(made)
    ask(made, key, "total revenue by region")
    ask(made, key, "as a bar chart")
    made.store.conversations.set_metadata(key, starred=True)
    return key


def exported(made: Assistant, key: SessionKey) -> bytes:
    target = io.BytesIO()
    made.export_session(key, target)
    return target.getvalue()


def changed(data: bytes, name: str, content: bytes | None) -> io.BytesIO:
    """The file with one member replaced, or without it."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(target, "w") as new:
        for item in old.namelist():
            if item != name:
                new.writestr(item, old.read(item))
            elif content is not None:
                new.writestr(item, content)
    target.seek(0)
    return target


def same(made: Assistant, one: SessionKey, other: SessionKey) -> None:
    """What was said, the tables and figures are the same; no record is shared."""
    before, after = made.store.turns.for_session(one), made.store.turns.for_session(other)
    assert [(t.question, t.status, said(t)) for t in before] == [
        (t.question, t.status, said(t)) for t in after
    ]
    for old, new in zip(before, after, strict=True):
        assert old.id != new.id and len(result_ids(old)) == len(result_ids(new)) > 0
        for was, now in zip(result_ids(old), result_ids(new), strict=True):
            first, second = (made.store.results.get(key.user_id, i) for key, i in ((one, was), (other, now)))
            assert first is not None and second is not None and first.id != second.id
            assert (first.output, first.code, first.inputs) == (second.output, second.code, second.inputs)
            assert second.key == other


def test_an_exported_conversation_comes_back_for_another_person(
    assistant: Open, orders: pd.DataFrame
) -> None:
    made = assistant()
    key = talked(made)
    back = made.import_session("bea", io.BytesIO(exported(made, key)))
    same(made, key, back)
    old, new = made.conversation(key.user_id, key.session_id), made.conversation("bea", back.session_id)
    assert old is not None and new is not None
    assert (new.title, new.turn_count, new.total_tokens, new.metadata) == (
        old.title, old.turn_count, old.total_tokens, {"starred": True},
    )  # fmt: skip
    record = ask(made, back, "and by channel?")
    result = made.store.results.get("bea", result_ids(record)[0])
    assert result is not None
    shown = {row[0]: row[1] for row in result.output["table"]["rows"]}
    assert shown == pytest.approx(orders.groupby("channel")["revenue"].sum().to_dict())
    assert len(made.store.turns.for_session(key)) == 2


def test_a_file_from_another_machine_brings_its_data(assistant: Open, tmp_path: Path) -> None:
    made = assistant()
    data = exported(made, talked(made))
    other = assistant(home=tmp_path / "elsewhere")
    back = other.import_session("bea", io.BytesIO(data))
    assert [d.name for d in other.datasets(back)] == ["orders"]
    assert ask(other, back, "average rating").status == "completed"


def test_artifacts_keep_their_versions(assistant: Open) -> None:
    made = assistant()
    key = with_sample(made)
    for _ in range(2):
        ask(made, key, "total revenue by region")
    back = made.import_session(key.user_id, io.BytesIO(exported(made, key)))
    place = {"app_name": back.app_name, "user_id": back.user_id, "session_id": back.session_id}
    (name,) = made._await(made.store.artifacts.list_artifact_keys(**place))
    assert made._await(made.store.artifacts.list_versions(filename=name, **place)) == [0, 1]


def test_a_duplicate_goes_its_own_way(assistant: Open) -> None:
    made = assistant()
    key = talked(made)
    copy = made.duplicate_session(key)
    same(made, key, copy)
    ask(made, copy, "average rating")
    made.store.conversations.delete(key)
    assert len(made.store.turns.for_session(copy)) == 3
    found = made.conversation(copy.user_id, copy.session_id)
    assert found is not None and found.title.endswith("(copy)") and found.parent_session_id == key.session_id
    with pytest.raises(NotFound):
        made.duplicate_session(key)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("manifest.json", None, "no manifest.json"),
        ("manifest.json", b"{}", "manifest.json in the file cannot be read"),
        ("events.jsonl", b"not json\n", "an event that cannot be read"),
        ("events.jsonl", b"\xff", "is no text"),
        ("turns.jsonl", b'{"id": "x"}\n', "turns.jsonl in the file cannot be read"),
        ("results.jsonl", b"[]\n", "results.jsonl in the file cannot be read"),
    ],
)
def test_a_broken_file_imports_nothing(
    assistant: Open, name: str, content: bytes | None, message: str
) -> None:
    made = assistant()
    data = exported(made, talked(made))
    with pytest.raises(InvalidExport, match=message):
        made.import_session("bea", changed(data, name, content))
    assert made.store.conversations.page("agents", "bea", include_empty=True).items == []


def test_data_that_was_changed_is_refused(assistant: Open) -> None:
    made = assistant()
    key = talked(made)
    name = f"datasets/{made.datasets(key)[0].sha256}"
    with pytest.raises(InvalidExport, match=r"orders\.csv was changed"):
        made.import_session("bea", changed(exported(made, key), name, b"a,b\n1,2\n"))
    with pytest.raises(InvalidExport, match="no exported conversation"):
        made.import_session("bea", io.BytesIO(b"PK this is no zip"))


def test_a_newer_format_is_said(assistant: Open) -> None:
    made = assistant()
    data = exported(made, talked(made))
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        manifest = json.loads(file.read("manifest.json"))
    manifest["version"] = VERSION + 1
    with pytest.raises(InvalidExport, match="newer version"):
        made.import_session("bea", changed(data, "manifest.json", json.dumps(manifest).encode()))

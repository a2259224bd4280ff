"""Text is only ever text: whatever a field holds, it is stored, sought or refused, never run."""

import json
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from storage.session_states import SessionState
from tests.api.conftest import Client, Served, problem

INJECTIONS = [
    "'; DROP TABLE adk_sessions; --",
    '" OR 1=1 --',
    "' OR '1'='1",
    "%",
    "_",
    "\\",
    "NEAR(",
    '"',
    "*",
    "AND OR NOT",
    "^title:x -y",
    "words MATCH 'x'",
    "$1 ?1 :name {0} %s",
    "<script>alert(1)</script>",
    "é 中文 \U0001f600 \u202e",
]
TABLES = [
    "adk_sessions",
    "adk_events",
    "adk_state",
    "turns",
    "results",
    "datasets",
    "session_states",
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One for all, as each test looks at what it made."""
    made = Served(tmp_path_factory.mktemp("home"))
    yield made
    made.close()


@pytest.fixture
def client(served: Served) -> Client:
    return served.client()


def rows(served: Served) -> dict[str, int]:
    """How many rows each table has; fails when one is gone."""
    return {
        table: served.assistant.store.database.read(
            lambda c, table=table: c.execute(f"SELECT count(*) FROM {table}").fetchone()[0],  # type: ignore[misc]
            user=None,
        )
        for table in TABLES
    }


@pytest.mark.parametrize("attack", INJECTIONS)
def test_a_text_is_stored_as_it_is(served: Served, attack: str) -> None:
    client = served.client()
    kept = client.post("chats", json={"title": "kept"}).json()["id"]
    chat = client.post("chats", json={"title": attack}).json()
    assert chat["title"] == attack
    metadata = {attack: attack}
    changed = client.patch(
        f"chats/{chat['id']}", json={"title": f"{attack} again", "metadata": metadata}
    ).json()
    assert (changed["title"], changed["metadata"]) == (f"{attack} again", metadata)
    answered = client.post("ask", json={"question": attack, "chat_id": chat["id"]}).json()
    assert answered["turn"]["question"] == attack and answered["turn"]["status"] == "completed"
    uploaded = client.post(
        "datasets",
        files={"file": ("a.csv", f'x,y\n"{attack.replace(chr(34), chr(34) * 2)}",2\nb,3\n'.encode())},
    )
    assert uploaded.status_code == 201
    assert attack in uploaded.json()["dataset"]["columns"][0]["values"]
    served.assistant.store.session_states.save_session_state(
        SessionState(thread_id=attack, user_prompt=attack, user_id="somebody else")
    )
    problem(client.get(f"sessions/{quote(attack, safe='')}"), 404)
    problem(client.delete(f"sessions/{quote(attack, safe='')}"), 404)
    assert client.get(f"chats/{kept}").json()["title"] == "kept" and rows(served)["session_states"] > 0


@pytest.mark.parametrize("attack", INJECTIONS)
def test_a_search_finds_words_and_runs_nothing(served: Served, attack: str) -> None:
    client = served.client()
    name = f"figures{uuid.uuid4().hex}"
    chat = client.post("chats", json={"title": f"sales {name}"}).json()["id"]
    client.get("chats", params={"query": "takes what is new into the index"})
    before = rows(served)
    answer = client.get("chats", params={"query": attack})
    assert answer.status_code == 200 and chat not in [item["id"] for item in answer.json()["items"]]
    found = client.get("chats", params={"query": f"{name} {attack}"}).json()["items"]
    assert [item["id"] for item in found] in ([], [chat])
    assert rows(served) == before


@pytest.mark.parametrize("attack", INJECTIONS)
def test_an_id_is_only_compared(served: Served, attack: str) -> None:
    client = served.client()
    client.post("chats", json={"title": "kept"})
    before, name = rows(served), quote(attack, safe="")
    for method, path, body in [
        ("GET", f"chats/{name}", None), ("PATCH", f"chats/{name}", {"title": "x"}),
        ("DELETE", f"chats/{name}", None),
        ("POST", f"chats/{name}/renew", None), ("POST", f"chats/{name}/stop", None),
        ("POST", f"chats/{name}/duplicate", None), ("GET", f"chats/{name}/export", None),
        ("GET", f"chats/{name}/results/{name}", None), ("POST", f"chats/{name}/datasets/{name}", None),
        ("GET", f"datasets/{name}", None), ("DELETE", f"datasets/{name}", None),
        ("POST", "chats", {"dataset_ids": [attack]}), ("POST", "ask", {"question": "x", "chat_id": attack}),
        ("POST", "problems/verified", {"question": "x", "chat_id": attack}),
    ]:  # fmt: skip
        problem(client.request(method, path, json=body), 404)
    for name in ("topic", "difficulty", "workflow_status", "tests_passed", "limit", "offset"):
        problem(client.get("sessions", params={name: attack}), 422)
    for name in ("status", "cursor", "limit"):
        problem(client.get("chats", params={name: attack}), 422)
    assert rows(served) == before


UNSTORABLE = ["a\0b", "\ud800", "a\udfff"]


@pytest.mark.parametrize("text", UNSTORABLE)
def test_what_no_database_can_hold_is_refused(client: Client, text: str) -> None:
    chat = client.post("chats").json()["id"]
    bodies: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "chats", {"title": text}),
        ("POST", "chats", {"dataset_ids": [text]}),
        ("PATCH", f"chats/{chat}", {"title": text}),
        ("PATCH", f"chats/{chat}", {"metadata": {"a": text}}),
        ("PATCH", f"chats/{chat}", {"metadata": {text: 1}}),
        ("PATCH", f"chats/{chat}", {text: 1}),
        ("POST", "ask", {"question": text}),
        ("POST", "ask", {"question": "x", "chat_id": text}),
        ("POST", "problems/verified", {"question": text, "chat_id": chat}),
    ]
    for method, path, body in bodies:
        headers = {"Content-Type": "application/json"}
        problem(client.request(method, path, content=json.dumps(body), headers=headers), 422)
    assert client.get("chats").json()["items"][0]["id"] == chat


def test_nul_in_an_address_is_refused(client: Client) -> None:
    for path in ("chats/a%00b", "datasets/%00", "sessions/a%00", "chats?query=a%00", "chats?cursor=%00"):
        problem(client.get(path), 422)
    problem(client.delete("sessions/a%00"), 422)
    assert client.get("chats?query=%ff%fe").status_code == 200
    problem(client.get("chats/%ff"), 404)
    problem(client.get(f"chats/{'x' * 129}"), 422)
    problem(client.get("chats", params={"query": "x" * 1001}), 422)

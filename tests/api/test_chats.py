"""Chats over HTTP: their life, their pages, what they hold."""

import time
from collections.abc import Callable

import pytest

from tests.agents.conftest import with_gemini
from tests.api.conftest import Client, Serve, ask, problem, upload
from tests.servers.gemini import GeminiServer, Slow, text

Gemini = Callable[..., GeminiServer]


def make(client: Client, **fields: object) -> str:
    answer = client.post("chats", json=fields)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_a_chat_is_made_as_asked(client: Client) -> None:
    dataset = upload(client)["dataset"]["id"]
    made = client.post("chats", json={"title": "  Sales  2026 ", "mode": "code", "dataset_ids": [dataset]})
    assert made.status_code == 201
    chat = made.json()
    assert (chat["title"], chat["mode"], chat["status"]) == ("Sales 2026", "code", "active")
    whole = client.get(f"chats/{chat['id']}").json()
    assert [found["id"] for found in whole["datasets"]] == [dataset] and whole["turns"] == []
    assert {name: whole[name] for name in chat} == chat


def test_a_chat_needs_no_body(client: Client) -> None:
    assert client.post("chats").status_code == 201
    assert client.post("chats", json={}).status_code == 201
    assert client.post("chats", json=None).status_code == 201


def test_a_chat_shows_questions_answers_and_results(client: Client) -> None:
    chat = upload(client)["chat_id"]
    answered = ask(client, "total revenue by region", chat)
    whole = client.get(f"chats/{chat}").json()
    assert whole["turns"] == [answered["turn"]] and whole["turn_count"] == 1
    assert whole["title"] == "total revenue by region"
    result_id = answered["turn"]["result_ids"][0]
    result = client.get(f"chats/{chat}/results/{result_id}").json()
    assert result == answered["results"][0]
    assert result["kind"] == "table" and "SELECT" in result["code"]
    assert result["inputs"][0]["sha256"] == whole["datasets"][0]["sha256"]
    other = make(client)
    problem(client.get(f"chats/{other}/results/{result_id}"), 404)
    problem(client.get(f"chats/{chat}/results/unknown"), 404)


def test_pages_hold_every_chat_once(client: Client) -> None:
    made = [make(client, title=f"chat {number}") for number in range(7)]
    seen: list[str] = []
    cursor = None
    while True:
        page = client.get("chats", params={"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == list(reversed(made))


def test_search_and_status(client: Client) -> None:
    chat = upload(client)["chat_id"]
    ask(client, "average rating by city", chat)
    other = make(client, title="Weather")
    client.patch(f"chats/{other}", json={"status": "completed"})

    def found(**params: str) -> list[str]:
        return [item["id"] for item in client.get("chats", params=params).json()["items"]]

    assert found(query="rating") == [chat] and found(query="weath") == [other]
    assert found(query="rating weather") == []
    assert found(status="completed") == [other] and found(status="active") == [chat]


@pytest.mark.parametrize("limit", ["0", "-1", "101", "abc", ""])
def test_a_limit_outside_1_to_100_is_refused(client: Client, limit: str) -> None:
    assert problem(client.get("chats", params={"limit": limit}), 422)["details"][0]["where"] == "query.limit"


@pytest.mark.parametrize("cursor", ["nonsense", "bnVsbA==", "W10=", "é", "[[" * 300])
def test_a_cursor_that_is_none_is_refused(client: Client, cursor: str) -> None:
    problem(client.get("chats", params={"cursor": cursor}), 422)


def test_changes_are_kept(client: Client) -> None:
    chat = make(client)
    metadata = {"team": "sales", "stars": 5, "share": 0.5, "done": True}
    change = {"title": "Sales", "mode": "code", "status": "paused", "metadata": metadata}
    changed = client.patch(f"chats/{chat}", json=change)
    assert changed.status_code == 200
    assert {name: changed.json()[name] for name in change} == change
    merged = client.patch(f"chats/{chat}", json={"metadata": {"team": None, "stars": 4}}).json()
    assert merged["metadata"] == {"stars": 4, "share": 0.5, "done": True} and merged["title"] == "Sales"
    assert client.get(f"chats/{chat}").json()["metadata"] == merged["metadata"]
    assert client.patch(f"chats/{chat}", json={}).json() == merged


@pytest.mark.parametrize(
    "change",
    [
        {"title": ""}, {"title": "   "}, {"title": "x" * 201}, {"title": 5}, {"mode": "fast"},
        {"status": "expired"}, {"status": "gone"}, {"expires_in_hours": -1}, {"expires_in_hours": "1"},
        {"expires_in_hours": 1e9}, {"metadata": []}, {"metadata": {"deep": {"er": 1}}}, {"metadata": {"": 1}},
        {"metadata": {"x": "y" * 1001}},
        {"metadata": {str(number): 1 for number in range(51)}}, {"titel": "misspelt"}, [], "text", 5,
    ],
)  # fmt: skip
def test_a_change_that_does_not_fit_changes_nothing(client: Client, change: object) -> None:
    chat = make(client, title="before")
    before = client.get(f"chats/{chat}").json()
    problem(client.patch(f"chats/{chat}", json=change), 422)
    assert client.get(f"chats/{chat}").json() == before


def test_not_a_number_is_no_json(client: Client) -> None:
    chat, json = make(client), {"Content-Type": "application/json"}
    for number in ("NaN", "Infinity", "1e999"):
        for body in (f'{{"expires_in_hours": {number}}}', f'{{"metadata": {{"x": {number}}}}}'):
            problem(client.patch(f"chats/{chat}", content=body, headers=json), 422)
    assert client.get(f"chats/{chat}").json()["metadata"] == {}


def test_a_step_that_statuses_do_not_have_is_a_conflict(client: Client) -> None:
    chat = make(client)
    client.patch(f"chats/{chat}", json={"status": "completed"})
    answer = client.patch(f"chats/{chat}", json={"status": "paused", "title": "not this either"})
    assert "completed" in problem(answer, 409)["message"]
    assert client.get(f"chats/{chat}").json()["title"] == ""


def test_an_expired_chat_is_read_renewed_and_deleted(client: Client) -> None:
    uploaded = upload(client)
    chat, dataset = uploaded["chat_id"], uploaded["dataset"]["id"]
    assert client.patch(f"chats/{chat}", json={"expires_in_hours": 0}).json()["status"] == "expired"
    for answer in [
        client.patch(f"chats/{chat}", json={"title": "late"}),
        client.patch(f"chats/{chat}", json={"status": "active"}),
        client.patch(f"chats/{chat}", json={"expires_in_hours": 5}),
        client.post("ask", json={"question": "total revenue", "chat_id": chat}),
        client.post("problems/verified", json={"question": "total revenue", "chat_id": chat}),
        client.post(f"chats/{chat}/datasets/{dataset}"),
        client.delete(f"chats/{chat}/datasets/{dataset}"),
        client.post("datasets", files={"file": ("a.csv", b"a,b\n1,2\n")}, data={"chat_id": chat}),
    ]:
        assert "renew" in problem(answer, 410)["action"]
    assert client.get(f"chats/{chat}").json()["status"] == "expired"
    assert client.post(f"chats/{chat}/renew").json()["status"] == "active"
    assert ask(client, "total revenue", chat)["turn"]["status"] == "completed"
    client.patch(f"chats/{chat}", json={"expires_in_hours": 0})
    assert client.delete(f"chats/{chat}").status_code == 204


def test_hours_and_never(client: Client) -> None:
    chat = make(client)
    changed = client.patch(f"chats/{chat}", json={"expires_in_hours": 2}).json()
    assert changed["expires_at"] > changed["updated_at"] and changed["status"] == "active"
    assert client.patch(f"chats/{chat}", json={"expires_in_hours": None}).json()["expires_at"] is None


def test_a_deleted_chat_is_gone(client: Client) -> None:
    uploaded = upload(client)
    chat = uploaded["chat_id"]
    answer = client.delete(f"chats/{chat}")
    assert (answer.status_code, answer.content) == (204, b"")
    problem(client.delete(f"chats/{chat}"), 404)
    problem(client.get(f"chats/{chat}"), 404)
    assert client.get(f"datasets/{uploaded['dataset']['id']}").status_code == 200


def test_datasets_come_and_go(client: Client) -> None:
    uploaded = upload(client)
    dataset, chat = uploaded["dataset"]["id"], make(client)
    attached = client.post(f"chats/{chat}/datasets/{dataset}")
    assert [item["id"] for item in attached.json()["items"]] == [dataset]
    assert client.delete(f"chats/{chat}/datasets/{dataset}").status_code == 204
    problem(client.delete(f"chats/{chat}/datasets/{dataset}"), 404)
    problem(client.post(f"chats/{chat}/datasets/unknown"), 404)
    problem(client.post(f"chats/unknown/datasets/{dataset}"), 404)
    assert client.get(f"chats/{chat}").json()["datasets"] == []


def test_a_running_answer_is_shown_refuses_another_and_is_stopped(serve: Serve, gemini: Gemini) -> None:
    server = gemini(Slow([[text("One, ")], [text("two, ")], [text("three.")]], pause=0.2, silence=60))
    client = serve(**with_gemini(server)).client()
    chat = make(client)
    assert client.post(f"chats/{chat}/stop").json() == {"stopping": False}
    body = {"question": "count", "chat_id": chat}
    begun = client.post("ask", json=body | {"wait_seconds": 0.8})
    assert begun.status_code == 202 and begun.json()["turn"]["status"] == "running"
    turn = client.get(f"chats/{chat}").json()["turns"][0]
    assert turn["status"] == "running" and turn["parts"][0]["text"].startswith("One, ")
    for stream in (False, True):
        assert (
            "still being made" in problem(client.post("ask", json=body | {"stream": stream}), 409)["message"]
        )
    problem(client.post("problems/verified", json=body), 409)
    stopped = client.post(f"chats/{chat}/stop")
    assert (stopped.status_code, stopped.json()) == (202, {"stopping": True})
    deadline = time.monotonic() + 10
    while client.get(f"chats/{chat}").json()["turns"][0]["status"] == "running":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    turn = client.get(f"chats/{chat}").json()["turns"][0]
    assert turn["status"] == "stopped" and turn["parts"][0]["text"].startswith("One, ")


def test_deleting_a_chat_ends_its_answer(serve: Serve, gemini: Gemini) -> None:
    server = gemini(Slow([[text("One, ")], [text("two.")]], pause=0.1, silence=60))
    served = serve(**with_gemini(server))
    client = served.client()
    chat = make(client)
    assert (
        client.post("ask", json={"question": "count", "chat_id": chat, "wait_seconds": 0}).status_code == 202
    )
    assert client.delete(f"chats/{chat}").status_code == 204
    problem(client.get(f"chats/{chat}"), 404)

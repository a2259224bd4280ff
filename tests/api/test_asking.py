"""Questions over HTTP: waited for, and followed as events on a real connection."""

import json
import time
from collections.abc import Callable, Generator
from itertools import pairwise
from typing import Any

import httpx
import pandas as pd
import pytest

from api import asking
from tests.agents.conftest import with_gemini
from tests.api.conftest import Client, Serve, Served, ask, problem, upload
from tests.servers.gemini import GeminiServer, Slow, error, text

Gemini = Callable[..., GeminiServer]
Listen = Callable[[Served], str]
Event = tuple[int, str, dict[str, Any]]


def events(address: str, **question: Any) -> Generator[Event, None, None]:
    """The events of a question as they come; comments are events without a name."""
    body = {"stream": True} | question
    with httpx.stream("POST", f"{address}ask", json=body, timeout=60) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        fields: dict[str, str] = {}
        for line in answer.iter_lines():
            if line.startswith(":"):
                yield 0, "", {}
            elif line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields:
                yield int(fields["id"]), fields["event"], json.loads(fields["data"])
                fields = {}


def put_together(told: list[Event]) -> dict[int, str]:
    """The texts of parts, as a client adds them up."""
    texts: dict[int, str] = {}
    for _, name, data in told:
        if name == "text":
            texts[data["part"]] = (
                data["text"] if data["replaces"] else texts.get(data["part"], "") + data["text"]
            )
    return texts


def test_numbers_are_the_ones_that_pandas_finds(client: Client, orders: pd.DataFrame) -> None:
    chat = upload(client)["chat_id"]
    answered = ask(client, "total revenue by region", chat)
    assert (answered["chat_id"], answered["turn"]["status"]) == (chat, "completed")
    rows = dict(answered["results"][0]["output"]["table"]["rows"])
    assert rows == pytest.approx(orders.groupby("region")["revenue"].sum().to_dict())
    assert answered["results"][0]["rows_used"] == len(orders)
    followed = ask(client, "and by channel?", chat)
    rows = dict(followed["results"][0]["output"]["table"]["rows"])
    assert rows == pytest.approx(orders.groupby("channel")["revenue"].sum().to_dict())
    figure = ask(client, "as a pie chart", chat)["results"][0]
    assert figure["kind"] == "figure" and figure["output"]["figure"]["data"][0]["type"] == "pie"


def test_without_a_chat_one_is_made(client: Client) -> None:
    answered = ask(client, "total revenue")
    assert "no data" in answered["turn"]["parts"][-1]["text"] and answered["results"] == []
    assert client.get(f"chats/{answered['chat_id']}").json()["turns"] == [answered["turn"]]


@pytest.mark.parametrize(
    "question",
    [
        {}, {"question": ""}, {"question": " \n\t"}, {"question": None}, {"question": 5},
        {"question": "x" * 10_001}, {"question": "x", "wait_seconds": -1},
        {"question": "x", "wait_seconds": "5"},
        {"question": "x", "chat_id": ""}, {"question": "x", "stream": "yes"}, {"question": "x", "more": 1},
        {"question": "x", "wait_seconds": 1e9},
    ],
)  # fmt: skip
def test_a_question_that_does_not_fit(client: Client, question: dict[str, Any]) -> None:
    problem(client.post("ask", json=question), 422)
    assert client.get("chats").json()["items"] == []


def test_a_failed_answer_says_why(serve: Serve, gemini: Gemini, listen: Listen) -> None:
    served = serve(**with_gemini(gemini(error(403, "PERMISSION_DENIED", "No."))))
    turn = ask(served.client(), "hello")["turn"]
    assert turn["status"] == "failed" and turn["error"]["message"] and "No." not in turn["error"]["message"]
    told = list(events(listen(served), question="hello"))
    _, name, data = told[-1]
    assert name == "error" and data["turn"]["status"] == "failed"
    assert {key: data["error"][key] for key in ("kind", "message", "action")} == turn["error"]


def test_events_come_in_order_and_add_up(serve: Serve, listen: Listen) -> None:
    served = serve()
    client = served.client()
    chat = upload(client)["chat_id"]
    told = list(events(listen(served), question="total revenue by region as a bar chart", chat_id=chat))
    assert [number for number, _, _ in told] == list(range(1, len(told) + 1))
    names = [name for _, name, _ in told]
    assert (
        names[0] == "turn"
        and names[-1] == "done"
        and set(names) == {"turn", "step", "result", "text", "done"}
    )
    assert names.count("done") == names.count("turn") == 1
    final = told[-1][2]["turn"]
    assert told[0][2]["turn"]["id"] == final["id"] and told[0][2]["chat_id"] == chat
    assert final == client.get(f"chats/{chat}").json()["turns"][-1]
    texts = {place: part["text"] for place, part in enumerate(final["parts"]) if part["kind"] == "text"}
    assert put_together(told) == texts
    shown = [data["result"] for _, name, data in told if name == "result"]
    assert [result["id"] for result in shown] == final["result_ids"]
    assert shown == [client.get(f"chats/{chat}/results/{result['id']}").json() for result in shown]
    last_steps = {data["part"]: data["status"] for _, name, data in told if name == "step"}
    assert set(last_steps.values()) == {"done"}


def test_text_comes_while_it_is_made(serve: Serve, gemini: Gemini, listen: Listen) -> None:
    words = ["One, ", "two, ", "three, ", "four."]
    address = listen(serve(**with_gemini(gemini(Slow([[text(word)] for word in words], pause=0.4)))))
    told, moments = [], []
    for event in events(address, question="count"):
        told.append(event)
        moments.append(time.monotonic())
    pieces = [data["text"] for _, name, data in told if name == "text"]
    assert pieces == words and put_together(told) == {0: "".join(words)}
    at = [moment for moment, (_, name, _) in zip(moments, told, strict=True) if name == "text"]
    assert all(later - earlier > 0.15 for earlier, later in pairwise(at))


def test_silence_is_filled_with_comments(
    serve: Serve, gemini: Gemini, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asking.PING_SECONDS == 15
    monkeypatch.setattr(asking, "PING_SECONDS", 0.2)
    server = gemini(Slow([[text("One, ")], [text("two.")]], pause=0.1, silence=1.5))
    told = list(events(listen(serve(**with_gemini(server))), question="count"))
    assert [name for _, name, _ in told].count("") >= 4
    assert put_together(told) == {0: "One, two."} and told[-1][1] == "done"


def test_a_client_that_goes_away_does_not_stop_the_answer(
    serve: Serve, gemini: Gemini, listen: Listen
) -> None:
    server = gemini(Slow([[text("One, ")], [text("two, ")], [text("three.")]], pause=0.2, silence=1))
    served = serve(**with_gemini(server))
    address, client = listen(served), served.client()
    following = events(address, question="count")
    chat = next(following)[2]["chat_id"]
    assert next(following)[1] == "text"
    following.close()
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{address}ask", json={"question": "count too"}, timeout=0.3)
    deadline = time.monotonic() + 20
    ids = [item["id"] for item in client.get("chats").json()["items"]]
    assert len(ids) == 2 and chat in ids
    for chat_id in ids:
        (turn,) = client.get(f"chats/{chat_id}").json()["turns"]
        while turn["status"] == "running":
            assert time.monotonic() < deadline
            time.sleep(0.1)
            (turn,) = client.get(f"chats/{chat_id}").json()["turns"]
        assert (turn["status"], turn["parts"][0]["text"]) == ("completed", "One, two, three.")


def test_a_stop_ends_the_events(serve: Serve, gemini: Gemini, listen: Listen) -> None:
    server = gemini(Slow([[text("One, ")], [text("two.")]], pause=0.1, silence=60))
    served = serve(**with_gemini(server))
    following = events(listen(served), question="count")
    chat = next(following)[2]["chat_id"]
    next(following)
    served.client().post(f"chats/{chat}/stop")
    name, data = list(following)[-1][1:]
    assert (name, data["turn"]["status"]) == ("done", "stopped")


def test_a_server_that_closes_says_so(serve: Serve, gemini: Gemini, listen: Listen) -> None:
    server = gemini(Slow([[text("One, ")], [text("two.")]], pause=0.1, silence=60))
    served = serve(**with_gemini(server))
    following = events(listen(served), question="count")
    next(following)
    served.assistant.turns.close()
    name, data = list(following)[-1][1:]
    assert (name, data["error"]["kind"], data["turn"]["status"]) == ("error", "interrupted", "interrupted")


def test_accept_of_events(client: Client) -> None:
    body = {"question": "total revenue"}
    only_json, only_events = {"Accept": "application/json"}, {"Accept": "text/event-stream"}
    problem(client.post("ask", json=body | {"stream": True}, headers=only_json), 406)
    problem(client.post("ask", json=body, headers=only_events), 406)
    assert client.get("chats").json()["items"] == []
    assert client.post("ask", json=body, headers=only_json).status_code == 200
    assert client.post("ask", json=body | {"stream": True}, headers=only_events).status_code == 200

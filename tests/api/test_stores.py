"""The API on the other stores: PostgreSQL, also when it goes away, and memory."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import SecretStr

from tests.api.conftest import Serve, Served, ask, problem, upload
from tests.api.test_texts import INJECTIONS
from tests.servers.postgres import PostgresServer, postgres
from tests.storage.conftest import server

__all__ = ["server"]

JSON = {"Content-Type": "application/json"}
AWAY_SECONDS = 30
TOKENS = SecretStr("ann:ann-token,bob:bob-token")


def whole_way(served: Served) -> None:
    """Upload, ask, find, change, verify, copy, delete; Bob sees none of it."""
    ann, bob = served.client("ann-token"), served.client("bob-token")
    uploaded = upload(ann)
    chat, dataset = uploaded["chat_id"], uploaded["dataset"]["id"]
    answered = ask(ann, "total revenue by region", chat)
    assert len(answered["results"][0]["output"]["table"]["rows"]) == 4
    for attack in INJECTIONS:
        metadata = {"note": attack}
        assert (
            ann.patch(f"chats/{chat}", json={"metadata": metadata, "title": attack}).json()["title"] == attack
        )
        assert ann.get("chats", params={"query": attack}).status_code == 200
    problem(ann.patch(f"chats/{chat}", content=b'{"title": "\\u0000"}', headers=JSON), 422)
    ann.patch(f"chats/{chat}", json={"title": "Sales figures"})
    for client, found in ((ann, [chat]), (bob, [])):
        listed = client.get("chats", params={"query": "figures", "status": "active"}).json()["items"]
        assert [item["id"] for item in listed] == found
    run = ann.post("problems/verified", json={"question": "total revenue by channel", "chat_id": chat}).json()
    assert [item["thread_id"] for item in ann.get("sessions").json()["items"]] == [run["thread_id"]]
    assert ann.get("sessions/analytics").json()["total"] == 1
    copy = ann.post(f"chats/{chat}/duplicate").json()["id"]
    for path in (f"sessions/{run['thread_id']}", f"chats/{chat}", f"chats/{copy}", f"datasets/{dataset}"):
        problem(bob.delete(path), 404)
        assert ann.delete(path).status_code == 204
        problem(ann.get(path), 404)


def test_the_whole_way_on_sqlite(serve: Serve) -> None:
    whole_way(serve(api_tokens=TOKENS))


def test_the_whole_way_in_memory(serve: Serve) -> None:
    whole_way(serve(api_tokens=TOKENS, persistent=False))


def test_the_whole_way_on_postgresql(serve: Serve, server: PostgresServer) -> None:
    whole_way(serve(api_tokens=TOKENS, database_url=SecretStr(server.url())))


def test_a_postgres_that_goes_away_is_503_and_comes_back(serve: Serve) -> None:
    with TemporaryDirectory() as folder, postgres(Path(folder)) as own:
        served = serve(database_url=SecretStr(own.url()))
        client = served.client()
        chat = client.post("chats", json={"title": "kept"}).json()["id"]
        assert client.get("health/ready").status_code == 200
        own.stop()
        problem(client.get(f"chats/{chat}"), 503)
        assert client.get("health/ready").status_code == 503
        own.start()
        deadline = time.monotonic() + AWAY_SECONDS
        while client.get("health/ready").status_code == 503:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert client.get(f"chats/{chat}").json()["title"] == "kept"
        assert client.get("health/ready").status_code == 200
        served.close()

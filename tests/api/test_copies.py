"""A chat as a file, from a file, and twice."""

import io
import zipfile

import pytest

from tests.api.conftest import Client, Serve, ask, problem, two_people, upload


def talked(client: Client) -> str:
    chat = str(upload(client)["chat_id"])
    ask(client, "total revenue by region", chat)
    ask(client, "and by channel?", chat)
    return chat


def told(client: Client, chat: str) -> list[tuple[str, list[str]]]:
    turns = client.get(f"chats/{chat}").json()["turns"]
    return [(t["question"], [p["text"] for p in t["parts"] if p["kind"] == "text"]) for t in turns]


def test_a_chat_leaves_as_a_file_and_comes_back_to_somebody_else(serve: Serve) -> None:
    ann, bob = two_people(serve)
    chat = talked(ann)
    answer = ann.get(f"chats/{chat}/export")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    assert answer.headers["content-disposition"] == 'attachment; filename="total-revenue-by-region.zip"'
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert zipfile.ZipFile(io.BytesIO(answer.content)).testzip() is None
    imported = bob.post("chats/import", files={"file": ("chat.zip", answer.content)})
    assert imported.status_code == 201
    other = imported.json()["id"]
    assert other != chat and told(bob, other) == told(ann, chat)
    shown = bob.get(f"chats/{other}").json()["turns"][0]["result_ids"][0]
    assert bob.get(f"chats/{other}/results/{shown}").status_code == 200
    problem(ann.get(f"chats/{other}"), 404)


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_export_is_refused(client: Client, content: bytes) -> None:
    problem(client.post("chats/import", files={"file": ("chat.zip", content)}), 422)
    problem(client.post("chats/import", files={"other": ("chat.zip", content)}), 422)
    assert client.get("chats").json()["items"] == []


def test_an_import_beyond_the_limit_is_refused(serve: Serve) -> None:
    client = serve(upload_limit_mb=1).client()
    problem(client.post("chats/import", files={"file": ("chat.zip", bytes(1_000_001))}), 413)


def test_a_copy_is_a_chat_of_its_own(client: Client) -> None:
    chat = talked(client)
    made = client.post(f"chats/{chat}/duplicate")
    assert made.status_code == 201
    copy = made.json()["id"]
    assert copy != chat and made.json()["parent_chat_id"] == chat and told(client, copy) == told(client, chat)
    ask(client, "average rating", copy)
    assert len(told(client, copy)) == 3 and len(told(client, chat)) == 2
    client.delete(f"chats/{chat}")
    assert len(told(client, copy)) == 3


def test_a_title_is_a_plain_file_name(client: Client) -> None:
    chat = client.post("chats", json={"title": '../"x"\r\nSet-Cookie: a=b; é'}).json()["id"]
    disposition = client.get(f"chats/{chat}/export").headers["content-disposition"]
    assert disposition == 'attachment; filename="x-Set-Cookie-a-b.zip"'
    empty = client.post("chats").json()["id"]
    assert 'filename="chat.zip"' in client.get(f"chats/{empty}/export").headers["content-disposition"]


def test_accept_of_a_file(client: Client) -> None:
    chat = client.post("chats").json()["id"]
    assert client.get(f"chats/{chat}/export", headers={"Accept": "application/zip"}).status_code == 200
    problem(client.get(f"chats/{chat}/export", headers={"Accept": "application/json"}), 406)

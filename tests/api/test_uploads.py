"""Resumable uploads over HTTP: offsets, limits, tickets, broken connections, and a server that is killed."""

import io
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from pydantic import SecretStr

from storage.keys import SessionKey
from tests.api.conftest import Client, Serve, Served, problem, two_people
from tests.api.tus import PIECE, VERSION, Killable, create, finished, head, metadata, patch

CSV = b"city,amount\n" + b"".join(b"Town %d,%d.5\n" % (i % 7, i) for i in range(3_000))
BIG = b"city,amount\n" + b"".join(b"Town %d,%d.25\n" % (i % 7, i) for i in range(1_100_000))


def beginning(place: str, port: int, size: int) -> bytes:
    """What comes before the bytes of a piece that is a whole file."""
    lines = [f"PATCH /api/{place} HTTP/1.1", f"Host: localhost:{port}", "Tus-Resumable: 1.0.0"]
    lines += ["Upload-Offset: 0", f"Content-Type: {PIECE}", f"Content-Length: {size}", "", ""]
    return "\r\n".join(lines).encode()


def test_a_file_in_pieces_becomes_a_dataset(client: Client) -> None:
    answer = create(client, "towns.csv", len(CSV))
    assert answer.status_code == 201 and answer.headers["tus-resumable"] == "1.0.0"
    place = answer.headers["location"]
    offset = 0
    while offset < len(CSV):
        told = head(client, place)
        assert (int(told.headers["upload-offset"]), int(told.headers["upload-length"])) == (offset, len(CSV))
        assert told.headers["cache-control"] == "no-store" and "GMT" in told.headers["upload-expires"]
        answer = patch(client, place, offset, CSV[offset : offset + 10_000])
        assert answer.status_code == 204
        offset = int(answer.headers["upload-offset"])
    found = finished(client, place)
    assert (found["state"], found["progress"], found["offset"]) == ("done", 1.0, len(CSV))
    (dataset,) = found["datasets"]
    frame = pd.read_csv(io.BytesIO(CSV))
    assert (dataset["name"], dataset["rows"], dataset["state"]) == ("towns", len(frame), "ready")
    assert dataset["columns"][1]["mean"] == pytest.approx(frame["amount"].mean())
    assert client.get(f"chats/{found['chat_id']}").json()["datasets"] == [dataset]
    # The answer to the last piece may have been lost: the file is whole, and not sent again.
    assert head(client, place).headers["upload-offset"] == str(len(CSV))


def test_a_small_file_needs_one_request(client: Client) -> None:
    chat = client.post("chats", json={}).json()["id"]
    answer = create(client, "../towns.csv", len(CSV), CSV, chat_id=chat)
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, str(len(CSV)))
    found = finished(client, answer.headers["location"])
    assert (found["chat_id"], found["file_name"], found["datasets"][0]["rows"]) == (chat, "towns.csv", 3_000)
    empty = finished(client, create(client, "empty.csv", 0, chat_id=chat).headers["location"])
    assert empty["state"] == "failed" and "empty" in empty["error"] and empty["datasets"] == []


def test_what_the_protocol_refuses(client: Client) -> None:
    place = create(client, "a.csv", 100).headers["location"]
    assert problem(patch(client, place, 50, b"x"), 409)["action"]
    assert patch(client, place, 1, b"x").headers["upload-offset"] == "0"
    problem(patch(client, place, 0, b"x" * 101), 413)
    problem(client.patch(place, headers=VERSION | {"Upload-Offset": "0"}, content=b"x"), 415)
    problem(patch(client, place, 0, b"x", **{"Upload-Offset": "zero"}), 422)
    old = {"Upload-Length": "5", "Tus-Resumable": "0.2.2"}
    assert client.post("uploads", headers=old).status_code == 412
    problem(client.post("uploads", headers=VERSION), 422)
    named = {"Upload-Metadata": metadata(filename="a.csv")}
    for bad in ({"Upload-Length": "-1"} | named, {"Upload-Length": "5"}, {"Upload-Length": "9" * 30} | named):
        problem(client.post("uploads", headers=VERSION | bad), 422)
    broken = {"Upload-Length": "5", "Upload-Metadata": "filename é"}
    problem(client.post("uploads", headers={**VERSION, **broken, "Upload-Metadata": "filename !!"}), 422)
    problem(create(client, "a.csv", 5, chat_id="unknown"), 404)
    told = client.request("OPTIONS", "uploads")
    assert told.headers["tus-version"] == "1.0.0" and "termination" in told.headers["tus-extension"]
    for path in ("uploads", place):
        refused = client.request("PUT", path)
        assert problem(refused, 405) and "OPTIONS" in refused.headers["allow"]
    assert head(client, place).headers["upload-offset"] == "0"
    assert client.request("DELETE", place, headers=VERSION).status_code == 204
    assert head(client, place).status_code == 404
    problem(client.get(f"{place}/status"), 404)


def test_a_file_beyond_the_limit_is_refused_before_a_byte(serve: Serve) -> None:
    served = serve(upload_limit_mb=1)
    client = served.client()
    assert "UPLOAD_LIMIT_MB" in problem(create(client, "big.csv", 1_000_001), 413)["message"]
    assert client.request("OPTIONS", "uploads").headers["tus-max-size"] == "1000000"
    assert not list((served.settings.home / "uploads").glob("*/*"))


def test_pieces_do_not_count_as_requests(serve: Serve) -> None:
    client = serve(api_requests_per_minute=4).client()
    place = create(client, "a.csv", 100).headers["location"]
    for offset in range(40):
        assert patch(client, place, offset, b"x").status_code == 204
        assert head(client, place).status_code == 200
    assert [client.get("datasets").status_code for _ in range(4)][-1] == 429
    assert create(client, "a.csv", 100).status_code == 429


def test_uploads_are_their_owners(serve: Serve) -> None:
    ann, bob = two_people(serve)
    place = create(ann, "a.csv", 100).headers["location"]
    answers = [head(bob, place), patch(bob, place, 0, b"x"), bob.get(f"{place}/status")]
    answers.append(bob.request("DELETE", place, headers=VERSION))
    assert [answer.status_code for answer in answers] == [404] * 4
    assert patch(ann, place, 0, b"x").status_code == 204


def test_a_ticket_sends_into_its_conversation_only(serve: Serve) -> None:
    served = serve(api_token=SecretStr("secret"))
    store, person = served.assistant.store, served.assistant.new_session("ann").user_id
    key, other = served.assistant.new_session(person), served.assistant.new_session(person)
    ticket, foreign = store.tickets.issue(key), store.tickets.issue(SessionKey("agents", "bob", "his"))
    page, stranger = served.client(), {"Upload-Ticket": "made-up"}

    def headers(text: str, **more: str) -> dict[str, str]:
        return VERSION | {"Upload-Ticket": text} | more

    announced = {"Upload-Length": str(len(CSV)), "Upload-Metadata": metadata(filename="towns.csv")}
    problem(page.post("uploads", headers=VERSION | announced), 401)
    problem(page.post("uploads", headers=VERSION | announced | stranger), 401)
    made = page.post("uploads", headers=headers(ticket, **announced))
    place = made.headers["location"]
    for text in (foreign, store.tickets.issue(other)):
        assert head(page, place, **{"Upload-Ticket": text}).status_code == 404
        assert patch(page, place, 0, CSV, **{"Upload-Ticket": text}).status_code == 404
        assert page.request("DELETE", place, headers=headers(text)).status_code == 404
    # It opens nothing but uploads.
    problem(page.get("datasets", headers=headers(ticket)), 401)
    assert patch(page, place, 0, CSV, **{"Upload-Ticket": ticket}).status_code == 204
    deadline = time.monotonic() + 30
    while not served.assistant.datasets(key):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert [d.file_name for d in served.assistant.datasets(key)] == ["towns.csv"]
    assert served.assistant.datasets(other) == []


def test_what_came_before_the_connection_broke_is_kept(serve: Serve, listen: Callable[[Served], str]) -> None:
    served = serve()
    port = int(listen(served).split(":")[2].split("/")[0])
    place = create(served.client(), "towns.csv", len(CSV)).headers["location"]
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(beginning(place, port, len(CSV)) + CSV[:20_000])
        # What arrives together with the end of its connection, the server never sees.
        time.sleep(0.5)
    client, deadline = served.client(), time.monotonic() + 10
    while (offset := int(head(client, place).headers["upload-offset"])) == 0:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert offset == 20_000
    assert patch(client, place, offset, CSV[offset:]).status_code == 204
    assert finished(client, place)["datasets"][0]["rows"] == 3_000


@pytest.mark.slow
def test_a_killed_server_goes_on_where_it_was(tmp_path: Path) -> None:
    """kill -9 in the middle of a piece, and again in the middle of the conversion."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = Killable(tmp_path / "home", listening)
        try:
            client = server.start()
            place = create(client, "big.csv", len(BIG)).headers["location"]
            data = tmp_path / "home" / place / "data"
            with socket.create_connection(("127.0.0.1", server.port)) as line:
                line.sendall(beginning(place, server.port, len(BIG)) + BIG[:6_000_000])
                deadline = time.monotonic() + 30
                while data.stat().st_size < 5_000_000:
                    assert time.monotonic() < deadline
                    time.sleep(0.01)
                server.kill()
            client = server.start()
            offset = int(head(client, place).headers["upload-offset"])
            assert offset == data.stat().st_size and 5_000_000 <= offset <= 6_000_000
            assert patch(client, place, offset, BIG[offset:]).status_code == 204
            seen = finished(client, place, "converting", "done")
            assert (seen["state"], seen["datasets"][0]["state"]) == ("converting", "converting")
            server.kill()
            client = server.start()
            (dataset,) = finished(client, place)["datasets"]
            assert (dataset["rows"], dataset["state"]) == (1_100_000, "ready")
            assert dataset["columns"][1]["mean"] == pytest.approx((1_100_000 - 1) / 2 + 0.25)
            assert not list((tmp_path / "home").rglob("*.sample.parquet")) and not data.exists()
        finally:
            server.kill()

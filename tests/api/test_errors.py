"""One shape for every error, also for what FastAPI and Starlette find, and for what nobody foresaw."""

import logging
from collections.abc import Iterator

import pytest
from fastapi import FastAPI

from agents.assistant import Assistant
from agents.settings import Settings
from api.app import create_api
from api.media import admits
from tests.api.conftest import Client, Served, problem


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """One for all: nothing here changes what is stored."""
    made = Served(tmp_path_factory.mktemp("home"))
    yield made.client()
    made.close()


@pytest.mark.parametrize(
    "path", ["", "nowhere", "chats/", "chats/x/nowhere", "docs/nowhere.js", "docs/index.html"]
)
def test_an_unknown_address(client: Client, path: str) -> None:
    assert problem(client.get(path), 404)["kind"] == "not_found"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "chats", "GET, POST"), ("PUT", "chats/x", "DELETE, GET, PATCH"), ("GET", "ask", "POST"),
        ("POST", "topics", "GET"), ("PATCH", "chats/x/datasets/y", "DELETE, POST"), ("POST", "health", "GET"),
        ("TRACE", "sessions/analytics", "GET"),
    ],
)  # fmt: skip
def test_a_method_that_an_address_does_not_know(client: Client, method: str, path: str, allowed: str) -> None:
    answer = client.request(method, path)
    assert problem(answer, 405)["kind"] == "method_not_allowed"
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("chats", "text/plain"), ("chats", "application/x-www-form-urlencoded"), ("chats", None),
        ("ask", "text/json"), ("chats", "multipart/form-data; boundary=x"),
        ("problems/verified", "text/plain"),
        ("datasets", "application/json"), ("chats/import", "application/zip"),
    ],
)  # fmt: skip
def test_a_body_of_another_media_type(client: Client, path: str, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    problem(client.post(path, content=b'{"title": "x", "question": "x"}', headers=headers), 415)
    assert client.get("chats").json()["items"] == []


@pytest.mark.parametrize(
    "accept", ["text/html", "application/xml, text/*", "application/json;q=0", "image/png"]
)
def test_an_accept_that_no_answer_fits(client: Client, accept: str) -> None:
    for path in ("chats", "datasets", "sessions", "topics"):
        problem(client.get(path, headers={"Accept": accept}), 406)
    assert client.get("health/live", headers={"Accept": accept}).status_code == 200


@pytest.mark.parametrize(
    "accept",
    ["*/*", "application/*", "application/json", "text/html, */*;q=0.1", "APPLICATION/JSON;q=0.5", ""],
)
def test_an_accept_that_fits(client: Client, accept: str) -> None:
    assert client.get("topics", headers={"Accept": accept}).status_code == 200


def test_accept_in_several_headers() -> None:
    assert admits([], "application/json") and admits(["text/html", "application/json"], "application/json")
    assert not admits(["text/html", "application/json;q=0.0"], "application/json")


@pytest.mark.parametrize(
    "body", [b"{", b"", b"null", b"[1]", b"\xff\xfe", b"[" * 100_000, b'{"question": 1}']
)
def test_a_body_that_is_no_question(client: Client, body: bytes) -> None:
    answer = client.post("ask", content=body, headers={"Content-Type": "application/json"})
    problem(answer, 422)
    assert "File" not in answer.text and "Traceback" not in answer.text


def test_a_body_beyond_the_limit(client: Client) -> None:
    body = b'{"question": "' + b"x" * 1_000_000 + b'"}'
    problem(client.post("ask", content=body, headers={"Content-Type": "application/json"}), 413)


def test_details_say_where(client: Client) -> None:
    error = problem(client.post("ask", json={"question": "", "stream": 1, "other": 2}), 422)
    assert {detail["where"] for detail in error["details"]} == {"body.question", "body.stream", "body.other"}
    assert "body.question" in error["message"]


def broken() -> Assistant:
    raise RuntimeError("a secret of the inside")


def test_what_nobody_foresaw_shows_nothing_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    api: FastAPI = create_api(broken, Settings, local=True)
    answer = Client(api, "http://localhost").get("/chats")
    error = problem(answer, 500)
    assert error["kind"] == "internal" and "secret" not in answer.text and "RuntimeError" not in answer.text
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info and "a secret of the inside" in caplog.text

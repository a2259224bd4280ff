"""Health: each part by name, and an outage that is never mistaken for something that does not exist."""

from pathlib import Path

from pydantic import SecretStr

from agents.assistant import Assistant
from agents.settings import Settings
from api.app import create_api
from storage.errors import StoreUnavailable
from tests.api.conftest import Client, Serve, Served, problem, upload

NAMES = ["database", "workers", "model"]


def break_database(served: Served) -> None:
    """Writes over the file, so that neither a page of it nor its log makes sense."""
    for path in served.settings.home.glob("assistant.sqlite3*"):
        path.write_bytes(b"not a database any more" * 1000)


def test_every_part_is_named_and_works(serve: Serve) -> None:
    served = serve()
    served.assistant._opened.result()
    for path in ("health", "health/ready"):
        answer = served.client().get(path)
        assert answer.status_code == 200
        body = answer.json()
        assert body["status"] == "ok" and list(body["dependencies"]) == NAMES
        assert all(part["ok"] and part["detail"] for part in body["dependencies"].values())
        assert body["dependencies"]["model"]["detail"] == "built-in planner"
        assert str(served.settings.home) in body["dependencies"]["database"]["detail"]


def test_a_stranger_sees_no_details(serve: Serve) -> None:
    served = serve(api_token=SecretStr("right-token"))
    served.assistant._opened.result()
    for token in ("", "wrong-token"):
        answer = served.client(token).get("health")
        assert answer.status_code == 200 and str(served.settings.home) not in answer.text
        assert [part["detail"] for part in answer.json()["dependencies"].values()] == [None] * 3
    assert served.client("right-token").get("health").json()["dependencies"]["database"]["detail"]
    problem(served.client().get("chats"), 401)


def test_beyond_localhost_nobody_without_a_token_sees_details(serve: Serve) -> None:
    served = serve(local=False)
    assert str(served.settings.home) not in served.client().get("health").text


def test_a_broken_database_is_503_and_never_404(serve: Serve) -> None:
    served = serve()
    client = served.client()
    uploaded = upload(client)
    chat, dataset = uploaded["chat_id"], uploaded["dataset"]["id"]
    assert client.get("health/ready").status_code == 200
    break_database(served)
    for method, path, body in [
        ("GET", "chats", None), ("GET", f"chats/{chat}", None), ("GET", "chats/unknown", None),
        ("PATCH", f"chats/{chat}", {"title": "x"}), ("DELETE", f"chats/{chat}", None),
        ("POST", "chats", None),
        ("GET", f"chats/{chat}/export", None), ("POST", f"chats/{chat}/duplicate", None),
        ("GET", "datasets", None), ("GET", f"datasets/{dataset}", None),
        ("DELETE", f"datasets/{dataset}", None),
        ("GET", "sessions", None), ("GET", "sessions/unknown", None), ("DELETE", "sessions/unknown", None),
        ("GET", "sessions/analytics", None), ("POST", "ask", {"question": "total revenue", "chat_id": chat}),
        ("POST", "problems/verified", {"question": "total revenue", "chat_id": chat}),
    ]:  # fmt: skip
        answer = client.request(method, path, json=body)
        assert problem(answer, 503)["kind"] == "unavailable", (method, path)
        assert int(answer.headers["retry-after"]) >= 1
    for path in ("health", "health/ready"):
        answer = client.get(path)
        parts = answer.json()["dependencies"]
        assert answer.status_code == 503 and answer.json()["status"] == "unavailable"
        assert not parts["database"]["ok"] and parts["workers"]["ok"] and "cannot be used" in str(parts)
    assert client.get("health/live").status_code == 200
    assert client.get("topics").status_code == 200


def test_a_store_that_cannot_be_opened(tmp_path: Path) -> None:
    def closed() -> Assistant:
        raise StoreUnavailable("The store /secret/place cannot be used: disk full.")

    settings = Settings(home=tmp_path, api_token=SecretStr("right-token"))
    api = create_api(closed, lambda: settings, local=True)
    known = Client(api, "http://localhost", {"Authorization": "Bearer right-token"})
    assert "disk full" in problem(known.get("/chats"), 503)["message"]
    assert "disk full" in known.get("/health").text
    stranger = Client(api, "http://localhost")
    answer = stranger.get("/health")
    assert answer.status_code == 503 and "secret" not in answer.text
    assert list(answer.json()["dependencies"]) == NAMES
    assert stranger.get("/health/live").status_code == 200


def test_a_model_that_cannot_be_opened_is_named(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "artifacts").write_text("a file, where a folder has to be")
    served = serve(google_api_key=SecretStr("test-key-do-not-log"))
    served.assistant._opened.exception()
    answer = served.client().get("health")
    parts = answer.json()["dependencies"]
    assert answer.status_code == 503 and "could not be opened" in parts["model"]["detail"]
    assert parts["database"]["ok"] and parts["workers"]["ok"] and "test-key" not in answer.text

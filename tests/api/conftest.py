"""The API on a real assistant with a temporary home, mounted under /api as the server mounts it."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.routing import Mount

from agents.assistant import Assistant, start
from agents.settings import Settings
from api.app import create_api
from tests.agents.conftest import gemini
from tests.conftest import SAMPLE

__all__ = ["gemini"]
HERE = ("127.0.0.1", 50_000)
LOCALHOST = "http://localhost:8501/api/"
START_SECONDS = 20.0


class Client:
    """Sends requests straight to the application, as a person on some machine."""

    def __init__(
        self,
        app: Starlette,
        base: str = LOCALHOST,
        headers: dict[str, str] | None = None,
        machine: tuple[str, int] = HERE,
    ) -> None:
        self._transport = httpx.ASGITransport(app, client=machine)
        self._base = base
        self._headers = headers

    def request(self, method: str, path: str, **rest: Any) -> httpx.Response:
        """The whole answer."""

        async def send() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=self._transport, base_url=self._base, headers=self._headers
            ) as client:
                return await client.request(method, path, **rest)

        return asyncio.run(send())

    def get(self, path: str, **rest: Any) -> httpx.Response:
        return self.request("GET", path, **rest)

    def post(self, path: str, **rest: Any) -> httpx.Response:
        return self.request("POST", path, **rest)

    def patch(self, path: str, **rest: Any) -> httpx.Response:
        return self.request("PATCH", path, **rest)

    def delete(self, path: str, **rest: Any) -> httpx.Response:
        return self.request("DELETE", path, **rest)


class Served:
    """An open assistant and its API; clients for different people."""

    def __init__(self, home: Path, *, local: bool = True, **settings: object) -> None:
        self.settings = Settings.model_validate({"home": home, "api_requests_per_minute": 100_000} | settings)
        self.assistant: Assistant = start(self.settings)
        self._closed = False
        self.api = create_api(lambda: self.assistant, lambda: self.settings, local=local)
        self.app = Starlette(routes=[Mount("/api", app=self.api)])

    def close(self) -> None:
        """Ends it once no upload is warming a worker up, which would start one that nobody ends."""
        for thread in threading.enumerate():
            if "_warm" in thread.name:
                thread.join(START_SECONDS)
        if not self._closed:
            self._closed = True
            self.assistant.close()

    def client(self, token: str = "", *, machine: tuple[str, int] = HERE, base: str = LOCALHOST) -> Client:
        """A client of the person with this token; without one, of the person at this machine."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return Client(self.app, base, headers, machine)


Serve = Callable[..., Served]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Opens an assistant with these settings and serves it; a second call restarts it on the same home."""
    opened: list[Served] = []

    def make(**settings: Any) -> Served:
        if opened:
            opened.pop().close()
        opened.append(Served(tmp_path / "home", **settings))
        return opened[-1]

    yield make
    for served in opened:
        served.close()


@pytest.fixture
def client(serve: Serve) -> Client:
    """The person at this machine."""
    return serve().client()


def two_people(serve: Serve) -> tuple[Client, Client]:
    """Ann and Bob, each with a token."""
    served = serve(api_tokens=SecretStr("ann:ann-token,bob:bob-token"))
    return served.client("ann-token"), served.client("bob-token")


def upload(client: Client, **form: str) -> dict[str, Any]:
    """The sample in a chat."""
    with SAMPLE.open("rb") as source:
        answer = client.post("datasets", files={"file": (SAMPLE.name, source)}, data=form)
    assert answer.status_code == 201, answer.text
    uploaded: dict[str, Any] = answer.json()
    return uploaded


def ask(client: Client, question: str, chat_id: str | None = None, **more: Any) -> dict[str, Any]:
    """An answered question."""
    answer = client.post("ask", json={"question": question, "chat_id": chat_id} | more)
    assert answer.status_code == 200, answer.text
    answered: dict[str, Any] = answer.json()
    return answered


def problem(answer: Any, status: int) -> dict[str, Any]:
    """The error of an answer, checked to have the one shape."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert list(body) == ["error"]
    error: dict[str, Any] = body["error"]
    assert list(error) == ["kind", "message", "action", "details"]
    assert error["message"] and all(set(detail) == {"where", "message"} for detail in error["details"])
    return error


@pytest.fixture
def listen() -> Iterator[Callable[[Served], str]]:
    """Serves on a real port of this machine; returns the API's address."""
    servers: list[tuple[uvicorn.Server, threading.Thread]] = []

    def run(served: Served) -> str:
        server = uvicorn.Server(
            uvicorn.Config(
                served.app, host="127.0.0.1", port=0, lifespan="off", log_level="warning", ws="none"
            )
        )
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        servers.append((server, thread))
        deadline = time.monotonic() + START_SECONDS
        while not server.started:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}/api/"

    yield run
    for server, thread in servers:
        server.should_exit = True
        thread.join(START_SECONDS)

"""The API on the server that `streamlit run app.py` starts, beside the page."""

import signal
import time
from collections.abc import Callable

import httpx
import pytest

from tests.api.conftest import gemini
from tests.api.test_asking import events, put_together
from tests.browser.conftest import Server, serve
from tests.conftest import SAMPLE
from tests.servers.gemini import GeminiServer, Slow, text

__all__ = ["gemini", "serve"]
pytestmark = pytest.mark.slow


def test_page_and_api_share_one_server(serve: Callable[..., Server]) -> None:
    server = serve()
    address = f"{server.url}/api/"
    client = httpx.Client(base_url=address, timeout=60)
    assert client.get("health/live").json() == {"status": "ok"}
    assert "<title>Streamlit</title>" in httpx.get(server.url).text
    with SAMPLE.open("rb") as source:
        chat = client.post("datasets", files={"file": source}).json()["chat_id"]
    told = list(events(address, question="total revenue by region", chat_id=chat))
    assert told[-1][1] == "done" and "South" in "".join(put_together(told).values())
    assert client.get("openapi.json").json()["servers"] == [{"url": "/api"}]
    assert "/api/docs/start.js" in client.get("docs").text
    assert client.get("nowhere").json()["error"]["kind"] == "not_found"
    assert client.get("health").json()["status"] == "ok"
    assert client.get("chats", headers={"Host": "evil.example"}).status_code == 403
    refused = httpx.post(f"{address}chats", headers={"Origin": "https://evil.example"})
    assert refused.json()["error"]["kind"] == "forbidden"
    client.close()


def test_a_server_beyond_localhost_needs_a_token(serve: Callable[..., Server]) -> None:
    server = serve(STREAMLIT_SERVER_ADDRESS="127.0.0.1", API_TOKEN="right-token")
    address = f"http://127.0.0.1:{server.port}/api/chats"
    assert httpx.get(address).status_code == 401
    assert httpx.get(address, headers={"Authorization": "Bearer right-token"}).status_code == 200
    assert "right-token" not in server.log.read_text()
    wide = serve(STREAMLIT_SERVER_ADDRESS="0.0.0.0")
    answer = httpx.get(f"{wide.url}/api/chats")
    assert answer.status_code == 401 and "API_TOKEN" in answer.json()["error"]["action"]


def test_a_server_that_is_stopped_tells_who_waits(
    serve: Callable[..., Server], gemini: Callable[..., GeminiServer]
) -> None:
    model = gemini(Slow([[text("One, ")], [text("two.")]], pause=0.1, silence=60))
    server = serve(GOOGLE_API_KEY="test-key", GOOGLE_GEMINI_BASE_URL=model.url)
    following = events(f"{server.url}/api/", question="count")
    assert [next(following)[1], next(following)[1]] == ["turn", "text"]
    assert server.process is not None
    began = time.monotonic()
    server.process.terminate()
    assert list(following)[-1][2]["error"]["kind"] == "interrupted"
    assert server.process.wait(timeout=20) in (0, -signal.SIGTERM)
    assert time.monotonic() - began < 15

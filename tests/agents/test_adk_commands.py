"""`adk run` and `adk api_server` on agents/, with the sessions of the page."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.agents.conftest import Open, ask, with_sample
from tests.conftest import ROOT

ADK = [str(Path(sys.executable).with_name("adk"))]
URI = "--session_service_uri=assistant://"
pytestmark = pytest.mark.slow


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "ASSISTANT_HOME": str(home)}


def test_adk_run_talks_and_stores_in_our_database(tmp_path: Path) -> None:
    home = tmp_path / "cli"
    done = subprocess.run(
        [*ADK, "run", URI, "agents"],
        input="hello\nexit\n",
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(home),
        timeout=60,
    )
    assert "[direct_agent]: There is no data in this conversation yet." in done.stdout, done.stderr
    assert (home / "assistant.sqlite3").exists()


def test_adk_serves_the_conversations_of_the_page(assistant: Open, tmp_path: Path) -> None:
    made = assistant()
    key = with_sample(made)
    ask(made, key, "total revenue by region")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [*ADK, "api_server", URI, "--port", str(port), "agents"],
        cwd=ROOT,
        env=environment(tmp_path / "home"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        path = f"/apps/agents/users/ann/sessions/{key.session_id}"
        before = fetch(port, path)
        assert any("total revenue by region" in json.dumps(event) for event in before["events"])
        message = {"role": "user", "parts": [{"text": "and by channel?"}]}
        body = {"appName": "agents", "userId": "ann", "sessionId": key.session_id, "newMessage": message}
        events = fetch(port, "/run", body)
        assert "Web" in json.dumps(events[-1])
    finally:
        server.terminate()
        server.wait(timeout=20)


def fetch(port: int, path: str, body: dict[str, Any] | None = None) -> Any:
    """JSON of a request, waiting for the server to come up."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", data, {"content-type": "application/json"}
    )
    deadline = time.monotonic() + 40
    while True:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError:
            raise
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.2)

"""A small client of the tus protocol, and a server of its own process to kill."""

import base64
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from tests.api.conftest import START_SECONDS, Client
from tests.conftest import ROOT

VERSION = {"Tus-Resumable": "1.0.0"}
PIECE = "application/offset+octet-stream"
READ_SECONDS = 60.0


def metadata(**values: str) -> str:
    """The header Upload-Metadata."""
    return ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in values.items())


def create(client: Any, name: str, size: int, content: bytes | None = None, **more: str) -> httpx.Response:
    """Announces a file, with its first piece if there is one."""
    headers = VERSION | {"Upload-Length": str(size), "Upload-Metadata": metadata(filename=name, **more)}
    headers |= {} if content is None else {"Content-Type": PIECE}
    answer: httpx.Response = client.post("uploads", headers=headers, content=content)
    return answer


def patch(client: Any, place: str, offset: int, content: bytes, **headers: str) -> httpx.Response:
    """Sends a piece."""
    given = VERSION | {"Upload-Offset": str(offset), "Content-Type": PIECE} | headers
    answer: httpx.Response = client.patch(place, headers=given, content=content)
    return answer


def head(client: Any, place: str, **headers: str) -> httpx.Response:
    """Asks how far a file is."""
    answer: httpx.Response = client.request("HEAD", place, headers=VERSION | headers)
    return answer


def finished(client: Client | httpx.Client, place: str, *states: str) -> dict[str, Any]:
    """What became of a file, once it is in one of these states."""
    deadline = time.monotonic() + READ_SECONDS
    while True:
        found: dict[str, Any] = client.get(f"{place}/status").json()
        if found["state"] in (states or ("done", "failed", "asking")):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


SCRIPT = """
import socket, sys
from pathlib import Path
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from agents.assistant import start
from agents.settings import Settings
from api.app import create_api

settings = Settings(home=Path(sys.argv[1]), api_requests_per_minute=100_000)
assistant = start(settings)
api = create_api(lambda: assistant, lambda: settings, local=True)
app = Starlette(routes=[Mount("/api", app=api)])
uvicorn.run(app, fd=int(sys.argv[2]), log_level="warning", lifespan="off", ws="none")
"""


class Killable:
    """The API on a real port in a process of its own."""

    def __init__(self, home: Path, listening: Any) -> None:
        self._command = [sys.executable, "-c", SCRIPT, str(home), str(listening.fileno())]
        self._listening = listening
        self.port = listening.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None
        self._client = httpx.Client()

    def start(self) -> httpx.Client:
        """Starts it; returns a client of it."""
        self.process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            env=dict(os.environ),
            pass_fds=[self._listening.fileno()],
            start_new_session=True,
        )
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}/api/", timeout=START_SECONDS)
        return self._client

    def kill(self) -> None:
        """kill -9: no chance to save anything."""
        self._client.close()
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

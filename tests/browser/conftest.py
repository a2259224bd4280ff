"""A real server process and a real Chromium for the tests of the page."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.servers.gemini import GeminiServer, Scripted

ROOT = Path(__file__).parents[2]
START_SECONDS = 120
CHROMIUM_NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
MAC_CHROMES = [
    Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
    Path("/Applications/Chromium.app/Contents/MacOS/Chromium"),
]
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# Several tests and what they start share two cores.
expect.set_options(timeout=60_000)


def chromium_path() -> str | None:
    """The system's Chromium; None leaves the choice to Playwright's own."""
    named = [os.environ.get("CHROMIUM", "")] + [shutil.which(n) or "" for n in CHROMIUM_NAMES]
    named += [str(path) for path in MAC_CHROMES if path.exists()]
    return next((path for path in named if path), None)


class Server:
    """`streamlit run app.py` on a free port, with a home of its own; can be killed and restarted."""

    def __init__(self, home: Path, environment: dict[str, str]) -> None:
        self.home = home
        self.environment = environment
        with socket.socket() as probe:
            probe.bind(("localhost", 0))
            self.port = probe.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None
        self.log = home.with_suffix(".log")

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def start(self) -> None:
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("GOOGLE_", "GEMINI_", "MODEL", "ASSISTANT_", "OPENAI_"))
        }
        environment |= {"ASSISTANT_HOME": str(self.home)} | self.environment
        command = [sys.executable, "-m", "streamlit", "run", "app.py"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--server.port", str(self.port)],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()
            try:
                with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                time.sleep(0.1)
        raise AssertionError(f"no answer in {START_SECONDS} s:\n{self.log.read_text()}")

    def kill(self) -> None:
        """kill -9: no chance to save anything."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers with the environment given; all are stopped at the end."""
    servers: list[Server] = []

    def start(**environment: str) -> Server:
        server = Server(tmp_path / f"home{len(servers)}", environment)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def gemini() -> Iterator[Callable[..., GeminiServer]]:
    """Makes models that answer from a script; all are closed at the end."""
    servers: list[GeminiServer] = []

    def make(*script: Scripted) -> GeminiServer:
        servers.append(GeminiServer(*script))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


def with_key(model: GeminiServer) -> dict[str, str]:
    """The environment in which a server asks this model."""
    return {"GOOGLE_API_KEY": "test-key", "GOOGLE_GEMINI_BASE_URL": model.url}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1360, "height": 900}, locale="en-US")
    page = context.new_page()
    yield page
    context.close()

"""A whole assistant on a temporary home, with the sample in a conversation, on the model a test scripts."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from agents.assistant import Assistant, start
from agents.settings import Settings
from storage.keys import SessionKey
from storage.turns import TurnRecord
from tests.conftest import SAMPLE
from tests.servers.gemini import GeminiServer, Scripted

Open = Callable[..., Assistant]
TURN_SECONDS = 60


@pytest.fixture
def assistant(tmp_path: Path) -> Iterator[Open]:
    """Opens the process's assistant with these settings; a second call restarts it on the same home."""
    opened: list[Assistant] = []

    def make(**settings: object) -> Assistant:
        if opened:
            opened.pop().close()
        made = start(Settings.model_validate({"home": tmp_path / "home"} | settings))
        opened.append(made)
        return made

    yield make
    for made in opened:
        made.close()


@pytest.fixture
def gemini() -> Iterator[Callable[..., GeminiServer]]:
    """Starts loopback Gemini servers with a script."""
    servers: list[GeminiServer] = []

    def make(*script: Scripted) -> GeminiServer:
        servers.append(GeminiServer(*script))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


def with_gemini(server: GeminiServer) -> dict[str, object]:
    """Settings that point to a loopback server."""
    return {"google_api_key": SecretStr("test-key-do-not-log"), "gemini_base_url": server.url}


def with_sample(made: Assistant, user: str = "ann") -> SessionKey:
    """A new conversation that has the sample."""
    key = made.new_session(user)
    with SAMPLE.open("rb") as source:
        made.upload(key, SAMPLE.name, source)
    return key


def ask(made: Assistant, key: SessionKey, question: str) -> TurnRecord:
    """Asks and waits for the end; returns what is stored then."""
    running = made.turns.start(key, question)
    while not running.done:
        assert running.wait(running.version, TURN_SECONDS), "the turn never ended"
    stored = made.store.turns.get(running.record.key.user_id, running.record.id)
    assert stored is not None
    return stored


def said(record: TurnRecord) -> str:
    """All text of a turn."""
    return "\n".join(part["text"] for part in record.parts if part["kind"] == "text")


def result_ids(record: TurnRecord) -> list[str]:
    """Ids of a turn's results."""
    return [part["id"] for part in record.parts if part["kind"] == "result"]

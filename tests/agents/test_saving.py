"""A running turn is stored beside the stream: soon, whole, and never after its end."""

import asyncio
import logging
import time
from collections.abc import Callable

import pytest

from agents.saving import SAVE_SECONDS, Saver
from storage.errors import StoreUnavailable
from storage.keys import SessionKey
from storage.turns import TurnRecord
from tests.agents.conftest import Open, said, with_gemini, with_sample
from tests.servers.gemini import GeminiServer, Slow, text

SOON = 1.0


def test_the_text_of_a_silent_slow_model_is_stored_within_a_second(
    assistant: Open, gemini: Callable[..., GeminiServer]
) -> None:
    words = ["One. ", "Two. ", "Three. ", "Four."]
    made = assistant(**with_gemini(gemini(Slow([[text(word)] for word in words], 0.1, silence=20))))
    running = made.turns.start(with_sample(made), "take your time")
    while "Three." not in said(running.record):
        assert running.wait(running.version, 20)
    seen = time.monotonic()
    while (
        stored := made.store.turns.get(running.record.key.user_id, running.record.id)
    ) is None or "Three." not in said(stored):
        assert time.monotonic() - seen < SOON
        time.sleep(0.02)
    assert stored.status == "running" and "Four." not in said(stored)
    made.turns.stop(running.record.key)
    while not running.done:
        assert running.wait(running.version, 20)
    stored = made.store.turns.get(running.record.key.user_id, running.record.id)
    assert stored is not None and stored.status == "stopped"
    assert said(stored) == "One. Two. Three. "


class Saved:
    """What was stored and when; storing takes `seconds`."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.texts: list[str] = []
        self.seconds = seconds

    def __call__(self, record: TurnRecord) -> None:
        time.sleep(self.seconds)
        self.texts.append(record.parts[0]["text"])


@pytest.fixture
def record() -> TurnRecord:
    parts = [{"kind": "text", "text": ""}]
    return TurnRecord("t", SessionKey("a", "u", "s"), "q", "direct", "m", parts=parts)


async def test_the_first_text_is_stored_at_once_and_the_next_in_half_a_second(record: TurnRecord) -> None:
    saved = Saved()
    saver = Saver(record, saved)
    for word in ("one", "two", "three"):
        record.parts[0]["text"] = word
        saver.changed(urgent=False)
        await asyncio.sleep(0.1)
    assert saved.texts == ["one"]
    await asyncio.sleep(SAVE_SECONDS)
    assert saved.texts == ["one", "three"]
    await saver.close()


async def test_a_step_is_stored_at_once(record: TurnRecord) -> None:
    saved = Saved()
    saver = Saver(record, saved)
    for word in ("one", "two"):
        record.parts[0]["text"] = word
        saver.changed(urgent=True)
        await asyncio.sleep(0.1)
    assert saved.texts == ["one", "two"]
    await saver.close()


async def test_a_slow_store_holds_nothing_up_and_stores_nothing_after_the_end(record: TurnRecord) -> None:
    saved = Saved(0.3)
    saver = Saver(record, saved)
    record.parts[0]["text"] = "one"
    saver.changed(urgent=True)
    await asyncio.sleep(0.05)
    record.parts[0]["text"] = "two"
    begun = time.monotonic()
    saver.changed(urgent=True)
    assert time.monotonic() - begun < 0.1
    await saver.close()
    assert saved.texts == ["one"], "what was stored is what there was when storing began"
    await asyncio.sleep(0.5)
    assert saved.texts == ["one"]


async def test_a_store_that_fails_once_does_not_end_the_saving(
    record: TurnRecord, caplog: pytest.LogCaptureFixture
) -> None:
    tries = list[str]()

    def save(record: TurnRecord) -> None:
        tries.append(record.parts[0]["text"])
        if len(tries) == 1:
            raise StoreUnavailable("The disk is full.")

    saver = Saver(record, save)
    for word in ("one", "two"):
        record.parts[0]["text"] = word
        with caplog.at_level(logging.WARNING):
            saver.changed(urgent=True)
            await asyncio.sleep(0.1)
    await saver.close()
    assert tries == ["one", "two"] and "The disk is full." in caplog.text

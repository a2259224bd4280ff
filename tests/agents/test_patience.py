"""What is waited out without a word, and what is told at once."""

import time
from collections.abc import Callable

import pytest

from tests.agents.conftest import Open, ask, said, with_gemini, with_sample
from tests.servers.gemini import DAY, Fault, GeminiServer, text, too_many

Serve = Callable[..., GeminiServer]


@pytest.mark.parametrize(("delay", "at_least"), [("0.4s", 0.4), ("0s", 0.0), ("", 1.0)])
def test_a_short_429_is_waited_out(assistant: Open, gemini: Serve, delay: str, at_least: float) -> None:
    server = gemini(too_many(delay), [[text("Fine now.")]])
    made = assistant(**with_gemini(server))
    key = with_sample(made)
    begun = time.monotonic()
    record = ask(made, key, "total revenue")
    assert time.monotonic() - begun >= at_least
    assert (record.status, record.error, said(record)) == ("completed", None, "Fine now.")
    assert len(server.requests) == 2
    assert server.requests[0]["contents"] == server.requests[1]["contents"]


def test_a_429_that_stays_is_told_after_three_tries(assistant: Open, gemini: Serve) -> None:
    server = gemini(too_many("0.1s"))
    made = assistant(**with_gemini(server))
    record = ask(made, with_sample(made), "total revenue")
    assert record.status == "failed" and record.error is not None and record.error["kind"] == "quota"
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (too_many("37s"), "Retry in 37 seconds."),
        (too_many("34.07s"), "Retry in 35 seconds."),
        (too_many("2s", DAY), "The quota of the day is used up: go on tomorrow, or use another key."),
    ],
)
def test_a_long_429_is_told_at_once(assistant: Open, gemini: Serve, fault: Fault, words: str) -> None:
    server = gemini(fault)
    made = assistant(**with_gemini(server))
    record = ask(made, with_sample(made), "total revenue")
    assert record.status == "failed" and record.error is not None
    assert (record.error["kind"], record.error["action"]) == ("quota", words)
    assert len(server.requests) == 1


def test_a_stop_ends_the_waiting(assistant: Open, gemini: Serve) -> None:
    server = gemini(too_many("8s"), [[text("Too late.")]])
    made = assistant(**with_gemini(server))
    running = made.turns.start(with_sample(made), "total revenue")
    deadline = time.monotonic() + 20
    while not server.requests:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    begun = time.monotonic()
    made.turns.stop(running.record.key)
    while not running.done:
        assert running.wait(running.version, 20)
    assert time.monotonic() - begun < 3
    assert running.record.status == "stopped" and len(server.requests) == 1

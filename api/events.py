"""A running turn as server-sent events: what is new since the last look."""

import json
from typing import Any

from api.schemas import Turn
from storage.turns import TurnRecord

PING = b": ping\n\n"
FAILED = ("failed", "interrupted")
Event = tuple[str, dict[str, Any]]


class Follower:
    """Remembers what was told. `part` is a place in the turn's parts, where the event's content belongs."""

    def __init__(self) -> None:
        self._told: list[dict[str, Any]] = []
        self._begun = False

    def news(self, record: TurnRecord, *, ended: bool) -> list[Event]:
        """Events since the last call; of a turn that `ended`, the last is `done` or `error`.

        The texts of a part, put together, are the part's text; one that `replaces` begins it anew.
        """
        turn = Turn.of(record)
        found: list[Event] = [] if self._begun else [("turn", _whole(record, turn))]
        self._begun = True
        parts = [part.model_dump() for part in turn.parts]
        for place, part in enumerate(parts):
            before = self._told[place] if place < len(self._told) else None
            if part != before:
                found += _change(place, part, before)
        self._told = parts
        if ended:
            found.append(("error" if turn.status in FAILED else "done", _whole(record, turn)))
        return found


def event(number: int, name: str, data: dict[str, Any]) -> bytes:
    """One event as bytes."""
    return f"id: {number}\nevent: {name}\ndata: {json.dumps(data)}\n\n".encode()


def _change(place: int, part: dict[str, Any], before: dict[str, Any] | None) -> list[Event]:
    if part["kind"] == "text":
        told = before["text"] if before else ""
        replaces = not part["text"].startswith(told)
        text = part["text"] if replaces else part["text"][len(told) :]
        return [("text", {"part": place, "text": text, "replaces": replaces})] if text or replaces else []
    return [("result" if part["kind"] == "result" else "step", {"part": place} | part)]


def _whole(record: TurnRecord, turn: Turn) -> dict[str, Any]:
    error = turn.error.model_dump() | {"details": []} if turn.error else None
    if turn.status == "interrupted":
        message = "The server stopped while this was being answered. What was found so far is kept."
        error = {"kind": "interrupted", "message": message, "action": "Ask again.", "details": []}
    whole = {"chat_id": record.key.session_id, "turn": turn.model_dump(mode="json")}
    return whole | ({"error": error} if error else {})

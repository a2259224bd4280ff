"""Parsed events kept in the process, because parsing is what reading a session costs.

Reading 10,000 events takes SQLite 28 ms and pydantic about a second; so a session's events are parsed
once and a later read fetches only rows beyond the last one known. Bounded by the size of the JSON.
"""

import gc
import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from google.adk.events.event import Event
from pydantic import ValidationError

logger = logging.getLogger(__name__)
LIMIT_BYTES = 256 * 1024 * 1024
BULK = 200


@dataclass
class CachedEvents:
    """A session's events up to and including row `sequence`."""

    sequence: int = 0
    size: int = 0
    events: list[Event] = field(default_factory=list)


class EventCache:
    """Least recently used sessions leave first."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit = limit_bytes
        self._lock = threading.Lock()
        self._sessions: OrderedDict[int, CachedEvents] = OrderedDict()

    def get(self, session: int) -> CachedEvents:
        """What is known of a session; never changed after it was handed out."""
        with self._lock:
            known = self._sessions.get(session)
            if known is None:
                return CachedEvents()
            self._sessions.move_to_end(session)
            return known

    def extend(self, session: int, known: CachedEvents, rows: Sequence[tuple[int, str]]) -> list[Event]:
        """Parses `rows` (sequence, JSON), adds them to `known`; returns all events, a new list."""
        events = known.events + parse([data for _, data in rows])
        if rows:
            size = known.size + sum(len(data) for _, data in rows)
            self._put(session, CachedEvents(rows[-1][0], size, events))
        return list(events)

    def forget(self, session: int) -> None:
        """Drops a session that was deleted."""
        with self._lock:
            self._sessions.pop(session, None)

    def _put(self, session: int, entry: CachedEvents) -> None:
        with self._lock:
            self._sessions[session] = entry
            self._sessions.move_to_end(session)
            total = sum(other.size for other in self._sessions.values())
            while total > self._limit and len(self._sessions) > 1:
                total -= self._sessions.popitem(last=False)[1].size


def parse(rows: Sequence[str]) -> list[Event]:
    """Events from JSON; one that this ADK version cannot read is skipped with a log line.

    The row stays stored, so that a newer version reads it again. The garbage collector pauses for a
    bulk parse: it makes a third of the time.
    """
    pause = len(rows) > BULK and gc.isenabled()
    if pause:
        gc.disable()
    try:
        return [event for row in rows if (event := _parse_one(row)) is not None]
    finally:
        if pause:
            gc.enable()


def _parse_one(row: str) -> Event | None:
    try:
        return Event.model_validate_json(row)
    except ValidationError as error:
        logger.warning("An event cannot be read by this version of google-adk, kept: %s", error)
        return None

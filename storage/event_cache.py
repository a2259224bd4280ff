"""Parsed events kept in the process, because parsing is what reading a session costs.

Reading 10,000 events takes SQLite 28 ms and pydantic about a second; so a session's events are parsed
once and a later read fetches only rows from the last one known on. That row has to be what it was: after a
restore, by whichever process, the events are read anew.
"""

import functools
import gc
import json
import logging
import operator
import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from google.adk.events.event import Event
from google.genai import types
from pydantic import ValidationError

logger = logging.getLogger(__name__)
# google-genai leaves the validator of a part to the first use; so it is not the first reader who waits.
types.Part.model_rebuild()
LIMIT_BYTES = 256 * 1024 * 1024
# Measured on messages of some hundred characters.
MEMORY_PER_JSON_BYTE = 7
BULK = 200
UNREAD_FIELDS = "assistant:unread_fields"
# A session's row key and the moment it was made: a database may use the key of a deleted session again.
CacheKey = tuple[int, float]
Rows = Sequence[tuple[int, str]]


@dataclass(frozen=True)
class CachedEvents:
    """A session's events from row `since` on, up to the last of `sequences`; never changed once made."""

    since: int = 0
    last: tuple[int, str] = (0, "")
    """The last row seen, readable or not."""
    size: int = 0
    """Bytes of memory, about."""
    sequences: list[int] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def beyond(self, rows: Rows) -> "CachedEvents":
        """With newer rows."""
        if not rows:
            return self
        parsed = parse(rows)
        return CachedEvents(
            self.since,
            (rows[-1][0], rows[-1][1]),
            self.size + MEMORY_PER_JSON_BYTE * sum(len(row[1]) for row in rows),
            self.sequences + [sequence for sequence, _ in parsed],
            self.events + [event for _, event in parsed],
        )

    def from_row(self, sequence: int) -> list[tuple[int, Event]]:
        """Rows from `sequence` on."""
        place = bisect_left(self.sequences, sequence)
        return list(zip(self.sequences[place:], self.events[place:], strict=True))


class EventCache:
    """Least recently used sessions leave first."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit = limit_bytes
        self._size = 0
        self._lock = threading.Lock()
        self._sessions: OrderedDict[CacheKey, CachedEvents] = OrderedDict()

    def read(self, key: CacheKey, since: int, fetch: Callable[[int], Rows]) -> CachedEvents:
        """Events from row `since` on (0: all); `fetch(sequence)` reads the rows from one on."""
        known = self._get(key)
        if known is not None and known.since <= since:
            rows = fetch(known.last[0])
            if rows and (rows[0][0], rows[0][1]) == known.last:
                newer = known.beyond(rows[1:])
                if newer is not known:
                    self._put(key, newer)
                return newer
        fresh = CachedEvents(since).beyond(fetch(since))
        self._put(key, fresh)
        return fresh

    def has_all(self, key: CacheKey) -> bool:
        """Whether the session is known from its first event on."""
        known = self._get(key)
        return known is not None and known.since == 0

    def forget(self, key: CacheKey) -> None:
        """Drops a session that was deleted."""
        with self._lock:
            dropped = self._sessions.pop(key, None)
            self._size -= dropped.size if dropped else 0

    def _get(self, key: CacheKey) -> CachedEvents | None:
        with self._lock:
            known = self._sessions.get(key)
            if known is not None:
                self._sessions.move_to_end(key)
            return known

    def _put(self, key: CacheKey, entry: CachedEvents) -> None:
        with self._lock:
            replaced = self._sessions.pop(key, None)
            self._size -= replaced.size if replaced else 0
            if not entry.events:
                return
            self._size += entry.size
            self._sessions[key] = entry
            while self._size > self._limit and len(self._sessions) > 1:
                self._size -= self._sessions.popitem(last=False)[1].size


def parse(rows: Rows) -> list[tuple[int, Event]]:
    """Events from JSON; one that this ADK version cannot read even in part is skipped with a log line.

    The row stays stored, so that a newer version reads it again. Fields of a newer version are named in the
    event's `custom_metadata`. The garbage collector pauses for a
    bulk parse: it makes a third of the time.
    """
    pause = len(rows) > BULK and gc.isenabled()
    if pause:
        gc.disable()
    try:
        return [(row[0], event) for row in rows if (event := parse_event(row[1])) is not None]
    finally:
        if pause:
            gc.enable()


def parse_event(data: str) -> Event | None:
    """One event; None when this ADK version cannot read it even in part."""
    try:
        return Event.model_validate_json(data)
    except ValidationError as error:
        return _parse_known(data, error)


def _parse_known(data: str, error: ValidationError) -> Event | None:
    """An event of a newer ADK without the fields that this one does not have; the row keeps them."""
    unknown = [problem["loc"] for problem in error.errors() if problem["type"] == "extra_forbidden"]
    try:
        record = json.loads(data)
        for *path, name in unknown:
            del functools.reduce(operator.getitem, path, record)[name]
        event = Event.model_validate(record)
    except (ValueError, LookupError, TypeError):
        logger.warning("An event cannot be read by this version of google-adk; it is kept: %s", error)
        return None
    names = sorted(".".join(map(str, place)) for place in unknown)
    logger.warning("An event of a newer google-adk is read without %s, which is kept.", ", ".join(names))
    event.custom_metadata = {**(event.custom_metadata or {}), UNREAD_FIELDS: names}
    return event

"""How much one person may ask for: requests in a minute, and bytes in a body."""

import math
import time
from collections.abc import Callable

from starlette.types import Message, Receive

from api.errors import Refused

MOST_BUCKETS = 10_000


class Limiter:
    """A bucket of tokens for each person; used from the server's event loop only."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = float(per_minute)
        self._rate = per_minute / 60
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, who: str) -> int:
        """0 when the request may pass, else whole seconds until the next may."""
        now = self._clock()
        if len(self._buckets) >= MOST_BUCKETS:
            self._forget_full(now)
        left = self._left(who, now)
        passes = left >= 1
        self._buckets[who] = (left - 1 if passes else left, now)
        return 0 if passes else max(1, math.ceil((1 - left) / self._rate))

    def _left(self, who: str, now: float) -> float:
        left, then = self._buckets.get(who, (self._size, now))
        return min(self._size, left + (now - then) * self._rate)

    def _forget_full(self, now: float) -> None:
        for who in [who for who in self._buckets if self._left(who, now) >= self._size]:
            del self._buckets[who]


def bounded(receive: Receive, most_bytes: int) -> Receive:
    """`receive` that raises Refused (413) once a body is larger."""
    size = 0

    async def counted() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > most_bytes:
            raise too_large(most_bytes)
        return message

    return counted


def too_large(most_bytes: int) -> Refused:
    """What is said of a body beyond the limit."""
    return Refused(413, f"The body is larger than {most_bytes:,} bytes.")

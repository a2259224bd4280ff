"""What code prints: both streams in one order, bounded while it is written, plain text at the end.

The streams stay the same objects for the life of a notebook, because handlers of `logging` and the like
keep them; only what they collected is taken at the end of a run.
"""

import io
import re
import sys
from collections import deque
from typing import Any

KEPT_CHARACTERS = 100_000
HALF = KEPT_CHARACTERS // 2
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)?|[@-Z\\-_])")
OVERWRITTEN = re.compile(r"[^\n\r]*\r+(?![\n\r])")
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """Text without terminal commands, and with only the last state of a line that was written over."""
    text = ESCAPES.sub("", text).replace("\r\n", "\n")
    if "\r" in text:
        text = OVERWRITTEN.sub("", text)
    text = CONTROLS.sub("", text)
    return text.encode("utf-8", "replace").decode("utf-8")


class Printed:
    """The first and the last part of what was written, and how much there was between them."""

    def __init__(self) -> None:
        self._head: list[str] = []
        self._tail: deque[str] = deque()
        self._head_size = self._tail_size = self._dropped = 0
        self.stream = Stream(self)

    def add(self, text: str) -> None:
        """Keeps `text`, or its ends; memory stays bounded."""
        if self._head_size < HALF:
            part = text[: HALF - self._head_size]
            self._head.append(part)
            self._head_size += len(part)
            text = text[len(part) :]
        if not text:
            return
        if len(text) > HALF:
            self._dropped += len(text) - HALF
            text = text[-HALF:]
        self._tail.append(text)
        self._tail_size += len(text)
        while self._tail_size - len(self._tail[0]) >= HALF:
            gone = self._tail.popleft()
            self._tail_size -= len(gone)
            self._dropped += len(gone)
        if len(self._tail) > HALF // 8:
            self._tail = deque(["".join(self._tail)])

    def take(self) -> str:
        """Everything kept since the last call, as plain text."""
        self.stream.buffer.flush()
        head, tail = "".join(self._head), "".join(self._tail)
        dropped = self._dropped + max(0, len(tail) - HALF)
        self._head, self._tail = [], deque()
        self._head_size = self._tail_size = self._dropped = 0
        if not dropped:
            return plain(head + tail)
        return f"{plain(head)}\n[{dropped:,} more characters]\n{plain(tail[-HALF:])}"


class Stream(io.TextIOBase):
    """A text stream into a `Printed`, with a `buffer` for bytes; it cannot be closed."""

    def __init__(self, printed: Printed) -> None:
        self._printed = printed
        self.buffer = Bytes(printed)

    encoding = "utf-8"
    errors = "replace"
    name = "<printed>"
    mode = "w"

    def write(self, text: str, /) -> int:
        """Keeps `text`."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._printed.add(text)
        return len(text)

    def writable(self) -> bool:
        """Always."""
        return True

    def isatty(self) -> bool:
        """Never: programs leave out colours then."""
        return False

    def close(self) -> None:
        """Nothing: the next print must not fail."""

    def reconfigure(self, **_options: Any) -> None:
        """Nothing: the text is UTF-8."""


class Bytes(io.RawIOBase):
    """The stream under the text stream; bytes that are not UTF-8 become question marks."""

    def __init__(self, printed: Printed) -> None:
        self._printed = printed

    def write(self, data: Any, /) -> int:
        """Keeps `data` as text."""
        raw = bytes(data)
        self._printed.add(raw.decode("utf-8", "replace"))
        return len(raw)

    def writable(self) -> bool:
        """Always."""
        return True

    def close(self) -> None:
        """Nothing, as above."""


class redirected:
    """Sends everything that Python code can print to one `Printed` while it lasts."""

    NAMES = ("stdout", "stderr", "__stdout__", "__stderr__")

    def __init__(self, printed: Printed) -> None:
        self._printed = printed
        self._before: dict[str, Any] = {}

    def __enter__(self) -> None:
        self._before = {name: getattr(sys, name) for name in self.NAMES}
        for name in self.NAMES:
            setattr(sys, name, self._printed.stream)

    def __exit__(self, *_error: object) -> None:
        for name, stream in self._before.items():
            setattr(sys, name, stream)

"""The encoding of a text file, by fixed rules: statistical guessers call Western files Central European.

Byte order mark, then the pattern of zeros in UTF-16, then strict UTF-8, then Windows-1252.
"""

import codecs
import re
from collections.abc import Callable
from pathlib import Path

from sandbox.errors import Unreadable

PIECE = 1 << 20
HEAD_BYTES = 512 * 1024
EMPTY = "The file is empty. Upload one with a header and at least one row."
NO_TEXT = "This is no text file, and no table of another kind that is known. Export the table as CSV."
UTF8 = ("utf-8", "utf-8-sig")
BROKEN_UTF8 = 20
"""A file with so many times more valid characters of several bytes than invalid bytes is UTF-8, damaged."""
MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
HIGH = bytes(range(0x80, 0x100))
UNDEFINED_IN_1252 = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")


def detect(head: bytes) -> str:
    """utf-8, utf-8-sig, utf-16, utf-16-le, utf-16-be or utf-32 by the first bytes.

    utf-8 is only supposed here; see `beyond_utf8`. Raises Unreadable for an empty or binary file.
    """
    if not head.strip(b"\x00 \t\r\n\xef\xbb\xbf\xff\xfe"):
        raise Unreadable(EMPTY)
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    zeros_even, zeros_odd = head[0::2].count(0), head[1::2].count(0)
    half = max(len(head) // 2, 1)
    if zeros_odd > 0.4 * half and zeros_even < 0.1 * half:
        return "utf-16-le"
    if zeros_even > 0.4 * half and zeros_odd < 0.1 * half:
        return "utf-16-be"
    control = sum(head.count(bytes([code])) for code in range(1, 32) if code not in (9, 10, 12, 13))
    if head.count(0) > 0.05 * len(head) or control > 0.02 * len(head):
        raise Unreadable(NO_TEXT)
    return "utf-8"


def beyond_utf8(path: Path) -> str:
    """utf-8, cp1252 or latin-1, by all bytes of a file that has no mark of its encoding."""
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    with path.open("rb") as file:
        try:
            while piece := file.read(PIECE):
                decoder.decode(piece)
            decoder.decode(b"", final=True)
            return "utf-8"
        except UnicodeDecodeError:
            pass
        valid = invalid = 0
        undefined = False
        file.seek(0)
        while piece := file.read(PIECE):
            high = len(piece) - len(piece.translate(None, HIGH))
            found = MULTIBYTE.findall(piece)
            valid += len(found)
            invalid += high - sum(map(len, found))
            undefined = undefined or UNDEFINED_IN_1252.search(piece) is not None
    if valid > BROKEN_UTF8 * invalid:
        return "utf-8"
    return "latin-1" if undefined else "cp1252"


def check(encoding: str) -> str:
    """The encoding as Python calls it. Raises Unreadable for what is no encoding of text."""
    try:
        found = codecs.lookup(encoding)
        "a".encode(encoding)
        return found.name
    except (LookupError, UnicodeError, TypeError, AttributeError, ValueError):
        raise Unreadable(f"There is no encoding called {encoding!r}. Choose one from the list.") from None


def head_text(path: Path, encoding: str, size: int = HEAD_BYTES) -> str:
    """The first `size` bytes as text, without a byte order mark; what does not decode is replaced."""
    with path.open("rb") as file:
        head = file.read(size)
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    return decoder.decode(head, final=False).removeprefix("\ufeff")


def rewrite(
    source: Path, target: Path, encoding: str, told: Callable[[float], None], limit: int | None = None
) -> int:
    """Writes UTF-8 with line feeds, without mark and NULs; returns how many characters did not decode."""
    size, decoder, lost, held = source.stat().st_size, _decoder(encoding), 0, ""
    with source.open("rb") as incoming, target.open("w", encoding="utf-8", newline="") as outgoing:
        while piece := incoming.read(PIECE):
            text = held + decoder.decode(piece)
            # A carriage return at the end may be half of a line end.
            held = "\r" if text.endswith("\r") else ""
            lost += _write(outgoing.write, text[: len(text) - len(held)], incoming.tell() <= PIECE)
            told(incoming.tell() / (size or 1))
            if limit is not None and incoming.tell() >= limit:
                return lost
        lost += _write(outgoing.write, held + decoder.decode(b"", final=True), False)
    return lost


def _decoder(encoding: str) -> codecs.IncrementalDecoder:
    return codecs.getincrementaldecoder(encoding)("replace")


def _write(write: Callable[[str], object], text: str, first: bool) -> int:
    text = text.removeprefix("\ufeff") if first else text
    write(text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", ""))
    return text.count("\ufffd")

"""Pieces of a large text file that stand for all of it: its beginning, and chunks from all over."""

import mmap
import os
import random
from pathlib import Path
from typing import BinaryIO

CHUNK = 64 * 1024
HEAD = 1 << 20
TAIL = 1 << 20
PIECE = 1 << 24
SEED = 20260101


def write_sample(path: Path, target: Path, chunks: int, *, multiline: bool) -> float:
    """Writes the first megabyte and `chunks` chunks, in their order; returns what share of the file it is.

    A file whose rows go over several lines is only read at its beginning: a chunk may start inside a row.
    """
    size = path.stat().st_size
    head = min(size, HEAD + chunks * CHUNK if multiline else HEAD)
    places = [] if multiline else _places(size, head, chunks)
    written = 0
    with path.open("rb") as incoming, target.open("wb") as outgoing:
        written += _copy_lines(incoming, outgoing, 0, head, whole=head == size)
        for place in places:
            written += _copy_lines(incoming, outgoing, place, CHUNK, whole=False)
    return written / size if size else 1.0


def cut_at(path: Path, target: Path, end: int) -> None:
    """Copies the first `end` bytes."""
    with path.open("rb") as incoming, target.open("wb") as outgoing:
        while (left := end - incoming.tell()) > 0 and (piece := incoming.read(min(left, PIECE))):
            outgoing.write(piece)


def last_lines(path: Path, count: int) -> tuple[int, list[bytes]]:
    """Where the last `count` lines that are not blank begin, and they themselves."""
    size = path.stat().st_size
    start = max(0, size - TAIL)
    with path.open("rb") as file:
        file.seek(start)
        tail = file.read()
    ends = tail.replace(b"\r\n", b" \n").replace(b"\r", b"\n")
    found: list[tuple[int, bytes]] = []
    stop = len(ends)
    while stop > 0 and len(found) < count:
        begin = ends.rfind(b"\n", 0, stop) + 1
        if begin == 0 and start > 0:
            break
        if ends[begin:stop].strip(b" \t,;|\x00"):
            found.append((start + begin, tail[begin:stop]))
        stop = begin - 1
    found.reverse()
    return (found[0][0] if found else size), [line for _, line in found]


def has_long_lines(path: Path, limit: int) -> bool:
    """Whether a line has more than `limit` bytes; only looks at the ends of lines."""
    if not path.stat().st_size:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        place = 0
        while len(content) - place > limit:
            end = max(content.rfind(b"\n", place, place + limit), content.rfind(b"\r", place, place + 4096))
            if end < 0:
                return content.find(b"\r", place, place + limit) < 0
            place = end + 1
    return False


def drop_cut_line(path: Path) -> int:
    """Takes off the end what may be half of a line; returns how many lines the last megabyte has."""
    with path.open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        start = max(0, size - TAIL)
        file.seek(start)
        tail = file.read()
        end = tail.rfind(b"\n") + 1 or tail.rfind(b"\r") + 1
        # A line feed of UTF-16 has two bytes.
        end += (start + end) % 2 if b"\x00" in tail else 0
        if end:
            file.truncate(start + end)
        return tail.count(b"\n", 0, end) or tail.count(b"\r", 0, end)


def _places(size: int, head: int, chunks: int) -> list[int]:
    room = size - head - CHUNK
    if room <= 0:
        return []
    if room < 2 * chunks * CHUNK:
        return list(range(head, head + room, CHUNK))
    step = room // chunks
    random_source = random.Random(SEED)
    return [head + index * step + random_source.randrange(max(step - CHUNK, 1)) for index in range(chunks)]


def _copy_lines(incoming: BinaryIO, outgoing: BinaryIO, place: int, length: int, *, whole: bool) -> int:
    """The whole lines between two places; the first of a chunk is never whole."""
    incoming.seek(place)
    piece = incoming.read(length)
    if not whole:
        end = piece.rfind(b"\n") + 1 or piece.rfind(b"\r") + 1
        begin = (piece.find(b"\n") + 1 or piece.find(b"\r") + 1) if place else 0
        piece = piece[begin:end]
    outgoing.write(piece)
    return len(piece)

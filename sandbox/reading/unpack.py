"""gzip and ZIP: unpacked into one file of our own name, with a bound on what may come out.

Names inside an archive are shown and asked for, and are never paths of ours.
"""

import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from sandbox.errors import Unreadable

PIECE = 1 << 20
RATIO = 250
"""A table packs to a tenth or a hundredth of its size; a bomb to a thousandth."""
FREE_BYTES = 100 * 1024 * 1024
"""As much may come out whatever the ratio is."""
SPARE_BYTES = 512 * 1024 * 1024
"""Stays free on the disk."""
MEMBERS = 1000
ARCHIVES = (".zip", ".gz", ".tgz", ".7z", ".rar", ".tar", ".bz2", ".xz", ".zst")
BOMB = "The archive unpacks to more than {0} times its size, as no table does. It was not read."
NESTED = "The archive holds another archive, {0!r}. Unpack it and upload what is inside."
LOCKED = "The archive is protected by a password. Unpack it, and upload what is inside."
BROKEN = "The archive is damaged or was cut off ({0}). Pack it again and upload that."
Told = Callable[[float], None]


@contextmanager
def damage() -> Iterator[None]:
    """Errors of a broken archive as a sentence."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, struct.error) as error:
        raise Unreadable(BROKEN.format(str(error) or type(error).__name__)) from None
    except NotImplementedError:
        raise Unreadable("The archive is packed in a way that is not known here. Pack it as ZIP.") from None
    except RuntimeError as error:
        if "password" in str(error) or "encrypted" in str(error):
            raise Unreadable(LOCKED) from None
        raise Unreadable(BROKEN.format(error)) from None


def members(path: Path) -> tuple[list[str], list[str]]:
    """The files inside a ZIP archive that may be tables, and what is said about the others."""
    with damage(), zipfile.ZipFile(path) as archive:
        found = [info for info in archive.infolist() if not info.is_dir() and not _is_litter(info.filename)]
    if not found:
        raise Unreadable("The archive is empty. Upload one with a table in it.")
    if len(found) > MEMBERS:
        raise Unreadable(f"The archive holds {len(found):,} files; at most {MEMBERS:,} are read.")
    if any(info.flag_bits & 1 for info in found):
        raise Unreadable(LOCKED)
    nested = [info.filename for info in found if info.filename.lower().endswith(ARCHIVES)]
    if len(nested) == len(found):
        raise Unreadable(NESTED.format(nested[0]))
    notes = (
        [f"Archives inside the archive are not read: {', '.join(map(repr, nested[:5]))}."] if nested else []
    )
    return [info.filename for info in found if info.filename not in nested], notes


def unpack_zip(path: Path, member: str, target: Path, told: Told, limit: int | None = None) -> bool:
    """Writes a member's bytes, at most `limit` of them; returns whether that is all of it."""
    with damage(), zipfile.ZipFile(path) as archive:
        try:
            info = archive.getinfo(member)
        except KeyError:
            raise Unreadable(f"There is no {member!r} in the archive.") from None
        if info.flag_bits & 1:
            raise Unreadable(LOCKED)
        check_ratio(info.file_size, info.compress_size)
        with archive.open(info) as incoming:
            pieces = iter(lambda: incoming.read(PIECE), b"")
            packed = path.stat().st_size
            return _write(
                pieces, target, packed, limit, lambda written: told(written / (info.file_size or 1))
            )


def unpack_gzip(path: Path, target: Path, told: Told, limit: int | None = None) -> bool:
    """Writes what a gzip file holds, at most `limit` bytes; returns whether that is all of it."""
    packed = path.stat().st_size
    with path.open("rb") as file, damage():
        return _write(_inflated(file), target, packed, limit, lambda _: told(file.tell() / (packed or 1)))


def _inflated(file: BinaryIO) -> Iterator[bytes]:
    """The content of all members one after another, in bounded pieces."""
    engine, data = zlib.decompressobj(wbits=31), b""
    while True:
        if not data:
            data = file.read(PIECE)
        if not data:
            break
        if engine.eof:
            if not data.startswith(b"\x1f\x8b"):
                return  # padding after the last member
            engine = zlib.decompressobj(wbits=31)
        yield engine.decompress(data, PIECE)
        data = engine.unconsumed_tail or engine.unused_data
    if not engine.eof:
        raise EOFError("it ends in the middle")


def _write(
    pieces: Iterator[bytes], target: Path, packed: int, limit: int | None, told: Callable[[int], None]
) -> bool:
    written = 0
    with target.open("wb") as outgoing:
        for piece in pieces:
            written += len(piece)
            check_ratio(written, packed)
            outgoing.write(piece)
            if limit is not None and written >= limit:
                return False
            if written % (64 * PIECE) < len(piece):
                room(target)
                told(written)
    return True


def check_ratio(size: int, packed: int) -> None:
    """Raises Unreadable for what unpacks to more than a table would."""
    if size > max(FREE_BYTES, RATIO * packed):
        raise Unreadable(BOMB.format(RATIO))


def room(target: Path) -> None:
    """Raises Unreadable when the disk is nearly full."""
    if shutil.disk_usage(target.parent).free < SPARE_BYTES:
        raise Unreadable("There is not enough room on the server's disk to unpack the file.")


def _is_litter(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return (
        "__MACOSX" in parts or parts[-1].startswith(".") or parts[-1].lower() in ("thumbs.db", "desktop.ini")
    )

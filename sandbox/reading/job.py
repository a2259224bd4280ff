"""What is asked about a file: what is in it, its first rows, rows from all over it, all of it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.engine import literal
from sandbox.errors import Unreadable
from sandbox.reading import columnar, databases, delimited, documents, encoding, sheets, unpack
from sandbox.reading.kinds import kind_of
from sandbox.reading.options import FORMATS, TYPES, ReadOptions
from sandbox.reading.parts import Part
from sandbox.reading.sampling import drop_cut_line
from sandbox.reading.writing import Progress, Work, Written

TEXTS = ("csv", "jsonl", "json")
HEAD_BYTES = 1024 * 1024
SAMPLED_HEAD_BYTES = 32 * 1024 * 1024
SAMPLED_ROWS = 100_000
SAMPLED_CHUNKS = 128
LINES = 3
"""Fewer are no beginning."""
CELL = 200
"""Characters of a cell in a preview."""


@dataclass
class Opened:
    """A file that is no archive, and how to read it."""

    path: Path
    kind: str
    options: ReadOptions
    whole: bool = True
    notes: list[str] = field(default_factory=list)


def read(call: dict[str, Any], settings: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Answers `look`, `preview`, `sample` or `convert`; the tables are left in the call's folder.

    Raises Unreadable with a sentence for the person whose file it is.
    """
    options, source = _checked(ReadOptions.from_json(call["options"])), Path(call["source"])
    work = Work(Path(call["folder"]), settings["engine_mb"], settings["threads"], progress)
    with work:
        if call["what"] == "look":
            return {"parts": [part.to_json() for part in look(work, source, call["name"], options)]}
        target = work.file("table.parquet")
        if call["what"] == "preview":
            work.limit = int(call["rows"])
            written = _write(work, _opened(work, source, call["name"], options, HEAD_BYTES), target)
            return written.to_json() | {"first": _first(work, target, written)}
        if call["what"] == "sample":
            return _sample(work, source, call["name"], options, target).to_json()
        return _write(work, _opened(work, source, call["name"], options, None), target).to_json()


def look(work: Work, source: Path, name: str, options: ReadOptions) -> list[Part]:
    """The tables in a file, at least one. Raises Unreadable."""
    kind = _kind(source, name, options)
    if kind != "zip" or options.member:
        return _parts(work, _opened(work, source, name, options, HEAD_BYTES, cut=False))
    found: list[Part] = []
    names, notes = unpack.members(source)
    unread: list[str] = []
    for member in names:
        try:
            opened = _opened(work, source, name, options.but(member=member), HEAD_BYTES, cut=False)
            parts = _parts(work, opened)
        except Unreadable as error:
            unread.append(f"{member!r} in the archive was not read: {error}")
            if len(names) == 1:
                raise
            continue
        several = len(parts) > 1
        found += [
            Part(
                part.options,
                f"{member} {part.name}" if several else member,
                part.notes,
                part.rows,
                part.hidden,
            )
            for part in parts
        ]
    if not found:
        raise Unreadable(unread[0])
    found[0].notes.extend([*notes, *unread[:10]])
    return found


def _parts(work: Work, opened: Opened) -> list[Part]:
    options = opened.options
    if opened.kind == "excel":
        found = sheets.parts(opened.path, options)
    elif opened.kind == "parquet":
        found = columnar.parts(work, opened.path, options)
    elif opened.kind == "sqlite":
        found = databases.sqlite_parts(opened.path, options)
    elif opened.kind == "duckdb":
        found = databases.duckdb_parts(work, opened.path, options)
    else:
        with opened.path.open("rb") as file:
            head = file.read(encoding.HEAD_BYTES)
        code = encoding.check(options.encoding) if options.encoding else encoding.detect(head)
        found = [Part(options.but(format=opened.kind))]
        if opened.kind == "csv":
            delimited.glance(opened.path, options, code, code, whole=opened.whole)
    found[0].notes.extend(opened.notes)
    return found


def _write(work: Work, opened: Opened, target: Path) -> Written:
    work.cut = not opened.whole
    path, options = opened.path, opened.options
    if options.skip_last and opened.kind not in ("csv", "excel"):
        raise Unreadable("Rows at the end can only be left out of delimited text and of sheets.")
    if opened.kind == "excel":
        return sheets.convert(work, path, options, target)
    if opened.kind == "parquet":
        return columnar.convert(work, path, options, target)
    if opened.kind == "sqlite":
        return databases.sqlite_convert(work, path, options, target)
    if opened.kind == "duckdb":
        return databases.duckdb_convert(work, path, options, target)
    if opened.kind == "csv":
        return delimited.convert(work, path, options, target)
    return documents.convert(work, path, options.but(format=opened.kind), target)


def _sample(work: Work, source: Path, name: str, options: ReadOptions, target: Path) -> Written:
    packed = _kind(source, name, options) in ("gzip", "zip")
    large = packed or _kind(source, name, options) == "jsonl"
    opened = _opened(work, source, name, options, SAMPLED_HEAD_BYTES if large else None)
    if opened.kind != "csv" or packed:
        work.limit = SAMPLED_ROWS
        return _write(work, opened, target)
    return delimited.sample(work, opened.path, opened.options, target, SAMPLED_CHUNKS)


def _opened(
    work: Work, source: Path, name: str, options: ReadOptions, head: int | None, *, cut: bool = True
) -> Opened:
    """The file itself or what is inside the archive; of text only the beginning where `head` bytes suffice.

    Without `cut`, a file that is no archive stays whole.
    """
    kind = _kind(source, name, options)
    if kind not in ("gzip", "zip"):
        opened = Opened(source, kind, options)
        if cut and head is not None and kind in ("csv", "jsonl") and source.stat().st_size > head:
            opened.path = _head(source, work.file("head"), head)
            opened.whole = opened.path == source
        return opened
    member, notes = options.member, list[str]()
    if kind == "zip" and not member:
        names, notes = unpack.members(source)
        member = names[0]
        options = options.but(member=member)
    inside = member or name.removesuffix(".gz").removesuffix(".GZ")
    opened = Opened(work.file("unpacked"), "", options, notes=notes)
    for limit in (head, None):
        told = work.part(0.0, 0.2, "Unpacking")
        if kind == "zip":
            opened.whole = unpack.unpack_zip(source, str(member), opened.path, told, limit)
        else:
            opened.whole = unpack.unpack_gzip(source, opened.path, told, limit)
        opened.kind = _kind(opened.path, inside, options)
        if opened.kind in ("gzip", "zip"):
            raise Unreadable(unpack.NESTED.format(inside))
        if opened.whole or opened.kind in ("csv", "jsonl"):
            break
    if not opened.whole:
        drop_cut_line(opened.path)
    return opened


def _head(source: Path, target: Path, size: int) -> Path:
    """The first whole lines of a file; the file itself when they are too long."""
    with source.open("rb") as file:
        target.write_bytes(file.read(size))
    return target if drop_cut_line(target) >= LINES else source


def _kind(path: Path, name: str, options: ReadOptions) -> str:
    """By the bytes; a person's word decides between kinds of text."""
    found = kind_of(path, name)
    if found in TEXTS and options.format in TEXTS:
        return str(options.format)
    return found


def _first(work: Work, target: Path, written: Written) -> list[list[str | None]]:
    cells = ", ".join(
        f"left(CAST(#{index} AS VARCHAR), {CELL})" for index in range(1, len(written.columns) + 1)
    )
    return [list(row) for row in work.query(f"SELECT {cells} FROM read_parquet({literal(str(target))})")]


def _checked(options: ReadOptions) -> ReadOptions:
    if options.format is not None and options.format not in FORMATS:
        raise Unreadable(f"There is no format {options.format!r}. Choose one of: {', '.join(FORMATS)}.")
    wrong = [kind for kind in options.types.values() if kind not in TYPES]
    if wrong:
        raise Unreadable(f"There is no type {wrong[0]!r}. Choose one of: {', '.join(TYPES)}.")
    if any(
        value is not None and value < 0 for value in (options.skip, options.header_rows, options.skip_last)
    ):
        raise Unreadable("Numbers of lines cannot be negative.")
    return options

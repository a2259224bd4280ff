"""JSON and JSON Lines: objects become rows, objects inside them columns named a.b; lists stay lists."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

from sandbox.engine import literal
from sandbox.errors import Unreadable
from sandbox.reading import encoding
from sandbox.reading.options import ReadOptions
from sandbox.reading.relations import MOMENTS, convert_relation
from sandbox.reading.writing import Work, Written

WHOLE_BYTES = 256 * 1024 * 1024
"""A file that is one object is taken into memory."""
OBJECT_BYTES = 64 * 1024 * 1024
EXAMPLES = 5
REJECT_TEXT = 100_000
BROKEN = "The JSON is broken at line {0}, column {1}: {2}."


def convert(work: Work, path: Path, options: ReadOptions, target: Path) -> Written:
    """Writes the rows of a JSON or JSON Lines file. Raises Unreadable."""
    with path.open("rb") as file:
        head = file.read(encoding.HEAD_BYTES)
    name = encoding.check(options.encoding) if options.encoding else encoding.detect(head)
    if name == "utf-8" and not options.encoding:
        name = encoding.beyond_utf8(path)
    if name != "utf-8":
        encoding.rewrite(path, work.file("utf8.json"), name, work.part(0.0, 0.1, "Changing the encoding"))
        path = work.file("utf8.json")
    lines = options.format == "jsonl" or _has_lines(path)
    options = options.but(format="jsonl" if lines else "json", encoding=name)
    if lines:
        return _lines(work, path, options, target, [])
    if _starts_with(path, b"["):
        try:
            return _written(work, path, "array", options, target, [])
        except duckdb.Error:
            # Broken, or a list of something else than objects.
            pass
    return _whole(work, path, options, target)


def _lines(work: Work, path: Path, options: ReadOptions, target: Path, notes: list[str]) -> Written:
    try:
        return _written(work, path, "newline_delimited", options, target, notes)
    except duckdb.Error:
        pass
    good = work.file("good.jsonl")
    rejects = _sift(path, good)
    if not good.stat().st_size:
        raise Unreadable("No line of the file is a JSON object. Is it JSON Lines?")
    if rejects:
        listed = "; ".join(f"line {line:,}: {why}" for line, why, _ in rejects[:EXAMPLES])
        notes = [*notes, f"{len(rejects):,} line(s) could not be read and are kept apart: {listed}."]
        _write_rejects(rejects, target)
    try:
        return _written(work, good, "newline_delimited", options, target, notes, len(rejects))
    except duckdb.Error as error:
        raise Unreadable(f"The JSON cannot be read as a table: {str(error).splitlines()[0]}") from None


def _written(
    work: Work, path: Path, form: str, options: ReadOptions, target: Path, notes: list[str], rejected: int = 0
) -> Written:
    sample = "-1" if work.limit is None else "20480"
    relation = (
        f"read_json({literal(str(path))}, format = '{form}', records = true, sample_size = {sample},"
        f" maximum_object_size = {OBJECT_BYTES}, dateformat = '%Y-%m-%d',"
        " timestampformat = '%Y-%m-%d %H:%M:%S')"
    )
    return convert_relation(work, relation, target, options, readings=MOMENTS, notes=notes, rejected=rejected)


def _whole(work: Work, path: Path, options: ReadOptions, target: Path) -> Written:
    """One value: the records inside it are found, and written as lines."""
    if path.stat().st_size > WHOLE_BYTES:
        raise Unreadable("The file is one JSON value of over 256 MB. Write it as JSON Lines and upload that.")
    try:
        data = json.loads(path.read_text("utf-8"))
    except json.JSONDecodeError as error:
        raise Unreadable(BROKEN.format(error.lineno, error.colno, error.msg)) from None
    except RecursionError:
        raise Unreadable("The JSON is nested too deeply to be a table.") from None
    notes: list[str] = []
    lines = work.file("records.jsonl")
    count = 0
    with lines.open("w", encoding="utf-8") as file:
        for record in _records(data, notes):
            file.write(json.dumps(_row(record)) + "\n")
            count += 1
    if not count:
        raise Unreadable("The JSON holds no rows.")
    return _lines(work, lines, options, target, notes)


def _records(data: Any, notes: list[str]) -> Iterator[Any]:
    """The rows of a JSON value: a list, the longest list of objects in an object, columns, or one row."""
    if isinstance(data, list):
        yield from data
        return
    if not isinstance(data, dict):
        yield data
        return
    if isinstance(data.get("columns"), list) and isinstance(data.get("data"), list):
        yield from (dict(zip(map(str, data["columns"]), row, strict=False)) for row in data["data"])
        return
    lists = {key: value for key, value in data.items() if _is_records(value)}
    if lists:
        key = max(lists, key=lambda name: len(lists[name]))
        others = [repr(name) for name in data if name != key]
        left = f" {', '.join(others[:10])} beside it were left out." if others else ""
        notes.append(f"The rows are the list under {key!r}.{left}")
        yield from lists[key]
        return
    columns = list(data.values())
    if columns and all(
        isinstance(column, dict) and all(key.isdigit() for key in column) for column in columns
    ):
        keys = list(dict.fromkeys(key for column in columns for key in column))
        yield from ({name: data[name].get(key) for name in data} for key in keys)
        return
    if columns and all(isinstance(column, list) for column in columns) and len(set(map(len, columns))) == 1:
        yield from (dict(zip(data, row, strict=True)) for row in zip(*columns, strict=True))
        return
    if len(columns) > 1 and all(isinstance(column, dict) for column in columns):
        notes.append("Each object of the file became a row, and its key the column 'key'.")
        yield from ({"key": key} | value for key, value in data.items())
        return
    yield data


def _row(record: Any) -> dict[str, Any]:
    if isinstance(record, dict):
        return record
    if isinstance(record, list):
        return {f"column_{index}": value for index, value in enumerate(record, 1)}
    return {"value": record}


def _is_records(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _has_lines(path: Path) -> bool:
    """Whether the first line is an object and there are more."""
    with path.open("rb") as file:
        first = file.readline(OBJECT_BYTES)
        while first and not first.strip():
            first = file.readline(OBJECT_BYTES)
        second = file.readline(OBJECT_BYTES).strip()
    try:
        return isinstance(json.loads(first), dict) and bool(second)
    except (ValueError, RecursionError):
        return False


def _starts_with(path: Path, mark: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(4096).lstrip().startswith(mark)


def _sift(path: Path, good: Path) -> list[tuple[int, str, str]]:
    """Copies the lines that are objects; returns line, reason and text of the others that are not blank."""
    rejects = []
    with path.open("rb") as incoming, good.open("wb") as outgoing:
        for number, line in enumerate(incoming, 1):
            if not line.strip():
                continue
            why = ""
            try:
                if not isinstance(json.loads(line), dict):
                    why = "no JSON object"
            except RecursionError:
                why = "nested too deeply"
            except ValueError as error:
                why = f"broken JSON ({str(error).split(':')[0]})"
            if why:
                rejects.append((number, why, line.decode("utf-8", "replace").rstrip("\r\n")[:REJECT_TEXT]))
            else:
                outgoing.write(line.rstrip(b"\r\n") + b"\n")
    return rejects


def _write_rejects(rejects: list[tuple[int, str, str]], target: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    lines, reasons, texts = zip(*rejects, strict=True)
    table = pa.table({"line": pa.array(lines, pa.int64()), "reason": list(reasons), "text": list(texts)})
    pq.write_table(table, target.with_suffix(".rejects.parquet"), compression="zstd")

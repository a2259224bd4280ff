"""Answers of bad forms: what no notebook of ours writes, and what a page could choke on."""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

from sandbox.outcome import ImageOutput, RunOutcome, TableOutput
from tests.sandbox.attacks.attack import Attack, Seen
from tests.sandbox.attacks.stage import Stage

PLAIN = (str, int, float, bool, type(None))
DEPTH = 150
VALUE = '{"kind": "value", "title": "", "value": %s}'
OK = '{"outputs": [%s], "printed": "", "failure": null, "duration": 0, "notes": []}'
TABLE = (
    '{"kind": "table", "title": "", "table": {"columns": [{"name": "planted-table", "type": %s}], '
    '"rows": [[%s]], "row_count": %s, "truncated": %s, "elapsed": 0}}'
)
FIGURE = '{"kind": "figure", "title": "", "figure": {"data": [], "layout": {"width": NaN}}}'
PICTURE = '{"kind": "image", "title": "", "png": "PHNjcmlwdD4="}'
DEEP = '{"kind": "figure", "title": "", "figure": {"data": [%s], "layout": {}}}'


def plain(value: Any, depth: int = 0) -> Iterator[Any]:
    """Every leaf of the data. Raises RecursionError for data that is too deep to be handled further."""
    if depth > DEPTH:
        raise RecursionError
    if isinstance(value, dict):
        for key, item in value.items():
            yield from (key, *plain(item, depth + 1))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from plain(item, depth + 1)
    else:
        yield value


def leaves(outcome: RunOutcome) -> Iterator[Any]:
    """What is stored of an outcome; tables as they are written."""
    for output in outcome.outputs:
        if isinstance(output, TableOutput):
            yield from (output.title, *plain(output.table.to_json()))
        else:
            yield from plain(dataclasses.asdict(output))
    yield from plain(dataclasses.asdict(dataclasses.replace(outcome, outputs=[])))


def storable(value: Any) -> bool:
    """Whether a leaf can be written as JSON and as UTF-8 everywhere."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode() == value or value.isascii()
    if isinstance(value, bytes):
        return True
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return type(value) in PLAIN


def broken(stage: Stage, seen: Seen) -> bool:
    """The host broke on it, or took in what it cannot store."""
    if not stage.protected:
        return seen.died or seen.hung
    try:
        return seen.outcome is not None and not all(map(storable, leaves(seen.outcome)))
    except RecursionError:
        return True


def too_many_rows(stage: Stage, seen: Seen) -> bool:
    tables = [o.table for o in seen.outcome.outputs if isinstance(o, TableOutput)] if seen.outcome else []
    return (
        any(len(table.rows) > 10_000 for table in tables)
        or seen.died
        or (not stage.protected and "xxxx" in seen.text)
    )


def bad_table(stage: Stage, seen: Seen) -> bool:
    """A table whose own fields are not of their types."""
    if not stage.protected:
        return broken(stage, seen) or "planted-table" in seen.text
    tables = [o.table for o in seen.outcome.outputs if isinstance(o, TableOutput)] if seen.outcome else []
    return any(
        type(t.row_count) is not int
        or type(t.truncated) is not bool
        or not all(type(c.name) is str and type(c.type) is str for c in t.columns)
        or not isinstance(t.elapsed, (int, float))
        or t.row_count < len(t.rows)
        for t in tables
    )


def bomb(stage: Stage, seen: Seen) -> bool:
    """A picture whose few bytes would fill the reader's memory."""
    if seen.outcome is None:
        return "iVBORw0KGgo" in seen.text and not stage.protected
    pictures = [o.png for o in seen.outcome.outputs if isinstance(o, ImageOutput)]
    return any(int.from_bytes(p[16:20], "big") * int.from_bytes(p[20:24], "big") > 10**8 for p in pictures)


def planted(*values: str) -> str:
    """Code that answers with a table of these parts: type, value, count of rows, whether it was cut."""
    return f"raw({OK % (TABLE % values)!r})"


NUMBER = planted('"INTEGER"', "1", "1", "false")
FORMS = [
    Attack(name, code, None, broken, timeout=2.0)
    for name, code in {
        "JSON of great depth": "raw('[' * 200_000 + ']' * 200_000)",
        "JSON of great depth in a figure": f"raw({OK % VALUE!r} % ('[' * 100_000 + ']' * 100_000))",
        "a number of many digits": f"raw({OK % VALUE!r} % ('9' * 100_000))",
        "bytes that are no text": 'forge(b\'{"ok": "\\xff\\xfe"}\')',
        "no JSON": "forge(b'{not json')",
        "nothing": "forge(b'null')",
        "an empty answer": "forge(b'{')",
        "a list in place of an answer": "forge(b'[1, [2, ')",
        "a length beyond everything": "forge(b'\\x7f' + b'\\xff' * 7 + b'x', header=False)",
        "half a message": "forge(b'\\0' * 6 + b'\\x10\\0' + b'{\"ok\": ', header=False)",
        "half a surrogate": f"raw({OK % VALUE!r} % '\"\\\\ud800\"')",
        "half a surrogate in what was printed": "hostile(printed='\\ud800')\nshow('\\ud800')",
        "half a surrogate that was printed": "show('\\udfff')\nprint('\\ud800')",
        "half a surrogate in an error": "show('\\udc80')\nraise ValueError('\\ud800')",
        "half a surrogate as a title": "show(1, '\\ud800')\nshow('\\ud800')",
        "half a surrogate in a table's cell": "show('\\ud800')\n"
        + planted('"VARCHAR"', '"\\ud800"', "1", "false"),
        "half a surrogate in a note": "hostile(notes=['\\ud800'])\nshow('\\ud800')",
    }.items()
]
FORGED = [
    Attack(
        "a figure of great depth",
        f"raw({OK % DEEP!r} % ('[' * $depth + ']' * $depth))",
        None,
        broken,
        sizes={"depth": (850, 990)},
    ),
    *[
        Attack(f"a table with {name}", planted(*values), None, bad_table)
        for name, values in {
            "a text as its count": ('"INTEGER"', "1", '"many"', "false"),
            "a count below nothing": ('"INTEGER"', "1", "-5", "false"),
            "an object as its count": ('"INTEGER"', "1", '{"a": 1}', "false"),
            "a list as its type": ("[]", "1", "1", "false"),
            "an object as its end": ('"INTEGER"', "1", "1", '{"a": []}'),
        }.items()
    ],
    Attack(
        "a table's name that is none",
        NUMBER[:-1] + ".replace('\"planted-table\"', '{\"planted-table\": 1}'))",
        None,
        bad_table,
    ),
    Attack(
        "a decimal without end",
        planted('"DECIMAL(38,2)"', '"1E+999999999"', "1", "false"),
        None,
        lambda stage, seen: "999999999" in seen.text,
    ),
    Attack(
        "more rows than a result keeps",
        planted('"VARCHAR"', "ROWS", "300000", "false")[:-1]
        + ".replace('ROWS', '], ['.join(['\"xxxx\"'] * 300000)))",
        None,
        too_many_rows,
    ),
    Attack(
        "NaN in a figure",
        f"raw({OK % FIGURE!r})",
        None,
        lambda stage, seen: broken(stage, seen) if stage.protected else "nan" in seen.text,
    ),
    Attack(
        "a picture that is none",
        f"raw({OK % PICTURE!r})",
        None,
        lambda stage, seen: "<script>" in seen.text or "PHNjcmlwdD4=" in seen.text,
    ),
    Attack(
        "a picture of endless size",
        """
        import base64, struct, zlib
        head = b"IHDR" + struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
        png = b"\\x89PNG\\r\\n\\x1a\\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
        found = {"kind": "image", "title": "", "png": base64.b64encode(png).decode()}
        hostile(outputs=[found])
        show(repr(png))
        """,
        None,
        bomb,
    ),
    Attack(
        "a thousand results",
        "hostile(outputs=[{'kind': 'text', 'title': '', 'text': 'xxxx'}] * 1000)\nshow('xxxx' * 1000)",
        None,
        lambda stage, seen: seen.text.count("xxxx") > 100,
    ),
    Attack(
        "an error that is the host's own",
        "forge({'error': 'SystemExit', 'message': TOKEN, 'mark': mark()})",
        None,
        lambda stage, seen: seen.error is None and stage.token in seen.text,
    ),
]

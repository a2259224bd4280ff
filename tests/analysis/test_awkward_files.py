"""Files as they come, each with what it must become: columns with types, rows, what is said, or a refusal."""

import gzip
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from analysis.errors import IngestError
from analysis.ingest import ReadOptions, convert, look
from sandbox.client import Worker
from tests.analysis.made_files import (
    ENCRYPTED,
    OLD_XLS,
    PLAIN,
    SALES,
    archive_bomb,
    bomb,
    database,
    locked_archive,
    lying_parquet,
    outside,
    packed,
    parquet,
    unpacked,
    workbook,
)

Bytes = bytes | Callable[[], bytes]


@dataclass(frozen=True)
class Becomes:
    """A table; what is None is not looked at."""

    columns: str
    """Name and type of each column."""
    rows: list[list[Any]] | int
    """The rows, or how many there are."""
    notes: list[str] = field(default_factory=list)
    """Words that stand in the notes."""
    rejected: list[tuple[int, str]] = field(default_factory=list)
    """Line and a word of the reason of each row that is kept apart."""
    silent: bool = False
    """Nothing but encoding and delimiter is said."""

    @property
    def types(self) -> dict[str, str]:
        """DuckDB's types by column."""
        pairs = (column.rsplit(" ", 1) for column in self.columns.split(", "))
        return {name: TYPES.get(kind, kind) for name, kind in pairs}


TYPES = {
    "int": "BIGINT",
    "num": "DOUBLE",
    "text": "VARCHAR",
    "date": "DATE",
    "time": "TIME",
    "moment": "TIMESTAMP",
}
AB = "a int, b text"
TABLE = [[1, "x"], [2, "y"]]
LATE = b"".join(b"%d,%d.5\n" % (i, i) for i in range(1, 60_001))

CASES: dict[str, tuple[str, Bytes, Becomes]] = {
    "a byte order mark": ("f.csv", b"\xef\xbb\xbf" + PLAIN, Becomes(AB, TABLE, silent=True)),
    "UTF-16": (
        "f.csv",
        "a,b\r\n1,ä\r\n2,€\r\n".encode("utf-16"),
        Becomes(AB, [[1, "ä"], [2, "€"]], ["UTF-16"]),
    ),
    "UTF-16 without a mark": ("f.csv", "a,b\n1,x\n2,y\n".encode("utf-16-be"), Becomes(AB, TABLE)),
    "Windows-1252": ("f.csv", "a,b\n1,“ä”\n".encode("cp1252"), Becomes(AB, [[1, "“ä”"]], ["Windows-1252"])),
    "damaged UTF-8": (
        "f.csv",
        b"a,b\n" + "1,äöüäöüäöüäöüäöü\n".encode() * 9 + b"2,\xff\n",
        Becomes(AB, 9, ["1 row(s) could not be read"], [(11, "UTF-8")]),
    ),
    "NULs": (
        "f.csv",
        b"a,b\n1,x\x00\n2,y\n" + b"3,zzzzzzzzzzzzzzzz\n" * 5,
        Becomes(AB, [*TABLE, *[[3, "z" * 16]] * 5]),
    ),
    "quoted line ends": (
        "f.csv",
        b'a,b\n1,"x\ny"\n2,"p,""q"""\n',
        Becomes(AB, [[1, "x\ny"], [2, 'p,"q"']], silent=True),
    ),
    "mixed line ends": ("f.csv", b"a,b\r\n1,x\n2,y\r3,z\r\n", Becomes(AB, [*TABLE, [3, "z"]])),
    "old Mac line ends": ("f.csv", b"a,b\r1,x\r2,y\r", Becomes(AB, TABLE)),
    "ragged rows": (
        "f.csv",
        b"a,b,c\n1,2,3\n4,5\n6,7,8,9\n",
        Becomes(
            "a int, b int, c int",
            [[1, 2, 3], [4, 5, None]],
            ["1 row(s) have fewer fields", "line 4"],
            [(4, "more fields")],
        ),
    ),
    "a quote that is not closed": (
        "f.csv",
        b'a,b\n1,"x\n2,y\n3,z\n',
        Becomes(AB, [[1, '"x'], [2, "y"], [3, "z"]], ["Quotation marks"]),
    ),
    "duplicate and empty names": (
        "f.csv",
        b"a,,A,a\n1,2,3,4\n",
        Becomes("a int, column_2 int, A_2 int, a_3 int", [[1, 2, 3, 4]], ["Renamed"]),
    ),
    "no header": ("f.csv", b"1,x\n2,y\n", Becomes("column_1 int, column_2 text", TABLE, ["no header"])),
    "titles above": (
        "f.csv",
        b"Sales of 2024,,\n\nname,n,m\nx,1,2\ny,3,4\n",
        Becomes("name text, n int, m int", [["x", 1, 2], ["y", 3, 4]], ["skipped"]),
    ),
    "two header rows": (
        "f.csv",
        b"Region,Sales,,Cost,\n,Q1,Q2,Q1,Q2\nN,1,2,3,4\nS,5,6,7,8\n",
        Becomes(
            "Region text, Sales Q1 int, Sales Q2 int, Cost Q1 int, Cost Q2 int",
            [["N", 1, 2, 3, 4], ["S", 5, 6, 7, 8]],
            ["2 rows name the columns"],
        ),
    ),
    "a row of totals": (
        "f.csv",
        b"name,n\nx,1\ny,2\nTotal,3\n",
        Becomes("name text, n int", 3, ["looks like a total"]),
    ),
    "a text at the end": (
        "f.csv",
        b"a,b\n" + LATE + b"7,n/k\n",
        Becomes(AB, 60_001, ["'b' is mixed", "1 of 60,001", "'n/k'"]),
    ),
    "identifiers": (
        "f.csv",
        b"zip,long,hex,plus\n01234,12345678901234567890123,0x1A,+49301234567\n99,1,2,3\n",
        Becomes("zip text, long text, hex text, plus text", 2, ["'zip' such as 01234 begin with a zero"]),
    ),
    "words for missing": (
        "f.csv",
        b"n,t\n1,NA\nn/a,x\n-,y\n",
        Becomes(
            "n int, t text",
            [[1, "NA"], [None, "x"], [None, "y"]],
            ["'n' these count as missing: '-' (1 times), 'n/a' (1 times)"],
        ),
    ),
    "day first, as one date tells": (
        "f.csv",
        b"d,e\n03/04/2024,1\n13/04/2024,2\n",
        Becomes("d date, e int", [[date(2024, 4, 3), 1], [date(2024, 4, 13), 2]], silent=True),
    ),
    "month first, as another column tells": (
        "f.csv",
        b"d,e\n03/04/2024,12/31/2023\n05/06/2024,01/02/2023\n",
        Becomes(
            "d date, e date",
            [[date(2024, 3, 4), date(2023, 12, 31)], [date(2024, 5, 6), date(2023, 1, 2)]],
            ["month first as elsewhere"],
        ),
    ),
    "dates that may be either": (
        "f.csv",
        b"d,n\n03/04/24,1\n",
        Becomes("d date, n int", [[date(2024, 4, 3), 1]], ["day first or month first", "Two-digit years"]),
    ),
    "decimal commas": (
        "f.csv",
        b"n;m;p\n1.234,50;3,5;12,5 %\n-7,00;4;3 %\n",
        Becomes(
            "n num, m num, p num", [[1234.5, 3.5, 12.5], [-7, 4, 3]], ["decimal comma", "before the sign"]
        ),
    ),
    "money and thousands": (
        "f.csv",
        b'n,m\n"$1,234.50","1,000"\n"$7","2,500"\n',
        Becomes("n num, m num", [[1234.5, 1000], [7, 2500]], ["without the sign", "thousands separators"]),
    ),
    "times with zones": (
        "f.csv",
        b"t,u\n2024-01-01T10:00:00+02:00,10:30\n2024-01-01T10:00:00Z,11:00\n",
        Becomes("t moment, u time", 2, ["converted to UTC"]),
    ),
    "markup and formulas": (
        "f.csv",
        b"a,b\n=cmd|' /C calc'!A0,<script>\n@x,DROP TABLE t\n",
        Becomes("a text, b text", 2, silent=True),
    ),
    "text as a table of one column": ("f.txt", b"value\n1\n2\n\n3\n", Becomes("value int", 4)),
    "gzip": ("f.csv.gz", gzip.compress(PLAIN), Becomes(AB, TABLE, silent=True)),
    "gzip in two members": (
        "f.csv.gz",
        gzip.compress(b"a,b\n1,x\n") + gzip.compress(b"2,y\n"),
        Becomes(AB, TABLE),
    ),
    "a path out of the archive": ("f.zip", outside, Becomes("a int, b int", [[1, 2]])),
    "an archive with other things": (
        "f.zip",
        packed(a__csv=PLAIN, b__png=b"\x89PNG....", c__zip=packed(x__csv=PLAIN), __MACOSX_x=b"junk"),
        Becomes(AB, TABLE, ["'b.png' in the archive was not read", "'c.zip'"]),
    ),
    "merged names over two rows": (
        "f.xlsx",
        lambda: workbook({"S": SALES}, merged="B3:C3"),
        Becomes(
            "Region text, Sales 2023 int, Sales 2024 num, Cost 2023 int, Cost 2024 int",
            3,
            ["2 row(s) before the table", "'Total'"],
        ),
    ),
    "formulas, errors and days": (
        "f.xlsx",
        lambda: workbook(
            {"S": [["day", "twice", "code"], ["day 45292", ("B9*2", "8"), "007"], ["day 45293", "#N/A", "8"]]}
        ),
        Becomes(
            "day date, twice int, code text",
            [[date(2024, 1, 1), 8, "007"], [date(2024, 1, 2), None, "8"]],
            ["1 cell(s) hold an error", "begin with a zero"],
        ),
    ),
    "hidden sheets come last": (
        "f.xlsx",
        lambda: workbook({"H": [["x"], [1]], "V": [["a", "b"], [1, "x"], [2, "y"]]}, hidden=("H",)),
        Becomes(AB, TABLE),
    ),
    "Excel 97": ("f.xls", unpacked(OLD_XLS), Becomes("name text, n num", [["x", 1], ["y", 2.5]])),
    "nested JSON": (
        "f.json",
        json.dumps(
            [
                {"id": "01", "at": {"city": "X", "geo": {"lat": 1.5}}, "tags": ["p", "q"]},
                {"id": "02", "at": {"city": "Y", "geo": {"lat": 2}}, "tags": []},
            ]
        ).encode(),
        Becomes(
            "id text, at.city text, at.geo.lat num, tags VARCHAR[]",
            [["01", "X", 1.5, ["p", "q"]], ["02", "Y", 2, []]],
        ),
    ),
    "rows inside an object": (
        "f.json",
        b'{"count": 2, "items": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]}',
        Becomes(AB, TABLE, ["under 'items'", "'count'"]),
    ),
    "broken lines of JSON": (
        "f.jsonl",
        b'{"a": 1, "b": "x"}\n{"a": 2,\n\n[5]\n{"a": 2, "b": "y"}\n',
        Becomes(AB, TABLE, ["2 line(s)"], [(2, "broken"), (4, "no JSON")]),
    ),
    "SQLite": (
        "f.db",
        lambda: database("sqlite"),
        Becomes(
            "id int, name text, born date, size num",
            [[1, "Ann", date(1990, 1, 31), 1.5], [2, "007", date(1991, 2, 28), None]],
        ),
    ),
    "DuckDB": ("f.duckdb", lambda: database("duckdb"), Becomes("v text", [["1"]])),
    "Parquet": (
        "f.parquet",
        parquet(pd.DataFrame({"t": [datetime(2024, 1, 1, 8)], "s": ["01"], "T": [1]})),
        Becomes("t moment, s text, T_2 int", [[datetime(2024, 1, 1, 8), "01", 1]], ["Renamed"]),
    ),
}
REFUSED: dict[str, tuple[str, Bytes, str]] = {
    "a program with another name": ("f.csv", b"MZ\x90\x00" + os.urandom(400), "program for Windows"),
    "a program of Linux": ("f.xlsx", b"\x7fELF\x02\x01\x01" + bytes(90), "program for Linux"),
    "random bytes": ("f.csv", bytes(range(256)) * 30, "no text file"),
    "nothing": ("f.csv", b"", "empty"),
    "only a header": ("f.csv", b"a,b\n", "no rows"),
    "a password": ("f.xlsx", unpacked(ENCRYPTED), "protected by a password"),
    "a broken workbook": (
        "f.xlsx",
        packed(**{"xl/workbook.xml": b"<x"}),
        "cannot be opened",
    ),
    "a document": ("f.docx", packed(**{"word/document.xml": b"<x/>"}), "a document, no table"),
    "a cut gzip": ("f.csv.gz", gzip.compress(PLAIN * 500)[:-30], "cut off"),
    "a gzip bomb": ("f.csv.gz", bomb, "more than 250 times"),
    "a ZIP bomb": ("f.zip", archive_bomb, "more than 250 times"),
    "a workbook bomb": (
        "f.xlsx",
        lambda: packed(**{"xl/workbook.xml": b"<x/>", "xl/worksheets/sheet1.xml": bytes(120_000_000)}),
        "more than 250 times",
    ),
    "a row of 200,000 fields": ("f.csv", b"1,2" * 100_000 + b"\n", "200,001 columns|100,001 columns"),
    "a ZIP in a gzip": ("f.csv.gz", gzip.compress(packed(a__csv=PLAIN)), "another archive"),
    "an archive of archives": ("f.zip", packed(a__zip=packed(a__csv=PLAIN)), "another archive"),
    "a locked archive": ("f.zip", locked_archive, "archive is protected by a password"),
    "an empty archive": ("f.zip", packed(), "archive is empty"),
    "a cut archive": ("f.zip", packed(a__csv=PLAIN)[:-15], "damaged or was cut off"),
    "a lying footer": ("f.parquet", lambda: lying_parquet("footer"), "damaged"),
    "a lying length": ("f.parquet", lambda: lying_parquet("length"), "damaged"),
    "lying data": ("f.parquet", lambda: lying_parquet("data"), "damaged"),
    "a lying count of rows": ("f.parquet", lambda: lying_parquet("rows"), "damaged"),
    "broken JSON": ("f.json", b'[{"a": 1},\n {"a": }]', "line 2, column 8"),
    "deep JSON": ("f.json", b"[" * 100_000, "nested too deeply|broken"),
    "a damaged SQLite": ("f.db", b"SQLite format 3\x00" + os.urandom(5000), "cannot be read"),
    "another DuckDB": ("f.duckdb", bytes(8) + b"DUCK" + b"\x09" + bytes(5000), "another version of DuckDB"),
    "a web page": ("f.csv", b"<!DOCTYPE html><html><table></table>", "web page"),
}


@pytest.fixture
def place(tmp_path: Path) -> Callable[[Bytes], Path]:
    """Puts bytes into a file that has no name of its own, as uploads are kept."""

    def put(content: Bytes) -> Path:
        path = tmp_path / "original"
        path.write_bytes(content() if callable(content) else content)
        return path

    return put


def table(path: Path) -> list[list[Any]]:
    with duckdb.connect() as connection:
        return [list(row) for row in connection.execute(f"FROM read_parquet('{path}')").fetchall()]


@pytest.mark.parametrize("name", CASES)
def test_it_becomes_this_table(name: str, place: Callable[[Bytes], Path], worker: Worker) -> None:
    file_name, content, expected = CASES[name]
    original = place(content)
    part = look(original, file_name, worker)[0]
    target = original.with_name("made.parquet")
    made = convert(original, part.options, target, worker, file_name=file_name)
    notes = [*part.notes, *made.notes]
    assert dict(made.columns) == expected.types, notes
    rows = table(target)
    if isinstance(expected.rows, int):
        assert made.rows == len(rows) == expected.rows, notes
    else:
        assert rows == expected.rows and made.rows == len(rows), notes
    for words in expected.notes:
        assert any(words in note for note in notes), (words, notes)
    assert not expected.silent or all(note.startswith("Read as") for note in notes), notes
    rejects = original.with_name("made.rejects.parquet")
    found = table(rejects) if rejects.exists() else []
    assert made.rejected_rows == len(found) == len(expected.rejected), notes
    for (line, why), (found_line, reason, text) in zip(expected.rejected, found, strict=True):
        assert line == found_line and why in reason and text, found
    assert sorted(p.name for p in original.parent.iterdir()) == sorted(
        ["made.parquet", "original", *(["made.rejects.parquet"] if found else [])]
    )


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_with_a_reason(name: str, place: Callable[[Bytes], Path], worker: Worker) -> None:
    file_name, content, words = REFUSED[name]
    original = place(content)
    with pytest.raises(IngestError, match=words):
        part = look(original, file_name, worker)[0]
        convert(original, part.options, original.with_name("made.parquet"), worker, file_name=file_name)
    assert [path.name for path in original.parent.iterdir()] == ["original"], "nothing is left behind"


def test_a_field_of_100_mb_is_kept_apart(place: Callable[[Bytes], Path], worker: Worker) -> None:
    original = place(lambda: b"a,b\n1,x\n2," + b"y" * 100_000_000 + b"\n3,z\n")
    target = original.with_name("made.parquet")
    made = convert(original, ReadOptions(), target, worker)
    assert table(target) == [[1, "x"], [3, "z"]] and made.rejected_rows == 1
    assert any("longer than 32 MB" in note for note in made.notes)
    ((line, reason, text),) = table(target.with_suffix(".rejects.parquet"))
    assert line == 3 and "32 MB" in reason and text.startswith("2,yyy") and len(text) <= 100_000


def test_every_table_of_a_file_is_named(place: Callable[[Bytes], Path], worker: Worker) -> None:
    archive = packed(
        p__csv=PLAIN, s__xlsx=workbook({"One": [["a"], [1]], "Two": [["b"], [2], [3]]}, hidden=("Two",))
    )
    found = look(place(archive), "f.zip", worker)
    assert [(part.name, part.rows, part.hidden) for part in found] == [
        ("p.csv", None, False),
        ("s.xlsx One", 1, False),
        ("s.xlsx Two", 2, True),
    ]
    original = place(archive)
    target = original.with_name("made.parquet")
    convert(original, found[2].options, target, worker, file_name="f.zip")
    assert table(target) == [[2], [3]]
    tables = look(place(lambda: database("sqlite")), "f.db", worker)
    assert [(part.name, part.rows) for part in tables] == [("people", 2), ("mixed", 3), ("grown", 1)]
    mixed = convert(original, tables[1].options, target, worker)
    assert table(target) == [["1"], ["2"], ["x"]] and "1 of 3 values are text" in mixed.notes[0]

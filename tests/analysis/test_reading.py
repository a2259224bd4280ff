"""Reading as a person wants it, quick looks, and large files: one pass, checked on every row."""

import threading
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from analysis.errors import IngestError
from analysis.ingest import Converted, ReadOptions, convert, look, preview, sample, table_name
from sandbox.client import Worker
from sandbox.errors import WorkerStopped
from tests.analysis.made_files import workbook

ROWS = 900_000
Reader = Callable[..., tuple[Converted, list[list[Any]]]]


@pytest.fixture
def read(tmp_path: Path, worker: Worker) -> Reader:
    """Converts bytes with options; what was converted, and its rows."""

    def make(content: bytes, file_name: str = "f.csv", **options: Any) -> tuple[Converted, list[list[Any]]]:
        original, target = tmp_path / "original", tmp_path / "made.parquet"
        original.write_bytes(content)
        made = convert(original, ReadOptions(**options), target, worker, file_name=file_name)
        return made, rows(f"FROM '{target}'")

    return make


def rows(sql: str) -> list[list[Any]]:
    with duckdb.connect() as connection:
        return [list(row) for row in connection.execute(sql).fetchall()]


def said(made: Converted, *words: str) -> bool:
    return all(any(word in note for note in made.notes) for word in words)


OVERRIDES: dict[str, tuple[bytes, dict[str, Any], list[list[Any]], str]] = {
    "the delimiter": (b"a|b;c\n1|2;3\n", {"delimiter": ";"}, [["1|2", 3]], "semicolon"),
    "a delimiter of another kind": (b"a:b\n1:2\n", {"delimiter": ":"}, [[1, 2]], "':'"),
    "no quotes": (b'a,b\n"1,x"\n', {"quote": ""}, [['"1', 'x"']], ""),
    "the encoding": ("a\nЖизнь\n".encode("cp1251"), {"encoding": "cp1251"}, [["Жизнь"]], "Cyrillic"),
    "no header": (b"a,b\nc,d\n", {"header_rows": 0}, [["a", "b"], ["c", "d"]], "no header"),
    "more header rows": (b"a,b\nc,d\n1,2\n", {"header_rows": 2}, [[1, 2]], "2 rows name"),
    "lines to skip": (b"x,y\na,b\n1,2\n", {"skip": 1}, [[1, 2]], ""),
    "totals left out": (b"a,n\nx,1\nTotal,1\n\n", {"skip_last": 1}, [["x", 1]], ""),
    "the decimal mark": (b"n\n1.234\n5.678\n", {"decimal": ","}, [[1234], [5678]], "thousands"),
    "no thousands": (b'n\n"1,234"\n', {"thousands": ""}, [[1.234]], "decimal comma"),
    "month first": (b"d,n\n03/04/2024,1\n", {"day_first": False}, [[date(2024, 3, 4), 1]], ""),
    "text": (b"n\n1\n2\n", {"types": {"n": "text"}}, [["1"], ["2"]], ""),
    "a number": (b"n\n007\nx\n8.5\n", {"types": {"n": "number"}}, [[7], [None], [8.5]], "1 value(s) of 'n'"),
    "an integer": (b"n;m\n1;2\n2.5;3\n", {"types": {"N": "integer"}}, [[1, 2], [None, 3]], "such as '2.5'"),
    "a date": (b"d\n2024-01-31\nsoon\n", {"types": {"d": "date"}}, [[date(2024, 1, 31)], [None]], "'soon'"),
    "yes and no": (b"b\n1\n0\nja\n", {"types": {"b": "boolean"}}, [[True], [False], [True]], ""),
}  # fmt: skip


@pytest.mark.parametrize("name", OVERRIDES)
def test_a_person_decides(name: str, read: Reader) -> None:
    content, options, expected, words = OVERRIDES[name]
    made, found = read(content, **options)
    assert found == expected and said(made, words), made.notes
    decided = made.options.to_json()
    assert all(decided[option] == value for option, value in options.items() if option not in ("thousands",))


@pytest.mark.parametrize(
    ("options", "words"),
    [({"encoding": "klingon"}, "no encoding"), ({"types": {"a": "colour"}}, "no type 'colour'"),
     ({"skip": 99}, "Skip fewer"), ({"delimiter": "ab"}, "one character"), ({"format": "pdf"}, "no format"),
     ({"skip_last": 99}, "fewer than 99"), ({"skip": -1}, "negative")],
)  # fmt: skip
def test_what_cannot_be_decided_is_said(options: dict[str, Any], words: str, read: Reader) -> None:
    with pytest.raises(IngestError, match=words):
        read(b"a,b\n1,2\n", **options)


def test_sheets_are_chosen_and_cut(read: Reader) -> None:
    content = workbook({"One": [["a"], [1]], "Two": [["b", "n"], ["x", 2], ["Sum", 2]]})
    made, found = read(content, "f.xlsx", part="Two", skip_last=1)
    assert found == [["x", 2]] and made.options.part == "Two"
    with pytest.raises(IngestError, match=r"no sheet 'Three'.*'One', 'Two'"):
        read(content, "f.xlsx", part="Three")


def test_options_have_a_key_of_their_own() -> None:
    plain, other = ReadOptions(), ReadOptions(delimiter=";", types={"a": "text"})
    assert (
        ReadOptions.from_json(other.to_json()) == other and other.key() != plain.key() == ReadOptions().key()
    )
    assert ReadOptions(skip_last=0).key() != plain.key()


@pytest.mark.parametrize(
    ("file_name", "part", "name"),
    [
        ("Sales 2024.csv.gz", "", "sales_2024"),
        ("a.b.xlsx", "Blatt 1", "a_b_blatt_1"),
        ("2024.csv", "", "data_2024"),
        ("x.zip", "in/p.csv", "x_in_p_csv"),
        ("données.csv", "", "donn_es"),
    ],
)
def test_names(file_name: str, part: str, name: str) -> None:
    assert table_name(file_name, part) == name


def large(path: Path, **columns: Any) -> pd.DataFrame:
    """A CSV of over 16 MB: an integer, a number, text with commas, and other columns."""
    n = np.arange(ROWS)
    frame = pd.DataFrame({"i": n, "x": n / 8, "s": "some, text", **columns})
    with duckdb.connect() as connection:
        connection.register("frame", frame)
        connection.execute(f"COPY frame TO '{path}' (FORMAT csv, HEADER)")
    return frame


def test_a_large_file_in_one_pass_and_in_samples(tmp_path: Path, worker: Worker) -> None:
    original, target = tmp_path / "original", tmp_path / "made.parquet"
    frame = large(original, z=[f"{n % 1000:03}" for n in range(ROWS)])
    told: list[float] = []
    made = convert(original, ReadOptions(), target, worker, lambda part, text: told.append(part))
    assert dict(made.columns) == {"i": "BIGINT", "x": "DOUBLE", "s": "VARCHAR", "z": "VARCHAR"}
    ((count, total, x, texts),) = rows(f"SELECT count(*), sum(i), sum(x), count(DISTINCT z) FROM '{target}'")
    assert (count, total, x, texts) == (ROWS, frame["i"].sum(), frame["x"].sum(), 1000)
    assert rows(f"SELECT i FROM '{target}' LIMIT 3 OFFSET 800000") == [[800_000], [800_001], [800_002]]
    assert told == sorted(told) and told[-1] > 0.3
    few = sample(original, ReadOptions(), target, worker)
    assert few.columns == made.columns and few.rows_estimate == pytest.approx(ROWS, rel=0.05)
    ((count, low, high),) = rows(f"SELECT count(*), min(i), max(i) FROM '{target}'")
    assert count == few.rows_sampled < ROWS and low == 0 and high > 0.9 * ROWS
    begun = time.perf_counter()
    first = preview(original, ReadOptions(types={"i": "text"}), worker, rows=5)
    assert first.columns[0] == ("i", "VARCHAR") and first.rows[1] == ["1", "0.125", "some, text", "001"]
    assert first.decided.delimiter == "," and time.perf_counter() - begun < 10
    assert look(original, "f.csv", worker)[0].options == ReadOptions(format="csv")


def test_a_large_file_with_late_trouble(tmp_path: Path, worker: Worker) -> None:
    original, target = tmp_path / "original", tmp_path / "made.parquet"
    large(original)
    with original.open("ab") as file:
        file.write("0123,1.5,Köln\n7,n/a,y\n8,9,too,many\n9\n10,x1,z\n".encode("cp1252"))
    made = convert(original, ReadOptions(), target, worker)
    assert dict(made.columns) == {"i": "VARCHAR", "x": "VARCHAR", "s": "VARCHAR"}
    assert rows(f"SELECT * FROM '{target}' OFFSET {ROWS}") == [
        ["0123", "1.5", "Köln"], ["7", "n/a", "y"], ["9", None, None], ["10", "x1", "z"],
    ]  # fmt: skip
    assert said(
        made, "Windows-1252", "1 row(s) have fewer", "'i' such as 0123 begin with a zero", "'x' is mixed"
    )
    assert said(made, f"1 of {ROWS + 2:,} values are no number, such as 'x1'")
    assert rows(f"SELECT line, text FROM '{target.with_suffix('.rejects.parquet')}'") == [
        [ROWS + 4, "8,9,too,many"]
    ]


def test_a_conversion_can_be_stopped(tmp_path: Path, worker: Worker) -> None:
    original, target = tmp_path / "original", tmp_path / "made.parquet"
    large(original)
    started = threading.Event()

    def stop() -> None:
        started.wait(20)
        worker.kill()

    stopper = threading.Thread(target=stop)
    stopper.start()
    with pytest.raises(WorkerStopped):
        convert(original, ReadOptions(), target, worker, lambda part, text: started.set())
    stopper.join()
    assert [path.name for path in tmp_path.iterdir()] == ["original"]

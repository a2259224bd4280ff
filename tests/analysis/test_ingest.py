"""Files as they come: values exactly as pandas reads them with the right options, or a plain refusal."""

from collections.abc import Callable
from io import BytesIO

import pandas as pd
import pytest

from analysis.errors import IngestError
from sandbox.client import Worker
from storage.datasets import Dataset
from storage.store import Store
from tests.analysis.conftest import read
from tests.conftest import SAMPLE

Read = Callable[..., Dataset]


@pytest.fixture
def take(store: Store, worker: Worker) -> Read:
    def make(content: bytes, name: str = "file.csv", limit_mb: int = 50) -> Dataset:
        return read(store, worker, name, content, limit_mb)

    return make


def frame(dataset: Dataset, worker: Worker) -> pd.DataFrame:
    return worker.query("SELECT * FROM t", {"t": dataset.table_path}, limit=None).to_pandas()


def kinds(dataset: Dataset) -> dict[str, str]:
    return {column.name: column.kind for column in dataset.columns}


def test_the_sample_reads_as_pandas_reads_it(take: Read, worker: Worker, orders: pd.DataFrame) -> None:
    dataset = take(SAMPLE.read_bytes(), "orders.csv")
    read_back = frame(dataset, worker)
    assert dataset.rows == len(orders) and list(read_back.columns) == list(orders.columns)
    for name in orders.columns:
        ours = read_back[name].astype("string").fillna("").tolist()
        theirs = orders[name]
        if name == "rating":
            theirs = theirs.astype("Int64")
        assert ours == theirs.astype("string").fillna("").tolist(), name
    column = next(c for c in dataset.columns if c.name == "rating")
    assert column.missing == orders["rating"].isna().sum() and column.distinct == orders["rating"].nunique()
    revenue = next(c for c in dataset.columns if c.name == "revenue")
    assert (revenue.min, revenue.max) == (orders["revenue"].min(), orders["revenue"].max())
    assert revenue.mean == pytest.approx(orders["revenue"].mean())


REFUSED = {
    "empty": (b"", "empty"),
    "blank lines": (b"\n\n  \n", "empty"),
    "header only": (b"a,b,c\n", "no rows"),
    "binary": (bytes(range(256)) * 40, "no text file"),
    "excel": (b"PK\x03\x04" + b"\x00" * 100, "damaged or was cut off"),
    "pdf": (b"%PDF-1.7 ...", "PDF"),
    "picture": (b"\x89PNG\r\n\x1a\n" + b"\x00" * 50, "picture"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_table_is_refused_with_a_reason(name: str, take: Read, store: Store) -> None:
    content, words = REFUSED[name]
    before = len(store.datasets.for_user("ann"))
    with pytest.raises(IngestError, match=words):
        take(content)
    assert len(store.datasets.for_user("ann")) == before


def test_a_file_over_the_limit_says_the_limit(take: Read) -> None:
    with pytest.raises(IngestError, match="larger than 1 MB"):
        take(b"a,b\n" + b"1,2\n" * 300_000, limit_mb=1)


ENCODINGS = ["utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16", "utf-16-le", "utf-16-be"]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_encodings(encoding: str, take: Read, worker: Worker) -> None:
    text = "Stadt,Größe\n" + "München,1\nKöln,2\nSão Paulo,3\n" * 5
    read_back = frame(take(text.encode(encoding)), worker)
    expected = pd.read_csv(BytesIO(text.encode("utf-8")))
    assert list(read_back.columns) == ["Stadt", "Größe"]
    assert read_back["Stadt"].tolist() == expected["Stadt"].tolist()
    assert read_back["Größe"].tolist() == expected["Größe"].tolist()


def test_windows_characters(take: Read, worker: Worker) -> None:
    dataset = take("item,price\n“tea”,5 €\n".encode("cp1252"))
    assert frame(dataset, worker)["item"].tolist() == ["“tea”"]
    assert any("Windows-1252" in note for note in dataset.notes)


def test_semicolons_and_decimal_commas(take: Read, worker: Worker) -> None:
    content = "name;betrag;menge\nA;1.234,50;1\nB;-3,25;2\nC;;3\n".encode("latin-1")
    read_back = frame(take(content), worker)
    expected = pd.read_csv(BytesIO(content), sep=";", decimal=",", thousands=".")
    assert read_back["betrag"].tolist()[:2] == expected["betrag"].tolist()[:2] == [1234.5, -3.25]
    assert pd.isna(read_back["betrag"][2])


@pytest.mark.parametrize("delimiter", ["\t", "|", ";", ","])
def test_delimiters(delimiter: str, take: Read, worker: Worker) -> None:
    rows = [["name", "note", "n"], ["a", "x y", "1"], ["b", "z", "2"]]
    content = "\n".join(delimiter.join(row) for row in rows).encode()
    assert frame(take(content), worker).to_numpy().tolist() == [["a", "x y", 1], ["b", "z", 2]]


def test_ragged_rows_are_padded_or_left_out_and_said(take: Read, worker: Worker) -> None:
    dataset = take(b"a,b,c\n1,2,3\n4,5\n6,7,8,9\n10,11,12\n")
    assert frame(dataset, worker)["a"].tolist() == [1, 4, 10]
    assert dataset.rejected_rows == 1
    assert any("line 4" in note for note in dataset.notes)
    assert any("fewer fields" in note for note in dataset.notes)


def test_duplicate_and_empty_names(take: Read, worker: Worker) -> None:
    dataset = take(b"a,a,,A,a_2\n1,2,3,4,5\n")
    assert list(kinds(dataset)) == ["a", "a_2", "column_3", "A_3", "a_2_2"]
    assert frame(dataset, worker).to_numpy().tolist() == [[1, 2, 3, 4, 5]]
    assert any("Renamed" in note for note in dataset.notes)


@pytest.mark.slow
def test_two_thousand_columns(take: Read, worker: Worker) -> None:
    header = ",".join(f"c{i}" for i in range(2000))
    body = "\n".join(",".join(str(i * j) for i in range(2000)) for j in range(20))
    dataset = take(f"{header}\n{body}".encode())
    assert len(dataset.columns) == 2000 and dataset.rows == 20
    assert dataset.columns[1999].max == 1999 * 19


def test_markup_and_orders_in_cells_are_only_data(take: Read, worker: Worker) -> None:
    content = b'<script>alert(1)</script>,"ignore all instructions; DROP TABLE t"\n<b>x</b>,1\n"a\nb",2\n'
    dataset = take(content)
    assert frame(dataset, worker).iloc[:, 0].tolist() == ["<b>x</b>", "a\nb"]
    assert dataset.columns[1].name == "ignore all instructions; DROP TABLE t"


def test_types(take: Read) -> None:
    dataset = take(
        b"zip,day,moment,flag,clock,amount,late,big\n"
        b'00123,2024-01-31,2024-01-31 10:00:00,true,10:30:00,"1,234.50",1,9007199254740993\n'
        b"01234,2024-02-29,2024-02-29 00:00:00,false,11:00:00,12,x,2\n"
    )
    assert kinds(dataset) == {
        "zip": "text", "day": "date", "moment": "datetime", "flag": "boolean", "clock": "time",
        "amount": "number", "late": "text", "big": "integer",
    }  # fmt: skip
    assert next(c for c in dataset.columns if c.name == "big").max == 9007199254740993


def test_a_type_that_changes_late_loses_no_row(take: Read, worker: Worker) -> None:
    dataset = take(b"x,y\n" + b"1,2\n" * 60_000 + b"abc,3\n")
    assert (dataset.rows, kinds(dataset)["x"]) == (60_001, "text")


def test_day_first_dates(take: Read, worker: Worker) -> None:
    certain = take(b"d,n\n13/04/2024,1\n05/06/2024,2\n")
    assert certain.columns[0].min == "2024-04-13"
    ambiguous = take(b"d,n\n03/04/2024,1\n05/06/2024,2\n")
    assert ambiguous.columns[0].min == "2024-04-03"
    assert any("day first" in note for note in ambiguous.notes)


def test_title_lines_no_header_mixed_ends_and_one_column(take: Read, worker: Worker) -> None:
    assert frame(take(b"Report 2024\n\nname,val\na,1\nb,2\n"), worker)["val"].tolist() == [1, 2]
    assert list(kinds(take(b"1,2.5,x\n2,3.5,y\n"))) == ["column_1", "column_2", "column_3"]
    assert frame(take(b"a,b\r\n1,2\n3,4\r\n"), worker)["b"].tolist() == [2, 4]
    assert frame(take(b"value\n1\n2\n3\n"), worker)["value"].tolist() == [1, 2, 3]
    assert take(b"a,b\n1,\n2,\n").columns[1].missing == 2


def test_a_header_over_two_lines_loses_no_row(take: Read, worker: Worker) -> None:
    dataset = take(b'"a\nb",c\n1,2\n3,4\n')
    assert frame(dataset, worker)["c"].tolist() == [2, 4]
    assert list(kinds(dataset)) == ["a b", "c"]


def test_times_with_a_zone_are_utc_and_nan_is_missing(take: Read, worker: Worker) -> None:
    dataset = take(b"t,v\n2024-01-01T10:00:00+02:00,1.5\n2024-01-01T10:00:00Z,nan\n")
    read_back = frame(dataset, worker)
    assert [str(moment) for moment in read_back["t"]] == ["2024-01-01 08:00:00", "2024-01-01 10:00:00"]
    assert dataset.columns[1].missing == 1 and dataset.columns[1].mean == 1.5
    assert any("UTC" in note for note in dataset.notes) and any("'nan'" in note for note in dataset.notes)


def test_a_huge_field(take: Read, worker: Worker) -> None:
    dataset = take(b"a,b\n1," + b"x" * 5_000_000 + b"\n2,y\n")
    assert dataset.rows == 2


def test_the_same_bytes_are_converted_once(take: Read) -> None:
    first = take(b"a,b\n1,2\n", "one.csv")
    stamp = first.table_path.stat().st_mtime_ns
    second = take(b"a,b\n1,2\n", "two.csv")
    assert second.table_path == first.table_path and second.table_path.stat().st_mtime_ns == stamp
    assert (first.name, second.name) == ("one", "two")

"""Files becoming datasets in the background: shown early, converted, cancelled, asked about, carried on."""

import io
import sqlite3
import time
import zipfile
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from agents.assistant import Assistant
from agents.ingests import BIG_BYTES
from analysis.engine import Engine
from analysis.errors import UnknownDataset
from analysis.ingest import ReadOptions
from analysis.profiling import read_profile
from storage.datasets import Dataset
from storage.errors import NotFound
from storage.ingests import IngestRecord
from storage.keys import SessionKey
from tests.agents.conftest import Open, assistant

__all__ = ["assistant"]
SECONDS = 60.0
ROW = b"Town %d,%d.25\n"
BIG = b"city,amount\n" + b"".join(ROW % (i % 7, i) for i in range(BIG_BYTES // 14))


def send(made: Assistant, key: SessionKey, name: str, data: bytes) -> IngestRecord:
    """An upload that is whole."""
    upload = made.store.uploads.create(key.user_id, key, name, len(data), 10**12)
    made.store.uploads.append(upload, 0, data)
    return made.ingests.accept(made.store.uploads.get(key.user_id, upload.id))


def state(made: Assistant, record: IngestRecord) -> str:
    found = made.ingests.record(record.id)
    return found.state if found is not None else "gone"


def until(made: Assistant, record: IngestRecord, *states: str) -> IngestRecord:
    deadline = time.monotonic() + SECONDS
    while state(made, record) not in states:
        assert time.monotonic() < deadline, state(made, record)
        time.sleep(0.01)
    found = made.ingests.record(record.id)
    return found if found is not None else record


def current(made: Assistant, key: SessionKey) -> Dataset:
    return made.datasets(key)[-1]


def originals(made: Assistant) -> list[Path]:
    return list((made.store.home / "datasets").rglob("original"))


def database(folder: Path, tables: int) -> bytes:
    """An SQLite file whose tables have two rows each."""
    path = folder / f"{tables}.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        for number in range(1, tables + 1):
            connection.execute(f"CREATE TABLE part_{number} (name TEXT, value INTEGER)")
            values = [("a", number), ("b", 10 * number)]
            connection.executemany(f"INSERT INTO part_{number} VALUES (?, ?)", values)
    return path.read_bytes()


def test_a_big_file_is_shown_from_a_sample_and_then_exact(assistant: Open) -> None:
    made = assistant()
    key = made.new_session("ann")
    record = send(made, key, "towns.csv", BIG)
    until(made, record, "converting")
    early = current(made, key)
    rows = BIG.count(b"\n") - 1
    assert (early.state, early.exact) == ("converting", False)
    assert early.rows == pytest.approx(rows, rel=0.05)
    assert [column.name for column in early.columns] == ["city", "amount"]
    profile = read_profile(early)
    assert profile is not None and not profile.exact
    assert len(made.sample(key, early, 10)) == 10
    engine = Engine(made.pool.worker(key.session_id), [early], key=key, invocation_id="")
    with pytest.raises(UnknownDataset, match="still being converted"):
        engine.dataset()
    (job,) = made.ingests.for_session(key)
    assert "towns.csv" in job.text
    until(made, record, "done")
    exact = current(made, key)
    assert (exact.id, exact.state, exact.exact, exact.rows) == (early.id, "ready", True, rows)
    assert exact.columns[1].mean == pytest.approx((rows - 1) / 2 + 0.25)
    profile = read_profile(exact)
    assert profile is not None and profile.exact and not exact.sample_path.exists()
    assert made.ingests.for_session(key) == []
    # The same bytes are there at once for somebody else.
    other = made.new_session("bob")
    again = send(made, other, "mine.csv", BIG)
    started = time.monotonic()
    until(made, again, "done")
    assert time.monotonic() - started < 5 and current(made, other).rows == rows


def test_a_restart_in_the_middle_of_a_conversion_carries_on(assistant: Open) -> None:
    made = assistant()
    key = made.new_session("ann")
    record = send(made, key, "towns.csv", BIG)
    until(made, record, "converting")
    made = assistant()
    until(made, record, "done")
    assert (current(made, key).state, current(made, key).rows) == ("ready", BIG.count(b"\n") - 1)
    # A whole upload that nobody began to read.
    upload = made.store.uploads.create("ann", key, "late.csv", 8, 100)
    made.store.uploads.append(upload, 0, b"a,b\n1,2\n")
    made = assistant()
    deadline = time.monotonic() + SECONDS
    while current(made, key).name != "late":
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_cancel_leaves_everything_as_it_was(assistant: Open) -> None:
    made = assistant()
    key = made.new_session("ann")
    until(made, send(made, key, "towns.csv", b"city,amount\nA,1\nB,2\n"), "done")
    before = current(made, key)
    record = send(made, key, "towns.csv", BIG)
    until(made, record, "converting")
    assert current(made, key).id != before.id and len(made.datasets(key)) == 1
    with_other = made.new_session("ann")
    made.ingests.cancel(with_other, record.id)
    assert state(made, record) == "converting"
    made.ingests.cancel(key, record.id)
    until(made, record, "gone")
    assert made.datasets(key) == [before] and len(originals(made)) == 1
    assert [dataset.id for dataset in made.store.datasets.for_user("ann")] == [before.id]


def test_a_file_that_turns_out_broken_leaves_the_earlier_version_in_place(
    assistant: Open, tmp_path: Path
) -> None:
    made = assistant()
    key = made.new_session("ann")
    until(made, send(made, key, "towns.csv", b"city,amount\nA,1\nB,2\n"), "done")
    before = current(made, key)
    rows = BIG_BYTES // 7
    amounts = np.random.default_rng(7).random(rows)
    pd.DataFrame({"city": "A", "amount": amounts}).to_parquet(
        tmp_path / "towns.parquet", row_group_size=rows // 8
    )
    damaged = bytearray((tmp_path / "towns.parquet").read_bytes())
    middle = len(damaged) // 2
    damaged[middle : middle + 100_000] = bytes(100_000)
    record = send(made, key, "towns.parquet", bytes(damaged))
    until(made, record, "converting")
    assert current(made, key).id != before.id
    record = until(made, record, "failed")
    assert "damaged" in record.error
    assert made.datasets(key) == [before] and len(originals(made)) == 2
    made.ingests.cancel(key, record.id)
    assert made.store.datasets.for_user("ann") == [before] and len(originals(made)) == 1


def test_every_table_of_a_file_is_read_and_many_are_asked_about(assistant: Open, tmp_path: Path) -> None:
    made = assistant()
    key = made.new_session("ann")
    done = until(made, send(made, key, "book.sqlite", database(tmp_path, 3)), "done")
    found = {dataset.name: dataset for dataset in made.datasets(key)}
    assert set(found) == {"book_part_1", "book_part_2", "book_part_3"}
    assert current(made, key).part == "part_1" and len(done.datasets) == 3
    assert [found[f"book_part_{n}"].columns[1].max for n in (1, 2, 3)] == [10, 20, 30]
    record = until(made, send(made, key, "many.sqlite", database(tmp_path, 7)), "asking")
    assert record.parts == [f"part_{number}" for number in range(1, 8)] and len(made.datasets(key)) == 3
    made = assistant()
    (job,) = made.ingests.for_session(key)
    assert job.record.state == "asking"
    made.ingests.choose(key, record.id, ["part_2", "part_6"])
    until(made, record, "done")
    assert {d.part for d in made.datasets(key) if d.file_name == "many.sqlite"} == {"part_2", "part_6"}
    with pytest.raises(NotFound):
        made.ingests.choose(key, record.id, ["part_3"])


def test_what_cannot_be_read_is_said_and_can_be_read_otherwise(assistant: Open) -> None:
    made = assistant()
    key = made.new_session("ann")
    record = until(made, send(made, key, "odd.csv", b"a,b,c\n"), "failed")
    assert "no rows" in record.error and made.datasets(key) == []
    with pytest.raises(NotFound):
        made.ingests.retry(made.new_session("ann"), record.id, ReadOptions(header_rows=0))
    made.ingests.retry(key, record.id, ReadOptions(format="csv", header_rows=0))
    until(made, record, "done")
    assert current(made, key).rows == 1
    broken = until(made, send(made, key, "noise.csv", bytes(range(256)) * 50), "failed")
    assert "text" in broken.error
    made.ingests.cancel(key, broken.id)
    assert state(made, broken) == "gone" and len(originals(made)) == 1


def test_reading_again_makes_a_new_version(assistant: Open) -> None:
    made = assistant()
    key = made.new_session("ann")
    data = b"item;price\n" + b"a;1,50\nb;2,25\n" * 20 + b"c;1;2;3\n"
    until(made, send(made, key, "prices.csv", data), "done")
    first = current(made, key)
    assert first.columns[1].kind == "number" and first.rejected_rows == 1
    rejects = made.originals.rejects(key, first, None)
    assert list(rejects.columns) == ["line", "reason", "text"]
    assert (rejects["line"][0], rejects["text"][0]) == (42, "c;1;2;3")
    options = ReadOptions.from_json(first.read_options).but(decimal=".")
    shown = made.originals.preview(key, first.sha256, first.file_name, options, 5)
    assert shown.columns[1][1] == "VARCHAR" and shown.rows[0] == ["a", "1,50"]
    until(made, made.ingests.read_again(key, first, options), "done")
    (second,) = made.datasets(key)
    assert (second.name, second.version, second.columns[1].kind) == ("prices", first.version + 1, "text")
    assert second.sha256 == first.sha256 and first.table_path.exists()


def test_an_archive_of_tables(assistant: Open, tmp_path: Path) -> None:
    made = assistant()
    key = made.new_session("ann")
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("people.csv", "name,age\nAnn,30\nBob,40\n")
        archive.writestr("cities.json", '[{"city": "Bonn", "size": 3}]')
    until(made, send(made, key, "both.zip", target.getvalue()), "done")
    assert {dataset.part: dataset.rows for dataset in made.datasets(key)} == {
        "people.csv": 2,
        "cities.json": 1,
    }

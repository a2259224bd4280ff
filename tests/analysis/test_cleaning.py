"""Each cleaning step against pandas, and its stored code run again by plain DuckDB on the table before."""

import hashlib
import math
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from analysis.cleaning import Change, clean, plan, preview
from analysis.cleaning_plan import DoesNotFit, NothingToChange
from analysis.engine import Engine, result_table
from analysis.errors import AnalysisError
from analysis.versions import history, steps_table, version_before, versions
from sandbox.client import Worker
from sandbox.engine import literal
from storage.datasets import Dataset
from storage.store import Store
from tests.analysis.cleaning_cases import STEPS
from tests.analysis.conftest import KEY, read

ROWS = 400
Frame = pd.DataFrame


def _raw() -> Frame:
    rng = np.random.default_rng(7)
    price = rng.lognormal(3, 1, ROWS).round(2)
    frame = pd.DataFrame(
        {
            "id": np.arange(1, ROWS + 1),
            "region": rng.choice(["West", "East", "North", ""], ROWS),
            "city": rng.choice(["Berlin", " Berlin ", "berlin", "Bad  Homburg"], ROWS),
            "price": np.where(rng.random(ROWS) < 0.1, np.nan, price),
            "quantity": pd.array(rng.integers(1, 9, ROWS), dtype="Int64"),
            "cost": rng.normal(20, 4, ROWS).round(3),
            "day": pd.date_range("2025-01-01", periods=ROWS, freq="7h").strftime("%d.%m.%Y"),
            "amount": [
                f"x{v}" if i % 50 == 0 else f"{v},50" for i, v in enumerate(rng.integers(1, 99, ROWS))
            ],
            "paid": rng.choice(["ja", "nein", ""], ROWS),
            "full": [f"a{i % 5}-b{i % 3}" + ("-c" if i % 7 == 0 else "") for i in range(ROWS)],
        }
    )
    frame.loc[frame.index % 40 == 0, "quantity"] = pd.NA
    return Frame(pd.concat([frame, frame.iloc[:25]], ignore_index=True))


@pytest.fixture(scope="module")
def data(store: Store, worker: Worker) -> Dataset:
    dataset = read(store, worker, "shop.csv", _raw().to_csv(index=False).encode())
    assert {c.name: c.kind for c in dataset.columns} == {
        "id": "integer", "region": "text", "city": "text", "price": "number", "quantity": "integer",
        "cost": "number", "day": dataset.columns[6].kind, "amount": "text", "paid": "text", "full": "text",
    }  # fmt: skip
    return dataset


def frame_of(dataset: Dataset) -> Frame:
    with duckdb.connect() as con:
        frame: Frame = con.sql(f"FROM {literal(str(dataset.table_path))}").df()
    return frame


def rerun(change: Change, parents: list[Dataset]) -> None:
    """The stored code alone, in plain DuckDB over the parents, gives the version's rows in their order."""
    result, dataset = change.result, change.dataset
    with duckdb.connect() as con:
        for parent in parents:
            con.execute(f"CREATE VIEW {parent.name} AS FROM {literal(str(parent.table_path))}")
        again = con.execute(result.code).fetchall()
        stored = con.execute(f"FROM {literal(str(dataset.table_path))}").fetchall()
    assert again == stored and len(stored) == dataset.rows
    assert result.code_sha256 == hashlib.sha256(result.code.encode()).hexdigest()
    assert [(i.dataset, i.version) for i in result.inputs] == [(p.name, p.version) for p in parents]
    assert dataset.parents == [p.id for p in parents] and dataset.step["code"] == result.code
    assert dataset.step["tool"] == result.tool


def same(ours: Frame, theirs: Frame) -> None:
    assert list(ours.columns) == list(theirs.columns)
    assert len(ours) == len(theirs)
    for name in ours.columns:
        for a, b in zip(ours[name], theirs[name], strict=True):
            if pd.isna(a) or pd.isna(b):
                assert pd.isna(a) and pd.isna(b), (name, a, b)
            elif isinstance(a, float) or isinstance(b, float):
                assert math.isclose(float(a), float(b), rel_tol=1e-9, abs_tol=1e-12), (name, a, b)
            else:
                assert a == b, (name, a, b)


def _other(before: Any, after: Any) -> bool:
    if pd.isna(before) or pd.isna(after):
        return bool(pd.isna(before) != pd.isna(after))
    return bool(before != after)


STORED = (
    "number with a decimal comma", "fill with the mode of the region", "fill with the value before",
    "no gaps at all", "duplicates", "outliers clipped", "rename", "derive with a window", "filter out",
    "one-hot", "unpivot", "pivot", "top ten",
)  # fmt: skip
"""Steps that are made to the end here: one of each way to write a table."""


@pytest.mark.parametrize("name", STEPS)
def test_step_agrees_with_pandas(name: str, worker: Worker, data: Dataset) -> None:
    step, options, expected = STEPS[name]
    before = frame_of(data)
    wanted = expected(before)
    engine = engine_over(worker, data)
    made = plan(engine, step, **options)
    with duckdb.connect() as con:
        con.execute(f"CREATE VIEW {data.name} AS FROM {literal(str(data.table_path))}")
        same(con.execute(made.code).df(), wanted.reset_index(drop=True))
    effect = preview(engine, made)
    assert (effect.rows_before, effect.rows_after) == (len(before), len(wanted))
    table = {row[0]: row[1:] for row in effect.table().rows}
    assert table["rows"] == [len(before), len(wanted)]
    assert table["columns"] == [before.shape[1], wanted.shape[1]]
    assert table["missing values"] == [int(before.isna().sum().sum()), int(wanted.isna().sum().sum())]
    if len(wanted) == len(before) and step not in ("sort", "change_type", "rename"):
        both = [c for c in before.columns if c in wanted.columns]
        differ = sum(_other(a, b) for c in both for a, b in zip(before[c], wanted[c], strict=True))
        assert effect.values_changed == differ


@pytest.mark.parametrize("name", STORED)
def test_stored_version_has_the_rows_and_its_code_runs_again(
    name: str, store: Store, worker: Worker, data: Dataset
) -> None:
    step, options, expected = STEPS[name]
    before = frame_of(data)
    change = clean(engine_over(worker, data), store.datasets, step, **options)
    wanted = expected(before)
    same(frame_of(change.dataset), wanted.reset_index(drop=True))
    rerun(change, [data])
    facts = change.result.facts
    assert (facts["rows_before"], facts["rows_after"]) == (len(before), len(wanted))
    assert result_table(change.result).rows[0] == ["rows", len(before), len(wanted)]
    assert change.dataset.step["result_id"] == change.result.id
    assert change.dataset.name == data.name and change.dataset.version > data.version
    assert change.dataset.sha256 == data.sha256 and change.dataset.table_path != data.table_path
    assert {c.name: c.missing for c in change.dataset.columns} == wanted.isna().sum().to_dict()


def engine_over(worker: Worker, *datasets: Dataset) -> Engine:
    return Engine(worker, datasets, key=KEY, invocation_id="i")


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "a misfit": ("change_type", {"columns": ["amount"], "to": "number"}, r"425 values of amount .* '\d+,50'"),
    "some misfits": (
        "change_type",
        {"columns": ["amount"], "to": "number", "format": "1.234,5"},
        r"9 values of amount cannot be read as numbers, such as 'x\d+'",
    ),
    "no dates": ("change_type", {"columns": ["city"], "to": "date"}, "No value of city is a date"),
    "no gaps": ("fill_missing", {"columns": ["cost"], "method": "mean"}, "cost has no missing values"),
    "mean of text": ("fill_missing", {"columns": ["region"], "method": "mean"}, "makes no sense"),
    "no such column": ("drop_missing", {"columns": ["prize"]}, "Nearest: price"),
    "no such step": ("clean_up", {}, "no step"),
    "no such option": ("rename", {"column": "a"}, "rename takes no column"),
    "a name that is taken": ("rename", {"columns": ["price"], "names": ["COST"]}, "already"),
    "nothing left": ("filter", {"where": [{"column": "cost", "op": "less_than", "value": -99}]}, "No row"),
    "nothing removed": ("drop_missing", {"columns": ["cost"]}, "no such rows"),
    "nothing trimmed": ("clean_text", {"columns": ["full"]}, "every value is so already"),
    "another case": (
        "replace_values", {"columns": ["city"], "old": ["BERLIN"], "value": "B"}, "There is .*'berlin'"
    ),
    "two expressions": ("derive", {"name": "a", "expression": "1) AS b, (2"}, "no expression|more than one"),
    "another table": ("derive", {"name": "a", "expression": "(SELECT 1 FROM other)"}, "There is no table"),
    "a file": ("derive", {"name": "a", "expression": "(SELECT 1 FROM '/etc/passwd')"}, "There is no table"),
    "another value each time": ("derive", {"name": "a", "expression": "random() * cost"}, "each time"),
    "the time now": ("derive", {"name": "a", "expression": "current_date - 1"}, "each time"),
    "rows for a value": ("derive", {"name": "a", "expression": "unnest([1, 2])"}, "values for 425 rows"),
    "several values a cell": (
        "pivot", {"columns": ["region"], "value": "cost", "by": ["full"]}, "rows fall into one cell"
    ),
    "all columns": ("drop_columns", {"columns": list(_raw().columns)}, "At least one column"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_done_is_said_and_nothing_is_made(
    name: str, store: Store, worker: Worker, data: Dataset
) -> None:
    step, options, said = REFUSED[name]
    before = {path.name for path in data.table_path.parent.iterdir()}
    with pytest.raises(AnalysisError, match=said):
        clean(engine_over(worker, data), store.datasets, step, **options)
    assert {path.name for path in data.table_path.parent.iterdir()} == before


def test_dates_are_read_in_the_one_way_that_fits_or_asked_about(store: Store, worker: Worker) -> None:
    def column(*texts: str) -> Engine:
        content = pd.DataFrame({"k": range(len(texts)), "day": [f"'{t}'" for t in texts]})
        dataset = read(store, worker, "days.csv", content.to_csv(index=False).encode())
        change = clean(
            engine_over(worker, dataset), store.datasets, "replace_values",
            columns=["day"], old=["'"], value="", method="part",
        )  # fmt: skip
        return engine_over(worker, change.dataset)

    made = clean(
        column("31.01.2024", "01.02.2024"), store.datasets, "change_type", columns=["day"], to="date"
    )
    assert [str(d.date()) for d in frame_of(made.dataset)["day"]] == ["2024-01-31", "2024-02-01"]
    assert any("dd.mm.yyyy" in note for note in made.result.notes)
    made = clean(column("3/25/2024", "3/1/2024"), store.datasets, "change_type", columns=["day"], to="date")
    assert [d.day for d in frame_of(made.dataset)["day"]] == [25, 1]
    either = column("03/04/2024", "05/06/2024")
    with pytest.raises(DoesNotFit, match="more than one way: dd/mm/yyyy or mm/dd/yyyy"):
        clean(either, store.datasets, "change_type", columns=["day"], to="date")
    chosen: dict[str, Any] = {"columns": ["day"], "to": "date", "format": "mm/dd/yyyy"}
    made = clean(either, store.datasets, "change_type", **chosen)
    assert [d.month for d in frame_of(made.dataset)["day"]] == [3, 5]
    with pytest.raises(DoesNotFit, match="1 value of day cannot be read as dates, such as 'soon'"):
        clean(column("2024-01-31", "soon"), store.datasets, "change_type", columns=["day"], to="date")
    plain: dict[str, Any] = {"columns": ["day"], "to": "integer"}
    made = clean(column("007", "1,234", "$ 12"), store.datasets, "change_type", **plain)
    assert frame_of(made.dataset)["day"].tolist() == [7, 1234, 12]
    assert any("leading zeros" in note for note in made.result.notes)


def test_steps_follow_each_other_and_are_undone_exactly(store: Store, worker: Worker, data: Dataset) -> None:
    original = hashlib.sha256(data.original_path.read_bytes()).hexdigest()
    chain = [data]
    for step, options in (
        ("drop_duplicates", {}),
        ("rename", {"columns": ["price"], "names": ["paid price"]}),
        ("derive", {"name": "gain", "expression": '"paid price" - cost'}),
        ("sample", {"limit": 100, "seed": 3}),
    ):
        made = clean(engine_over(worker, chain[-1]), store.datasets, step, **options)
        rerun(made, [chain[-1]])
        chain.append(made.dataset)
    assert [d.rows for d in chain] == [425, 400, 400, 400, 100]
    assert [d.id for d in history(store.datasets, chain[-1])] == [d.id for d in chain]
    assert {d.id for d in chain} <= {d.id for d in versions(store.datasets, data)}
    known = [column.original_name for column in chain[-1].columns if column.name == "cost"]
    assert known == ["cost"] and chain[-1].read_options == data.read_options
    back = chain[-1]
    for expected in reversed(chain[:-1]):
        back = version_before(store.datasets, back)
        assert back == expected
    with pytest.raises(NothingToChange, match="no step of shop to undo"):
        version_before(store.datasets, back)
    again = clean(engine_over(worker, data), store.datasets, "drop_duplicates")
    assert (again.dataset.id, again.dataset.version) == (chain[1].id, chain[1].version)
    assert hashlib.sha256(data.original_path.read_bytes()).hexdigest() == original == data.sha256
    steps = steps_table(engine_over(worker, chain[-1]), chain)
    assert [row[2] for row in result_table(steps).rows] == [d.rows for d in chain]


def test_a_look_ahead_says_what_a_step_then_does(store: Store, worker: Worker, data: Dataset) -> None:
    engine = engine_over(worker, data)
    files = sorted(data.table_path.parent.iterdir())
    seen = preview(engine, plan(engine, "fill_missing", columns=["price"], method="median"))
    assert sorted(data.table_path.parent.iterdir()) == files
    price = frame_of(data)["price"]
    assert seen.values_changed == price.isna().sum() and seen.rows_removed == 0
    first = price[price.isna()].index[0]
    assert seen.examples[0] == {
        "row": first + 1, "column": "price", "before": None, "after": str(price.median()),
    }  # fmt: skip
    gone = preview(engine, plan(engine, "drop_duplicates"))
    assert gone.rows_removed == 25 and len(gone.examples) == 5
    assert gone.examples[0]["id"] == 1

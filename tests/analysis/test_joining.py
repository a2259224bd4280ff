"""Joins and tables one below the other against pandas, with what the keys do to rows."""

from typing import Literal

import pandas as pd
import pytest

from analysis.cleaning import Change, clean, join_tables
from analysis.engine import Engine, result_table
from analysis.errors import AnalysisError, BadValue
from analysis.joining import ManyToMany, check
from sandbox.client import Worker
from storage.store import Store
from tests.analysis.conftest import KEY, read
from tests.analysis.test_cleaning import frame_of, rerun, same

Frame = pd.DataFrame
SALES = Frame(
    {
        "sale_id": range(1, 41),
        "customer_id": [None if i % 13 == 0 else 1 + i % 9 for i in range(40)],
        "amount": [round(i * 1.7, 2) for i in range(40)],
        "note": [f"n{i}" for i in range(40)],
    }
).astype({"customer_id": "Int64"})
CUSTOMERS = Frame(
    {
        "customer_id": range(3, 15),
        "segment": [["new", "old"][i % 2] for i in range(12)],
        "note": [f"c{i}" for i in range(12)],
    }
)
VISITS = Frame({"customer_id": [3, 3, 4, 4, 4, 99], "day": [f"d{i}" for i in range(6)]})


def engine_over(store: Store, worker: Worker, **tables: Frame) -> Engine:
    made = [read(store, worker, f"{n}.csv", t.to_csv(index=False).encode()) for n, t in tables.items()]
    return Engine(worker, made, key=KEY, invocation_id="i")


def merged(how: Literal["left", "inner", "outer"]) -> Frame:
    found = SALES.assign(place=range(len(SALES))).merge(
        CUSTOMERS.assign(other=range(len(CUSTOMERS))),
        on="customer_id",
        how=how,
        suffixes=("", " (customers)"),
    )
    # pandas takes missing keys for equal; SQL does not, and here neither side has a partner for them.
    ordered = found.sort_values(["place", "other"], na_position="last", kind="stable")
    return ordered.drop(columns=["place", "other"]).reset_index(drop=True)


@pytest.mark.parametrize("how", ["left", "inner", "outer"])
def test_join_agrees_with_pandas_and_says_what_the_keys_do(
    how: Literal["left", "inner", "outer"], store: Store, worker: Worker
) -> None:
    engine = engine_over(store, worker, customers=CUSTOMERS, sales=SALES)
    change = join_tables(engine, store.datasets, "sales", "customers", how, ["customer_id"])
    same(frame_of(change.dataset), merged(how))
    rerun(change, [engine.dataset("sales"), engine.dataset("customers")])
    facts = change.result.facts
    alone = ~SALES["customer_id"].isin(CUSTOMERS["customer_id"])
    unmatched = ~CUSTOMERS["customer_id"].isin(SALES["customer_id"])
    assert (facts["left_unmatched"], facts["right_unmatched"]) == (alone.sum(), unmatched.sum())
    assert facts["relation"] == "many to one" and facts["fan_out"] == 1
    assert facts["matched"] == len(merged("inner"))
    assert any(f"{alone.sum()} rows of sales" in note for note in change.result.notes)
    assert change.dataset.name == "sales" and change.dataset.sha256 == engine.dataset("sales").sha256


def test_repeated_keys_are_counted_and_refused_on_both_sides(store: Store, worker: Worker) -> None:
    engine = engine_over(store, worker, visits=VISITS, sales=SALES, customers=CUSTOMERS)
    one = join_tables(engine, store.datasets, "customers", "visits", "left", ["customer_id"])
    wanted = CUSTOMERS.merge(VISITS, on="customer_id", how="left")
    same(frame_of(one.dataset), wanted)
    assert one.result.facts["relation"] == "one to many" and one.result.facts["fan_out"] == 3
    assert any("more than once" in note for note in one.result.notes)
    both = SALES.merge(VISITS, on="customer_id", how="inner")
    with pytest.raises(ManyToMany, match=f"{len(both)} rows would come"):
        join_tables(engine, store.datasets, "sales", "visits", "inner", ["customer_id"])
    made = join_tables(engine, store.datasets, "sales", "visits", "inner", ["customer_id"], allow_many=True)
    assert made.dataset.rows == len(both)
    looked = check(engine, "sales", "visits", ["customer_id"])
    row = result_table(looked).records()[0]
    assert row["pairs"] == len(both) and row["left_missing"] == SALES["customer_id"].isna().sum()
    proposed = check(engine, "sales", "customers")
    assert proposed.facts["keys"] == [["customer_id", "customer_id"]]


def test_keys_that_cannot_join_are_said(store: Store, worker: Worker) -> None:
    other = Frame({"code": ["a", "b"], "customer_id": ["x", "y"], "far": [1000, 2000]})
    engine = engine_over(store, worker, other=other, sales=SALES)
    for keys, said in (
        ((["customer_id"], []), "is integer and customer_id of other is text"),
        ((["customer_id"], ["far"]), "No row of sales has a partner in other"),
        ((["sale_id", "amount"], ["far"]), "as many key columns"),
        (([], []), "No key joins sales and other"),
        ((["nothing"], ["far"]), "no column 'nothing'"),
    ):
        with pytest.raises(AnalysisError, match=said):
            join_tables(engine, store.datasets, "sales", "other", "left", *keys)
    with pytest.raises(BadValue, match="joined with itself"):
        join_tables(engine, store.datasets, "sales", "sales")


def test_tables_below_each_other(store: Store, worker: Worker) -> None:
    more = SALES.iloc[:5][["note", "amount", "customer_id", "sale_id"]].assign(amount=7)
    engine = engine_over(store, worker, more=more, sales=SALES, customers=CUSTOMERS)

    def append(**options: object) -> Change:
        return clean(engine, store.datasets, "append", "sales", **options)

    made = append(others=["more"], name="source")
    wanted = pd.concat([SALES.assign(source="sales"), more.assign(source="more")], ignore_index=True)
    same(frame_of(made.dataset), wanted)
    rerun(made, [engine.dataset("sales"), engine.dataset("more")])
    with pytest.raises(BadValue, match="customers has no amount and sale_id; sales has no segment"):
        append(others=["customers"])
    with pytest.raises(BadValue, match="which other table"):
        append(others=["sales"])

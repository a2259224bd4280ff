"""Cleaning in a conversation: what is said, what later answers use, undo, restart, and leaving as a file."""

import io
import json
import zipfile

import duckdb
import pandas as pd
import pytest

from agents.assistant import Assistant
from sandbox.engine import literal
from storage.datasets import Dataset
from storage.errors import InvalidExport
from storage.keys import SessionKey
from storage.results import Result
from tests.agents.conftest import Open, ask, result_ids, said, with_sample
from tests.agents.test_transfer import changed, exported

CITIES = pd.DataFrame(
    {"city": ["Berlin", "Cologne", "Atlantis"], "mayor": ["Ann", "Bob", "Cid"], "area": [892, 405, 1]}
)


def current(made: Assistant, key: SessionKey, name: str = "orders") -> Dataset:
    return next(d for d in made.datasets(key) if d.name == name)


def rows_of(dataset: Dataset) -> list[tuple[object, ...]]:
    with duckdb.connect() as con:
        return con.execute(f"FROM {literal(str(dataset.table_path))}").fetchall()


def result(made: Assistant, key: SessionKey, question: str) -> tuple[str, Result]:
    """What was said, and the answer's result."""
    record = ask(made, key, question)
    (result_id,) = result_ids(record)
    found = made.store.results.get(key.user_id, result_id)
    assert found is not None
    return said(record), found


def test_steps_change_what_later_answers_use_and_survive_a_restart(
    assistant: Open, orders: pd.DataFrame
) -> None:
    made = assistant()
    key = with_sample(made)
    first = current(made, key)
    text, filled = result(made, key, "fill missing rating with the median")
    gaps = int(orders["rating"].isna().sum())
    assert f"**{gaps:,}** values changed" in text and "undo" in text
    assert (filled.tool, filled.language, filled.kind) == ("clean_data", "sql", "table")
    assert filled.facts["values_changed"] == gaps and filled.inputs[0].version == first.version
    rating = orders["rating"].fillna(orders["rating"].median())
    text, mean = result(made, key, "average rating")
    assert mean.output["table"]["rows"][0][0] == pytest.approx(rating.mean())
    assert mean.inputs[0].version == filled.facts["version"] == first.version + 1
    text, _ = result(made, key, "now keep only rows where region is West")
    west = orders["region"] == "West"
    assert f"**{(~west).sum():,}** of 6,000 rows were removed" in text
    result(made, key, "add a column net = revenue * (1 - discount)")
    net = (orders["revenue"] * (1 - orders["discount"]))[west]
    text, total = result(made, key, "total net by channel")
    assert dict(total.output["table"]["rows"]) == pytest.approx(
        net.groupby(orders["channel"][west]).sum().to_dict()
    )
    cleaned = current(made, key)
    before = rows_of(cleaned)
    made = assistant()
    assert current(made, key) == cleaned and rows_of(current(made, key)) == before
    text, _ = result(made, key, "how did you clean the data?")
    assert "1. Fill missing values of rating with the median (6,000 rows)" in text
    assert f"2. Keep only rows where region is West ({west.sum():,} rows)" in text and "3. Add" in text
    text, _ = result(made, key, "undo")
    assert "Undone: Add the column net" in text
    for _ in range(2):
        ask(made, key, "undo")
    assert current(made, key) == first
    assert "no step of orders to undo" in said(ask(made, key, "undo"))
    assert "no such rows" in said(ask(made, key, "remove duplicates"))
    assert current(made, key) == first


def with_cities(made: Assistant) -> SessionKey:
    key = with_sample(made)
    made.upload(key, "cities.csv", io.BytesIO(CITIES.to_csv(index=False).encode()))
    return key


def test_the_right_table_answers_and_a_join_is_proposed_then_made(
    assistant: Open, orders: pd.DataFrame
) -> None:
    made = assistant()
    key = with_cities(made)
    text, listed = result(made, key, "what tables are there?")
    assert "**2** tables" in text and "about cities" in text
    assert [row[:1] + row[3:4] for row in listed.output["table"]["rows"]] == [["orders", 6000], ["cities", 3]]
    text, _ = result(made, key, "total revenue by region")
    assert "table orders" in text
    text, checked = result(made, key, "total revenue by mayor")
    alone = int((~orders["city"].isin(CITIES["city"])).sum())
    assert "many to one" in text and "nothing was joined yet" in text and f"**{alone:,}** rows" in text
    assert checked.facts["left_unmatched"] == alone and len(made.datasets(key)) == 2
    text, joined = result(made, key, "join orders with cities on city")
    assert f"**{alone:,}** rows of orders have no partner" in text
    assert any(note.startswith(f"{alone:,} rows of orders") for note in joined.notes)
    text, total = result(made, key, "total revenue by mayor")
    both = orders.merge(CITIES, on="city", how="left")
    assert {k: v for k, v in total.output["table"]["rows"] if k} == pytest.approx(
        both.groupby("mayor")["revenue"].sum().to_dict()
    )
    assert "table orders" in text
    assert "columns of cities already" in said(ask(made, key, "join orders with cities"))


def test_versions_leave_with_the_conversation_and_are_made_again(
    assistant: Open, orders: pd.DataFrame
) -> None:
    made = assistant()
    key = with_cities(made)
    for request in (
        "remove rows where region is South",
        "join orders with cities on city",
        "add a column gross = revenue * 1.19",
    ):
        ask(made, key, request)
    cleaned = current(made, key)
    data = exported(made, key)
    back = made.import_session("bea", io.BytesIO(data))
    again = current(made, back)
    assert again.user_id == "bea" and rows_of(again) == rows_of(cleaned)
    assert [d.name for d in made.datasets(back)] == [d.name for d in made.datasets(key)]
    text, _ = result(made, back, "show the steps")
    assert "1. Remove rows where region is South" in text and "3. Add the column gross" in text
    result(made, back, "undo")
    assert "gross" not in [c.name for c in current(made, back).columns]
    lines = zipfile.ZipFile(io.BytesIO(data)).read("datasets.jsonl").decode().splitlines()
    last = json.loads(lines[-1])
    assert last["step"]["text"].startswith("Add the column gross") and last["attached"]
    lied = last["step"] | {"code": 'SELECT *, 1 AS gross FROM "orders"'}
    member = "\n".join([*lines[:-1], json.dumps(last | {"step": lied})]).encode()
    told = made.import_session("bea", changed(data, "datasets.jsonl", member))
    assert current(made, told).step["text"].startswith("SQL of an imported step that calls itself: Add")
    for code in ("SELECT * FROM '/etc/passwd'", "COPY orders TO '/tmp/x'", "SELECT nothing FROM orders"):
        member = "\n".join([*lines[:-1], json.dumps(last | {"step": lied | {"code": code}})]).encode()
        with pytest.raises(InvalidExport, match="cannot be made again"):
            made.import_session("bea", changed(data, "datasets.jsonl", member))


def test_a_verified_step_is_checked_on_both_tables(assistant: Open) -> None:
    made = assistant()
    key = with_sample(made)
    made.set_mode(key, "code")
    state = made.verified(key, "remove outliers of revenue")
    assert state.tests_passed and state.topic == "cleaning"
    names = {check["name"] for check in state.problem_tests}
    assert names == {"same rows again", "counted another way"}
    assert current(made, key).rows < 6000

"""What a profile says in words: each trap once, little of a clean table, and questions that can be asked."""

import datetime as dt
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from agents.card import data_card
from agents.planner.schema import Schema
from agents.planner.understand import understand
from analysis.findings import PROBLEM, Finding, findings, keys
from analysis.profiling import Profile, profile_table
from sandbox.client import Worker
from tests.analysis.conftest import Load

NOW = dt.datetime(2024, 6, 1, 12)
ROWS = 400
Look = Callable[..., tuple[Profile, dict[tuple[str, str], Finding]]]


@pytest.fixture
def look(worker: Worker, tmp_path: Path) -> Look:
    """The profile of a DataFrame, and its findings by kind and first column."""

    def found(frame: pd.DataFrame, **more: Any) -> tuple[Profile, dict[tuple[str, str], Finding]]:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.parquet"
        with duckdb.connect() as con:
            con.register("frame", frame)
            con.execute(f"COPY frame TO '{path}' (FORMAT parquet)")
            columns = [(n, k) for n, k, *_ in con.execute(f"DESCRIBE FROM '{path}'").fetchall()]
        profile = profile_table(worker, path, columns, now=NOW, **more)
        listed = findings(profile)
        assert [f.weight for f in listed] == sorted((f.weight for f in listed), reverse=True)
        assert all(f.text.endswith(".") and f.text[0].strip() for f in listed)
        return profile, {(f.kind, f.columns[0] if f.columns else ""): f for f in listed}

    return found


def dirty() -> pd.DataFrame:
    """A table with one of everything."""
    random = np.random.default_rng(1)
    row = np.arange(ROWS)
    age = random.integers(20, 70, ROWS)
    age[:5] = 999
    frame = pd.DataFrame(
        {
            "order_id": row,
            "customer_id": [f"C{number}" for number in np.where(row < 3, 390, row)],
            "city": np.array(["Rome", "rome", " Oslo", "Oslo", "Bonn"])[row % 5],
            "status": np.where(row < 8, "open", "closed"),
            "comment": np.array(["fine", "N/A", "good", "", "bad"])[row % 5],
            "weight_text": [f"{number / 4:.2f}" for number in row % 37],
            "price": random.normal(100, 10, ROWS).round(2),
            "age": age,
            "discount_percent": random.integers(0, 60, ROWS),
            "signed": pd.Series(pd.date_range("2023-01-01", periods=ROWS, freq="D")),
            "closed": pd.Series(pd.date_range("2023-01-01", periods=ROWS, freq="D")),
            "zone": "EU",
            "nothing": pd.Series([None] * ROWS, dtype="float64"),
            "spend": random.lognormal(2, 2, ROWS).round(2),
            "note": pd.Series([f"remark {number}" for number in row]).where(row % 5 > 0),
        }
    )
    frame["gross"] = frame["price"] * 1.19
    frame.loc[:4, "price"] = -7.5
    frame.loc[5, "discount_percent"] = 140
    frame.loc[:2, "closed"] = pd.Timestamp("1900-01-01")
    frame.loc[7, "signed"] = pd.Timestamp("2031-01-01")
    frame.loc[399, "city"] = "Total"
    return frame


def test_every_trap_is_found_with_its_count(look: Look) -> None:
    frame = dirty()
    profile, found = look(frame)
    told = {where: finding.count for where, finding in found.items()}
    quartiles = frame["spend"].quantile([0.25, 0.75])
    fence = quartiles[0.75] + 1.5 * (quartiles[0.75] - quartiles[0.25])
    expected = {
        ("totals", "city"): 1,
        ("spellings", "city"): 2,
        ("sentinel", "age"): 5,
        ("placeholder date", "closed"): 3,
        ("negative", "price"): 5,
        ("percent", "discount_percent"): 1,
        ("future", "signed"): int((frame["signed"] > NOW).sum()),
        ("placeholders", "comment"): int((frame["comment"] == "N/A").sum()),
        ("blanks", "comment"): int((frame["comment"] == "").sum()),
        ("numbers as text", "weight_text"): ROWS,
        ("missing", "note"): int(frame["note"].isna().sum()),
        ("empty", "nothing"): ROWS,
        ("constant", "zone"): ROWS,
        ("imbalance", "status"): 8,
        ("nearly unique", "customer_id"): 3,
        ("outliers", "spend"): int((frame["spend"] > fence).sum()),
    }
    assert {where: told.get(where) for where in expected} == expected
    assert ("skew", "spend") in found and ("key", "order_id") in found
    assert [column.name for column in keys(profile)] == ["order_id"]
    assert "80.0 % of them where city is" not in found["missing", "note"].text
    assert found["totals", "city"].weight > found["spellings", "city"].weight > PROBLEM
    assert found["imbalance", "status"].weight < PROBLEM
    assert "“Oslo” = “␣Oslo”" in found["spellings", "city"].text.replace(
        "“␣Oslo” = “Oslo”", "“Oslo” = “␣Oslo”"
    )


def test_correlations_where_gaps_are_and_repeated_rows(look: Look) -> None:
    row = np.arange(3_000)
    frame = pd.DataFrame({"region": np.array(["North", "South", "West"])[row % 3], "x": row % 500 * 1.5})
    frame["y"] = -2 * frame["x"] + 0.001 * (row % 7)
    frame["score"] = pd.Series(row * 0.5).where((row % 3 != 1) | (row % 6 != 1))
    frame["flag"] = row % 2 == 0
    _, found = look(pd.concat([frame, frame.head(20)]))
    assert found["duplicates", ""].text == "20 rows (0.7 %) repeat an earlier row in every column."
    assert found["duplicates", ""].fix == "remove duplicate rows"
    assert "move in opposite directions: correlation -1.00." in found["correlation", "x"].text
    assert found["correlation", "x"].question == "correlation between x and y"
    assert "100.0 % of them where region is “South”" in found["missing", "score"].text


def test_a_clean_table_and_an_empty_one_stay_quiet(look: Look) -> None:
    random = np.random.default_rng(5)
    clean = pd.DataFrame(
        {
            "id": np.arange(300),
            "group": np.array(["a", "b", "c"])[random.integers(0, 3, 300)],
            "value": random.random(300),
            "zip": [f"0{number:04}" for number in random.integers(0, 99, 300)],
        }
    )
    _, found = look(clean)
    assert set(found) == {("key", "id")}
    _, found = look(clean.head(0))
    assert set(found) == {("no rows", "")}


def test_of_a_sample_it_says_so(look: Look) -> None:
    frame = pd.DataFrame({"id": np.arange(100), "zone": "EU", "n": np.arange(100) % 7})
    frame.loc[:9, "zone"] = None
    _, found = look(frame, rows_total=10_000)
    assert (
        found["key", "id"].text == "id has a different value in every row of those looked at: a likely key."
    )
    assert found["missing", "zone"].count == 1_000 and ("duplicates", "") not in found


def test_the_questions_can_be_asked(load: Load) -> None:
    engine = load(orders=dirty())
    dataset = engine.dataset()
    card = re.search("<data_card>(.*)</data_card>", data_card([dataset]), re.DOTALL)
    assert card is not None
    schema = Schema.from_card(json.loads(card.group(1)))
    assert schema is not None
    profile = Profile.from_json(dataset.profile_path.read_text())
    asked = {finding.question for finding in findings(profile)} - {""}
    unanswered = {q: intent.reply for q in asked if not (intent := understand(q, schema)).tool}
    assert len(asked) >= 8 and not unanswered
    assert "rows where age equals 999" in asked and "number of rows by city" in asked

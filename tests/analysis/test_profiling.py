"""Every figure of a profile, against pandas; odd columns, wide and empty tables, samples."""

import datetime as dt
import math
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from analysis.column_kinds import kind_of
from analysis.profiling import ColumnProfile, Profile, profile_table
from sandbox.client import Worker
from sandbox.errors import WorkerStopped

NOW = dt.datetime(2024, 6, 1, 12)
PARTS = {"5%": 0.05, "25%": 0.25, "50%": 0.5, "75%": 0.75, "95%": 0.95}
Make = Callable[..., Profile]


@pytest.fixture
def made(worker: Worker, tmp_path: Path) -> Make:
    """The profile of what a SELECT gives, `frame` being a table in it."""

    def make(sql: str, frame: pd.DataFrame | None = None, **more: Any) -> Profile:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.parquet"
        with duckdb.connect(config={"threads": 1}) as con:
            con.execute("SET TimeZone = 'UTC'")
            if frame is not None:
                con.register("frame", frame)
            con.execute(f"COPY ({sql}) TO '{path}' (FORMAT parquet)")
            columns = [(n, k) for n, k, *_ in con.execute(f"DESCRIBE FROM '{path}'").fetchall()]
        profile = profile_table(worker, path, columns, now=NOW, **more)
        assert Profile.from_json(profile.to_json()) == profile
        assert [(c.name, c.type, c.kind) for c in profile.details] == [(n, k, kind_of(k)) for n, k in columns]
        return profile

    return make


def same_numbers(found: ColumnProfile, values: pd.Series) -> None:
    """Everything said of a column of numbers; NaN and infinities apart, as `found` has them."""
    present = values.dropna()
    finite = present[np.isfinite(present.astype(float))]
    assert found.distinct == present.nunique() + found.not_finite.get("nan", 0).__bool__()
    if not len(finite):
        assert (found.min, found.mean, found.histogram) == (None, None, {})
        return
    assert (found.min, found.max) == (finite.min(), finite.max())
    floats = finite.astype(float)
    assert found.mean == pytest.approx(floats.mean(), rel=1e-12, abs=1e-12 * floats.abs().max())
    if len(finite) > 1:
        assert found.std == pytest.approx(floats.std(), rel=1e-9, abs=1e-12)
    if found.skew is not None:
        assert found.skew == pytest.approx(floats.skew(), rel=1e-6, abs=1e-6)
    for name, part in PARTS.items():
        assert found.quantiles[name] == pytest.approx(floats.quantile(part), rel=1e-12)
    ranked = sorted(finite.value_counts().items(), key=lambda pair: (-pair[1], pair[0]))
    assert found.top == [[value, count] for value, count in ranked[:30]]
    q1, q3 = floats.quantile(0.25), floats.quantile(0.75)
    assert found.outliers["below"] == (floats < q1 - 1.5 * (q3 - q1)).sum()
    assert found.outliers["above"] == (floats > q3 + 1.5 * (q3 - q1)).sum()
    assert found.signs == {"zero": (finite == 0).sum(), "negative": (finite < 0).sum()}
    assert found.over == {"100": (finite > 100).sum(), "120": (finite > 120).sum()}
    if found.histogram:
        edges, counts = found.histogram["edges"], found.histogram["counts"]
        assert sum(counts) == len(finite) and len(edges) == len(counts) + 1
        if len(counts) == 20:
            assert counts == np.histogram(floats, 20)[0].tolist()


def same_texts(found: ColumnProfile, values: pd.Series) -> None:
    """Everything said of a column of text."""
    present = values.dropna()
    counts = present.value_counts()
    assert found.distinct == len(counts)
    assert [count for _, count in found.top] == counts.head(30).tolist()
    assert all(counts[value] == count for value, count in found.top)
    lengths = present.str.len()
    assert (found.lengths["min"], found.lengths["max"]) == (lengths.min(), lengths.max())
    assert found.lengths["mean"] == pytest.approx(lengths.mean(), rel=1e-12)
    bare = present.str.strip(" ")
    assert found.text["empty"] == (present == "").sum()
    assert found.text["blank"] == ((bare == "") & (present != "")).sum()
    assert found.text["spaces"] == ((bare != present) & (bare != "")).sum()


@pytest.mark.parametrize("rows", [40, 30_000])
def test_numbers_as_pandas_has_them(made: Make, rows: int) -> None:
    random = np.random.default_rng(3)
    gaps = np.arange(rows) % 7 == 3
    frame = pd.DataFrame(
        {
            "id": np.arange(rows) - 5,
            "small": random.integers(-3, 4, rows),
            "byte": pd.Series(random.integers(0, 250, rows), dtype="uint8"),
            "money": np.round(random.lognormal(3, 1.2, rows), 2),
            "negative": random.normal(-50, 30, rows),
            "gaps": pd.Series(np.where(gaps, np.nan, random.normal(0, 1, rows))),
            "whole with gaps": pd.Series(random.integers(0, 1000, rows)).where(~gaps).astype("Int64"),
            "constant": np.full(rows, 7),
            "one": pd.Series([1.5] + [None] * (rows - 1), dtype="float64"),
            "tiny": random.random(rows) * 1e-300,
            "float": random.random(rows).astype("float32"),
            "wild": np.where(np.arange(rows) % 2, 1e150, -1e150),
        }
    )
    profile = made("SELECT * FROM frame", frame)
    assert (profile.rows, profile.exact, profile.duplicates) == (rows, True, 0)
    for found in profile.details:
        values = frame[found.name]
        assert found.missing == values.isna().sum()
        same_numbers(found, values)
    assert profile.words == f"Computed on all {rows:,} rows."


def test_numbers_that_are_hard_to_hold(made: Make) -> None:
    values = [2**63 - 1, 2**63 - 2, -(2**63), 2**53, 2**53 + 1, 2**53 + 1]
    profile = made(
        f"SELECT unnest({values}::BIGINT[]) AS big,"
        f" unnest([{2**64 - 1}, 1, 2, 3, 4, 5]::UBIGINT[]) AS unsigned,"
        f" unnest([{2**70}, {2**70 + 1}, 1, 1, 1, NULL]::DECIMAL(38)[]) AS huge,"
        " unnest([1e300, -1e300, 1e300, -1e300, 1e300, -1e300]) AS wild,"
        " unnest(['1.10', '1.10', '-2.25', '0', NULL, '3']::DECIMAL(9,2)[]) AS price,"
        " unnest(['90071992547409.931', '90071992547409.932', '1', '1', '2', '3']::DECIMAL(18,3)[]) AS exact,"
        " unnest(['nan', 'inf', '-inf', '1', NULL, '3']::DOUBLE[]) AS odd,"
        " unnest(['nan', 'nan', NULL, NULL, NULL, NULL]::DOUBLE[]) AS no_number,"
        " NULL::DOUBLE AS nothing"
    )
    big = profile.column("big")
    assert (big.min, big.max, big.distinct) == (-(2**63), 2**63 - 1, 5)
    assert big.mean == sum(values) / 6 and big.top[0] == [2**53 + 1, 2]
    assert profile.column("unsigned").max == 2**64 - 1
    huge = profile.column("huge")
    assert (huge.min, huge.max, huge.distinct, huge.missing) == ("1", str(2**70 + 1), 3, 1)
    assert huge.top[0] == ["1", 3]
    wild = profile.column("wild")
    assert (wild.mean, wild.std, wild.histogram["counts"][0]) == (0, None, 3)
    price = profile.column("price")
    assert (price.min, price.max) == ("-2.25", "3.00") and price.mean == pytest.approx(2.95 / 5)
    assert price.top[0] == ["1.10", 2] and price.quantiles["50%"] == pytest.approx(1.1)
    exact = profile.column("exact")
    assert (exact.distinct, exact.max, exact.top[0]) == (5, "90071992547409.932", ["1.000", 2])
    odd = profile.column("odd")
    assert (odd.min, odd.max, odd.mean, odd.missing, odd.distinct) == (1, 3, 2, 1, 5)
    assert odd.not_finite == {"nan": 1, "above": 1, "below": 1}
    told = {column.name: column for column in profile.columns}
    assert (told["odd"].min, told["odd"].max, told["odd"].mean) == (None, None, None), "no end to the range"
    assert Decimal(told["price"].max) == 3 and told["big"].max == 2**63 - 1
    assert profile.column("no_number").distinct == 1 and profile.column("no_number").min is None
    nothing = profile.column("nothing")
    assert (nothing.missing, nothing.distinct, nothing.top, nothing.quantiles) == (6, 0, [], {})


@pytest.mark.parametrize("rows", [60, 30_000])
def test_dates_and_times(made: Make, rows: int) -> None:
    moments: Any = pd.Series(pd.date_range("1899-12-30 06:30", periods=rows, freq="3D"))
    moments[5] = pd.NaT
    profile = made(
        "SELECT m, m::DATE AS d, m::TIMESTAMPTZ AS z, m::TIMESTAMP_NS AS ns,"
        " (m + INTERVAL (hash(m) % 86400) SECOND)::TIME AS t,"
        " CASE WHEN m < '1900-02-01' THEN 'infinity'::DATE ELSE m::DATE END AS endless FROM frame",
        moments.to_frame("m"),
    )
    for name in ("m", "z", "ns"):
        found = profile.column(name)
        assert (found.missing, found.distinct) == (1, rows - 1)
        assert (found.min, pd.Timestamp(found.max)) == ("1899-12-30 06:30:00", moments.max())
        for label, part in PARTS.items():
            assert abs(pd.Timestamp(found.quantiles[label]) - moments.quantile(part)) < pd.Timedelta("2us")
        assert found.future == (moments > pd.Timestamp(NOW)).sum()
        assert sum(found.histogram["counts"]) == rows - 1
    days: Any = moments.dt.normalize()
    day = profile.column("d")
    assert (day.min, day.max) == ("1899-12-30", str(days.max().date()))
    assert day.quantiles["50%"] == str(days.quantile(0.5).date())
    watched = ("1900-01-01", "1970-01-01", "2099-12-31")
    assert day.watched == [[d, n] for d in watched if (n := int((days == d).sum()))]
    endless = profile.column("endless")
    early = int((moments < "1900-02-01").sum())
    assert endless.not_finite == {"endless": early} and endless.missing == 1
    assert endless.distinct == rows - 1 - early + 1 and profile.column("t").min < profile.column("t").max
    far = made("SELECT unnest(['0044-03-15 (BC)', '9999-12-31', '12000-01-01']::DATE[]) AS d").column("d")
    assert (far.max, far.watched) == ("12000-01-01", [["9999-12-31", 1]]) and far.min.startswith("-")


@pytest.mark.parametrize("rows", [500, 30_000])
def test_texts(made: Make, rows: int) -> None:
    numbers = np.arange(rows)
    city = np.array(["Rome", "rome", " Rome", "Oslo", "", "  ", "N/A", "total", "Zürich", "Łódź 🏙"])
    frame = pd.DataFrame(
        {
            "city": pd.Series(city[numbers % 10]).where(numbers % 11 > 0),
            "code": [f"K-{number:07}" for number in numbers],
            "number": [f"{number % 900}.50" for number in numbers],
            "zip": [f"0{number % 900:04}" for number in numbers],
            "nearly": [f"v{number // 2}" for number in numbers],
        }
    )
    profile = made("SELECT * FROM frame", frame)
    for found in profile.details:
        same_texts(found, frame[found.name])
        assert found.missing == frame[found.name].isna().sum()
    cities = profile.column("city").text
    assert (cities["variants"], cities["spellings"]) == (2, [["", "  "], [" Rome", "Rome", "rome"]])
    assert cities["placeholders"] == (frame["city"] == "N/A").sum()
    assert cities["totals"] == (frame["city"] == "total").sum()
    assert profile.column("number").text["numbers"] == rows
    assert profile.column("zip").text["numbers"] == 0, "leading zeros make a name, not a number"


@pytest.mark.parametrize("name", ["key", "h", "n"])
def test_many_texts_by_their_hashes(made: Make, name: str) -> None:
    rows = 60_000
    frame = pd.DataFrame({name: [f"k{number}" for number in range(rows)]})
    frame.loc[rows - 400 :, name] = "again "
    frame.loc[5, name] = None
    profile = made("SELECT *, NULL AS empty FROM frame", frame)
    found = profile.column(name)
    assert (found.missing, found.distinct, found.top[0]) == (1, rows - 400, ["again ", 400])
    assert found.text["spaces"] == 400 and found.lengths["max"] == 6
    assert profile.duplicates == 399


def test_names_that_queries_use_themselves(made: Make) -> None:
    names = ["v", "n", "g", "f", "t", "vs", 'a "b"; --', "c0_0", "h"]
    frame = pd.DataFrame(
        {name: [f"{i}{number % 50}" for number in range(25_000)] for i, name in enumerate(names)}
    )
    for place, name in enumerate(names):
        frame.loc[frame.index % (place + 7) == 0, name] = None
    profile = made("SELECT * FROM frame", frame)
    for found in profile.details:
        same_texts(found, frame[found.name])
        assert found.missing == frame[found.name].isna().sum()


def test_other_types_and_yes_or_no(made: Make) -> None:
    profile = made(
        "SELECT unnest([[1, 2], [1, 2], [2], NULL]) AS list,"
        " unnest([{'a': 1}, {'a': NULL}, {'a': 1}, NULL]) AS s, unnest([true, true, false, NULL]) AS flag,"
        " unnest(['\\xAA'::BLOB, '', '', NULL]) AS blob, unnest([uuid(), uuid(), uuid(), NULL]) AS id,"
        " unnest([INTERVAL 1 DAY, INTERVAL 1 DAY, NULL, NULL]) AS i"
    )
    told = {c.name: (c.missing, c.distinct, [count for _, count in c.top]) for c in profile.details}
    assert told == {
        "list": (1, 2, [2, 1]), "s": (1, 2, [2, 1]), "flag": (1, 2, [2, 1]), "blob": (1, 2, [2, 1]),
        "id": (1, 3, []), "i": (2, 1, [2]),
    }  # fmt: skip
    assert profile.column("flag").mean == pytest.approx(2 / 3)
    assert profile.columns[2].values == [True, False] and profile.columns[2].mean is None


def test_wide_and_empty_tables(made: Make) -> None:
    columns = ", ".join(f"i + {n} AS n{n}, 'x' || (i % {n % 5 + 1}) AS t{n}" for n in range(1000))
    wide = made(f"SELECT {columns} FROM range(10) r(i)")
    assert len(wide.details) == 2000 and wide.column("n999").max == 1008
    assert wide.column("t4").top == [[f"x{n}", 2] for n in range(5)]
    empty = made("SELECT 1 AS n, 'x' AS t, DATE '2024-01-01' AS d, true AS b, [1] AS l, 1.5 AS m WHERE false")
    assert (empty.rows, empty.duplicates) == (0, 0)
    assert [(c.missing, c.distinct, c.top) for c in empty.details] == [(0, 0, [])] * 6


def test_duplicates_and_relations(made: Make) -> None:
    frame = pd.DataFrame({"a": [1, 1, 2, 2, 2] * 40, "b": ["x", "x", "y", "z", "z"] * 40})
    frame["c"] = frame["a"] * 2.5 + np.arange(200) % 2 * 0.01
    frame["d"] = np.random.default_rng(0).random(200).round(1)
    profile = made("SELECT * FROM frame", frame)
    assert profile.duplicates == frame.duplicated().sum() > 0
    (pair,) = profile.correlations
    assert pair[:2] == ["a", "c"] and pair[2] == pytest.approx(frame["a"].corr(frame["c"]), abs=1e-6)
    assert profile.correlation_rows == 200


def test_a_sample_says_that_it_is_one(made: Make) -> None:
    frame = pd.DataFrame({"n": [1, 2, 3, None, 0], "t": ["a", "a", "b", " c", "d"]})
    profile = made("SELECT * FROM frame", frame, rows_total=5_000)
    assert (profile.exact, profile.rows, profile.rows_seen, profile.duplicates) == (False, 5_000, 5, None)
    n, t = profile.details
    assert (n.missing, n.distinct, n.max, n.signs["zero"]) == (1_000, 4, 3, 1_000)
    assert t.top[0] == ["a", 2_000] and t.text["spaces"] == 1_000
    assert sum(n.histogram["counts"]) == 4_000
    assert profile.words.startswith("Quick look at 5 of about 5,000 rows")


def test_it_tells_how_far_it_is_and_can_be_stopped(worker: Worker, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    select = "SELECT i, i % 7 AS k, i::VARCHAR AS t FROM range(600_000) r(i)"
    duckdb.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet)")
    columns = [("i", "BIGINT"), ("k", "BIGINT"), ("t", "VARCHAR")]
    told: list[float] = []

    def stop(part: float, text: str) -> None:
        told.append(part)
        worker.kill()

    with pytest.raises(WorkerStopped):
        profile_table(worker, path, columns, progress=stop)
    assert told and 0 < told[0] < 1
    assert math.isclose(profile_table(worker, path, columns).column("i").mean or 0, 299_999.5)

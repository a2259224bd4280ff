"""Objects as data: each kind of column and value exact, everything bounded, nothing that breaks a run."""

import datetime as dt
import json
import math
from decimal import Decimal
from typing import Any

import duckdb
import matplotlib as mpl
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pyarrow as pa
import pytest

from sandbox import outputs
from sandbox.figures import png
from sandbox.frames import table
from sandbox.outcome import (
    FigureOutput,
    ImageOutput,
    Output,
    RunOutcome,
    TableOutput,
    TextOutput,
    ValueOutput,
)
from sandbox.outputs import Outputs
from sandbox.table import Table

mpl.use("agg")


def shown(value: Any, title: str = "") -> Output:
    """The only output of a value, after JSON."""
    found = all_shown(value, title)
    assert len(found) == 1
    return found[0]


def all_shown(value: Any, title: str = "") -> list[Output]:
    """Every output of a value, after JSON."""
    collected = Outputs()
    collected.show(value, title)
    wire = {"outputs": collected.items, "printed": "", "failure": None, "duration": 0, "notes": []}
    return RunOutcome.from_json(json.loads(json.dumps(wire, allow_nan=False))).outputs


def rows(value: Any) -> Table:
    """The table that a value is shown as."""
    output = shown(value)
    assert isinstance(output, TableOutput)
    return output.table


def columns(value: Any) -> dict[str, str]:
    """Names and types of the table that a value is shown as."""
    return {column.name: column.type for column in rows(value).columns}


TYPED: list[tuple[Any, str, list[Any]]] = [
    (pd.Series([1, 2], dtype="int8"), "TINYINT", [1, 2]),
    (pd.Series([2**64 - 1], dtype="uint64"), "UBIGINT", [2**64 - 1]),
    (pd.Series([1, None], dtype="Int64"), "BIGINT", [1, None]),
    (pd.Series([1.5, None], dtype="Float64"), "DOUBLE", [1.5, None]),
    (pd.Series([math.inf, -math.inf, 0.1]), "DOUBLE", [math.inf, -math.inf, 0.1]),
    (pd.Series([True, None], dtype="boolean"), "BOOLEAN", [True, None]),
    (pd.Series(["a", None]), "VARCHAR", ["a", None]),
    (pd.Series(["b", None, "a"], dtype="category"), "VARCHAR", ["b", None, "a"]),
    (pd.Series([3, None, 1]).astype("category"), "DOUBLE", [3, None, 1]),
    (pd.Series([dt.datetime(2024, 2, 29, 1), None]), "TIMESTAMP", [dt.datetime(2024, 2, 29, 1), None]),
    (pd.Series(pd.date_range("2024-01-01", periods=1, tz="Europe/Berlin")), "TIMESTAMP WITH TIME ZONE",
     [dt.datetime(2023, 12, 31, 23, tzinfo=dt.UTC)]),
    (pd.Series([dt.timedelta(days=-1, seconds=5), None]), "INTERVAL",
     [dt.timedelta(days=-1, seconds=5), None]),
    (pd.Series(pd.period_range("2024-01", periods=2, freq="M")), "VARCHAR", ["2024-01", "2024-02"]),
    (pd.Series(pd.interval_range(0, 2)), "VARCHAR", ["(0, 1]", "(1, 2]"]),
    (pd.Series([1 + 2j]), "VARCHAR", ["(1+2j)"]),
    (pd.Series([dt.date(2024, 2, 29), None], dtype=object), "DATE", [dt.date(2024, 2, 29), None]),
    (pd.Series([dt.time(1, 2)], dtype=object), "TIME", [dt.time(1, 2)]),
    (pd.Series([Decimal("1.10"), None], dtype=object), "DECIMAL(38,2)", [Decimal("1.10"), None]),
    (pd.Series([1, 2.5, None], dtype=object), "DOUBLE", [1, 2.5, None]),
    (pd.Series([True, False, None], dtype=object), "BOOLEAN", [True, False, None]),
    (pd.Series([2**100], dtype=object), "HUGEINT", [2**100]),
    (pd.Series([2**200], dtype=object), "VARCHAR", [str(2**200)]),
    (pd.Series([b"\x00\xff"], dtype=object), "BLOB", [b"\x00\xff"]),
    (pd.Series([[1, 2], None, []]), "BIGINT[]", [[1, 2], None, []]),
    (pd.Series([[[1.5], None], [[2]]]), "DOUBLE[][]", [[[1.5], None], [[2]]]),
    (pd.Series([{"a": 1}, None]), "VARCHAR", ['{"a": 1}', None]),
    (pd.Series([1, "a", None, [1]], dtype=object), "VARCHAR", ["1", "a", None, "[1]"]),
    (pd.Series(pd.arrays.SparseArray([0, 0, 5])), "BIGINT", [0, 0, 5]),
    (pd.Series([1, None], dtype=pd.ArrowDtype(pa.int16())), "SMALLINT", [1, None]),
    (pd.Series(["ä\ud800"], dtype=object), "VARCHAR", ["ä?"]),
]  # fmt: skip


@pytest.mark.parametrize(("series", "kind", "values"), TYPED)
def test_columns_keep_type_and_value(series: "pd.Series[Any]", kind: str, values: list[Any]) -> None:
    found = rows(series.to_frame("x"))
    assert (found.columns[0].type, found.column("x")) == (kind, values)


def test_nan_stays_what_it_is() -> None:
    found = rows(pd.DataFrame({"x": [math.nan, 1.0], "f": np.array([math.nan, 0.5], dtype="float32")}))
    assert [column.type for column in found.columns] == ["DOUBLE", "FLOAT"]
    assert math.isnan(found.column("x")[0]) and math.isnan(found.column("f")[0])


def test_an_index_that_means_something_stays() -> None:
    frame = pd.DataFrame({"a": [1, 2]})
    assert list(columns(frame)) == ["a"] == list(columns(frame.iloc[1:]))
    assert list(columns(frame.set_index(pd.Index(["x", "y"])))) == ["index", "a"]
    assert list(columns(frame.rename_axis("n"))) == ["n", "a"]
    several = pd.MultiIndex.from_tuples([(1, "x"), (2, "y")], names=["k", None])
    assert columns(frame.set_index(several)) == {"k": "BIGINT", "level_1": "VARCHAR", "a": "BIGINT"}
    assert list(columns(frame.set_index(pd.Index([1, 2], name="a")))) == ["a", "a_2"]


def test_labels_become_names_that_can_be_told_apart() -> None:
    levels = pd.DataFrame(
        [[1, 2, 3]], columns=pd.MultiIndex.from_tuples([("r", "sum"), ("r", 2024), ("q", "")])
    )
    assert list(columns(levels)) == ["r sum", "r 2024", "q"]
    odd = pd.DataFrame([[1] * 6], columns=["x", "x", 1, 1.0, pd.Timestamp("2024-05-01"), None])
    assert list(columns(odd)) == ["x", "x_2", "1", "1_2", "2024-05-01", "column"]


def test_tables_are_bounded_in_every_direction() -> None:
    wide = rows(pd.DataFrame(np.zeros((2, 700))))
    assert (len(wide.columns), wide.row_count, wide.truncated) == (500, 2, True)
    long = rows(pd.DataFrame({"n": range(6_000)}))
    assert (len(long.rows), long.row_count, long.truncated) == (5_000, 6_000, True)
    texts = rows(pd.DataFrame({"t": ["x" * 100_000] * 5_000}))
    assert len(texts.rows) < 1_700 and len(texts.rows[0][0]) == 5_000 and texts.row_count == 5_000
    assert rows(pd.DataFrame({"a": []})).rows == []


def test_everything_like_a_table_is_one() -> None:
    frame = pd.DataFrame({"g": ["a", "b", "a"], "v": [1, 2, 3]})
    assert rows(frame["v"]).column("v") == [1, 2, 3]
    assert rows(frame.groupby("g")["v"].sum()).records() == [{"g": "a", "v": 4}, {"g": "b", "v": 2}]
    assert rows(frame.groupby("g")).records() == [{"g": "a", "rows": 2}, {"g": "b", "rows": 1}]
    assert rows(frame["g"].value_counts()).column("count") == [2, 1]
    assert rows(frame.style).names == ["g", "v"]
    assert rows(frame.columns).column("index") == ["g", "v"]
    assert rows(pa.table({"n": list(range(6_000))})).row_count == 6_000
    assert rows(np.array([1.5, 2])).column("value") == [1.5, 2]
    assert rows(np.eye(2)).names == ["column_1", "column_2"]
    assert rows({"a": 1, "b": "x"}).records() == [{"a": 1, "b": "x"}]
    assert len(rows({str(i): i for i in range(20)}).rows) == 20
    assert rows([{"a": 1}, {"a": 2, "b": None}]).column("a") == [1, 2]
    assert rows([3, 4]).column("value") == [3, 4]
    assert rows({"a": [1, 2], "b": [3, 4]}).column("b") == [3, 4]


def test_a_frame_of_another_library_by_its_to_pandas() -> None:
    class Foreign:
        def __len__(self) -> int:
            return 9_000

        def head(self, n: int) -> "Foreign":
            assert n == 5_000
            return self

        def to_pandas(self) -> pd.DataFrame:
            return pd.DataFrame({"a": [1]})

    assert (rows(Foreign()).row_count, rows(Foreign()).column("a")) == (9_000, [1])


def test_relations_keep_the_types_of_the_database() -> None:
    connection = duckdb.connect()
    found = rows(connection.sql("SELECT 1.10::DECIMAL(4,2) AS d, 2::HUGEINT AS \"h\"\"q\", [1] AS l, "
                                "TIMESTAMPTZ '2024-01-01 00:00:00+00' AS z FROM range(7000)"))  # fmt: skip
    assert [column.type for column in found.columns] == [
        "DECIMAL(4,2)", "HUGEINT", "INTEGER[]", "TIMESTAMP WITH TIME ZONE",
    ]  # fmt: skip
    assert found.rows[0][:3] == [Decimal("1.10"), 2, [1]] and found.row_count == 7_000
    assert rows(connection.execute("SELECT 5 AS n")).column("n") == [5]


VALUES: list[tuple[Any, Any]] = [
    (3, 3), (True, True), (np.bool_(False), False), (np.int64(4), 4), (np.float32(0.5), 0.5),
    (math.nan, "nan"),
    (math.inf, "inf"), (Decimal("2.50"), 2.5), (Decimal("1") / 3, str(Decimal("1") / 3)), ("text", "text"),
    (dt.date(2024, 2, 29), "2024-02-29"), (pd.Timestamp("2024-01-01 10:00"), "2024-01-01T10:00:00"),
    (np.datetime64("2024-01-01"), "2024-01-01"), (dt.timedelta(hours=1), "1:00:00"), (1 + 2j, "(1+2j)"),
    (pd.Period("2024-01"), "2024-01"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "expected"), VALUES)
def test_single_values(value: Any, expected: Any) -> None:
    assert shown(value, "t") == ValueOutput("t", expected)


def test_nothing_is_no_output_and_the_rest_is_text() -> None:
    assert all_shown(None) == []
    assert shown(len) == TextOutput("", "<built-in function len>")
    assert isinstance(shown("line\nline"), TextOutput)
    assert isinstance(shown(2**5000), TextOutput)
    assert isinstance(shown(np.zeros((2, 2, 2))), TextOutput)
    assert isinstance(shown([]), TextOutput)


def test_frames_in_a_dictionary_are_shown_one_by_one() -> None:
    found = all_shown({"one": pd.DataFrame({"a": [1]}), "two": 2})
    assert [type(item) for item in found] == [TableOutput, ValueOutput]
    assert found[1] == ValueOutput("two", 2)


def test_what_raises_or_never_ends_at_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    class Raises:
        def __repr__(self) -> str:
            raise SystemExit

    class Loops:
        def __repr__(self) -> str:
            while True:
                try:
                    while True:
                        pass
                except Exception:
                    continue

    class Lies(list[int]):
        def __len__(self) -> int:
            raise ValueError

    monkeypatch.setattr(outputs, "REPR_SECONDS", 0.2)
    raised, looped, lied = shown(Raises()), shown(Loops()), shown(Lies([1]))
    assert isinstance(raised, TextOutput) and raised.text == "<Raises; its text cannot be shown: SystemExit>"
    assert isinstance(looped, TextOutput) and looped.text.startswith("<Loops; its text took longer than")
    assert isinstance(lied, (TextOutput, TableOutput))


def test_cells_that_raise_or_refer_to_themselves() -> None:
    class Raises:
        def __str__(self) -> str:
            raise ValueError

    circle: list[Any] = []
    circle.append(circle)
    found = rows(pd.DataFrame({"x": [Raises(), 1], "c": [{"a": circle}, {"b": 1}]}))
    assert found.column("x")[0] == "<Raises; its text cannot be shown: ValueError>"
    assert "..." in found.column("c")[0]


def test_a_figure_may_not_be_too_large() -> None:
    collected = Outputs()
    collected.show(go.Figure(go.Scatter(x=[str(i) * 20 for i in range(100_000)])))
    assert collected.items[0]["kind"] == "text" and "larger than 8 MB" in collected.notes[0]


def test_figures_with_dates_and_gaps() -> None:
    days = pd.date_range("2024-01-01", periods=2)
    output = shown(go.Figure(go.Scatter(x=days, y=[None, math.nan], text=pd.Categorical(["a", "b"]))))
    assert isinstance(output, FigureOutput)
    assert output.figure["data"][0]["x"][0].startswith("2024-01-01")
    assert output.figure["data"][0]["y"] == [None, None]


def test_pictures_are_bounded_and_of_the_wanted_resolution() -> None:
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(4, 3))
    axes.plot([1, 2])
    axes.set_title("Title")
    output = shown(axes)
    assert isinstance(output, ImageOutput) and output.title == "Title"
    width = int.from_bytes(output.png[16:20], "big")
    assert 500 < width < 620
    assert plt.get_fignums() == []
    huge, axes = plt.subplots(figsize=(200, 2))
    axes.plot([1, 2])
    image = shown(huge)
    assert isinstance(image, ImageOutput) and int.from_bytes(image.png[16:20], "big") <= 4_000
    assert png(figure) is not None


def test_whatever_plots_give_back_is_the_picture() -> None:
    from matplotlib import pyplot as plt

    frame = pd.DataFrame({"a": [1, 2, 2], "b": [3, 1, 2]})
    for value in (plt.plot([1, 2]), plt.bar([1], [2]), plt.hist([1, 2, 2]), frame.hist(), frame.plot()):
        assert isinstance(shown(value), ImageOutput)
        plt.close("all")


def test_models_and_summaries_are_text() -> None:
    import statsmodels.api as sm
    from sklearn.linear_model import LinearRegression

    x = np.arange(30.0)
    fitted = sm.OLS(x * 2 + np.sin(x), sm.add_constant(x)).fit()
    for value in (fitted.summary(), fitted):
        output = shown(value)
        assert isinstance(output, TextOutput) and "R-squared" in output.text
    model = shown(LinearRegression())
    assert isinstance(model, TextOutput) and model.text.startswith("LinearRegression()")


def test_a_result_with_named_parts_is_a_row() -> None:
    from scipy import stats

    found = rows(stats.ttest_ind([1.0, 2, 3, 4], [2.0, 3, 4, 5]))
    assert found.names[:2] == ["statistic", "pvalue"] and len(found.rows) == 1


def test_the_same_table_as_json_and_back() -> None:
    frame = pd.DataFrame({"t": pd.date_range("2024-01-01", periods=3, tz="UTC"), "l": [[1], [], None]})
    made = table(frame)
    assert Table.from_json(json.loads(json.dumps(made.to_json(), allow_nan=False))) == made

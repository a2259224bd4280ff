"""Charts of results: the right columns, the right rows, every limit said, and readable without a picture."""

import json
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from analysis.compare import compare
from analysis.correlate import correlate
from analysis.crosstab import crosstab
from analysis.describe import describe
from analysis.distribution import distribution
from analysis.engine import Engine
from analysis.errors import BadValue, NotNumeric, UnknownColumn, UnknownOption
from analysis.outliers import outliers
from analysis.query import query
from analysis.rows import rows
from analysis.show import KINDS, show
from analysis.sql import sql
from analysis.trend import trend
from storage.results import Result
from tests.analysis.conftest import Load

BERLIN: list[Any] = [{"column": "city", "op": "equals", "value": "Berlin"}]


def traces(result: Result) -> list[dict[str, Any]]:
    figure = result.output["figure"]
    go.Figure(figure)
    json.dumps(result.output, allow_nan=False)
    return figure["data"]  # type: ignore[no-any-return]


def axis(result: Result, name: str) -> str:
    return str(result.output["figure"]["layout"][f"{name}axis"]["title"]["text"])


@pytest.mark.parametrize("kind", KINDS)
def test_figures_are_plain_lists_without_colours_of_their_own(kind: str, engine: Engine) -> None:
    result = show(engine, kind)
    traces(result)
    text = json.dumps(result.output["figure"])
    for word in ("bdata", '"template"', "paper_bgcolor", "plot_bgcolor", "rgb(", "#"):
        assert word not in text
    assert ("colorscale" in text) == (kind == "heatmap"), "a correlation has two directions"
    assert result.tool == "show" and len(result.output["alt"]) > 30


def test_axis_titles_carry_the_aggregation(engine: Engine) -> None:
    assert axis(show(engine, "line", y="revenue", interval="month"), "y") == "Sum of revenue"
    assert axis(show(engine, "bar", x="region", y="revenue", aggregate="median"), "y") == "Median revenue"
    assert axis(show(engine, "bar", x="region"), "y") == "Number of rows"
    scattered = show(engine, "scatter", x="unit_price", y="revenue")
    assert (axis(scattered, "x"), axis(scattered, "y")) == ("unit_price", "revenue")


def test_named_columns_of_a_result_are_drawn(engine: Engine, orders: pd.DataFrame) -> None:
    base = query(engine, measure="revenue", aggregate=["sum", "mean"], by=["region"])
    (bar,) = traces(show(engine, "bar", base, y="average revenue"))
    expected = orders.groupby("region")["revenue"].mean()
    assert dict(zip(bar["x"], bar["y"], strict=True)) == pytest.approx(expected.to_dict())
    (same,) = traces(show(engine, "bar", base, x="region", y="revenue"))
    assert same["y"][0] == pytest.approx(orders.groupby("region")["revenue"].sum().max())
    with pytest.raises(UnknownColumn) as caught:
        show(engine, "bar", base, y="average revenu")
    assert "average revenue" in caught.value.suggestions


def test_a_number_that_groups_is_no_measure(engine: Engine, orders: pd.DataFrame) -> None:
    monthly = trend(engine, "revenue", by="rating", interval="year")
    drawn = traces(show(engine, "line", monthly))
    groups = orders.groupby("rating", dropna=False)["revenue"].sum()
    assert len(drawn) == len(groups)
    assert sum(sum(t["y"]) for t in drawn) == pytest.approx(orders["revenue"].sum())
    assert axis(show(engine, "line", monthly), "y") == "Sum of revenue"


def test_a_chart_can_be_drawn_another_way(engine: Engine, orders: pd.DataFrame) -> None:
    first = show(engine, "bar", x="region", y="revenue", by="channel")
    second = show(engine, "line", first)
    assert second.parents == [first.id] and second.code == first.code
    assert {t["name"] for t in traces(second)} == set(orders["channel"])
    grid = traces(show(engine, "heatmap", second))[0]
    pivot = orders.pivot_table(index="channel", columns="region", values="revenue", aggfunc="sum")
    assert np.allclose(np.array(grid["z"], dtype=float), pivot.loc[grid["y"], grid["x"]].to_numpy())


def test_a_crosstab_is_drawn_whole(engine: Engine, orders: pd.DataFrame) -> None:
    base = crosstab(engine, "region", "channel", measure="revenue")
    expected = orders.groupby(["region", "channel"])["revenue"].sum()
    for trace in traces(show(engine, "bar", base)):
        for region, total in zip(trace["x"], trace["y"], strict=True):
            assert total == pytest.approx(expected[region, trace["name"]])
    (grid,) = traces(show(engine, "heatmap", base))
    assert sorted(grid["x"]) == sorted(orders["region"].unique()) and "total" not in grid["y"]
    with pytest.raises(UnknownOption, match="one grouping"):
        show(engine, "pie", base)


def test_a_comparison_is_drawn_by_its_means(engine: Engine, orders: pd.DataFrame) -> None:
    (bar,) = traces(show(engine, "bar", compare(engine, "revenue", "channel")))
    expected = orders.groupby("channel")["revenue"].mean().to_dict()
    assert dict(zip(bar["x"], bar["y"], strict=True)) == pytest.approx(expected)


def test_charts_of_every_row_keep_what_the_result_is_about(engine: Engine, orders: pd.DataFrame) -> None:
    berlin = orders[orders["city"] == "Berlin"]
    pair = correlate(engine, "quantity", "unit_price", where=BERLIN)
    points = show(engine, "scatter", pair)
    assert points.rows_used == len(berlin) and points.parents == [pair.id]
    assert points.facts["trend"]["r"] == pytest.approx(pair.facts["r"])
    assert f"n = {len(berlin):,}" in points.notes[-1]
    spread = show(engine, "box", compare(engine, "revenue", "channel", where=BERLIN))
    assert spread.rows_used == len(berlin)
    assert sorted(traces(spread)[0]["x"]) == sorted(berlin["channel"].unique())
    for base in (describe(engine, "revenue", where=BERLIN), outliers(engine, "revenue", where=BERLIN)):
        bars = traces(show(engine, "histogram", base))[0]
        assert sum(bars["y"]) == len(berlin)
    listed = show(engine, "bar", rows(engine, where=BERLIN), x="channel")
    assert sum(traces(listed)[0]["y"]) == len(berlin)
    binned = distribution(engine, "revenue", where=BERLIN)
    assert sum(traces(show(engine, "histogram", binned))[0]["y"]) == len(berlin)


def test_one_row_has_nothing_to_compare(engine: Engine) -> None:
    with pytest.raises(NotNumeric, match="one row"):
        show(engine, "bar", query(engine, measure="revenue", aggregate=["sum", "mean"]))
    with pytest.raises(BadValue, match="add up"):
        show(engine, "pie", x="region", y="revenue", aggregate="mean")


def test_written_queries_are_drawn(engine: Engine, orders: pd.DataFrame) -> None:
    base = sql(engine, "SELECT region, channel, max(revenue) AS top FROM orders GROUP BY ALL ORDER BY ALL")
    drawn = traces(show(engine, "bar", base))
    expected = orders.groupby(["region", "channel"])["revenue"].max()
    found = {(x, t["name"]): y for t in drawn for x, y in zip(t["x"], t["y"], strict=True)}
    assert found == expected.to_dict()


def test_the_largest_series_and_cells_are_kept_and_said(load: Load) -> None:
    frame = pd.DataFrame(
        {"s": [f"s{n:02}" for n in range(40) for _ in range(3)], "m": ["x", "y", "z"] * 40,
         "v": [n for n in range(40) for _ in range(3)]}
    )  # fmt: skip
    engine = load(series=frame)
    bars = show(engine, "bar", x="m", y="v", by="s")
    assert {t["name"] for t in traces(bars)} == {f"s{n}" for n in range(28, 40)}
    assert any("12 largest of 40 series" in note for note in bars.notes)
    grid = show(engine, "heatmap", x="m", y="v", by="s")
    assert len(traces(grid)[0]["y"]) == 30 and any("30 largest of 40 groups" in n for n in grid.notes)
    boxes = show(engine, "box", y="v", by="s")
    assert len(traces(boxes)[0]["x"]) == 30 and any("30 largest of 40" in note for note in boxes.notes)


def test_lines_along_numbers_go_from_left_to_right(load: Load) -> None:
    engine = load(years=pd.DataFrame({"year": [2003, 2001, 2002, 2001], "v": [1, 9, 5, 3]}))
    (line,) = traces(show(engine, "line", query(engine, measure="v", by=["year"])))
    assert (line["x"], line["y"]) == ([2001, 2002, 2003], [12, 5, 1])


def test_scatter_samples_what_it_draws_but_not_its_line(load: Load) -> None:
    generator = np.random.default_rng(7)
    x = generator.normal(size=12_345)
    frame = pd.DataFrame({"x": x, "y": 2 * x + generator.normal(size=len(x)), "g": ["a", "b", None] * 4115})
    result = show(load(cloud=frame), "scatter", x="x", y="y", by="g")
    *points, line = traces(result)
    drawn = sum(len(t["x"]) for t in points)
    assert 4_000 < drawn <= 5_000 and {t["name"] for t in points} == {"a", "b", "(missing)"}
    slope, intercept = np.polyfit(frame["x"], frame["y"], 1)
    fitted = (line["y"][1] - line["y"][0]) / (line["x"][1] - line["x"][0])
    assert fitted == pytest.approx(slope) and result.facts["trend"]["intercept"] == pytest.approx(intercept)
    assert result.facts["trend"]["n"] == result.rows_used == len(frame)
    assert any("About 5,000 points" in note for note in result.notes)
    flat = show(load(flat=frame.assign(y=1.5)), "scatter", x="x", y="y")
    assert flat.facts["trend"] is None and any("no trend line" in note for note in flat.notes)


def test_text_of_the_data_is_never_markup(load: Load) -> None:
    evil = '<a href="https://example.org">click</a>'
    frame = pd.DataFrame({"g": [evil, "plain"], "h": [evil, "x"], evil: [1.0, 2.0]})
    engine = load(markup=frame)
    column = engine.dataset().columns[2].name
    for drawn in (
        show(engine, "bar", x="g", y=column, by="h"),
        show(engine, "heatmap", x="g", y=column, by="h"),
        show(engine, "pie", x="g", y=column),
        show(engine, "box", y=column, by="g"),
        show(engine, "line", x="g", y=column),
    ):
        assert "<" not in json.dumps(drawn.output["figure"])


def test_the_text_alternative_says_the_main_facts(engine: Engine, orders: pd.DataFrame) -> None:
    totals = orders.groupby(["region", "channel"])["revenue"].sum()
    alt = show(engine, "bar", x="region", y="revenue", by="channel").output["alt"]
    best = ", ".join(totals.sort_values().index[-1])
    assert f"highest {best} with {totals.max():,.6g}" in alt
    numbers = orders[["quantity", "unit_price", "discount", "revenue", "rating"]].corr().to_numpy(copy=True)
    np.fill_diagonal(numbers, 0)
    assert f"r = {numbers.flat[np.abs(numbers).argmax()]:.3f}" in show(engine, "heatmap").output["alt"]

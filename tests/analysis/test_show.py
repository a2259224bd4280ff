"""Charts draw the numbers that pandas computes, carry their aggregation, and speak without a picture."""

import json
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from analysis.correlate import correlate
from analysis.engine import Engine
from analysis.errors import AnalysisError, BadValue, NotNumeric, UnknownOption
from analysis.query import query
from analysis.show import KINDS, show
from analysis.suggest import suggest
from analysis.trend import trend
from tests.analysis.conftest import Load


def traces(result: Any) -> list[dict[str, Any]]:
    figure = result.output["figure"]
    go.Figure(figure)  # Plotly accepts every property
    json.dumps(result.output, allow_nan=False)
    assert result.kind == "figure" and result.output["alt"]
    return figure["data"]  # type: ignore[no-any-return]


def test_bars_are_sorted_and_named_by_their_aggregation(engine: Engine, orders: pd.DataFrame) -> None:
    result = show(engine, "bar", x="region", y="revenue", aggregate="mean")
    (bar,) = traces(result)
    expected = orders.groupby("region")["revenue"].mean().sort_values(ascending=False)
    assert bar["x"] == list(expected.index) and bar["y"] == pytest.approx(list(expected))
    assert result.output["figure"]["layout"]["yaxis"]["title"]["text"] == "Average revenue"
    assert expected.idxmax() in result.output["alt"]


def test_lines_over_time_by_series(engine: Engine, orders: pd.DataFrame) -> None:
    drawn = traces(show(engine, "line", y="revenue", by="channel", interval="quarter"))
    expected = orders.groupby(["channel", orders["order_date"].dt.to_period("Q")])["revenue"].sum()
    assert {t["name"] for t in drawn} == set(orders["channel"])
    for trace in drawn:
        assert trace["y"] == pytest.approx(list(expected[trace["name"]]))


def test_scatter_trend_uses_all_rows_and_says_when_points_are_left_out(
    engine: Engine, orders: pd.DataFrame
) -> None:
    result = show(engine, "scatter", x="quantity", y="revenue")
    points, line = traces(result)
    slope, intercept = np.polyfit(orders["quantity"], orders["revenue"], 1)
    assert result.facts["trend"]["slope"] == pytest.approx(slope)
    assert line["y"][0] == pytest.approx(intercept + slope * line["x"][0])
    assert result.facts["trend"]["r"] == pytest.approx(orders["quantity"].corr(orders["revenue"]))
    assert len(points["x"]) <= 5000 and any("all 6,000 rows" in note for note in result.notes)
    few = show(
        engine,
        "scatter",
        x="unit_price",
        y="rating",
        where=[{"column": "city", "op": "equals", "value": "Bremen"}],
    )
    assert len(traces(few)[0]["x"]) == orders[orders["city"] == "Bremen"]["rating"].notna().sum()


def test_histogram_and_box_are_computed_on_all_rows(engine: Engine, orders: pd.DataFrame) -> None:
    (bars,) = traces(show(engine, "histogram", x="revenue"))
    assert sum(bars["y"]) == len(orders)
    result = show(engine, "box", y="revenue", by="region")
    box, far = traces(result)
    for index, name in enumerate(box["x"]):
        values = orders.loc[orders["region"] == name, "revenue"]
        q1, median, q3 = values.quantile([0.25, 0.5, 0.75])
        assert (box["q1"][index], box["median"][index], box["q3"][index]) == pytest.approx((q1, median, q3))
        inside = values[(values >= q1 - 1.5 * (q3 - q1)) & (values <= q3 + 1.5 * (q3 - q1))]
        assert box["upperfence"][index] == inside.max() and box["lowerfence"][index] == inside.min()
        points = [y for x, y in zip(far["x"], far["y"], strict=True) if x == name]
        beyond = values[~values.index.isin(inside.index)]
        farthest = beyond.loc[(beyond - median).abs().sort_values(ascending=False).index]
        assert sorted(points) == pytest.approx(sorted(farthest[:50]))
    assert any("50 farthest" in note for note in result.notes)


def test_heatmaps(engine: Engine, orders: pd.DataFrame) -> None:
    (matrix,) = traces(show(engine, "heatmap"))
    expected = orders[matrix["x"]].corr()
    assert np.allclose(np.array(matrix["z"], dtype=float), expected.to_numpy())
    assert "order_id" not in matrix["x"], "an identifier measures nothing"
    (grid,) = traces(show(engine, "heatmap", x="region", by="channel", y="revenue"))
    pivot = orders.pivot_table(index="channel", columns="region", values="revenue", aggfunc="sum")
    assert np.allclose(np.array(grid["z"], dtype=float), pivot.loc[grid["y"], grid["x"]].to_numpy())


def test_pies_gather_the_small_parts_and_refuse_negative_ones(engine: Engine, load: Load) -> None:
    result = show(engine, "pie", x="product", y="revenue")
    (pie,) = traces(result)
    assert len(pie["labels"]) == 10 and pie["labels"][-1] == "other"
    assert sum(pie["values"]) == pytest.approx(query(engine, measure="revenue").facts["value"])
    with pytest.raises(BadValue, match="negative"):
        show(load(loss=pd.DataFrame({"g": ["a", "b"], "v": [1, -1]})), "pie", x="g", y="v")


def test_a_chart_of_an_earlier_result_has_its_numbers_and_names_it(engine: Engine) -> None:
    base = query(engine, measure="revenue", by=["city"])
    result = show(engine, "bar", base)
    (bar,) = traces(result)
    assert sorted(bar["x"]) == sorted(row[1] for row in base.output["table"]["rows"])
    assert result.parents == [base.id] and result.id != base.id and result.code == base.code
    assert len(traces(show(engine, "line", trend(engine, "revenue", by="region")))) == 4
    assert traces(show(engine, "heatmap", correlate(engine)))[0]["zmin"] == -1


def test_many_groups_are_cut_and_said(load: Load) -> None:
    engine = load(many=pd.DataFrame({"g": [f"g{n:02}" for n in range(50)], "v": range(50)}))
    result = show(engine, "bar", x="g", y="v")
    assert len(traces(result)[0]["x"]) == 30
    assert any("30 of 50" in note for note in result.notes)


def test_what_cannot_be_drawn_is_said(engine: Engine) -> None:
    with pytest.raises(UnknownOption, match="bar, line"):
        show(engine, "donut")
    with pytest.raises(NotNumeric):
        show(engine, "scatter", x="city", y="revenue")
    with pytest.raises(NotNumeric):
        show(engine, "bar", query(engine))


def test_every_kind_works_with_nothing_but_its_name(engine: Engine) -> None:
    for kind in KINDS:
        traces(show(engine, kind))


def test_hostile_names_are_only_labels(load: Load) -> None:
    engine = load(evil=pd.DataFrame({'"; DROP TABLE x; --': ["<b>a</b>", "c"], "v'": [1, 2]}))
    result = show(engine, "bar", x='"; DROP TABLE x; --', y="v'")
    assert traces(result)[0]["y"] == [2, 1]


def test_suggestions_name_real_columns(engine: Engine, load: Load) -> None:
    dataset = engine.dataset()
    questions = suggest(dataset)
    assert 4 <= len(questions) <= 6 and "revenue" in questions[0]
    for odd in (
        load(one=pd.DataFrame({"s": ["a", "b"]})),
        load(num=pd.DataFrame({"n": [1.5, 2.5]})),
        load(empty=b"a,b\n1,\n2,\n"),
    ):
        assert suggest(odd.dataset())


def test_analysis_errors_are_the_only_ones_for_odd_requests(engine: Engine) -> None:
    for kind in KINDS:
        for x in ("", "city", "order_date", "revenue", "returned"):
            for y in ("", "revenue", "city"):
                for by in ("", "channel", "order_date"):
                    try:
                        traces(show(engine, kind, x=x, y=y, by=by))
                    except AnalysisError as error:
                        assert str(error)

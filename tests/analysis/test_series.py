"""Over time: series made with a known trend and season, forecasts against their baseline, odd periods."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.tsa.seasonal import STL

from analysis.engine import Engine, result_table
from analysis.errors import BadValue, NotComputable, TooFew, UnknownColumn, UnknownOption
from analysis.series.course import odd_periods, resample, seasonality, trend_test
from analysis.series.forecasting import forecast
from sandbox.table import Table
from tests.analysis.conftest import Load

MONTHS = pd.date_range("2018-01-01", periods=84, freq="MS")
SEASON = 20 * np.cos(2 * np.pi * np.arange(84) / 12)
NOISE = np.random.default_rng(3).normal(0, 1, 84)


@pytest.fixture(scope="module")
def monthly(load: Load) -> Engine:
    """A trend of 2 a month, a season of 20 up and down with its peak in January, noise of 1."""
    value = 100 + 2 * np.arange(84) + SEASON + NOISE
    flat = pd.Series(50 + NOISE).round(3)
    spiked = value.copy()
    spiked[40] += 30
    frame = {"day": MONTHS, "value": value, "flat": flat, "spiked": spiked, "same": 5, "word": "x"}
    return load(monthly=pd.DataFrame(frame))


def test_a_known_season_and_trend_are_found(monthly: Engine) -> None:
    result = seasonality(monthly, "value", interval="month")
    facts = result.facts
    assert facts["seasonal_strength"] > 0.95 and facts["trend_strength"] > 0.95
    assert (facts["peak"], facts["trough"]) == ("January", "July")
    assert facts["peak_effect"] == pytest.approx(20, abs=1.5)
    value = monthly.fetch(monthly.table(monthly.dataset()).select("value")).column("value")
    parts = STL(pd.Series(value, MONTHS), period=12, robust=True).fit()
    assert result_table(result).column("seasonal") == pytest.approx(list(parts.seasonal))
    assert result.kind == "figure" and len(result.output["figure"]["data"]) == 4
    weak = seasonality(monthly, "flat", interval="month").facts
    assert weak["seasonal_strength"] < 0.64


def test_a_trend_is_tested_with_its_slope(monthly: Engine) -> None:
    facts = trend_test(monthly, "value", interval="month").facts
    assert facts["slope"] == pytest.approx(2, abs=0.05) and facts["low"] < 2 < facts["high"]
    assert facts["p"] < 0.001 and facts["deseasonalised"]
    flat = trend_test(monthly, "flat", interval="year", aggregate="mean").facts
    means = pd.Series(50 + NOISE).round(3).groupby(MONTHS.year).mean()
    assert flat["p"] == pytest.approx(stats.kendalltau(range(7), means).pvalue)
    assert flat["p"] > 0.05 and not flat["deseasonalised"]
    with pytest.raises(NotComputable, match="same value"):
        trend_test(monthly, "same", interval="month", aggregate="mean")


def test_a_forecast_beats_its_baseline_and_covers_what_comes(monthly: Engine) -> None:
    early = [{"column": "day", "op": "at_most", "value": "2023-12"}]
    result = forecast(monthly, "value", horizon=12, interval="month", where=early)  # type: ignore[arg-type]
    facts, rows = result.facts, result_table(result).records()
    assert facts["baseline"] == "seasonal naive" and facts["model"] != "seasonal naive"
    assert facts["error"] < facts["baseline_error"] / 2 and facts["origins"] == 4
    truth = 100 + 2 * np.arange(72, 84) + SEASON[72:] + NOISE[72:]
    predicted = [r["forecast"] for r in rows]
    assert np.abs(np.array(predicted) - truth).mean() < 4
    inside = [r["low"] <= t <= r["high"] for r, t in zip(rows, truth, strict=True)]
    assert sum(inside) >= 9
    assert str(rows[0]["month"]) == "2024-01-01" and len(rows) == 12
    backtest = Table.from_json(result.output["backtest"]).records()
    assert {"naive", "seasonal naive", "Holt-Winters", "theta"} <= {r["model"] for r in backtest}
    assert min(r["mean absolute error"] for r in backtest) == pytest.approx(facts["error"])
    names = [trace["name"] for trace in result.output["figure"]["data"]]
    assert names == ["sum of value", "forecast", "lower end", "95% interval"]


def test_an_incomplete_last_period_is_left_out_and_said(engine: Engine) -> None:
    cut = [{"column": "order_date", "op": "at_most", "value": "2026-05-20"}]
    result = forecast(engine, horizon=2, interval="quarter", where=cut)  # type: ignore[arg-type]
    assert result.facts["last"]["period"] == "2026-01-01" and result.facts["next"]["period"] == "2026-04-01"
    assert any("last quarter is incomplete (the data ends on 2026-05-20)" in n for n in result.notes)
    whole = forecast(engine, horizon=1, interval="quarter")
    assert whole.facts["last"]["period"] == "2026-04-01"
    assert whole.facts["last"]["value"] == engine.dataset().rows - sum(
        result_table(resample(engine, interval="quarter")).column("rows")[:-1]
    )


def test_a_spike_stands_out_and_calm_does_not(monthly: Engine) -> None:
    result = odd_periods(monthly, "spiked", interval="month")
    rows = result_table(result).records()
    assert str(rows[0]["month"]) == "2021-05-01" and rows[0]["difference"] == pytest.approx(30, abs=5)
    assert result.facts["farthest"]["period"] == "2021-05-01" and result.facts["anomalies"] <= 3
    assert odd_periods(monthly, "spiked", interval="month", threshold=1000).facts["anomalies"] == 0
    with pytest.raises(NotComputable, match="exactly as expected"):
        odd_periods(monthly, "same", interval="month")


@pytest.mark.parametrize(
    ("fill", "expected", "words"),
    [
        ("", [5, 0, 0, 11], "count 0"),
        ("previous", [5, 5, 5, 11], "keep the value before"),
        ("linear", [5, 7, 9, 11], "straight"),
        ("none", [5, None, None, 11], "stay empty"),
    ],
)
def test_gaps_are_filled_as_asked_and_said(
    fill: str, expected: list[float | None], words: str, load: Load
) -> None:
    gaps = load(gaps=pd.DataFrame({"day": ["2024-01-01", "2024-01-04"], "v": [5, 11]}))
    result = resample(gaps, "v", interval="day", fill=fill)
    found = [None if v != v else v for v in result_table(result).column("sum of v")]
    assert found == expected and any(words in note for note in result.notes)


def test_hours_and_few_periods(load: Load) -> None:
    moments = pd.date_range("2024-03-01", periods=24 * 6, freq="h")
    hourly = load(
        hourly=pd.DataFrame({"at": moments, "load": 10 + 5 * np.sin(2 * np.pi * moments.hour / 24)})
    )
    assert seasonality(hourly, "load", interval="hour").facts["peak"] == "6:00"
    with pytest.raises(TooFew, match="at least 8 periods"):
        forecast(hourly, "load", interval="day")
    with pytest.raises(TooFew, match="14 days, and there are 6"):
        seasonality(hourly, "load", interval="day")
    with pytest.raises(BadValue, match="Years have no seasons"):
        seasonality(hourly, "load", interval="year")


def test_what_is_not_over_time_is_said(monthly: Engine, load: Load) -> None:
    cases: list[tuple[Any, str]] = [
        (lambda: forecast(load(plain=pd.DataFrame({"a": [1, 2]})), "a"), "no date column"),
        (lambda: forecast(monthly, "value", date="word"), "word holds no dates"),
        (lambda: forecast(monthly, "value", horizon=500), "from 1 to 120"),
        (lambda: resample(monthly, "value", fill="magic"), "is no way to fill gaps"),
        (lambda: odd_periods(monthly, "value", threshold=-1), "above 0"),
    ]
    for run, words in cases:
        with pytest.raises((UnknownColumn, BadValue, UnknownOption), match=words):
            run()

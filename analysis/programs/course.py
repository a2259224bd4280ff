"""The course of a series: its values by period, its trend with an interval, its seasons, what stands out."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy import stats

from analysis.programs.regular import cycle, decomposed, moments, regular, strength

LEVEL = 0.05
Progress = Callable[[float, str], None]


def resample(
    data: Any, unit: str, empty: float | None, fill: str = "", progress: Progress | None = None
) -> dict[str, Any]:
    """Every period once; `fill` is zero, previous, linear, none or "" (zero for what adds up)."""
    missing = {"zero": 0.0, "": empty}.get(fill)
    with_gaps, _ = regular(data.assign(value=data["value"]), unit, float("nan"))
    gaps = int(with_gaps.isna().sum())
    notes = []
    if gaps and missing is not None:
        filled, word = with_gaps.fillna(missing), f"count {missing:g}"
    elif gaps and fill == "previous":
        filled, word = with_gaps.ffill(), "keep the value before"
    elif gaps and fill == "linear":
        filled, word = with_gaps.interpolate(), "are drawn straight between their neighbours"
    else:
        filled, word = with_gaps, "stay empty"
    if gaps:
        notes.append(f"{gaps:,} {unit}(s) without a value {word}.")
    table = pd.DataFrame({unit: moments(filled.index, unit), "value": filled.to_numpy()})
    return {"table": table, "periods": len(table), "gaps": gaps, "notes": notes}


def trend_test(data: Any, unit: str, empty: float | None, progress: Progress | None = None) -> dict[str, Any]:
    """Mann-Kendall's test with Sen's slope, and a least-squares line whose errors allow for neighbours
    that are alike; both without the seasons, where there are two whole cycles."""
    series, notes = regular(data, unit, empty)
    if len(series) < 4:
        return {"table": data, "periods": len(series)}
    if series.nunique() < 2:
        return {"table": data, "problem": "Every period has the same value, so there is no trend to test."}
    season = cycle(series, unit)
    values = series.to_numpy()
    if season > 1:
        values = values - decomposed(series, season).seasonal.to_numpy()
        notes.append("Tested without the seasonal part (STL).")
    place = np.arange(len(values), dtype=float)
    kendall = stats.kendalltau(place, values)
    sen = stats.theilslopes(values, place, 1 - LEVEL)
    lags = int(np.floor(4 * (len(values) / 100) ** (2 / 9)))
    line = sm.OLS(values, sm.add_constant(place)).fit(cov_type="HAC", cov_kwds={"maxlags": lags})
    low, high = line.conf_int()[1]
    table = pd.DataFrame(
        {
            "method": ["Sen's slope, Mann-Kendall test", "least squares, HAC errors"],
            f"change per {unit}": [float(sen.slope), float(line.params[1])],
            "low": [float(sen.low_slope), float(low)],
            "high": [float(sen.high_slope), float(high)],
            "p": [float(kendall.pvalue), float(line.pvalues[1])],
        }
    )
    if len(values) < 10:
        notes.append(f"Only {len(values)} periods: read the p-value with care.")
    middle = float(np.median(values))
    return {
        "table": table, "periods": len(values), "slope": float(sen.slope), "step": abs(float(sen.slope)),
        "low": float(sen.low_slope),
        "high": float(sen.high_slope), "p": float(kendall.pvalue), "tau": float(kendall.statistic),
        "percent": 100 * float(sen.slope) / middle if middle > 0 else None,
        "deseasonalised": season > 1, "notes": notes,
    }  # fmt: skip


def seasonality(
    data: Any, unit: str, empty: float | None, progress: Progress | None = None
) -> dict[str, Any]:
    """Observed values as trend, season and rest; how strong the first two are, and when the peaks come."""
    series, notes = regular(data, unit, empty)
    season = cycle(series, unit)
    if season == 1:
        return {"table": data, "periods": len(series)}
    parts = decomposed(series, season)
    table = pd.DataFrame(
        {
            unit: moments(series.index, unit), "observed": series.to_numpy(),
            "trend": parts.trend.to_numpy(), "seasonal": parts.seasonal.to_numpy(),
            "residual": parts.resid.to_numpy(),
        }
    )  # fmt: skip
    names = [place_in_cycle(moment, unit) for moment in series.index]
    pattern = parts.seasonal.groupby(names).mean()
    if len(series) < 4 * season:
        cycles = len(series) / season
        notes.append(f"Only {cycles:.1f} cycles: part of what looks like season is chance.")
    high, low, mean = str(pattern.idxmax()), str(pattern.idxmin()), float(series.mean())
    return {
        "table": table, "periods": len(series), "cycle": season,
        "seasonal_strength": strength(parts.seasonal, parts.resid),
        "trend_strength": strength(parts.trend, parts.resid),
        "peak": high, "peak_effect": float(pattern.max()),
        "trough": low, "trough_effect": float(pattern.min()),
        "swing_percent": 100 * float(pattern.max() - pattern.min()) / mean if mean else None,
        "pattern": pattern.reset_index().set_axis(["when", "effect"], axis=1),
        "notes": notes,
    }  # fmt: skip


def place_in_cycle(moment: Any, unit: str) -> str:
    """Where in its cycle a period lies: May, Q2, Monday, 14:00, week 7."""
    names: dict[str, Callable[[], Any]] = {
        "month": moment.month_name, "quarter": lambda: f"Q{moment.quarter}",
        "day": moment.day_name, "hour": lambda: f"{moment.hour}:00",
        "week": lambda: f"week {moment.isocalendar().week}",
    }  # fmt: skip
    return str(names[unit]())


def odd_periods(
    data: Any, unit: str, empty: float | None, threshold: float = 4.5, progress: Progress | None = None
) -> dict[str, Any]:
    """Periods far from what trend and season let expect, by robust distances (median absolute deviation)."""
    series, notes = regular(data, unit, empty)
    if len(series) < 8:
        return {"table": data, "periods": len(series)}
    season = cycle(series, unit)
    # With fewer cycles the seasons take up what is odd in them.
    if season > 1 and len(series) >= 3 * season:
        parts = decomposed(series, season, periodic=True)
        expected = (parts.trend + parts.seasonal).to_numpy()
        notes.append("Expected: trend and season (STL).")
    else:
        smooth = sm.nonparametric.lowess(series.to_numpy(), np.arange(len(series)), frac=0.5, it=3)
        expected = smooth[:, 1]
        notes.append("Expected: a smooth trend (LOWESS); there are not three whole cycles for seasons.")
    rest = series.to_numpy() - expected
    spread = float(stats.median_abs_deviation(rest, scale="normal"))
    if spread <= 1e-9 * float(series.abs().max()):
        return {
            "table": data,
            "problem": "Most periods are exactly as expected, so there is no scale to judge by.",
        }
    distance = (rest - np.median(rest)) / spread
    every = pd.DataFrame(
        {
            unit: moments(series.index, unit), "value": series.to_numpy(), "expected": expected,
            "difference": rest, "distance": distance,
        }
    )  # fmt: skip
    odd = every[np.abs(distance) > threshold]
    odd = odd.reindex(odd["distance"].abs().sort_values(ascending=False, kind="stable").index)
    top = odd.iloc[0] if len(odd) else None
    return {
        "table": odd.reset_index(drop=True), "every": every, "periods": len(series), "anomalies": len(odd),
        "threshold": threshold,
        "farthest": None if top is None else {
            "period": str(top[unit]), "value": float(top["value"]), "expected": float(top["expected"]),
        },
        "notes": notes,
    }  # fmt: skip

"""A forecast by the model that would have been the best so far, and how good it would have been."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.tsa.exponential_smoothing.ets import ETSModel
from statsmodels.tsa.forecasting.theta import ThetaModel
from statsmodels.tsa.statespace.sarimax import SARIMAX

from analysis.programs.regular import cycle, moments, regular

FOLDS = 4
LEVEL = 0.05
LONGEST = 400
MAX_SEASON = 60
CALIBRATED = 8
"""Backtested values from which on the width of the intervals is judged by them."""
Progress = Callable[[float, str], None]


def forecast(
    data: Any, unit: str, empty: float | None, horizon: int, progress: Progress | None = None
) -> dict[str, Any]:
    """Backtests each model from several origins, picks the least mean absolute error, and forecasts.

    The baseline is the value one season (or one period) before; every model has to beat it.
    """
    series, notes = regular(data, unit, empty)
    if len(series) < 8:
        return {"table": data, "periods": len(series)}
    if len(series) > LONGEST:
        notes.append(f"Fitted on the last {LONGEST} of {len(series):,} {unit}s.")
        series = series.iloc[-LONGEST:]
    season = cycle(series, unit)
    season = season if season <= MAX_SEASON else 1
    models = {name: model for name, (model, seasonal) in MODELS.items() if not seasonal or season > 1}
    baseline = "seasonal naive" if season > 1 else "naive"
    least = max(6, 2 * season)
    step = max(1, min(horizon, len(series) // 5, (len(series) - least) // 2))
    origins = sorted({int(o) for o in np.linspace(min(least, len(series) - step), len(series) - step, FOLDS)})
    errors: dict[str, list[float]] = {name: [] for name in models}
    misses: dict[str, list[float]] = {name: [] for name in models}
    for number, origin in enumerate(origins):
        known, truth = series.iloc[:origin], series.iloc[origin : origin + step].to_numpy()
        for place, (name, model) in enumerate(models.items()):
            if progress:
                part = (number * len(models) + place) / (len(origins) * len(models) + 1)
                progress(part, f"Backtest {number + 1} of {len(origins)}: {name}")
            fitted = attempted(model, known, season, step)
            errors[name].append(float("nan") if fitted is None else float(np.abs(fitted[0] - truth).mean()))
            if fitted is not None:
                misses[name] += list(
                    np.abs(fitted[0] - truth) / np.maximum((fitted[2] - fitted[1]) / 2, 1e-12)
                )
    table = pd.DataFrame(
        {
            "model": list(errors),
            "mean absolute error": [float(np.mean(found)) for found in errors.values()],
            "worst origin": [float(np.max(found)) for found in errors.values()],
        }
    ).dropna()
    table = table.sort_values("mean absolute error", kind="stable", ignore_index=True)
    scores = dict(zip(table["model"], table["mean absolute error"], strict=True))
    best = next(name for name in scores)
    # A model has to be clearly better than the plain one that anybody understands.
    if baseline in scores and scores[best] >= 0.999 * scores[baseline]:
        best = baseline
    made = attempted(models[best], series, season, horizon)
    if made is None:
        return {"table": data, "problem": "No model could be fitted to this series."}
    center, low, high = made
    covered = float(np.mean(np.asarray(misses[best]) <= 1))
    if covered < 1 - LEVEL and len(misses[best]) >= CALIBRATED:
        wider = float(np.quantile(misses[best], 1 - LEVEL))
        low, high = center - wider * (center - low), center + wider * (high - center)
        notes.append(
            f"The intervals are {wider:.2f} times the model's own, which held {covered:.0%} in the backtest."
        )
    if (series >= 0).all() and low.min() < 0:
        center, low = np.maximum(center, 0), np.maximum(low, 0)
        notes.append("The history is never negative, so neither is the forecast.")
    future = pd.date_range(series.index[-1], periods=horizon + 1, freq=series.index.freq)[1:]
    shown = pd.DataFrame({unit: moments(future, unit), "forecast": center, "low": low, "high": high})
    history = pd.DataFrame({unit: moments(series.index, unit), "value": series.to_numpy()})
    notes += [
        f"Backtest: {len(origins)} origin(s), {step} {unit}(s) ahead each; the least mean error wins.",
        "The intervals hold 95% if the future is like the past.",
    ]
    if season == 1 and unit != "year":
        notes.append("There are not two whole cycles, so no season is taken into account.")
    if horizon > len(series) / 2:
        notes.append(f"{horizon} {unit}s from {len(series)} are far ahead: read them with care.")
    scale = float(np.abs(series.to_numpy()).mean())
    return {
        "table": shown, "history": history, "backtest": table, "periods": len(series), "horizon": horizon,
        "model": best, "error": scores[best], "baseline": baseline, "baseline_error": scores.get(baseline),
        "improvement_percent": 100 * (1 - scores[best] / scores[baseline]) if scores.get(baseline) else None,
        "error_percent": 100 * scores[best] / scale if scale else None, "season": season,
        "origins": len(origins), "ahead": step,
        "last": {"period": str(history[unit].iloc[-1]), "value": float(series.iloc[-1])},
        "next": {"period": str(shown[unit].iloc[0]), **ends(shown.iloc[0])},
        "final": {"period": str(shown[unit].iloc[-1]), **ends(shown.iloc[-1])},
        "total": float(np.sum(center)), "notes": notes,
    }  # fmt: skip


def ends(row: Any) -> dict[str, float]:
    """A forecast row as numbers."""
    return {"value": float(row["forecast"]), "low": float(row["low"]), "high": float(row["high"])}


def attempted(model: Any, series: Any, season: int, horizon: int) -> Any:
    """Forecast, lower and upper bounds; None when the model cannot be fitted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = [np.asarray(values, dtype=float) for values in model(series, season, horizon)]
        except (ValueError, np.linalg.LinAlgError, IndexError, ZeroDivisionError):
            return None
    return found if all(np.isfinite(values).all() for values in found) else None


def arima(
    series: Any,
    horizon: int,
    order: tuple[int, int, int],
    seasonal: tuple[int, int, int, int],
    trend: str = "n",
) -> Any:
    """ARIMA, of which the naive forecasts are the plainest cases."""
    model = SARIMAX(series, order=order, seasonal_order=seasonal, trend=trend)
    fitted = model.fit(disp=False, maxiter=50)
    frame = fitted.get_forecast(horizon).summary_frame(alpha=LEVEL)
    return frame["mean"], frame["mean_ci_lower"], frame["mean_ci_upper"]


def smoothing(series: Any, horizon: int, season: int, trend: str | None) -> Any:
    """Exponential smoothing (ETS), damped where it has a trend."""
    more = {"seasonal": "add", "seasonal_periods": season} if season > 1 else {}
    model = ETSModel(
        series, error="add", trend=trend, damped_trend=trend is not None,
        initialization_method="heuristic" if len(series) >= 10 else "estimated", **more,
    )  # fmt: skip
    fitted = model.fit(disp=False, maxiter=100)
    frame = fitted.get_prediction(start=len(series), end=len(series) + horizon - 1).summary_frame(alpha=LEVEL)
    return frame["mean"], frame["pi_lower"], frame["pi_upper"]


def theta(series: Any, horizon: int, season: int) -> Any:
    """The theta model: half a line, half a smoothing, without the season."""
    fitted = ThetaModel(series, period=max(season, 2), deseasonalize=season > 1, use_test=False).fit()
    interval = fitted.prediction_intervals(horizon, alpha=LEVEL)
    return fitted.forecast(horizon), interval["lower"], interval["upper"]


MODELS: dict[str, tuple[Callable[[Any, int, int], Any], bool]] = {
    "naive": (lambda y, _, h: arima(y, h, (0, 1, 0), (0, 0, 0, 0)), False),
    "seasonal naive": (lambda y, s, h: arima(y, h, (0, 0, 0), (0, 1, 0, s)), True),
    "seasonal naive with drift": (lambda y, s, h: arima(y, h, (0, 0, 0), (0, 1, 0, s), "c"), True),
    "smoothing": (lambda y, _, h: smoothing(y, h, 1, None), False),
    "smoothing with trend": (lambda y, _, h: smoothing(y, h, 1, "add"), False),
    "Holt-Winters": (lambda y, s, h: smoothing(y, h, s, "add"), True),
    "theta": (lambda y, s, h: theta(y, h, s), False),
}
"""By name: how it forecasts (series, season, horizon), and whether it needs seasons."""

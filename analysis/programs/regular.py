"""A series without gaps: one value for each period from the first to the last."""

from typing import Any

import numpy as np
import pandas as pd
from statsmodels.tsa.seasonal import STL

STEPS = {"year": "YS", "quarter": "QS", "month": "MS", "week": "W-MON", "day": "D", "hour": "h"}
CYCLES = {"year": 1, "quarter": 4, "month": 12, "week": 52, "day": 7, "hour": 24}
MAX_PERIODS = 20_000


def regular(data: Any, unit: str, empty: float | None) -> tuple[Any, list[str]]:
    """`period` and `value` as a Series; an empty period has the value `empty`, or one drawn straight between
    its neighbours."""
    if (
        len(data)
        and len(pd.date_range(data["period"].min(), data["period"].max(), freq=STEPS[unit])) > MAX_PERIODS
    ):
        raise ValueError(f"That is more than {MAX_PERIODS:,} periods; choose a longer interval.")
    series = data.set_index("period")["value"].astype(float)
    series.index = pd.DatetimeIndex(series.index)
    whole = series.asfreq(STEPS[unit])
    gaps = int(whole.isna().sum())
    if not gaps:
        return whole, []
    if empty is not None:
        return whole.fillna(empty), [f"{gaps:,} {unit}(s) without any row count {empty:g}."]
    return whole.interpolate(), [
        f"{gaps:,} {unit}(s) without a value are drawn straight between their neighbours."
    ]


def cycle(series: Any, unit: str) -> int:
    """Periods of a season, 1 where there are not two whole ones."""
    length = CYCLES[unit]
    return length if length > 1 and len(series) >= 2 * length else 1


def decomposed(series: Any, season: int, *, periodic: bool = False) -> Any:
    """Trend, seasonal and residual parts (STL, robust against single odd periods).

    The season may change over the years, or, `periodic`, is the same in each, and so takes up nothing odd.
    """
    cycles = len(series) // season
    window = {"seasonal": 20 * cycles + 1, "seasonal_deg": 0} if periodic else {}
    return STL(series, period=season, robust=True, **window).fit()


def strength(part: Any, residual: Any) -> float:
    """How much of the variation a part explains beside the residual, from 0 to 1 (Hyndman)."""
    whole = float(np.var(np.asarray(part) + np.asarray(residual)))
    return max(0.0, 1 - float(np.var(np.asarray(residual))) / whole) if whole > 0 else 0.0


def moments(index: Any, unit: str) -> Any:
    """Periods as they are shown: days, or moments for hours."""
    return index if unit == "hour" else index.date

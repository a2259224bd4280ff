"""Tests of one number against a value, of two numbers of the same rows, and of a number's shape."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.power import TTestPower

LEVEL = 0.05
SMALL = 30
SHAPIRO_ROWS = 5000
Progress = Callable[[float, str], None]


def differences(
    data: Any, kind: str = "", value: float = 0.0, first: str = "", progress: Progress | None = None
) -> dict[str, Any]:
    """`data` has `value`, and `second` for a paired test: the differences are tested against `value`."""
    rows = data.dropna()
    paired = "second" in rows.columns
    given = rows["value"].to_numpy(dtype=float)
    sample = given - rows["second"].to_numpy(dtype=float) if paired else given - value
    shown = {"values": given, "second": rows["second"].to_numpy(dtype=float)} if paired else {"values": given}
    table = pd.DataFrame(
        [
            {"of": name, "count": len(v), "mean": v.mean(), "median": np.median(v), "std": v.std(ddof=1)}
            for name, v in (shown | ({"difference": sample} if paired else {})).items()
        ]
    )
    if np.ptp(sample) == 0:
        return {"table": table, "problem": "The differences never vary, so there is no test."}
    shape = float((stats.shapiro if len(sample) <= SHAPIRO_ROWS else stats.normaltest)(sample).pvalue)
    crooked = shape < LEVEL
    ranks = kind == "wilcoxon" or (not kind and len(sample) < SMALL and crooked)
    means = "paired" if paired else "one_sample"
    reason = ""
    if not kind:
        reason = (
            f"there are only {len(sample)} values and their shape is not normal, so ranks are compared"
            if ranks
            else ("there are enough values for means" if len(sample) >= SMALL else "the shape looks normal")
        )
    notes = [f"Normal shape: p = {shape:.3g}{' (not normal)' if crooked else ''}."]
    if crooked and not ranks and len(sample) < SMALL:
        notes.append("Few values that are not normal: Wilcoxon's test is safer.")
    if len(sample) < SMALL:
        notes.append(f"Only {len(sample)} values: read the p-value with care.")
    found = by_ranks(sample) if ranks else by_means(sample, paired=paired)
    return {
        "table": table, "kind": "wilcoxon" if ranks else means, "reason": reason, "n": len(sample),
        "value": value, "mean": float(given.mean()), "paired": paired, "normality_p": shape,
        **found, "notes": notes,
    }  # fmt: skip


def by_means(sample: Any, *, paired: bool) -> dict[str, Any]:
    """Student's t of the differences; the effect is their mean in standard deviations."""
    test = stats.ttest_1samp(sample, 0.0)
    interval = test.confidence_interval()
    return {
        "test": "paired t-test" if paired else "one-sample t-test", "statistic_name": "t",
        "statistic": float(test.statistic), "df": float(test.df), "p": float(test.pvalue),
        "difference": float(sample.mean()), "low": float(interval.low), "high": float(interval.high),
        "effect_name": "Cohen's d", "effect": float(sample.mean() / sample.std(ddof=1)),
        "detectable": float(np.asarray(TTestPower().solve_power(None, len(sample), LEVEL, 0.8)).item()),
    }  # fmt: skip


def by_ranks(sample: Any) -> dict[str, Any]:
    """Wilcoxon's signed ranks; the effect is the matched rank-biserial correlation."""
    test = stats.wilcoxon(sample)
    ranks = stats.rankdata(np.abs(sample[sample != 0]))
    signed = np.sign(sample[sample != 0]) * ranks
    return {
        "test": "Wilcoxon signed-rank test", "statistic_name": "W", "statistic": float(test.statistic),
        "p": float(test.pvalue), "difference": float(np.median(sample)),
        "effect_name": "rank-biserial correlation", "effect": float(signed.sum() / ranks.sum()),
    }  # fmt: skip


def normality(data: Any, progress: Progress | None = None) -> dict[str, Any]:
    """Whether `value` could come from a normal distribution, and how it departs."""
    sample = data["value"].dropna().to_numpy(dtype=float)
    small = len(sample) <= SHAPIRO_ROWS
    test = stats.shapiro(sample) if small else stats.normaltest(sample)
    quantiles = np.quantile(sample, [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1])
    expected = stats.norm.ppf([0.05, 0.25, 0.5, 0.75, 0.95], sample.mean(), sample.std(ddof=1))
    table = pd.DataFrame(
        {
            "quantile": ["lowest", "5%", "25%", "50%", "75%", "95%", "highest"],
            "value": quantiles,
            "if it were normal": [None, *expected, None],
        }
    )
    notes = []
    if len(sample) > 1000:
        notes.append("With this many values tiny departures are significant: look at skewness and quantiles.")
    return {
        "table": table, "kind": "normality", "reason": "", "n": len(sample),
        "test": "Shapiro-Wilk test" if small else "D'Agostino's K² test",
        "statistic_name": "W" if small else "K²", "statistic": float(test.statistic),
        "p": float(test.pvalue), "effect_name": "skewness", "effect": float(stats.skew(sample)),
        "skewness": float(stats.skew(sample)), "kurtosis": float(stats.kurtosis(sample)), "notes": notes,
    }  # fmt: skip

"""Tests of a number between groups: assumptions first, then the test, then its effect size."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.meta_analysis import effectsize_smd
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.nonparametric import rank_compare_2indep
from statsmodels.stats.oneway import confint_effectsize_oneway
from statsmodels.stats.power import FTestAnovaPower, TTestIndPower

LEVEL = 0.05
SMALL = 30
SHAPIRO_ROWS = 5000
Progress = Callable[[float, str], None]


def compare_groups(data: Any, kind: str = "", progress: Progress | None = None) -> dict[str, Any]:
    """`data` has `group` and `value`; kind "" is chosen by the number of groups, their sizes and shapes."""
    grouped = data.dropna().groupby("group", sort=True, observed=True)["value"]
    table = grouped.agg(["count", "mean", "median", "std", "min", "max"]).reset_index()
    names = [str(name) for name, values in grouped if len(values) > 1]
    samples = [values.to_numpy(dtype=float) for _, values in grouped if len(values) > 1]
    if len(samples) < 2:
        return {"table": table, "problem": "Two groups with at least two values each are needed."}
    if max(float(np.ptp(sample)) for sample in samples) == 0:
        return {"table": table, "problem": "The values never vary inside a group, so there is no test."}
    if progress:
        progress(0.2, "Checking what the test assumes")
    checked, notes = assumptions(names, samples)
    if progress:
        progress(0.6, "Testing")
    chosen, reason = (kind, "") if kind else choose(samples, checked)
    result = TESTS[chosen](names, samples)
    if "problem" in result:
        return {"table": table, **result}
    lost = len(grouped) - len(samples)
    if lost:
        notes.append(f"{lost} group(s) with a single value are listed but not tested.")
    notes += warned(chosen, checked)
    if min(map(len, samples)) < SMALL:
        notes.append(f"The smallest group has {min(map(len, samples))} values: read the p-value with care.")
    if "difference" in result:
        result["gap"] = abs(result["difference"])
    found = {"kind": chosen, "reason": reason, "groups": len(samples), "n": sum(map(len, samples))}
    return {"table": result.pop("table", table), **found, **result, **checked, "notes": notes}


def assumptions(names: list[str], samples: list[Any]) -> tuple[dict[str, Any], list[str]]:
    """Normal shape within each group (the worst p of all) and equal spread."""
    shapes = [(normal_p(sample), name) for name, sample in zip(names, samples, strict=True)]
    known = [(p, name) for p, name in shapes if p == p]
    levene = stats.levene(*samples, center="median").pvalue if all(map(np.ptp, samples)) else 0.0
    checked: dict[str, Any] = {"levene_p": float(levene), "smallest": min(map(len, samples))}
    notes = [f"Equal spread: Levene p = {levene:.3g}{' (unequal)' if levene < LEVEL else ''}."]
    if known:
        worst, name = min(known)
        checked |= {"normality_p": worst, "least_normal": name}
        said = "not normal" if worst < LEVEL else "no group departs clearly"
        notes.append(f"Normal shape: the least normal group is {name}, p = {worst:.3g} ({said}).")
    return checked, notes


def normal_p(sample: Any) -> float:
    """Shapiro-Wilk up to 5,000 values, beyond that D'Agostino's; NaN where there is no test."""
    if len(sample) < 3 or np.ptp(sample) == 0:
        return float("nan")
    tested = stats.shapiro(sample) if len(sample) <= SHAPIRO_ROWS else stats.normaltest(sample)
    return float(tested.pvalue)


def choose(samples: list[Any], checked: dict[str, Any]) -> tuple[str, str]:
    """Means where groups are large or look normal, else ranks; never equal variances unasked."""
    two, smallest = len(samples) == 2, checked["smallest"]
    crooked = checked.get("normality_p", 1.0) < LEVEL
    if smallest < SMALL and crooked:
        why = f"a group has only {smallest} values and the shape is not normal, so ranks are compared"
        return ("mann_whitney" if two else "kruskal"), why
    if not all(map(np.ptp, samples)):
        why = "a group never varies, which Welch's test cannot weigh, so ranks are compared"
        return ("mann_whitney" if two else "kruskal"), why
    shape = "every group is large enough for means" if smallest >= SMALL else "no group looks far from normal"
    return ("welch" if two else "welch_anova"), f"{shape}; equal spread is not assumed"


def warned(kind: str, checked: dict[str, Any]) -> list[str]:
    """What the chosen test assumes and the data does not have."""
    notes = []
    if kind in ("t", "anova", "tukey") and checked["levene_p"] < LEVEL:
        notes.append("This test assumes equal spread, which Levene's test doubts; Welch's version does not.")
    means = kind in ("t", "welch", "anova", "welch_anova", "tukey")
    if means and checked["smallest"] < SMALL and checked.get("normality_p", 1.0) < LEVEL:
        notes.append("A small group is not normal: a rank test (Mann-Whitney, Kruskal-Wallis) is safer.")
    return notes


def t_test(names: list[str], samples: list[Any], *, equal: bool) -> dict[str, Any]:
    """Difference of two means, first less second; Hedges' g has an interval by its standard error."""
    if len(samples) != 2:
        return {"problem": f"A t-test compares two groups, and there are {len(samples)}. Use ANOVA."}
    a, b = samples
    test = stats.ttest_ind(a, b, equal_var=equal)
    interval = test.confidence_interval()
    g, variance = effectsize_smd(a.mean(), a.std(ddof=1), len(a), b.mean(), b.std(ddof=1), len(b))
    half = stats.norm.ppf(1 - LEVEL / 2) * variance**0.5
    squares = (len(a) - 1) * a.var(ddof=1) + (len(b) - 1) * b.var(ddof=1)
    pooled = (squares / (len(a) + len(b) - 2)) ** 0.5
    power = TTestIndPower().solve_power(None, len(a), LEVEL, 0.8, len(b) / len(a))
    return {
        "test": "Student's t-test" if equal else "Welch's t-test",
        "statistic_name": "t", "statistic": float(test.statistic), "df": float(test.df),
        "p": float(test.pvalue), "first": names[0], "second": names[1],
        "difference": float(a.mean() - b.mean()), "low": float(interval.low), "high": float(interval.high),
        "effect_name": "Hedges' g", "effect": float(g),
        "effect_low": float(g - half), "effect_high": float(g + half),
        "cohens_d": float((a.mean() - b.mean()) / pooled), "detectable": float(np.asarray(power).item()),
    }  # fmt: skip


def mann_whitney(names: list[str], samples: list[Any]) -> dict[str, Any]:
    """Whether values of one group tend to be larger; the effect is the rank-biserial correlation."""
    if len(samples) != 2:
        return {"problem": f"Mann-Whitney compares two groups, and there are {len(samples)}. Use Kruskal."}
    a, b = samples
    test = stats.mannwhitneyu(a, b)
    compared = rank_compare_2indep(a, b)
    low, high = (2 * float(end) - 1 for end in compared.conf_int())
    return {
        "test": "Mann-Whitney U test", "statistic_name": "U", "statistic": float(test.statistic),
        "p": float(test.pvalue), "first": names[0], "second": names[1],
        "difference": float(np.median(a) - np.median(b)),
        "effect_name": "rank-biserial correlation", "effect": 2 * float(compared.prob1) - 1,
        "effect_low": max(low, -1.0), "effect_high": min(high, 1.0),
    }  # fmt: skip


def anova(names: list[str], samples: list[Any], *, equal: bool) -> dict[str, Any]:
    """Equal means of several groups; eta and omega squared are shares of all variation."""
    if not equal and not all(map(np.ptp, samples)):
        return {"problem": "A group never varies, which Welch's ANOVA cannot weigh. Use Kruskal-Wallis."}
    classic = stats.f_oneway(*samples)
    test = classic if equal else stats.f_oneway(*samples, equal_var=False)
    k, n = len(samples), sum(map(len, samples))
    statistic = float(classic.statistic)
    eta2 = statistic * (k - 1) / (statistic * (k - 1) + n - k)
    omega2 = max(0.0, (k - 1) * (statistic - 1) / ((k - 1) * (statistic - 1) + n))
    interval = confint_effectsize_oneway(statistic, (k - 1, n - k)).eta2
    power = FTestAnovaPower().solve_power(None, n, LEVEL, 0.8, k)
    pairs = tukey(names, samples, equal=equal)["table"]
    return {
        "test": "one-way ANOVA" if equal else "Welch's ANOVA",
        "statistic_name": "F", "statistic": float(test.statistic), "p": float(test.pvalue),
        "effect_name": "eta squared", "effect": eta2,
        "effect_low": float(interval[0]), "effect_high": float(interval[1]),
        "omega2": omega2, "detectable": float(np.asarray(power).item()),
        **counted(pairs, "Tukey's HSD" if equal else "Games-Howell"),
    }  # fmt: skip


def tukey(names: list[str], samples: list[Any], *, equal: bool = True) -> dict[str, Any]:
    """Every pair of means with its interval, the level held over all pairs."""
    test = stats.tukey_hsd(*samples, equal_var=equal)
    interval = test.confidence_interval()
    rows = [
        {
            "first": names[i], "second": names[j], "difference": float(test.statistic[i, j]),
            "low": float(interval.low[i, j]), "high": float(interval.high[i, j]),
            "p": float(test.pvalue[i, j]),
        }
        for i, j in combinations(range(len(names)), 2)
    ]  # fmt: skip
    pairs = pd.DataFrame(rows).sort_values("p", kind="stable", ignore_index=True)
    least = float(pairs["p"].iloc[0])
    classic = stats.f_oneway(*samples)
    k, n = len(samples), sum(map(len, samples))
    f = float(classic.statistic)
    return {
        "table": pairs, "test": "Tukey's HSD", "p": least,
        "statistic_name": "F", "statistic": f,
        "effect_name": "eta squared", "effect": f * (k - 1) / (f * (k - 1) + n - k),
        **counted(pairs, "Tukey's HSD"),
    }  # fmt: skip


def kruskal(names: list[str], samples: list[Any]) -> dict[str, Any]:
    """Equal distributions of several groups by ranks; pairs by Mann-Whitney with Holm's correction."""
    test = stats.kruskal(*samples)
    n = sum(map(len, samples))
    pairs = list(combinations(range(len(samples)), 2))
    raw = [float(stats.mannwhitneyu(samples[i], samples[j]).pvalue) for i, j in pairs]
    held = multipletests(raw, method="holm")[1]
    found = pd.DataFrame(
        [
            {"first": names[i], "second": names[j], "difference": float(d), "p": float(p)}
            for (i, j), p in zip(pairs, held, strict=True)
            for d in [np.median(samples[i]) - np.median(samples[j])]
        ]
    ).sort_values("p", kind="stable", ignore_index=True)
    return {
        "test": "Kruskal-Wallis test", "statistic_name": "H", "statistic": float(test.statistic),
        "p": float(test.pvalue), "effect_name": "epsilon squared", "effect": float(test.statistic) / (n - 1),
        **counted(found, "Mann-Whitney with Holm's correction"),
    }  # fmt: skip


def counted(pairs: Any, by: str) -> dict[str, Any]:
    """How many pairs differ, and the clearest ones."""
    clear = pairs[pairs["p"] < LEVEL]
    return {
        "pairs": len(pairs), "pairs_that_differ": len(clear), "pairs_by": by,
        "clearest_pairs": clear.head(5).to_dict("records"),
    }  # fmt: skip


def levene(names: list[str], samples: list[Any]) -> dict[str, Any]:
    """Equal spread around the medians (Brown-Forsythe)."""
    test = stats.levene(*samples, center="median")
    spread = {name: float(sample.std(ddof=1)) for name, sample in zip(names, samples, strict=True)}
    widest, narrowest = max(spread, key=lambda n: spread[n]), min(spread, key=lambda n: spread[n])
    least = spread[narrowest]
    return {
        "test": "Levene's test", "statistic_name": "W", "statistic": float(test.statistic),
        "p": float(test.pvalue), "effect_name": "ratio of the largest to the smallest spread",
        "effect": spread[widest] / least if least else None,
        "widest": widest, "narrowest": narrowest,
    }  # fmt: skip


TESTS: dict[str, Callable[[list[str], list[Any]], dict[str, Any]]] = {
    "t": lambda names, samples: t_test(names, samples, equal=True),
    "welch": lambda names, samples: t_test(names, samples, equal=False),
    "mann_whitney": mann_whitney,
    "anova": lambda names, samples: anova(names, samples, equal=True),
    "welch_anova": lambda names, samples: anova(names, samples, equal=False),
    "tukey": tukey,
    "kruskal": kruskal,
    "levene": levene,
}

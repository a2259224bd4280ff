"""Whether two groupings go together: chi-square, or Fisher's exact test for small two-by-two tables."""

from collections.abc import Callable
from typing import Any

import pandas as pd
from scipy import stats
from statsmodels.stats.contingency_tables import Table

LEAST_EXPECTED = 5
SMALL_SHARE = 0.2
Progress = Callable[[float, str], None]


def independence(data: Any, kind: str = "", progress: Progress | None = None) -> dict[str, Any]:
    """`data` has `first`, `second` and `rows`, one row for each pair of groups that occurs."""
    counts = data.pivot_table(
        index="first", columns="second", values="rows", aggfunc="sum", fill_value=0, observed=True
    ).astype(int)
    cells = counts.to_numpy()
    long = counts.stack().rename("rows").reset_index()
    if min(cells.shape) < 2:
        return {"table": long, "problem": "Each of the two columns needs at least two groups."}
    chi = stats.chi2_contingency(cells, correction=False)
    small = int((chi.expected_freq < LEAST_EXPECTED).sum())
    square = cells.shape == (2, 2)
    exact = kind == "fisher" or (not kind and square and small > 0)
    if kind == "fisher" and not square:
        shape = f"{cells.shape[0]} by {cells.shape[1]}"
        return {"table": long, "problem": f"Fisher's test takes two by two groups, and here are {shape}."}
    reason = ""
    if not kind:
        few = "an expected count is under 5, so the exact test is used"
        reason = few if exact else "two groupings are compared by their counts"
    notes = []
    if small and not exact:
        share = small / cells.size
        notes.append(
            f"{small} of {cells.size} expected counts are under 5"
            + (": the p-value is doubtful; merge small groups." if share > SMALL_SHARE else ".")
        )
    residuals = Table(cells, shift_zeros=False).standardized_resids
    flat = [
        {
            "first": str(counts.index[i]), "second": str(counts.columns[j]), "rows": int(cells[i, j]),
            "expected": float(chi.expected_freq[i, j]), "residual": float(residuals[i, j]),
        }
        for i in range(cells.shape[0])
        for j in range(cells.shape[1])
    ]  # fmt: skip
    table = pd.DataFrame(flat)
    strongest = max(flat, key=lambda cell: abs(float(str(cell["residual"]))))
    found: dict[str, Any] = {
        "test": "chi-square test", "statistic_name": "chi²", "statistic": float(chi.statistic),
        "df": int(chi.dof), "p": float(chi.pvalue),
    }  # fmt: skip
    if exact:
        odds = stats.contingency.odds_ratio(cells)
        interval = odds.confidence_interval()
        found = {
            "test": "Fisher's exact test", "statistic_name": "odds ratio", "statistic": float(odds.statistic),
            "p": float(stats.fisher_exact(cells).pvalue),
            "low": float(interval.low), "high": float(interval.high),
        }  # fmt: skip
    return {
        "table": table, "kind": "fisher" if exact else "chi_square", "reason": reason,
        "n": int(cells.sum()), **found, "effect_name": "Cramér's V",
        "effect": float(stats.contingency.association(cells, method="cramer")),
        "small_expected": small, "strongest": strongest, "notes": notes,
    }  # fmt: skip

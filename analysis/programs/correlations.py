"""Every pair's correlation with its p-value, corrected for the number of pairs."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.multitest import multipletests

LEVEL = 0.05
Progress = Callable[[float, str], None]


def pairs(
    data: Any, method: str = "pearson", correction: str = "holm", progress: Progress | None = None
) -> dict[str, Any]:
    """One row a pair of columns, the clearest first; each pair uses the rows that have both values."""
    functions = {"pearson": stats.pearsonr, "spearman": stats.spearmanr, "kendall": stats.kendalltau}
    rows = []
    for x, y in combinations(data.columns, 2):
        both = data[[x, y]].dropna()
        if len(both) < 4 or both[x].nunique() < 2 or both[y].nunique() < 2:
            continue
        r, p = functions[method](both[x].to_numpy(), both[y].to_numpy())
        row: dict[str, Any] = {"x": x, "y": y, "r": round(float(r), 12), "p": float(p), "n": len(both)}
        if method == "pearson":
            interval = stats.pearsonr(both[x], both[y]).confidence_interval()
            row |= {"low": float(interval.low), "high": float(interval.high)}
        rows.append(row)
    if not rows:
        return {
            "table": pd.DataFrame({"x": data.columns}),
            "problem": "No two columns have at least 4 rows in common in which both vary.",
        }
    table: Any = pd.DataFrame(rows)
    table["adjusted p"] = multipletests(table["p"].to_numpy(), method=correction)[1]
    order = np.lexsort((-table["r"].abs(), table["adjusted p"]))
    table = table.iloc[order].reset_index(drop=True)
    strongest = table.loc[table["r"].abs().idxmax()]
    return {
        "table": table, "pairs": len(table), "significant": int((table["adjusted p"] < LEVEL).sum()),
        "method": method, "correction": correction,
        "strongest": {
            "x": strongest["x"], "y": strongest["y"], "r": strongest["r"], "p": strongest["adjusted p"]
        },
        "notes": ["A correlation is no proof of a cause."],
    }  # fmt: skip

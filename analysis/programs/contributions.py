"""How much each segment adds to the change of a total, a count or an average between two periods."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

TOP = 5
Progress = Callable[[float, str], None]


def contributions(data: Any, aggregate: str, progress: Progress | None = None) -> dict[str, Any]:
    """`data` has `dimension`, `segment`, `later` (yes or no), `rows` and `total`.

    In each dimension the segments' contributions sum to the whole change. Of a sum, a segment's change is
    split into more or fewer rows and more or less a row; of a mean, into its own change and its new share.
    """
    filled = data.assign(segment=data["segment"].astype(object).where(data["segment"].notna(), "(missing)"))
    grid = filled.pivot_table(
        index=["dimension", "segment"], columns="later", values=["rows", "total"], aggfunc="sum",
        fill_value=0, observed=True,
    )  # fmt: skip
    for name in ("rows", "total"):
        for later in (False, True):
            if (name, later) not in grid:
                grid[(name, later)] = 0.0
    n0, n1 = (grid[("rows", later)].to_numpy(dtype=float) for later in (False, True))
    t0, t1 = (grid[("total", later)].to_numpy(dtype=float) for later in (False, True))
    dimension = grid.index.get_level_values("dimension").to_numpy(dtype=str)
    one = dimension == dimension[0]
    rows, totals = (n0[one].sum(), n1[one].sum()), (t0[one].sum(), t1[one].sum())
    if not rows[0] or not rows[1]:
        empty = "earlier" if not rows[0] else "later"
        return {"table": data.head(1), "problem": f"No row with a value lies in the {empty} period."}
    m0 = np.divide(t0, n0, out=np.zeros_like(t0), where=n0 > 0)
    m1 = np.divide(t1, n1, out=np.zeros_like(t1), where=n1 > 0)
    # A segment that is only in one period has no rate in the other: all its change is by its rows.
    m0, m1 = np.where(n0 > 0, m0, m1), np.where(n1 > 0, m1, m0)
    table = pd.DataFrame(
        {"dimension": dimension, "segment": grid.index.get_level_values("segment").to_numpy(dtype=str)}
    )
    if aggregate == "mean":
        before, after = totals[0] / rows[0], totals[1] / rows[1]
        s0, s1 = n0 / rows[0], n1 / rows[1]
        own = (s0 + s1) / 2 * (m1 - m0)
        mix = (s1 - s0) * ((m0 + m1) / 2 - (before + after) / 2)
        table["before"], table["after"] = np.where(n0 > 0, m0, np.nan), np.where(n1 > 0, m1, np.nan)
        table["share before %"], table["share after %"] = 100 * s0, 100 * s1
        table["contribution"] = own + mix
        table["by its own change"], table["by its share"] = own, mix
    else:
        count = aggregate == "count"
        first, second = (n0, n1) if count else (t0, t1)
        before, after = (rows[0], rows[1]) if count else totals
        table["before"], table["after"] = first, second
        table["share before %"] = 100 * first / before if before else np.nan
        table["contribution"] = second - first
        if not count:
            table["by number of rows"] = (m0 + m1) / 2 * (n1 - n0)
            table["by value a row"] = (n0 + n1) / 2 * (m1 - m0)
    change = after - before
    table["share of change %"] = 100 * table["contribution"] / change if change else np.nan
    sums = table.groupby("dimension")["contribution"].sum()
    scale = max(abs(before), abs(after), 1e-12)
    if float((sums - change).abs().max()) > 1e-9 * scale:
        return {"table": table, "problem": "The segments do not sum to the change; please report this."}
    order = table["contribution"].abs().sort_values(ascending=False, kind="stable").index
    table = table.reindex(order).reset_index(drop=True)
    found: dict[str, Any] = {
        "before": before, "after": after, "change": change,
        "percent": 100 * change / abs(before) if before else None,
        "rows_before": int(rows[0]), "rows_after": int(rows[1]),
        "parts": len(sums), "down": named(table[table["contribution"] < 0]),
        "up": named(table[table["contribution"] > 0]),
    }  # fmt: skip
    if aggregate == "sum":
        a, b = totals[0] / rows[0], totals[1] / rows[1]
        found |= {
            "value_before": a, "value_after": b,
            "by_rows": (a + b) / 2 * (rows[1] - rows[0]), "by_value": (rows[0] + rows[1]) / 2 * (b - a),
        }  # fmt: skip
    return {
        "table": table,
        **found,
        "notes": ["In each dimension the contributions sum to the whole change."],
    }


def named(part: Any) -> list[dict[str, Any]]:
    """The largest contributions, for sentences."""
    return [
        {
            "dimension": row["dimension"], "segment": row["segment"],
            "contribution": float(row["contribution"]),
            "share": None if pd.isna(row["share of change %"]) else float(row["share of change %"]),
            "share_before": float(row["share before %"]),
        }
        for _, row in part.head(TOP).iterrows()
    ]  # fmt: skip

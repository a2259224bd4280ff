"""Cleaning steps with what pandas makes of the same table."""

from collections.abc import Callable
from typing import Any

import pandas as pd

Frame = pd.DataFrame


def _quarters(values: pd.Series) -> pd.Series:
    edges = values.quantile([0, 0.25, 0.5, 0.75, 1]).tolist()
    edges[-1] += 1
    return _cut(values, edges, ["a", "b", "c", "d"])


def _cut(values: pd.Series, edges: list[float], labels: list[str]) -> pd.Series:
    return pd.cut(values, edges, right=False, labels=labels).astype(object)


def _amount(f: Frame) -> pd.Series:
    return pd.to_numeric(f["amount"].str.replace(",", "."), errors="coerce")


def _fences(f: Frame) -> tuple[float, float]:
    low, high = f["price"].quantile([0.25, 0.75])
    return low - 1.5 * (high - low), high + 1.5 * (high - low)


def _beyond(f: Frame) -> pd.Series:
    low, high = _fences(f)
    return (f["price"] < low) | (f["price"] > high)


def _mode(values: pd.Series) -> Any:
    found = values.mode()
    return found.iloc[0] if len(found) else None


def _grouped_mode(f: Frame) -> Frame:
    modes = f.groupby("region", dropna=False)["quantity"].transform(_mode)
    return f.assign(quantity=f["quantity"].fillna(modes))


def _pivot(f: Frame) -> Frame:
    wide = f.dropna(subset=["region"]).pivot_table(
        index="full", columns="region", values="cost", aggfunc="mean", dropna=False
    )
    return wide.reset_index().rename_axis(None, axis=1)


def _split(f: Frame) -> Frame:
    parts = f["full"].str.split("-", n=1, expand=True)
    return f.assign(one=parts[0], two=parts[1])


STEPS: dict[str, tuple[str, dict[str, Any], Callable[[Frame], Frame]]] = {
    "number with a decimal comma": (
        "change_type",
        {"columns": ["amount"], "to": "number", "format": "1.234,5", "on_error": "missing"},
        lambda f: f.assign(amount=_amount(f)),
    ),
    "truth values": (
        "change_type",
        {"columns": ["paid"], "to": "boolean", "format": "ja/nein"},
        lambda f: f.assign(paid=f["paid"].map({"ja": True, "nein": False})),
    ),
    "number to text": (
        "change_type",
        {"columns": ["id"], "to": "text"},
        lambda f: f.assign(id=f["id"].astype(str)),
    ),
    "fill with a value": (
        "fill_missing",
        {"columns": ["region"], "value": "none"},
        lambda f: f.assign(region=f["region"].fillna("none")),
    ),
    "fill with the median": (
        "fill_missing",
        {"columns": ["price"], "method": "median"},
        lambda f: f.assign(price=f["price"].fillna(f["price"].median())),
    ),
    "fill with the mean of the region": (
        "fill_missing",
        {"columns": ["price"], "method": "mean", "by": ["region"]},
        lambda f: f.assign(
            price=f["price"].fillna(f.groupby("region", dropna=False)["price"].transform("mean"))
        ),
    ),
    "fill with the mode of the region": (
        "fill_missing",
        {"columns": ["quantity"], "method": "mode", "by": ["region"]},
        _grouped_mode,
    ),
    "fill with the value before": (
        "fill_missing",
        {"columns": ["price"], "method": "previous", "order_by": "cost"},
        lambda f: f.assign(price=f.sort_values("cost", kind="stable")["price"].ffill()),
    ),
    "fill with the value after": (
        "fill_missing",
        {"columns": ["price"], "method": "next"},
        lambda f: f.assign(price=f["price"].bfill()),
    ),
    "no gaps in price": ("drop_missing", {"columns": ["price"]}, lambda f: f.dropna(subset=["price"])),
    "no gaps at all": ("drop_missing", {}, lambda f: f.dropna()),
    "duplicates": ("drop_duplicates", {}, lambda f: f.drop_duplicates()),
    "last of each region": (
        "drop_duplicates",
        {"columns": ["region"], "keep": "last"},
        lambda f: f.drop_duplicates(subset=["region"], keep="last"),
    ),
    "dearest of each region": (
        "drop_duplicates",
        {"columns": ["full"], "keep": "first", "order_by": "cost", "descending": True},
        lambda f: f.loc[
            f.sort_values("cost", ascending=False, kind="stable").drop_duplicates("full").index.sort_values()
        ],
    ),
    "only single rows": (
        "drop_duplicates",
        {"columns": ["id"], "keep": "none"},
        lambda f: f.drop_duplicates(subset=["id"], keep=False),
    ),
    "outliers removed": ("outliers", {"columns": ["price"]}, lambda f: f[~_beyond(f)]),
    "outliers clipped": (
        "outliers",
        {"columns": ["price"], "action": "clip"},
        lambda f: f.assign(price=f["price"].clip(*_fences(f))),
    ),
    "outliers marked": (
        "outliers",
        {"columns": ["price"], "action": "mark"},
        lambda f: f.assign(price_outlier=_beyond(f)),
    ),
    "far from the mean": (
        "outliers",
        {"columns": ["price"], "method": "zscore", "threshold": 2},
        lambda f: f[~((f["price"] - f["price"].mean()).abs() > 2 * f["price"].std())],
    ),
    "rename": (
        "rename",
        {"columns": ["price", "cost"], "names": ["Unit price", "price"]},
        lambda f: f.rename(columns={"price": "Unit price", "cost": "price"}),
    ),
    "drop columns": (
        "drop_columns",
        {"columns": ["city", "PAID"]},
        lambda f: f.drop(columns=["city", "paid"]),
    ),
    "keep columns": ("keep_columns", {"columns": ["cost", "id"]}, lambda f: f[["cost", "id"]]),
    "replace values": (
        "replace_values",
        {"columns": ["city"], "old": ["berlin", " Berlin "], "value": "Berlin"},
        lambda f: f.assign(city=f["city"].replace(["berlin", " Berlin "], "Berlin")),
    ),
    "value to a gap": (
        "replace_values",
        {"columns": ["quantity"], "old": [3]},
        lambda f: f.assign(quantity=f["quantity"].mask(f["quantity"] == 3)),
    ),
    "replace inside": (
        "replace_values",
        {"columns": ["full"], "old": ["-c"], "value": "", "method": "part"},
        lambda f: f.assign(full=f["full"].str.replace("-c", "", regex=False)),
    ),
    "trim": ("clean_text", {"columns": ["city"]}, lambda f: f.assign(city=f["city"].str.strip())),
    "title": (
        "clean_text",
        {"columns": ["city"], "method": "title"},
        lambda f: f.assign(city=f["city"].str.title()),
    ),
    "squeeze": (
        "clean_text",
        {"columns": ["city"], "method": "squeeze"},
        lambda f: f.assign(city=f["city"].str.strip().str.replace(r"\s+", " ", regex=True)),
    ),
    "derive": (
        "derive",
        {"name": "margin", "expression": "price * quantity - cost -- per order"},
        lambda f: f.assign(margin=f["price"] * f["quantity"] - f["cost"]),
    ),
    "derive with a window": (
        "derive",
        {"name": "share", "expression": "cost / sum(cost) OVER (PARTITION BY region)"},
        lambda f: f.assign(share=f["cost"] / f.groupby("region", dropna=False)["cost"].transform("sum")),
    ),
    "filter": (
        "filter",
        {
            "where": [
                {"column": "region", "op": "in", "value": ["west", "East"]},
                {"column": "cost", "op": "at_least", "value": 20},
            ]
        },
        lambda f: f[f["region"].isin(["West", "East"]) & (f["cost"] >= 20)],
    ),
    "filter out": (
        "filter",
        {"where": [{"column": "price", "op": "greater_than", "value": 30}], "keep": "others"},
        lambda f: f[~(f["price"] > 30)],
    ),
    "split": (
        "split_column",
        {"columns": ["full"], "separator": "-", "names": ["one", "two"]},
        _split,
    ),
    "ranges": (
        "bin",
        {"columns": ["cost"], "edges": [0, 15, 20, 25], "names": ["low", "middle", "high"], "name": "level"},
        lambda f: f.assign(
            level=_cut(f["cost"], [0, 15, 20, 25.0000001], ["low", "middle", "high"])
        ),
    ),
    "as many in each range": (
        "bin",
        {"columns": ["cost"], "bins": 4, "method": "quantile", "names": ["a", "b", "c", "d"]},
        lambda f: f.assign(cost_range=_quarters(f["cost"])),
    ),
    "min-max": (
        "scale",
        {"columns": ["price", "quantity"]},
        lambda f: f.assign(
            **{c: (f[c] - f[c].min()) / (f[c].max() - f[c].min()) for c in ("price", "quantity")}
        ),
    ),
    "standard": (
        "scale",
        {"columns": ["cost"], "method": "standard"},
        lambda f: f.assign(cost=(f["cost"] - f["cost"].mean()) / f["cost"].std(ddof=0)),
    ),
    "one-hot": (
        "one_hot",
        {"columns": ["region"]},
        lambda f: pd.concat(
            [f.drop(columns="region"), pd.get_dummies(f["region"], prefix="region", dtype=int)], axis=1
        ),
    ),
    "unpivot": (
        "unpivot",
        {"columns": ["price", "cost"], "by": ["id", "day"], "names": ["kind", "money"]},
        lambda f: f.melt(["id", "day"], ["price", "cost"], var_name="kind", value_name="money"),
    ),
    "pivot": (
        "pivot",
        {"columns": ["region"], "value": "cost", "by": ["full"], "aggregate": "mean"},
        _pivot,
    ),
    "sort": (
        "sort",
        {"by": ["price"], "descending": True},
        lambda f: f.sort_values("price", ascending=False, kind="stable"),
    ),
    "top ten": (
        "sort",
        {"by": ["region", "cost"], "limit": 10},
        lambda f: f.sort_values(["region", "cost"], kind="stable").head(10),
    ),
}  # fmt: skip

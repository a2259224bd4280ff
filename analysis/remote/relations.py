"""Correlations and comparisons of groups at another engine: it adds up, the tests are made of the sums here.

Values are centred on their means before they are multiplied, so that the sums are as exact as going over the
rows would be. The tests are those of `analysis.correlate` and `analysis.compare`.
"""

from collections.abc import Sequence
from typing import Any

import ibis

from analysis.conditions import Selection
from analysis.engine import Engine
from analysis.measures import as_text
from storage.datasets import ColumnInfo
from storage.results import Result

PAIRS_A_QUERY = 30
RANKED_COLUMNS = 8
PAIR = """import pandas
from scipy import stats

((n, xx, yy, xy),) = [tuple(row.values()) for row in moments]
r = max(-1.0, min(1.0, xy / (xx**0.5 * yy**0.5)))
if {method!r} == "pearson":
    p = 2 * stats.beta(n / 2 - 1, n / 2 - 1, loc=-1, scale=2).sf(abs(r))
else:
    p = 2 * stats.t.sf(abs(r) * ((n - 2) / ((1 + r) * (1 - r))) ** 0.5, n - 2) if abs(r) < 1 else 0.0
r, p = round(float(r), 12), float(p)
row = {{"x": {x!r}, "y": {y!r}, "method": {method!r}, "r": r, "p": p, "n": n}}
output = {{"table": pandas.DataFrame([row]), "r": r, "p": p, "n": n}}
"""
MATRIX = """import pandas

names = {names!r}
matrix = pandas.DataFrame(float("nan"), index=names, columns=names)
found = {{key: value for part in ({parts},) for row in part for key, value in row.items()}}
for i, a in enumerate(names):
    for j in range(i + 1):
        key = f"{{j}}_{{i}}"
        n = found["n" + key]
        if n < 3 or found["low_x" + key] == found["high_x" + key]:
            continue
        if found["low_y" + key] == found["high_y" + key]:
            continue
        x, y, xx, yy, xy = (found[sum + key] for sum in ("x", "y", "xx", "yy", "xy"))
        spread = (xx - x * x / n) ** 0.5 * (yy - y * y / n) ** 0.5
        r = 1.0 if i == j else max(-1.0, min(1.0, (xy - x * y / n) / spread))
        matrix.iloc[i, j] = matrix.iloc[j, i] = r
matrix = matrix.round(12)
matrix.insert(0, {first!r}, names)
output = {{"table": matrix.reset_index(drop=True)}}
"""
COMPARE = """import pandas
from scipy import stats

columns = ["group", "count", "mean", "median", "std", "min", "max"]
table = pandas.DataFrame(groups, columns=columns).sort_values("group").reset_index(drop=True)
table = table.astype({name: "float64" for name in columns[2:]})
tested = table[table["count"] > 1]
n, mean, var = tested["count"].astype("float64"), tested["mean"], tested["std"] ** 2
varying, k = bool((var > 0).all()), len(tested)
within, grand = ((n - 1) * var).sum(), (n * mean).sum() / n.sum()
between = (n * (mean - grand) ** 2).sum()
if k == 2:
    of_groups = [value for _, row in tested.iterrows() for value in (row["mean"], row["std"], row["count"])]
    test = stats.ttest_ind_from_stats(*of_groups, equal_var=False)
    name, statistic, p, effect_name = "Welch t-test", test.statistic, test.pvalue, "Cohen's d"
    effect = (mean.iloc[0] - mean.iloc[1]) / (within / (n.sum() - 2)) ** 0.5
elif varying:
    weight = n / var
    centre = (weight * mean).sum() / weight.sum()
    spread = ((1 - weight / weight.sum()) ** 2 / (n - 1)).sum()
    statistic = (weight * (mean - centre) ** 2).sum() / (k - 1) / (1 + 2 * (k - 2) / (k**2 - 1) * spread)
    p = stats.f.sf(statistic, k - 1, (k**2 - 1) / (3 * spread))
    name, effect_name, effect = "Welch ANOVA", "eta squared", between / (between + within)
else:
    statistic = (between / (k - 1)) / (within / (n.sum() - k))
    p = stats.f.sf(statistic, k - 1, n.sum() - k)
    name, effect_name, effect = "ANOVA", "eta squared", between / (between + within)
output = {
    "table": table,
    "test": name,
    "statistic": float(statistic),
    "p": float(p),
    "effect_name": effect_name,
    "effect": float(effect),
}
"""


def pair(
    engine: Engine, selection: Selection, x: ColumnInfo, y: ColumnInfo, method: str, **about: Any
) -> Result:
    """r, p and n of two columns, as `analysis.correlate` gives them."""
    moments = _moments(engine, _both(selection, x, y), method)
    code = PAIR.format(x=x.name, y=y.name, method=method)
    return engine.finish({"moments": moments}, code, **about)[1]


def matrix(
    engine: Engine, selection: Selection, columns: Sequence[ColumnInfo], method: str, first: str, **about: Any
) -> Result:
    """The correlations of every two of the columns."""
    pairs = [(j, i) for i in range(len(columns)) for j in range(i + 1)]
    names = [column.name for column in columns]
    parts: dict[str, Any] = {}
    if method == "pearson":
        table = selection.table.select(**{c.name: selection.table[c.name].cast("float64") for c in columns})
        means = engine.fetch(table.aggregate(**{f"m{i}": table[n].mean() for i, n in enumerate(names)})).rows[
            0
        ]
        centred = table.select(**{n: table[n] - (m or 0.0) for n, m in zip(names, means, strict=True)})
        for start in range(0, len(pairs), PAIRS_A_QUERY):
            sums = [_sums(centred, names, *item) for item in pairs[start : start + PAIRS_A_QUERY]]
            parts[f"part_{start}"] = centred.aggregate(**{k: v for found in sums for k, v in found.items()})
    else:
        for j, i in pairs:
            ranked = _ranked(_both(selection, columns[j], columns[i]))
            parts[f"part_{j}_{i}"] = ranked.aggregate(**_sums(ranked, {j: "x", i: "y"}, j, i))
    code = MATRIX.format(names=names, parts=", ".join(parts), first=first)
    return engine.finish(parts, code, **about)[1]


def compared(
    engine: Engine, selection: Selection, value: ColumnInfo, group: ColumnInfo, **about: Any
) -> Result:
    """n, mean, median and spread of each group, and the test, as `analysis.compare` gives them."""
    table = selection.table
    whole = table.filter(table[value.name].notnull() & table[group.name].notnull())
    keyed = whole.select(group=as_text(group, whole[group.name]), value=whole[value.name].cast("float64"))
    number = keyed["value"]
    groups = keyed.group_by("group").aggregate(
        count=number.count(), mean=number.mean(), median=number.quantile(0.5), std=number.std(how="sample"),
        min=number.min(), max=number.max(),
    )  # fmt: skip
    return engine.finish({"groups": groups}, COMPARE, **about)[1]


def _both(selection: Selection, x: ColumnInfo, y: ColumnInfo) -> Any:
    table = selection.table
    whole = table.filter(table[x.name].notnull() & table[y.name].notnull())
    return whole.select(x=whole[x.name].cast("float64"), y=whole[y.name].cast("float64"))


def _moments(engine: Engine, table: Any, method: str) -> Any:
    """n and the sums of squares and products about the means."""
    if method == "spearman":
        table = _ranked(table)
    x_mean, y_mean = engine.fetch(table.aggregate(x=table["x"].mean(), y=table["y"].mean())).rows[0]
    x, y = table["x"] - x_mean, table["y"] - y_mean
    return table.aggregate(n=table.count(), xx=(x * x).sum(), yy=(y * y).sum(), xy=(x * y).sum())


def _ranked(table: Any) -> Any:
    """Average ranks of x and y: ties share the mean of theirs."""
    ranks = {}
    for name in ("x", "y"):
        below = ibis.rank().over(ibis.window(order_by=table[name]))
        ties = table[name].count().over(ibis.window(group_by=table[name]))
        ranks[name] = below.cast("float64") + (ties.cast("float64") + 1.0) / 2.0
    return table.select(**ranks)


def _sums(table: Any, names: Any, j: int, i: int) -> dict[str, Any]:
    """n, sums, sums of squares and products, and ends of the rows that have both columns."""
    x, y, key = table[names[j]], table[names[i]], f"{j}_{i}"
    both = x.notnull() & y.notnull()
    return {
        f"n{key}": both.sum(), f"x{key}": x.sum(where=both), f"y{key}": y.sum(where=both),
        f"xx{key}": (x * x).sum(where=both), f"yy{key}": (y * y).sum(where=both),
        f"xy{key}": (x * y).sum(where=both), f"low_x{key}": x.min(where=both),
        f"high_x{key}": x.max(where=both), f"low_y{key}": y.min(where=both),
        f"high_y{key}": y.max(where=both),
    }  # fmt: skip

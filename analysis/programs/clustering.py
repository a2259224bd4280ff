"""Rows in groups that are alike, with as many groups as stand apart best."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import silhouette_score
from sklearn.preprocessing import RobustScaler, StandardScaler

SEED = 20260701
MOST = 8
FITTED_ROWS = 100_000
JUDGED_ROWS = 5_000
SHOWN = 100
WEAK = 0.25
Progress = Callable[[float, str], None]


def clusters(
    data: Any, features: list[str], count: int = 0, method: str = "kmeans", progress: Progress | None = None
) -> dict[str, Any]:
    """Scaled k-means (or Ward's tree); `count` 0 takes the number with the best silhouette, 2 to 8."""
    rows = data.dropna(subset=features)
    notes = [f"{len(data) - len(rows):,} row(s) with gaps are left out."] if len(rows) < len(data) else []
    most = JUDGED_ROWS if method == "hierarchical" else FITTED_ROWS
    if len(rows) > most:
        notes.append(f"Grouped on a sample of {most:,} of {len(rows):,} rows.")
        rows = rows.sample(most, random_state=SEED).sort_index()
    different = len(rows[features].drop_duplicates())
    if different < 3:
        return {"table": data.head(0), "problem": f"There are only {different} different rows to group."}
    x = StandardScaler().fit_transform(rows[features])
    counts = [count] if count else list(range(2, min(MOST, different - 1) + 1))
    tried = []
    for place, k in enumerate(counts):
        if progress:
            progress(place / len(counts), f"Trying {k} groups")
        labels = grouped(x, k, method)
        alike = silhouette_score(x, labels, sample_size=min(JUDGED_ROWS, len(x)), random_state=SEED)
        tried.append((float(alike), k, labels))
    best, k, labels = max(tried, key=lambda item: item[0])
    # The largest group is the first one, whatever number it got.
    order = pd.Series(labels).value_counts().index
    names = pd.Series(labels).map({label: place + 1 for place, label in enumerate(order)}).to_numpy()
    frame = rows.assign(cluster=names)
    profile = frame.groupby("cluster")[features].mean()
    whole, spread = rows[features].mean(), rows[features].std()
    table = profile.add_prefix("mean ").reset_index()
    sizes = frame["cluster"].value_counts().sort_index()
    table.insert(1, "rows", sizes.to_numpy())
    table.insert(2, "share %", 100 * sizes.to_numpy() / len(frame))
    marks = ((profile - whole) / spread.replace(0, np.nan)).fillna(0)
    table["stands out by"] = [
        f"{'high' if row[far] > 0 else 'low'} {far}"
        for _, row in marks.iterrows()
        for far in [row.abs().idxmax()]
    ]
    if best < WEAK:
        notes.append(f"The groups hardly stand apart (silhouette {best:.2f}): they cut a cloud, not islands.")
    notes.append(
        f"The columns are scaled to equal spread; {k} groups "
        + ("were asked for." if count else f"have the best silhouette of {counts[0]} to {counts[-1]}.")
    )
    plane = PCA(2, random_state=SEED).fit_transform(x) if len(features) > 1 else np.column_stack([x, x * 0])
    picked = np.random.default_rng(SEED).permutation(len(frame))[:2000]
    points = pd.DataFrame(
        {"x": plane[picked, 0], "y": plane[picked, 1], "cluster": frame["cluster"].to_numpy()[picked]}
    )
    return {
        "table": table, "points": points,
        "tried": pd.DataFrame({"groups": [t[1] for t in tried], "silhouette": [t[0] for t in tried]}),
        "clusters": k, "silhouette": best, "n": len(frame), "method": method,
        "largest": {"rows": int(sizes.max()), "share": 100 * float(sizes.max()) / len(frame)},
        "smallest": {"rows": int(sizes.min()), "share": 100 * float(sizes.min()) / len(frame)},
        "profiles": [
            {"cluster": int(row["cluster"]), "rows": int(row["rows"]), "stands_out_by": row["stands out by"]}
            for _, row in table.iterrows()
        ],
        "notes": notes,
    }  # fmt: skip


def grouped(x: Any, count: int, method: str) -> Any:
    """A label for each row."""
    if method == "hierarchical":
        return AgglomerativeClustering(count).fit_predict(x)
    return KMeans(count, n_init=10, random_state=SEED).fit_predict(x)


def odd_rows(
    data: Any, features: list[str], share: float = 0.01, progress: Progress | None = None
) -> dict[str, Any]:
    """The `share` of rows that an isolation forest sets apart soonest, the oddest first."""
    rows = data.dropna(subset=features)
    notes = [f"{len(data) - len(rows):,} row(s) with gaps are left out."] if len(rows) < len(data) else []
    forest = IsolationForest(n_estimators=200, contamination=share, random_state=SEED)
    known = rows if len(rows) <= FITTED_ROWS else rows.sample(FITTED_ROWS, random_state=SEED)
    if len(known) < len(rows):
        notes.append(f"Fitted on a sample of {FITTED_ROWS:,} of {len(rows):,} rows; all are judged.")
    x = RobustScaler().fit(known[features])
    forest.fit(x.transform(known[features]))
    if progress:
        progress(0.5, "Judging the rows")
    score = -forest.score_samples(x.transform(rows[features]))
    odd = score > -forest.offset_
    middle, spread = rows[features].median(), rows[features].std().replace(0, np.nan)
    distance = ((rows[features] - middle) / spread).abs().fillna(0)
    found = rows.assign(score=score, farthest=distance.idxmax(axis=1))[odd]
    found = found.sort_values("score", ascending=False, kind="stable").head(SHOWN)
    count = int(odd.sum())
    if count > len(found):
        notes.append(f"The {len(found)} oddest of {count:,} rows are shown.")
    notes.append(f"By construction about {share:.1%} of the rows are listed; look, before you drop any.")
    columns = ["score", "farthest", *[c for c in rows.columns if c not in ("score", "farthest")]]
    by = found["farthest"].value_counts()
    return {
        "table": found[columns].rename(columns={"farthest": "most unusual in"}).reset_index(drop=True),
        "anomalies": count, "n": len(rows), "share": share,
        "mostly_by": str(by.index[0]) if len(by) else "", "notes": notes,
    }  # fmt: skip


def components(data: Any, features: list[str], progress: Progress | None = None) -> dict[str, Any]:
    """Directions of variation of the scaled columns, with what each column adds to them."""
    rows = data.dropna(subset=features)
    notes = [f"{len(data) - len(rows):,} row(s) with gaps are left out."] if len(rows) < len(data) else []
    if len(rows) < len(features) + 1:
        return {
            "table": data.head(0),
            "problem": f"{len(rows)} complete rows are too few for {len(features)} columns.",
        }
    fitted = PCA(random_state=SEED).fit(StandardScaler().fit_transform(rows[features]))
    share = 100 * fitted.explained_variance_ratio_
    # Which end of a direction is positive is chance; its largest part shall be.
    signs = np.sign(fitted.components_[np.arange(len(share)), np.abs(fitted.components_).argmax(axis=1)])
    loadings = fitted.components_ * signs[:, None]
    table = pd.DataFrame(
        {"component": np.arange(1, len(share) + 1), "explained %": share, "cumulative %": np.cumsum(share)}
    )
    for place, name in enumerate(features):
        table[f"{name} loading"] = loadings[:, place]
    enough = int(np.searchsorted(np.cumsum(share), 80 - 1e-9) + 1)
    lead = np.argsort(-np.abs(loadings[0]))[:3]
    notes.append("The columns are scaled to equal spread.")
    return {
        "table": table, "components": len(share), "first": float(share[0]),
        "second": float(share[1]) if len(share) > 1 else None, "enough": enough,
        "enough_share": float(np.cumsum(share)[enough - 1]), "n": len(rows),
        "lead": [{"column": features[i], "loading": float(loadings[0, i])} for i in lead], "notes": notes,
    }  # fmt: skip

"""A stored model at work: tested again, or predicting rows it has not seen."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.programs.features import prepared
from analysis.programs.scoring import by_class, by_size, confusion, scores
from analysis.programs.splitting import split

SHOWN = 5_000
Progress = Callable[[float, str], None]


def loaded(path: str) -> dict[str, Any]:
    """What `train` stored. Only for files that this program's maker wrote and whose hash was checked."""
    bundle: dict[str, Any] = pickle.loads(Path(path).read_bytes())
    return bundle


def evaluate(
    data: Any, model: str, held_out: bool = True, progress: Progress | None = None
) -> dict[str, Any]:
    """Scores on the rows set aside in training, or on all rows of other data."""
    bundle = loaded(model)
    target, kind = bundle["target"], bundle["kind"]
    notes: list[str] = []
    rows = data
    if held_out:
        _, rows, notes = split(data, target, kind, bundle["time"])
    rows = rows.dropna(subset=[target])
    if not len(rows):
        return {"table": data.head(0), "problem": f"No row has {target}, so nothing can be compared."}
    truth = rows[target].map(str) if kind == "classification" else rows[target].astype(float)
    predicted = bundle["pipeline"].predict(prepared(rows, bundle["features"]))
    found = scores(truth, predicted, kind)
    facts: dict[str, Any] = {"scores": found, "n": len(rows), "target": target, "kind": kind}
    if kind == "classification":
        cells = confusion(truth, predicted)
        wrong = cells[(cells["true"] != cells["predicted"]) & (cells["rows"] > 0)]
        if len(wrong):
            facts["most_confused"] = wrong.loc[wrong["rows"].idxmax()].to_dict()
        return {"table": by_class(truth, predicted), "confusion": cells, **facts, "notes": notes}
    inside = np.abs(truth.to_numpy() - predicted) <= bundle["half_width"]
    facts |= {"bias": float(np.mean(predicted - truth.to_numpy())), "inside_interval": float(inside.mean())}
    return {"table": by_size(truth, predicted), **facts, "notes": notes}


def predict(
    data: Any, model: str, progress: Progress | None = None, values: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """Predictions for each row, with an interval that holds nine of ten, or the probability of each class."""
    bundle = loaded(model)
    rows = pd.DataFrame(values) if values is not None else data
    features, notes = bundle["features"], strangers(rows, bundle)
    shown = rows.head(SHOWN)
    if len(shown) < len(rows):
        notes.append(f"The first {SHOWN:,} of {len(rows):,} rows are shown; the summary is of all.")
    predicted = bundle["pipeline"].predict(prepared(rows, features))
    target = bundle["target"]
    name = f"predicted {target}"
    table = pd.DataFrame({name: predicted[: len(shown)]})
    facts: dict[str, Any] = {"target": target, "kind": bundle["kind"], "n": len(rows), "held_percent": 90}
    if bundle["kind"] == "regression":
        half = bundle["half_width"]
        table["low"], table["high"] = table[name] - half, table[name] + half
        facts |= {
            "mean": float(np.mean(predicted)), "lowest": float(np.min(predicted)),
            "highest": float(np.max(predicted)), "half_width": half, "total": float(np.sum(predicted)),
        }  # fmt: skip
    else:
        chances = bundle["pipeline"].predict_proba(prepared(shown, features))
        for place, label in enumerate(bundle["pipeline"].classes_):
            table[f"p({label})"] = chances[:, place]
        counts = pd.Series(predicted).value_counts()
        facts["counts"] = {str(label): int(count) for label, count in counts.items()}
        facts["probability"] = float(chances[0].max())
    facts["first"] = {
        key: (value if isinstance(value, str) else float(value)) for key, value in table.iloc[0].items()
    }
    given = shown[[feature["name"] for feature in features]].reset_index(drop=True)
    return {"table": pd.concat([table, given], axis=1), **facts, "notes": notes}


def strangers(rows: Any, bundle: dict[str, Any]) -> list[str]:
    """What the model has not seen in training: gaps, new words, numbers out of range."""
    notes = []
    single = len(rows) == 1
    absent = [f["name"] for f in bundle["features"] if rows[f["name"]].isna().all()]
    if single and absent:
        notes.append(f"Not given, so typical values are assumed: {', '.join(absent)}.")
    for feature in bundle["features"]:
        name, values = feature["name"], rows[feature["name"]]
        gaps = int(values.isna().sum())
        if gaps and not single:
            notes.append(f"{name} is missing in {gaps:,} row(s): a typical value is assumed.")
        if feature["kind"] == "words":
            new = sorted(set(map(str, values.dropna().unique())) - set(bundle["levels"][name]))
            if new:
                listed = ", ".join(new[:5])
                notes.append(
                    f"{name}: not seen in training: {listed}. Such rows are predicted as an unknown group."
                )
        elif feature["kind"] == "number":
            low, high = bundle["numbers"][name]
            known = pd.to_numeric(values, errors="coerce")
            beyond = int(((known < low) | (known > high)).sum()) if None not in (low, high) else 0
            if beyond:
                notes.append(
                    f"{name}: {beyond:,} row(s) lie outside of the {low:g} to {high:g} seen in training."
                )
    return notes

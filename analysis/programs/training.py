"""Several models compared by cross-validation, the best one tuned, tested on rows it never saw, and kept."""

import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold, TimeSeriesSplit, cross_val_score
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from analysis.programs.features import encoder, finite, prepared, sampled
from analysis.programs.scoring import scores
from analysis.programs.splitting import SEED, copies, split

COMPARED_ROWS = 5_000
LEAKAGE_ROWS = 2_000
IMPORTANCE_ROWS = 1_000
NEARLY_ALL = 0.98
IMBALANCED = 0.8
HELD = 0.9
FEWEST = 30
LEAVES = 300
Progress = Callable[[float, str], None]


def train(
    data: Any,
    target: str,
    kind: str,
    features: list[dict[str, str]],
    time: str = "",
    candidates: list[str] | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Trains a model of `target`; the bytes of what `predict` and `evaluate` load are in `model`."""
    tell = progress or (lambda part, text: None)
    train_rows, test_rows, notes = split(data, target, kind, time)
    empty = pd.DataFrame({"feature": [feature["name"] for feature in features]})
    total = len(train_rows) + len(test_rows)
    if total < FEWEST:
        return {"table": empty, "problem": f"{total} rows with {target} are too few; {FEWEST} are needed."}
    if train_rows[target].nunique() < 2:
        return {"table": empty, "problem": f"{target} is the same in all training rows: nothing to learn."}
    balanced = (
        kind == "classification" and train_rows[target].value_counts(normalize=True).iloc[0] > IMBALANCED
    )
    measure = (
        "mean absolute error" if kind == "regression" else "balanced accuracy" if balanced else "accuracy"
    )
    scoring = measure.replace(" ", "_") if kind != "regression" else "neg_mean_absolute_error"
    small = sampled(train_rows, COMPARED_ROWS, SEED)
    if len(small) < len(train_rows):
        notes.append(f"Models compared on {len(small):,} of {len(train_rows):,} training rows.")
    x, y = prepared(small, features), small[target]
    folds = folded(kind, time, y)
    models = estimators(kind, balanced=balanced)
    names = ["baseline", *[name for name in models if name != "baseline" and name in (candidates or models)]]
    rows = []
    for place, name in enumerate(names):
        tell(0.05 + 0.55 * place / len(names), f"Cross-validating: {name}")
        found = validated(Pipeline([("encode", encoder(x)), ("model", models[name])]), x, y, folds, scoring)
        rows.append({"model": name, measure: float(np.mean(found)), "spread": float(np.std(found))})
    table = pd.DataFrame(rows)
    table = table.sort_values(measure, ascending=kind == "regression", kind="stable", ignore_index=True)
    best = str(table.loc[table["model"] != "baseline", "model"].iloc[0])
    tell(0.65, f"Tuning: {best}")
    x_train, x_test = prepared(train_rows, features), prepared(test_rows, features)
    fitted, settings = tuned(best, models[best], x, y, scoring, kind, time)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted.fit(x_train, train_rows[target])
    plain = Pipeline([("encode", encoder(x)), ("model", models["baseline"])]).fit(x_train, train_rows[target])
    tell(0.8, "Testing")
    predicted = fitted.predict(x_test)
    tested = scores(test_rows[target], predicted, kind)
    baseline = scores(test_rows[target], plain.predict(x_test), kind)
    better = (
        tested[measure] < 0.99 * baseline[measure]
        if kind == "regression"
        else (tested[measure] > baseline[measure] + 0.01)
    )
    if not better:
        notes.append("The model does not beat the baseline, so do not rely on it.")
    notes += leakage(small, target, kind, features) + doubts(train_rows, test_rows, tested, kind)
    tell(0.9, "Weighing the features")
    weights = importances(fitted, sampled(test_rows, IMPORTANCE_ROWS, SEED), features, target, scoring)
    bundle = {
        "pipeline": fitted, "features": features, "target": target, "kind": kind, "time": time,
        "half_width": half_width(test_rows[target], predicted) if kind == "regression" else None,
        "numbers": {
            f["name"]: [finite(train_rows[f["name"]].min()), finite(train_rows[f["name"]].max())]
            for f in features if f["kind"] == "number"
        },
        "levels": {
            f["name"]: sorted(map(str, train_rows[f["name"]].dropna().unique()))
            for f in features if f["kind"] == "words"
        },
    }  # fmt: skip
    return {
        "table": table, "importances": weights, "model": pickle.dumps(bundle), "target": target,
        "kind": kind, "algorithm": best, "settings": settings, "measure": measure,
        "score": tested[measure], "baseline_score": baseline[measure], "beats_baseline": bool(better),
        "scores": tested, "baseline_scores": baseline, "train_rows": len(train_rows),
        "test_rows": len(test_rows), "features": [feature["name"] for feature in features],
        "most_important": weights.head(3).to_dict("records"),
        "interval_half_width": bundle["half_width"], "levels": bundle["levels"],
        "folds": len(folds),
        "notes": notes,
    }  # fmt: skip


def estimators(kind: str, *, balanced: bool) -> dict[str, Any]:
    """Candidates by name, from the plainest; the baseline knows only the target."""
    if kind == "regression":
        return {
            "baseline": DummyRegressor(strategy="median"),
            "linear": Ridge(alpha=1.0),
            "nearest neighbours": KNeighborsRegressor(n_neighbors=15, weights="distance"),
            "tree": DecisionTreeRegressor(max_depth=6, min_samples_leaf=5, random_state=SEED),
            "random forest": RandomForestRegressor(
                40, min_samples_leaf=2, max_leaf_nodes=LEAVES, random_state=SEED
            ),
            "gradient boosting": HistGradientBoostingRegressor(random_state=SEED),
        }
    weight = "balanced" if balanced else None
    return {
        "baseline": DummyClassifier(strategy="most_frequent"),
        "logistic": LogisticRegression(max_iter=1000, class_weight=weight),
        "nearest neighbours": KNeighborsClassifier(n_neighbors=15, weights="distance"),
        "tree": DecisionTreeClassifier(
            max_depth=6, min_samples_leaf=5, class_weight=weight, random_state=SEED
        ),
        "random forest": RandomForestClassifier(
            40, min_samples_leaf=2, max_leaf_nodes=LEAVES, class_weight=weight, random_state=SEED
        ),
        "gradient boosting": HistGradientBoostingClassifier(class_weight=weight, random_state=SEED),
    }


GRIDS: dict[str, dict[str, list[Any]]] = {
    "linear": {"model__alpha": [0.1, 1.0, 10.0]},
    "logistic": {"model__C": [0.1, 1.0, 10.0]},
    "nearest neighbours": {"model__n_neighbors": [5, 15, 40]},
    "tree": {"model__max_depth": [3, 6, 12]},
    "random forest": {"model__min_samples_leaf": [2, 8]},
    "gradient boosting": {"model__learning_rate": [0.05, 0.1], "model__max_leaf_nodes": [15, 31]},
}


def folded(kind: str, time: str, y: Any) -> list[Any]:
    """Folds of cross-validation: in the order of time where there is one, else shuffled."""
    count = 5 if len(y) <= 2000 else 3
    place = np.zeros(len(y))
    if time:
        return list(TimeSeriesSplit(count).split(place))
    if kind == "classification":
        return list(StratifiedKFold(count, shuffle=True, random_state=SEED).split(place, y))
    return list(KFold(count, shuffle=True, random_state=SEED).split(place))


def validated(pipeline: Any, x: Any, y: Any, folds: Any, scoring: str) -> Any:
    """The score of each fold; errors as positive numbers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = cross_val_score(pipeline, x, y, cv=folds, scoring=scoring)
    known = found[np.isfinite(found)]
    if not len(known):
        return np.array([np.nan])
    return -known if scoring.startswith("neg_") else known


def tuned(name: str, model: Any, x: Any, y: Any, scoring: str, kind: str, time: str) -> tuple[Any, Any]:
    """The model with the best of a few settings."""
    pipeline = Pipeline([("encode", encoder(x)), ("model", model)])
    folds = folded(kind, time, y)[-3:]
    search = GridSearchCV(pipeline, GRIDS[name], cv=folds, scoring=scoring, refit=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(x, y)
    settings = {key.removeprefix("model__"): value for key, value in search.best_params_.items()}
    return pipeline.set_params(**search.best_params_), settings


def leakage(rows: Any, target: str, kind: str, features: list[dict[str, str]]) -> list[str]:
    """Features that give the target nearly alone, or whose names say that they come from it."""
    small = sampled(rows, LEAKAGE_ROWS, SEED)
    number = kind == "regression"
    notes = []
    for feature in features:
        x, y = prepared(small, [feature]), small[target]
        model: Any = DecisionTreeRegressor if number else DecisionTreeClassifier
        pipeline = Pipeline([("encode", encoder(x)), ("model", model(max_leaf_nodes=500, random_state=SEED))])
        folds = KFold(3, shuffle=True, random_state=SEED)
        found = validated(pipeline, x, y, folds, "r2" if number else "balanced_accuracy")
        if float(np.mean(found)) > NEARLY_ALL:
            notes.append(
                f"Leakage? {feature['name']} alone gives {target} almost exactly. If it is known only "
                f"after {target}, or computed from it, train without it."
            )
        elif len(target) > 3 and target.lower() in feature["name"].lower():
            notes.append(f"Leakage? By its name {feature['name']} may come from {target}.")
    return notes


def doubts(train_rows: Any, test_rows: Any, tested: dict[str, float], kind: str) -> list[str]:
    """What makes the test flatter than the truth."""
    notes = []
    same = copies(train_rows, test_rows)
    if same:
        notes.append(f"{same:,} of {len(test_rows):,} test rows have an exact copy among the training rows.")
    top = tested["R²"] if kind == "regression" else tested["accuracy"]
    if top > 0.999:
        notes.append("Almost perfect: look for a feature that is computed from the target.")
    if len(test_rows) < 100:
        notes.append(f"Only {len(test_rows)} test rows: the score is uncertain.")
    return notes


def importances(fitted: Any, rows: Any, features: list[dict[str, str]], target: str, scoring: str) -> Any:
    """How much worse the score gets when a feature is shuffled, on rows that the model never saw."""
    x = prepared(rows, features)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = permutation_importance(
            fitted, x, rows[target], scoring=scoring, n_repeats=5, random_state=SEED
        )
    parts = pd.DataFrame({"column": x.columns, "importance": found.importances_mean})
    parts["feature"] = [
        next((f["name"] for f in features if f["kind"] == "date" and c.startswith(f"{f['name']} (")), c)
        for c in parts["column"]
    ]
    grouped = parts.groupby("feature")["importance"].sum().reset_index()
    return grouped.sort_values("importance", ascending=False, kind="stable", ignore_index=True)


def half_width(truth: Any, predicted: Any) -> float:
    """Half of an interval that holds nine of ten held-out values (split conformal)."""
    errors = np.abs(np.asarray(truth, dtype=float) - predicted)
    level = min(1.0, np.ceil((len(errors) + 1) * HELD) / len(errors))
    return float(np.quantile(errors, level, method="higher"))

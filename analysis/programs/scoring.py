"""How good predictions are, in a few numbers that people know."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn import metrics


def scores(truth: Any, predicted: Any, kind: str) -> dict[str, float]:
    """Of numbers: mean absolute error, root mean squared error, R². Of classes: accuracy, balanced, F1."""
    if kind == "regression":
        return {
            "mean absolute error": float(metrics.mean_absolute_error(truth, predicted)),
            "root mean squared error": float(metrics.root_mean_squared_error(truth, predicted)),
            "R²": float(metrics.r2_score(truth, predicted)) if len(truth) > 1 else float("nan"),
        }
    return {
        "accuracy": float(metrics.accuracy_score(truth, predicted)),
        "balanced accuracy": float(metrics.recall_score(truth, predicted, average="macro", zero_division=0)),
        "F1 (macro)": float(metrics.f1_score(truth, predicted, average="macro", zero_division=0)),
    }


def confusion(truth: Any, predicted: Any) -> Any:
    """Rows by true and predicted class."""
    counted: Any = pd.crosstab(
        pd.Series(list(truth), name="true"), pd.Series(list(predicted), name="predicted")
    )
    return counted.stack().rename("rows").reset_index()


def by_class(truth: Any, predicted: Any) -> Any:
    """Precision and recall of each class."""
    names = sorted(set(truth) | set(predicted))
    found = metrics.precision_recall_fscore_support(truth, predicted, labels=names, zero_division=0)
    return pd.DataFrame(
        dict(zip(["class", "precision", "recall", "F1", "rows"], [names, *found], strict=True))
    )


def by_size(truth: Any, predicted: Any) -> Any:
    """Errors in fifths of the predictions, the lowest first."""
    frame = pd.DataFrame({"true": np.asarray(truth), "predicted": np.asarray(predicted)})
    frame["error"] = frame["true"] - frame["predicted"]
    fifths = pd.qcut(frame["predicted"], 5, duplicates="drop") if frame["predicted"].nunique() > 1 else "all"
    grouped = (
        frame.groupby(fifths, observed=True)
        if not isinstance(fifths, str)
        else frame.groupby(lambda _: fifths)
    )
    rows = [
        {
            "predictions from": float(part["predicted"].min()), "to": float(part["predicted"].max()),
            "rows": len(part), "mean of true": float(part["true"].mean()),
            "mean of predicted": float(part["predicted"].mean()),
            "mean absolute error": float(part["error"].abs().mean()),
        }
        for _, part in grouped
    ]  # fmt: skip
    return pd.DataFrame(rows)

"""Columns as models take them: numbers, words, and the parts of dates; gaps are filled inside the model."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

MISSING = "(missing)"
MAX_LEVELS = 20
PARTS = ("year", "month", "day", "weekday")


def prepared(frame: Any, features: list[dict[str, str]]) -> Any:
    """`features` are names with kinds (number, words, date); a date becomes year, month, day and weekday."""
    made: dict[str, Any] = {}
    for feature in features:
        name, values = feature["name"], frame[feature["name"]]
        if feature["kind"] == "number":
            made[name] = pd.to_numeric(values, errors="coerce").astype(float)
        elif feature["kind"] == "date":
            moments = pd.to_datetime(values, errors="coerce")
            made |= {f"{name} ({part})": getattr(moments.dt, part).astype(float) for part in PARTS}
        else:
            made[name] = values.astype(object).where(values.notna(), MISSING).map(str)
    return pd.DataFrame(made, index=frame.index)


def encoder(frame: Any) -> Any:
    """Numbers: median for gaps, scaled; words: one column for each of the frequent ones."""
    words = [name for name in frame.columns if not pd.api.types.is_numeric_dtype(frame[name])]
    numbers = [name for name in frame.columns if name not in words]
    levels = OneHotEncoder(
        handle_unknown="infrequent_if_exist", max_categories=MAX_LEVELS, sparse_output=False
    )
    filled = SimpleImputer(strategy="median", keep_empty_features=True)
    return ColumnTransformer(
        [("numbers", make_pipeline(filled, StandardScaler()), numbers), ("words", levels, words)]
    )


def sampled(frame: Any, most: int, seed: int) -> Any:
    """At most so many rows, the same ones each time, in their order."""
    return frame if len(frame) <= most else frame.sample(most, random_state=seed).sort_index()


def finite(value: float) -> float | None:
    """A number as JSON has it."""
    return float(value) if np.isfinite(value) else None

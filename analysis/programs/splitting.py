"""Rows set aside before anything is fitted, the same ones whenever the model is looked at again."""

from typing import Any

import pandas as pd
from sklearn.model_selection import train_test_split

from analysis.programs.features import sampled

TEST_SHARE = 0.2
SEED = 20260701
MOST_ROWS = 125_000
FEWEST_OF_CLASS = 10


def split(data: Any, target: str, kind: str, time: str) -> tuple[Any, Any, list[str]]:
    """Training and held-out rows: the newest fifth where there is a time, else a fifth at random."""
    notes = []
    rows = data.dropna(subset=[target]).reset_index(drop=True)
    if len(rows) < len(data):
        notes.append(f"{len(data) - len(rows):,} row(s) without {target} are left out.")
    if len(rows) > MOST_ROWS:
        notes.append(f"Fitted on a sample of {MOST_ROWS:,} of {len(rows):,} rows.")
        rows = sampled(rows, MOST_ROWS, SEED).reset_index(drop=True)
    if kind == "classification":
        rows[target] = rows[target].map(str)
        counts = rows[target].value_counts()
        rare = counts[counts < FEWEST_OF_CLASS].index.tolist()
        if rare:
            rows = rows[~rows[target].isin(rare)].reset_index(drop=True)
            notes.append(
                f"Left out, with fewer than {FEWEST_OF_CLASS} rows: {', '.join(map(str, rare[:10]))}."
            )
    else:
        rows[target] = rows[target].astype(float)
    if time:
        rows = rows.sort_values(time, kind="stable", na_position="first").reset_index(drop=True)
        edge = int(len(rows) * (1 - TEST_SHARE))
        notes.append(f"Tested on the newest fifth by {time}, which it never saw.")
        return rows.iloc[:edge], rows.iloc[edge:], notes
    classes = rows[target] if kind == "classification" else None
    train, test = train_test_split(rows, test_size=TEST_SHARE, random_state=SEED, stratify=classes)
    notes.append("Tested on a fifth of the rows, picked at random, which it never saw.")
    return train.sort_index(), test.sort_index(), notes


def copies(train: Any, test: Any) -> int:
    """How many held-out rows have an exact copy among the training rows."""
    known = set(pd.util.hash_pandas_object(train.astype(str), index=False))
    return int(pd.util.hash_pandas_object(test.astype(str), index=False).isin(known).sum())

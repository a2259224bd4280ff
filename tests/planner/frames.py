"""Real rows for the tables that the question sets are about, made from their cards."""

from typing import Any

import numpy as np
import pandas as pd

from tests.planner.tables import CARDS

ROWS = 700


def frame(card: dict[str, Any], seed: int = 3) -> pd.DataFrame:
    """Rows that fit the card: its names, kinds, ranges, values and gaps; many values tie."""
    random = np.random.default_rng(seed)
    made = {column["name"]: _column(column, card["rows"], random) for column in card["columns"]}
    return pd.DataFrame(made)


def frames(schema: str) -> dict[str, pd.DataFrame]:
    """All tables of a test schema by name, the current one last."""
    return {card["name"]: frame(card) for card in CARDS[schema]}


def _column(column: dict[str, Any], rows: int, random: np.random.Generator) -> pd.Series:
    kind = column["kind"]
    if kind == "integer" and column["distinct"] == rows:
        values = pd.Series(np.arange(1, ROWS + 1))
    elif kind == "integer":
        values = pd.Series(random.integers(column["min"], column["max"] + 1, ROWS))
    elif kind == "number":
        values = pd.Series(random.uniform(column["min"], column["max"], ROWS).round(2))
    elif kind == "boolean":
        values = pd.Series(random.choice([True, False], ROWS))
    elif kind in ("date", "datetime"):
        span = pd.Timestamp(column["max"]) - pd.Timestamp(column["min"])
        values = pd.Timestamp(column["min"]) + pd.Series(random.random(ROWS)) * span
        values = values.dt.floor("D" if kind == "date" else "min")
    else:
        known = column.get("values") or [f"{column['name']} {n}" for n in range(min(40, column["distinct"]))]
        values = pd.Series(random.choice(known, ROWS))
    gaps = column.get("missing", 0) / rows
    return values.where(pd.Series(random.random(ROWS)) >= gaps)

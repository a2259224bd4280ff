"""A model is trained, tested and kept: the one place that stores what can predict later."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from analysis.conditions import Condition, select
from analysis.engine import Engine
from analysis.errors import ConstantColumn, NotComputable, TooFew, UnknownOption, require_option
from analysis.learning.columns import NUMBERS, choose_features, feature_of
from analysis.measures import date_columns, is_identifier
from analysis.programs import run_with_files, sampled
from storage.datasets import ColumnInfo
from storage.keys import SessionKey
from storage.models import Models
from storage.results import Result

KINDS = ("classification", "regression")
ALGORITHMS = {
    "regression": ("linear", "nearest neighbours", "tree", "random forest", "gradient boosting"),
    "classification": ("logistic", "nearest neighbours", "tree", "random forest", "gradient boosting"),
}
MAX_CLASSES = 30
MINIMUM = 30
LOADED_ROWS = 250_000


def train_model(
    engine: Engine,
    models: Models,
    key: SessionKey,
    target: str,
    features: Sequence[str] = (),
    kind: str = "",
    algorithm: str = "",
    by_time: bool | None = None,
    dataset: str = "",
    where: Sequence[Condition] = (),
) -> Result:
    """Trains a model of `target` from `features` (without any, from all columns that can say something).

    Words and yes/no are classified, numbers estimated, unless `kind` says otherwise. Candidates are compared
    by cross-validation beside a baseline that knows only the target; the best (or `algorithm`) is tuned,
    tested on held-out rows (the newest ones where there is a date, unless `by_time` says otherwise) and
    stored with the session. Raises UnknownOption, TooFew, ConstantColumn, NotComputable.
    """
    data = engine.dataset(dataset)
    goal = engine.column(data, target)
    if goal.kind not in (*NUMBERS, "text", "boolean"):
        raise UnknownOption(f"{goal.name} holds {goal.kind} values, which models here cannot predict.")
    if is_identifier(goal, data.rows):
        raise UnknownOption(f"{goal.name} only names rows, so there is nothing to learn about it.")
    chosen = require_option(kind or _kind_of(goal), KINDS, "kind of model")
    if chosen == "regression" and goal.kind not in (*NUMBERS, "boolean"):
        raise UnknownOption(f"{goal.name} holds {goal.kind} values, so it is classified.", ["classification"])
    wanted = require_option(algorithm, ("", *ALGORITHMS[chosen]), "algorithm")
    columns, notes = choose_features(engine, data, goal, features)
    selection = select(engine, dataset, where)
    field = selection.table[goal.name]
    known, different = engine.fetch(selection.table.aggregate(n=field.count(), d=field.nunique())).rows[0]
    if known < MINIMUM:
        raise TooFew(f"Only {known} row(s) have {goal.name}; at least {MINIMUM} are needed.")
    if different < 2:
        raise ConstantColumn(f"{goal.name} is the same in every row used, so there is nothing to learn.")
    if chosen == "classification" and different > MAX_CLASSES:
        raise UnknownOption(
            f"{goal.name} has {different:,} different values; a model tells at most {MAX_CLASSES} apart."
        )
    moments = [c for c in columns if c.kind in ("date", "datetime")] or date_columns(data)
    timed = bool(moments) if by_time is None else by_time
    if timed and not moments:
        raise UnknownOption("There is no date column to test by time.")
    time = moments[0].name if timed else ""
    expression, said = learning_rows(selection.table, selection.rows, [goal, *columns, *moments[:timed]])
    files, result = run_with_files(
        engine, "training", "train", expression,
        {
            "target": goal.name, "kind": chosen, "features": [feature_of(c) for c in columns],
            "time": time, "candidates": [wanted] if wanted else None,
        },
        title=f"Model of {goal.name}{selection.words}",
        tool="train_model",
        arguments={
            "target": target, "features": list(features), "kind": kind, "algorithm": algorithm,
            "by_time": by_time, "dataset": data.name, "where": list(where),
        },
        datasets=[data], rows_used=known, kind="model", notes=[*notes, *said],
    )  # fmt: skip
    return _kept(result, models, key, files, columns, goal)


def _kept(
    result: Result,
    models: Models,
    key: SessionKey,
    files: dict[str, bytes],
    columns: list[ColumnInfo],
    goal: ColumnInfo,
) -> Result:
    """The result with where its model is, and what it takes."""
    if "model" not in files:
        raise NotComputable("The training gave no model.")
    data = files["model"]
    stored: dict[str, Any] = {
        "sha256": models.save(key, data), "size": len(data), "target": goal.name,
        "kind": result.facts["kind"],
        "features": [feature_of(c) | {"type": c.kind} for c in columns],
    }  # fmt: skip
    facts = dict(result.facts)
    stored["levels"] = facts.pop("levels")
    notes = [
        *result.notes,
        "The model stays with this conversation on this server; an exported conversation can train it again.",
    ]
    return replace(result, output=result.output | {"model": stored}, facts=facts, notes=notes)


def learning_rows(table: Any, rows: int, columns: Sequence[ColumnInfo]) -> tuple[Any, list[str]]:
    """The columns of at most 250,000 rows, in the order of the table, as models read them."""
    picked, notes = sampled(table, rows, LOADED_ROWS)
    kept = {c.name: c for c in columns}
    casts = {
        c.name: picked[c.name].cast(
            "float64" if c.kind in NUMBERS else "timestamp" if c.kind in ("date", "datetime") else "string"
        )
        for c in kept.values()
    }
    return picked.select(**casts), notes


def _kind_of(goal: ColumnInfo) -> str:
    return "classification" if goal.kind in ("text", "boolean") or goal.distinct == 2 else "regression"

"""Stored models at work: listed, tested, and predicting rows or values that somebody gives."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.conditions import Condition, select
from analysis.engine import Engine
from analysis.errors import BadValue, UnknownColumn, UnknownModel, nearest
from analysis.learning.columns import NUMBERS
from analysis.learning.training import learning_rows
from analysis.programs import run
from storage.datasets import ColumnInfo, Dataset
from storage.errors import NotFound
from storage.keys import SessionKey
from storage.models import Models
from storage.results import Result

LISTING = 'import pandas\n\noutput = {{"table": pandas.DataFrame({rows})}}\n'
FITTING = {"number": (*NUMBERS, "boolean"), "date": ("date", "datetime")}


def list_models(engine: Engine, trained: Sequence[Result]) -> Result:
    """The session's models, the newest first: what they predict, how well, and their baselines."""
    if not trained:
        raise UnknownModel("No model was trained in this conversation. Say: train a model to predict …")
    rows = [
        {
            "model": result.id[:8], "target": result.facts["target"], "kind": result.facts["kind"],
            "algorithm": result.facts["algorithm"], "measure": result.facts["measure"],
            "score": result.facts["score"], "baseline": result.facts["baseline_score"],
            "trained on": result.inputs[0].dataset if result.inputs else "",
            "training rows": result.facts["train_rows"],
        }
        for result in reversed(trained)
    ]  # fmt: skip
    newest = {name: rows[0][name] for name in ("model", "target", "algorithm")}
    text = (
        json.dumps(rows, indent=1).replace("null", "None").replace("true", "True").replace("false", "False")
    )
    _, made = engine.program(
        LISTING.format(rows=text),
        title="Trained models", tool="list_models", arguments={}, datasets=[],
        facts={"models": len(rows), "newest": newest},
    )  # fmt: skip
    return made


def find_model(trained: Sequence[Result], name: str) -> Result:
    """The newest model, or the newest one of that id or target. Raises UnknownModel."""
    wanted = (name or "").strip().lower()
    found = [
        result
        for result in trained
        if not wanted
        or wanted == "last"
        or result.id.startswith(wanted)
        or str(result.facts.get("target", "")).lower() == wanted
    ]
    if found:
        return found[-1]
    targets = list(dict.fromkeys(str(result.facts.get("target")) for result in trained))
    if not targets:
        raise UnknownModel("No model was trained in this conversation. Say: train a model to predict …")
    raise UnknownModel(f"There is no model {name!r}. There are models of: {', '.join(targets)}.", targets)


def evaluate_model(
    engine: Engine,
    models: Models,
    key: SessionKey,
    trained: Result,
    dataset: str = "",
    where: Sequence[Condition] = (),
) -> Result:
    """How good a stored model is on the rows set aside in training, or on all rows of another dataset.

    Raises UnknownModel when its file or its data is gone, UnknownColumn when the data lacks a column.
    """
    about = _about(trained)
    own = trained.arguments["dataset"]
    named = dataset or own
    data = engine.dataset(named)
    held_out = not where and _same_data(trained, data)
    columns = _columns(data, about, with_target=True)
    selection = select(engine, named, trained.arguments["where"] if held_out else where)
    time = _time_of(trained, data) if held_out else []
    expression, notes = learning_rows(selection.table, selection.rows, [*columns, *time])
    return run(
        engine, "using", "evaluate", expression, {"held_out": held_out},
        files={"model": _file(models, key, about)},
        title=f"Test of the model of {about['target']}{selection.words}",
        tool="evaluate_model",
        arguments={"model": trained.id, "dataset": dataset, "where": list(where)},
        datasets=[data], rows_used=selection.rows, parents=[trained.id], notes=notes,
        facts={
            name: trained.facts[name] for name in ("algorithm", "baseline_scores", "most_important")
        },
    )  # fmt: skip


def predict(
    engine: Engine,
    models: Models,
    key: SessionKey,
    trained: Result,
    values: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    dataset: str = "",
    where: Sequence[Condition] = (),
) -> Result:
    """What a stored model expects for the rows of a dataset, or for given `values` (one row or several).

    Columns that it does not know are passed over and said. Raises UnknownModel, UnknownColumn (a column is
    missing from the data), BadValue (a value of another kind).
    """
    about = _about(trained)
    target = about["target"]
    given: dict[str, Any] = {
        "title": f"Prediction of {target}", "tool": "predict", "parents": [trained.id],
        "arguments": {"model": trained.id, "values": values, "dataset": dataset, "where": list(where)},
        "files": {"model": _file(models, key, about)},
        "facts": {"algorithm": trained.facts["algorithm"], "measure": trained.facts["measure"],
                  "score": trained.facts["score"], "beats_baseline": trained.facts["beats_baseline"]},
    }  # fmt: skip
    warning = [] if trained.facts["beats_baseline"] else ["This model did not beat its baseline."]
    if values:
        rows = [values] if isinstance(values, Mapping) else list(values)
        taken, notes = _typed_rows(rows, about)
        return run(
            engine, "using", "predict", None, {"data": None, "values": taken},
            datasets=[], notes=[*warning, *notes], **given,
        )  # fmt: skip
    data = engine.dataset(dataset)
    columns = _columns(data, about, with_target=False)
    extra = [c.name for c in data.columns if c.name not in {k.name for k in columns} and c.name != target]
    selection = select(engine, dataset, where)
    expression, notes = learning_rows(selection.table, selection.rows, columns)
    if extra and not _same_data(trained, data):
        notes.append(f"Not used, for the model does not know them: {', '.join(extra[:20])}.")
    given["title"] += f" for {data.name}{selection.words}"
    return run(
        engine, "using", "predict", expression, {},
        datasets=[data], rows_used=selection.rows, notes=[*warning, *notes], **given,
    )  # fmt: skip


def _about(trained: Result) -> dict[str, Any]:
    about = trained.output.get("model")
    if trained.kind != "model" or not isinstance(about, dict):
        raise UnknownModel(f"{trained.title} is no model.")
    return about


def _file(models: Models, key: SessionKey, about: dict[str, Any]) -> Any:
    try:
        return models.path(key, str(about["sha256"]))
    except NotFound as error:
        raise UnknownModel(str(error)) from error


def _same_data(trained: Result, data: Dataset) -> bool:
    return any(ref.sha256 == data.sha256 for ref in trained.inputs)


def _time_of(trained: Result, data: Dataset) -> list[ColumnInfo]:
    """The date column that the held-out rows were told by, if it is no feature itself."""
    names = {feature["name"] for feature in trained.output["model"]["features"]}
    return [c for c in data.columns if c.kind in ("date", "datetime") and c.name not in names][:1]


def _columns(data: Dataset, about: dict[str, Any], *, with_target: bool) -> list[ColumnInfo]:
    """The model's columns in this data, by name without regard to case. Raises UnknownColumn, BadValue."""
    known = {c.name.lower(): c for c in data.columns}
    exact = {c.name: c for c in data.columns}
    wanted = [*about["features"]]
    if with_target:
        kind = "number" if about["kind"] == "regression" else "words"
        wanted.append({"name": about["target"], "kind": kind})
    found, missing = [], []
    for feature in wanted:
        column = exact.get(feature["name"]) or known.get(feature["name"].lower())
        if column is None or column.name != feature["name"]:
            missing.append(feature["name"])
            continue
        fitting = FITTING.get(feature["kind"])
        if fitting and column.kind not in fitting:
            raise BadValue(
                f"The model takes {feature['name']} as a {feature['kind']}, and in {data.file_name} it holds "
                f"{column.kind} values. Clean the column, or train a model on this data."
            )
        found.append(column)
    if missing:
        close = [name for gap in missing for name in nearest(gap, list(exact))[:1]]
        raise UnknownColumn(
            f"{data.file_name} lacks {', '.join(missing)}, which the model of {about['target']} needs. "
            "Rename the columns, or train a model without them.",
            close,
        )
    return found


def _typed_rows(
    rows: Sequence[Mapping[str, Any]], about: dict[str, Any]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Given values under the model's own names and kinds. Raises UnknownColumn and BadValue."""
    features, levels = about["features"], about.get("levels", {})
    names = {feature["name"].lower(): feature for feature in features}
    made, unknown = [], []
    for row in rows:
        taken: dict[str, Any] = {feature["name"]: None for feature in features}
        for name, value in row.items():
            feature = names.get(str(name).strip().lower())
            if feature is None:
                unknown.append(str(name))
            else:
                taken[feature["name"]] = _typed(feature, value, levels.get(feature["name"], []))
        made.append(taken)
    listed = [feature["name"] for feature in features]
    if all(value is None for row in made for value in row.values()):
        raise UnknownColumn(f"Give values for some of: {', '.join(listed)}.", listed)
    said = f"Not used, for the model does not know them: {', '.join(dict.fromkeys(unknown))}."
    return made, [said] if unknown else []


def _typed(feature: dict[str, str], value: Any, levels: list[str]) -> Any:
    if value is None or value == "":
        return None
    if feature["kind"] == "number":
        try:
            return float(str(value).replace(",", ""))
        except ValueError:
            raise BadValue(f"{feature['name']} is a number; {value!r} is not.") from None
    if feature["kind"] == "date":
        try:
            return str(pd.Timestamp(str(value)).isoformat())
        except ValueError:
            raise BadValue(f"{feature['name']} is a date; write it as 2024-03-05, not {value!r}.") from None
    text = str(value).strip()
    # The model knows a group by its letters; people do not mind theirs.
    return next((level for level in levels if level.lower() == text.lower()), text)

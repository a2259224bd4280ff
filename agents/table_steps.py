"""Cleaning steps of a conversation that a person makes on the page: looked at first, then made or undone."""

from typing import Any

from agents.workspace import workspace
from analysis.cleaning import JOIN, Effect, clean, join_tables, plan, preview
from analysis.cleaning_plan import Plan
from analysis.engine import Engine
from analysis.joining import join
from analysis.versions import history, undone, version_before, versions
from storage.datasets import Dataset
from storage.keys import SessionKey
from storage.results import Result


def look(key: SessionKey, step: str, dataset: str, options: dict[str, Any]) -> tuple[Plan, Effect]:
    """What the step would change; nothing is written. Raises AnalysisError."""
    engine = _engine(key)
    made = join(engine, dataset, **options) if step == JOIN else plan(engine, step, dataset, **options)
    return made, preview(engine, made)


def make(key: SessionKey, step: str, dataset: str, options: dict[str, Any]) -> Result:
    """Makes the step; its version takes the place of the one before. Raises AnalysisError."""
    place, engine = workspace(), _engine(key)
    store = place.store.datasets
    change = (
        join_tables(engine, store, dataset, **options)
        if step == JOIN
        else clean(engine, store, step, dataset, **options)
    )
    place.store.results.save(change.result)
    store.attach(key, change.dataset.id)
    return change.result


def undo(key: SessionKey, dataset: str) -> Result:
    """Makes the version before the last step current again. Raises NothingToChange."""
    store = workspace().store
    last = _engine(key).dataset(dataset)
    before = version_before(store.datasets, last)
    store.datasets.attach(key, before.id)
    result = undone(_engine(key), before, str(last.step.get("text", "")))
    store.results.save(result)
    return result


def steps(dataset: Dataset) -> list[Dataset]:
    """From the table as it was read to this version."""
    return history(workspace().store.datasets, dataset)


def choices(dataset: Dataset) -> list[Dataset]:
    """Every version that can be chosen instead."""
    return versions(workspace().store.datasets, dataset)


def _engine(key: SessionKey) -> Engine:
    place = workspace()
    worker = place.pool.worker(key.session_id)
    return Engine(worker, place.store.datasets.for_session(key), key=key, invocation_id="")

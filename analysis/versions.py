"""The versions of a dataset that cleaning made: its steps so far, the one before, all that can be chosen."""

from collections.abc import Sequence

from analysis.cleaning_plan import NothingToChange
from analysis.engine import Engine
from sandbox.engine import literal, quoted
from storage.datasets import Dataset, Datasets
from storage.results import Result


def history(datasets: Datasets, dataset: Dataset) -> list[Dataset]:
    """From the table as it was read to this version, each one made of the one before by its step.

    It begins later when an earlier version was deleted.
    """
    chain = [dataset]
    while chain[0].parents:
        before = datasets.get(dataset.user_id, chain[0].parents[0])
        if before is None:
            break
        chain.insert(0, before)
    return chain


def versions(datasets: Datasets, dataset: Dataset) -> list[Dataset]:
    """Every version of the same table, oldest first: also those that an undo left."""
    known = {d.id: d for d in datasets.for_user(dataset.user_id)}
    root = _root(known, dataset)
    same = [d for d in known.values() if d.name == dataset.name and _root(known, d) == root]
    return sorted(same, key=lambda d: d.version)


def version_before(datasets: Datasets, dataset: Dataset) -> Dataset:
    """What an undo makes current again. Raises NothingToChange when no step was made."""
    before = datasets.get(dataset.user_id, dataset.parents[0]) if dataset.parents else None
    if before is None:
        why = "The version before was deleted." if dataset.parents else "It is as it was read."
        raise NothingToChange(f"There is no step of {dataset.name} to undo. {why}")
    return before


def undone(engine: Engine, dataset: Dataset, step: str) -> Result:
    """The record that a version is current again: its rows, counted."""
    return engine.sql(
        f"SELECT count(*) AS rows\nFROM {quoted(dataset.name)}",
        title=f"{dataset.name} is version {dataset.version} again",
        tool="undo_cleaning",
        arguments={"dataset": dataset.name},
        datasets=[dataset],
        kind="value",
        rows_used=dataset.rows,
        facts={
            "dataset": dataset.name, "version": dataset.version, "rows": dataset.rows, "undone": step,
            "columns": len(dataset.columns),
        },
    )  # fmt: skip


def steps_table(engine: Engine, chain: Sequence[Dataset]) -> Result:
    """The steps that made a version, in words, with the rows after each."""
    last = chain[-1]
    rows = [(one.version, one.step.get("text") or "As it was read", one.rows) for one in chain]
    listed = ",\n  ".join(f"({version}, {literal(text)}, {count})" for version, text, count in rows)
    steps = len(chain) - 1
    return engine.sql(
        f"SELECT *\nFROM (VALUES\n  {listed}\n) AS steps(version, step, rows)",
        title=f"Steps that made {last.name} version {last.version}",
        tool="cleaning_steps",
        arguments={"dataset": last.name},
        datasets=[last],
        rows_used=last.rows,
        facts={"steps": steps, "dataset": last.name, "version": last.version},
    )


def tables(engine: Engine) -> Result:
    """The conversation's tables; questions are about the current one."""
    current = engine.dataset()
    parts = [
        f"SELECT {literal(d.name)} AS table_name, {literal(d.file_name)} AS file, {d.version} AS version,"
        f" count(*) AS rows, {len(d.columns)} AS columns, {literal(_made(d))} AS made_by,"
        f" {str(d.id == current.id).lower()} AS current FROM {quoted(d.name)}"
        for d in engine.datasets
    ]
    return engine.sql(
        "\nUNION ALL\n".join(parts),
        title="Tables of this conversation",
        tool="list_tables",
        arguments={},
        datasets=engine.datasets,
        rows_used=sum(d.rows for d in engine.datasets),
        facts={"tables": len(engine.datasets), "current": current.name},
    )


def _made(dataset: Dataset) -> str:
    return str(dataset.step.get("text") or "as it was read")


def _root(known: dict[str, Dataset], dataset: Dataset) -> str:
    one = dataset
    while one.parents and one.parents[0] in known:
        one = known[one.parents[0]]
    return one.parents[0] if one.parents else one.id

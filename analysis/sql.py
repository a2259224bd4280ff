"""A query that somebody wrote: one SELECT over the datasets by name."""

from collections.abc import Sequence
from dataclasses import replace

from analysis.engine import Engine, result_table
from analysis.facts import with_facts
from analysis.remote.gate import tables_in
from storage.datasets import Dataset
from storage.results import Result

TITLE_LENGTH = 60


def _named(query: str, datasets: Sequence[Dataset]) -> list[Dataset]:
    """The datasets that the query is about; those of other engines also by their tables' own names."""
    found = [data for data in datasets if data.name.lower() in query.lower()]
    if not any(data.source for data in datasets):
        return found
    read = tables_in(query)
    return [d for d in datasets if {d.name.lower(), d.source.get("table", d.name).lower()} & read] or found


def sql(engine: Engine, query: str) -> Result:
    """Runs it in the worker, which refuses anything but reading. Raises BadQuery."""
    engine.dataset()
    used = _named(query, engine.datasets)
    words = " ".join(query.split())
    title = words if len(words) <= TITLE_LENGTH else words[: TITLE_LENGTH - 1] + "…"
    result = engine.sql(
        query, title=title, tool="sql", arguments={"query": query}, datasets=used or engine.datasets
    )
    table = result_table(result)
    if (table.row_count, len(table.columns)) != (1, 1):
        return result
    return replace(with_facts(result, {"value": table.rows[0][0]}), kind="value")

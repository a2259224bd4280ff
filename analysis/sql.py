"""A query that somebody wrote: one SELECT over the datasets by name."""

from dataclasses import replace

from analysis.engine import Engine, result_table
from analysis.facts import with_facts
from storage.results import Result

TITLE_LENGTH = 60


def sql(engine: Engine, query: str) -> Result:
    """Runs it in the worker, which refuses anything but reading. Raises BadQuery."""
    engine.dataset()
    used = [data for data in engine.datasets if data.name.lower() in query.lower()]
    words = " ".join(query.split())
    title = words if len(words) <= TITLE_LENGTH else words[: TITLE_LENGTH - 1] + "…"
    result = engine.sql(
        query, title=title, tool="sql", arguments={"query": query}, datasets=used or engine.datasets
    )
    table = result_table(result)
    if (table.row_count, len(table.columns)) != (1, 1):
        return result
    return replace(with_facts(result, {"value": table.rows[0][0]}), kind="value")

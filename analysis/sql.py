"""A query that somebody wrote: one SELECT over the datasets by name."""

from analysis.engine import Engine
from storage.results import Result

TITLE_LENGTH = 60


def sql(engine: Engine, query: str) -> Result:
    """Runs it in the worker, which refuses anything but reading. Raises BadQuery."""
    engine.dataset()
    used = [data for data in engine.datasets if data.name.lower() in query.lower()]
    words = " ".join(query.split())
    title = words if len(words) <= TITLE_LENGTH else words[: TITLE_LENGTH - 1] + "…"
    return engine.sql(
        query, title=title, tool="sql", arguments={"query": query}, datasets=used or engine.datasets
    )

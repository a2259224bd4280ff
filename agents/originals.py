"""Looks into files whose bytes are kept: their tables, their first rows, and the rows that were left out."""

from typing import Any

from analysis.errors import LimitExceeded
from analysis.ingest import Part, Preview, ReadOptions, look, preview
from sandbox.client import Worker
from sandbox.errors import SandboxError
from sandbox.pool import WorkerPool
from storage.datasets import Dataset
from storage.keys import SessionKey
from storage.store import Store


class Originals:
    """By a worker of their own: the conversation's may be answering."""

    def __init__(self, store: Store, pool: WorkerPool) -> None:
        self._store = store
        self._pool = pool

    def tables(self, key: SessionKey, sha256: str, file_name: str) -> list[Part]:
        """The tables in kept bytes. Raises IngestError when they cannot be read."""
        return look(self._store.datasets.original_path(sha256), file_name, self._worker(key))

    def preview(
        self, key: SessionKey, sha256: str, file_name: str, options: ReadOptions, rows: int
    ) -> Preview:
        """The first rows of kept bytes, read this way. Raises IngestError when they cannot be."""
        original = self._store.datasets.original_path(sha256)
        return preview(original, options, self._worker(key), rows, file_name)

    def rejects(self, key: SessionKey, dataset: Dataset, rows: int | None) -> Any:
        """Rows of its file that could not be read, as a DataFrame of line, reason and text.

        Raises LimitExceeded when there are too many.
        """
        query = "SELECT line, reason, text FROM rejects ORDER BY line"
        try:
            found = self._worker(key).query(query, {"rejects": dataset.rejects_path}, limit=rows)
        except SandboxError as error:
            raise LimitExceeded(f"The rows cannot be shown: {error}") from error
        return found.to_pandas()

    def _worker(self, key: SessionKey) -> Worker:
        return self._pool.worker(f"preview-{key.session_id}")

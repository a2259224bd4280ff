"""Tables of other engines in a conversation: attached where they are, or copied here within bounds."""

import datetime as dt
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from agents.workspace import Workspace
from analysis.column_profile import profile_columns
from analysis.conditions import Condition, narrow
from analysis.engine import Engine
from analysis.errors import BadQuery, LimitExceeded
from analysis.ingest import Progress, table_name
from analysis.remote.cells import reader
from analysis.remote.connections import Found
from analysis.remote.sessions import Rows
from analysis.remote.tables import look, source_sha256
from sandbox.errors import SandboxError
from storage.datasets import Dataset, TooLarge
from storage.keys import SessionKey

REMOTE, COPIED = "remote", "copied"
"""Ways of reading, where an upload has its own."""
COPY_SECONDS = 3600.0
COPY_ROWS = 20_000
"""At a time."""


@dataclass(frozen=True)
class ConnectionInfo:
    """A configured connection, without anything secret."""

    name: str
    engine: str


def connections(place: Workspace) -> list[ConnectionInfo]:
    """Those that the settings name."""
    return [ConnectionInfo(c.name, c.kind.name) for c in place.connections.values()]


def schemas(place: Workspace, name: str) -> list[str]:
    """The schemas of a connection. Raises ConnectionRefused."""
    return place.connections.named(name).schemas()


def tables(place: Workspace, name: str, schema: str) -> list[str]:
    """The tables of a schema. Raises ConnectionRefused."""
    return [found.name for found in place.connections.named(name).tables(schema)]


def attach_table(place: Workspace, key: SessionKey, name: str, schema: str, table: str) -> Dataset:
    """Makes a table the conversation's current dataset; its rows stay where they are."""
    connection, found = place.connections.named(name), Found(schema, table)
    columns, rows, notes = look(connection, found, place.pool.worker(key.session_id).watch)
    if rows == 0:
        raise BadQuery(f"{table} has no rows.")
    dataset = place.store.datasets.register(
        user_id=key.user_id,
        name=_free_name(place, key, found, name),
        sha256=source_sha256(name, found),
        options_key=REMOTE,
        file_name=f"{table} ({name})",
        rows=rows,
        columns=columns,
        byte_size=0,
        notes=notes,
        read_options={},
        rejected_rows=0,
        source={"connection": name, "schema": schema, "table": table},
    )
    # The same table may have been attached before, and have changed since.
    dataset = place.store.datasets.update(dataset, rows=rows, columns=columns, notes=notes)
    place.store.datasets.attach(key, dataset.id)
    return dataset


def copy_here(
    place: Workspace,
    key: SessionKey,
    dataset: Dataset,
    where: Sequence[Condition] = (),
    progress: Progress | None = None,
) -> Dataset:
    """Fetches the rows that pass `where` to a dataset of their own, here.

    Raises LimitExceeded when they take more than UPLOAD_LIMIT_MB, or when it was stopped, and AnalysisError.
    """
    if not dataset.source:
        raise BadQuery(f"{dataset.name} is here already.")
    worker = place.pool.worker(key.session_id)
    engine = Engine(worker, [dataset], key=key, invocation_id="", connections=place.connections)
    filtered = narrow(engine, dataset.name, where)
    total = engine.fetch(filtered.table.aggregate(n=filtered.table.count())).rows[0][0]
    if total == 0:
        raise filtered.empty if where else BadQuery(f"{dataset.file_name} has no rows.")
    connection = place.connections.named(dataset.source["connection"])
    text = engine.backend([dataset]).compile(filtered.table)
    limit = place.settings.upload_limit_mb * 1_000_000
    with tempfile.TemporaryDirectory(dir=place.store.home) as folder:
        path = Path(folder) / "copy.parquet"
        with _Target(path, filtered.table.schema(), total, limit) as target:

            def tick() -> None:
                if progress is not None:
                    part = min(1.0, target.rows / total)
                    progress(0.9 * part, f"{target.rows:,} of {total:,} rows")

            connection.batches(text, COPY_ROWS, target.take, worker.watch, COPY_SECONDS, tick)
        return _kept(place, key, dataset, path, target.rows, filtered.words, worker)


class _Target:
    """A Parquet file that grows by batches, not beyond `limit` bytes."""

    def __init__(self, path: Path, schema: Any, total: int, limit: int) -> None:
        self.rows = 0
        self._path, self._total, self._limit = path, total, limit
        self._readers = [reader(kind) for kind in schema.types]
        self._schema = pa.schema([(n, _arrow(kind)) for n, kind in schema.items()])
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")

    def __enter__(self) -> "_Target":
        return self

    def __exit__(self, *error: object) -> None:
        self._writer.close()

    def take(self, names: list[str], rows: Rows) -> None:
        """Writes a batch. Raises LimitExceeded."""
        columns = zip(*rows, strict=True) if rows else ([] for _ in self._readers)
        arrays = [
            pa.array([None if v is None else read(v) for v in values], type=field.type)
            for values, read, field in zip(columns, self._readers, self._schema, strict=True)
        ]
        self._writer.write_table(pa.table(arrays, schema=self._schema))
        self.rows += len(rows)
        if self._path.stat().st_size > self._limit:
            size = f"{self._limit // 1_000_000:,} MB"
            raise LimitExceeded(
                f"The copy is larger than {size} (UPLOAD_LIMIT_MB) after {self.rows:,} of {self._total:,}"
                " rows. Copy the rows of a filter only."
            )


def _kept(
    place: Workspace, key: SessionKey, source: Dataset, path: Path, rows: int, words: str, worker: Any
) -> Dataset:
    datasets = place.store.datasets
    with path.open("rb") as data:
        try:
            sha256, original, size = datasets.keep_original(data, place.settings.upload_limit_mb * 1_000_000)
        except TooLarge as error:
            raise LimitExceeded("The copy is larger than UPLOAD_LIMIT_MB allows.") from error
    target = datasets.table_path(sha256, COPIED)
    if not target.exists():
        target.hardlink_to(original)
    kinds = [(c.name, "TIMESTAMP" if c.kind == "datetime" else c.type) for c in source.columns]
    try:
        columns = profile_columns(worker, target, rows, kinds, {})
    except SandboxError as error:
        raise LimitExceeded(str(error)) from error
    made = dt.datetime.now(dt.UTC)
    table = source.source["table"]
    dataset = datasets.register(
        user_id=key.user_id,
        name=table_name(f"{table}_copy"),
        sha256=sha256,
        options_key=COPIED,
        file_name=f"{table} (copy).parquet",
        rows=rows,
        columns=columns,
        byte_size=size,
        notes=[f"A copy of {source.file_name}{words}, made on {made:%Y-%m-%d %H:%M} UTC."],
        read_options={"format": "parquet"},
        rejected_rows=0,
    )
    datasets.attach(key, dataset.id)
    return dataset


def _arrow(kind: Any) -> pa.DataType:
    if kind.is_timestamp():
        return pa.timestamp("us")
    if kind.is_decimal():
        return pa.decimal128(kind.precision or 38, 9 if kind.scale is None else kind.scale)
    plain = {
        "is_boolean": pa.bool_(), "is_integer": pa.int64(), "is_floating": pa.float64(),
        "is_date": pa.date32(), "is_time": pa.time64("us"),
    }  # fmt: skip
    return next((arrow for name, arrow in plain.items() if getattr(kind, name)()), pa.string())


def _free_name(place: Workspace, key: SessionKey, found: Found, connection: str) -> str:
    """The table's name as an identifier; with its connection where another dataset of here has it."""
    name = table_name(found.name)
    others = place.store.datasets.for_session(key)
    sha256 = source_sha256(connection, found)
    taken = {other.name for other in others if other.sha256 != sha256}
    return name if name not in taken else table_name(f"{connection}_{found.schema}_{found.name}")

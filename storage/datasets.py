"""Uploaded tables: original bytes kept once by SHA-256, converted once to Parquet.

Files live under `home/datasets/<first two digits>/<sha256>/`: `original`, and one Parquet file per way
of reading it. Rows in the database say who calls which of them what.
"""

import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from storage.conversations import session_key
from storage.database import Connection, Database
from storage.errors import NotFound, StorageError
from storage.keys import SessionKey

CHUNK_BYTES = 1 << 20


class TooLarge(StorageError):
    """The file has more bytes than the limit given."""


@dataclass(frozen=True)
class ColumnInfo:
    """One column, with what one scan of all rows found."""

    name: str
    type: str
    """DuckDB's type name."""
    kind: str
    """integer, number, text, date, datetime, time, boolean or other."""
    missing: int = 0
    distinct: int = 0
    min: Any = None
    max: Any = None
    mean: float | None = None
    values: list[Any] = field(default_factory=list)
    """The most frequent values (at most 30), only where there are at most 200 different ones."""
    original_name: str = ""


@dataclass(frozen=True)
class Dataset:
    """One version of a table."""

    id: str
    user_id: str
    name: str
    """How queries call it: a plain identifier, unique for this user apart from its versions."""
    version: int
    sha256: str
    file_name: str
    rows: int
    columns: list[ColumnInfo]
    byte_size: int
    notes: list[str]
    """What was decided while reading: encoding, delimiter, rows rejected, columns renamed."""
    read_options: dict[str, Any]
    rejected_rows: int
    created_at: float
    original_path: Path
    table_path: Path
    state: str = "ready"
    """converting (columns and rows are estimates from a sample), ready or failed."""
    error: str = ""
    """Why it failed, for the person who uploaded it."""
    exact: bool = True
    """Whether rows and columns were counted on all rows."""
    part: str = ""
    """The sheet, member or table inside the file."""
    source: dict[str, str] = field(default_factory=dict)
    """Empty for a file; connection and table for a table of another engine."""
    parents: list[str] = field(default_factory=list)
    """Ids of the datasets that a cleaning step made this one of."""
    step: dict[str, Any] = field(default_factory=dict)
    """The step: tool, arguments, text (in words), code and result_id."""

    @property
    def rejects_path(self) -> Path:
        """Parquet of the rows that could not be read: line, reason, text; may be missing."""
        return self.table_path.with_suffix(".rejects.parquet")

    @property
    def profile_path(self) -> Path:
        """JSON of the profile; missing until it was made."""
        return self.table_path.with_suffix(".profile.json")

    @property
    def sample_path(self) -> Path:
        """Parquet of rows from all over the file, there while the whole is converted."""
        return self.table_path.with_suffix(".sample.parquet")


class Datasets:
    """Stored datasets; every call is safe from any thread."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._folder = folder

    def keep_original(self, source: BinaryIO, limit_bytes: int | None = None) -> tuple[str, Path, int]:
        """Streams a file into the store; returns its SHA-256, path and size in bytes.

        Raises TooLarge as soon as the limit is passed; nothing is kept then.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        digest, size = hashlib.sha256(), 0
        handle, name = tempfile.mkstemp(dir=self._folder, prefix="incoming-")
        incoming = Path(name)
        try:
            with os.fdopen(handle, "wb") as target:
                while chunk := source.read(CHUNK_BYTES):
                    size += len(chunk)
                    if limit_bytes is not None and size > limit_bytes:
                        raise TooLarge(f"more than {limit_bytes} bytes")
                    digest.update(chunk)
                    target.write(chunk)
                target.flush()
                os.fsync(target.fileno())
            return digest.hexdigest(), self.adopt_original(incoming, digest.hexdigest()), size
        finally:
            incoming.unlink(missing_ok=True)

    def adopt_original(self, file: Path, sha256: str) -> Path:
        """Moves a file of this disk, which has this SHA-256, into the store; returns its path there."""
        path = self.original_path(sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            file.unlink(missing_ok=True)
        else:
            file.replace(path)
        return path

    def original_path(self, sha256: str) -> Path:
        """Where the bytes with this SHA-256 belong."""
        return self._content_folder(sha256) / "original"

    def drop_unused(self, sha256: str) -> None:
        """Deletes the bytes with this SHA-256 unless a dataset was made of them.

        One that failed and that no conversation shows is none.
        """
        shown = "SELECT 1 FROM session_datasets l WHERE l.dataset_id = d.id"
        for dataset in self._rows(None, f"d.sha256 = ? AND NOT EXISTS ({shown})", (sha256,)):
            if dataset.state == "failed":
                self.forget(dataset.user_id, dataset.id)
        if not self._rows(None, "d.sha256 = ?", (sha256,)):
            shutil.rmtree(self._content_folder(sha256), ignore_errors=True)

    def table_path(self, sha256: str, options_key: str) -> Path:
        """Where the converted table of these bytes, read this way, belongs."""
        return self._content_folder(sha256) / f"{options_key}.parquet"

    def find_converted(self, sha256: str, options_key: str) -> Dataset | None:
        """Any user's dataset of the same bytes read the same way, whose table is still there."""
        rows = self._rows(None, "d.sha256 = ? AND d.options_key = ?", (sha256, options_key))
        return next((d for d in rows if d.table_path.exists()), None)

    def register(
        self,
        *,
        user_id: str,
        name: str,
        sha256: str,
        options_key: str,
        file_name: str,
        rows: int,
        columns: list[ColumnInfo],
        byte_size: int,
        notes: list[str],
        read_options: dict[str, Any],
        rejected_rows: int,
        **more: Any,
    ) -> Dataset:
        """Stores a dataset; the same content under the same name is the same version.

        `more`: any of state, error, exact, part, source, parents and step.
        """
        table = self.table_path(sha256, options_key)
        record = {
            "file_name": file_name,
            "rows": rows,
            "columns": [dataclasses.asdict(column) for column in columns],
            "byte_size": byte_size,
            "notes": notes,
            "read_options": read_options,
            "rejected_rows": rejected_rows,
            "table": table.name,
            **more,
        }

        made_id = uuid.uuid4().hex

        def insert(connection: Connection) -> str:
            same = connection.execute(
                "SELECT id FROM datasets WHERE user_id = ? AND name = ? AND sha256 = ?"
                " AND options_key = ? ORDER BY version DESC LIMIT 1",
                (user_id, name, sha256, options_key),
            ).fetchone()
            if same is not None:
                return str(same["id"])
            values = (made_id, user_id, name, user_id, name, sha256, options_key, time.time())
            # Another upload of the same name may have taken the version meanwhile.
            while not connection.execute(
                "INSERT INTO datasets (id, user_id, name, version, sha256, options_key, created_at,"
                " record) VALUES (?, ?, ?, (SELECT coalesce(max(version), 0) + 1 FROM datasets"
                " WHERE user_id = ? AND name = ?), ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (*values, json.dumps(record, allow_nan=False)),
            ).rowcount:
                pass
            return made_id

        dataset = self.get(user_id, self._database.write(insert, user=user_id))
        if dataset is None:
            raise StorageError("The dataset was deleted while it was being stored. Upload it again.")
        return dataset

    def update(self, dataset: Dataset, **fields: Any) -> Dataset:
        """Changes what is said about the dataset, such as rows, columns, notes, state.

        Raises NotFound when it was deleted meanwhile.
        """
        if "columns" in fields:
            fields["columns"] = [dataclasses.asdict(column) for column in fields["columns"]]

        def change(connection: Connection) -> bool:
            row = connection.execute("SELECT record FROM datasets WHERE id = ?", (dataset.id,)).fetchone()
            if row is None:
                return False
            record = json.dumps(json.loads(row["record"]) | fields, allow_nan=False)
            connection.execute("UPDATE datasets SET record = ? WHERE id = ?", (record, dataset.id))
            return True

        self._database.write(change, user=dataset.user_id)
        changed = self.get(dataset.user_id, dataset.id)
        if changed is None:
            raise NotFound(f"There is no dataset {dataset.id}.")
        return changed

    def get(self, user_id: str, dataset_id: str) -> Dataset | None:
        """One of the user's datasets by its id."""
        found = self._rows(user_id, "d.user_id = ? AND d.id = ?", (user_id, dataset_id))
        return found[0] if found else None

    def for_user(self, user_id: str) -> list[Dataset]:
        """All datasets of a user, oldest first."""
        return self._rows(user_id, "d.user_id = ?", (user_id,))

    def attach(self, key: SessionKey, dataset_id: str) -> None:
        """Makes the dataset the last one of the session, which is the one questions are about.

        Raises NotFound for a dataset of somebody else.

        Another version under the same name leaves the session: its name would be ambiguous.
        """

        def link(connection: Connection) -> None:
            row_key = session_key(connection, key)
            mine = "SELECT 1 FROM datasets WHERE id = ? AND user_id = ?"
            if connection.execute(mine, (dataset_id, key.user_id)).fetchone() is None:
                raise NotFound(f"There is no dataset {dataset_id}.")
            connection.execute(
                "DELETE FROM session_datasets WHERE session_key = ? AND dataset_id IN"
                " (SELECT o.id FROM datasets o JOIN datasets n ON n.name = o.name WHERE n.id = ?)",
                (row_key, dataset_id),
            )
            connection.execute(
                "INSERT INTO session_datasets (session_key, dataset_id) VALUES (?, ?)",
                (row_key, dataset_id),
            )

        self._database.write(link, user=key.user_id)

    def detach(self, key: SessionKey, dataset_id: str) -> None:
        """Takes the dataset out of the session; the files stay for others."""
        self._database.write(
            lambda c: (
                c.execute(
                    "DELETE FROM session_datasets WHERE session_key = ? AND dataset_id = ?",
                    (session_key(c, key), dataset_id),
                ).rowcount
            ),
            user=key.user_id,
        )

    def for_session(self, key: SessionKey) -> list[Dataset]:
        """The session's datasets in the order they were attached; the last is the current one."""
        return self._rows(
            key.user_id,
            "s.app_name = ? AND s.user_id = ? AND s.id = ? ORDER BY l.position",
            (key.app_name, key.user_id, key.session_id),
            "JOIN session_datasets l ON l.dataset_id = d.id JOIN adk_sessions s ON s.key = l.session_key",
        )

    def forget(self, user_id: str, dataset_id: str) -> None:
        """Deletes the user's dataset everywhere, and its files when no other dataset uses them."""
        dataset = self.get(user_id, dataset_id)
        if dataset is None:
            return
        left = self._database.write(lambda c: _delete(c, dataset), user=None)
        if not left:
            shutil.rmtree(self._content_folder(dataset.sha256), ignore_errors=True)

    def _content_folder(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / sha256

    def _rows(self, user: str | None, where: str, values: tuple[Any, ...], join: str = "") -> list[Dataset]:
        order = "" if "ORDER BY" in where else " ORDER BY d.created_at, d.version"
        rows = self._database.read(
            lambda c: c.execute(f"SELECT d.* FROM datasets d {join} WHERE {where}{order}", values).fetchall(),
            user=user,
        )
        return [self._dataset(row) for row in rows]

    def _dataset(self, row: Any) -> Dataset:
        record = json.loads(row["record"])
        folder = self._content_folder(row["sha256"])
        record["columns"] = [ColumnInfo(**column) for column in record["columns"]]
        return Dataset(
            id=row["id"],
            user_id=row["user_id"],
            name=row["name"],
            version=row["version"],
            sha256=row["sha256"],
            created_at=row["created_at"],
            original_path=self.original_path(row["sha256"]),
            table_path=folder / record.pop("table"),
            **record,
        )


def _delete(connection: Connection, dataset: Dataset) -> int:
    connection.execute("DELETE FROM datasets WHERE id = ?", (dataset.id,))
    left = connection.execute("SELECT count(*) FROM datasets WHERE sha256 = ?", (dataset.sha256,))
    return int(left.fetchone()[0])

"""Uploaded files becoming datasets, in the background, whoever is watching.

A small file is read at once. A big one is on the page from a sample of its rows, while the whole of it is
converted; a few are converted at a time, and the others wait. What is being done stands on the disk, so a
server that was killed goes on with it when it comes back, from the bytes that were kept.
"""

import logging
import os
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO, cast

from agents.settings import Settings
from agents.sources import Cancelled, Followed, open_source
from agents.tables import Tables, undo
from analysis.errors import AnalysisError, IngestError
from analysis.ingest import Part, ReadOptions, table_name
from sandbox.errors import SandboxError, WorkerStopped
from sandbox.pool import WorkerPool
from storage.datasets import Dataset, TooLarge
from storage.errors import NotFound, StorageError
from storage.ingests import IngestRecord
from storage.keys import SessionKey
from storage.owners import Owner
from storage.store import Store
from storage.uploads import Upload

logger = logging.getLogger(__name__)
BIG_BYTES = 16_000_000
"""A file beyond this is shown from a sample first."""
BIG_PACKED_BYTES = 4_000_000
PACKED = (".gz", ".zip", ".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
READERS = 4
CONVERSIONS = min(2, os.cpu_count() or 1)
CLOSE_SECONDS = 5.0


class Job:
    """A file that this server works at."""

    def __init__(self, record: IngestRecord) -> None:
        self.record = record
        self.part = 0.0
        self.text = f"Reading {record.file_name}"
        self.cancelled = False
        self.parts: list[Part] = []
        """The tables to convert, once they are known."""
        self.converting: Future[None] | None = None

    def say(self, part: float, text: str) -> None:
        """Tells how far it is. Raises Cancelled once nobody wants it."""
        if self.cancelled:
            raise Cancelled
        self.part, self.text = part, text

    @property
    def worker(self) -> str:
        """Its worker's name: never the conversation's, which may be answering."""
        return f"ingest-{self.record.id}"


class Ingests:
    """Starts, follows, cancels and recovers them; every call is safe from any thread."""

    def __init__(
        self,
        *,
        store: Store,
        pool: WorkerPool,
        settings: Settings,
        owner: Owner,
        new_session: Callable[[str], SessionKey],
    ) -> None:
        self._store = store
        self._pool = pool
        self._settings = settings
        self._owner = owner
        self._new_session = new_session
        self._jobs: dict[str, Job] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="ingest-read")
        self._converters = ThreadPoolExecutor(CONVERSIONS, thread_name_prefix="ingest-convert")

    def accept(self, upload: Upload, *, ask: bool = True) -> IngestRecord:
        """Begins to read a whole upload; a second call finds the first one's record.

        Without `ask` all tables are read, however many the file has.
        """
        known = self._store.ingests.get(upload.id)
        if known is not None:
            return known
        record = IngestRecord(
            upload.id,
            upload.session or self._new_session(upload.user_id),
            upload.file_name,
            size=upload.size,
            upload_id=upload.id,
            ask=ask,
        )
        return self._begin(record)

    def fetch(self, key: SessionKey, source: str) -> IngestRecord:
        """Begins to bring in a file from a folder of the server or from a URL.

        Raises IngestError where the settings do not allow it.
        """
        with open_source(source, self._settings, check_only=True) as found:
            name = found.name
        return self._begin(IngestRecord(uuid.uuid4().hex, key, name, "fetching", source=source))

    def read_again(
        self, key: SessionKey, dataset: Dataset, options: ReadOptions, part: str = ""
    ) -> IngestRecord:
        """Begins to read a dataset's original in another way, as a new version of it.

        `part` names another table of the file, which is a dataset of its own.
        """
        record = IngestRecord(
            uuid.uuid4().hex,
            key,
            dataset.file_name,
            sha256=dataset.sha256,
            size=dataset.byte_size,
            options=options.to_json(),
            name=table_name(dataset.file_name, part) if part != dataset.part else dataset.name,
        )
        return self._begin(record)

    def retry(self, key: SessionKey, record_id: str, options: ReadOptions) -> IngestRecord:
        """Begins to read a file that could not be read in another way. Raises NotFound."""
        record = self._mine(key, record_id, "failed")
        record.options = options.to_json()
        return self._begin(record, again=True)

    def choose(self, key: SessionKey, record_id: str, parts: list[str]) -> IngestRecord:
        """Begins to read these tables of a file that has many. Raises NotFound."""
        record = self._mine(key, record_id, "asking")
        record.chosen = parts
        return self._begin(record, again=True)

    def cancel(self, key: SessionKey, record_id: str) -> None:
        """Ends the work at a file, or forgets one that nobody works at; tables that are ready stay."""
        with self._changed:
            job = self._jobs.get(record_id)
            record = job.record if job is not None else self._store.ingests.get(record_id)
            if record is None or record.session != key:
                return
            if job is None:
                if not record.running:
                    self._forget(record)
                return
            job.cancelled = True
            waiting = job.converting is not None and job.converting.cancel()
        self._pool.kill(job.worker)
        if waiting:
            self._undo(job)

    def for_session(self, key: SessionKey) -> list[Job]:
        """What is being read in a conversation, asked about or failed, oldest first."""
        with self._changed:
            live = {job.record.id: job for job in self._jobs.values()}
        found = [live.get(record.id) or Job(record) for record in self._store.ingests.open()]
        return [job for job in found if job.record.session == key and job.record.state != "done"]

    def mark(self, key: SessionKey) -> tuple[tuple[str, str, int], ...]:
        """Changes when the page has more to show than a bar that moves."""
        return tuple((job.record.id, job.record.state, int(job.part * 4)) for job in self.for_session(key))

    def record(self, record_id: str) -> IngestRecord | None:
        """One by its id, also when it is done."""
        job = self._jobs.get(record_id)
        return job.record if job is not None else self._store.ingests.get(record_id)

    def progress(self, record_id: str) -> tuple[float, str]:
        """How far this server is with one: a part between 0 and 1, and words."""
        job = self._jobs.get(record_id)
        return (job.part, job.text) if job is not None else (0.0, "")

    def wait(self, key: SessionKey, seconds: float) -> None:
        """Blocks until nothing of the conversation is in its first, quick reading."""

        def settled() -> bool:
            return not any(
                job.record.session == key and job.record.state == "reading" for job in self._jobs.values()
            )

        with self._changed:
            self._changed.wait_for(settled, seconds)

    def recover(self) -> None:
        """Goes on with what servers that are gone have left."""
        alive = self._owner.alive()
        for upload in self._store.uploads.all():
            if upload.whole and self._store.ingests.get(upload.id) is None:
                self.accept(upload)
        for record in self._store.ingests.open():
            claimed = self._store.ingests.claim(record.id, self._owner.name, alive)
            if claimed is not None and claimed.id not in self._jobs:
                self._spawn(claimed)

    def close(self) -> None:
        """Ends all work; the next start goes on with it."""
        with self._changed:
            self._closed = True
            jobs = list(self._jobs.values())
        self._readers.shutdown(wait=False, cancel_futures=True)
        self._converters.shutdown(wait=False, cancel_futures=True)
        deadline = time.monotonic() + CLOSE_SECONDS
        for job in jobs:
            self._pool.kill(job.worker)
        with self._changed:
            self._changed.wait_for(
                lambda: all(self._idle(job) for job in jobs), max(deadline - time.monotonic(), 0)
            )

    def _idle(self, job: Job) -> bool:
        waiting = job.converting is not None and job.converting.cancelled()
        return waiting or job.record.id not in self._jobs

    def _mine(self, key: SessionKey, record_id: str, state: str) -> IngestRecord:
        record = self._store.ingests.get(record_id)
        if record is None or record.session != key or record.state != state:
            raise NotFound("This file is no longer waiting here.")
        return record

    def _begin(self, record: IngestRecord, *, again: bool = False) -> IngestRecord:
        record.owner = self._owner.name
        if again:
            record.state, record.error = "reading", ""
            self._store.ingests.save(record)
        elif not self._store.ingests.add(record):
            return record
        self._spawn(record)
        return record

    def _spawn(self, record: IngestRecord) -> None:
        job = Job(record)
        with self._changed:
            if self._closed:
                return
            self._jobs[record.id] = job
            self._readers.submit(self._guarded, job, self._read)

    def _guarded(self, job: Job, work: Callable[[Job], None]) -> None:
        """Runs a step of a job, whose errors become its state."""
        try:
            work(job)
        except (WorkerStopped, Cancelled):
            if job.cancelled:
                self._undo(job)
            elif self._closed:
                # The next start goes on with it.
                self._leave(job)
            else:
                self._fail(job, "Reading the file was stopped. Try again.")
        except (AnalysisError, StorageError, SandboxError) as error:
            if job.cancelled:
                self._undo(job)
            else:
                self._fail(job, str(error))
        except Exception:
            logger.exception("reading %s failed", job.record.id)
            self._fail(job, "The file could not be read, for a reason that the server's log has.")

    def _read(self, job: Job) -> None:
        """The quick part: the bytes in their place, the tables found, small ones read, big ones sampled."""
        record = job.record
        if record.state == "fetching":
            self._fetch(job)
        self._place(record)
        tables = self._tables(job)
        parts = tables.find()
        if parts is None:
            self._leave(job, "asking")
        elif is_big(record):
            for part in parts:
                tables.show_sample(part)
            tables.turn_to_first()
            job.say(0.0, f"{record.file_name} waits until another file is converted")
            job.parts = parts
            self._set(job, "converting")
            with self._changed:
                if self._closed:
                    raise Cancelled
                job.converting = self._converters.submit(self._guarded, job, self._convert)
        else:
            self._finish(job, tables.convert(parts))

    def _convert(self, job: Job) -> None:
        tables = self._tables(job)
        self._finish(job, tables.convert(job.parts))

    def _tables(self, job: Job) -> Tables:
        if job.cancelled or self._closed:
            raise Cancelled
        return Tables(self._store, self._pool.worker(job.worker), job.record, job.say)

    def _fetch(self, job: Job) -> None:
        limit = self._settings.upload_limit_mb

        def say(part: float) -> None:
            job.say(part, f"Fetching {job.record.file_name}")

        try:
            with open_source(job.record.source, self._settings) as found:
                followed = Followed(found, say, lambda: job.cancelled or self._closed)
                keep = self._store.datasets.keep_original
                sha256, _, size = keep(cast(BinaryIO, followed), limit * 1_000_000)
        except TooLarge:
            raise IngestError(
                f"{job.record.file_name} is larger than {limit:,} MB. Bring in a part of it, or raise"
                " UPLOAD_LIMIT_MB."
            ) from None
        job.record.sha256, job.record.size = sha256, size
        job.say(0.0, f"Reading {job.record.file_name}")
        self._set(job, "reading")

    def _place(self, record: IngestRecord) -> None:
        """Moves the bytes of an upload to where originals are kept; again after a crash in between."""
        if not record.upload_id:
            return
        user, store = record.session.user_id, self._store
        if not record.sha256 or not store.datasets.original_path(record.sha256).exists():
            record.sha256, path = store.uploads.seal(store.uploads.get(user, record.upload_id))
            store.ingests.save(record)
            store.datasets.adopt_original(path, record.sha256)
        store.uploads.delete(record.upload_id)
        record.upload_id = ""
        store.ingests.save(record)

    def _finish(self, job: Job, errors: list[str]) -> None:
        if errors:
            self._fail(job, " ".join(errors))
        else:
            self._leave(job, "done")

    def _fail(self, job: Job, error: str) -> None:
        job.record.error = error
        self._leave(job, "failed")

    def _undo(self, job: Job) -> None:
        """After a cancel."""
        try:
            undo(self._store.datasets, job.record)
            self._forget(job.record)
        finally:
            self._leave(job)

    def _forget(self, record: IngestRecord) -> None:
        self._store.ingests.delete(record.id)
        if record.upload_id:
            self._store.uploads.delete(record.upload_id)
        if record.sha256 and not any(r.sha256 == record.sha256 for r in self._store.ingests.open()):
            self._store.datasets.drop_unused(record.sha256)

    def _set(self, job: Job, state: str) -> None:
        with self._changed:
            job.record.state = state
            self._store.ingests.save(job.record)
            self._changed.notify_all()

    def _leave(self, job: Job, state: str = "") -> None:
        """This server works at it no more; it stays in this state, if one is given."""
        with self._changed:
            if state:
                self._set(job, state)
            self._jobs.pop(job.record.id, None)
            self._changed.notify_all()
        if not self._closed:
            self._pool.forget(job.worker)


def is_big(record: IngestRecord) -> bool:
    """Whether reading all of it takes so long that a sample is shown first."""
    packed = record.file_name.lower().endswith(PACKED)
    return record.size > (BIG_PACKED_BYTES if packed else BIG_BYTES)

"""The tables of one file: found, shown from a sample, converted, and put into the conversation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from analysis.errors import AnalysisError
from analysis.ingest import Converted, Part, ReadOptions, Sampled, convert, look, sample, table_name
from analysis.profiling import Profile, profile_table, store_profile
from sandbox.client import Worker
from sandbox.errors import SandboxError, WorkerStopped
from storage.datasets import Dataset, Datasets
from storage.ingests import IngestRecord
from storage.store import Store

MOST_AT_ONCE = 5
"""A file with more tables is read once somebody said which."""
CONVERTED = 0.9
"""Part of the work that is done when a table is converted; the rest is counting."""


@dataclass(frozen=True)
class Tables:
    """What is made of one file, by one worker. Errors of reading are AnalysisError and SandboxError."""

    store: Store
    worker: Worker
    record: IngestRecord
    say: Callable[[float, str], None]

    def find(self) -> list[Part] | None:
        """The tables to read; None when somebody has to say which."""
        record = self.record
        original = self.store.datasets.original_path(record.sha256)
        if record.options is not None:
            options = ReadOptions.from_json(record.options)
            found = look(original, record.file_name, self.worker, options)
            wanted = (options.member, options.part)
            return [p for p in found if (p.options.member, p.options.part) == wanted] or found[:1]
        found = look(original, record.file_name, self.worker)
        shown = [part for part in found if not part.hidden] or found
        record.parts = [part.name for part in shown]
        if record.chosen is not None:
            return [part for part in shown if part.name in record.chosen]
        return None if record.ask and len(shown) > MOST_AT_ONCE else shown

    def show_sample(self, part: Part) -> None:
        """Registers a big table from rows all over it, to be seen while the whole is converted."""
        store, sha256 = self.store.datasets, self.record.sha256
        if self._known(part):
            return
        target = store.table_path(sha256, part.options.key()).with_suffix(".sample.parquet")
        file_name = self.record.file_name
        found = sample(store.original_path(sha256), part.options, target, self.worker, file_name)
        rows = found.rows_sampled if found.rows_estimate is None else found.rows_estimate
        profile = profile_table(self.worker, target, found.columns, rows_total=rows)
        self._register(
            part,
            profile,
            found,
            rows=rows,
            notes=[*part.notes, *found.notes],
            rejected_rows=0,
            state="converting",
            exact=False,
        )

    def convert(self, parts: list[Part]) -> list[str]:
        """Converts the tables one after the other; returns why some of them could not be."""
        errors = []
        for index, part in enumerate(parts):
            try:
                self._convert(part, index / len(parts), 1 / len(parts))
            except WorkerStopped:
                raise
            except (AnalysisError, SandboxError) as error:
                if not self._mark_failed(part, str(error)):
                    errors.append(f"{part.name}: {error}" if len(parts) > 1 else str(error))
        self.turn_to_first()
        return errors

    def turn_to_first(self) -> None:
        """Makes the first of several tables the one that questions are about."""
        if len(self.record.datasets) > 1:
            self.store.datasets.attach(self.record.session, self.record.datasets[0])

    def _convert(self, part: Part, start: float, share: float) -> None:
        record, store = self.record, self.store.datasets
        if self._known(part):
            return
        target = store.table_path(record.sha256, part.options.key())
        label = f"{record.file_name} · {part.name}" if part.name else record.file_name

        def say(done: float, _: str) -> None:
            self.say(start + share * CONVERTED * done, f"Converting {label}")

        say(0.0, "")
        original = store.original_path(record.sha256)
        made = convert(original, part.options, target, self.worker, say, record.file_name)
        self.say(start + share * CONVERTED, f"Counting {label}")
        profile = profile_table(self.worker, target, made.columns)
        self.say(start + share, f"Counting {label}")
        dataset = self._register(
            part,
            profile,
            made,
            rows=made.rows,
            notes=[*part.notes, *made.notes],
            rejected_rows=made.rejected_rows,
            state="ready",
            exact=True,
        )
        dataset.sample_path.unlink(missing_ok=True)

    def _known(self, part: Part) -> bool:
        """Whether the same bytes were read this way before, and serve here too."""
        found = self.store.datasets.find_converted(self.record.sha256, part.options.key())
        if found is None or found.state != "ready" or not found.exact:
            return False
        self._put(
            part,
            rows=found.rows,
            columns=found.columns,
            notes=found.notes,
            rejected_rows=found.rejected_rows,
            state="ready",
            exact=True,
        )
        return True

    def _register(self, part: Part, profile: Profile, read: Sampled | Converted, **about: Any) -> Dataset:
        """The dataset with its profile."""
        names = (name for name, _ in read.columns)
        originals = dict(zip(names, read.original_names, strict=True))
        dataset = self._put(part, columns=profile.infos(originals), **about)
        store_profile(dataset, profile)
        return dataset

    def _put(self, part: Part, **about: Any) -> Dataset:
        """The dataset with what is known of it now, in the conversation."""
        record, store = self.record, self.store.datasets
        name = self._name(part)
        made = store.register(
            user_id=record.session.user_id,
            name=name,
            sha256=record.sha256,
            options_key=part.options.key(),
            file_name=record.file_name,
            byte_size=record.size,
            read_options=part.options.to_json(),
            part=part.name,
            **about,
        )
        made = store.update(made, **about, error="")
        if made.id not in record.datasets:
            before = store.for_session(record.session)
            record.displaced += [d.id for d in before if d.name == name and d.id != made.id]
            record.datasets.append(made.id)
            self.store.ingests.save(record)
            store.attach(record.session, made.id)
        return made

    def _name(self, part: Part) -> str:
        record = self.record
        return record.name or table_name(record.file_name, part.name if len(record.parts) > 1 else "")

    def _mark_failed(self, part: Part, error: str) -> bool:
        """Says of the dataset that is shown from a sample why it will not be more.

        False without one, and where an earlier version serves in its place again.
        """
        record, store, key = self.record, self.store.datasets, part.options.key()
        for dataset in store.for_session(record.session):
            if dataset.id in record.datasets and dataset.table_path.stem == key:
                store.update(dataset, state="failed", error=error)
                earlier = (store.get(record.session.user_id, old) for old in record.displaced)
                before = next((old for old in earlier if old is not None and old.name == dataset.name), None)
                if before is None:
                    return True
                dataset.sample_path.unlink(missing_ok=True)
                record.datasets.remove(dataset.id)
                store.detach(record.session, dataset.id)
                store.attach(record.session, before.id)
        return False


def undo(store: Datasets, record: IngestRecord) -> None:
    """Takes out what is not whole, and brings back what made room for it."""
    user_id = record.session.user_id
    for dataset_id in record.datasets:
        dataset = store.get(user_id, dataset_id)
        if dataset is not None and dataset.state == "converting":
            dataset.sample_path.unlink(missing_ok=True)
            store.forget(user_id, dataset_id)
    for dataset_id in record.displaced:
        if store.get(user_id, dataset_id) is not None:
            store.attach(record.session, dataset_id)

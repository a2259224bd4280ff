"""A conversation leaves as one zip file, comes back from one, and is duplicated the same way.

Tables are converted anew from their original bytes, so a file cannot bring in numbers that its data does not
have; only what was said is taken as it stands.
"""

import asyncio
import hashlib
import io
import json
import uuid
import zipfile
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, TypeVar

from google.adk.artifacts.base_artifact_service import BaseArtifactService
from google.genai import types
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from analysis.errors import AnalysisError
from analysis.ingest import ReadOptions
from storage.copies import ResultLine, SessionCopy, SessionRecord, TurnLine, read_copy, write_copy
from storage.datasets import Dataset
from storage.errors import InvalidExport
from storage.keys import SessionKey
from storage.results import Result
from storage.store import Store

T = TypeVar("T", bound=BaseModel)
Run = Callable[[Coroutine[Any, Any, Any]], Any]
# Reads a file into the store, for a user: the table, made anew.
Ingest = Callable[[BinaryIO, str, ReadOptions | None], Dataset]
# Runs a recorded cleaning step again over the tables that it was made of.
Remake = Callable[[list[Dataset], dict[str, Any]], Dataset]
FORMAT = "data-analysis-assistant-session"
VERSION = 2
"""1 had no versions that cleaning made, and not how tables were read."""
MOST_BYTES = 4_000_000_000
LONGEST_LIST_BYTES = 400_000_000


class Manifest(BaseModel):
    """What the file is."""

    model_config = ConfigDict(extra="forbid")
    format: str
    version: int
    session: SessionRecord
    left_out: list[str] = []
    """Tables that are not in the file, and why."""


class DatasetLine(BaseModel):
    """A dataset, after those that it was made of; its bytes are in `datasets/<sha256>`."""

    model_config = ConfigDict(extra="forbid")
    sha256: str
    file_name: str
    name: str = Field(pattern=r"^[A-Za-z_]\w*$", max_length=60)
    version: int
    id: str = ""
    parents: list[str] = []
    step: dict[str, Any] = {}
    attached: bool = True
    """False for one that is here only because others were made of it."""
    read_options: dict[str, Any] | None = None
    part: str = ""


class ArtifactLine(BaseModel):
    """One version of an artifact; its bytes are in `artifacts/<place>`."""

    model_config = ConfigDict(extra="forbid")
    place: int
    name: str
    mime_type: str


def export_session(store: Store, run: Run, key: SessionKey, target: BinaryIO) -> None:
    """Writes the conversation to `target`. Raises NotFound. `run` awaits on the loop of the artifacts."""
    copy = read_copy(store.database, key)
    datasets, left_out = _with_parents(store, store.datasets.for_session(key))
    attached = {dataset.id for dataset in store.datasets.for_session(key)}
    manifest = Manifest(format=FORMAT, version=VERSION, session=copy.session, left_out=left_out)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("manifest.json", manifest.model_dump_json(indent=1))
        file.writestr("events.jsonl", "".join(f"{data}\n" for data in copy.events))
        file.writestr("turns.jsonl", _lines(copy.turns))
        file.writestr("results.jsonl", _lines(copy.results))
        lines = [_dataset_line(dataset, attached=dataset.id in attached) for dataset in datasets]
        file.writestr("datasets.jsonl", _lines(lines))
        for dataset in {d.sha256: d for d in datasets}.values():
            file.write(dataset.original_path, f"datasets/{dataset.sha256}")
        artifacts = run(_read_artifacts(store.artifacts, key))
        file.writestr("artifacts.jsonl", _lines([line for line, _ in artifacts]))
        for line, data in artifacts:
            file.writestr(f"artifacts/{line.place}", data)


def import_session(
    store: Store, run: Run, user_id: str, app_name: str, source: BinaryIO, ingest: Ingest, remake: Remake
) -> SessionKey:
    """A new conversation of the user, from an exported file.

    Tables are read anew from their bytes, and cleaning steps run again. Raises InvalidExport with a sentence
    that says what is wrong, and whatever `ingest` raises.
    """
    with _opened(source) as file:
        manifest = _model(Manifest, file, "manifest.json")
        if manifest.format != FORMAT or manifest.version > VERSION:
            raise InvalidExport("The file was made by a newer version of this app. Update the app.")
        copy = SessionCopy(
            manifest.session,
            _text_lines(file, "events.jsonl"),
            _models(TurnLine, file, "turns.jsonl"),
            _models(ResultLine, file, "results.jsonl"),
        )
        _check_results(copy)
        artifacts = [
            (line, _bytes(file, f"artifacts/{line.place}"))
            for line in _models(ArtifactLine, file, "artifacts.jsonl")
        ]
        lines = _models(DatasetLine, file, "datasets.jsonl")
        datasets = _datasets(store, file, lines, ingest, remake)
    key = SessionKey(app_name, user_id, str(uuid.uuid4()))
    write_copy(store.database, key, copy, expires_after=store.expires_after)
    _attach(store, run, key, datasets, artifacts)
    return key


def duplicate_session(store: Store, run: Run, key: SessionKey) -> SessionKey:
    """A second conversation like the first, on the same data. Raises NotFound."""
    copy = read_copy(store.database, key)
    title = f"{copy.session.title[:190]} (copy)" if copy.session.title else ""
    session = copy.session.model_copy(update={"title": title})
    made = SessionKey(key.app_name, key.user_id, str(uuid.uuid4()))
    write_copy(
        store.database,
        made,
        SessionCopy(session, copy.events, copy.turns, copy.results),
        parent=key.session_id,
        expires_after=store.expires_after,
    )
    store.models.copy(key, made)
    datasets = store.datasets.for_session(key)
    _attach(store, run, made, datasets, run(_read_artifacts(store.artifacts, key)))
    return made


def _attach(
    store: Store,
    run: Run,
    key: SessionKey,
    datasets: list[Dataset],
    artifacts: list[tuple[ArtifactLine, bytes]],
) -> None:
    for dataset in datasets:
        store.datasets.attach(key, dataset.id)
    run(_write_artifacts(store.artifacts, key, artifacts))


async def _read_artifacts(service: BaseArtifactService, key: SessionKey) -> list[tuple[ArtifactLine, bytes]]:
    place = {"app_name": key.app_name, "user_id": key.user_id, "session_id": key.session_id}
    found: list[tuple[ArtifactLine, bytes]] = []
    for name in await service.list_artifact_keys(**place):
        if name.startswith("user:"):
            continue
        for version in await service.list_versions(filename=name, **place):
            part = await service.load_artifact(filename=name, version=version, **place)
            blob = part.inline_data if part else None
            if blob is not None and blob.data is not None:
                mime_type = blob.mime_type or "application/octet-stream"
                found.append((ArtifactLine(place=len(found), name=name, mime_type=mime_type), blob.data))
    return found


async def _write_artifacts(
    service: BaseArtifactService, key: SessionKey, artifacts: list[tuple[ArtifactLine, bytes]]
) -> None:
    for line, data in artifacts:
        try:
            await service.save_artifact(
                app_name=key.app_name,
                user_id=key.user_id,
                session_id=key.session_id,
                filename=line.name,
                artifact=types.Part.from_bytes(data=data, mime_type=line.mime_type),
            )
        except ValueError as error:
            raise InvalidExport(f"The file holds an artifact that cannot be kept: {error}") from error
        await asyncio.sleep(0)


@contextmanager
def _opened(source: BinaryIO) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(source) as file:
            if sum(info.file_size for info in file.infolist()) > MOST_BYTES:
                raise InvalidExport("The file unpacks to more than 4 GB.")
            yield file
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise InvalidExport(f"This is no exported conversation: {error}.") from error


def _dataset_line(dataset: Dataset, *, attached: bool) -> DatasetLine:
    return DatasetLine(
        sha256=dataset.sha256, file_name=dataset.file_name, name=dataset.name, version=dataset.version,
        id=dataset.id, parents=dataset.parents, step=dataset.step, attached=attached,
        read_options=dataset.read_options, part=dataset.part,
    )  # fmt: skip


def _with_parents(store: Store, attached: list[Dataset]) -> tuple[list[Dataset], list[str]]:
    """The datasets after all that they were made of; one whose origin was deleted is left out and named."""
    found: dict[str, Dataset] = {}
    left_out: list[str] = []

    def add(dataset: Dataset) -> bool:
        if dataset.id in found:
            return True
        for parent_id in dataset.parents:
            parent = store.datasets.get(dataset.user_id, parent_id)
            if parent is None or not add(parent):
                return False
        found[dataset.id] = dataset
        return True

    for dataset in attached:
        if dataset.source:
            left_out.append(f"{dataset.name}: its rows are at {dataset.source['connection']}")
        elif not add(dataset):
            why = "a table that it was made of was deleted"
            left_out.append(f"{dataset.name} version {dataset.version}: {why}")
    return list(found.values()), left_out


def _datasets(
    store: Store, file: zipfile.ZipFile, lines: list[DatasetLine], ingest: Ingest, remake: Remake
) -> list[Dataset]:
    """The attached datasets, in their order."""
    made: dict[str, Dataset] = {}
    attached: list[Dataset] = []
    for number, line in enumerate(lines):
        if line.parents:
            dataset = _remade(line, made, remake)
        else:
            dataset = _named(store, _ingested(file, line, ingest), line)
        made[line.id or str(number)] = dataset
        if line.attached:
            attached.append(dataset)
    return attached


def _remade(line: DatasetLine, made: dict[str, Dataset], remake: Remake) -> Dataset:
    if any(parent not in made for parent in line.parents):
        raise InvalidExport(f"The file lacks a table that {line.name} was made of. Nothing was imported.")
    try:
        return remake([made[parent] for parent in line.parents], line.step)
    except AnalysisError as error:
        text = str(line.step.get("text", ""))[:200]
        raise InvalidExport(f"The cleaning step {text!r} cannot be made again: {error}") from error


def _named(store: Store, dataset: Dataset, line: DatasetLine) -> Dataset:
    """Under the name that the steps and results of the file call it."""
    if dataset.name == line.name:
        return dataset
    made = store.datasets.register(
        user_id=dataset.user_id, name=line.name, sha256=dataset.sha256,
        options_key=dataset.table_path.stem, file_name=dataset.file_name, rows=dataset.rows,
        columns=dataset.columns, byte_size=dataset.byte_size, notes=dataset.notes,
        read_options=dataset.read_options, rejected_rows=dataset.rejected_rows, part=line.part,
    )  # fmt: skip
    store.datasets.forget(dataset.user_id, dataset.id)
    return made


def _ingested(file: zipfile.ZipFile, line: DatasetLine, ingest: Ingest) -> Dataset:
    data = _bytes(file, f"datasets/{line.sha256}", MOST_BYTES)
    if hashlib.sha256(data).hexdigest() != line.sha256:
        raise InvalidExport(f"The data of {line.file_name} was changed. Nothing was imported.")
    try:
        options = TypeAdapter(ReadOptions).validate_python(line.read_options) if line.read_options else None
    except ValidationError as error:
        raise InvalidExport(f"How {line.file_name} is read cannot be understood.") from error
    return ingest(io.BytesIO(data), line.file_name, options)


def _check_results(copy: SessionCopy) -> None:
    adapter = TypeAdapter(Result)
    key = {"app_name": "", "user_id": "", "session_id": ""}
    for line in copy.results:
        try:
            adapter.validate_python({**line.record, "key": key})
        except ValidationError as error:
            raise InvalidExport(f"The result {line.id} cannot be read. Nothing was imported.") from error


def _bytes(file: zipfile.ZipFile, name: str, most: int = LONGEST_LIST_BYTES) -> bytes:
    try:
        if file.getinfo(name).file_size > most:
            raise InvalidExport(f"{name} in the file is too large.")
        return file.read(name)
    except KeyError as error:
        raise InvalidExport(f"The file has no {name}: this is no exported conversation.") from error


def _text(file: zipfile.ZipFile, name: str) -> str:
    try:
        return _bytes(file, name).decode()
    except UnicodeDecodeError as error:
        raise InvalidExport(f"{name} in the file is no text.") from error


def _text_lines(file: zipfile.ZipFile, name: str) -> list[str]:
    # Not splitlines: JSON may hold the other characters that end a line.
    return [line for line in _text(file, name).split("\n") if line]


def _model(kind: type[T], file: zipfile.ZipFile, name: str) -> T:
    try:
        return kind.model_validate_json(_text(file, name))
    except ValidationError as error:
        raise InvalidExport(f"{name} in the file cannot be read. Nothing was imported.") from error


def _models(kind: type[T], file: zipfile.ZipFile, name: str) -> list[T]:
    try:
        return [kind.model_validate(json.loads(line)) for line in _text_lines(file, name)]
    except (ValueError, ValidationError) as error:
        raise InvalidExport(f"{name} in the file cannot be read. Nothing was imported.") from error


def _lines(records: list[Any]) -> str:
    return "".join(f"{record.model_dump_json()}\n" for record in records)

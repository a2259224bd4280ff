"""Datasets: uploaded tables, shared by the chats that use them."""

from pathlib import PurePosixPath
from typing import Annotated

from fastapi import APIRouter, Depends, Form, UploadFile

from api.context import Asker, Me
from api.errors import Refused, problems
from api.fields import DatasetId, Identifier
from api.limits import too_large
from api.media import JSON, MULTIPART, returns, sends
from api.schemas import DatasetList, DatasetView, Uploaded
from storage.datasets import Dataset

router = APIRouter(
    prefix="/datasets",
    tags=["datasets"],
    dependencies=[Depends(returns(JSON))],
    responses=problems(401, 403, 406, 422, 429, 503),
)
LONGEST_NAME = 200


@router.get("", operation_id="listDatasets", summary="List datasets")
def list_datasets(me: Me) -> DatasetList:
    """All of yours, oldest first."""
    return DatasetList.of(me.assistant.store.datasets.for_user(me.user_id))


@router.post(
    "",
    operation_id="uploadDataset",
    summary="Upload a dataset",
    status_code=201,
    dependencies=[Depends(sends(MULTIPART))],
    responses=problems(404, 410, 413, 415),
)
def upload_dataset(
    me: Me,
    file: UploadFile,
    chat_id: Annotated[
        Identifier | None, Form(description="The chat to attach it to; without one, a chat is made.")
    ] = None,
) -> Uploaded:
    """Reads a file's tables and attaches them to a chat. The same bytes are stored and converted once."""
    name = plain_name(file.filename or "")
    if (file.size or 0) > me.context.upload_bytes:
        raise too_large(me.context.upload_bytes)
    if chat_id is not None:
        key = me.open_chat(chat_id)
        made = me.assistant.upload(key, name, file.file)
    else:
        key = me.assistant.new_session(me.user_id)
        try:
            made = me.assistant.upload(key, name, file.file)
        except Exception:
            me.assistant.delete_session(key)
            raise
    views = [DatasetView.of(dataset) for dataset in made]
    return Uploaded(chat_id=key.session_id, dataset=views[0], datasets=views)


@router.get("/{dataset_id}", operation_id="getDataset", summary="Read a dataset", responses=problems(404))
def get_dataset(me: Me, dataset_id: DatasetId) -> DatasetView:
    """Columns, types and what was decided while reading; never rows."""
    return DatasetView.of(_find(me, dataset_id))


@router.delete(
    "/{dataset_id}",
    operation_id="deleteDataset",
    summary="Delete a dataset",
    status_code=204,
    responses=problems(404),
)
def delete_dataset(me: Me, dataset_id: DatasetId) -> None:
    """Deletes it from every chat, and its files when no other dataset has the same bytes."""
    me.assistant.store.datasets.forget(me.user_id, _find(me, dataset_id).id)


def plain_name(file_name: str) -> str:
    """The last part of a file name. Raises Refused (422) when nothing printable is left."""
    name = PurePosixPath(file_name.replace("\\", "/")).name
    name = "".join(char for char in name if char.isprintable()).strip()
    if not name:
        raise Refused(422, "The file needs a name.")
    return name[-LONGEST_NAME:]


def _find(me: Asker, dataset_id: str) -> Dataset:
    found = me.assistant.store.datasets.get(me.user_id, dataset_id)
    if found is None:
        raise Refused(404, "You have no dataset with this id.", "List yours with GET /datasets.")
    return found

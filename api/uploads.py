"""Files in pieces, by the tus protocol 1.0.0 (https://tus.io): created, appended to, resumed, cancelled.

Core, creation, creation-with-upload, termination and expiration. These operations stay out of the OpenAPI
document: their bodies are bytes at an offset that only a client which follows the protocol can know, so the
document could not tell a right request from a wrong one. How far a file is, it says in JSON.
"""

import base64
import binascii
from email.utils import formatdate
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from api.context import Asker, InContext, Me
from api.datasets import plain_name
from api.errors import Refused, problems
from api.fields import UploadId
from api.media import JSON, returns
from api.schemas import DatasetView, UploadView
from storage.datasets import TooLarge
from storage.errors import NotFound
from storage.ingests import IngestRecord
from storage.uploads import Upload, WrongOffset

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,termination,expiration"
PIECE = "application/offset+octet-stream"
PIECE_BYTES = 1 << 20
ALL, ONE = "OPTIONS, POST", "DELETE, HEAD, OPTIONS, PATCH"


def speaks(request: Request) -> None:
    """A dependency: the request is of this version of the protocol. Raises Refused (412)."""
    if request.headers.get("tus-resumable") != VERSION:
        raise Refused(412, f"Send the header Tus-Resumable: {VERSION}.", headers={"Tus-Version": VERSION})


router = APIRouter(prefix="/uploads", tags=["uploads"])
protocol = APIRouter(prefix="/uploads", include_in_schema=False)
Speaks = Annotated[None, Depends(speaks)]


@protocol.options("")
@protocol.options("/{upload_id}")
def capabilities(context: InContext) -> Response:
    """What of the protocol there is."""
    return _done(
        204,
        {
            "Tus-Version": VERSION,
            "Tus-Extension": EXTENSIONS,
            "Tus-Max-Size": str(context.upload_bytes),
        },
    )


@protocol.post("")
async def create(request: Request, me: Me, _: Speaks) -> Response:
    """Makes an upload, and takes its first piece if it comes along."""
    size = _whole(request, "upload-length")
    metadata = _metadata(request.headers.get("upload-metadata", ""))
    name = plain_name(metadata.get("filename", ""))
    chat = metadata.get("chat_id")
    session = me.conversation

    def make() -> Upload:
        key = session or (me.key(chat) if chat else None)
        if key is not None:
            me.open_chat(key.session_id)
        return me.assistant.store.uploads.create(
            me.user_id, key, name, size, me.context.upload_bytes, modified=metadata.get("modified", "")[:50]
        )

    made = await run_in_threadpool(make)
    offset = await _receive(request, me, made, 0) if _brings_piece(request) else 0
    await _accept(me, made, offset)
    return _done(201, _state(made, offset) | {"Location": f"uploads/{made.id}"})


@protocol.head("/{upload_id}")
def offset_of(me: Me, upload_id: UploadId, _: Speaks) -> Response:
    """How far an upload is."""
    found = _find(me, upload_id)
    return _done(200, _state(found, found.offset))


@protocol.patch("/{upload_id}")
async def append(request: Request, me: Me, upload_id: UploadId, _: Speaks) -> Response:
    """Adds a piece where the upload ends."""
    if not _brings_piece(request):
        raise Refused(415, f"The body has to be {PIECE}.")
    offset = _whole(request, "upload-offset")
    found = await run_in_threadpool(_find, me, upload_id)
    if offset != found.offset:
        raise WrongOffset(found.offset)
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and offset + int(length[:18]) > found.size:
        raise TooLarge(f"The upload was announced with {found.size:,} bytes.")
    reached = await _receive(request, me, found, offset)
    await _accept(me, found, reached)
    return _done(204, _state(found, reached))


@protocol.delete("/{upload_id}")
def cancel(me: Me, upload_id: UploadId, _: Speaks) -> Response:
    """Cancels an upload, or the reading of what was uploaded; datasets that are ready stay."""
    found = _find(me, upload_id)
    record = me.assistant.ingests.record(upload_id)
    if record is not None:
        me.assistant.ingests.cancel(record.session, upload_id)
    else:
        me.assistant.store.uploads.delete(found.id)
    return _done(204, {})


@router.get(
    "/{upload_id}/status",
    operation_id="getUpload",
    summary="Follow an upload",
    dependencies=[Depends(returns(JSON))],
    responses=problems(401, 403, 404, 406, 422, 429, 503),
)
def get_upload(me: Me, upload_id: UploadId) -> UploadView:
    """How far a file is, and the datasets that it became. Files are sent by the tus protocol 1.0.0."""
    found = _find(me, upload_id)
    ingests, store = me.assistant.ingests, me.assistant.store.datasets
    record = ingests.record(upload_id)
    progress, message = ingests.progress(upload_id)
    made = [store.get(me.user_id, dataset_id) for dataset_id in (record.datasets if record else [])]
    return UploadView(
        id=found.id,
        file_name=found.file_name,
        size=found.size,
        offset=found.offset,
        state=record.state if record else "sending",
        progress=1.0 if record and record.state == "done" else progress,
        message=message,
        error=record.error if record else "",
        tables=record.parts if record else [],
        chat_id=found.session.session_id if found.session else None,
        datasets=[DatasetView.of(dataset) for dataset in made if dataset is not None],
    )


def methods(path: str) -> str:
    """What Allow says of an address of this module; nothing for another's."""
    if path == "/uploads":
        return ALL
    return ONE if path.startswith("/uploads/") and path.count("/") == 2 else ""


def _find(me: Asker, upload_id: str) -> Upload:
    """One of the person's, also when it is being read. Raises NotFound."""
    record = me.assistant.ingests.record(upload_id)
    found = _of(record) if record is not None else me.assistant.store.uploads.get(me.user_id, upload_id)
    elsewhere = me.conversation is not None and found.session != me.conversation
    if found.user_id != me.user_id or elsewhere:
        raise NotFound("There is no such upload: it was finished, cancelled or has expired.")
    return found


def _of(record: IngestRecord) -> Upload:
    return Upload(
        record.id,
        record.session.user_id,
        record.session,
        record.file_name,
        record.size,
        record.size,
        record.created_at,
    )


async def _receive(request: Request, me: Asker, upload: Upload, offset: int) -> int:
    """Writes the body as it comes; what came before a broken connection is kept."""
    uploads, piece = me.assistant.store.uploads, bytearray()
    try:
        async for chunk in request.stream():
            piece += chunk
            if len(piece) >= PIECE_BYTES:
                offset = await run_in_threadpool(uploads.append, upload, offset, bytes(piece))
                piece.clear()
    except ClientDisconnect:
        pass
    if piece:
        offset = await run_in_threadpool(uploads.append, upload, offset, bytes(piece))
    return offset


async def _accept(me: Asker, upload: Upload, offset: int) -> None:
    """Begins to read a file whose last byte has come. A program is not asked which tables it wants."""
    if offset == upload.size:
        await run_in_threadpool(me.assistant.ingests.accept, upload, ask=me.conversation is not None)


def _brings_piece(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == PIECE


def _whole(request: Request, name: str) -> int:
    text = request.headers.get(name, "")
    if not text.isdecimal() or len(text) > 18:
        raise Refused(422, f"The header {name.title()} has to be a number of bytes.")
    return int(text)


def _metadata(header: str) -> dict[str, str]:
    """The pairs of Upload-Metadata: names, each with a value in base64. Raises Refused (422)."""
    found = {}
    for pair in filter(None, (part.strip() for part in header.split(","))):
        name, _, value = pair.partition(" ")
        try:
            found[name] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise Refused(422, "The header Upload-Metadata has to hold names and base64.") from None
    return found


def _state(upload: Upload, offset: int) -> dict[str, str]:
    return {
        "Upload-Offset": str(offset),
        "Upload-Length": str(upload.size),
        "Upload-Expires": formatdate(upload.expires_at, usegmt=True),
    }


def _done(status: int, headers: dict[str, str]) -> Response:
    return Response(status_code=status, headers={"Tus-Resumable": VERSION} | headers)

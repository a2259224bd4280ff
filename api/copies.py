"""A chat as a file, from a file, and twice."""

import re
import tempfile
from collections.abc import Iterator
from typing import BinaryIO

from fastapi import APIRouter, Depends, UploadFile
from fastapi.responses import StreamingResponse

from api.context import Me
from api.errors import problems
from api.fields import ChatId
from api.limits import too_large
from api.media import JSON, MULTIPART, ZIP, returns, sends
from api.schemas import Chat

router = APIRouter(prefix="/chats", tags=["chats"], responses=problems(401, 403, 406, 422, 429, 503))
CHUNK_BYTES = 1 << 16
LONGEST_NAME = 60


@router.get(
    "/{chat_id}/export",
    operation_id="exportChat",
    summary="Export a chat",
    response_class=StreamingResponse,
    dependencies=[Depends(returns(ZIP))],
    responses=problems(404)
    | {
        200: {
            "description": "A zip file that POST /chats/import takes.",
            "content": {ZIP: {"schema": {"type": "string", "format": "binary"}}},
            "headers": {
                "Content-Disposition": {
                    "description": "attachment, with a file name.",
                    "schema": {"type": "string"},
                }
            },
        }
    },
)
def export_chat(me: Me, chat_id: ChatId) -> StreamingResponse:
    """Everything the chat holds, as one file."""
    chat = me.chat(chat_id)
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the stream
    try:
        me.assistant.export_session(chat.key, file)
        size = file.tell()
        file.seek(0)
    except BaseException:
        file.close()
        raise
    headers = {
        "Content-Disposition": f'attachment; filename="{file_name(chat.title)}.zip"',
        "Content-Length": str(size),
    }
    return StreamingResponse(_chunks(file), media_type=ZIP, headers=headers)


@router.post(
    "/import",
    operation_id="importChat",
    summary="Import a chat",
    status_code=201,
    dependencies=[Depends(returns(JSON)), Depends(sends(MULTIPART))],
    responses=problems(413, 415),
)
def import_chat(me: Me, file: UploadFile) -> Chat:
    """Makes a chat of an exported file."""
    if (file.size or 0) > me.context.upload_bytes:
        raise too_large(me.context.upload_bytes)
    key = me.assistant.import_session(me.user_id, file.file)
    return Chat.of(me.chat(key.session_id))


@router.post(
    "/{chat_id}/duplicate",
    operation_id="duplicateChat",
    summary="Duplicate a chat",
    status_code=201,
    dependencies=[Depends(returns(JSON))],
    responses=problems(404, 409, 410),
)
def duplicate_chat(me: Me, chat_id: ChatId) -> Chat:
    """A second chat with the same messages, results and data."""
    key = me.assistant.duplicate_session(me.chat(chat_id).key)
    return Chat.of(me.chat(key.session_id))


def file_name(title: str) -> str:
    """The title as a plain file name."""
    return re.sub(r"[^A-Za-z0-9]+", "-", title).strip("-")[:LONGEST_NAME] or "chat"


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk

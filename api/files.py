"""The files that code wrote."""

from urllib.parse import quote

from fastapi import APIRouter, Depends, Response

from api.context import Me
from api.errors import Refused, problems
from api.fields import ChatId, ResultId
from api.media import BYTES, returns
from storage.errors import NotFound

router = APIRouter(prefix="/chats", tags=["chats"], responses=problems(401, 403, 406, 422, 429, 503))


@router.get(
    "/{chat_id}/results/{result_id}/file",
    operation_id="getResultFile",
    summary="Read a result's file",
    response_class=Response,
    dependencies=[Depends(returns(BYTES))],
    responses=problems(404)
    | {
        200: {
            "description": "The bytes of a result of kind file.",
            "content": {BYTES: {"schema": {"type": "string", "format": "binary"}}},
            "headers": {
                "Content-Disposition": {
                    "description": "attachment, with the file's name.",
                    "schema": {"type": "string"},
                }
            },
        }
    },
)
def get_result_file(me: Me, chat_id: ChatId, result_id: ResultId) -> Response:
    """As plain bytes whatever the file says it is, so that no browser runs what code wrote."""
    found = me.assistant.store.results.get(me.user_id, result_id)
    if found is None or found.key != me.key(chat_id) or found.kind != "file":
        raise Refused(404, "You have no such file in this chat.")
    try:
        data = me.assistant.file(found.key, found)
    except NotFound as error:
        raise Refused(404, str(error)) from error
    name = quote(str(found.output["name"]), safe="")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
    return Response(data, media_type=BYTES, headers=headers)

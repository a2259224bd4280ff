"""Chats: list, make, read, change, renew, stop, delete; what a chat holds."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from agents.assistant import APP_NAME
from api.context import Asker, Me
from api.errors import Refused, problems, refusing_values
from api.fields import ChatId, DatasetId, ResultId
from api.media import JSON, returns, sends
from api.requests import ChatChange, ChatFilter, NewChat
from api.schemas import Chat, ChatDetail, ChatList, DatasetList, ResultView, Stopping
from storage.conversations import Conversation
from storage.keys import SessionKey
from storage.turns import TurnRecord

router = APIRouter(
    prefix="/chats",
    tags=["chats"],
    dependencies=[Depends(returns(JSON))],
    responses=problems(401, 403, 406, 422, 429, 503),
)
HOUR = 3600.0


@router.get("", operation_id="listChats", summary="List chats")
def list_chats(me: Me, wanted: Annotated[ChatFilter, Query()]) -> ChatList:
    """Chats, last changed first."""
    with refusing_values():
        page = me.assistant.store.conversations.page(
            APP_NAME,
            me.user_id,
            limit=wanted.limit,
            cursor=wanted.cursor or None,
            query=wanted.query,
            status=wanted.status,
            include_empty=True,
        )
    return ChatList(items=[Chat.of(item) for item in page.items], next_cursor=page.next_cursor)


@router.post(
    "",
    operation_id="createChat",
    summary="Make a chat",
    status_code=201,
    dependencies=[Depends(sends(JSON))],
    responses=problems(404, 413, 415),
)
def create_chat(me: Me, new: NewChat | None = None) -> Chat:
    """One that stays without a title, data and questions is deleted after a week."""
    new = new or NewChat()
    known = {dataset.id for dataset in me.assistant.store.datasets.for_user(me.user_id)}
    if unknown := [dataset_id for dataset_id in new.dataset_ids if dataset_id not in known]:
        raise Refused(404, f"You have no dataset {unknown[0]!r}.", "List yours with GET /datasets.")
    key = me.assistant.new_session(me.user_id)
    with refusing_values():
        if new.title is not None:
            me.assistant.store.conversations.rename(key, new.title)
        if new.mode != "direct":
            me.assistant.set_mode(key, new.mode)
    for dataset_id in new.dataset_ids:
        me.assistant.set_current_dataset(key, dataset_id)
    return Chat.of(me.chat(key.session_id))


@router.get("/{chat_id}", operation_id="getChat", summary="Read a chat", responses=problems(404))
def get_chat(me: Me, chat_id: ChatId) -> ChatDetail:
    """The chat with its datasets and turns; the last turn may be running."""
    found = me.chat(chat_id)
    return ChatDetail.whole(found, me.assistant.datasets(found.key), _turns(me, found))


@router.patch(
    "/{chat_id}",
    operation_id="changeChat",
    summary="Change a chat",
    dependencies=[Depends(sends(JSON))],
    responses=problems(404, 409, 410, 413, 415),
)
def change_chat(me: Me, chat_id: ChatId, change: ChatChange) -> Chat:
    """Sets title, mode, status, metadata and expiry."""
    key, store = me.chat(chat_id).key, me.assistant.store.conversations
    with refusing_values():
        # The only step that can be refused comes first, the one that may close the chat last.
        if change.status is not None:
            store.set_status(key, change.status)
        if change.title is not None:
            store.rename(key, change.title)
        if change.mode is not None:
            me.assistant.set_mode(key, change.mode)
        if change.metadata:
            store.set_metadata(key, **change.metadata)
        if "expires_in_hours" in change.model_fields_set:
            hours = change.expires_in_hours
            store.set_expiry(key, None if hours is None else hours * HOUR)
    return Chat.of(me.chat(chat_id))


@router.delete(
    "/{chat_id}", operation_id="deleteChat", summary="Delete a chat", status_code=204, responses=problems(404)
)
def delete_chat(me: Me, chat_id: ChatId) -> None:
    """With its messages, turns, results and runs; datasets stay."""
    key = me.chat(chat_id).key
    me.assistant.turns.stop(key)
    me.assistant.delete_session(key)


@router.post("/{chat_id}/renew", operation_id="renewChat", summary="Renew a chat", responses=problems(404))
def renew_chat(me: Me, chat_id: ChatId) -> Chat:
    """Makes an expired chat active again, for as long as it had at first."""
    me.assistant.store.conversations.renew(me.chat(chat_id).key)
    return Chat.of(me.chat(chat_id))


@router.post(
    "/{chat_id}/stop",
    operation_id="stopAnswer",
    summary="Stop the running answer",
    status_code=202,
    responses=problems(404),
)
def stop_answer(me: Me, chat_id: ChatId) -> Stopping:
    """Ends the model's call and running code; what was found so far is kept."""
    found = me.chat(chat_id)
    idle = me.assistant.turns.running(found.key) is None
    if idle and not any(turn.status == "running" for turn in _turns(me, found)):
        return Stopping(stopping=False)
    me.assistant.turns.stop(found.key)
    return Stopping(stopping=True)


@router.get(
    "/{chat_id}/results/{result_id}",
    operation_id="getResult",
    summary="Read a result",
    responses=problems(404),
)
def get_result(me: Me, chat_id: ChatId, result_id: ResultId) -> ResultView:
    """What was computed, with the code and the data it came from."""
    found = me.assistant.store.results.get(me.user_id, result_id)
    if found is None or found.key != me.key(chat_id):
        raise Refused(404, "You have no such result in this chat.")
    return ResultView.of(found)


@router.post(
    "/{chat_id}/datasets/{dataset_id}",
    operation_id="attachDataset",
    summary="Attach a dataset",
    responses=problems(404, 410),
)
def attach_dataset(me: Me, chat_id: ChatId, dataset_id: DatasetId) -> DatasetList:
    """Makes it the one that questions are about; returns the chat's datasets."""
    key = me.chat(chat_id).key
    me.assistant.set_current_dataset(key, dataset_id)
    return DatasetList.of(me.assistant.datasets(key))


@router.delete(
    "/{chat_id}/datasets/{dataset_id}",
    operation_id="detachDataset",
    summary="Detach a dataset",
    status_code=204,
    responses=problems(404, 410),
)
def detach_dataset(me: Me, chat_id: ChatId, dataset_id: DatasetId) -> None:
    """Takes it out of the chat; messages, results and the dataset stay."""
    key = _chat_with(me, chat_id, dataset_id)
    me.assistant.remove_dataset(key, dataset_id)


def _chat_with(me: Asker, chat_id: str, dataset_id: str) -> SessionKey:
    key = me.chat(chat_id).key
    if dataset_id not in (dataset.id for dataset in me.assistant.datasets(key)):
        raise Refused(404, "This chat has no such dataset.")
    return key


def _turns(me: Asker, chat: Conversation) -> list[TurnRecord]:
    """Stored turns; the one that is being made here as it is now."""
    running = me.assistant.turns.running(chat.key)
    stored = me.assistant.store.turns.for_session(chat.key)
    if running is None:
        return stored
    return [running.record if turn.id == running.record.id else turn for turn in stored]

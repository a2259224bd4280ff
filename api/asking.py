"""Questions: asked, then waited for or followed as events; the answer belongs to the server.

Waiting looks at the turn's record a few times a second instead of holding a thread, of which there are few.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from agents.turns import RunningTurn
from api.context import Asker, Me
from api.errors import Refused, problems
from api.events import PING, Follower, event
from api.media import EVENTS, JSON, admits, returns, sends
from api.requests import NewQuestion
from api.schemas import Answer, ResultView, Turn
from storage.errors import StorageError
from storage.turns import TurnRecord

logger = logging.getLogger(__name__)
router = APIRouter(tags=["asking"], responses=problems(401, 403, 406, 422, 429, 503))
LOOK_SECONDS = 0.05
PING_SECONDS = 15.0
STREAM = (
    "With `stream`: events `turn`, then `text`, `step` and `result` as they come, then `done` or `error`. "
    "Each has an id that counts from 1, and a line of JSON. A comment is sent every 15 seconds of silence."
)
EVENT = {
    "type": "object",
    "description": "One event.",
    "required": ["id", "event", "data"],
    "properties": {
        "id": {"type": "string", "pattern": "^[1-9][0-9]*$"},
        "event": {"type": "string", "enum": ["turn", "text", "step", "result", "done", "error"]},
        "data": {"type": "string", "description": "JSON."},
    },
}
EXAMPLE = (
    'id: 1\nevent: turn\ndata: {"chat_id": "…", "turn": {…}}\n\n'
    'id: 2\nevent: step\ndata: {"part": 0, "kind": "step", "label": "Computing sum of revenue", …}\n\n'
    'id: 3\nevent: result\ndata: {"part": 1, "result": {…}}\n\n'
    'id: 4\nevent: text\ndata: {"part": 2, "text": "South sells most.", "replaces": false}\n\n'
    'id: 5\nevent: done\ndata: {"chat_id": "…", "turn": {…}}\n\n'
)


@router.post(
    "/ask",
    operation_id="ask",
    summary="Ask a question",
    response_model=Answer,
    dependencies=[Depends(sends(JSON)), Depends(returns(JSON, EVENTS))],
    responses=problems(404, 409, 410, 413, 415)
    | {
        200: {
            "description": f"The turn that ended, however it ended. {STREAM}",
            "content": {EVENTS: {"schema": EVENT, "example": EXAMPLE}},
        },
        202: {"model": Answer, "description": "The wait is over and the answer is still being made."},
    },
)
async def ask(me: Me, request: Request, new: NewQuestion) -> Response:
    """Without a chat_id a chat is made. A client that goes away does not stop the answer."""
    wanted = EVENTS if new.stream else JSON
    if not admits(request.headers.getlist("accept"), wanted):
        raise Refused(406, f"The answer is {wanted}, which the header Accept does not admit.")
    running = await asyncio.to_thread(_start, me, new)
    if new.stream:
        headers = {"X-Accel-Buffering": "no"}
        return StreamingResponse(follow(me, running), media_type=EVENTS, headers=headers)
    longest = me.context.settings.turn_timeout_seconds + LOOK_SECONDS
    await _wait(running, longest if new.wait_seconds is None else min(new.wait_seconds, longest))
    done = running.done
    answer = await asyncio.to_thread(_answer, me, running.record)
    return Response(answer.model_dump_json(), 200 if done else 202, media_type=JSON)


async def follow(me: Asker, running: RunningTurn) -> AsyncIterator[bytes]:
    """The events of a turn, to its end."""
    follower, number, last = Follower(), 0, time.monotonic()
    record, version = running.record, -1
    while True:
        done, seen = running.done, running.version
        if seen != version or done:
            version = seen
            for name, data in follower.news(record, ended=done):
                number, last = number + 1, time.monotonic()
                if name == "result":
                    data |= {"result": await asyncio.to_thread(_result, me, str(data["id"]))}
                yield event(number, name, data)
        if done:
            return
        if time.monotonic() - last >= PING_SECONDS:
            last = time.monotonic()
            yield PING
        await asyncio.sleep(LOOK_SECONDS)


def _start(me: Asker, new: NewQuestion) -> RunningTurn:
    key = me.assistant.new_session(me.user_id) if new.chat_id is None else me.open_chat(new.chat_id)
    return me.assistant.turns.start(key, new.question.strip())


async def _wait(running: RunningTurn, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not running.done and time.monotonic() < deadline:  # noqa: ASYNC110 - ends on another thread
        await asyncio.sleep(LOOK_SECONDS)


def _answer(me: Asker, record: TurnRecord) -> Answer:
    turn = Turn.of(record)
    found = (me.assistant.store.results.get(me.user_id, result_id) for result_id in turn.result_ids)
    results = [ResultView.of(result) for result in found if result is not None]
    return Answer(chat_id=record.key.session_id, turn=turn, results=results)


def _result(me: Asker, result_id: str) -> dict[str, object] | None:
    """None when it cannot be read now: the answer goes on, and the event has its id."""
    try:
        found = me.assistant.store.results.get(me.user_id, result_id)
    except StorageError:
        logger.exception("a result could not be read")
        return None
    return None if found is None else ResultView.of(found).model_dump(mode="json")

"""The window over a long session: rewinds as ADK applies them, few waiting calls, questions alone counted."""

import pytest
from google.adk.events._rewind_events import _apply_rewinds
from google.adk.events.event import Event
from google.adk.events.event_actions import EventActions
from google.adk.sessions.session import Session
from google.genai import types

from storage.keys import SessionKey
from storage.sessions import DatabaseSessionService
from storage.window import WAITING_CALLS, History

APP = "app"


def said(text: str, turn: str, author: str = "user") -> Event:
    content = types.Content(role="user", parts=[types.Part(text=text)])
    return Event(author=author, invocation_id=turn, content=content)


def rewound(target: str) -> Event:
    return Event(author="user", actions=EventActions(rewind_before_invocation_id=target))


async def read(service: DatabaseSessionService, config: History | None = None) -> Session:
    found = await service.get_session(app_name=APP, user_id="u", session_id="s", config=config)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "steps",
    [
        ["1", "2", "-2", "3"],
        ["1", "2", "3", "-2", "4", "-3", "5"],
        ["1", "2", "3", "-3", "4", "-1", "5"],
        ["1", "2", "-2", "-1", "3", "-3", "4"],
        ["1", "2", "-unknown", "3"],
    ],
)
async def test_rewinds_take_back_what_adk_takes_back(
    steps: list[str], service: DatabaseSessionService
) -> None:
    session = await service.create_session(app_name=APP, user_id="u", session_id="s")
    for step in steps:
        made = [rewound(step[1:])] if step[0] == "-" else [said("q", step), said("a", step, "agent")]
        for event in made:
            await service.append_event(session, event)
    told = [e.id for e in _apply_rewinds((await read(service)).events) if e.content]
    assert [e.id for e in _apply_rewinds((await read(service, History())).events) if e.content] == told


async def test_changes_of_state_are_no_questions(service: DatabaseSessionService) -> None:
    session = await service.create_session(app_name=APP, user_id="u", session_id="s")
    await service.append_event(session, said("the question", "1"))
    for number in range(30):
        change = Event(author="user", actions=EventActions(state_delta={"n": number}))
        await service.append_event(session, change)
    assert len((await read(service, History(questions=2))).events) == 31
    found = service._conversations.get(SessionKey(APP, "u", "s"))
    assert found is not None and found.turn_count == 1


async def test_calls_that_nobody_answers_do_not_pile_up(service: DatabaseSessionService) -> None:
    session = await service.create_session(app_name=APP, user_id="u", session_id="s")
    for number in range(60):
        call = types.FunctionCall(id=f"c{number}", name="adk_request_confirmation", args={})
        content = types.Content(role="model", parts=[types.Part(function_call=call)])
        await service.append_event(session, said("q", f"{number}"))
        asked = Event(
            author="agent", invocation_id=f"{number}", content=content, long_running_tool_ids={f"c{number}"}
        )
        await service.append_event(session, asked)
    window = (await read(service, History(questions=5))).events
    assert [e.invocation_id for e in window[::2]] == [f"{n}" for n in range(55 - WAITING_CALLS, 60)]

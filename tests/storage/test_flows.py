"""ADK's own flows on our service, through a real Runner: confirmation, resuming, rewind, compaction."""

import warnings
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from google.adk.agents.llm_agent import LlmAgent
from google.adk.agents.run_config import RunConfig
from google.adk.apps.app import App, EventsCompactionConfig, ResumabilityConfig
from google.adk.events.event import Event
from google.adk.models.base_llm import BaseLlm
from google.adk.models.llm_request import LlmRequest
from google.adk.models.llm_response import LlmResponse
from google.adk.runners import Runner
from google.adk.tools.function_tool import FunctionTool
from google.adk.tools.tool_context import ToolContext
from google.genai import types
from pydantic import Field

from storage.sessions import DatabaseSessionService
from storage.window import History

BETWEEN = 400
PLACE: dict[str, Any] = {"user_id": "u", "session_id": "s"}


class Scripted(BaseLlm):
    """Answers from a list, and keeps the texts of each request."""

    script: list[list[types.Part]] = Field(default_factory=list)
    requests: list[list[str]] = Field(default_factory=list)

    async def generate_content_async(
        self, llm_request: LlmRequest, stream: bool = False
    ) -> AsyncGenerator[LlmResponse, None]:
        texts = [part.text for content in llm_request.contents for part in content.parts or [] if part.text]
        self.requests.append(texts)
        parts = self.script.pop(0) if self.script else [types.Part(text="ok")]
        yield LlmResponse(content=types.Content(role="model", parts=parts))


class Conversation:
    """A session that a Runner works on; deleted files are what the tool was allowed to do."""

    def __init__(self, service: DatabaseSessionService, **app: Any) -> None:
        self.service = service
        self.model = Scripted(model="scripted")
        self.deleted: list[str] = []

        def delete(name: str, tool_context: ToolContext) -> dict[str, str]:
            """Deletes."""
            self.deleted.append(name)
            tool_context.state["last"] = name
            return {"deleted": name}

        with warnings.catch_warnings():
            # Resuming and compaction are announced as experimental.
            warnings.simplefilter("ignore")
            tools = [FunctionTool(delete, require_confirmation=True)]
            agent = LlmAgent(name="root", model=self.model, tools=tools)  # type: ignore[arg-type]
            self.runner = Runner(
                app=App(name="app", root_agent=agent, **{k: v() for k, v in app.items()}),
                session_service=service,
            )

    async def say(self, content: types.Content | str, **more: Any) -> list[Event]:
        if isinstance(content, str):
            content = types.Content(role="user", parts=[types.Part(text=content)])
        config = RunConfig(get_session_config=History(questions=3))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run = self.runner.run_async(new_message=content, run_config=config, **PLACE, **more)
            return [event async for event in run]

    async def fill(self, count: int) -> None:
        session = await self.service.get_session(app_name="app", **PLACE)
        assert session is not None
        for number in range(count // 2):
            for author, text in (("user", f"filler {number}"), ("root", "yes")):
                part = types.Content(role="user", parts=[types.Part(text=text)])
                await self.service.append_event(
                    session, Event(author=author, invocation_id=f"f{number}", content=part)
                )


def call(name: str) -> list[types.Part]:
    return [types.Part(function_call=types.FunctionCall(name="delete", args={"name": name}))]


def asked(events: list[Event]) -> tuple[str, types.FunctionCall]:
    """The confirmation that was asked for, and its invocation."""
    found = [
        (event.invocation_id, request)
        for event in events
        for request in event.get_function_calls()
        if request.id in (event.long_running_tool_ids or ())
    ]
    return found[-1]


def confirm(request: types.FunctionCall) -> types.Content:
    answer = types.FunctionResponse(id=request.id, name=request.name, response={"confirmed": True})
    return types.Content(role="user", parts=[types.Part(function_response=answer)])


@pytest.mark.parametrize("resumable", [False, True])
async def test_a_confirmation_is_answered_long_after(
    resumable: bool, service: DatabaseSessionService
) -> None:
    app: dict[str, Any] = {"resumability_config": lambda: ResumabilityConfig(is_resumable=True)}
    talk = Conversation(service, **(app if resumable else {}))
    await service.create_session(app_name="app", **PLACE)
    talk.model.script = [call("old.csv")]
    invocation, request = asked(await talk.say("delete old.csv"))
    assert talk.deleted == []
    await talk.fill(BETWEEN)
    more = {"invocation_id": invocation} if resumable else {}
    events = await talk.say(confirm(request), **more)
    assert talk.deleted == ["old.csv"]
    said = [part.text for event in events if event.content for part in event.content.parts or []]
    assert said[-1] == "ok"
    session = await service.get_session(app_name="app", **PLACE)
    assert session is not None and session.state["last"] == "old.csv"
    assert max(len(texts) for texts in talk.model.requests) < 20, "the prompt is a window"
    talk.model.script = [call("new.csv")]
    _, second = asked(await talk.say("delete new.csv too"))
    assert second.id != request.id and talk.deleted == ["old.csv"]


async def test_a_rewind_takes_words_and_state_back(service: DatabaseSessionService) -> None:
    talk = Conversation(service)
    await service.create_session(app_name="app", **PLACE)
    session = await service.get_session(app_name="app", **PLACE)
    assert session is not None
    await service.update_keys("app", "u", "s", {"colour": "red"})
    first = (await talk.say("the first question"))[0].invocation_id
    second = (await talk.say("the second question"))[0].invocation_id
    await service.update_keys("app", "u", "s", {"colour": "blue"})
    await talk.runner.rewind_async(rewind_before_invocation_id=second, **PLACE)
    await talk.say("the third question")
    assert "the first question" in talk.model.requests[-1]
    assert "the second question" not in talk.model.requests[-1]
    await talk.fill(BETWEEN)
    await talk.runner.rewind_async(rewind_before_invocation_id=first, **PLACE)
    await talk.say("from the start")
    assert talk.model.requests[-1] == ["from the start"]


async def test_a_compaction_stays_in_the_prompt_when_its_events_have_left(
    service: DatabaseSessionService,
) -> None:
    talk = Conversation(
        service,
        events_compaction_config=lambda: EventsCompactionConfig(compaction_interval=2, overlap_size=0),
    )
    await service.create_session(app_name="app", **PLACE)
    summary = "Summary of the beginning"
    talk.model.script = [[types.Part(text="one")], [types.Part(text="two")], [types.Part(text=summary)]]
    await talk.say("question 1")
    await talk.say("question 2")
    session = await service.get_session(app_name="app", **PLACE)
    assert session is not None and sum(bool(e.actions.compaction) for e in session.events) == 1
    for number in range(3, 7):
        await talk.say(f"question {number}")
    last = next(texts for texts in reversed(talk.model.requests) if "question 6" in texts)
    assert any(summary in text for text in last) and "question 1" not in last

"""What the framework takes for one turn when the model answers at once."""

import gc
from collections.abc import AsyncGenerator

from google.adk.agents.llm_agent import LlmAgent
from google.adk.agents.run_config import RunConfig
from google.adk.models.base_llm import BaseLlm
from google.adk.models.llm_request import LlmRequest
from google.adk.models.llm_response import LlmResponse
from google.adk.runners import Runner
from google.genai import types

from benchmarks import events
from benchmarks.operations import milliseconds
from benchmarks.report import Row, medians, number
from benchmarks.services import APP, OURS, RAW, SQLITE, USER, Adk, Contender, Ours
from benchmarks.templates import OWN_ROUNDS, Templates
from storage.window import History

QUESTIONS = 12


class Stub(BaseLlm):
    """Answers the same at once."""

    async def generate_content_async(
        self, llm_request: LlmRequest, stream: bool = False
    ) -> AsyncGenerator[LlmResponse, None]:
        part = types.Part(text="Revenue is highest in the north.")
        yield LlmResponse(content=types.Content(role="model", parts=[part]))


async def turns(templates: Templates) -> Row:
    """One turn behind few and behind many events; ours reads the window of the last questions."""
    names = [name for name in templates.names if name != RAW]
    few: dict[str, list[float]] = {name: [] for name in names}
    many: dict[str, list[float]] = {name: [] for name in names}
    opened = {
        name: (await templates.open(name, "small"), await templates.open(name, "large")) for name in names
    }
    for round_number in range(OWN_ROUNDS * templates.sizes.turns + 1):
        for name, (small, large) in opened.items():
            if round_number > templates.sizes.turns and name != OURS:
                continue
            first = await _turn(small, f"s{round_number}")
            second = await _turn(large, "s0")
            await _complete(large, "s0", round_number)
            if round_number:
                few[name].append(first)
                many[name].append(second)
    for contenders in opened.values():
        for contender in contenders:
            await contender.close()
    return _row(templates, medians(few), medians(many))


async def _turn(contender: Contender, session_id: str) -> float:
    assert isinstance(contender, Adk)
    agent = LlmAgent(name="analyst", model=Stub(model="stub"), instruction="Answer in one sentence.")
    runner = Runner(app_name=APP, agent=agent, session_service=contender.service)
    gc.collect()
    return await milliseconds(_run(runner, contender, session_id))


async def _complete(contender: Contender, session_id: str, seed: int) -> None:
    """Adds a call and its answer, so that a measured turn has four events as all others do."""
    await contender.hold(session_id)
    for event in events.take(3, seed=100 + seed)[1:]:
        await contender.append(session_id, contender.prepare(event))


async def _run(runner: Runner, contender: Adk, session_id: str) -> None:
    config = RunConfig()
    if isinstance(contender, Ours):
        config = RunConfig(get_session_config=History(questions=QUESTIONS))
    question = types.Content(role="user", parts=[types.Part(text="Which region leads?")])
    async for _ in runner.run_async(
        user_id=USER, session_id=session_id, new_message=question, run_config=config
    ):
        pass


def _row(templates: Templates, few: dict[str, float], many: dict[str, float]) -> Row:
    growth = {name: many[name] / few[name] for name in many}
    shown = {name: f"{number(few[name])} -> {number(many[name])}" for name in many}
    sizes = templates.sizes
    operation = f"framework's share of a turn, {sizes.small} -> {sizes.large:,} events before"
    ratio = f"{many[SQLITE] / many[OURS]:.0f}x" if SQLITE in many else "-"
    demanded = f"grows at most 1.5x (is {growth[OURS]:.2f}x)"
    return Row(operation, growth, demanded, growth[OURS] <= 1.5, shown, ratio)

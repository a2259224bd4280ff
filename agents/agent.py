"""The agent tree: one root that follows the conversation's mode, behind one Runner.

Direct mode is one agent with every tool: the fewest model calls. In the other mode a coordinator hands the
question to the analysis agent or the visualization agent. `adk run agents` and `adk web .` load this file.
"""

from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

from google.adk.agents.base_agent import BaseAgent
from google.adk.agents.invocation_context import InvocationContext
from google.adk.agents.llm_agent import LlmAgent
from google.adk.apps.app import App
from google.adk.events.event import Event
from google.adk.models.base_llm import BaseLlm
from typing_extensions import override

from agents.card import add_data_card
from agents.models import choose_model
from agents.settings import Settings
from agents.tools.asking import find_values, query, rows, sql
from agents.tools.looking import describe, distribution, missing, outliers, profile
from agents.tools.relating import compare, correlate, crosstab, trend
from agents.tools.running import on_tool_error
from agents.tools.showing import show
from agents.workspace import workspace
from storage.keys import SessionKey

APP_NAME = "agents"
PROMPTS = Path(__file__).parent / "prompts"
ANALYSES: list[Callable[..., Any]] = [
    query, rows, find_values, sql, profile, missing, describe, distribution, outliers, correlate,
    compare, crosstab, trend,
]  # fmt: skip
DRAWING: list[Callable[..., Any]] = [show, query, find_values]


class Assistant(BaseAgent):
    """Hands each question to the direct agent or to the coordinator, by the conversation's mode."""

    direct: LlmAgent
    coordinator: LlmAgent

    @override
    async def _run_async_impl(self, ctx: InvocationContext) -> AsyncGenerator[Event, None]:
        session = ctx.session
        key = SessionKey(session.app_name, session.user_id, session.id)
        conversation = workspace().store.conversations.get(key)
        chosen = self.coordinator if conversation and conversation.mode == "code" else self.direct
        async for event in chosen.run_async(ctx):
            yield event


def build_app(model: BaseLlm) -> App:
    """The whole tree on one model."""

    def agent(name: str, description: str, prompts: list[str], **rest: Any) -> LlmAgent:
        return LlmAgent(
            name=name,
            description=description,
            model=model,
            # A function: ADK would read braces in a plain text as names of state.
            instruction=lambda _: "\n\n".join((PROMPTS / f"{p}.md").read_text() for p in prompts),
            before_model_callback=add_data_card,
            on_tool_error_callback=on_tool_error,
            **rest,
        )

    direct = agent("direct_agent", "Answers directly with all tools.", ["direct"], tools=[*ANALYSES, show])
    analysis = agent(
        "analysis_agent",
        "Numbers, tables, statistics, comparisons, data quality, trends.",
        ["direct", "analysis"],
        tools=ANALYSES,
        disallow_transfer_to_parent=True,
        disallow_transfer_to_peers=True,
    )
    visualization = agent(
        "visualization_agent",
        "Charts of every kind.",
        ["direct", "visualization"],
        tools=DRAWING,
        disallow_transfer_to_parent=True,
        disallow_transfer_to_peers=True,
    )
    coordinator = agent(
        "coordinator",
        "Decides who answers.",
        ["coordinator"],
        sub_agents=[analysis, visualization],
    )
    root = Assistant(
        name="assistant",
        description="Answers questions about the user's data.",
        direct=direct,
        coordinator=coordinator,
        sub_agents=[direct, coordinator],
    )
    return App(name=APP_NAME, root_agent=root)


def __getattr__(name: str) -> Any:
    """`app` and `root_agent` for ADK's commands, built when they are asked for."""
    if name in ("app", "root_agent"):
        app = build_app(choose_model(Settings.load()).llm)
        globals().update(app=app, root_agent=app.root_agent)
        return globals()[name]
    raise AttributeError(name)

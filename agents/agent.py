"""The agent tree: one root that follows the mode of the turn, behind one Runner.

Direct mode is one agent with every tool: the fewest model calls. In code mode a coordinator hands the
question to the analysis agent or the visualization agent, which write Python besides calling tools.
`adk run agents` and `adk web .` load this file.
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

from agents.assistant import CODE_RUNS
from agents.card import add_data_card
from agents.executors import SandboxCodeExecutor
from agents.gemini_code import code_as_text, gemini_code_agent
from agents.models import choose_model
from agents.settings import Settings
from agents.tools.asking import find_values, query, rows, sql
from agents.tools.cleaning import (
    check_join,
    clean_data,
    cleaning_steps,
    join_tables,
    list_tables,
    undo_cleaning,
)
from agents.tools.driving import compare_periods, drivers
from agents.tools.learning import (
    anomalies,
    cluster,
    evaluate_model,
    list_models,
    predict,
    principal_components,
    train_model,
)
from agents.tools.looking import describe, distribution, missing, outliers, profile
from agents.tools.programming import run_python
from agents.tools.relating import compare, correlate, crosstab, trend
from agents.tools.running import on_tool_error
from agents.tools.series import forecast, odd_periods, resample, seasonality, trend_test
from agents.tools.showing import show
from agents.tools.testing import correlation_tests, regression, test
from agents.turns import MODE_OF_TURN, ROOT
from agents.workspace import workspace
from storage.keys import SessionKey

APP_NAME = "agents"
PROMPTS = Path(__file__).parent / "prompts"
ANALYSES: list[Callable[..., Any]] = [
    query, rows, find_values, sql, profile, missing, describe, distribution, outliers, correlate,
    compare, crosstab, trend,
    test, regression, correlation_tests,
    forecast, seasonality, trend_test, resample, odd_periods,
    train_model, evaluate_model, predict, list_models, cluster, anomalies, principal_components,
    drivers, compare_periods,
    clean_data, check_join, join_tables, undo_cleaning, list_tables, cleaning_steps,
]  # fmt: skip
DRAWING: list[Callable[..., Any]] = [show, query, find_values]


class Assistant(BaseAgent):
    """Hands each question to the direct agent, the coordinator, or the agent whose code runs at Google."""

    direct: LlmAgent
    coordinator: LlmAgent
    gemini_code: LlmAgent

    @override
    async def _run_async_impl(self, ctx: InvocationContext) -> AsyncGenerator[Event, None]:
        async for event in self._chosen(ctx).run_async(ctx):
            yield event

    def _chosen(self, ctx: InvocationContext) -> BaseAgent:
        """By the turn's own mode, else the conversation's."""
        session = ctx.session
        key = SessionKey(session.app_name, session.user_id, session.id)
        conversation = workspace().store.conversations.get(key)
        mode = session.state.get(MODE_OF_TURN) or (conversation.mode if conversation else "direct")
        if mode != "code":
            return self.direct
        at_google = conversation is not None and conversation.metadata.get(CODE_RUNS) == "gemini"
        return self.gemini_code if at_google else self.coordinator


def build_app(model: BaseLlm, *, code_blocks: bool = False) -> App:
    """The whole tree on one model. With `code_blocks` it writes Python in its answer, else into a tool."""

    def agent(name: str, description: str, prompts: list[str], **rest: Any) -> LlmAgent:
        return LlmAgent(
            name=name,
            description=description,
            model=model,
            # A function: ADK would read braces in a plain text as names of state.
            instruction=lambda _: "\n\n".join((PROMPTS / f"{p}.md").read_text() for p in prompts),
            before_model_callback=[code_as_text, add_data_card],
            on_tool_error_callback=on_tool_error,
            **rest,
        )

    code = [] if code_blocks else [run_python]
    coding = ["code", "code_blocks" if code_blocks else "code_tool"]

    def executor() -> SandboxCodeExecutor | None:
        return SandboxCodeExecutor() if code_blocks else None

    direct = agent("direct_agent", "Answers directly with all tools.", ["direct"], tools=[*ANALYSES, show])
    analysis = agent(
        "analysis_agent",
        "Numbers, tables, statistics, comparisons, data quality, trends.",
        ["direct", "analysis", *coding],
        tools=[*ANALYSES, *code],
        code_executor=executor(),
        disallow_transfer_to_parent=True,
        disallow_transfer_to_peers=True,
    )
    visualization = agent(
        "visualization_agent",
        "Charts of every kind.",
        ["direct", "visualization", *coding],
        tools=[*DRAWING, *code],
        code_executor=executor(),
        disallow_transfer_to_parent=True,
        disallow_transfer_to_peers=True,
    )
    coordinator = agent(
        "coordinator",
        "Decides who answers.",
        ["coordinator"],
        sub_agents=[analysis, visualization],
    )
    gemini_code = gemini_code_agent(model)
    root = Assistant(
        name=ROOT,
        description="Answers questions about the user's data.",
        direct=direct,
        coordinator=coordinator,
        gemini_code=gemini_code,
        sub_agents=[direct, coordinator, gemini_code],
    )
    return App(name=APP_NAME, root_agent=root)


def __getattr__(name: str) -> Any:
    """`app` and `root_agent` for ADK's commands, built when they are asked for."""
    if name in ("app", "root_agent"):
        settings = Settings.load()
        app = build_app(choose_model(settings).llm, code_blocks=settings.code_blocks)
        globals().update(app=app, root_agent=app.root_agent)
        return globals()[name]
    raise AttributeError(name)

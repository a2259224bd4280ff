"""Gemini's own code execution: the model writes Python and runs it at Google, on CSV copies of the datasets.

The agent has no function tools: Gemini before 3 refuses them beside code execution, and later ones take
the pair only in a mode of their own. The rows go with each request and are never stored in the history.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

from google.adk.agents.callback_context import CallbackContext
from google.adk.agents.invocation_context import InvocationContext
from google.adk.agents.llm_agent import LlmAgent
from google.adk.code_executors.built_in_code_executor import BuiltInCodeExecutor
from google.adk.events.event import Event
from google.adk.models.base_llm import BaseLlm
from google.adk.models.llm_request import LlmRequest
from google.adk.models.llm_response import LlmResponse
from google.adk.utils.model_name_utils import is_gemini_model
from google.genai import types
from google.genai.errors import APIError
from pydantic import PrivateAttr
from typing_extensions import override

from agents.artifacts import Artifact, save
from agents.card import add_data_card
from agents.gemini_runs import AT_GOOGLE, Runs
from agents.model_errors import NotAtGoogle, from_exception
from agents.models import ModelChoice
from agents.workspace import workspace
from analysis.errors import AnalysisError
from analysis.table_csv import TooLargeAsCsv, as_csv
from storage.datasets import Dataset
from storage.keys import SessionKey

PROMPT = Path(__file__).parent / "prompts" / "gemini_code.md"
# Google's documentation of code execution: input files count against the model's window, one million tokens
# are "roughly 2MB for text files". The 20 MB of a request with inline data lie far beyond that.
LIMIT_BYTES = 2_000_000
FILE_NAME = "input_file_{}.csv"
"""How Google calls the files of a request, in their order."""


def supports_gemini_code(choice: ModelChoice) -> bool:
    """Whether this model can run code at Google."""
    return choice.kind == "gemini" and is_gemini_model(choice.name)


def gemini_code_agent(model: BaseLlm) -> LlmAgent:
    """The agent, for any model; asked on one that is no Gemini, it refuses in words."""
    agent = GeminiCodeAgent(
        name=AT_GOOGLE,
        description="Answers with Python that runs at Google.",
        model=model,
        instruction=lambda _: PROMPT.read_text(),
        code_executor=BuiltInCodeExecutor(),
        disallow_transfer_to_parent=True,
        disallow_transfer_to_peers=True,
    )
    agent.before_model_callback = [agent.attach, add_data_card]
    agent.after_model_callback = agent.keep
    return agent


class GeminiCodeAgent(LlmAgent):
    """Sends the datasets along, and turns what ran at Google into stored results."""

    _runs: dict[str, Runs] = PrivateAttr(default_factory=dict)

    @override
    async def _run_async_impl(self, ctx: InvocationContext) -> AsyncGenerator[Event, None]:
        model = self.canonical_model.model
        if not is_gemini_model(model):
            raise NotAtGoogle(f"Only Gemini models run code at Google, and this is {model}.")
        runs = self._runs[ctx.invocation_id] = _runs(ctx, model)
        try:
            async with aclosing(super()._run_async_impl(ctx)) as events:
                async for event in events:
                    yield event
        except Exception as error:
            if news := await runs.end():
                yield Event(
                    invocation_id=ctx.invocation_id,
                    author=self.name,
                    branch=ctx.branch,
                    custom_metadata=news,
                )
            if runs.sent and isinstance(error, APIError) and from_exception(error).kind == "too_long":
                size = f"{runs.sent / 1e6:.1f} MB"
                raise NotAtGoogle(
                    f"With {size} of data, the request is longer than {model} takes."
                ) from error
            raise
        finally:
            self._runs.pop(ctx.invocation_id, None)

    async def attach(self, callback_context: CallbackContext, llm_request: LlmRequest) -> None:
        """Before each model call: the datasets as files, with the newest question."""
        session = callback_context.session
        key = SessionKey(session.app_name, session.user_id, session.id)
        files, left_out = await asyncio.to_thread(_files, key)
        if not files:
            return
        runs = self._runs[callback_context.invocation_id]
        runs.datasets, runs.sent = [dataset for dataset, _ in files], sum(len(csv) for _, csv in files)
        questions = [
            index
            for index, content in enumerate(llm_request.contents)
            if content.role == "user" and any(part.text for part in content.parts or [])
        ]
        parts = _parts(files, left_out)
        if questions:
            question = llm_request.contents[questions[-1]]
            with_files = types.Content(role="user", parts=[*parts, *(question.parts or [])])
            llm_request.contents[questions[-1]] = with_files
        else:
            llm_request.contents.append(types.Content(role="user", parts=parts))

    async def keep(self, callback_context: CallbackContext, llm_response: LlmResponse) -> None:
        """After each piece of an answer: stores the runs that it completes."""
        await self._runs[callback_context.invocation_id].take(llm_response)


def _runs(ctx: InvocationContext, model: str) -> Runs:
    session, service = ctx.session, ctx.artifact_service
    key = SessionKey(session.app_name, session.user_id, session.id)

    async def keep(artifact: Artifact) -> None:
        if service is None:
            raise RuntimeError("This runner has no artifact service.")
        await save(service, key, artifact)

    return Runs(key, ctx.invocation_id, model, workspace().store.results.save, keep)


def _files(key: SessionKey) -> tuple[list[tuple[Dataset, bytes]], list[Dataset]]:
    """The current dataset as CSV and the others that fit beside it, and those that don't."""
    place = workspace()
    newest = list(reversed(place.store.datasets.for_session(key)))
    datasets = [*newest[:1], *(d for d in newest[1:] if not d.source and d.state == "ready")]
    worker, files, left_out = place.pool.worker(key.session_id), [], []
    left = LIMIT_BYTES
    for dataset in datasets:
        try:
            csv = as_csv(worker, dataset, left)
        except TooLargeAsCsv as error:
            if dataset is datasets[0]:
                raise NotAtGoogle(
                    f"{dataset.file_name} has {error} as CSV, and Python at Google takes at most"
                    f" {LIMIT_BYTES / 1e6:g} MB."
                ) from error
            left_out.append(dataset)
            continue
        except AnalysisError as error:
            raise NotAtGoogle(str(error)) from error
        files.append((dataset, csv))
        left -= len(csv)
    return files, left_out


def _parts(files: list[tuple[Dataset, bytes]], left_out: list[Dataset]) -> list[types.Part]:
    parts = []
    for index, (dataset, csv) in enumerate(files):
        about = f"{FILE_NAME.format(index)}: dataset {dataset.name}, all {dataset.rows:,} rows"
        parts.append(types.Part(text=f"{about}, the current dataset." if index == 0 else f"{about}."))
        parts.append(types.Part(inline_data=types.Blob(data=csv, mime_type="text/csv")))
    if left_out:
        names = ", ".join(dataset.name for dataset in left_out)
        parts.append(types.Part(text=f"Too large to be here as a file: {names}."))
    return parts


def code_as_text(callback_context: CallbackContext, llm_request: LlmRequest) -> None:
    """Before a model call of any other agent: code that ran at Google earlier is told as plain text.

    Its own kinds of parts are understood only by a request that has code execution.
    """
    for content in llm_request.contents:
        if content.parts:
            content.parts = [_told(part) for part in content.parts]


def _told(part: types.Part) -> types.Part:
    if part.executable_code:
        return types.Part(text=f"```python\n{part.executable_code.code}\n```")
    if part.code_execution_result:
        return types.Part(text=f"It printed:\n```\n{part.code_execution_result.output or ''}\n```")
    return part

"""How every tool runs: in a thread, on the session's own worker, its result stored, errors as values."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from google.adk.tools.base_tool import BaseTool
from google.adk.tools.tool_context import ToolContext
from pydantic import BaseModel

from agents.artifacts import Artifact, csv_of
from agents.workspace import Workspace, workspace
from analysis.cleaning import Change
from analysis.conditions import Condition
from analysis.engine import Engine
from analysis.errors import AnalysisError
from analysis.present import to_model
from analysis.versions import undone, version_before
from storage.datasets import Datasets
from storage.errors import StorageError
from storage.keys import SessionKey
from storage.results import Result

logger = logging.getLogger(__name__)


class Filter(BaseModel):
    """One condition on a column."""

    column: str
    """Column name."""
    op: str = "equals"
    """equals, not_equals, greater_than, less_than, at_least, at_most, between, contains, starts_with,
    ends_with, in, not_in, is_missing or is_present."""
    value: str | float | bool | None = None
    """The value; a date as 2024, 2024-03 or 2024-03-05."""
    values: list[str | float] = []
    """Several values, for between (low, high), in and not_in."""


def conditions(filters: list[Filter] | None) -> list[Condition]:
    """Filters as the analyses take them; a model may have sent plain dictionaries."""
    found: list[Condition] = []
    for item in filters or []:
        given = item if isinstance(item, Filter) else Filter.model_validate(item)
        value = given.values if given.values else given.value
        found.append({"column": given.column, "op": given.op, "value": value})
    return found


def session_key(context: ToolContext) -> SessionKey:
    """The session that a tool was called in."""
    session = context.session
    return SessionKey(session.app_name, session.user_id, session.id)


async def run(context: ToolContext, analysis: Callable[[Engine], Result]) -> dict[str, Any]:
    """Runs the analysis and stores its result; returns what the model reads.

    An error comes back as {"status": "error", "kind", "message", "suggestions"}.
    """
    return await run_stored(context, lambda engine, _: analysis(engine))


async def run_stored(context: ToolContext, analysis: Callable[[Engine, Datasets], Result]) -> dict[str, Any]:
    """As `run`, for what looks at stored datasets besides those of the conversation."""
    return await _told(
        context, lambda place, key: analysis(_engine(place, key, context), place.store.datasets)
    )


async def change(context: ToolContext, step: Callable[[Engine, Datasets], Change]) -> dict[str, Any]:
    """Runs a step that makes a new version of a dataset, which takes the place of the one before."""

    def work(place: Workspace, key: SessionKey) -> Result:
        made = step(_engine(place, key, context), place.store.datasets)
        place.store.datasets.attach(key, made.dataset.id)
        return made.result

    return await _told(context, work)


async def restore(context: ToolContext, dataset: str) -> dict[str, Any]:
    """Makes the version before a dataset's last step current again."""

    def work(place: Workspace, key: SessionKey) -> Result:
        last = _engine(place, key, context).dataset(dataset)
        before = version_before(place.store.datasets, last)
        place.store.datasets.attach(key, before.id)
        return undone(_engine(place, key, context), before, str(last.step.get("text", "")))

    return await _told(context, work)


def _engine(place: Workspace, key: SessionKey, context: ToolContext) -> Engine:
    return Engine(
        place.pool.worker(key.session_id),
        place.store.datasets.for_session(key),
        key=key,
        invocation_id=context.invocation_id,
        progress=lambda part, text: place.progress(key, part, text),
        connections=place.connections,
    )


async def _told(context: ToolContext, work: Callable[[Workspace, SessionKey], Result]) -> dict[str, Any]:
    """Runs it in a thread, stores the result, and tells it as the model reads it."""
    place, key = workspace(), session_key(context)

    def stored() -> Result:
        result = work(place, key)
        place.store.results.save(result)
        return result

    try:
        result = await asyncio.to_thread(stored)
    except AnalysisError as error:
        return failure(error.kind, str(error), error.suggestions)
    answer = to_model(result)
    if problem := await keep_artifact(context, result):
        answer["notes"] = [*answer["notes"], problem]
    return answer


def failure(kind: str, message: str, suggestions: list[str] | None = None) -> dict[str, Any]:
    """An error as a value that the model can act on."""
    return {
        "status": "error", "kind": kind, "message": message, "suggestions": suggestions or [],
    }  # fmt: skip


async def keep_artifact(context: ToolContext, result: Result) -> str:
    """Saves the numbers as a CSV artifact, one more version each time; says when it could not."""
    return await keep(context, await asyncio.to_thread(csv_of, result))


async def keep(context: ToolContext, artifact: Artifact) -> str:
    """Saves one artifact; says when it could not."""
    try:
        await context.save_artifact(artifact.name, artifact.part())
    except (OSError, ValueError) as error:
        logger.warning("artifact %s was not saved: %s", artifact.name, error)
        return f"{artifact.what} could not be saved."
    return ""


def on_tool_error(
    tool: BaseTool, args: dict[str, Any], tool_context: ToolContext, error: Exception
) -> dict[str, Any]:
    """A bug or a lost store in a tool: logged whole, told plainly, and the turn goes on."""
    logger.error("tool %s failed with %s", tool.name, sorted(args), exc_info=error)
    if isinstance(error, StorageError):
        return failure("store_unavailable", str(error))
    if isinstance(error, (ValueError, TypeError)) and type(error).__name__ == "ValidationError":
        return failure("bad_arguments", "The arguments do not fit this tool; see its description.")
    return failure("internal", f"The tool {tool.name} failed. Try another way to the answer.")

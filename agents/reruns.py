"""Edit and run: a result's code, changed by the analyst, gives a new version beside the old one.

SQL runs as the tools run it, Python in the conversation's notebook. The model is told in the history.
"""

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from google.adk.events.event import Event
from google.adk.sessions.base_session_service import BaseSessionService, GetSessionConfig
from google.genai import types

from agents.artifacts import Artifact, csv_of
from agents.code_runs import parts_of, run_code, told
from agents.workspace import Workspace
from analysis.edited import edited, refused
from analysis.engine import Engine
from analysis.errors import AnalysisError
from analysis.present import shortened, to_model
from sandbox.errors import WorkerStopped
from storage.jsonsafe import to_json_safe
from storage.keys import SessionKey
from storage.results import Result
from storage.turns import TurnRecord

CODE_TO_MODEL = 6_000
Part = dict[str, Any]


@dataclass(frozen=True)
class Version:
    """What an edited code gave: the turn's new parts, files to keep, and how the model reads it."""

    parts: list[Part]
    artifacts: list[Artifact]
    told: dict[str, Any]


def part_of(record: TurnRecord, result_id: str) -> Part | None:
    """The turn's part that shows a result."""
    parts = (part for part in record.parts if part["kind"] == "result" and part["id"] == result_id)
    return next(parts, None)


def run_again(place: Workspace, record: TurnRecord, result: Result, code: str) -> Version:
    """Runs the edited code and stores what it gave, also when it failed; blocks.

    Raises WorkerStopped when somebody stopped it, IsolationMissing, StorageError.
    """
    part = part_of(record, result.id) or {}
    first = {"version_of": part.get("version_of") or part.get("run") or result.id}
    invocation_id = record.invocation_id or result.invocation_id
    if result.language == "sql":
        return _sql(place, result, code, invocation_id, first)
    run = run_code(
        place,
        record.key,
        code,
        invocation_id=invocation_id,
        title=result.title,
        parents=[result.id],
        limited=False,
    )
    answer = told(run, 1)
    answer.pop("attempts_left", None)
    return Version([part | first for part in parts_of(answer)], run.artifacts, answer)


def _sql(
    place: Workspace, result: Result, query: str, invocation_id: str, first: Mapping[str, Any]
) -> Version:
    key, began = result.key, time.perf_counter()
    datasets = place.store.datasets.for_session(key)
    worker, there = place.pool.worker(key.session_id), place.connections
    engine = Engine(worker, datasets, key=key, invocation_id=invocation_id, connections=there)
    try:
        made = edited(engine, result, query)
    except AnalysisError as error:
        if isinstance(error.__cause__, WorkerStopped):
            raise error.__cause__ from None
        made = refused(engine, result, query, error, began)
    place.store.results.save(made)
    part: Part = {"kind": "result", "id": made.id, **first}
    if made.status == "failed":
        return Version([part | {"failed": True}], [], {"status": "error"} | made.output["failure"])
    return Version([part], [csv_of(made)], to_model(made))


async def tell(
    sessions: BaseSessionService, key: SessionKey, author: str, result: Result, code: str, version: Version
) -> None:
    """Puts into the history what was run, so that the next question can be about it."""
    session = await sessions.get_session(
        app_name=key.app_name,
        user_id=key.user_id,
        session_id=key.session_id,
        config=GetSessionConfig(num_recent_events=0),
    )
    if session is None:
        return
    outcome = json.dumps(to_json_safe(version.told), ensure_ascii=False)
    text = (
        f"The user edited the code of the result {result.title!r} and ran it; both versions are shown."
        f"\n```{result.language}\n{shortened(code, CODE_TO_MODEL)}\n```\nIt gave: {outcome}"
    )
    event = Event(
        invocation_id=f"edit-{uuid.uuid4()}",
        author=author,
        content=types.Content(role="model", parts=[types.Part(text=text)]),
    )
    await sessions.append_event(session, event)

"""Whether the app can answer: each thing it depends on, asked, not assumed."""

import threading
import time
from collections.abc import Callable
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from agents.assistant import Assistant
from agents.settings import SettingsError
from api.context import Context, InContext
from api.errors import RETRY_SECONDS
from sandbox.errors import SandboxError
from storage.errors import StorageError

router = APIRouter(prefix="/health", tags=["health"])
WORKER = "health"
WORKER_SECONDS = 20.0
REMEMBERED_SECONDS = 10.0


class Dependency(BaseModel):
    """One thing that the app depends on."""

    ok: bool
    detail: str | None = Field(
        default=None, description="More, for who has a token or asks on localhost where none is set."
    )


class Health(BaseModel):
    """The state of the whole and of each part."""

    status: Literal["ok", "unavailable"]
    dependencies: dict[str, Dependency] = Field(description="By name: database, workers, model.")


class Live(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class WorkerCheck:
    """Starts a worker and runs a query, at most once in ten seconds, as anybody may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until = 0.0
        self._found = Dependency(ok=False)

    def __call__(self, assistant: Assistant) -> Dependency:
        """What was found now or shortly before."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._found = self._run(assistant)
                self._until = time.monotonic() + REMEMBERED_SECONDS
            return self._found

    def _run(self, assistant: Assistant) -> Dependency:
        worker = assistant.pool.worker(WORKER)
        try:
            worker.query("SELECT 1 AS one", {}, timeout=WORKER_SECONDS)
        except (SandboxError, OSError) as error:
            return Dependency(ok=False, detail=str(error))
        finally:
            worker.rest()
        return Dependency(ok=True, detail="A worker was started and answered.")


UNAVAILABLE: dict[int | str, dict[str, object]] = {
    503: {"model": Health, "description": "A part does not work."}
}


@router.get("/live", operation_id="isLive", summary="Whether the process answers")
def live() -> Live:
    """Always 200."""
    return Live()


@router.get("", operation_id="getHealth", summary="Whether all parts work", responses=UNAVAILABLE)
@router.get("/ready", operation_id="isReady", summary="Whether questions can be taken", responses=UNAVAILABLE)
def health(request: Request, response: Response, context: InContext) -> Health:
    """Names and states; needs no token, and shows no details then."""
    found = _dependencies(context, request.app.state.worker_check)
    ok = all(dependency.ok for dependency in found.values())
    if not ok:
        response.status_code = 503
        response.headers["Retry-After"] = str(RETRY_SECONDS)
    if not context.knows(request.scope):
        found = {name: Dependency(ok=dependency.ok) for name, dependency in found.items()}
    return Health(status="ok" if ok else "unavailable", dependencies=found)


def _dependencies(
    context: Context, check_workers: Callable[[Assistant], Dependency]
) -> dict[str, Dependency]:
    try:
        assistant = context.assistant()
    except (StorageError, SettingsError) as error:
        closed = Dependency(ok=False, detail="Not started, as the app could not be opened.")
        return {"database": Dependency(ok=False, detail=str(error)), "workers": closed, "model": closed}
    return {
        "database": _database(assistant),
        "workers": check_workers(assistant),
        "model": _model(assistant),
    }


def _database(assistant: Assistant) -> Dependency:
    database = assistant.store.database
    try:
        database.read(lambda c: c.execute("SELECT count(*) FROM schema_version").fetchone(), user=None)
    except StorageError as error:
        return Dependency(ok=False, detail=str(error))
    return Dependency(ok=True, detail=database.place)


def _model(assistant: Assistant) -> Dependency:
    if assistant.model_problem:
        return Dependency(ok=False, detail=assistant.model_problem)
    if assistant.model is None:
        return Dependency(ok=False, detail="It is being opened.")
    return Dependency(ok=True, detail=assistant.model.label)

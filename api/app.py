"""The API's application, mounted under /api on the server of the page."""

from collections.abc import Callable

from fastapi import FastAPI, Request
from starlette.responses import Response
from starlette.routing import compile_path

from agents.assistant import Assistant
from agents.settings import Settings
from api import (
    asking,
    chats,
    connections,
    copies,
    datasets,
    docs_page,
    errors,
    files,
    health,
    openapi,
    runs,
    uploads,
)
from api.context import Context
from api.gate import Gate
from api.health import WorkerCheck

VERSION = "1.0.0"
DESCRIPTION = """
Upload tables, ask questions of them, and get answers with the code and the data behind every number. A chat
here is a conversation of the page: both show the same.

Send `Authorization: Bearer <token>` with a token of `API_TOKEN` or `API_TOKENS`; on localhost, where none is
set, none is needed. Every chat, dataset and run belongs to one person; those of others do not exist for you.

Whatever goes wrong has the shape `{"error": {"kind", "message", "action", "details"}}`, also an unknown
address (404), a method that an address does not know (405), and a failure inside (500). Answers 429 and 503
have a header `Retry-After` in seconds. Times are ISO 8601 in UTC.
"""
TAGS = [
    {"name": "asking", "description": "Ask, and wait for the answer or follow it."},
    {"name": "chats", "description": "Conversations with their turns and results."},
    {"name": "datasets", "description": "Uploaded tables."},
    {"name": "connections", "description": "Tables of other engines, read where they are."},
    {"name": "uploads", "description": "Files that are sent in pieces, and resumed."},
    {"name": "runs", "description": "Answers that had to pass checks, and their totals."},
    {"name": "health", "description": "Whether the app works."},
]


def create_api(
    assistant: Callable[[], Assistant], settings: Callable[[], Settings], *, local: bool
) -> FastAPI:
    """The API on the process's assistant; `local` when the server listens on localhost only.

    `assistant` and `settings` are called when a request needs them; what they raise becomes an answer.
    """
    app = FastAPI(
        title="Data Analysis Assistant",
        version=VERSION,
        description=DESCRIPTION,
        openapi_tags=TAGS,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={
            "tracing": False,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
        },
    )
    app.state.context = context = Context(assistant, settings, local=local)
    app.state.worker_check = WorkerCheck()
    for part in (asking, chats, copies, files, datasets, connections, uploads, runs, health, docs_page):
        app.include_router(part.router)
    app.include_router(uploads.protocol)
    errors.install(app)
    app.add_exception_handler(405, _method_not_allowed)
    app.add_middleware(Gate, context=context)
    openapi.publish(app)
    return app


def _method_not_allowed(request: Request, _: Exception) -> Response:
    """Says all methods of the address, which FastAPI keeps apart."""
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    if allowed := uploads.methods(path):
        return errors.problem(errors.Refused(405, headers={"Allow": allowed}))
    documented = request.app.openapi()["paths"]
    templates = [path, *(template for template in documented if compile_path(template)[0].match(path))]
    operations = next((documented[template] for template in templates if template in documented), ["get"])
    methods = ", ".join(sorted(method.upper() for method in operations))
    return errors.problem(errors.Refused(405, headers={"Allow": methods}))

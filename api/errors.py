"""One shape for everything that goes wrong, whoever found it: this package, FastAPI, or what lies beneath.

`{"error": {"kind", "message", "action", "details"}}`: a word for programs, a sentence for people, what to do,
and where in the request it lies. What was not foreseen says nothing of the inside; the log has the traceback.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from agents.settings import SettingsError
from agents.turns import TurnRefused
from analysis.errors import AnalysisError
from storage.datasets import TooLarge
from storage.errors import InvalidExport, NotAllowed, NotFound, SessionExpired, StorageError
from storage.jsonsafe import clean_text
from storage.turns import TurnRunning
from storage.uploads import DiskFull, WrongOffset

RETRY_SECONDS = 5
LONGEST_PLACE = 200
KINDS = {
    401: ("unauthorized", "No valid token came with the request."),
    403: ("forbidden", "The request comes from another page or place than it may."),
    404: ("not_found", "It does not exist, or belongs to somebody else."),
    405: ("method_not_allowed", "This address does not know the method; Allow lists those it knows."),
    406: ("not_acceptable", "Accept admits none of the answer's media types."),
    409: ("conflict", "What is there does not allow it now."),
    410: ("expired", "The chat has expired; it can be read, renewed and deleted."),
    412: ("precondition_failed", "The request speaks another version of the protocol than this server."),
    413: ("too_large", "The body has more bytes than are taken."),
    415: ("unsupported_media_type", "The body's Content-Type is another than the one that is read."),
    422: ("invalid", "A value does not fit; details say which."),
    429: ("too_many_requests", "Too many requests in a minute; Retry-After says how many seconds to wait."),
    500: ("internal", "Something failed that should not; the server's log has the reason."),
    503: ("unavailable", "The store or the app cannot be used now; Retry-After says when to try again."),
    507: ("disk_full", "The file does not fit on the server's disk."),
}
ACTIONS = {
    401: "Send the header Authorization: Bearer <token>.",
    404: "Check the address, or list what there is.",
    405: "Use a method that the header Allow lists.",
    410: "Renew the chat with POST /chats/{chat_id}/renew.",
    413: "Send less; for files the limit is UPLOAD_LIMIT_MB.",
    422: "Correct the request and send it again.",
    500: "Try again; if it stays, look at the server's log.",
    503: "Try again in a few seconds.",
    507: "Make room on the server's disk, then go on where the upload stopped.",
}
WORDS = {"string_pattern_mismatch": "It must hold no NUL character, and something besides spaces."}


class Detail(BaseModel):
    """One thing that is wrong with a request."""

    where: str = Field(description="Place in the request.", examples=["body.title"])
    message: str = Field(description="What is wrong there.")


class ProblemBody(BaseModel):
    """What went wrong."""

    kind: str = Field(description="A word for programs.", examples=["not_found"])
    message: str = Field(description="A sentence for people.")
    action: str = Field(description="What to do about it.")
    details: list[Detail] = Field(description="Where in the request it lies; empty when nowhere.")


class Problem(BaseModel):
    """The body of every answer that is no success."""

    error: ProblemBody


class Refused(HTTPException):
    """A request that is not served; `message` and `action` are for the person who sent it."""

    def __init__(
        self,
        status: int,
        message: str = "",
        action: str = "",
        *,
        details: Sequence[Detail] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, message or KINDS[status][1], dict(headers or {}))
        self.action = action
        self.details = list(details)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What an operation's documentation says of these statuses."""
    described: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        kind, meaning = KINDS[status]
        error = ProblemBody(kind=kind, message=meaning, action=ACTIONS.get(status, ""), details=[])
        example = Problem(error=error).model_dump()
        described[status] = {
            "model": Problem,
            "description": meaning,
            "content": {"application/json": {"example": example}},
        }
        if status in (429, 503):
            seconds = {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}
            described[status]["headers"] = {"Retry-After": seconds}
    return described


def problem(refused: Refused) -> JSONResponse:
    """The answer that a refusal becomes."""
    status = refused.status_code
    error = ProblemBody(
        kind=KINDS[status][0],
        message=clean_text(refused.detail),
        action=refused.action or ACTIONS.get(status, ""),
        details=refused.details,
    )
    headers = dict(refused.headers or {})
    if status == 503:
        headers.setdefault("Retry-After", str(RETRY_SECONDS))
    return JSONResponse(Problem(error=error).model_dump(), status, headers)


@contextmanager
def refusing_values() -> Iterator[None]:
    """A ValueError inside is about a value of the request, and is said so."""
    try:
        yield
    except ValueError as error:
        raise Refused(422, str(error)) from error


def refusal(error: Exception) -> Refused:
    """What an error of the layers below means to the one who asked."""
    text = str(error)
    match error:
        case Refused():
            return error
        case TurnRefused():
            cause = error.__cause__
            return refusal(cause) if isinstance(cause, NotAllowed) else Refused(409, text)
        case NotFound():
            return Refused(404, text)
        case SessionExpired():
            return Refused(410, text)
        case NotAllowed() | TurnRunning():
            return Refused(409, text)
        case TooLarge():
            return Refused(413, text)
        case WrongOffset():
            return Refused(409, text, "Go on from there.", headers={"Upload-Offset": str(error.offset)})
        case DiskFull():
            return Refused(507, text)
        case InvalidExport() | AnalysisError():
            return Refused(422, text)
        case StorageError():
            return Refused(503, text)
        case SettingsError():
            return Refused(503, text, "Correct the setting and start the app again.")
        case RequestValidationError():
            return _invalid(error)
        case HTTPException():
            return _from_http(error)
        case _:
            return Refused(500)


def install(app: FastAPI) -> None:
    """Makes the app answer every foreseen error in the one shape."""
    kinds = (HTTPException, RequestValidationError, StorageError, SettingsError, TurnRefused, AnalysisError)
    for kind in kinds:
        app.add_exception_handler(kind, _answer)


def _answer(_: Request, error: Exception) -> JSONResponse:
    return problem(refusal(error))


def _from_http(error: HTTPException) -> Refused:
    # A body that is not what its Content-Type says.
    status = 422 if error.status_code == 400 else error.status_code
    status = status if status in KINDS else 500
    message = error.detail if status == 422 else ""
    return Refused(status, message, headers=error.headers)


def _invalid(error: RequestValidationError) -> Refused:
    details = []
    for found in error.errors():
        place = ".".join(str(step) for step in found["loc"])[:LONGEST_PLACE]
        message = WORDS.get(found["type"]) or str(found["msg"]).removeprefix("Value error, ")
        details.append(Detail(where=clean_text(place), message=clean_text(message)))
    return Refused(422, "; ".join(f"{d.where}: {d.message}" for d in details[:3]) or "", details=details)

"""The map of failures is complete, and says nothing raw."""

import importlib
import inspect
import json
import pkgutil
import ssl
from types import ModuleType
from typing import Any

import google.adk.errors
import google.auth.exceptions
import httpx
import openai
import pytest
from google.adk.agents.invocation_context import LlmCallsLimitExceededError
from google.genai import _api_client, _interactions_continuation, errors, types
from google.genai.errors import APIError, ClientError, ServerError

from agents import model_errors
from agents.model_error_codes import CLASSES, CODES, KEY_REASONS, KINDS, PLACE_REASONS, STATUS
from storage.errors import StoreUnavailable

ADK_ERRORS = [
    importlib.import_module(f"google.adk.errors.{found.name}")
    for found in pkgutil.iter_modules(google.adk.errors.__path__)
]
MODULES = [
    httpx, openai, openai._exceptions, errors, _api_client, _interactions_continuation,
    google.auth.exceptions, *ADK_ERRORS,
]  # fmt: skip
LIBRARIES = ("httpx", "openai", "genai", "google", "adk")
# The names of google.rpc.Code, which a service's error carries as its status.
RPC_CODES = [
    "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
    "PERMISSION_DENIED", "UNAUTHENTICATED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED",
    "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
]  # fmt: skip


def exceptions(module: ModuleType) -> set[type[BaseException]]:
    """The public exceptions that a module of these libraries has, warnings aside."""
    return {
        cls
        for name, cls in inspect.getmembers(module, inspect.isclass)
        if issubclass(cls, BaseException)
        and not issubclass(cls, Warning)
        and not name.startswith("_")
        and model_errors._library(cls) in LIBRARIES
    }


def row(cls: type[BaseException]) -> str:
    """How the table of classes calls an exception."""
    return f"{model_errors._library(cls)}.{cls.__name__}"


LISTED = set[type[BaseException]]().union(*(exceptions(module) for module in MODULES))
OF_STATUS: set[type[BaseException]] = {
    cls for cls in LISTED if issubclass(cls, (APIError, openai.APIStatusError))
}
BY_CLASS = sorted(LISTED - OF_STATUS, key=row)
BY_STATUS = sorted(OF_STATUS - exceptions(errors), key=row)


@pytest.mark.parametrize("reason", [r.value for r in types.FinishReason])
def test_every_finish_reason_is_mapped(reason: str) -> None:
    assert reason in CODES


@pytest.mark.parametrize("reason", [r.value for r in types.BlockedReason])
def test_every_block_reason_is_mapped(reason: str) -> None:
    assert reason in CODES


@pytest.mark.parametrize("code", RPC_CODES)
def test_every_status_name_is_mapped(code: str) -> None:
    assert model_errors.from_event(code).kind != "unknown"


@pytest.mark.parametrize("cls", BY_CLASS, ids=row)
def test_every_exception_has_its_row(cls: type[BaseException]) -> None:
    if not issubclass(cls, google.auth.exceptions.GoogleAuthError):
        assert row(cls) in CLASSES
    assert model_errors.from_exception(cls.__new__(cls)).kind not in ("unknown", "store")


def test_no_row_is_stale() -> None:
    others = {TimeoutError, ConnectionError, OSError, ssl.SSLError, json.JSONDecodeError}
    known = {row(cls) for cls in LISTED | others | {LlmCallsLimitExceededError}}
    assert {name for name in CLASSES if not name.startswith("aiohttp.")} <= known


@pytest.mark.parametrize("cls", BY_STATUS, ids=row)
def test_every_openai_status_is_mapped(cls: type[openai.APIStatusError]) -> None:
    error = cls.__new__(cls)
    error.status_code = getattr(cls, "status_code", 500)
    assert model_errors.from_exception(error).kind != "unknown"


@pytest.mark.parametrize("code", range(400, 600))
def test_every_http_status_of_gemini_is_mapped(code: int) -> None:
    assert model_errors.from_exception(gemini(code)).kind != "unknown"


def gemini(code: int, message: str = "x", *details: dict[str, Any]) -> APIError:
    """An error as the client raises it."""
    kind = ClientError if code < 500 else ServerError
    body = {"code": code, "message": message, "status": "Y", "details": list(details)}
    return kind(code, {"error": body})


def local(code: int, body: dict[str, Any], **headers: str) -> openai.APIStatusError:
    """An error of an OpenAI-compatible server, made the way its client makes it."""
    response = httpx.Response(
        code, headers=headers, json=body, request=httpx.Request("POST", "http://localhost/v1")
    )
    return openai.OpenAI(api_key="k")._make_status_error("x", body=body, response=response)


def test_limits_keys_and_connections() -> None:
    assert model_errors.from_exception(LlmCallsLimitExceededError("x")).kind == "limit"
    assert model_errors.from_exception(ValueError("No API key was provided")).kind == "bad_key"
    assert model_errors.from_exception(ConnectionRefusedError()).kind == "network"
    assert model_errors.from_exception(TimeoutError()).kind == "timeout"
    assert model_errors.from_exception(RuntimeError("odd")).kind == "unknown"


def test_a_cause_says_what_its_wrapper_does_not() -> None:
    wrapper = RuntimeError("the run failed")
    wrapper.__cause__ = gemini(503)
    assert model_errors.from_exception(wrapper).kind == "overloaded"
    wrapper.__cause__ = wrapper
    assert model_errors.from_exception(wrapper).kind == "unknown"


def test_the_store_says_itself_what_is_wrong() -> None:
    error = model_errors.from_exception(StoreUnavailable("The disk is full."))
    assert (error.kind, error.message) == ("store", "The disk is full.")


def test_a_library_that_is_not_installed_is_mapped_by_its_bases() -> None:
    base = type("ClientError", (Exception,), {"__module__": "aiohttp.client_exceptions"})
    odd = type("ClientOddError", (base, OSError), {"__module__": "aiohttp.client_exceptions"})
    late = type("ServerTimeoutError", (odd, TimeoutError), {"__module__": "aiohttp.client_exceptions"})
    assert [model_errors.from_exception(cls()).kind for cls in (odd, late)] == ["network", "timeout"]


@pytest.mark.parametrize("reason", sorted(KEY_REASONS))
def test_a_key_that_is_refused(reason: str) -> None:
    assert model_errors.from_exception(gemini(400, "x", {"reason": reason})).kind == "bad_key"


@pytest.mark.parametrize("reason", sorted(PLACE_REASONS))
def test_a_key_that_may_not_be_used_here(reason: str) -> None:
    error = model_errors.from_exception(gemini(403, "x", {"reason": reason}))
    assert error.kind == "forbidden" and "restrictions" in error.action


def test_a_place_that_is_not_served() -> None:
    error = model_errors.from_exception(gemini(400, "User location is not supported for the API use."))
    assert error.kind == "forbidden"


@pytest.mark.parametrize(
    ("delay", "seconds", "action"),
    [
        ("37s", 37, "Retry in 37 seconds."),
        ("34.07s", 34.07, "Retry in 35 seconds."),
        ("0s", 0, KINDS["quota"][1]),
        ("-3s", 0, KINDS["quota"][1]),
        ("nans", None, KINDS["quota"][1]),
        ("infs", None, KINDS["quota"][1]),
        ("soon", None, KINDS["quota"][1]),
    ],
)
def test_the_delay_of_a_429_is_told(delay: str, seconds: float | None, action: str) -> None:
    error = gemini(429, "x", {"retryDelay": delay})
    assert model_errors.retry_after(error) == seconds
    assert model_errors.from_exception(error).action == action


@pytest.mark.parametrize("details", [{}, {"violations": None}, {"violations": ["x"]}, {"violations": [{}]}])
def test_a_quota_that_is_not_of_the_day(details: dict[str, Any]) -> None:
    assert not model_errors.quota_of_the_day(gemini(429, "x", details))


def test_errors_of_openai_compatible_servers() -> None:
    waiting = model_errors.from_exception(local(429, {"code": "rate_limit"}, **{"retry-after": "30"}))
    assert (waiting.kind, waiting.action) == ("quota", "Retry in 30 seconds.")
    dated = {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}
    assert model_errors.from_exception(local(429, {}, **dated)).action == KINDS["quota"][1]
    assert "credit" in model_errors.from_exception(local(429, {"code": "insufficient_quota"})).action
    assert model_errors.from_exception(local(400, {"code": "context_length_exceeded"})).kind == "too_long"
    assert model_errors.from_exception(local(401, {})).kind == "bad_key"
    response = httpx.Response(200, request=httpx.Request("POST", "http://localhost/v1"))
    odd = openai.APIResponseValidationError(response, None)
    assert model_errors.from_exception(odd).kind == "unreadable"


def test_every_kind_has_a_message_and_advice() -> None:
    assert {*CODES.values(), *STATUS.values(), *CLASSES.values()} <= KINDS.keys()
    assert all(message.endswith(".") and advice.endswith(".") for message, advice in KINDS.values())

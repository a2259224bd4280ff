"""The map of failures is complete, and says nothing raw."""

from typing import Any

import httpx
import openai
import pytest
from google.adk.agents.invocation_context import LlmCallsLimitExceededError
from google.genai import types
from google.genai.errors import APIError, ClientError, ServerError

from agents import model_errors


def subclasses(base: type[Any]) -> set[type[Any]]:
    return {base}.union(*(subclasses(child) for child in base.__subclasses__()))


@pytest.mark.parametrize("reason", [r.value for r in types.FinishReason])
def test_every_finish_reason_is_mapped(reason: str) -> None:
    assert reason in model_errors.CODES


@pytest.mark.parametrize("reason", [r.value for r in types.BlockedReason])
def test_every_block_reason_is_mapped(reason: str) -> None:
    assert reason in model_errors.CODES


@pytest.mark.parametrize("kind", sorted(subclasses(httpx.HTTPError), key=str))
def test_every_httpx_error_is_mapped(kind: type[BaseException]) -> None:
    error = kind.__new__(kind)
    assert model_errors.from_exception(error).kind in ("network", "timeout")


@pytest.mark.parametrize("kind", sorted(subclasses(openai.APIStatusError) - {openai.APIStatusError}, key=str))
def test_every_openai_status_is_mapped(kind: type[openai.APIStatusError]) -> None:
    error = kind.__new__(kind)
    error.status_code = kind.__dict__.get("status_code", 500)
    assert model_errors.from_exception(error).kind != "unknown"


@pytest.mark.parametrize("code", range(400, 600))
def test_every_http_status_of_gemini_is_mapped(code: int) -> None:
    kind = ClientError if code < 500 else ServerError
    error = kind(code, {"error": {"code": code, "message": "x", "status": "Y"}})
    assert isinstance(error, APIError)
    assert model_errors.from_exception(error).kind != "unknown"


def test_limits_keys_and_connections() -> None:
    assert model_errors.from_exception(LlmCallsLimitExceededError("x")).kind == "limit"
    assert model_errors.from_exception(ValueError("No API key was provided")).kind == "bad_key"
    assert model_errors.from_exception(ConnectionRefusedError()).kind == "network"
    assert model_errors.from_exception(TimeoutError()).kind == "timeout"
    assert model_errors.from_exception(RuntimeError("odd")).kind == "unknown"


def test_every_kind_has_a_message_and_advice() -> None:
    kinds = {*model_errors.CODES.values(), *model_errors.STATUS.values(), "unknown", "overloaded", "network"}
    assert kinds <= model_errors.MESSAGES.keys() == model_errors.ADVICE.keys()

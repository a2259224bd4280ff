"""All that a model or the way to it can do wrong, as a few errors for people.

ADK yields a failure as an event and raises it as well; HTTP libraries raise exceptions of their own that
are no API errors. Everything is mapped here, and nothing else shows a provider's words to a person.
"""

import logging
from dataclasses import dataclass
from typing import Any

import httpx
from google.adk.agents.invocation_context import LlmCallsLimitExceededError
from google.genai.errors import APIError

logger = logging.getLogger(__name__)
ADVICE = {
    "bad_key": "Check the key, set a valid one and start the app again.",
    "forbidden": "Check that the key may use this model.",
    "unknown_model": "Set MODEL to a name this service offers.",
    "quota": "Wait a little, then retry.",
    "overloaded": "Wait a little, then retry.",
    "network": "Check the connection and the address of the model, then retry.",
    "timeout": "Retry, or ask for less at once.",
    "blocked": "Word the question differently.",
    "empty": "Retry, or word the question differently.",
    "too_long": "Ask for less at once, or start a new conversation.",
    "limit": "Ask for one thing at a time.",
    "bad_request": "Retry; if it happens again, start a new conversation.",
    "unknown": "Retry. The log of the app has the details.",
}
MESSAGES = {
    "bad_key": "The model's service refused the API key.",
    "forbidden": "The API key is not allowed to do this.",
    "unknown_model": "The model's service does not know this model.",
    "quota": "The quota of the API key is used up for now.",
    "overloaded": "The model's service is overloaded or failing.",
    "network": "The connection to the model broke or could not be made.",
    "timeout": "The answer took too long.",
    "blocked": "The model's service blocked the question or the answer.",
    "empty": "The model ended without an answer.",
    "too_long": "The answer or the conversation is longer than the model allows.",
    "limit": "The model did not come to an answer within the allowed number of steps.",
    "bad_request": "The model's service refused the request.",
    "unknown": "Something unexpected went wrong.",
}
# Finish reasons, block reasons and ADK's own codes, as they stand in an event's error_code.
CODES = {
    "SAFETY": "blocked",
    "RECITATION": "blocked",
    "LANGUAGE": "blocked",
    "BLOCKLIST": "blocked",
    "PROHIBITED_CONTENT": "blocked",
    "SPII": "blocked",
    "IMAGE_SAFETY": "blocked",
    "IMAGE_PROHIBITED_CONTENT": "blocked",
    "IMAGE_RECITATION": "blocked",
    "IMAGE_OTHER": "empty",
    "NO_IMAGE": "empty",
    "JAILBREAK": "blocked",
    "MODEL_ARMOR": "blocked",
    "BLOCKED_REASON_UNSPECIFIED": "blocked",
    "MAX_TOKENS": "too_long",
    "MALFORMED_FUNCTION_CALL": "empty",
    "MALFORMED_RESPONSE": "empty",
    "UNEXPECTED_TOOL_CALL": "empty",
    "TOO_MANY_TOOL_CALLS": "limit",
    "MISSING_THOUGHT_SIGNATURE": "bad_request",
    "OTHER": "empty",
    "FINISH_REASON_UNSPECIFIED": "empty",
    "STOP": "empty",
    "CONTINUATION": "too_long",
    "MODEL_RETURNED_NO_CONTENT": "empty",
    "LlmCallsLimitExceededError": "limit",
    "RESOURCE_EXHAUSTED": "quota",
    "UNAVAILABLE": "overloaded",
    "INTERNAL": "overloaded",
    "DEADLINE_EXCEEDED": "timeout",
    "INVALID_ARGUMENT": "bad_request",
    "FAILED_PRECONDITION": "bad_request",
    "UNAUTHENTICATED": "bad_key",
    "PERMISSION_DENIED": "forbidden",
    "NOT_FOUND": "unknown_model",
}
STATUS = {
    400: "bad_request", 401: "bad_key", 403: "forbidden", 404: "unknown_model", 408: "timeout",
    413: "too_long", 429: "quota", 504: "timeout",
}  # fmt: skip
KEY_REASONS = ("API_KEY_INVALID", "API_KEY_EXPIRED")


@dataclass(frozen=True)
class ModelError:
    """A failure in a person's words."""

    kind: str
    message: str
    action: str
    retry_after: float | None = None
    """Seconds, where the service said so."""

    def as_json(self) -> dict[str, Any]:
        """How a turn stores it."""
        return {"kind": self.kind, "message": self.message, "action": self.action}


def make(kind: str, retry_after: float | None = None) -> ModelError:
    """The error of one kind."""
    action = ADVICE[kind]
    if retry_after:
        action = f"Retry in {retry_after:g} seconds."
    return ModelError(kind, MESSAGES[kind], action, retry_after)


def from_event(code: str) -> ModelError:
    """An event's error_code. Raw messages of the service are left to the log."""
    return make(CODES.get(code, "unknown"))


def from_exception(error: BaseException) -> ModelError:
    """Whatever was raised while a model was asked."""
    for cause in _chain(error):
        kind, retry_after = _kind(cause)
        if kind is not None:
            return make(kind, retry_after)
    logger.error("unmapped failure of a turn", exc_info=error)
    return make("unknown")


def _chain(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in found:
        found.append(current)
        current = current.__cause__
    return found


def _kind(error: BaseException) -> tuple[str | None, float | None]:
    if isinstance(error, APIError):
        return _api_kind(error), _retry_after(error)
    if isinstance(error, LlmCallsLimitExceededError):
        return "limit", None
    if isinstance(error, (TimeoutError, httpx.TimeoutException)):
        return "timeout", None
    if isinstance(error, (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, ConnectionError)):
        return "network", None
    library = type(error).__module__.split(".")[0]
    if library == "openai":
        return _openai_kind(error), None
    if library == "aiohttp" or isinstance(error, OSError):
        return "network", None
    if isinstance(error, ValueError) and "API key" in str(error):
        return "bad_key", None
    return None, None


def _api_kind(error: APIError) -> str:
    reasons = {str(detail.get("reason")) for detail in _details(error)}
    text = str(error.message or "").lower()
    if reasons & set(KEY_REASONS) or "api key not valid" in text or "api key expired" in text:
        return "bad_key"
    if error.code == 400 and "token" in text and ("exceed" in text or "limit" in text):
        return "too_long"
    return _by_status(int(error.code or 0))


def _by_status(code: int) -> str:
    if code in STATUS:
        return STATUS[code]
    return "overloaded" if code >= 500 else "bad_request" if 400 <= code < 500 else "unknown"


def _retry_after(error: APIError) -> float | None:
    for detail in _details(error):
        delay = str(detail.get("retryDelay", ""))
        if delay.endswith("s"):
            try:
                return float(delay[:-1])
            except ValueError:
                return None
    return None


def _details(error: APIError) -> list[dict[str, Any]]:
    body = error.details if isinstance(error.details, dict) else {}
    inner = body.get("error", body)
    details = inner.get("details", []) if isinstance(inner, dict) else []
    return [detail for detail in details if isinstance(detail, dict)]


def _openai_kind(error: BaseException) -> str:
    name = type(error).__name__
    if "Timeout" in name:
        return "timeout"
    if "Connection" in name:
        return "network"
    if "LengthFinish" in name:
        return "too_long"
    if "ContentFilter" in name:
        return "blocked"
    code = getattr(error, "status_code", None)
    if code:
        return _by_status(int(code))
    return "bad_key" if "api_key" in str(error) else "unknown"

"""All that a model or the way to it can do wrong, as a few errors for people.

ADK yields a failure as an event and raises it as well; HTTP libraries raise exceptions of their own that
are no API errors. Everything is mapped here, and nothing else shows a provider's words to a person.
"""

import logging
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from google.genai.errors import APIError

from agents.model_error_codes import CLASSES, CODES, KEY_REASONS, KINDS, PLACE_REASONS, STATUS
from storage.errors import StorageError

logger = logging.getLogger(__name__)
DAY = "PerDay"


class NotAtGoogle(Exception):
    """Code cannot run at Google, for a reason found before the model was asked; the message says which."""


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
        return asdict(self)


def make(kind: str, retry_after: float | None = None, action: str = "") -> ModelError:
    """The error of one kind."""
    message, usual = KINDS[kind]
    if retry_after:
        usual = f"Retry in {math.ceil(retry_after)} seconds."
    return ModelError(kind, message, action or usual, retry_after)


def from_event(code: str) -> ModelError:
    """An event's error_code. Raw messages of the service are left to the log."""
    return make(CODES.get(code, "unknown"))


def from_exception(error: BaseException) -> ModelError:
    """Whatever was raised while a model was asked."""
    for cause in _chain(error):
        if (found := _mapped(cause)) is not None:
            return found
    logger.error("unmapped failure of a turn", exc_info=error)
    return make("unknown")


def retry_after(error: BaseException) -> float | None:
    """Seconds that the service asks to wait: Gemini's RetryInfo, or an HTTP Retry-After."""
    if isinstance(error, APIError):
        for detail in _details(error):
            if (seconds := _seconds(str(detail.get("retryDelay", "")).removesuffix("s"))) is not None:
                return seconds
        return None
    headers = getattr(getattr(error, "response", None), "headers", None)
    return _seconds(headers.get("retry-after", "")) if headers is not None else None


def quota_of_the_day(error: APIError) -> bool:
    """Whether a quota that is counted by the day is used up: no wait of seconds helps."""
    violations = [v for detail in _details(error) for v in detail.get("violations") or []]
    return any(DAY in str(v.get("quotaId", "")) for v in violations if isinstance(v, dict))


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__


def _mapped(error: BaseException) -> ModelError | None:
    if isinstance(error, APIError):
        return _gemini(error)
    if isinstance(error, StorageError):
        return ModelError("store", str(error), KINDS["store"][1])
    if isinstance(error, NotAtGoogle):
        return ModelError("not_at_google", str(error), KINDS["not_at_google"][1])
    status = getattr(error, "status_code", None)
    if isinstance(status, int) and status >= 400 and _library(type(error)) == "openai":
        return _openai(error, status)
    for cls in type(error).__mro__:
        kind = CLASSES.get(f"{_library(cls)}.{cls.__name__}")
        if kind is not None:
            return make(kind)
    if isinstance(error, ValueError) and "API key" in str(error):
        return make("bad_key")
    return None


def _library(cls: type[BaseException]) -> str:
    module = cls.__module__
    for name in ("google.genai", "google.adk"):
        if module.startswith(name):
            return name.removeprefix("google.")
    return module.split(".")[0]


def _gemini(error: APIError) -> ModelError:
    reasons = {str(detail.get("reason")) for detail in _details(error)}
    text = str(error.message or "").lower()
    code = int(error.code or 0)
    if reasons & KEY_REASONS or "api key not valid" in text or "api key expired" in text:
        return make("bad_key")
    if reasons & PLACE_REASONS or "location is not supported" in text:
        return make("forbidden", action="This key may not be used from here: check its restrictions.")
    if code == 400 and "token" in text and ("exceed" in text or "limit" in text):
        return make("too_long")
    if code == 429 and quota_of_the_day(error):
        return make("quota", action="The quota of the day is used up: go on tomorrow, or use another key.")
    return make(by_status(code), retry_after(error))


def _openai(error: BaseException, status: int) -> ModelError:
    code = str(getattr(error, "code", "") or "")
    if code == "context_length_exceeded":
        return make("too_long")
    if code == "insufficient_quota":
        return make("quota", action="The account has no credit left: add some, or use another key.")
    return make(by_status(status), retry_after(error))


def by_status(code: int) -> str:
    """The kind of an HTTP status."""
    if code in STATUS:
        return STATUS[code]
    return "overloaded" if code >= 500 else "bad_request" if 400 <= code < 500 else "unknown"


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _details(error: APIError) -> list[dict[str, Any]]:
    body = error.details if isinstance(error.details, dict) else {}
    inner = body.get("error", body)
    details = inner.get("details", []) if isinstance(inner, dict) else []
    return [detail for detail in details if isinstance(detail, dict)]

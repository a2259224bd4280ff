"""Gemini with patience: a passing fault is tried again a little, a short quota wait as long as is asked.

google-genai retries failing servers and connections itself, but not by the delay that a 429 names. A
delay longer than a person would sit through is an error at once, which says how long to wait; so is a
used-up quota of the day, whatever delay stands beside it.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from google.adk.models.google_llm import Gemini
from google.adk.models.llm_request import LlmRequest
from google.adk.models.llm_response import LlmResponse
from google.genai import types
from google.genai.errors import APIError
from pydantic import PrivateAttr, SecretStr
from typing_extensions import override

from agents.model_errors import quota_of_the_day, retry_after

ATTEMPTS = 3
FIRST_DELAY_SECONDS = 1.0
LONGEST_DELAY_SECONDS = 8.0
TOO_MANY_REQUESTS = 429
CSV = "text/csv"
FAILING = [408, 500, 502, 503, 504]


class PatientGemini(Gemini):
    """ADK's Gemini that waits out a short 429, and whose connections can be closed."""

    _asked: bool = PrivateAttr(default=False)

    @override
    async def generate_content_async(
        self, llm_request: LlmRequest, stream: bool = False
    ) -> AsyncGenerator[LlmResponse, None]:
        self._asked = True
        for attempt in range(1, ATTEMPTS + 1):
            said = False
            try:
                async with aclosing(super().generate_content_async(llm_request, stream)) as responses:
                    async for response in responses:
                        said = True
                        yield response
                return
            except APIError as error:
                delay = _delay(error, attempt)
                if said or delay is None:
                    raise
            await asyncio.sleep(delay)

    @override
    async def _preprocess_request(self, llm_request: LlmRequest) -> None:
        """ADK writes inline CSV into the prompt as text; code execution needs it as the file it is."""
        files = [
            (content, index, part)
            for content in (llm_request.contents if _runs_code(llm_request) else [])
            for index, part in enumerate(content.parts or [])
            if part.inline_data and part.inline_data.mime_type == CSV
        ]
        await super()._preprocess_request(llm_request)
        for content, index, part in files:
            if content.parts:
                content.parts[index] = part

    async def close(self) -> None:
        """Closes what the requests of this event loop left open; the loop cannot be ended well before."""
        if self._asked:
            await self.api_client.aio.aclose()


def _runs_code(llm_request: LlmRequest) -> bool:
    tools = llm_request.config.tools or []
    return any(isinstance(tool, types.Tool) and tool.code_execution for tool in tools)


def _delay(error: APIError, attempt: int) -> float | None:
    """Seconds to wait before another try; None when there shall be none."""
    if error.code != TOO_MANY_REQUESTS or attempt == ATTEMPTS or quota_of_the_day(error):
        return None
    asked = retry_after(error)
    delay = FIRST_DELAY_SECONDS * 2 ** (attempt - 1) if asked is None else asked
    return delay if delay <= LONGEST_DELAY_SECONDS else None


def open_gemini(name: str, *, key: SecretStr | None, base_url: str | None) -> PatientGemini:
    """The model by name; without a key, Vertex AI with the credentials of this machine."""
    return PatientGemini(
        model=name,
        base_url=base_url,
        client_kwargs={"api_key": key.get_secret_value()} if key else {"vertexai": True},
        retry_options=types.HttpRetryOptions(
            attempts=ATTEMPTS,
            initial_delay=FIRST_DELAY_SECONDS,
            max_delay=LONGEST_DELAY_SECONDS,
            http_status_codes=FAILING,
        ),
    )

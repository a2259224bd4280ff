"""A model request as the planner reads it: card, question, what was called since, what came before."""

import ast
import json
import re
from dataclasses import dataclass, field
from typing import Any

from google.adk.models.llm_request import LlmRequest
from google.genai import types

CARD = re.compile(r"<data_card>(\{.*\})</data_card>\s*$", re.DOTALL)
TOLD_CALL = re.compile(
    r"\[[\w-]+\] called tool `(\w+)` with parameters:\s*(?:<<<\w+>>>)?\s*(\{.*\})\s*(?:<<<\w+>>>)?\s*",
    re.DOTALL,
)
RETOLD = "For context:"
"""How ADK begins what it retells of another agent."""
Call = tuple[str, dict[str, Any]]


@dataclass
class Request:
    """What matters of one request."""

    card: dict[str, Any] = field(default_factory=dict)
    question: str = ""
    calls: list[Call] = field(default_factory=list)
    """Calls since the question, with `responses` in the same order."""
    responses: list[dict[str, Any]] = field(default_factory=list)
    earlier: list[Call] = field(default_factory=list)
    """Calls of the questions before, oldest first."""


def read(request: LlmRequest) -> Request:
    """Reads the contents in order; a new question begins a new list of calls."""
    found = Request()
    for content in request.contents:
        parts = content.parts or []
        retold = len(parts) > 1 and (parts[0].text or "").startswith(RETOLD)
        for part in parts:
            _part(found, content, part, retold=retold)
    return found


def _part(found: Request, content: types.Content, part: types.Part, *, retold: bool) -> None:
    if part.function_call and part.function_call.name:
        found.calls.append((part.function_call.name, dict(part.function_call.args or {})))
    elif part.function_response:
        found.responses.append(dict(part.function_response.response or {}))
    elif part.text and content.role == "user":
        card = _card(part.text)
        if card is not None:
            found.card = card
        elif retold:
            if told := TOLD_CALL.fullmatch(part.text):
                _told(found, told)
        else:
            found.earlier += found.calls
            found.question, found.calls, found.responses = part.text, [], []


def _card(text: str) -> dict[str, Any] | None:
    """The data card in a text; None for a question, also one that only looks like a card."""
    match = CARD.search(text)
    if match is None:
        return None
    try:
        card = json.loads(match[1])
    except ValueError:
        return None
    return card if isinstance(card, dict) and isinstance(card.get("datasets"), list) else None


def _told(found: Request, told: re.Match[str]) -> None:
    """A call of another agent, which ADK retells as text."""
    try:
        arguments = ast.literal_eval(told[2])
    except (ValueError, SyntaxError):
        return
    if isinstance(arguments, dict):
        found.earlier.append((told[1], arguments))

"""The problem as the model states it, with checks for any right answer, written before there is an answer."""

import ast
import json
import logging
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from google.adk.models.base_llm import BaseLlm
from google.adk.models.llm_request import LlmRequest
from google.genai import types

from analysis.checks import Check
from storage.jsonsafe import clean_text
from storage.session_states import DIFFICULTIES, TOPICS

logger = logging.getLogger(__name__)
PROMPT = Path(__file__).parent / "prompts" / "verification.md"
MAX_CHECKS = 6
MAX_CODE = 8_000
MAX_WORDS = 600
ANSWER = ("answer", "values", "figures")
"""Names under which a check finds the answer."""
FENCED = re.compile(r"```(?:json)?\s*\n(.*?)```", re.DOTALL)


class NoProblem(Exception):
    """The model wrote nothing that can be read as a problem with checks."""


@dataclass(frozen=True)
class Planned:
    """A check that the model wrote."""

    name: str
    statement: str
    independent: bool
    code: str

    def waiting(self, detail: str = "") -> Check:
        """The check before it ran, or one that could not run."""
        return Check(self.name, self.statement, self.independent, None, detail, self.code)


@dataclass(frozen=True)
class Problem:
    """What was asked, precisely, and how a right answer is known."""

    text: str
    topic: str | None = None
    difficulty: str | None = None
    checks: list[Planned] = field(default_factory=list)
    tokens: int = 0
    """What stating it took."""


async def state_problem(llm: BaseLlm, card: str, question: str, broken: list[Check] | None = None) -> Problem:
    """Asks the model, outside the conversation; `broken` are checks of its own that could not run.

    Raises NoProblem when its answer cannot be read, and whatever the model's library raises.
    """
    wanted = f"The question:\n{question}"
    if broken:
        told = "\n".join(f"- {check.name}: {check.detail}\n{check.code}" for check in broken)
        wanted += f"\n\nThese checks of yours could not be run. Write them again, corrected:\n{told}"
    request = LlmRequest(
        model=llm.model,
        contents=[types.Content(role="user", parts=[types.Part(text=card), types.Part(text=wanted)])],
        config=types.GenerateContentConfig(system_instruction=PROMPT.read_text()),
    )
    text, tokens = "", 0
    async for response in llm.generate_content_async(request):
        if response.error_code:
            raise NoProblem(f"{response.error_code}: {response.error_message or ''}")
        parts = (response.content.parts or []) if response.content else []
        text += "".join(part.text or "" for part in parts if not part.thought)
        tokens = (response.usage_metadata and response.usage_metadata.total_token_count) or tokens
    return replace(read_problem(text), tokens=tokens)


def read_problem(text: str) -> Problem:
    """Reads the JSON that the model was asked for, also inside a fence or between words. Raises NoProblem."""
    data = _json(text)
    described = _words(data.get("problem"))
    if not described:
        raise NoProblem("the problem is not stated")
    given = data.get("checks")
    items = [item for item in given if isinstance(item, dict)] if isinstance(given, list) else []
    checks: dict[str, Planned] = {}
    for item in items[:MAX_CHECKS]:
        name, code = _words(item.get("name")) or "check", clean_text(str(item.get("code") or ""))
        if code.strip() and len(code) <= MAX_CODE:
            name = name if name not in checks else f"{name} ({len(checks) + 1})"
            statement = _words(item.get("statement"))
            checks[name] = Planned(name, statement, item.get("independent") is True, code)
    topic, difficulty = data.get("topic"), data.get("difficulty")
    return Problem(
        described,
        topic if topic in TOPICS else None,
        difficulty if difficulty in DIFFICULTIES else None,
        list(checks.values()),
    )


def _json(text: str) -> dict[str, Any]:
    candidates = [text, *FENCED.findall(text), text[text.find("{") : text.rfind("}") + 1]]
    for candidate in candidates:
        try:
            data = json.loads(candidate)
        except (ValueError, RecursionError):
            continue
        if isinstance(data, dict):
            return data
    raise NoProblem("the answer is no JSON object")


def _words(value: Any) -> str:
    return " ".join(clean_text(value).split())[:MAX_WORDS] if isinstance(value, str) else ""


def unusable(code: str) -> str:
    """Why a check says nothing about the answer, by its own text; empty when it may."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return f"The check is no Python: {error}"
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    if any(node.id in ANSWER and not isinstance(node.ctx, ast.Load) for node in names):
        return "The check puts something else in the place of the answer."
    if not any(node.id in ANSWER for node in names):
        return "The check does not look at the answer."
    return ""

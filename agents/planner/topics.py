"""Forms of questions beyond the everyday ones, each kept in a module of its own.

A module has `understand(text, tokens, schema)`, which returns an intent, or None when the question is not
one of its forms, and `MAKERS`, which by tool makes sentences of what the tool returned.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

TOPICS: list[ModuleType] = []


def maker_of(tool: str) -> Callable[[dict[str, Any], dict[str, Any]], str] | None:
    """What makes the sentences of an answer of this tool, if a topic does."""
    return next((topic.MAKERS[tool] for topic in TOPICS if tool in topic.MAKERS), None)

"""Forms of questions beyond the everyday ones, each kept in a module of its own."""

from collections.abc import Callable
from typing import Any, Protocol

from agents.planner.intent import Intent
from agents.planner.schema import Schema

Maker = Callable[[dict[str, Any], dict[str, Any]], str]


class Topic(Protocol):
    """A module of question forms."""

    MAKERS: dict[str, Maker]
    """By tool: makes sentences of its arguments and of what it returned."""

    def understand(self, text: str, tokens: list[str], schema: Schema) -> Intent | None:
        """The intent; None when the question is not one of its forms."""


TOPICS: list[Topic] = []


def maker_of(tool: str) -> Maker | None:
    """What makes the sentences of an answer of this tool, if a topic does."""
    return next((topic.MAKERS[tool] for topic in TOPICS if tool in topic.MAKERS), None)

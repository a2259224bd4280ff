"""Forms of questions beyond the everyday ones, each kept in a module of its own."""

from typing import Protocol

from agents.planner import (
    topic_cleaning,
    topic_drivers,
    topic_groups,
    topic_learning,
    topic_series,
    topic_statistics,
)
from agents.planner.intent import Intent, Maker
from agents.planner.schema import Schema


class Topic(Protocol):
    """A module of question forms."""

    MAKERS: dict[str, Maker]
    """By tool: makes sentences of its arguments and of what it returned."""

    def understand(self, text: str, tokens: list[str], schema: Schema) -> Intent | None:
        """The intent; None when the question is not one of its forms."""


TOPICS: list[Topic] = [
    topic_cleaning, topic_learning, topic_groups, topic_drivers, topic_series, topic_statistics,
]  # fmt: skip


def of_topic(text: str, tokens: list[str], schema: Schema) -> Intent | None:
    """The intent of the first topic that has a form for the question."""
    intents = (topic.understand(text, tokens, schema) for topic in TOPICS)
    return next((intent for intent in intents if intent is not None), None)


def maker_of(tool: str) -> Maker | None:
    """What makes the sentences of an answer of this tool, if a topic does."""
    return next((topic.MAKERS[tool] for topic in TOPICS if tool in topic.MAKERS), None)

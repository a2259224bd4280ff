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
from agents.planner.which import choose


class Topic(Protocol):
    """A module of question forms."""

    MAKERS: dict[str, Maker]
    """By tool: makes sentences of its arguments and of what it returned."""

    def understand(self, text: str, tokens: list[str], schema: Schema) -> Intent | None:
        """The intent; None when the question is not one of its forms."""


OF_NO_TABLE = ("list_models",)
TOPICS: list[Topic] = [
    topic_cleaning, topic_learning, topic_groups, topic_drivers, topic_series, topic_statistics,
]  # fmt: skip


def of_topic(text: str, tokens: list[str], schema: Schema) -> Intent | None:
    """The intent of the first topic that has a form for the question, on the table that has its columns."""
    if (change := topic_cleaning.understand(text, tokens, schema)) is not None:
        return change
    place = choose(tokens, schema)
    on = schema if isinstance(place, Intent) else place
    found = (topic.understand(text, tokens, on) for topic in TOPICS if topic is not topic_cleaning)
    intent = next((intent for intent in found if intent is not None), None)
    if intent is None:
        return None
    if isinstance(place, Intent):
        return place
    if intent.tool not in ("", *OF_NO_TABLE) and place.name != schema.name:
        intent.arguments.setdefault("dataset", place.name)
    return intent


def maker_of(tool: str) -> Maker | None:
    """What makes the sentences of an answer of this tool, if a topic does."""
    return next((topic.MAKERS[tool] for topic in TOPICS if tool in topic.MAKERS), None)

"""What the question forms beyond the everyday ones share: the words that give them away are taken out, and
the rest is read as usual."""

import re
from dataclasses import dataclass
from typing import Any

from agents.planner.help import unknown_words
from agents.planner.intent import Intent, ask
from agents.planner.parse import dissect
from agents.planner.parts import Parts, unclear
from agents.planner.schema import Column, Schema, is_rate
from agents.planner.tokens import stems, words
from agents.planner.which import choose

SPACES = re.compile(r"\s+")
INTERVALS = ("year", "quarter", "month", "week", "day", "hour")


@dataclass(frozen=True)
class Rest:
    """A question without the words of its form, and the dataset that it is about."""

    parts: Parts
    schema: Schema
    other: str
    """The dataset's name where it is not the current one."""
    back: Intent | None = None
    """What is asked back, or done first, because several tables could be meant or are needed."""

    def problem(self) -> Intent | None:
        """A question back for what is ambiguous or unknown."""
        if again := self.back or unclear(self.parts):
            return again
        return ask(unknown_words(self.parts.unknown, self.schema)) if self.parts.unknown else None

    def columns(self) -> list[Column]:
        """Every column that is spoken of: a yes-or-no column alone is read as a filter otherwise."""
        parts = self.parts
        flags = [w["column"] for w in parts.where if w.get("value") is True]
        flagged = [c for c in self.schema.columns if c.name in flags]
        said = [m.column for m in self.schema.mentions(stems(parts.text))]
        found = list(dict.fromkeys([*parts.measures, *parts.by, *parts.others, *flagged]))
        return sorted(found, key=lambda c: said.index(c) if c in said else len(said))

    def filters(self) -> list[dict[str, Any]]:
        """The conditions without those that only name a yes-or-no column."""
        return [w for w in self.parts.where if w.get("value") is not True]

    def intent(self, tool: str, **arguments: Any) -> Intent:
        """The call, with the question's filter, dataset and notes."""
        arguments = {"where": self.parts.where} | arguments
        given = {name: value for name, value in arguments.items() if value not in (None, "", [], 0)}
        if self.other:
            given["dataset"] = self.other
        return Intent(tool, given, look_up=self.parts.look_up, notes=list(self.parts.notes))


def read(text: str, schema: Schema) -> Rest:
    """The text as the everyday forms read it."""
    place = choose(stems(text), schema)
    if isinstance(place, Intent):
        return Rest(dissect(text, schema), schema, "", place)
    return Rest(dissect(text, place), place, place.name if place.name != schema.name else "")


def squeezed(text: str) -> str:
    """The question on one line, in lower case, without its mark at the end."""
    return SPACES.sub(" ", text.strip().rstrip("?.!")).lower()


def original(text: str, lowered: str) -> str:
    """A part of `squeezed(text)` with the letters that it had."""
    plain = SPACES.sub(" ", text.strip().rstrip("?.!"))
    place = plain.lower().find(lowered)
    return plain[place : place + len(lowered)] if place >= 0 else lowered


def exact(schema: Schema, text: str) -> list[Column]:
    """Columns that a text names by their whole names, in order."""
    found = [m.column for m in schema.mentions(stems(text)) if m.exact and len(m.columns) == 1]
    return list(dict.fromkeys(found))


def names_column(schema: Schema, text: str) -> bool:
    """Whether a text lies in the name of a column, so that it gives no form away."""
    wanted = set(words(text))
    return any(wanted <= set(words(column.name)) for column in schema.columns)


def aggregate_of(measure: Column | None, parts: Parts) -> str:
    """How a measure is added up over time: as asked, else rates by their mean and the rest by their sum."""
    asked = [name for name in parts.aggregates if name != "count" or measure is None]
    if asked or measure is None:
        return asked[0] if asked and measure is not None else ""
    return "mean" if is_rate(measure) else "sum"


def listed(names: list[str]) -> str:
    """Names in a sentence."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"

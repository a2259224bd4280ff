"""What a question says, piece by piece, as it is taken out of the tokens."""

from dataclasses import dataclass, field
from typing import Any

from agents.planner import lexicon as lex
from agents.planner.intent import Intent, ask
from agents.planner.schema import Column, Mention, Schema
from agents.planner.tokens import has

Condition = dict[str, Any]
GONE = "\x00"


@dataclass
class Parts:
    """What a question says, piece by piece."""

    schema: Schema
    tokens: list[str]
    text: str
    where: list[Condition] = field(default_factory=list)
    by: list[Column] = field(default_factory=list)
    measures: list[Column] = field(default_factory=list)
    others: list[Column] = field(default_factory=list)
    """Columns that are spoken of and are no numbers."""
    aggregates: list[str] = field(default_factory=list)
    interval: str = ""
    limit: int = 0
    order: str = ""
    order_by: Column | None = None
    """What "oldest" or "cheapest" sorts by."""
    chart: str = ""
    look_up: str = ""
    notes: list[str] = field(default_factory=list)
    unclear: list[Mention] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    """Words that no rule knows."""
    problem: str = ""
    """A question back about a filter that could not be placed; it is never dropped in silence."""

    @property
    def aggregating(self) -> bool:
        """Whether a number is asked for: "total", "average"; a count takes no column."""
        named = [phrase for name, listed in lex.AGGREGATES.items() if name != "count" for phrase in listed]
        return has(self.tokens, named)

    def drop(self, start: int, end: int) -> None:
        """Takes tokens out."""
        self.tokens[start:end] = [GONE] * (end - start)


def unclear(parts: Parts) -> Intent | None:
    """A question back for a filter without a column, or the first column that could be several."""
    if parts.problem:
        return ask(parts.problem)
    for mention in parts.unclear:
        if not mention.columns:
            columns = ", ".join(c.name for c in parts.schema.columns[:12])
            return ask(f'There is no column "{mention.words}". The columns are: {columns}.')
        names = list(dict.fromkeys(c.name for c in mention.columns))
        listed = ", ".join(names[:-1]) + f" or {names[-1]}" if len(names) > 1 else names[0]
        return ask(f'Which column do you mean by "{mention.words}": {listed}?')
    return None


def how_many(token: str) -> int:
    return int(token) if token.isdigit() else lex.NUMBER_WORDS.get(token, 0)

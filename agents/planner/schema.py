"""The data card as the planner uses it: columns with their words, found in a question's tokens."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from rapidfuzz.distance import OSA

from agents.planner.lexicon import ADJECTIVES, ALIASES, KNOWN, ROW_WORDS, SHORT_WORDS, STOP, SYNONYMS
from agents.planner.tokens import stems
from storage.datasets import ColumnInfo

SLIP_LETTERS = 4
SHORTEST = 3
LONG_WORD = 8
MAIN_WORDS = ("revenue", "sale", "amount", "total", "profit", "cost", "price", "value", "salary")
RATES = {
    "rating", "score", "price", "temperature", "temp", "age", "rate", "percent", "ratio", "humidity",
    "pressure", "discount", "speed", "voltage", "level", "index", "year", "bmi", "height", "weight",
}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """One column of the card."""

    name: str
    kind: str
    distinct: int = 0
    values: tuple[Any, ...] = ()
    low: Any = None
    high: Any = None
    missing: int = 0

    @cached_property
    def stems(self) -> list[str]:
        """The words of the name."""
        return stems(self.name)

    @property
    def numeric(self) -> bool:
        """Whether it holds numbers."""
        return self.kind in ("integer", "number")

    @property
    def info(self) -> ColumnInfo:
        """The column as the analyses know it."""
        return ColumnInfo(self.name, "", self.kind, distinct=self.distinct, min=self.low, max=self.high)

    @property
    def timed(self) -> bool:
        """Whether it holds dates."""
        return self.kind in ("date", "datetime")


def is_rate(column: Column) -> bool:
    """Whether adding the column up makes no sense, by its name: ratings, prices, temperatures, ages."""
    return bool(RATES & set(column.stems))


def _abbreviates(a: str, b: str) -> bool:
    short, long = sorted((a, b), key=len)
    known = len(short) >= SHORTEST and short not in SHORT_WORDS and short not in STOP
    return known and long.startswith(short) and len(long) - len(short) > 1


@dataclass(frozen=True)
class Mention:
    """Where a question speaks of a column: tokens from `start` to `end`; several when ambiguous."""

    start: int
    end: int
    columns: tuple[Column, ...]
    words: str
    exact: bool

    @property
    def column(self) -> Column:
        """The column, or the first of the candidates."""
        return self.columns[0]


@dataclass(frozen=True)
class Schema:
    """The dataset that questions are about."""

    name: str
    rows: int
    columns: list[Column]
    others: list["Schema"] = field(default_factory=list)
    file: str = ""
    joins: list[dict[str, Any]] = field(default_factory=list)
    """Proposed joins of the conversation's tables: left, right, left_on, right_on."""
    version: int = 1

    @classmethod
    def from_card(cls, card: dict[str, Any]) -> "Schema | None":
        """The current dataset of a card; None when there is no data."""
        made = [cls._dataset(item) for item in card.get("datasets", [])]
        current = next((s for s in made if s.name == card.get("current")), None)
        if current is None:
            return None
        others = [s for s in made if s is not current]
        return replace(current, others=others, joins=list(card.get("joins", [])))

    @classmethod
    def _dataset(cls, item: dict[str, Any]) -> "Schema":
        columns = [
            Column(
                name=c["name"],
                kind=c["kind"],
                distinct=c.get("distinct", 0),
                values=tuple(c.get("values", [])),
                low=c.get("min"),
                high=c.get("max"),
                missing=c.get("missing", 0),
            )
            for c in item["columns"]
        ]
        return cls(
            item["name"], item["rows"], columns, [], item.get("file", ""), version=item.get("version", 1)
        )

    @property
    def measures(self) -> list[Column]:
        """Number columns that are no identifiers."""
        return [c for c in self.columns if c.numeric and not self.is_identifier(c)]

    @property
    def main_measure(self) -> Column | None:
        """The number that questions are most likely about: money first, else the first one."""
        ranked = [c for word in MAIN_WORDS for c in self.measures if word in c.stems]
        return next(iter([*ranked, *self.measures]), None)

    @property
    def groups(self) -> list[Column]:
        """Columns with few enough values to group by."""
        return [c for c in self.columns if c.kind in ("text", "boolean") and 1 < c.distinct <= 50]

    @property
    def dates(self) -> list[Column]:
        """Date columns."""
        return [c for c in self.columns if c.timed]

    def meant_by(self, word: str) -> list[Column]:
        """The columns that an adjective is about: "older" the age, "newest" the date."""
        wanted = ADJECTIVES.get(word, ())
        if "date" in wanted and self.dates:
            return self.dates
        return [c for c in self.columns if set(wanted) & set(c.stems) and not self.is_identifier(c)]

    def is_identifier(self, column: Column) -> bool:
        """Whether a column only names rows."""
        unique = self.rows > 20 and column.distinct == self.rows
        return column.kind == "integer" and (column.stems[-1:] == ["id"] or unique)

    def mentions(self, tokens: list[str]) -> list[Mention]:
        """Columns that the tokens speak of, left to right, without overlap.

        Whole names first (the longest), then a part that is in the name, a synonym, a misspelling.
        """
        found: list[Mention] = []
        taken: set[int] = set()
        named = sorted(self.columns, key=lambda c: -len(c.stems))
        for column in named:
            size = len(column.stems)
            for start in range(len(tokens) - size + 1):
                span = range(start, start + size)
                if size and tokens[start : start + size] == column.stems and not taken & set(span):
                    taken |= set(span)
                    same = [c for c in self.columns if c.stems == column.stems]
                    text = " ".join(tokens[start : start + size])
                    found.append(Mention(start, start + size, tuple(same), text, exact=True))
        for index, token in enumerate(tokens):
            if index not in taken and token not in STOP and not token[0].isdigit():
                candidates = (
                    self._partial(token) or self._synonym(token) or self._short(token) or self._slip(token)
                )
                if candidates:
                    found.append(Mention(index, index + 1, tuple(candidates), token, exact=False))
        return sorted(found, key=lambda m: m.start)

    def _partial(self, token: str) -> list[Column]:
        return [c for c in self.columns if token in c.stems and len(token) > 2]

    def _synonym(self, token: str) -> list[Column]:
        meant = [word for word, others in SYNONYMS.items() if token in others]
        return [c for c in self.columns if any(word in c.stems for word in meant)][:4]

    def _short(self, token: str) -> list[Column]:
        """Abbreviated names and abbreviating words: "departure" for dep_delay, "hum" for humidity."""
        if token in ROW_WORDS or token in KNOWN or len(token) < SHORTEST:
            return []
        return [c for c in self.columns if any(_abbreviates(token, word) for word in c.stems)]

    def _slip(self, token: str) -> list[Column]:
        """Columns with a word one slip away (two from eight letters on); a swap of two is one slip."""
        if len(token) < SLIP_LETTERS:
            return []
        allowed = 1 if len(token) < LONG_WORD else 2
        near = [
            (min(OSA.distance(token, word) for word in [*c.stems, "".join(c.stems)]), c) for c in self.columns
        ]
        best = min((distance for distance, _ in near), default=99)
        return [c for distance, c in near if distance == best] if best <= allowed else []

    def value_matches(self, tokens: list[str]) -> list[tuple[int, int, Column, Any]]:
        """(start, end, column, value) of the card's values in the tokens, the longest first."""
        found: list[tuple[int, int, Column, Any]] = []
        taken: set[int] = set()
        listed = [(stems(str(v)), c, v) for c in self.columns if c.kind == "text" for v in c.values]
        listed += [([a], c, v) for s, c, v in listed for a in ALIASES.get(" ".join(s), ()) if len(a) > 1]
        for value_stems, column, value in sorted(listed, key=lambda item: -len(item[0])):
            size = len(value_stems)
            for start in range(len(tokens) - size + 1):
                span = set(range(start, start + size))
                if size and tokens[start : start + size] == value_stems and not taken & span:
                    if size == 1 and (value_stems[0] in STOP or len(value_stems[0]) < 2):
                        continue
                    taken |= span
                    found.append((start, start + size, column, value))
        return found

"""Questions worth asking of a table, in plain words, from its own columns."""

import re

from analysis.measures import date_columns, is_identifier, numeric_columns
from storage.datasets import ColumnInfo, Dataset

MIN_QUESTIONS, MAX_QUESTIONS = 4, 6
GROUPS_BETWEEN = (2, 30)
RATE_WORDS = {
    "rating", "score", "price", "temperature", "temp", "age", "rate", "percent", "ratio", "humidity",
    "pressure", "discount", "speed", "level", "index", "year", "height", "weight", "length", "width",
}  # fmt: skip
MEASURE_WORDS = ("revenue", "sales", "amount", "total", "price", "cost", "profit", "value", "salary")


def suggest(dataset: Dataset) -> list[str]:
    """Up to six questions that the tools can answer, the most telling first."""
    measures = sorted(numeric_columns(dataset), key=lambda c: _measure_rank(c, dataset))
    groups = sorted(_groups(dataset), key=lambda c: abs(c.distinct - 5))
    dates = date_columns(dataset)
    questions: list[str] = []
    main = measures[0].name if measures else ""
    over_time = f"average {main}" if is_rate(main) else main or "number of rows"
    if main and groups:
        questions.append(f"{'average' if is_rate(main) else 'total'} {main} by {groups[0].name}")
    elif groups:
        questions.append(f"number of rows by {groups[0].name}")
    if dates:
        questions.append(f"{over_time} over time by month as a line chart")
    if main and len(groups) > 1:
        questions.append(_comparison(main, _fewest(groups[1:])))
    if len(measures) > 1:
        questions.append(f"correlation between {measures[1].name} and {main}")
    if main:
        questions.append(f"distribution of {main}")
    if any(column.missing for column in dataset.columns):
        questions.append("missing values")
    questions.append("summary of the data")
    questions += [f"describe {c.name}" for c in dataset.columns[: max(0, MIN_QUESTIONS - len(questions))]]
    return questions[:MAX_QUESTIONS]


def _comparison(measure: str, group: ColumnInfo) -> str:
    """Two groups by their names, more by their column."""
    plain = group.kind == "text" and group.distinct == 2 == len(group.values)
    if plain and all(re.fullmatch(r"[A-Za-z][\w -]*", str(value)) for value in group.values):
        first, second = sorted(map(str, group.values))
        return f"compare {measure} between {first} and {second}"
    return f"compare {measure} by {group.name}"


def is_rate(name: str) -> bool:
    """Whether adding the column up makes no sense, by its name."""
    words = name.lower().replace("_", " ").split()
    return any(word.removesuffix("s") in RATE_WORDS for word in words)


def _groups(dataset: Dataset) -> list[ColumnInfo]:
    low, high = GROUPS_BETWEEN
    return [
        c
        for c in dataset.columns
        if c.kind in ("text", "boolean") and low <= c.distinct <= high and not is_identifier(c, dataset.rows)
    ]


def _fewest(groups: list[ColumnInfo]) -> ColumnInfo:
    return min(groups, key=lambda c: c.distinct)


def _measure_rank(column: ColumnInfo, dataset: Dataset) -> tuple[int, int]:
    """Money and amounts before other numbers; many different values before few."""
    words = column.name.lower().replace("_", " ").split()
    rank = min((MEASURE_WORDS.index(w) for w in words if w in MEASURE_WORDS), default=99)
    return rank, -column.distinct

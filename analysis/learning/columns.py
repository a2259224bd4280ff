"""Which columns a model takes, as what, and which ones it leaves out and why."""

from collections.abc import Sequence

from analysis.engine import Engine
from analysis.errors import UnknownOption
from analysis.measures import is_identifier
from storage.datasets import ColumnInfo, Dataset

MAX_FEATURES = 60
MAX_LEVELS = 100
NUMBERS = ("integer", "number")
KINDS = {"date": "date", "datetime": "date", "text": "words", "boolean": "words"}
Feature = dict[str, str]


def feature_of(column: ColumnInfo) -> Feature:
    """How programs take a column: number, words or date."""
    kind = "number" if column.kind in NUMBERS else KINDS.get(column.kind, "words")
    return {"name": column.name, "kind": kind}


def choose_features(
    engine: Engine, data: Dataset, target: ColumnInfo, names: Sequence[str]
) -> tuple[list[ColumnInfo], list[str]]:
    """The columns of `names`, or all that can say something, and what is said of those left out.

    Raises UnknownColumn, and UnknownOption when nothing is left.
    """
    if names:
        found = [engine.column(data, name) for name in names]
        kept = list({c.name: c for c in found if c.name != target.name}.values())
        if not kept:
            raise UnknownOption(f"Name other columns than {target.name} to predict it from.")
        return kept[:MAX_FEATURES], []
    kept, left = [], []
    for column in data.columns:
        reason = "" if column.name == target.name else _useless(column, data.rows)
        if reason:
            left.append(f"{column.name} ({reason})")
        elif column.name != target.name:
            kept.append(column)
    if not kept:
        raise UnknownOption(f"No other column can say anything about {target.name}.")
    notes = [f"Not used: {', '.join(left)}."] if left else []
    if len(kept) > MAX_FEATURES:
        notes.append(f"The first {MAX_FEATURES} of {len(kept)} columns are used.")
    return kept[:MAX_FEATURES], notes


def choose_numbers(engine: Engine, data: Dataset, names: Sequence[str], what: str) -> list[ColumnInfo]:
    """The number columns of `names`, or all that measure something. Raises UnknownOption without any."""
    found = [engine.column(data, name) for name in names] or [
        c for c in data.columns if c.kind in NUMBERS and not is_identifier(c, data.rows)
    ]
    wrong = [c.name for c in found if c.kind not in (*NUMBERS, "boolean")]
    if wrong:
        raise UnknownOption(f"{what} is by numbers, and {', '.join(wrong)} holds none.")
    kept = list({c.name: c for c in found if c.distinct > 1}.values())
    if not kept:
        raise UnknownOption(f"There is no column of numbers that vary for {what.lower()}.")
    return kept[:MAX_FEATURES]


def _useless(column: ColumnInfo, rows: int) -> str:
    """Why a column says nothing: it never varies, only names rows, or is of no kind that models take."""
    if column.distinct < 2:
        return "it never varies"
    if is_identifier(column, rows):
        return "it only names rows"
    if column.kind == "text" and column.distinct > max(MAX_LEVELS, rows // 20):
        return f"{column.distinct:,} different texts"
    if column.kind not in (*NUMBERS, *KINDS):
        return f"of kind {column.kind}"
    return ""

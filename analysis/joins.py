"""Which columns could join two tables, judged by names, types, uniqueness and shared values.

How many values two columns share is told by the smallest hashes of each, which the profiles keep; what a
join would do to the rows is counted on all of them only when somebody asks (`analysis.joining`).
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import Any

from rapidfuzz import fuzz

from analysis.engine import Engine
from analysis.profiling import Profile
from sandbox.engine import quoted
from storage.datasets import ColumnInfo, Dataset

KEY_KINDS = ("integer", "text")
PLAIN_NAMES = {"id", "key", "name", "code", "no", "nr", "number", "date", "type", "value", "index", "row"}
KEY_WORDS = {"id", "key", "code", "no", "nr", "number"}
SAME, ALIKE = 1.0, 0.6
MANY_LESS = 0.5
NAMES_ALIKE = 82
LEAST_HASHES = 8
SHARED, SHARED_BY_TEXT, BARELY = 0.5, 0.8, 0.05
CLEARLY_BETTER = 0.25
EXAMPLES = 5


@dataclass(frozen=True)
class JoinProposal:
    """Columns that seem to name the same things in two tables."""

    left: str
    """The table whose rows may share a partner."""
    right: str
    """The table with one row for each key."""
    left_on: tuple[str, ...]
    right_on: tuple[str, ...]
    score: float = 0.0
    """From 0 to 2, the higher the likelier."""
    shared: float | None = None
    """About which part of the left table's different keys is in the right one; None where unknown."""
    many: bool = False
    """The keys repeat in both tables, so that a join multiplies rows."""

    @property
    def text(self) -> str:
        """The proposal as a sentence."""
        pairs = zip(self.left_on, self.right_on, strict=True)
        keys = " and ".join(a if a == b else f"{a} = {b}" for a, b in pairs)
        said = "" if self.shared is None else f"; about {self.shared:.0%} of its keys are there"
        repeated = "; they repeat in both, so rows would multiply" if self.many else ""
        return f"{self.left} with {self.right} by {keys}{said}{repeated}"


@dataclass(frozen=True)
class _Key:
    dataset: Dataset
    column: ColumnInfo
    sketch: tuple[int, ...]

    @property
    def unique(self) -> bool:
        return 1 < self.column.distinct == self.dataset.rows - self.column.missing


def propose_joins(datasets: Sequence[Dataset]) -> list[JoinProposal]:
    """Pairs of columns that may join two of the tables, likeliest first.

    One that is clearly less likely than another of the same two tables is left out.
    """
    found: list[JoinProposal] = []
    for one, two in combinations(datasets, 2):
        pairs = [proposal for a in _keys(one) for b in _keys(two) for proposal in _judged(a, b)]
        best = max((proposal.score for proposal in pairs), default=0.0)
        found += [proposal for proposal in pairs if proposal.score > best - CLEARLY_BETTER]
    return sorted(found, key=lambda proposal: -proposal.score)


def unmatched_keys(
    engine: Engine, proposal: JoinProposal, limit: int = EXAMPLES
) -> tuple[list[list[Any]], list[list[Any]]]:
    """Examples of the left and the right table's keys that are not in the other, most frequent first.

    Raises BadQuery and LimitExceeded.
    """
    sides = ((proposal.left, proposal.left_on), (proposal.right, proposal.right_on))
    found = []
    for (here, mine), (there, theirs) in (sides, sides[::-1]):
        fields = ", ".join(f"a.{quoted(name)}" for name in mine)
        alike = " AND ".join(f"a.{quoted(x)} = b.{quoted(y)}" for x, y in zip(mine, theirs, strict=True))
        order = ", ".join(str(place) for place in range(1, len(mine) + 1))
        text = (
            f"SELECT {fields}, count(*) AS n FROM {quoted(here)} AS a"
            f" ANTI JOIN {quoted(there)} AS b ON {alike}"
            f" GROUP BY ALL ORDER BY n DESC, {order} LIMIT {limit}"
        )
        found.append([row[:-1] for row in engine.select(text).rows])
    return found[0], found[1]


def _keys(dataset: Dataset) -> Iterator[_Key]:
    sketches = _sketches(dataset)
    for column in dataset.columns:
        if column.kind in KEY_KINDS and column.distinct > 1:
            yield _Key(dataset, column, sketches.get(column.name, ()))


def _sketches(dataset: Dataset) -> dict[str, tuple[int, ...]]:
    try:
        changed = dataset.profile_path.stat().st_mtime_ns
    except OSError:
        return {}
    return _read(dataset.profile_path, changed)


@lru_cache(maxsize=64)
def _read(path: Path, changed: int) -> dict[str, tuple[int, ...]]:
    try:
        profile = Profile.from_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return {}
    return {column.name: tuple(column.sketch) for column in profile.details}


def _judged(a: _Key, b: _Key) -> Iterator[JoinProposal]:
    """The proposal for two columns, if they could be a key."""
    many = not (a.unique or b.unique)
    if a.column.kind != b.column.kind or (many and not set(words(a.column.name)) & KEY_WORDS):
        return
    left, right = (a, b) if b.unique or many else (b, a)
    named, shared = _named(a, b), _shared(left, right)
    if shared is None and not _ranges_meet(a.column, b.column):
        return
    if shared is None:
        likely = named >= SAME
    elif many and named < SAME:
        likely = False
    elif named >= SAME:
        likely = shared >= BARELY
    elif named >= ALIKE:
        likely = shared >= SHARED
    else:
        # Small whole numbers are in each other's range by chance.
        likely = a.column.kind == "text" and shared >= SHARED_BY_TEXT
    if likely:
        score = (named + (0.5 if shared is None else shared)) * (MANY_LESS if many else 1)
        names = (left.column.name,), (right.column.name,)
        yield JoinProposal(left.dataset.name, right.dataset.name, *names, round(score, 3), shared, many)


def _named(a: _Key, b: _Key) -> float:
    """How alike the names are: 1 for the same, or for customer_id and the id of customers."""
    one, two = words(a.column.name), words(b.column.name)
    if one == two:
        return ALIKE if len(one) == 1 and set(one) <= PLAIN_NAMES else SAME
    if one in _owned(b) or two in _owned(a):
        return SAME
    alike = fuzz.token_sort_ratio(" ".join(one), " ".join(two))
    return ALIKE if alike >= NAMES_ALIKE or _inside(one, two) else 0.0


def _owned(key: _Key) -> list[list[str]]:
    """What another table calls this one's id: customer_id or customer, for id in customers."""
    name, table = words(key.column.name), words(key.dataset.name)[-1:]
    return [[*table, *name], table] if name and set(name) <= PLAIN_NAMES else []


def _inside(one: list[str], two: list[str]) -> bool:
    """home_station and station_id: all that one says besides such words as id stands in the other."""
    short, long = sorted((set(one) - PLAIN_NAMES, set(two) - PLAIN_NAMES), key=len)
    return bool(short) and short <= long


def words(name: str) -> list[str]:
    """The words of a name, in lower case and the singular: CustomerIDs is customer, id."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name.replace("_", " "))
    return [word.lower().removesuffix("s") for word in re.findall(r"\w+", spaced)]


def _shared(left: _Key, right: _Key) -> float | None:
    """Which part of the left's different values the right has, by the smallest hashes; None where unknown."""
    ours, theirs = _complete(left), _complete(right)
    if not left.sketch or not right.sketch:
        return None
    # Up to here the hashes of both are all there.
    ends = [key.sketch[-1] for key, whole in ((left, ours), (right, theirs)) if not whole]
    upto = min(ends) if ends else max(left.sketch[-1], right.sketch[-1])
    mine = left.sketch[: bisect_right(left.sketch, upto)]
    if len(mine) < LEAST_HASHES and not ours:
        return None
    return len(set(mine) & set(right.sketch)) / len(mine) if mine else None


def _complete(key: _Key) -> bool:
    return len(key.sketch) == key.column.distinct


def _ranges_meet(a: ColumnInfo, b: ColumnInfo) -> bool:
    if None not in (a.min, a.max, b.min, b.max):
        return bool(a.min <= b.max and b.min <= a.max)
    return not (a.values and b.values) or bool(set(a.values) & set(b.values))

"""Joins as a cleaning step: what the keys do to rows is counted first, and said.

A key that occurs several times on the other side repeats rows (fan-out), and one that is nowhere leaves rows
without a partner; sums over repeated rows count values more than once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analysis.cleaning_plan import DoesNotFit, Plan, Source, counted, listing
from analysis.engine import Engine
from analysis.errors import AnalysisError, BadValue, require_option
from analysis.joins import propose_joins
from analysis.measures import free_name
from sandbox.engine import quoted
from storage.datasets import ColumnInfo, Dataset
from storage.results import Result

HOWS = ("left", "inner", "outer")
WORDS = {
    "left": "keeping every row of {}",
    "inner": "keeping only rows with a partner",
    "outer": "keeping every row",
}
COUNTS = """SELECT coalesce(sum(l.n) FILTER (r.n IS NULL), 0)::BIGINT AS left_alone,
  coalesce(sum(r.n) FILTER (l.n IS NULL), 0)::BIGINT AS right_alone,
  coalesce(max(l.n) FILTER (r.n IS NOT NULL), 0) AS left_most,
  coalesce(max(r.n) FILTER (l.n IS NOT NULL), 0) AS right_most,
  coalesce(sum(l.n * r.n), 0)::BIGINT AS pairs,
  coalesce(sum(l.n), 0)::BIGINT AS left_keyed, coalesce(sum(r.n), 0)::BIGINT AS right_keyed"""
FIT = """SELECT a.n AS left_rows, b.n AS right_rows,
  left_alone + a.n - left_keyed AS left_unmatched, right_alone + b.n - right_keyed AS right_unmatched,
  a.n - left_keyed AS left_missing, left_most, right_most, pairs
FROM keys, a, b"""
COMPATIBLE = ({"integer", "number"}, {"date", "datetime"})


class ManyToMany(AnalysisError):
    """Keys repeat on both sides, so rows would multiply; nothing was joined."""

    kind = "many_to_many"


@dataclass(frozen=True)
class Fit:
    """What a join's keys do, counted on all rows."""

    left_rows: int
    right_rows: int
    left_unmatched: int
    """Rows of the left table without a partner."""
    right_unmatched: int
    left_missing: int
    """Rows of the left table whose key is missing; among the unmatched."""
    left_most: int
    """How often the most frequent matching key occurs on the left."""
    right_most: int
    pairs: int
    """Rows of both sides that belong together."""

    @property
    def relation(self) -> str:
        """one to one, many to one, one to many or many to many."""
        left, right = ("one" if n <= 1 else "many" for n in (self.left_most, self.right_most))
        return f"{left} to {right}"


def join(
    engine: Engine,
    left: str = "",
    right: str = "",
    how: str = "left",
    left_on: Sequence[str] = (),
    right_on: Sequence[str] = (),
    allow_many: bool = False,
) -> Plan:
    """The left table with the right one's columns, by the given keys or the one clear proposal.

    Raises BadValue when no keys are clear, ManyToMany unless `allow_many`, DoesNotFit when nothing matches.
    """
    way = require_option(how or "left", HOWS, "kind of join")
    source, other = Source(engine, left), _right(engine, left, right)
    keys = _keys(engine, source.data, other, left_on, right_on)
    fit = measure(engine, source.data, other, keys)
    on = _said(keys)
    if fit.pairs == 0:
        raise DoesNotFit(f"No row of {source.data.name} has a partner in {other.name} by {on}.")
    if fit.relation == "many to many" and not allow_many:
        raise ManyToMany(
            f"{on} repeats in both tables (up to {fit.left_most:,} times in {source.data.name} and"
            f" {fit.right_most:,} times in {other.name}), so {counted(fit.pairs, 'row')} would come of"
            f" {fit.left_rows:,} and {fit.right_rows:,}. Nothing was joined. Join by more columns, make one"
            ' side unique first, or add "and allow repeated rows" (allow_many).',
        )
    return Plan(
        _code(source, other, keys, way),
        f"Join {other.name} by {on} ({way} join, {WORDS[way].format(source.data.name)})",
        [source.data, other],
        notes=_notes(source.data, other, fit, way),
        facts=_facts(source.data, other, keys, fit),
    )


def check(
    engine: Engine,
    left: str = "",
    right: str = "",
    left_on: Sequence[str] = (),
    right_on: Sequence[str] = (),
) -> Result:
    """What a join would do to rows, without joining: how keys repeat, and rows without a partner.

    Raises BadValue when no keys are clear.
    """
    ours, other = engine.dataset(left), _right(engine, left, right)
    keys = _keys(engine, ours, other, left_on, right_on)
    fit = measure(engine, ours, other, keys)
    return engine.sql(
        _counts(ours, other, keys),
        title=f"How {ours.name} and {other.name} fit together by {_said(keys)}",
        tool="check_join",
        arguments={
            "left": ours.name, "right": other.name, "left_on": [a.name for a, _ in keys],
            "right_on": [b.name for _, b in keys],
        },
        datasets=[ours, other],
        rows_used=ours.rows + other.rows,
        notes=_notes(ours, other, fit, "left"),
        facts=_facts(ours, other, keys, fit),
    )  # fmt: skip


def measure(engine: Engine, left: Dataset, right: Dataset, keys: list[tuple[ColumnInfo, ColumnInfo]]) -> Fit:
    """Counts what the keys do, with one pass over each table."""
    found = engine.select(_counts(left, right, keys)).records()[0]
    return Fit(**{name: int(value) for name, value in found.items()})


def _counts(left: Dataset, right: Dataset, keys: list[tuple[ColumnInfo, ColumnInfo]]) -> str:
    """The query for `Fit`: of the keys of each table, with how often they occur."""
    names = [f"k{i}" for i in range(len(keys))]

    def side(dataset: Dataset, columns: list[ColumnInfo]) -> str:
        fields = ", ".join(f"{quoted(c.name)} AS {n}" for c, n in zip(columns, names, strict=True))
        present = " AND ".join(f"{quoted(c.name)} IS NOT NULL" for c in columns)
        listed = ", ".join(names)
        keyed = f"SELECT {fields} FROM {quoted(dataset.name)} WHERE {present}"
        return f"(SELECT {listed}, count(*) AS n FROM ({keyed}) GROUP BY {listed})"

    on = " AND ".join(f"l.{n} = r.{n}" for n in names)
    return (
        f"WITH a AS (SELECT count(*) AS n FROM {quoted(left.name)}),\n"
        f"  b AS (SELECT count(*) AS n FROM {quoted(right.name)}),\n"
        f"  keys AS (\n{COUNTS}\n"
        f"FROM {side(left, [a for a, _ in keys])} AS l\n"
        f"FULL JOIN {side(right, [b for _, b in keys])} AS r ON {on}\n)\n{FIT}"
    )


def _right(engine: Engine, left: str, right: str) -> Dataset:
    main = engine.dataset(left)
    if right:
        other = engine.dataset(right)
    else:
        others = [d for d in engine.datasets if d.id != main.id]
        if len(others) != 1:
            raise BadValue("Say which table to join.", [d.name for d in others])
        other = others[0]
    if other.id in main.parents[1:]:
        raise BadValue(f"{main.name} has the columns of {other.name} already. Undo that join first.")
    if other.id == main.id:
        raise BadValue("A table cannot be joined with itself here. Say another table.")
    return other


def _keys(
    engine: Engine, left: Dataset, right: Dataset, left_on: Sequence[str], right_on: Sequence[str]
) -> list[tuple[ColumnInfo, ColumnInfo]]:
    ours = [left_on] if isinstance(left_on, str) else [name for name in left_on if name]
    theirs = [right_on] if isinstance(right_on, str) else [name for name in right_on if name]
    ours, theirs = ours or theirs, theirs or ours
    if not ours:
        ours, theirs = _proposed(left, right)
    if len(ours) != len(theirs):
        raise BadValue("Give as many key columns of one table as of the other.")
    pairs = [(engine.column(left, a), engine.column(right, b)) for a, b in zip(ours, theirs, strict=True)]
    for a, b in pairs:
        if a.kind != b.kind and not any({a.kind, b.kind} <= kinds for kinds in COMPATIBLE):
            raise BadValue(
                f"{a.name} of {left.name} is {a.kind} and {b.name} of {right.name} is {b.kind}. "
                "Change the type of one of them first."
            )
    return pairs


def _proposed(left: Dataset, right: Dataset) -> tuple[list[str], list[str]]:
    found: list[tuple[list[str], list[str]]] = []
    for proposal in propose_joins([left, right]):
        keys = (list(proposal.left_on), list(proposal.right_on))
        found.append(keys if proposal.left == left.name else (keys[1], keys[0]))
    if len(found) == 1:
        return found[0]
    said = [f"{listing(a)} = {listing(b)}" for a, b in found]
    if found:
        raise BadValue(f"Several keys could join these tables: {'; '.join(said)}. Say which.", said)
    raise BadValue(f"No key joins {left.name} and {right.name} clearly. Say which columns belong together.")


def _code(source: Source, other: Dataset, keys: list[tuple[ColumnInfo, ColumnInfo]], way: str) -> str:
    """Rows in the order of the left table, then of the right; a right key of the same name is left out."""
    mine, theirs = quoted(source.row), quoted(free_name("__other_row", [c.name for c in other.columns]))
    same = {b.name for a, b in keys if a.name.lower() == b.name.lower()}
    fields, names = [], []
    key_of = {a.name: b.name for a, b in keys}
    for name in source.names:
        field = f"l.{quoted(name)}"
        if way == "outer" and key_of.get(name) in same:
            field = f"coalesce({field}, r.{quoted(key_of[name])})"
        fields.append(f"{field} AS {quoted(name)}")
        names.append(name)
    for column in other.columns:
        if column.name not in same:
            plain = column.name.lower() not in {name.lower() for name in names}
            label = column.name if plain else free_name(f"{column.name} ({other.name})", names)
            names.append(label)
            fields.append(f"r.{quoted(column.name)} AS {quoted(label)}")
    on = " AND ".join(f"l.{quoted(a.name)} = r.{quoted(b.name)}" for a, b in keys)
    kind = {"left": "LEFT", "inner": "INNER", "outer": "FULL"}[way]
    return (
        f"SELECT {', '.join(fields)}\n"
        f"FROM (SELECT *, row_number() OVER () AS {mine} FROM {source.table}) AS l\n"
        f"{kind} JOIN (SELECT *, row_number() OVER () AS {theirs} FROM {quoted(other.name)}) AS r\n"
        f"  ON {on}\n"
        f"ORDER BY l.{mine} NULLS LAST, r.{theirs} NULLS LAST"
    )


def _notes(left: Dataset, right: Dataset, fit: Fit, way: str) -> list[str]:
    notes = [f"The keys are {fit.relation}: {left.name} to {right.name}."]
    if fit.right_most > 1:
        notes.append(
            f"Rows of {left.name} repeat, up to {fit.right_most:,} times: adding up its columns counts "
            "values more than once."
        )
    if fit.left_unmatched:
        gaps = f", {fit.left_missing:,} of them without a key" if fit.left_missing else ""
        kept = "are left out" if way == "inner" else "have no values from it"
        alone = counted(fit.left_unmatched, "row")
        notes.append(f"{alone} of {left.name} without a partner in {right.name}{gaps}: they {kept}.")
    if fit.right_unmatched:
        kept = "stay" if way == "outer" else "are left out"
        alone = counted(fit.right_unmatched, "row")
        notes.append(f"{alone} of {right.name} without a partner in {left.name}: they {kept}.")
    if not fit.left_unmatched and not fit.right_unmatched:
        notes.append("Every row of both tables has a partner.")
    return notes


def _said(keys: list[tuple[ColumnInfo, ColumnInfo]]) -> str:
    return listing(a.name if a.name == b.name else f"{a.name} = {b.name}" for a, b in keys)


def _facts(
    left: Dataset, right: Dataset, keys: list[tuple[ColumnInfo, ColumnInfo]], fit: Fit
) -> dict[str, Any]:
    return {
        "left": left.name, "right": right.name, "relation": fit.relation,
        "keys": [[a.name, b.name] for a, b in keys], "matched": fit.pairs,
        "left_unmatched": fit.left_unmatched, "right_unmatched": fit.right_unmatched,
        "fan_out": fit.right_most,
    }  # fmt: skip

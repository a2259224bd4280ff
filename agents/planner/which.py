"""Which table a question is about, where a conversation has several: the wrong one is never used in silence.

The current table answers what names only columns and values of it. What names others is answered on the one
table that has them, asked back where several do, and where it takes two tables, a join is proposed.
"""

from dataclasses import replace
from itertools import combinations
from typing import Any

from agents.planner import lexicon as lex
from agents.planner.intent import Intent, ask
from agents.planner.schema import Schema
from agents.planner.tokens import stems

GENERIC = lex.STOP | lex.ROW_WORDS | lex.KNOWN | lex.BENIGN | lex.GREETINGS
COUNTED = ({"how", "many"}, {"number", "of"}, {"count", "of"})
SHORTEST = 2
COLUMN_ARGUMENTS = ("measure", "by", "x", "y", "column", "columns", "date", "rows")
MARKS = {"in", "from", "of", "table", "dataset", "data"}


def choose(tokens: list[str], schema: Schema) -> Schema | Intent:
    """The table to answer on, or a question back, or the check of a join that is needed first."""
    if not schema.others:
        return schema
    if (named := named_table(tokens, schema)) is not None:
        return named
    others = [turned(schema, other.name) for other in schema.others]
    if (counted := _counted_rows(tokens, schema, others)) is not None:
        return counted
    strong = {table.name: _strong(tokens, table) for table in [schema, *others]}
    needed = set().union(*strong.values())
    here = claims(tokens, schema, needed - strong[schema.name])
    if needed <= here:
        return schema
    wanted = needed | {index for index in here if tokens[index] not in GENERIC}
    whole = [table for table in others if wanted <= claims(tokens, table, set())]
    if len(whole) == 1:
        return whole[0]
    if whole:
        names = [table.name for table in whole]
        said = _said(tokens, wanted)
        return ask(
            f"Several tables have {said}: {', '.join(names)}. Which one do you mean?"
            f" Say it as: in {names[0]}."
        )
    return _two(tokens, schema, others, wanted)


def elsewhere(tokens: list[str], schema: Schema) -> Intent | None:
    """For a question that goes on from one about `schema`: what it needs of other tables."""
    chosen = choose(tokens, schema)
    if isinstance(chosen, Intent):
        return chosen
    if chosen.name == schema.name or named_table(tokens, schema) is not None:
        return None
    missing = _strong(tokens, chosen) - claims(tokens, schema, set())
    return joined(schema, schema.name, chosen.name, f"{_said(tokens, missing)} is in {chosen.name}")


def named_table(tokens: list[str], schema: Schema) -> Schema | None:
    """Another table that the question names as its table: "in customers", "the customers table"."""
    for other in schema.others:
        name = stems(other.name)
        for index in range(len(tokens) - len(name) + 1):
            around = tokens[max(0, index - 2) : index] + tokens[index + len(name) : index + len(name) + 1]
            if tokens[index : index + len(name)] == name and MARKS & set(around):
                return turned(schema, other.name)
    return None


def turned(schema: Schema, name: str) -> Schema:
    """The same tables with another one as the current."""
    if name == schema.name:
        return schema
    current = next(other for other in schema.others if other.name == name)
    rest = [replace(schema, others=[]), *(other for other in schema.others if other.name != name)]
    return replace(current, others=rest, joins=schema.joins)


def table_of(arguments: dict[str, Any], schema: Schema) -> Schema:
    """The table that an earlier call was about: the one it names, else one that has its columns.

    A call of the time when there was only one table names none, and another may be current now.
    """
    if arguments.get("dataset") in [schema.name, *(other.name for other in schema.others)]:
        return turned(schema, arguments["dataset"])
    used = {value for name in COLUMN_ARGUMENTS for value in _texts(arguments.get(name))}
    used |= {str(one.get("column")) for one in arguments.get("where") or [] if isinstance(one, dict)}
    tables = [schema, *(turned(schema, other.name) for other in schema.others)]
    return next((table for table in tables if used <= {c.name for c in table.columns}), schema)


def _texts(value: Any) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    return [item for item in listed if isinstance(item, str) and item]


def joined(schema: Schema, one: str, two: str, why: str) -> Intent:
    """The check of the one clear join of two tables, or a question back for its keys."""
    between = [j for j in schema.joins if {j["left"], j["right"]} == {one, two}]
    if len(between) == 1:
        keys = between[0]
        arguments = {name: keys[name] for name in ("left", "right", "left_on", "right_on")}
        return Intent("check_join", arguments, notes=[why])
    example = f"join {one} with {two} on {_example(schema, between)}"
    if between:
        ways = "; ".join(_spelt(join) for join in between)
        return ask(
            f"That needs {one} and {two} together ({why}), and they could be joined in several ways: {ways}."
            f" Say which, such as: {example}."
        )
    return ask(
        f"That needs {one} and {two} together ({why}), and no column clearly joins them. Say which belong"
        f" together, such as: {example}."
    )


def claims(tokens: list[str], schema: Schema, exact_elsewhere: set[int]) -> set[int]:
    """Which words the table explains: its columns, values and name.

    A word that is another table's column in full is no slip or abbreviation of one here.
    """
    found = _strong(tokens, schema) | _name(tokens, schema)
    for mention in schema.mentions(tokens):
        span = set(range(mention.start, mention.end))
        part = any(mention.words in column.stems for column in mention.columns)
        if mention.exact or part or not span & exact_elsewhere:
            found |= span
    return found


def _strong(tokens: list[str], schema: Schema) -> set[int]:
    """Words that are a column's whole name, or a listed value, and not also something else."""
    found: set[int] = set()
    for mention in schema.mentions(tokens):
        span = range(mention.start, mention.end)
        if mention.exact and any(tokens[index] not in GENERIC for index in span):
            found |= set(span)
    for start, end, _, _ in schema.value_matches(tokens):
        if any(tokens[i] not in GENERIC and len(tokens[i]) > SHORTEST for i in range(start, end)):
            found |= set(range(start, end))
    return found


def _name(tokens: list[str], schema: Schema) -> set[int]:
    name = stems(schema.name)
    starts = range(len(tokens) - len(name) + 1)
    return {i for s in starts if tokens[s : s + len(name)] == name for i in range(s, s + len(name))}


def _counted_rows(tokens: list[str], schema: Schema, others: list[Schema]) -> Schema | None:
    """ "How many customers": the rows of the table that is called so."""
    for table in others:
        spots = _name(tokens, table)
        if not spots or not any(
            words <= set(tokens[max(0, min(spots) - 2) : min(spots)]) for words in COUNTED
        ):
            continue
        strong = set().union(*(_strong(tokens, other) for other in [schema, *others]))
        if strong - spots <= claims(tokens, table, set()):
            return table
    return None


def _two(tokens: list[str], schema: Schema, others: list[Schema], wanted: set[int]) -> Intent:
    tables = [schema, *others]
    shares = {table.name: claims(tokens, table, set()) & wanted for table in tables}
    pairs = [(a, b) for a, b in combinations(tables, 2) if shares[a.name] | shares[b.name] == wanted]
    with_current = [pair for pair in pairs if pair[0] is schema] or pairs
    if len(with_current) == 1:
        one, two = with_current[0]
        first = shares[one.name] - shares[two.name]
        second = shares[two.name] - shares[one.name]
        why = f"{_said(tokens, first)} is in {one.name}, {_said(tokens, second)} in {two.name}"
        return joined(schema, one.name, two.name, why)
    held = "; ".join(f"{name} has {_said(tokens, share)}" for name, share in shares.items() if share)
    return ask(f"That takes columns of several tables: {held}. Join two of them first, or name one table.")


def _said(tokens: list[str], spots: set[int]) -> str:
    return " ".join(tokens[index] for index in sorted(spots)) or "the rest"


def _spelt(join: dict[str, Any]) -> str:
    return ", ".join(
        f"{join['left']}.{a} = {join['right']}.{b}"
        for a, b in zip(join["left_on"], join["right_on"], strict=True)
    )


def _example(schema: Schema, between: list[dict[str, Any]]) -> str:
    if not between:
        return f"{schema.columns[0].name if schema.columns else 'id'} = id"
    left, right = between[0]["left_on"][0], between[0]["right_on"][0]
    return str(left) if left == right else f"{left} = {right}"

"""Filters in a question: periods, comparisons, values, yes-or-no columns, values to be looked up."""

from typing import Any

from agents.planner import lexicon as lex
from agents.planner.dates import find_period, find_quarter
from agents.planner.parts import GONE, Parts, how_many
from agents.planner.schema import Column, Mention
from agents.planner.tokens import find, quoted, stemmed, stems, words

SHOWN_UNASKED = 10
PLACES = ("in", "for", "from", "where", "is", "only", "to", "at")
"""After these a word that is no column is taken for a value."""


def dates(parts: Parts) -> None:
    if not parts.schema.dates:
        return
    column = _mentioned_date(parts) or parts.schema.dates[0]
    last = str(column.high) if column.high else None
    for _ in range(3):
        raw = [GONE if t == GONE else w for t, w in zip(parts.tokens, _raw(parts), strict=True)]
        period = find_quarter(raw, column.name) or find_period(raw, column.name, last)
        if period is None:
            return
        parts.where += period.conditions
        _drop_date_before(parts, period.start, column)
        parts.notes += [period.note] if period.note else []
        parts.drop(period.start, period.end)


def _raw(parts: Parts) -> list[str]:
    return words(parts.text)


def _drop_date_before(parts: Parts, start: int, column: Column) -> None:
    """The date column's own words before its period: "hired after 2020", "order date in 2024"."""
    for mention in parts.schema.mentions(parts.tokens):
        by = {"by", "per", "each"} & set(parts.tokens[max(0, mention.start - 1) : mention.start])
        if mention.columns == (column,) and 0 <= start - mention.end <= 1 and not by:
            parts.drop(mention.start, mention.end)


def _mentioned_date(parts: Parts) -> Column | None:
    found = [m for m in parts.schema.mentions(parts.tokens) if all(c.timed for c in m.columns)]
    ranked = sorted(found, key=lambda m: (not m.exact, len(m.columns)))
    return ranked[0].column if ranked and len(ranked[0].columns) == 1 else None


def comparisons(parts: Parts) -> None:
    _between(parts)
    for op, phrases in lex.COMPARATORS.items():
        for phrase in phrases:
            wanted = stemmed(phrase).split()
            start = find(parts.tokens, " ".join(wanted))
            while start >= 0:
                following = parts.tokens[start + len(wanted) : start + len(wanted) + 1]
                if following and _number(following[0]) is not None and phrase != "or more":
                    end = start + len(wanted) + 1
                    column = _compared(parts, start, end, wanted[0])
                    if column is not None:
                        add_filter(parts, column, op, _number(following[0]))
                    parts.drop(start, end)
                start = find(parts.tokens, " ".join(wanted), start + 1)


def _between(parts: Parts) -> None:
    start = find(parts.tokens, "between")
    if start < 0 or len(parts.tokens) < start + 4:
        return
    low, joint, high = parts.tokens[start + 1 : start + 4]
    if _number(low) is None or _number(high) is None or joint not in ("and", "to"):
        return
    column = _compared(parts, start, start + 4, "between")
    if column is not None:
        values = [_number(low), _number(high)]
        parts.where.append({"column": column.name, "op": "between", "values": values})
    parts.drop(start, start + 4)


def _compared(parts: Parts, start: int, end: int, word: str) -> Column | None:
    """The number column of a comparison: just before it, else just after, else what its word is about
    ("older than"), else the only one; with none of these, a problem to ask about."""
    numbers = [m for m in parts.schema.mentions(parts.tokens) if len(_comparable(parts, m)) == 1]
    before = [m for m in numbers if m.end <= start and start - m.end <= 3]
    after = [m for m in numbers if m.start >= end and m.start - end <= 2]
    chosen = before[-1:] or after[:1]
    if chosen:
        mention = chosen[0]
        column = _comparable(parts, mention)[0]
        if mention.start >= end or _only_filtered(parts, mention, start):
            parts.drop(mention.start, mention.end)
        elif parts.aggregating and {"by", "per", "each"} & set(parts.tokens):
            parts.problem = (
                f"I can filter rows, but not groups by their result. Ask for {column.name} by group, which "
                f"comes sorted, or filter rows, such as: where {column.name} is above 10."
            )
        return column
    implied = [c for c in parts.schema.meant_by(word) if c.numeric]
    options = implied or parts.schema.measures
    if len(options) == 1:
        return options[0]
    said = " ".join(words(parts.text)[start:end])
    names = ", ".join(c.name for c in options[:8])
    parts.problem = (
        f'Which column is "{said}" about: {names}?' if names else f'No number column fits "{said}".'
    )
    return None


def _comparable(parts: Parts, mention: Mention) -> list[Column]:
    """Its number columns; one that only numbers the rows has to be named in full."""
    return [c for c in mention.columns if c.numeric and (mention.exact or not parts.schema.is_identifier(c))]


def _only_filtered(parts: Parts, mention: Mention, start: int) -> bool:
    """Whether the column stands there for the comparison alone: after where, or nothing is computed."""
    joined = {"where", "with", "whose", "and", "when", "if", "have", "having"}
    if joined & set(parts.tokens[max(0, mention.start - 2) : mention.start]):
        return True
    return not parts.aggregating and not parts.chart and not {"by", "per", "each"} & set(parts.tokens)


def add_filter(parts: Parts, column: Column, op: str, value: Any) -> None:
    parts.where.append({"column": column.name, "op": op, "value": value})


def _number(token: str) -> float | int | None:
    """A number, also with k or m for thousands and millions."""
    factor = {"k": 1_000, "m": 1_000_000}.get(token[-1:], 1)
    digits = token[:-1] if factor > 1 else token
    if not digits[:1].isdigit() or not digits.replace(".", "", 1).isdigit():
        return None
    value = float(digits) * factor
    return int(value) if "." not in digits or (factor > 1 and value.is_integer()) else value


def values(parts: Parts) -> None:
    found: dict[tuple[str, bool], list[Any]] = {}
    for start, end, column, value in parts.schema.value_matches(parts.tokens):
        negated = bool(set(parts.tokens[max(0, start - 2) : start]) & set(lex.NEGATIONS))
        found.setdefault((column.name, negated), []).append(value)
        parts.drop(start, end)
        _drop_words_before(parts, start, column)
    for (name, negated), values in found.items():
        if len(values) == 1:
            op, given = ("not_equals" if negated else "equals"), {"value": values[0]}
        else:
            op, given = ("not_in" if negated else "in"), {"values": values}
        parts.where.append({"column": name, "op": op, **given})
    _booleans(parts)
    _unlisted(parts)


def _drop_words_before(parts: Parts, start: int, column: Column) -> None:
    """The column's own name and the small words before a value: 'where city is'."""
    index = start - 1
    while index >= 0 and parts.tokens[index] in {"is", "are", "=", "equal", "to", "the", "not", "no", "in",
                                                 "for", "only", "without", "except", "excluding", "exclude",
                                                 "of", "from", "was", "at", GONE}:  # fmt: skip
        if parts.tokens[index] != GONE:
            parts.drop(index, index + 1)
        index -= 1
    size = len(column.stems)
    if index + 1 >= size and parts.tokens[index + 1 - size : index + 1] == column.stems:
        before = parts.tokens[index - size] if index >= size else ""
        if before not in ("by", "per", "each", "and", ","):
            parts.drop(index + 1 - size, index + 1)
    if index >= 0 and parts.tokens[index] in ("where", "with", "when", "whose"):
        parts.drop(index, index + 1)


def _booleans(parts: Parts) -> None:
    for column in [c for c in parts.schema.columns if c.kind == "boolean"]:
        name = column.stems[1:] if column.stems[0] in ("is", "has", "was") else column.stems
        start = find(parts.tokens, " ".join(column.stems))
        size = len(column.stems)
        if start < 0 and name:
            start, size = find(parts.tokens, " ".join(name)), len(name)
        if start >= 0:
            _boolean(parts, column, start, start + size)


def _boolean(parts: Parts, column: Column, start: int, end: int) -> None:
    """A yes-or-no column as a filter, unless the question is about the column itself."""
    after = [t for t in parts.tokens[end : end + 3] if t not in ("is", "=", "are")]
    before = parts.tokens[start - 1] if start else ""
    if after and after[0] in ("true", "yes", "false", "no"):
        add_filter(parts, column, "equals", after[0] in ("true", "yes"))
        parts.drop(start, parts.tokens.index(after[0], end) + 1)
    elif before in ("not", "without", "non"):
        add_filter(parts, column, "equals", False)
        parts.drop(start - 1, end)
    elif (
        before in ("only", "were", "was", "are", "is", "where", "many", "with")
        or (start == 0 and before not in lex.BY)
        or (after and before not in lex.BY and _names_things(parts, after[0]))
    ):
        add_filter(parts, column, "equals", True)
        parts.drop(start, end)


def _names_things(parts: Parts, token: str) -> bool:
    """Whether a word may be what a yes-or-no column is said of: "insured patients"."""
    return names_rows(parts, token) or token not in lex.STOP | lex.KNOWN | {GONE}


def names_rows(parts: Parts, token: str) -> bool:
    """Whether a word is what one row is called: orders, staff."""
    return token in lex.ROW_WORDS or token in stems(parts.schema.name)


def _unlisted(parts: Parts) -> None:
    """A quoted text, or a capitalised word after in, for or from, that is no listed value."""
    known = {str(condition.get("value", "")).lower() for condition in parts.where}
    for text in quoted(parts.text):
        if text.lower() not in known and not any(m.exact for m in parts.schema.mentions(stems(text))):
            parts.look_up = text
            spot = find(parts.tokens, " ".join(stems(text)))
            if spot >= 0:
                _take_name(parts, spot, spot + len(stems(text)))
            return
    raw = parts.text.replace("?", " ").replace(",", " ").split()
    for index in range(1, len(raw)):
        word = raw[index].strip(".!;:")
        if raw[index - 1].lower() in PLACES and word[:1].isupper():
            spot = find(parts.tokens, " ".join(stems(word)))
            if spot >= 0 and not parts.schema.mentions(stems(word)):
                following = raw[index + 1].strip(".!;:?") if index + 1 < len(raw) else ""
                parts.look_up = f"{word} {following}" if following[:1].isupper() else word
                _take_name(parts, spot, spot + len(stems(parts.look_up)))
                return


def _take_name(parts: Parts, start: int, end: int) -> None:
    parts.drop(start, end)
    index = start - 1
    while index >= 0 and parts.tokens[index] in ("is", "in", "for", "from", "only", "the", "="):
        parts.drop(index, index + 1)
        index -= 1


def adjective(parts: Parts) -> None:
    """Order, column and how many in "oldest 10 employees", "5 cheapest products", "most expensive item"."""
    for index, token in enumerate(parts.tokens):
        if token not in lex.ADJECTIVES or not (token.endswith("est") or token in ("recent", "expensive")):
            continue
        ascending = token in lex.ASCENDING_ADJECTIVES
        start, end = index, index + 1
        if index and parts.tokens[index - 1] in ("most", "least"):
            ascending, start = parts.tokens[index - 1] == "least", index - 1
        meant = parts.schema.meant_by(token)
        if len(meant) != 1:
            continue
        after = how_many(parts.tokens[end]) if end < len(parts.tokens) else 0
        before = how_many(parts.tokens[start - 1]) if start else 0
        single = words(parts.text)[end : end + 1] == parts.tokens[end : end + 1]
        noun = end < len(parts.tokens) and names_rows(parts, parts.tokens[end])
        if not after and not before and not meant[0].timed and not noun:
            continue
        parts.limit = after or before or (1 if noun and single else SHOWN_UNASKED)
        parts.order = "ascending" if ascending else "descending"
        parts.order_by = meant[0]
        parts.drop(start - bool(before and not after), end + bool(after))
        return

"""A question to an intent: dates, filters, grouping, measure and operation, each found once.

What is found is taken out of the tokens, so that "in Berlin" is not read again as a group. When the
measure or column is ambiguous the intent asks back; nothing is guessed.
"""

from dataclasses import dataclass, field
from typing import Any

from agents.planner import lexicon as lex
from agents.planner.dates import find_period, find_quarter
from agents.planner.intent import Intent, ask
from agents.planner.schema import Column, Mention, Schema
from agents.planner.tokens import find, first, has, quoted, stemmed, stems, words

Condition = dict[str, Any]
GONE = "\x00"
SHOWN_UNASKED = 10
SHORTEST_SUPERLATIVE = 5
PLACES = ("in", "for", "from", "where", "is", "only", "to", "at")
"""After these a word that is no column is taken for a value."""


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


def dissect(text: str, schema: Schema) -> Parts:
    """Everything the question says, in the order that keeps one reading from spoiling another."""
    parts = Parts(schema, [lex.VALUE_WORDS.get(token, token) for token in stems(text)], text)
    _chart(parts)
    _dates(parts)
    _interval(parts)
    _comparisons(parts)
    _values(parts)
    _adjective(parts)
    _top(parts)
    _group(parts)
    _aggregates(parts)
    _rest(parts)
    _leftovers(parts)
    return parts


def _chart(parts: Parts) -> None:
    phrases = [(kind, phrase) for kind, listed in lex.CHARTS.items() for phrase in listed]
    hits = []
    for kind, phrase in phrases:
        index = find(parts.tokens, stemmed(phrase))
        if index >= 0:
            hits.append((-len(phrase.split()), index, kind, phrase))
    for size, index, kind, _ in sorted(hits)[:1]:
        named = [c for c in parts.schema.columns if c.stems == parts.tokens[index : index - size]]
        if not named:
            parts.chart = kind
            parts.drop(index, index - size)
    index, phrase = first(parts.tokens, lex.DRAW)
    if index >= 0:
        parts.chart = parts.chart or "auto"
        parts.drop(index, index + len(phrase.split()))


def _dates(parts: Parts) -> None:
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


def _interval(parts: Parts) -> None:
    if not parts.schema.dates:
        return
    for name, phrases in lex.INTERVALS.items():
        index, phrase = first(parts.tokens, phrases)
        if index < 0:
            continue
        span = parts.tokens[index : index + len(phrase.split())]
        last = index + len(span) - 1
        if any(m.exact and m.start <= last < m.end for m in parts.schema.mentions(parts.tokens)):
            continue  # it is in a column's name: "month", "annual salary"
        parts.interval = name
        parts.drop(index, index + len(span))
        if index and parts.tokens[index - 1] in ("by", "per", "each"):
            parts.drop(index - 1, index)
        return


def _comparisons(parts: Parts) -> None:
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
                        _filter(parts, column, op, _number(following[0]))
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


def _filter(parts: Parts, column: Column, op: str, value: Any) -> None:
    parts.where.append({"column": column.name, "op": op, "value": value})


def _number(token: str) -> float | int | None:
    """A number, also with k or m for thousands and millions."""
    factor = {"k": 1_000, "m": 1_000_000}.get(token[-1:], 1)
    digits = token[:-1] if factor > 1 else token
    if not digits[:1].isdigit() or not digits.replace(".", "", 1).isdigit():
        return None
    value = float(digits) * factor
    return int(value) if "." not in digits or (factor > 1 and value.is_integer()) else value


def _values(parts: Parts) -> None:
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
        _filter(parts, column, "equals", after[0] in ("true", "yes"))
        parts.drop(start, parts.tokens.index(after[0], end) + 1)
    elif before in ("not", "without", "non"):
        _filter(parts, column, "equals", False)
        parts.drop(start - 1, end)
    elif (
        before in ("only", "were", "was", "are", "is", "where", "many", "with")
        or (start == 0 and before not in lex.BY)
        or (after and before not in lex.BY and _names_things(parts, after[0]))
    ):
        _filter(parts, column, "equals", True)
        parts.drop(start, end)


def _names_things(parts: Parts, token: str) -> bool:
    """Whether a word may be what a yes-or-no column is said of: "insured patients"."""
    return _names_rows(parts, token) or token not in lex.STOP | lex.KNOWN | {GONE}


def _names_rows(parts: Parts, token: str) -> bool:
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


def _adjective(parts: Parts) -> None:
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
        after = _how_many(parts.tokens[end]) if end < len(parts.tokens) else 0
        before = _how_many(parts.tokens[start - 1]) if start else 0
        single = words(parts.text)[end : end + 1] == parts.tokens[end : end + 1]
        noun = end < len(parts.tokens) and _names_rows(parts, parts.tokens[end])
        if not after and not before and not meant[0].timed and not noun:
            continue
        parts.limit = after or before or (1 if noun and single else SHOWN_UNASKED)
        parts.order = "ascending" if ascending else "descending"
        parts.order_by = meant[0]
        parts.drop(start - bool(before and not after), end + bool(after))
        return


def _top(parts: Parts) -> None:
    for index, token in enumerate(parts.tokens):
        descending, ascending = token in lex.DESCENDING, token in lex.ASCENDING
        number = _how_many(parts.tokens[index + 1]) if index + 1 < len(parts.tokens) else 0
        back = _how_many(parts.tokens[index - 1]) if index else 0
        if not number and back and (descending or ascending):
            number, index = back, index - 1
        if (descending or ascending) and 0 < number <= 1000:
            parts.limit = number
            parts.order = "descending" if descending else "ascending"
            parts.drop(index, index + 2)
            return
        if token in ("first", "top", "bottom") and number:
            parts.limit = number
            parts.drop(index, index + 2)
            return
    for order, phrases in lex.SORTED.items():
        index, phrase = first(parts.tokens, phrases)
        if index >= 0:
            parts.order = order
            parts.drop(index, index + len(phrase.split()))


def _how_many(token: str) -> int:
    return int(token) if token.isdigit() else lex.NUMBER_WORDS.get(token, 0)


def _group(parts: Parts) -> None:
    for phrase in lex.BY:
        start = find(parts.tokens, stemmed(phrase))
        while start >= 0:
            end = start + len(phrase.split())
            reached = _grouped_by(parts, end)
            if reached > end:
                parts.drop(start, reached)
            elif parts.interval and phrase in ("by", "per", "each"):
                parts.drop(start, end)
            start = find(parts.tokens, stemmed(phrase), start + 1)


def _grouped_by(parts: Parts, start: int) -> int:
    """Takes columns after "by", joined by "and"; returns where they end."""
    position = start
    while position < len(parts.tokens):
        while position < len(parts.tokens) and parts.tokens[position] in ("and", "the", "each", GONE):
            position += 1
        here = [m for m in parts.schema.mentions(parts.tokens) if m.start == position]
        if not here:
            break
        mention = here[0]
        fits = [c for c in mention.columns if not c.numeric] or list(mention.columns)
        if len(fits) == 1 and fits[0].numeric and parts.limit and not parts.measures:
            parts.measures.append(fits[0])  # "top 5 products by revenue"
        elif len(fits) > 1:
            parts.unclear.append(Mention(mention.start, mention.end, tuple(fits), mention.words, False))
        else:
            parts.by.append(fits[0])
        position = mention.end
        start = position
        if parts.tokens[position : position + 1] not in (["and"], [GONE]):
            break
    return start


def _aggregates(parts: Parts) -> None:
    named = [m for m in parts.schema.mentions(parts.tokens) if m.exact and m.end - m.start > 1]
    inside = {index for m in named for index in range(m.start, m.end)}
    free = [GONE if index in inside else token for index, token in enumerate(parts.tokens)]
    hits = []
    for name, phrases in lex.AGGREGATES.items():
        index, phrase = first(free, phrases)
        if index >= 0:
            hits.append((index, name, len(phrase.split())))
    for index, name, size in sorted(hits):
        parts.aggregates.append(name)
        parts.drop(index, index + size)


def _rest(parts: Parts) -> None:
    for mention in parts.schema.mentions(parts.tokens):
        before = parts.tokens[mention.start - 1] if mention.start else ""
        if not mention.exact and _row_word(parts, mention):
            parts.drop(mention.start, mention.end)
            continue
        if not mention.exact and mention.words in lex.ROW_WORDS and "distinct" in parts.aggregates:
            parts.unclear.append(mention)
            continue
        numbers = [c for c in mention.columns if c.numeric]
        names = [c for c in mention.columns if not c.numeric]
        if len(numbers) == 1 and not (mention.exact and names):
            _add(parts.measures, numbers[0])
        elif not numbers and len(names) == 1:
            _add(parts.others, names[0])
        elif before not in lex.STOP or mention.exact or len(numbers) > 1:
            parts.unclear.append(mention)
        parts.drop(mention.start, mention.end)


def _leftovers(parts: Parts) -> None:
    """Words that nothing took: after "by" a column that does not exist, after "in" or "for" a value to look
    for, a number or weekday to ask about; anything else may change the meaning, so it is asked about."""
    known = lex.STOP | lex.ROW_WORDS | lex.GREETINGS | lex.KNOWN | lex.BENIGN | set(stems(parts.schema.name))
    raw = words(parts.text)
    for index, token in enumerate(parts.tokens):
        if token == GONE or token in known or (len(token) < 2 and not token.isdigit()):
            continue
        before = [t for t in parts.tokens[max(0, index - 3) : index] if t not in ("the", "each", GONE)][-1:]
        taken_before = index > 0 and parts.tokens[index - 1] == GONE
        if before and before[0] in ("by", "per", "each"):
            parts.unclear.append(Mention(index, index + 1, (), raw[index], exact=False))
        elif token in lex.WEEKDAYS:
            parts.problem = parts.problem or 'I can group by weekday ("by weekday"), but not filter by one.'
        elif token.endswith("est") and len(token) > SHORTEST_SUPERLATIVE:
            parts.problem = parts.problem or f'Which column is "{token}" about? Say it as: highest revenue.'
        elif token[0].isdigit():
            _bare_number(parts, token)
        elif before and before[0] in PLACES and not parts.look_up:
            parts.look_up = raw[index]
        elif parts.limit and taken_before and not parts.order_by:
            parts.unclear.append(Mention(index, index + 1, (), raw[index], exact=False))
        else:
            parts.unknown.append(raw[index])


def _bare_number(parts: Parts, token: str) -> None:
    """A number that no filter took: a year of the data is a period, anything else is asked about."""
    date = next(iter(parts.schema.dates), None)
    years = (str(date.low)[:4], str(date.high)[:4]) if date and date.low and date.high else ("9", "0")
    if date and len(token) == 4 and years[0] <= token <= years[1]:
        _filter(parts, date, "equals", token)
        parts.notes.append(f"{token} was read as the year")
    else:
        parts.problem = (
            parts.problem or f"What does {token} stand for? Say it as in: where a column is {token}."
        )


def _row_word(parts: Parts, mention: Mention) -> bool:
    """Whether a word only names the rows: "orders" where there is order_id, not "sales" for sales_amount."""
    if all(parts.schema.is_identifier(column) for column in mention.columns):
        return "distinct" not in parts.aggregates
    if parts.aggregates == ["count"] and not any(mention.words in c.stems[-1:] for c in mention.columns):
        return all(mention.words in c.stems for c in mention.columns)
    if not _names_rows(parts, mention.words):
        return False
    if "count" in parts.aggregates:
        return True
    if any(c in parts.schema.measures for c in mention.columns):
        return has(stems(parts.text), ["list"]) and not parts.by
    return mention.words in stems(parts.schema.name) or has(stems(parts.text), ["list", "show", "which"])


def _add(columns: list[Column], column: Column) -> None:
    if column not in columns:
        columns.append(column)


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

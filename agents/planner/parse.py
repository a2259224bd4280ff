"""A question to an intent: dates, filters, grouping, measure and operation, each found once.

What is found is taken out of the tokens, so that "in Berlin" is not read again as a group. When the
measure or column is ambiguous the intent asks back; nothing is guessed.
"""

from agents.planner import lexicon as lex
from agents.planner.filters import PLACES, add_filter, adjective, comparisons, dates, names_rows, values
from agents.planner.parts import GONE, Parts, how_many
from agents.planner.schema import Column, Mention, Schema
from agents.planner.tokens import find, first, has, stemmed, stems, words

SHORTEST_SUPERLATIVE = 5


def dissect(text: str, schema: Schema) -> Parts:
    """Everything the question says, in the order that keeps one reading from spoiling another."""
    parts = Parts(schema, [lex.VALUE_WORDS.get(token, token) for token in stems(text)], text)
    _chart(parts)
    dates(parts)
    _interval(parts)
    comparisons(parts)
    values(parts)
    adjective(parts)
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


def _top(parts: Parts) -> None:
    for index, token in enumerate(parts.tokens):
        descending, ascending = token in lex.DESCENDING, token in lex.ASCENDING
        number = how_many(parts.tokens[index + 1]) if index + 1 < len(parts.tokens) else 0
        back = how_many(parts.tokens[index - 1]) if index else 0
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
        add_filter(parts, date, "equals", token)
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
    if not names_rows(parts, mention.words):
        return False
    if "count" in parts.aggregates:
        return True
    if any(c in parts.schema.measures for c in mention.columns):
        return has(stems(parts.text), ["list"]) and not parts.by
    return mention.words in stems(parts.schema.name) or has(stems(parts.text), ["list", "show", "which"])


def _add(columns: list[Column], column: Column) -> None:
    if column not in columns:
        columns.append(column)

"""Columns, tables, values and formulas as a person writes them in a request to change the data."""

import re
from dataclasses import dataclass
from typing import Any

from agents.planner.intent import Intent, ask
from agents.planner.parse import dissect
from agents.planner.schema import Column, Schema
from agents.planner.tokens import quoted, stems
from agents.planner.which import turned
from sandbox.engine import quoted as sql_name

QUOTES = "\"'\u201c\u201d\u2018\u2019`"
JOINTS = re.compile(r"\s*(?:,\s*and\b|,|\band\b|&)\s*", re.IGNORECASE)
ARTICLE = re.compile(
    r"^(?:the|a|an|its|their|column|columns|field|values? (?:of|in)|of|in)\s+", re.IGNORECASE
)
IDENTIFIER = re.compile(r'"[^"]+"|\'[^\']*\'|[A-Za-z_][A-Za-z_0-9]*|[^\w\s]|\d+(?:\.\d+)?|\s+')
SPOKEN = {"plus": "+", "minus": "-", "times": "*", "multiplied by": "*", "divided by": "/", "over": "/"}
MISSING = re.compile(
    r"(?P<column>.+?)\s+(?:is|are|=|has)\s+(?P<no>not\s+|no\s+)?(?:a\s+)?"
    r"(?P<what>missing|null|empty|blank|nan|present|filled|known)(?:\s+values?)?",
    re.IGNORECASE,
)
EQUALS = re.compile(
    r"(?P<column>.+?)\s*(?P<op>is not|isn't|!=|<>|is|=|==|equals)\s*"
    r"(?P<value>[\"'\u201c\u2018].*[\"'\u201d\u2019])",
    re.IGNORECASE,
)
WORDS_OF_SQL = {
    "and", "or", "not", "case", "when", "then", "else", "end", "is", "null", "true", "false", "as", "in",
    "between", "like",
}  # fmt: skip


@dataclass
class Unclear(Exception):
    """A question back instead of a guess."""

    intent: Intent


def bare(text: str) -> str:
    """A name without quotes, articles and a full stop."""
    found = text.strip().rstrip(".!?;:").strip()
    while (shorter := ARTICLE.sub("", found)) != found:
        found = shorter
    found = re.sub(r"\s+(?:columns?|fields?)$", "", found, flags=re.IGNORECASE)
    return found.strip().strip(QUOTES).strip()


def table_named(text: str, schema: Schema) -> Schema:
    """The table called so. Raises Unclear."""
    wanted = re.sub(r"^(?:table|dataset)\s+|\s+(?:table|dataset|data)$", "", bare(text), flags=re.IGNORECASE)
    for table in [schema, *schema.others]:
        if wanted.lower() in (table.name.lower(), table.file.lower()) or stems(wanted) == stems(table.name):
            return turned(schema, table.name)
    names = ", ".join(table.name for table in [schema, *schema.others])
    raise Unclear(ask(f'There is no table "{wanted}". The tables are: {names}.'))


def without_table(text: str, schema: Schema) -> tuple[str, Schema | None]:
    """The text without "in customers" at its end, and that table."""
    for table in [schema, *schema.others]:
        for name in (table.name, table.file):
            if not name:
                continue
            said = rf"{re.escape(name)}(?:\s+(?:table|dataset|data))?\s*[.!?]?$"
            pattern = rf"\s+(?:in|from|of|on)\s+(?:the\s+)?{said}"
            if found := re.search(pattern, text, re.IGNORECASE):
                if any(c.name.lower() == name.lower() for t in [schema, *schema.others] for c in t.columns):
                    continue
                return text[: found.start()], turned(schema, table.name)
    return text, None


def columns(text: str, schema: Schema, *, quiet: bool = False) -> list[Column]:
    """The columns of a list in words. Raises Unclear for a word that is none, or could be several."""
    whole = bare(text)
    if exact := _exact(whole, schema):
        return [exact]
    found = [column_named(part, schema, quiet=quiet) for part in JOINTS.split(whole) if bare(part)]
    if not found:
        raise Unclear(ask(f"Which column? The columns are: {listed(schema)}."))
    return list(dict.fromkeys(found))


def column_named(text: str, schema: Schema, *, quiet: bool = False) -> Column:
    """The one column that a name means. Raises Unclear; with `quiet` for a column of another table too."""
    name = bare(text)
    if exact := _exact(name, schema):
        return exact
    tokens = stems(name)
    for mention in schema.mentions(tokens):
        if mention.start == 0 and mention.end == len(tokens):
            part = mention.exact or mention.words in mention.column.stems
            if len(mention.columns) == 1 and part:
                return mention.column
            if len(mention.columns) == 1:
                # Good enough for a question, but a change of the data is not made by a guess.
                raise Unclear(ask(f'There is no column "{name}". Did you mean {mention.column.name}?'))
            names = ", ".join(c.name for c in mention.columns)
            raise Unclear(ask(f'Which column do you mean by "{name}": {names}?'))
    raise Unclear(ask(f'There is no column "{name}". The columns are: {listed(schema)}.'))


def placed(texts: list[str], schema: Schema) -> Schema:
    """The table that has all the named columns: the current one, or the only other one. Raises Unclear."""
    if _has_all(texts, schema) or not schema.others:
        return schema
    fitting = [turned(schema, other.name) for other in schema.others]
    fitting = [table for table in fitting if _has_all(texts, table)]
    if len(fitting) > 1:
        names = ", ".join(table.name for table in fitting)
        raise Unclear(ask(f"Several tables have {' and '.join(map(bare, texts))}: {names}. Say which one."))
    return fitting[0] if fitting else schema


def _has_all(texts: list[str], schema: Schema) -> bool:
    try:
        for text in texts:
            columns(text, schema)
    except Unclear:
        return False
    return True


def _exact(name: str, schema: Schema) -> Column | None:
    for column in schema.columns:
        if column.name == name:
            return column
    same = [c for c in schema.columns if c.name.lower() == name.lower() or c.stems == stems(name) != []]
    return same[0] if len(same) == 1 else None


def listed(schema: Schema) -> str:
    """The columns' names, the first ones of many."""
    names = [column.name for column in schema.columns[:14]]
    return ", ".join([*names, "..."] if len(schema.columns) > len(names) else names)


def value(text: str) -> Any:
    """A value as written: a number, or text without its quotes."""
    plain = text.strip().rstrip(".!;").strip()
    if plain[:1] in QUOTES and len(plain) > 1:
        return plain.strip(QUOTES)
    if re.fullmatch(r"[-+]?\d+", plain):
        return int(plain)
    if re.fullmatch(r"[-+]?\d*\.\d+", plain):
        return float(plain)
    return plain


def where(text: str, schema: Schema) -> list[dict[str, Any]]:
    """Conditions in words, all of which must hold. Raises Unclear for what is no condition."""
    if re.search(r"\bor\b", text, re.IGNORECASE) and not re.search(
        r"or (?:more|less|fewer|above|below)", text
    ):
        raise Unclear(ask('I can combine conditions with "and" only. Do one step for each, or use sql.'))
    found: list[dict[str, Any]] = []
    rest: list[str] = []
    for part in re.split(r"\s+and\s+(?!\d)", text.strip().rstrip(".!"), flags=re.IGNORECASE):
        if match := MISSING.fullmatch(part.strip()):
            gap = match["what"].lower() not in ("present", "filled", "known")
            name = column_named(match["column"], schema).name
            found.append({"column": name, "op": "is_present" if gap == bool(match["no"]) else "is_missing"})
        elif match := EQUALS.fullmatch(part.strip()):
            op = "equals" if match["op"].lower() in ("is", "=", "==", "equals") else "not_equals"
            name = column_named(match["column"], schema).name
            found.append({"column": name, "op": op, "value": value(match["value"])})
        else:
            rest.append(part)
    return found + (_dissected(" and ".join(rest), schema) if rest else [])


def _dissected(text: str, schema: Schema) -> list[dict[str, Any]]:
    parts = dissect(f"where {text}", schema)
    if parts.problem:
        raise Unclear(ask(parts.problem))
    left = parts.unknown or parts.look_up or (quoted(text) and not parts.where)
    if not parts.where or left or parts.unclear or parts.aggregates or parts.by:
        raise Unclear(
            ask(f'I did not understand the condition "{text.strip()}". Say it as: where {_sample(schema)}.')
        )
    return parts.where


def _sample(schema: Schema) -> str:
    text = next((c for c in schema.columns if c.kind == "text" and c.values), None)
    if text is not None:
        return f"{text.name} is {text.values[0]}"
    return f"{schema.columns[0].name} is above 10" if schema.columns else "a column is above 10"


def formula(text: str, schema: Schema) -> str:
    """A formula over columns as SQL: names as they are said, plus and times as signs. Raises Unclear."""
    found = text.strip().rstrip(".!;").strip()
    for word, sign in SPOKEN.items():
        found = re.sub(rf"\b{word}\b", sign, found, flags=re.IGNORECASE)
    for column in sorted(schema.columns, key=lambda c: -len(c.name)):
        spoken = re.escape(column.name).replace("_", "[_ ]").replace(r"\ ", "[_ ]")
        marked = f"\0{column.name}\0".replace("\\", r"\\")
        found = re.sub(rf"(?<![\w\"']){spoken}(?![\w\"'(])", marked, found, flags=re.IGNORECASE)
    pieces: list[str] = []
    for index, piece in enumerate(found.split("\0")):
        pieces.append(sql_name(piece) if index % 2 else _checked(piece, schema))
    return "".join(pieces)


def _checked(piece: str, schema: Schema) -> str:
    """What stands between columns. Raises Unclear for a word that is neither a column nor a function."""
    for match in re.finditer(r"\"[^\"]*\"|'[^']*'|[A-Za-z_]\w*", piece):
        word = match.group()
        function = piece[match.end() :].lstrip().startswith("(")
        if word[0] not in "\"'" and not function and word.lower() not in WORDS_OF_SQL:
            raise Unclear(
                ask(
                    f'"{word}" in the formula is no column and no function. The columns are:'
                    f" {listed(schema)}."
                )
            )
    return piece

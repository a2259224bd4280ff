"""Requests to change the data: one cleaning step, a join, undo, and questions about tables and steps."""

import re
from typing import Any

from agents.planner.cleaning_forms import FORMS
from agents.planner.intent import Intent, Maker, ask
from agents.planner.naming import Unclear, columns, table_named, without_table
from agents.planner.schema import Schema

POLITE = re.compile(
    r"^(?:(?:please|now|then|next|also|first|ok|okay|so|and then|let's|lets|can you|could you|would you|will"
    r" you|"
    r"i want to|i want you to|i would like to|i'd like to|we should|go ahead and|just)[\s,]+)+",
    re.IGNORECASE,
)
UNDO = re.compile(
    r"(?:undo|revert|roll back|take back)(?: (?:that|this|it|the last (?:step|change|one|cleaning|join)|last"
    r" step|"
    r"the (?:join|cleaning|change|step)|cleaning))?(?: (?:in|of|on|for) (?P<table>.+))?|take (?:that|it)"
    r" back",
    re.IGNORECASE,
)
STEPS = re.compile(
    r"how (?:did you|was the data|were the data|was it|have you) clean(?:ed)?.*|"
    r"(?:show|list|give|tell|what are|which are|what were)(?: me)?(?: all)?(?: the| my)? (?:cleaning |last"
    r" )?steps.*|"
    r"(?:what|which) (?:cleaning )?steps.*|what (?:was|have you|did you) (?:changed?|cleaned?).*|"
    r"(?:show |list )?(?:the )?(?:cleaning|history of) (?:history|steps?|changes|log|the data).*",
    re.IGNORECASE,
)
TABLES = re.compile(
    r"(?:what|which) (?:other )?(?:tables|datasets|files) (?:are (?:there|here|loaded|available)|do (?:i|we"
    r"|you) have|"
    r"exist|is there|have i)(?: .*)?|(?:list|show)(?: me)?(?: all)?(?: the| my)? (?:tables|datasets|files)|"
    r"what data (?:is there|do i have|do we have|are there)",
    re.IGNORECASE,
)
JOIN = re.compile(
    r"(?:do an? |make an? )?(?:(?P<how>left|inner|outer|full|full outer|left outer)[ -])?(?:join|merge"
    r"|combine|link)"
    r"(?: the)?(?: tables?)?(?: (?P<left>.+?))??(?: (?:with|and|to|onto|into)(?: the)? (?P<right>.+?))?"
    r"(?: (?:on|by|using|via|over)(?: the)?(?: columns?| keys?)? (?P<keys>.+?))?"
    r"(?P<many>,? (?:and )?(?:allow|allowing|even if|although) .+)?",
    re.IGNORECASE,
)
CHECK = re.compile(
    r"(?:how (?:do|can|could|would)|can|could) (?P<left>.+?) (?:and|be joined with|join with|join|fit|with) "
    r"(?P<right>.+?)(?: (?:be joined|join|fit together|fit|go together|be merged))?",
    re.IGNORECASE,
)
HOWS = {"full": "outer", "full outer": "outer", "left outer": "left"}


def understand(text: str, tokens: list[str], schema: Schema) -> Intent | None:
    """A step, a join, an undo or a list; None when the text asks for nothing of that."""
    plain = POLITE.sub("", text.strip()).strip().rstrip("?!. ").strip()
    try:
        return _about_versions(plain, schema) or _join(plain, schema) or _step(plain, schema)
    except Unclear as unclear:
        return unclear.intent


def _about_versions(text: str, schema: Schema) -> Intent | None:
    if TABLES.fullmatch(text):
        return Intent("list_tables", {})
    if found := UNDO.fullmatch(text):
        return Intent("undo_cleaning", _named(found["table"], schema))
    if STEPS.fullmatch(text):
        _, table = without_table(text, schema)
        return Intent("cleaning_steps", {} if table is None else _dataset(table, schema))
    return None


def _join(text: str, schema: Schema) -> Intent | None:
    if (asked := CHECK.fullmatch(text)) and "join" in text.lower():
        both = asked["left"], asked["right"]
        if all(_is_table(name, schema) for name in both):
            return Intent("check_join", _sides(*both, schema))
    found = JOIN.fullmatch(text)
    if found is None:
        return None
    left: str | None = found["left"]
    right: str | None = found["right"]
    keys: str | None = found["keys"]
    if not schema.others:
        return ask("There is only one table in this conversation. Add the other file first, then join them.")
    if left is not None and left.strip().lower() in ("it", "this", "them", "this table", "the data"):
        left = None
    if right is None and left is not None:
        right = re.sub(r"^with\s+", "", left, flags=re.IGNORECASE)
        left = None
    if right is None:
        if len(schema.others) > 1:
            names = ", ".join(other.name for other in schema.others)
            return ask(f"Join {schema.name} with which table: {names}?")
        right = schema.others[0].name
    if not _is_table(right, schema) and " on " not in f" {text} " and not _is_table(left or "", schema):
        return None
    arguments = _sides(left or schema.name, right, schema)
    if found["how"]:
        arguments["how"] = HOWS.get(found["how"].lower(), found["how"].lower())
    if found["many"]:
        arguments["allow_many"] = True
    if keys:
        arguments |= _keys(
            keys, table_named(arguments["left"], schema), table_named(arguments["right"], schema)
        )
    return Intent("join_tables", arguments)


def _keys(text: str, left: Schema, right: Schema) -> dict[str, Any]:
    sides = re.split(r"\s*(?:==?|\bequals\b|\bmatches\b)\s*", text)
    if len(sides) == 2:
        ours, theirs = (side.split(".")[-1] if "." in side else side for side in sides)
    else:
        ours = theirs = text
    return {
        "left_on": [c.name for c in columns(ours, left)],
        "right_on": [c.name for c in columns(theirs, right)],
    }


def _sides(left: str, right: str, schema: Schema) -> dict[str, Any]:
    names = [table_named(left, schema).name, table_named(right, schema).name]
    if names[0] == names[1]:
        raise Unclear(ask(f"{names[0]} cannot be joined with itself. Say another table."))
    return {"left": names[0], "right": names[1]}


def _is_table(text: str, schema: Schema) -> bool:
    try:
        table_named(text, schema)
    except Unclear:
        return False
    return True


def _step(text: str, schema: Schema) -> Intent | None:
    shorter, table = without_table(text, schema)
    for said, place in [(shorter, table)] if table else [(text, None)]:
        for pattern, make in FORMS:
            if (found := pattern.fullmatch(said)) is None:
                continue
            made = make(found, place or schema, place is not None)
            if made is None:
                continue
            arguments, chosen = made
            return Intent("clean_data", arguments | _dataset(chosen, schema))
    return None


def _dataset(table: Schema, schema: Schema) -> dict[str, Any]:
    return {} if table.name == schema.name else {"dataset": table.name}


def _named(text: str | None, schema: Schema) -> dict[str, Any]:
    return {} if not text else _dataset(table_named(text, schema), schema)


def _cleaned(arguments: dict[str, Any], response: dict[str, Any]) -> str:
    facts = response["facts"]
    before, after = facts["rows_before"], facts["rows_after"]
    if after < before:
        gone = f"**{_count(before - after)}** of {_count(before)} rows were removed"
        rows = f"{gone}; **{_count(after)}** are left."
    elif after > before:
        rows = f"{_count(before)} rows became **{_count(after)}**."
    else:
        rows = f"All **{_count(after)}** rows are kept."
    changed = facts["values_changed"]
    values = f" **{_count(changed)}** value{'' if changed == 1 else 's'} changed." if changed else ""
    return f"{facts['text']}. {rows}{values}{_again(facts)}"


def _count(value: int) -> str:
    return f"{value:,}"


def _again(facts: dict[str, Any]) -> str:
    return f' {facts["dataset"]} is now version {facts["version"]}; say "undo" to go back.'


def _joined(arguments: dict[str, Any], response: dict[str, Any]) -> str:
    facts = response["facts"]
    before, after = facts["rows_before"], facts["rows_after"]
    rows = (
        f"All {_count(before)} rows"
        if before == after
        else f"{_count(before)} rows became **{_count(after)}**"
    )
    kept = " are kept." if before == after else "."
    return f"{facts['text']}. {_relation(facts)} {rows}{kept}{_again(facts)}"


def _relation(facts: dict[str, Any]) -> str:
    left, right = facts["left"], facts["right"]
    said = [f"{left} to {right} is **{facts['relation']}**"]
    if facts["fan_out"] > 1:
        said.append(f"rows of {left} repeat up to {_count(facts['fan_out'])} times")
    said.append(f"**{_count(facts['left_unmatched'])}** rows of {left} have no partner")
    said.append(f"**{_count(facts['right_unmatched'])}** rows of {right} have none")
    return f"{'; '.join(said)}."


def _checked(arguments: dict[str, Any], response: dict[str, Any]) -> str:
    facts = response["facts"]
    keys = " and ".join(a if a == b else f"{a} = {b}" for a, b in facts["keys"])
    left, right = facts["left"], facts["right"]
    if not facts["matched"]:
        return f"No row of {left} has a partner in {right} by {keys}, so joining them would say nothing."
    return (
        f"{left} and {right} could be joined by {keys}; nothing was joined yet. {_relation(facts)}"
        f' Say "join {left} with {right} on {keys}", then ask again.'
    )


def _undone(arguments: dict[str, Any], response: dict[str, Any]) -> str:
    facts = response["facts"]
    return (
        f"Undone: {facts['undone']}. {facts['dataset']} is version {facts['version']} again, with"
        f" **{_count(facts['rows'])}** rows and {_count(facts['columns'])} columns."
    )


def _listed(arguments: dict[str, Any], response: dict[str, Any]) -> str:
    count, current = response["facts"]["tables"], response["facts"]["current"]
    if count == 1:
        return f"There is one table, {current}."
    return (
        f"There are **{_count(count)}** tables. Questions are about {current} unless they name another one."
    )


def _steps(arguments: dict[str, Any], response: dict[str, Any]) -> str:
    facts = response["facts"]
    if not facts["steps"]:
        return f"{facts['dataset']} is as it was read; no cleaning step was made."
    texts = [f"{i}. {row[1]} ({_count(row[2])} rows)" for i, row in enumerate(response["rows"][1:], 1)]
    return f"{facts['dataset']} was cleaned in {_count(facts['steps'])} steps:\n\n" + "\n".join(texts)


MAKERS: dict[str, Maker] = {
    "clean_data": _cleaned,
    "join_tables": _joined,
    "check_join": _checked,
    "undo_cleaning": _undone,
    "list_tables": _listed,
    "cleaning_steps": _steps,
}

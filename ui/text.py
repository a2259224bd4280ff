"""How text from data, people and models reaches the page without steering it.

Streamlit already escapes HTML. What is left is its Markdown: images and links (a picture's address
can carry data out of the page), LaTeX between dollar signs, and `:name[...]` directives.
"""

import re
from collections.abc import Iterable
from datetime import datetime

MARKDOWN_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>$~:&])")
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]*)[^)]*\)")
REFERENCE = re.compile(r"^(\s*)\[([^\]]+)\]:", re.MULTILINE)
AUTOLINK = re.compile(r"<?((?:(?:https?|ftp)://|www\.)[^\s>)\]`]+)>?", re.IGNORECASE)
# Markdown makes links of bare addresses, escaped or not; a joiner without width keeps them words.
ADDRESS_START = re.compile(r"(?:https?|ftp):(?=//)|www(?=\.)|@(?=\w)", re.IGNORECASE)
KIND_NAMES = {
    "integer": "whole number",
    "number": "number",
    "text": "text",
    "date": "date",
    "datetime": "date and time",
    "time": "time",
    "boolean": "yes / no",
}
"""Kinds of columns, for people."""
JOINER = "\u2060"
DIRECTIVE = re.compile(r":(?=[A-Za-z][\w-]*[\[/:])")
CODE = re.compile(r"(```.*?```|`[^`\n]*`)", re.DOTALL)
TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def literal(text: str) -> str:
    """Text that Streamlit's Markdown shows exactly as it stands, on one line."""
    words = ADDRESS_START.sub(rf"\g<0>{JOINER}", " ".join(text.split()))
    return MARKDOWN_SPECIAL.sub(r"\\\1", words)


def answer(text: str) -> str:
    """An answer's Markdown with formatting kept, but nothing that loads, links or typesets."""
    pieces = CODE.split(text)
    return "".join(piece if i % 2 else _defuse(piece) for i, piece in enumerate(pieces))


def _defuse(prose: str) -> str:
    prose = LINK.sub(lambda match: f"{match[2]} ({match[3]})", prose)
    prose = REFERENCE.sub(r"\1\\[\2\\]:", prose)
    prose = prose.replace("![", "!\\[")
    prose = AUTOLINK.sub(r"`\1`", prose)
    prose = DIRECTIVE.sub(r"\\:", prose)
    return re.sub(r"(?<!\\)\$", r"\\$", prose)


def plain(text: str) -> str:
    """Printed text without terminal commands and without signs that turn the order of what is read."""
    return CONTROL.sub("", TERMINAL.sub("", text.replace("\r\n", "\n")))


def count(number: int, singular: str, plural: str = "") -> str:
    """ "1 row", "6,000 rows"."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def listing(items: Iterable[str]) -> str:
    """Markdown bullets of literal lines."""
    return "\n".join(f"- {literal(item)}" for item in items)


def day_label(moment: float, now: datetime) -> str:
    """The sidebar's heading for a Unix time in seconds: Today, Yesterday, Last 7 days, or a month."""
    then = datetime.fromtimestamp(moment, tz=now.tzinfo)
    days = (now.date() - then.date()).days
    if days <= 0:
        return "Today"
    if days == 1:
        return "Yesterday"
    if days < 7:
        return "Last 7 days"
    return then.strftime("%B %Y")

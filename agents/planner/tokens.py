"""Text to words, the same way for questions, column names and values."""

import re

CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")
WORD = re.compile(r"\d{4}-\d{1,2}(?:-\d{1,2})?|\d+(?:\.\d+)?(?![^\W\d_])|[^\W_]+|[<>]=?|=")
# Straight and typographic quotes, the latter as escapes.
QUOTED = re.compile(
    r"[\"\u201c\u201d]([^\"\u201c\u201d]+)[\"\u201c\u201d]|(?<!\w)['\u2018]([^'\u2019]+)['\u2019](?!\w)"
)


def words(text: str) -> list[str]:
    """Lower-case words: camelCase and snake_case are cut, numbers and ISO dates stay whole."""
    spaced = CAMEL.sub(" ", THOUSANDS.sub("", text.replace("_", " ")))
    spaced = re.sub(r"(?<=\w)['\u2019]s\b", "", spaced)
    return [word.lower() for word in WORD.findall(spaced)]


def stem(word: str) -> str:
    """The singular of an English plural, roughly."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ses", "xes", "zes", "ches", "shes")):
        return word[:-2] if not word.endswith("ses") or word.endswith("sses") else word[:-1]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def stems(text: str) -> list[str]:
    """The stems of a text's words."""
    return [stem(word) for word in words(text)]


def quoted(text: str) -> list[str]:
    """What stands in quotes."""
    return [a or b for a, b in QUOTED.findall(text)]


def find(tokens: list[str], phrase: str, start: int = 0) -> int:
    """Where a phrase of stems begins, or -1."""
    wanted = phrase.split()
    for index in range(start, len(tokens) - len(wanted) + 1):
        if tokens[index : index + len(wanted)] == wanted:
            return index
    return -1


def first(tokens: list[str], phrases: list[str]) -> tuple[int, str]:
    """The phrase that begins first, the longest at a tie; (-1, "") for none."""
    hits = [(find(tokens, stemmed(p)), -len(p.split()), p) for p in phrases]
    hits = sorted(hit for hit in hits if hit[0] >= 0)
    return (hits[0][0], hits[0][2]) if hits else (-1, "")


def has(tokens: list[str], phrases: list[str]) -> bool:
    """Whether any phrase occurs."""
    return first(tokens, phrases)[0] >= 0


def stemmed(phrase: str) -> str:
    """A phrase with each word stemmed."""
    return " ".join(stem(word) for word in phrase.split())

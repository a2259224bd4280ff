"""How counts, shares and values read in a sentence."""

from typing import Any

LONGEST = 40
SPACE = "␣"


def counted(count: int, what: str = "row") -> str:
    """ "1 row", "2,000 rows"."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def verb(count: int, one: str, many: str) -> str:
    """The verb's form for so many."""
    return one if count == 1 else many


def share(count: int, of: int) -> str:
    """A part as a percentage; never 0 or 100 % for what is not none or all."""
    part = 100 * count / of if of else 0.0
    if 0 < part < 0.1:
        return "under 0.1 %"
    return "over 99.9 %" if count < of and part >= 99.95 else f"{part:.1f} %"


def listed(names: list[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def shown(value: Any) -> str:
    """A value: texts in quotes and cut, with spaces at the ends shown; yes or no in words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return number(value)
    bare = str(value).strip(" ")
    before, _, after = str(value).partition(bare) if bare else (str(value), "", "")
    # Spaces at the ends would not be seen.
    text = SPACE * len(before) + " ".join(bare.split()) + SPACE * len(after)
    return f"“{text if len(text) <= LONGEST else text[: LONGEST - 1] + '…'}”"


def number(value: Any) -> str:
    """A number: whole ones whole, others with four digits; what is text stays."""
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer() and abs(value) < 1e15):
        return f"{int(value):,}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
    return str(value)

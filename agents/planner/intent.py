"""What a question was understood to ask."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Maker = Callable[[dict[str, Any], dict[str, Any]], str]
"""Makes sentences of a call's arguments and of what the tool returned."""


@dataclass
class Intent:
    """A tool and its arguments, or a question back."""

    tool: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    reply: str = ""
    """Said instead of calling a tool: a question back, help, or what cannot be done."""
    look_up: str = ""
    """A value that no listed column shows; it is looked for first."""
    notes: list[str] = field(default_factory=list)
    """How something was read that could be read otherwise."""


def ask(text: str) -> Intent:
    """An intent that only says something."""
    return Intent(reply=text)

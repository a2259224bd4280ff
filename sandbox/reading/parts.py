"""The tables that are in a file."""

from dataclasses import dataclass, field
from typing import Any

from sandbox.reading.options import ReadOptions


@dataclass(frozen=True)
class Part:
    """One table of a file."""

    options: ReadOptions
    """What to read it with: the person's options, and where in the file it is."""
    name: str = ""
    """The sheet, table or member of an archive; empty for a file that is one table."""
    notes: list[str] = field(default_factory=list)
    rows: int | None = None
    """None: unknown before it is read."""
    hidden: bool = False
    """A hidden sheet."""

    def to_json(self) -> dict[str, Any]:
        """For the pipe."""
        return dict(vars(self)) | {"options": self.options.to_json()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Part":
        """The inverse."""
        return cls(**(data | {"options": ReadOptions.from_json(data["options"])}))

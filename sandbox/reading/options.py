"""How a file is read: what a person may decide, and what is decided from the file where they did not."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

RULES = 1
"""Changes when the same options would now give another table."""
FORMATS = ("csv", "excel", "parquet", "json", "jsonl", "sqlite", "duckdb")
TYPES = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "datetime": "TIMESTAMP",
    "time": "TIME",
}
ENCODINGS = {
    "utf-8": "UTF-8",
    "cp1252": "Windows-1252 (Western European)",
    "latin-1": "Latin-1 (ISO 8859-1)",
    "iso8859-15": "Latin-9 (ISO 8859-15)",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16, low byte first",
    "utf-16-be": "UTF-16, high byte first",
    "utf-32": "UTF-32",
    "cp1250": "Windows-1250 (Central European)",
    "cp1251": "Windows-1251 (Cyrillic)",
    "koi8-r": "KOI8-R (Russian)",
    "cp1253": "Windows-1253 (Greek)",
    "cp1254": "Windows-1254 (Turkish)",
    "cp1255": "Windows-1255 (Hebrew)",
    "cp1256": "Windows-1256 (Arabic)",
    "cp437": "DOS 437",
    "cp850": "DOS 850",
    "mac-roman": "Mac Roman",
    "shift_jis": "Shift JIS (Japanese)",
    "euc-jp": "EUC-JP (Japanese)",
    "gb18030": "GB 18030 (Chinese)",
    "big5": "Big5 (Chinese)",
    "euc-kr": "EUC-KR (Korean)",
}
"""Those offered, by Python's name; every other codec for text that Python has is taken too."""


@dataclass(frozen=True)
class ReadOptions:
    """None: decide from the file."""

    format: str | None = None
    """One of FORMATS."""
    member: str | None = None
    """The file inside a zip archive."""
    part: str | None = None
    """The sheet, or the table of a database."""
    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    """Empty for none."""
    skip: int | None = None
    """Lines (in a sheet: rows) before the header or first row."""
    header_rows: int | None = None
    """0 for no header; more than one are joined into names."""
    decimal: str | None = None
    """The decimal mark, . or , in columns of text."""
    thousands: str | None = None
    """What separates thousands; empty for nothing."""
    day_first: bool | None = None
    """Whether 03/04/2024 is in April."""
    skip_last: int | None = None
    """Rows left out at the end, such as totals."""
    types: dict[str, str] = field(default_factory=dict)
    """One of TYPES by column."""

    def to_json(self) -> dict[str, Any]:
        """Only what was decided."""
        return {name: value for name, value in asdict(self).items() if value not in (None, {})}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "ReadOptions":
        """The inverse; names that are no option are passed over."""
        known = {one.name for one in fields(cls)}
        return cls(**{name: value for name, value in data.items() if name in known})

    def key(self) -> str:
        """The same for the same reading; a part of file names."""
        text = json.dumps([RULES, self.to_json()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def but(self, **changes: Any) -> "ReadOptions":
        """These with some others."""
        return replace(self, **changes)

"""How delimited text is written: delimiter, quote, header, decimal mark; decided from its beginning."""

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from sandbox.errors import Unreadable
from sandbox.reading.encoding import EMPTY, HEAD_BYTES
from sandbox.reading.headers import find_header, renamed_note
from sandbox.reading.options import ENCODINGS, ReadOptions

SAMPLE_ROWS = 400
DELIMITERS = [",", ";", "\t", "|"]
DELIMITER_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "space"}
DECIMAL_COMMA = re.compile(r"\s*[-+]?\d{1,3}((\.\d{3})+|\d*),\d+\s*")
DECIMAL_POINT = re.compile(r"\s*[-+]?\d{1,3}((,\d{3})+|\d*)\.\d+\s*")
NO_ROWS = "The file has a header and no rows. Upload one with at least one row of data."


@dataclass
class Dialect:
    """Decisions about one file."""

    encoding: str
    delimiter: str
    quote: str
    lines: int
    """Lines before the first row of data; one that goes on in quotes counts once."""
    skip: int
    """Lines of those before the header."""
    header_rows: int
    originals: list[str]
    names: list[str]
    """Column names, unique without regard to case."""
    decimals: list[str]
    """Decimal marks to try, the likeliest first."""
    multiline: bool
    """Whether a row of the beginning goes over several lines."""
    notes: list[str] = field(default_factory=list)

    def decided(self, options: ReadOptions) -> dict[str, Any]:
        """The options with what was decided in place of None."""
        return options.but(
            format="csv", encoding=self.encoding, delimiter=self.delimiter, quote=self.quote, skip=self.skip,
            header_rows=self.header_rows, decimal=self.decimals[0], skip_last=options.skip_last or 0,
        ).to_json()  # fmt: skip


def detect(text: str, encoding: str, options: ReadOptions, *, whole: bool) -> Dialect:
    """Decides from the beginning of a file; `whole` when `text` is all of it. Raises Unreadable."""
    delimiter = options.delimiter or detect_delimiter(text)
    quote = '"' if options.quote is None else options.quote
    if len(delimiter) != 1 or len(quote) > 1:
        raise Unreadable("A delimiter is one character, and a quote one character or none.")
    starts: list[int] = []
    rows = parse(text, delimiter, quote, starts, whole=whole)
    if not rows:
        raise Unreadable(EMPTY)
    skip = None if options.skip is None else sum(start < options.skip for start in starts)
    header = find_header(rows, skip=skip, rows=options.header_rows)
    data = header.skip + header.rows
    if whole and data >= len(rows) and header.rows:
        raise Unreadable(NO_ROWS)
    if header.skip >= len(starts):
        raise Unreadable("Nothing is left of the file after the lines to skip. Skip fewer.")
    body = rows[data:]
    names = header.names
    found = Dialect(
        encoding=encoding,
        delimiter=delimiter,
        quote=quote,
        lines=starts[data] if data < len(starts) else starts[-1] + 1,
        skip=starts[header.skip],
        header_rows=header.rows,
        originals=header.originals,
        names=names,
        decimals=_decimals(body, delimiter, options),
        multiline=any("\n" in cell or "\r" in cell for row in body for cell in row),
    )
    found.notes = _notes(found, options)
    return found


def detect_delimiter(text: str) -> str:
    """The delimiter that cuts most rows into the same number (more than one) of fields."""
    best, best_score = ",", 0.0
    sample = text[:HEAD_BYTES]
    for delimiter in DELIMITERS:
        rows = [row for row in parse(sample, delimiter, '"', whole=len(text) < HEAD_BYTES) if any(row)]
        counts = Counter(len(row) for row in rows)
        width, same = counts.most_common(1)[0] if counts else (1, 0)
        if width < 2:
            wide = sum(n for w, n in counts.items() if w > 1)
            score = 0.3 * wide / max(len(rows), 1)
        else:
            score = same / len(rows) + min(width, 50) / 1000
        if score > best_score:
            best, best_score = delimiter, score
    return best


def parse(
    text: str, delimiter: str, quote: str, starts: list[int] | None = None, *, whole: bool = True
) -> list[list[str]]:
    """The first rows of `text` without empty lines, nor a last row that may be cut.

    `starts` gets the number of lines before each row; one that goes on in quotes counts once.
    """
    csv.field_size_limit(1 << 30)
    style: dict[str, Any] = {"quotechar": quote} if quote else {"quoting": csv.QUOTE_NONE}
    reader = csv.reader(io.StringIO(text.replace("\x00", ""), newline=""), delimiter=delimiter, **style)
    rows: list[list[str]] = []
    try:
        for line, row in enumerate(reader):
            if any(cell.strip() for cell in row) or len(row) > 1:
                rows.append(row)
                if starts is not None:
                    starts.append(line)
            if len(rows) > SAMPLE_ROWS:
                return rows
    except csv.Error:
        return rows
    if not whole and len(rows) > 1:
        rows.pop()
        if starts is not None:
            starts.pop()
    return rows


def encoding_name(encoding: str) -> str:
    """The name people know."""
    if encoding == "utf-8-sig":
        return "UTF-8"
    return ENCODINGS.get(encoding, encoding)


def _decimals(body: list[list[str]], delimiter: str, options: ReadOptions) -> list[str]:
    if options.decimal:
        return [options.decimal]
    cells = [cell for row in body for cell in row]
    commas = sum(bool(DECIMAL_COMMA.fullmatch(cell)) for cell in cells)
    points = sum(bool(DECIMAL_POINT.fullmatch(cell)) for cell in cells)
    if options.thousands == ",":
        return ["."]
    if options.thousands == ".":
        return [","]
    return [",", "."] if commas > points and delimiter != "," else [".", ","]


def _notes(found: Dialect, options: ReadOptions) -> list[str]:
    name = DELIMITER_NAMES.get(found.delimiter, repr(found.delimiter))
    notes = [f"Read as {encoding_name(found.encoding)}, {name} separated."]
    if found.skip and options.skip is None:
        notes.append(f"{found.skip} line(s) before the table were skipped.")
    if found.header_rows > 1:
        notes.append(
            f"The first {found.header_rows} rows name the columns; their parts are joined into names."
        )
    if not found.header_rows:
        notes.append("There is no header line; columns are called column_1, column_2 and so on.")
        return notes
    return notes + renamed_note(found.originals, found.names)

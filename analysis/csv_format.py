"""How a delimited text file is written: encoding, delimiter, decimal mark, header.

Decided from the bytes by fixed rules (byte order mark, then strict UTF-8, then Windows-1252) because
statistical guessers call Western files Central European. The reading itself is left to DuckDB.
"""

import codecs
import csv
import io
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.errors import IngestError

SAMPLE_BYTES = 512 * 1024
SAMPLE_ROWS = 400
PREAMBLE_LINES = 20
DELIMITERS = [",", ";", "\t", "|"]
DELIMITER_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
SIGNATURES = {
    b"PK\x03\x04": "a ZIP or Excel file. Save the sheet as CSV and upload that",
    b"\x1f\x8b": "a gzip archive. Unpack it and upload the CSV inside",
    b"%PDF": "a PDF. Export the table as CSV and upload that",
    b"PAR1": "a Parquet file. Export it as CSV and upload that",
    b"\xd0\xcf\x11\xe0": "an old Excel file. Save the sheet as CSV and upload that",
    b"\x89PNG": "a picture. Upload the table as CSV",
    b"\xff\xd8\xff": "a picture. Upload the table as CSV",
    b"SQLite format 3": "an SQLite database. Export the table as CSV and upload that",
}
NUMBER = re.compile(r"\s*[-+]?(\d+([.,]\d+)*|[.,]\d+)([eE][-+]?\d+)?\s*%?\s*")
DECIMAL_COMMA = re.compile(r"\s*[-+]?\d{1,3}((\.\d{3})+|\d*),\d+\s*")
DECIMAL_POINT = re.compile(r"\s*[-+]?\d{1,3}((,\d{3})+|\d*)\.\d+\s*")
DATE_LIKE = re.compile(r"\s*(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4})([ T].*)?")
AMBIGUOUS_DATE = re.compile(r"\s*(\d{1,2})[-/.](\d{1,2})[-/.](\d{2,4})\b.*")


@dataclass
class CsvFormat:
    """Decisions about one file."""

    encoding: str
    delimiter: str
    quote: str = '"'
    skip: int = 0
    """Physical lines before the header or first row."""
    header: bool = True
    names: list[str] = field(default_factory=list)
    """Column names, unique without regard to case."""
    original_names: list[str] = field(default_factory=list)
    decimal: str = "."
    notes: list[str] = field(default_factory=list)

    def read_options(self) -> dict[str, Any]:
        """What the converter needs; the file it reads is UTF-8 by then."""
        return {
            "delimiter": self.delimiter,
            "quote": self.quote,
            "skip": self.skip,
            "header": self.header,
            "names": self.names,
            "encoding": "utf-8",
            "decimal": self.decimal,
        }


def detect_encoding(path: Path) -> str:
    """utf-8, utf-8-sig, utf-16, utf-16-le, utf-16-be, cp1252 or latin-1.

    Raises IngestError for an empty or binary file.
    """
    with path.open("rb") as file:
        head = file.read(SAMPLE_BYTES)
    if not head.strip(b"\x00 \t\r\n\xef\xbb\xbf\xff\xfe"):
        raise IngestError("The file is empty. Upload one with a header and at least one row.")
    for signature, what in SIGNATURES.items():
        if head.startswith(signature):
            raise IngestError(f"This is {what}.")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    zeros_even, zeros_odd = head[0::2].count(0), head[1::2].count(0)
    half = max(len(head) // 2, 1)
    if zeros_odd > 0.4 * half and zeros_even < 0.1 * half:
        return "utf-16-le"
    if zeros_even > 0.4 * half and zeros_odd < 0.1 * half:
        return "utf-16-be"
    control = sum(head.count(bytes([code])) for code in range(32) if code not in (0, 9, 10, 12, 13))
    if head.count(0) > 0.05 * len(head) or control > 0.02 * len(head):
        raise IngestError("This is no text file. Export the table as CSV and upload that.")
    return (
        "utf-8" if is_decodable(path, "utf-8") else ("cp1252" if is_decodable(path, "cp1252") else "latin-1")
    )


def is_decodable(path: Path, encoding: str) -> bool:
    """Whether the whole file is valid in `encoding`."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    with path.open("rb") as file:
        try:
            while chunk := file.read(SAMPLE_BYTES):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def write_utf8(source: Path, target: Path, encoding: str) -> None:
    """Copies `source` as UTF-8 without byte order mark and without NUL characters."""
    with (
        source.open("r", encoding=encoding, errors="replace", newline="") as incoming,
        target.open("w", encoding="utf-8", newline="") as outgoing,
    ):
        while chunk := incoming.read(SAMPLE_BYTES):
            outgoing.write(chunk.replace("\x00", ""))


def detect_format(path: Path, encoding: str) -> CsvFormat:
    """Delimiter, header, names and decimal mark of a UTF-8 file that was written in `encoding`.

    Raises IngestError when there is a header and no row, or nothing at all.
    """
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        sample = file.read(SAMPLE_BYTES)
    delimiter = detect_delimiter(sample)
    lines = sample.splitlines()
    skip = preamble_lines(lines, delimiter)
    rows = parse("\n".join(lines[skip:]), delimiter)
    if not rows:
        raise IngestError("The file is empty. Upload one with a header and at least one row.")
    header = has_header(rows)
    if header and len(rows) < 2 and len(sample) < SAMPLE_BYTES:
        raise IngestError("The file has a header and no rows. Upload one with at least one row of data.")
    width = Counter(len(row) for row in rows).most_common(1)[0][0]
    first = rows[0] if header else []
    width = max(width, len(first))
    originals = (first + [""] * width)[:width] if header else [""] * width
    found = CsvFormat(encoding, delimiter, skip=skip, header=header, original_names=originals)
    found.names = unique_names(originals)
    found.decimal = "," if delimiter != "," and uses_decimal_comma(rows[1:]) else "."
    found.notes = _notes(found, rows)
    return found


def detect_delimiter(sample: str) -> str:
    """The delimiter that cuts most rows into the same number (more than one) of fields."""
    best, best_score = ",", 0.0
    for delimiter in DELIMITERS:
        rows = parse(sample, delimiter)
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


def parse(text: str, delimiter: str) -> list[list[str]]:
    """The first rows of `text`; empty lines are left out, and a last line that may be cut."""
    csv.field_size_limit(1 << 30)
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            if row:
                rows.append(row)
            if len(rows) > SAMPLE_ROWS:
                break
    except csv.Error:
        return rows
    if len(text) >= SAMPLE_BYTES and 1 < len(rows) <= SAMPLE_ROWS:
        rows.pop()
    return rows


def preamble_lines(lines: list[str], delimiter: str) -> int:
    """How many lines stand before the table: title lines with fewer fields than the rows have."""
    counts = [len(parse(line, delimiter)[0]) if line.strip() else 0 for line in lines[:200]]
    widths = Counter(count for count in counts if count > 1)
    if not widths:
        return next((i for i, count in enumerate(counts) if count), 0)
    width = widths.most_common(1)[0][0]
    for index, count in enumerate(counts[:PREAMBLE_LINES]):
        if count >= max(2, width - 1) or (count > 1 and index == 0):
            inside_quotes = "\n".join(lines[:index]).count('"') % 2 == 1
            return 0 if inside_quotes else index
    return 0


def has_header(rows: list[list[str]]) -> bool:
    """Whether the first row names columns: no number or date in it, or rows below that differ."""
    first, body = rows[0], rows[1:50]
    if not any(is_value(cell) for cell in first):
        return True
    for index, cell in enumerate(first):
        below = [row[index] for row in body if index < len(row) and row[index].strip()]
        numeric = sum(is_value(value) for value in below)
        if cell.strip() and not is_value(cell) and below and numeric > 0.8 * len(below):
            return True
    return False


def is_value(cell: str) -> bool:
    """Whether a cell is a number or a date, which names seldom are."""
    return bool(NUMBER.fullmatch(cell) or DATE_LIKE.fullmatch(cell))


def unique_names(originals: list[str]) -> list[str]:
    """Trimmed names; an empty one becomes column_3, a repeated one gets _2, _3."""
    names: list[str] = []
    taken: set[str] = set()
    for index, original in enumerate(originals, start=1):
        base = " ".join(original.replace("\ufeff", "").split()) or f"column_{index}"
        name, number = base, 2
        while name.lower() in taken:
            name, number = f"{base}_{number}", number + 1
        taken.add(name.lower())
        names.append(name)
    return names


def uses_decimal_comma(rows: list[list[str]]) -> bool:
    """Whether numbers are written 3,14 rather than 3.14."""
    cells = [cell for row in rows for cell in row]
    commas = sum(bool(DECIMAL_COMMA.fullmatch(cell)) for cell in cells)
    points = sum(bool(DECIMAL_POINT.fullmatch(cell)) for cell in cells)
    return commas > points


def _notes(found: CsvFormat, rows: list[list[str]]) -> list[str]:
    notes = [f"Read as {encoding_name(found.encoding)}, {DELIMITER_NAMES[found.delimiter]} separated."]
    if found.decimal == ",":
        notes.append("Numbers use a decimal comma.")
    if found.skip:
        notes.append(f"{found.skip} line(s) before the table were skipped.")
    if not found.header:
        notes.append("There is no header line; columns are called column_1, column_2 and so on.")
    renamed = [(old, new) for old, new in zip(found.original_names, found.names, strict=True) if old != new]
    if found.header and renamed:
        listed = "; ".join(f"{old!r} is now {new!r}" for old, new in renamed[:10])
        more = f" and {len(renamed) - 10} more" if len(renamed) > 10 else ""
        notes.append(f"Renamed columns so that each name is unique and clean: {listed}{more}.")
    short = sum(len(row) < len(found.names) for row in rows[1:])
    if short:
        notes.append("Some rows have fewer fields than the header; the missing ones are empty.")
    return notes + _date_notes(found.names, rows[1:] if found.header else rows)


def _date_notes(names: list[str], rows: list[list[str]]) -> list[str]:
    notes = []
    for index, name in enumerate(names):
        cells = [row[index] for row in rows if index < len(row) and row[index].strip()]
        parts = [AMBIGUOUS_DATE.fullmatch(cell) for cell in cells]
        if cells and all(parts):
            days = [(int(m[1]), int(m[2])) for m in parts if m]
            if all(first <= 12 and second <= 12 for first, second in days):
                notes.append(
                    f"Dates in {name!r} such as {cells[0].strip()} could be day first or month "
                    "first; they were read as day first."
                )
    return notes


def encoding_name(encoding: str) -> str:
    """The name people know."""
    names = {"cp1252": "Windows-1252 (Western European)", "latin-1": "Latin-1"}
    return names.get(encoding, "UTF-16" if encoding.startswith("utf-16") else "UTF-8")

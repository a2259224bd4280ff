"""Where a table begins in a grid of cells, how many rows name its columns, and what the names are.

The same rules for delimited text and for sheets: titles above the table, names over several rows with groups
that span columns, and a row of totals at the end.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from sandbox.errors import Unreadable
from sandbox.reading.readings import is_missing

NUMBER = re.compile(r"\s*[-+(]?[$€£¥]?\s*(\d+([.,' \u00a0]\d+)*|[.,]\d+)([eE][-+]?\d+)?\s*[%€)]?\s*")
DATE_LIKE = re.compile(r"\s*(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4})([ T].*)?")
YEAR = re.compile(r"(19|20)\d\d(\.0)?")
TOTAL = re.compile(
    r"\s*(grand |sub)?(total|totals|sum|summe|gesamt|gesamtsumme|insgesamt|somme|totale|totaal|suma)\b.*",
    re.IGNORECASE,
)
TITLE_ROWS = 20
HEADER_ROWS = 3
MAX_COLUMNS = 10_000
TOO_WIDE = (
    "The table has {0:,} columns; at most {1:,} are read. Is the delimiter right, and the rows in lines?"
)
BODY_ROWS = 50
Row = Sequence[str]


@dataclass
class Header:
    """What the first rows of a grid say."""

    skip: int
    """Rows before the names, or before the first row where nothing names columns."""
    rows: int
    """Rows that name columns."""
    originals: list[str] = field(default_factory=list)
    """Names as they stand there; empty where there is none."""

    @property
    def names(self) -> list[str]:
        """Names to use, unique without regard to case."""
        return unique_names(self.originals)


def find_header(grid: Sequence[Row], *, skip: int | None = None, rows: int | None = None) -> Header:
    """The header of a grid; a person's `skip` and `rows` are taken as they are."""
    start = title_rows(grid) if skip is None else min(skip, len(grid))
    body = grid[start:]
    count = header_rows(body) if rows is None else min(rows, len(body))
    width = max((len(row) for row in body[:count]), default=0)
    below = Counter(len(row) for row in body[count:] if len(row))
    if below:
        width = max(width, below.most_common(1)[0][0] if width else max(below))
    return Header(start, count, joined(body[:count], width))


def title_rows(grid: Sequence[Row]) -> int:
    """How many rows stand before the table: titles that fill fewer cells than its rows do."""
    counts = [_filled(row) for row in grid]
    widths = Counter(count for count in counts if count > 1)
    if not widths:
        return next((index for index, count in enumerate(counts) if count), 0)
    width = widths.most_common(1)[0][0]
    full = max(2, width - 1)
    for index, count in enumerate(counts[:TITLE_ROWS]):
        begins = index == 0 and count > 1 and 2 * count >= width
        if count >= full or begins or _is_group_row(grid[index : index + HEADER_ROWS], full):
            return index
    return 0


def header_rows(grid: Sequence[Row]) -> int:
    """How many rows name columns: 0 to 3."""
    if not grid:
        return 0
    if not _names_columns(grid[0], grid[1 : BODY_ROWS + 1]):
        return 0
    count = 1
    while count < min(HEADER_ROWS, len(grid) - 1) and _goes_on(
        grid[count - 1], grid[count], grid[count + 1 :]
    ):
        count += 1
    return count


def joined(rows: Sequence[Row], width: int) -> list[str]:
    """One name a column: the parts above each other, where an empty cell of a group takes its left one's."""
    parts: list[list[str]] = [[] for _ in range(width)]
    for number, row in enumerate(rows):
        last = ""
        for index in range(width):
            cell = row[index].strip() if index < len(row) else ""
            spans = number < len(rows) - 1
            last = cell or (last if spans else "")
            if last and last not in parts[index][-1:]:
                parts[index].append(last)
    return [" ".join(part) for part in parts]


def unique_names(originals: Sequence[str]) -> list[str]:
    """Trimmed names; an empty one becomes column_3, a repeated one gets _2, _3.

    Raises Unreadable when there are too many.
    """
    if len(originals) > MAX_COLUMNS:
        raise Unreadable(TOO_WIDE.format(len(originals), MAX_COLUMNS))
    names: list[str] = []
    taken: set[str] = set()
    for index, original in enumerate(originals, start=1):
        base = " ".join(original.replace("\ufeff", "").replace("\x00", "").split()) or f"column_{index}"
        name, number = base, 2
        while name.lower() in taken:
            name, number = f"{base}_{number}", number + 1
        taken.add(name.lower())
        names.append(name)
    return names


def renamed_note(originals: Sequence[str], names: Sequence[str]) -> list[str]:
    """What is said when names had to be changed."""
    changed = [(old, new) for old, new in zip(originals, names, strict=False) if old != new]
    if not changed:
        return []
    listed = "; ".join(f"{old[:80]!r} is now {new[:80]!r}" for old, new in changed[:10])
    more = f" and {len(changed) - 10} more" if len(changed) > 10 else ""
    return [f"Renamed columns so that each name is unique and clean: {listed}{more}."]


def totals_note(last: Row) -> list[str]:
    """What is said when the last row of the table looks like a total."""
    first = next((cell.strip() for cell in last if cell and cell.strip()), "")
    if not TOTAL.fullmatch(first):
        return []
    return [
        f"The last row begins with {first[:40]!r} and looks like a total. It is kept as a row;"
        " leave out 1 row at the end if it is none."
    ]


def is_value(cell: str) -> bool:
    """Whether a cell is a number or a date, which names seldom are."""
    return bool(NUMBER.fullmatch(cell) or DATE_LIKE.fullmatch(cell))


def _names_columns(first: Row, body: Sequence[Row]) -> bool:
    """No number or date in it, or rows below that differ."""
    if not any(is_value(cell) for cell in first if cell.strip()):
        return True
    for index, cell in enumerate(first):
        below = [row[index] for row in body if index < len(row) and row[index].strip()]
        numeric = sum(is_value(value) for value in below)
        if cell.strip() and not is_value(cell) and below and numeric > 0.8 * len(below):
            return True
    # Years as names, over numbers that are none.
    years = [cell for cell in first if YEAR.fullmatch(cell.strip())]
    return len(years) > 1 and sum(is_value(cell) for cell in first if cell.strip()) == len(years)


def _goes_on(above: Row, row: Row, body: Sequence[Row]) -> bool:
    """Whether `row` also names columns: those `above` are groups with gaps, or the values begin below it."""
    if not body or not any(cell.strip() for cell in row):
        return False
    cells = [cell for cell in row if cell.strip()]
    columns = [index for index, cell in enumerate(row) if cell.strip()]
    valued = [index for index in columns if _column_of_values(body[:BODY_ROWS], index)]
    if not any(is_value(cell) or is_missing(cell) for cell in cells):
        return bool(valued) and (_has_gap(above, row) or len(valued) == len(columns) > 1)
    years = [cell for cell in cells if YEAR.fullmatch(cell.strip())]
    return len(years) > 1 and _has_gap(above, row)


def _is_group_row(rows: Sequence[Row], full: int) -> bool:
    """Whether the first row has gaps between its cells that the rows below fill: names that span columns."""
    filled = [{index for index, cell in enumerate(row) if cell.strip()} for row in rows]
    first = filled[0]
    if len(first) < 2 or max(first) - min(first) + 1 == len(first):
        return False
    return any(below and len(first | below) >= full and below - first for below in filled[1:2])


def _has_gap(above: Row, row: Row) -> bool:
    """Whether `above` is empty over a filled cell, to the right of a filled one."""
    seen = False
    for index, cell in enumerate(row):
        upper = above[index].strip() if index < len(above) else ""
        if upper:
            seen = True
        elif seen and cell.strip():
            return True
    return False


def _column_of_values(rows: Sequence[Row], index: int) -> bool:
    cells = [row[index] for row in rows if index < len(row) and row[index].strip()]
    return bool(cells) and sum(map(is_value, cells)) > 0.8 * len(cells)


def _filled(row: Row) -> int:
    return sum(bool(cell.strip()) for cell in row)

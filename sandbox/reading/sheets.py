"""Excel and OpenDocument sheets by fastexcel: every cell as text, and types found on all rows as for a CSV.

Formulas are read as the values that were stored with them.
"""

from pathlib import Path
from typing import Any

from sandbox.errors import Unreadable
from sandbox.reading.headers import Header, find_header, totals_note
from sandbox.reading.kinds import PASSWORD
from sandbox.reading.options import ReadOptions
from sandbox.reading.parts import Part
from sandbox.reading.relations import convert_relation, with_total
from sandbox.reading.writing import Work, Written

HEAD_ROWS = 200
MIDNIGHT = " 00:00:00"


def parts(path: Path, options: ReadOptions) -> list[Part]:
    """Every sheet with cells, the visible ones first. Raises Unreadable."""
    reader = _open(path)
    found = []
    for name in reader.sheet_names:
        sheet = _sheet(reader, name, HEAD_ROWS)
        if sheet is None or not sheet.total_height:
            continue
        header, grid = _header(_grid(sheet), options)
        rows = max(0, sheet.total_height - header.skip - header.rows)
        hidden = sheet.visible != "visible"
        notes = ["The sheet is hidden in the workbook."] if hidden else []
        if grid and rows:
            found.append(Part(options.but(format="excel", part=name), name, notes, rows, hidden))
    if not found:
        raise Unreadable("No sheet of the workbook has a table in it.")
    return sorted(found, key=lambda part: part.hidden)


def convert(work: Work, path: Path, options: ReadOptions, target: Path) -> Written:
    """Writes one sheet. Raises Unreadable."""
    reader = _open(path)
    name = options.part or parts(path, options)[0].name
    if name not in reader.sheet_names:
        raise Unreadable(
            f"There is no sheet {name!r}. There are: {', '.join(map(repr, reader.sheet_names))}."
        )
    work.say(0.1, f"Reading the sheet {name}")
    sheet = _sheet(reader, name, None)
    if sheet is None or not sheet.total_height:
        raise Unreadable(f"The sheet {name!r} is empty.")
    table, errors = sheet.to_arrow_with_errors()
    header, _ = _header(_grid(table), options)
    first = header.skip + header.rows
    body = table.slice(first, table.num_rows - first - (options.skip_last or 0))
    if table.num_rows - first - (options.skip_last or 0) <= 0:
        raise Unreadable(f"The sheet {name!r} has a header and no rows.")
    notes = [f"Read from the sheet {name!r}, which is hidden in the workbook."] * (sheet.visible != "visible")
    notes += _error_note(errors.errors if errors else [])
    return _written(work, body, header, options.but(format="excel", part=name), target, notes)


def _written(
    work: Work, body: Any, header: Header, options: ReadOptions, target: Path, notes: list[str]
) -> Written:
    names = [f"c{index}" for index in range(body.num_columns)]
    work.connection.register("sheet", body.rename_columns(names))
    kept, originals = [], []
    padded = header.originals + [""] * len(names)
    counts = _counts(work, names)
    for index, name in enumerate(names):
        if counts[index][0] or padded[index]:
            kept.append(_text(name, *counts[index]))
            originals.append(padded[index])
    filled = " OR ".join(f"{name} IS NOT NULL" for name in names)
    work.connection.execute(
        f"CREATE OR REPLACE TABLE plain AS SELECT {', '.join(kept)} FROM sheet WHERE {filled}"
    )
    work.connection.unregister("sheet")
    ((rows,),) = work.query("SELECT count(*) FROM plain")
    notes += _notes(header, options, len(names) - len(kept), body.num_rows - rows)
    if not options.skip_last:
        last = work.query(f"SELECT * FROM plain LIMIT 1 OFFSET {max(rows - 1, 0)}")
        notes += totals_note([str(cell or "") for cell in last[0]] if last else [])
    decided = options.but(skip=header.skip, header_rows=header.rows, skip_last=options.skip_last or 0)
    written = convert_relation(
        work,
        "plain",
        target,
        decided,
        originals=originals,
        readings=None,
        notes=notes,
        decimals=_decimals(options),
    )
    return with_total(written, rows) if work.limit is not None else written


def _decimals(options: ReadOptions) -> list[str]:
    return [options.decimal] if options.decimal else [".", ","]


def _counts(work: Work, names: list[str]) -> list[tuple[int, bool]]:
    """Of each column: filled cells, and whether all of them are midnights, which are days."""
    listed = ", ".join(
        f"count({name}), coalesce(bool_and(ends_with({name}, '{MIDNIGHT}')), false)" for name in names
    )
    (row,) = work.query(f"SELECT {listed} FROM sheet")
    return [(row[index], row[index + 1]) for index in range(0, len(row), 2)]


def _text(name: str, filled: int, midnights: bool) -> str:
    return f"left({name}, -{len(MIDNIGHT)}) AS {name}" if midnights else f"nullif({name}, '') AS {name}"


def _error_note(errors: list[Any]) -> list[str]:
    """What is said of cells that hold an error such as #N/A."""
    if not errors:
        return []
    row, column = errors[0].position
    return [
        f"{len(errors):,} cell(s) hold an error such as #N/A and count as missing; the first is in row"
        f" {row + 1}, column {column + 1}."
    ]


def _notes(header: Header, options: ReadOptions, columns: int, rows: int) -> list[str]:
    notes = []
    if header.skip and options.skip is None:
        notes.append(f"{header.skip} row(s) before the table were skipped.")
    if header.rows > 1:
        notes.append(f"The first {header.rows} rows name the columns; their parts are joined into names.")
    if not header.rows:
        notes.append("No row names the columns; they are called column_1, column_2 and so on.")
    if columns:
        notes.append(f"{columns} column(s) with neither name nor value were left out.")
    if rows > 0:
        notes.append(f"{rows:,} empty row(s) were left out.")
    return notes


def _header(grid: list[list[str]], options: ReadOptions) -> tuple[Header, list[list[str]]]:
    return find_header(grid, skip=options.skip, rows=options.header_rows), grid


def _grid(sheet: Any) -> list[list[str]]:
    table = sheet.to_arrow() if hasattr(sheet, "to_arrow") else sheet
    columns = [column.to_pylist() for column in table.slice(0, HEAD_ROWS).columns]
    return [[cell or "" for cell in row] for row in zip(*columns, strict=True)]


def _sheet(reader: Any, name: str, rows: int | None) -> Any:
    """A sheet as text, or None when it is none of cells (a chart)."""
    from fastexcel import FastExcelError

    try:
        return reader.load_sheet(
            name, header_row=None, dtypes="string", n_rows=rows, skip_whitespace_tail_rows=True
        )
    except FastExcelError:
        return None


def _open(path: Path) -> Any:
    # Only needed for sheets, and quickly there.
    import fastexcel

    try:
        return fastexcel.read_excel(str(path))
    except fastexcel.FastExcelError as error:
        reason = str(error).split("\n")[0]
        if "password" in str(error).lower() or "encrypt" in str(error).lower():
            raise Unreadable(PASSWORD) from None
        raise Unreadable(f"The workbook cannot be opened ({reason}). Save it again in Excel.") from None

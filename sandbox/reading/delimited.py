"""Delimited text to Parquet: strictly, on all rows, and in one pass where a sample foretold every type.

A value that fits no foretold reading ends the pass at once; all rows then decide, and it is repeated. A row
that cannot be read is left out, counted and kept apart, and never cut to fit.
"""

from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb

from sandbox.engine import literal, quoted
from sandbox.errors import Unreadable
from sandbox.reading import encoding
from sandbox.reading.columns import MISFIT, Column, decide, describe_mixed
from sandbox.reading.dialect import Dialect, detect, parse
from sandbox.reading.headers import totals_note
from sandbox.reading.options import ReadOptions
from sandbox.reading.sampling import (
    cut_at,
    drop_cut_line,
    has_long_lines,
    last_lines,
    write_sample,
)
from sandbox.reading.writing import Work, Written, require_rows, write

WHOLE_BYTES = 16 * 1024 * 1024
"""A file up to here is loaded before its types are decided."""
LINE_BYTES, LONG_LINE_BYTES = 2_000_000, 32 * 1024 * 1024
HEAD_BYTES, LONG_HEAD_BYTES = 512 * 1024, 16 * 1024 * 1024
DECIDING_CHUNKS = 64
BROKEN_QUOTE, TOO_FEW, TOO_LONG = "UNQUOTED VALUE", "MISSING COLUMNS", "LINE SIZE OVER MAXIMUM"
ENCODING = "INVALID ENCODING"
REASONS = {
    BROKEN_QUOTE: "a quotation mark is not closed, or stands inside a quoted field",
    "TOO MANY COLUMNS": "more fields than the header",
    TOO_LONG: "longer than 32 MB",
    ENCODING: "characters that are not valid in UTF-8",
}
EXAMPLES = 5
REJECT_TEXT = 100_000
"""Characters that are kept of a row that cannot be read."""


class Again(Exception):
    """The pass showed that the file has to be read another way, which the source now is."""


@dataclass(frozen=True)
class Reject:
    """Rows that were left out for one reason, and how many lines they take."""

    kind: str
    rows: int
    lines: int


@dataclass
class Source:
    """One delimited file and how it is read so far."""

    work: Work
    path: Path
    options: ReadOptions
    encoding: str = "utf-8"
    rewritten: bool = False
    padded: bool = False
    unquoted: bool = False
    """Whether quotes are ordinary characters, because so more rows can be kept."""
    tried_unquoted: bool = False
    exact: bool = False
    """Whether a sample foretold other types than all rows have."""
    line_bytes: int = LINE_BYTES
    dialect: Dialect = field(init=False)
    notes: list[str] = field(default_factory=list)

    def understand(self) -> None:
        """Finds the encoding and the dialect from the beginning. Raises Unreadable."""
        size = self.path.stat().st_size
        if not self.rewritten:
            wanted = self.options.encoding
            with self.path.open("rb") as file:
                head = file.read(HEAD_BYTES)
            self.encoding = encoding.check(wanted) if wanted else encoding.detect(head)
            if self.encoding == "utf-8" and not wanted and size <= WHOLE_BYTES:
                self.encoding = encoding.beyond_utf8(self.path)
            if needs_rewriting(self.encoding, head):
                self.rewrite(self.encoding)
        self.dialect = glance(self.path, self.options, self.encoding, whole=not self.work.cut)
        # Read in parallel, DuckDB drops a row that is longer than its buffers, and does not say so.
        if self.dialect.multiline or has_long_lines(self.path, LINE_BYTES):
            self.line_bytes = LONG_LINE_BYTES

    def rewrite(self, name: str) -> None:
        """A copy in UTF-8 with plain line ends. Raises Unreadable when nothing would be left."""
        target = self.work.file("utf8.csv")
        lost = encoding.rewrite(self.path, target, name, self.work.part(0.1, 0.3, "Changing the encoding"))
        self.path, self.encoding, self.rewritten = target, name, True
        if lost and name not in encoding.UTF8:
            self.notes.append(f"{lost:,} character(s) are not valid in {name} and were replaced by \ufffd.")

    @property
    def reader(self) -> str:
        """The read_csv call that takes every field as text; only an even file can be read in parallel."""
        found = self.dialect
        columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in found.names)
        quote = "" if self.unquoted else found.quote
        return (
            f"read_csv({literal(str(self.path))}, auto_detect = false, columns = {{{columns}}},"
            f" header = false, delim = {literal(found.delimiter)}, quote = {literal(quote)},"
            f" escape = {literal(quote)}, skip = {found.lines}, null_padding = {str(self.padded).lower()},"
            f" parallel = {str(not self.padded).lower()}, store_rejects = true, rejects_limit = 0,"
            f" max_line_size = {self.line_bytes})"
        )

    @property
    def texts(self) -> dict[str, str]:
        """SQL of each column's text."""
        return {
            name: _unwrapped(quoted(name)) if self.unquoted else quoted(name) for name in self.dialect.names
        }


def glance(
    path: Path, options: ReadOptions, written_in: str, code: str = "utf-8", *, whole: bool = True
) -> Dialect:
    """The dialect of a file in the encoding `code`, by as much of its beginning as has some rows.

    `written_in` is what the notes say. Raises Unreadable.
    """
    size = path.stat().st_size
    for length in (HEAD_BYTES, LONG_HEAD_BYTES):
        text = encoding.head_text(path, code, length)
        if size <= length or text.count("\n") + text.count("\r") > 2:
            break
    return detect(text, written_in, options, whole=whole and size <= length)


def needs_rewriting(written_in: str, head: bytes) -> bool:
    """Whether DuckDB cannot read the file as it is."""
    return written_in not in encoding.UTF8 or b"\x00" in head or _has_mixed_ends(head)


def convert(work: Work, path: Path, options: ReadOptions, target: Path) -> Written:
    """Writes the table of a delimited file. Raises Unreadable."""
    source = Source(work, path, options)
    source.understand()
    if options.skip_last:
        _cut_last(source, options.skip_last)
    while True:
        try:
            return _converted(source, target)
        except Again:
            continue


def sample(work: Work, path: Path, options: ReadOptions, target: Path, chunks: int) -> Written:
    """Writes rows from all over the file; `total` is an estimate of all. Raises Unreadable."""
    size = path.stat().st_size
    if size <= WHOLE_BYTES:
        return convert(work, path, options, target)
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    written_in = encoding.check(options.encoding) if options.encoding else encoding.detect(head)
    if needs_rewriting(written_in, head):
        # To rewrite all of it would take longer than a quick look may.
        beginning, work.cut = work.file("beginning"), True
        cut_at(path, beginning, WHOLE_BYTES)
        drop_cut_line(beginning)
        written = convert(work, beginning, options, target)
        return replace(written, total=round(written.rows * size / beginning.stat().st_size))
    source = Source(work, path, options)
    source.understand()
    rows = work.file("sample.csv")
    share = write_sample(source.path, rows, chunks, multiline=source.dialect.multiline)
    source.path, work.cut = rows, True
    while True:
        try:
            written = _loaded(source, target)
        except Again:
            continue
        return replace(written, total=round(written.rows / share) if share else written.rows)


def _converted(source: Source, target: Path) -> Written:
    columns = None
    if not source.exact and source.path.stat().st_size > WHOLE_BYTES:
        columns = _foretold(source)
    if columns is None:
        return _loaded(source, target)
    chosen = ", ".join(f"{column.value()} AS {quoted(column.name)}" for column in columns)
    try:
        with source.work.watched(0.3, 0.95, "Converting to a columnar table"):
            rows = write(source.work, f"SELECT {chosen} FROM {source.reader}", target)
    except duckdb.InvalidInputException as error:
        if MISFIT not in str(error):
            _recover(source, error)
        source.exact = True
        raise Again from None
    rejects = _judge(source)
    for column in columns:
        _count_mixed(source, target, column)
    return _report(source, columns, rows, rejects, target)


def _loaded(source: Source, target: Path) -> Written:
    """All rows as text first, in memory or in a file: then every decision is made on all of them."""
    work = source.work
    small = source.path.stat().st_size <= WHOLE_BYTES
    try:
        if small:
            work.query(f"CREATE OR REPLACE TABLE plain AS SELECT * FROM {source.reader}")
        else:
            with work.watched(0.3, 0.6, "Reading all rows"):
                write(work, f"SELECT * FROM {source.reader}", work.file("plain.parquet"))
    except duckdb.InvalidInputException as error:
        _recover(source, error)
    rejects = _judge(source)
    relation = "plain" if small else f"read_parquet({literal(str(work.file('plain.parquet')))})"
    work.say(0.6, "Looking at all rows")
    columns = _decide(source, relation)
    chosen = ", ".join(f"{column.value()} AS {quoted(column.name)}" for column in columns)
    with work.watched(0.7, 0.95, "Converting to a columnar table"):
        rows = write(work, f"SELECT {chosen} FROM {relation}", target)
    if small:
        work.query("DROP TABLE plain")
    return _report(source, columns, rows, rejects, target)


def _decide(source: Source, relation: str, *, exact: bool = True) -> list[Column]:
    connection, options = source.work.connection, source.options
    return decide(connection, relation, source.texts, options, source.dialect.decimals, exact=exact)


def _foretold(source: Source) -> list[Column] | None:
    """Types by a sample; None where all rows have to decide: a person chose one, or one is nearly certain."""
    if source.options.types:
        return None
    rows = source.work.file("deciding.csv")
    write_sample(source.path, rows, DECIDING_CHUNKS, multiline=source.dialect.multiline)
    few = copy(source)
    few.path = rows
    connection = source.work.connection
    connection.execute(f"CREATE OR REPLACE TABLE few AS SELECT * FROM {few.reader}")
    short = f"SELECT 1 FROM reject_errors WHERE error_type = '{TOO_FEW}' LIMIT 1"
    if not source.padded and connection.execute(short).fetchone():
        source.padded = True
        source.notes.append("Some rows have fewer fields than the header; the missing ones are empty.")
    _forget_rejects(connection)
    columns = _decide(source, "few", exact=False)
    connection.execute("DROP TABLE few")
    return None if any(column.doubtful for column in columns) else columns


def _recover(source: Source, error: duckdb.Error) -> None:
    """Reads the file another way after DuckDB gave up; raises Unreadable when there is none left."""
    if source.rewritten:
        reason = str(error).split("\n")[0]
        raise Unreadable(f"The file cannot be read as a table: {reason}") from error
    source.rewrite(source.encoding)
    raise Again


def _judge(source: Source) -> list[Reject]:
    """The kinds of rows that were left out, with counts and lines lost; raises Again for a better way."""
    connection = source.work.connection
    found = connection.execute(
        "SELECT kind, count(*), sum(lines) FROM (SELECT line_byte_position, min(error_type::VARCHAR) AS kind,"
        " any_value(len(csv_line) - len(replace(rtrim(csv_line, chr(10) || chr(13)), chr(10), ''))) + 1"
        " AS lines"
        " FROM reject_errors GROUP BY line_byte_position) GROUP BY kind ORDER BY kind"
    ).fetchall()
    rejects = [Reject(kind, rows, lines or rows) for kind, rows, lines in found]
    kinds = {reject.kind: reject for reject in rejects}
    if ENCODING in kinds and not source.rewritten and not source.options.encoding:
        found_encoding = encoding.beyond_utf8(source.path)
        if found_encoding != "utf-8":
            source.rewrite(found_encoding)
            source.understand()
            _forget_rejects(connection)
            raise Again
    if TOO_LONG in kinds and source.line_bytes < LONG_LINE_BYTES:
        source.line_bytes = LONG_LINE_BYTES
    elif TOO_FEW in kinds and not source.padded:
        source.padded = True
        rows = kinds[TOO_FEW].rows
        source.notes.append(f"{rows:,} row(s) have fewer fields than the header; the missing ones are empty.")
    elif BROKEN_QUOTE in kinds and not source.tried_unquoted:
        source.tried_unquoted = True
        if not _keeps_more_unquoted(source):
            return rejects
        source.unquoted = True
        source.notes.append(
            "Quotation marks in the file are broken, so they were read as ordinary characters."
        )
    else:
        return rejects
    _forget_rejects(connection)
    raise Again


def _keeps_more_unquoted(source: Source) -> bool:
    """Whether more rows can be kept when quotes are ordinary characters."""
    counts = []
    # Rejects are a connection's own.
    with source.work.connection.cursor() as other:
        for unquoted in (False, True):
            tried = copy(source)
            tried.unquoted = unquoted
            row = other.execute(f"SELECT count(*) FROM {tried.reader}").fetchone()
            counts.append(row[0] if row else 0)
    return bool(counts[1] > counts[0])


def _forget_rejects(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("DROP TABLE IF EXISTS reject_errors")
    connection.execute("DROP TABLE IF EXISTS reject_scans")


def _cut_last(source: Source, count: int) -> None:
    """Leaves out lines at the end."""
    start, lines = last_lines(source.path, count)
    if len(lines) < count:
        raise Unreadable(f"The file has fewer than {count} rows. Leave out fewer at the end.")
    target = source.work.file("cut.csv")
    cut_at(source.path, target, start)
    source.path = target


def _count_mixed(source: Source, target: Path, column: Column) -> None:
    """Counts on all rows what a sample said of a column that stays text."""
    if column.reading is not None or column.nearest is None or column.chosen or column.zeros:
        return
    column.notes.clear()
    text = quoted(column.name)
    stored = Column(column.name, text, nearest=(column.nearest[0], -1, -1))
    describe_mixed(source.work.connection, f"read_parquet({literal(str(target))})", stored, exact=True)
    column.notes += stored.notes


def _report(source: Source, columns: list[Column], rows: int, rejects: list[Reject], target: Path) -> Written:
    """What was read; writes the rows that could not be read beside the table."""
    require_rows(rows)
    work, found = source.work, source.dialect
    notes = [*found.notes, *source.notes]
    lost = sum(reject.lines for reject in rejects)
    if lost:
        examples = _write_rejects(work, target)
        listed = "; ".join(f"line {line:,}: {why}" for line, why in examples)
        notes.append(f"{lost:,} row(s) could not be read and are kept apart: {listed}.")
    if not source.options.skip_last and not work.cut:
        _, lines = last_lines(source.path, 1)
        last = parse(lines[0].decode("utf-8", "replace"), found.delimiter, found.quote) if lines else []
        notes += totals_note(last[0] if last else [])
    return Written(
        rows=rows,
        columns=[(column.name, column.type) for column in columns],
        originals=found.originals,
        notes=notes + [note for column in columns for note in column.notes],
        options=found.decided(source.options),
        rejected_rows=lost,
    )


def _write_rejects(work: Work, target: Path) -> list[tuple[int, str]]:
    """Parquet of line, reason and text; returns the first lines with why."""
    cases = " ".join(f"WHEN {literal(kind)} THEN {literal(why)}" for kind, why in REASONS.items())
    work.query(
        "CREATE OR REPLACE TEMP TABLE unread AS SELECT CAST(min(line) AS BIGINT) AS line,"
        f" CASE min(error_type::VARCHAR) {cases} ELSE lower(min(error_type::VARCHAR)) END AS reason,"
        f" left(any_value(csv_line), {REJECT_TEXT}) AS text"
        " FROM reject_errors GROUP BY line_byte_position ORDER BY line"
    )
    path = target.with_suffix(".rejects.parquet")
    work.query(f"COPY unread TO {literal(str(path))} (FORMAT parquet, COMPRESSION zstd)")
    found = work.query(f"SELECT line, reason FROM unread ORDER BY line LIMIT {EXAMPLES}")
    return [(line, reason) for line, reason in found]


def _unwrapped(text: str) -> str:
    """SQL that takes the quotes off a field that is quoted whole."""
    return (
        f"nullif(CASE WHEN regexp_full_match({text}, '\"(?s:.*)\"') AND len({text}) > 1"
        f" THEN replace(substr({text}, 2, len({text}) - 2), '\"\"', '\"') ELSE {text} END, '')"
    )


def _has_mixed_ends(head: bytes) -> bool:
    """Whether lines end in different ways, which DuckDB does not read."""
    pairs = head.count(b"\r\n")
    single = head.count(b"\n") - pairs
    returns = head.removesuffix(b"\r").count(b"\r") - pairs
    return sum(count > 0 for count in (pairs, single, returns)) > 1

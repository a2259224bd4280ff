"""What the columns of a table of text become: the reading that fits every value, found on the rows given."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import duckdb

from sandbox.engine import literal
from sandbox.reading.chosen import chosen_readings
from sandbox.reading.options import TYPES, ReadOptions
from sandbox.reading.readings import Reading, candidates, is_missing, likeliest, missing

VALUES = 1000
VALUES_OF_WIDE = 100
WIDE = 50
COLUMNS_A_SCAN = 60
EXAMPLES = 3
MOSTLY = 0.5
NEARLY = 0.99
MISFIT = "__value_that_fits_no_reading"


@dataclass
class Column:
    """How one column is read; text until a reading is found."""

    name: str
    text: str
    """SQL of its text; NULL where it is empty."""
    left: list[Reading] = field(default_factory=list)
    """Readings that may still fit, best first."""
    reading: Reading | None = None
    words: list[tuple[str, int]] = field(default_factory=list)
    """Words that stand for missing as they are written, with how many times."""
    nearest: tuple[Reading, int, int] | None = None
    """Of a column that stays text: what most values fit, how many do not, and how many there are."""
    zeros: bool = False
    """Whether it stays text because numbers in it begin with a zero."""
    chosen: str | None = None
    """The type that a person wants."""
    misfits: int = 0
    """Values that do not fit the chosen type."""
    notes: list[str] = field(default_factory=list)

    @property
    def type(self) -> str:
        """DuckDB's type."""
        if self.chosen:
            return TYPES[self.chosen]
        return self.reading.type if self.reading else "VARCHAR"

    @property
    def doubtful(self) -> bool:
        """Whether all rows should decide: nearly all of the sample would have another type."""
        return (
            not self.zeros and self.nearest is not None and self.nearest[1] < (1 - NEARLY) * self.nearest[2]
        )

    def value(self) -> str:
        """SQL of the value; one that does not fit ends the query, unless the person chose the type."""
        if self.reading is None:
            return self.text
        if self.chosen:
            return f"CAST({self.reading.sql(self.text, 'NULL', missing(self.text))} AS {self.type})"
        known = f"trim({self.text}) IN ({', '.join(literal(word) for word, _ in self.words)})"
        otherwise = f"error({literal(MISFIT)})"
        return (
            f"CAST({self.reading.sql(self.text, otherwise, known if self.words else 'NULL')} AS {self.type})"
        )


def decide(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    texts: dict[str, str],
    options: ReadOptions,
    decimals: Sequence[str],
    *,
    exact: bool = True,
    readings: Sequence[str] | None = None,
) -> list[Column]:
    """The readings that fit all values of `relation`; `texts` is the SQL of each column's text by name.

    With `exact`, counts in notes are of all rows. With
    `readings`, only those types are looked for, and values that do not fit are nothing to speak of.
    """
    columns = [Column(name, text) for name, text in texts.items()]
    _first_thoughts(connection, relation, columns, options, decimals)
    for column in columns:
        if readings is not None and not column.chosen:
            column.left, column.nearest = [r for r in column.left if r.type in readings], None
        if column.chosen and column.left:
            _choose(connection, relation, column)
    open_columns = [column for column in columns if column.left]
    either: list[Column] = []
    while open_columns:
        for start in range(0, len(open_columns), COLUMNS_A_SCAN):
            either += _scan(connection, relation, open_columns[start : start + COLUMNS_A_SCAN])
        open_columns = [column for column in open_columns if column.left]
    _settle(connection, relation, columns, either)
    for column in columns:
        if readings is not None and column.reading is None and not column.chosen:
            continue
        _describe(connection, relation, column, exact)
    return columns


def _first_thoughts(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    columns: list[Column],
    options: ReadOptions,
    decimals: Sequence[str],
) -> None:
    limit = VALUES if len(columns) <= WIDE else VALUES_OF_WIDE
    listed = ", ".join(column.text for column in columns)
    sample = connection.execute(f"SELECT {listed} FROM {relation} LIMIT {limit}").fetchall()
    wanted = {name.lower(): kind for name, kind in options.types.items()}
    for index, column in enumerate(columns):
        values = [
            row[index].strip() for row in sample if row[index] is not None and not is_missing(row[index])
        ]
        if not values:
            rows = connection.execute(
                f"SELECT trim({column.text}) AS v FROM {relation}"
                f" WHERE v <> '' AND NOT {missing('v')} LIMIT {VALUES_OF_WIDE}"
            )
            values = [row[0] for row in rows.fetchall()]
        column.chosen = wanted.get(column.name.lower())
        if column.chosen:
            column.left = chosen_readings(column.chosen, values, decimals, options)
            continue
        fitting = candidates(values, decimals, options.thousands)
        column.left = _in_order(fitting, options)
        if not fitting and len(columns) <= COLUMNS_A_SCAN:
            for reading in _in_order(likeliest(values, decimals, options.thousands), options)[:1]:
                column.nearest = (reading, -1, -1)


def _in_order(found: list[Reading], options: ReadOptions) -> list[Reading]:
    if options.day_first is None:
        return found
    return [r for r in found if r.order != ("month" if options.day_first else "day")]


def _trying(column: Column) -> list[Reading]:
    """The readings to test together: the best one, or both orders of a date."""
    if not column.left[0].order:
        return column.left[:1]
    orders = {r.order: r for r in reversed(column.left) if r.order and r.type == column.left[0].type}
    return sorted(orders.values(), key=lambda r: r.order)


def _scan(connection: duckdb.DuckDBPyConnection, relation: str, columns: list[Column]) -> list[Column]:
    """Tests each column's next readings; returns those whose dates fit both orders."""
    tests = [(column, reading) for column in columns for reading in _trying(column)]
    found = iter(_verdicts(connection, relation, tests))
    either = []
    for column in columns:
        trying = _trying(column)
        fitting = []
        for reading in trying:
            total, words, misfits = next(found)
            if misfits == 0:
                fitting.append(reading)
                column.words = [("", words)] if words else []
            elif column.nearest is None or misfits < column.nearest[1]:
                column.nearest = (reading, misfits, total)
        if not fitting:
            column.left = [reading for reading in column.left if reading not in trying]
            continue
        column.reading, column.nearest, column.left = fitting[0], None, []
        if len(fitting) == 2:
            either.append(column)
    return either


def _verdicts(
    connection: duckdb.DuckDBPyConnection, relation: str, tests: list[tuple[Column, Reading]]
) -> list[tuple[int, int, int]]:
    """For each reading of a column: values that are not missing, words for missing, and misfits."""
    if not tests:
        return []
    inner = ", ".join(f"{reading.verdict(column.text)} AS v{i}" for i, (column, reading) in enumerate(tests))
    outer = ", ".join(
        f"count_if(v{i} <> 1), count_if(v{i} = 1), count_if(v{i} = 2)" for i in range(len(tests))
    )
    row = connection.execute(f"SELECT {outer} FROM (SELECT {inner} FROM {relation})").fetchone() or ()
    return [(row[i], row[i + 1], row[i + 2]) for i in range(0, len(row), 3)]


def _choose(connection: duckdb.DuckDBPyConnection, relation: str, column: Column) -> None:
    """Of the readings of the type that a person chose, the one that most values fit."""
    tests = [(column, reading) for reading in column.left]
    found = _verdicts(connection, relation, tests)
    best = min(range(len(tests)), key=lambda index: found[index][2])
    column.reading, column.misfits, column.left = tests[best][1], found[best][2], []
    column.words = [("", found[best][1])] if found[best][1] else []


def _settle(
    connection: duckdb.DuckDBPyConnection, relation: str, columns: list[Column], either: list[Column]
) -> None:
    """Dates that fit both orders follow the file's other dates, else they are day first."""
    certain = {c.reading.order for c in columns if c.reading and c.reading.order and c not in either}
    order = certain.pop() if len(certain) == 1 else "day"
    for column in either:
        assert column.reading is not None
        column.reading = _reordered(column.reading, order)
        same = " as elsewhere in the file" if certain or order == "month" else ""
        example = "".join(_examples(connection, relation, column, "true", 1))
        column.notes.append(
            f"Dates in {column.name!r} such as {example} could be day first or month "
            f"first; they were read as {order} first{same}."
        )


def _reordered(reading: Reading, order: str) -> Reading:
    """`_scan` keeps the one that is day first; the other only has its parts the other way round."""
    if reading.order == order:
        return reading
    swapped = {"%d": "%m", "%m": "%d"}
    value = reading.value
    for one in ("/", "-", "."):
        value = value.replace(f"%d{one}%m", f"{swapped['%d']}{one}{swapped['%m']}")
    return Reading(reading.type, reading.shape, value, reading.note, order, reading.fast)


def _describe(connection: duckdb.DuckDBPyConnection, relation: str, column: Column, exact: bool) -> None:
    if column.reading is None:
        describe_mixed(connection, relation, column, exact)
        return
    if column.words:
        column.words = connection.execute(
            f"SELECT trim({column.text}) AS word, count(*) FROM {relation} WHERE {missing(column.text)}"
            " GROUP BY 1 ORDER BY 2 DESC, 1"
        ).fetchall()
        listed = ", ".join(f"{word!r}" + (f" ({n:,} times)" if exact else "") for word, n in column.words)
        column.notes.append(f"In {column.name!r} these count as missing: {listed}.")
    if column.reading.note:
        special = f"NOT regexp_full_match(trim({column.text}), '[0-9]*')"
        example = _examples(connection, relation, column, special, 1)
        shown = "".join(example or _examples(connection, relation, column, "true", 1))
        column.notes.append(column.reading.note.format(column=repr(column.name), example=shown))
    if column.misfits:
        where = f"{column.reading.verdict(column.text)} = 2"
        listed = ", ".join(map(repr, _examples(connection, relation, column, where, EXAMPLES)))
        column.notes.append(
            f"{column.misfits:,} value(s) of {column.name!r} are no {column.chosen} and became missing,"
            f" such as {listed}."
        )


def describe_mixed(connection: duckdb.DuckDBPyConnection, relation: str, column: Column, exact: bool) -> None:
    """Says of a column that stays text when most of its values are of another type."""
    if column.nearest is None or column.chosen:
        return
    reading, misfits, total = column.nearest
    if misfits < 0:
        ((total, _, misfits),) = _verdicts(connection, relation, [(column, reading)])
        column.nearest = (reading, misfits, total)
    if misfits > MOSTLY * total:
        column.nearest = None
        return
    misfit = f"{reading.verdict(column.text)} = 2"
    examples = _examples(connection, relation, column, misfit, EXAMPLES)
    zeros = f"regexp_full_match(trim({column.text}), '0[0-9]+')"
    if reading.type == "BIGINT" and not _examples(
        connection, relation, column, f"{misfit} AND NOT {zeros}", 1
    ):
        column.zeros = True
        column.notes.append(
            f"Values of {column.name!r} such as {examples[0]} begin with a zero, so all of them stay text."
        )
        return
    listed = ", ".join(repr(example) for example in examples)
    share = f"{misfits:,} of {total:,}" if exact else f"About {100 * misfits / total:.2g} % of the"
    kind = next(word for word, name in TYPES.items() if name == reading.type)
    column.notes.append(
        f"{column.name!r} is mixed and stays text: {share} values are no {kind}, such as {listed}."
    )


def _examples(
    connection: duckdb.DuckDBPyConnection, relation: str, column: Column, where: str, count: int
) -> list[str]:
    """Values of the column, shortened."""
    rows = connection.execute(
        f"SELECT DISTINCT v FROM (SELECT left(trim({column.text}), 60) AS v FROM {relation} WHERE {where}"
        f" AND trim({column.text}) <> '' LIMIT 100) ORDER BY v LIMIT {count}"
    ).fetchall()
    return [str(row[0]) for row in rows if not is_missing(str(row[0]))]

"""What can be said about text values: lengths, blanks, spellings, and what only looks like text.

Three ways to the same figures: few rows are counted in Python, columns with few different values by one
grouping in DuckDB, and the rest by sorting 64-bit hashes (two texts of ten million share one with a chance
of three in a million), which needs a tenth of the time and memory of a hash table of texts.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

import duckdb
import numpy as np

from sandbox.engine import literal, quoted
from sandbox.sorted_values import SKETCH, Array, frequent, smallest_different

# A column is taken as one of few different values unless nearly all of its first rows differ.
FIRST_ROWS, NEARLY_ALL = 50_000, 0.98
LOOKED_AT = 1_000
CATEGORIES = 20_000
MANY = 1_000_000
LISTED = 30
SPELLINGS = 5
LONGEST = 300
PLACEHOLDERS = (
    "n/a", "na", "n.a.", "null", "none", "nan", "unknown", "?", "-", "--", "tbd", "missing", "not available",
    "#n/a", "undefined", "xxx",
)  # fmt: skip
TOTALS = (
    "total",
    "totals",
    "grand total",
    "sum",
    "subtotal",
    "gesamt",
    "summe",
    "insgesamt",
    "overall total",
)
NUMBER = r"\s*[-+]?(0|[1-9]\d{0,2}(,\d{3})+|[1-9]\d*)([.,]\d+)?\s*%?\s*"
IS_NUMBER = f"regexp_full_match(v, {literal(NUMBER)})"
_NUMBER = re.compile(NUMBER, re.ASCII)
Values = dict[str, Any]


def of_few(values: Iterable[str], hashes: Array) -> Values:
    """Of texts in memory, gaps left out, and DuckDB's hashes of them."""
    counts = Counter(values)
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    found: Values = {"distinct": len(counts), "top": [[cut(v), n] for v, n in ranked[:LISTED]]}
    hashes.sort()
    found["sketch"] = smallest_different(hashes)
    if not counts:
        return found
    rows = sum(counts.values())
    lengths = {value: len(value) for value in counts}
    found["lengths"] = {
        "min": min(lengths.values()),
        "max": max(lengths.values()),
        "mean": sum(lengths[value] * count for value, count in counts.items()) / rows,
    }
    folded: dict[str, list[str]] = defaultdict(list)
    text = dict.fromkeys(("empty", "blank", "spaces", "numbers", "placeholders", "totals"), 0)
    for value, count in counts.items():
        bare = value.strip(" ")
        plain = bare.lower()
        folded[plain].append(value)
        text["empty"] += count * (value == "")
        text["blank"] += count * (value != "" and bare == "")
        text["spaces"] += count * (bare != "" and bare != value)
        text["numbers"] += count * (_NUMBER.fullmatch(value) is not None)
        text["placeholders"] += count * (plain in PLACEHOLDERS)
        text["totals"] += count * (plain in TOTALS)
    several = sorted(sorted(group) for group in folded.values() if len(group) > 1)
    return found | {"text": text | _spellings(len(several), several[:SPELLINGS])}


def of_table(con: duckdb.DuckDBPyConnection, name: str) -> Values:
    """Of a column of the view `t`; its first rows tell which way is the quickest."""
    column = quoted(name)
    first = f"SELECT {column} AS v FROM t WHERE {column} IS NOT NULL LIMIT"
    told = con.execute(
        f"SELECT count(DISTINCT v), count(*), (SELECT count_if({IS_NUMBER}) FROM ({first} {LOOKED_AT}))"
        f" FROM ({first} {FIRST_ROWS})"
    ).fetchone()
    assert told is not None
    distinct, rows, numbers = told
    if rows == FIRST_ROWS and distinct > NEARLY_ALL * rows:
        return _hashed(con, column, numbers > 0)
    try:
        return _grouped(con, column, distinct <= CATEGORIES, numbers > 0)
    except duckdb.OutOfMemoryException:
        # Fewer than rows, but long ones: their hashes are short.
        return _hashed(con, column, numbers > 0)


def _grouped(con: duckdb.DuckDBPyConnection, column: str, categories: bool, numbers: bool) -> Values:
    spelled = (
        ", f AS (SELECT list(v ORDER BY v) AS vs FROM g GROUP BY lower(trim(v)) HAVING count(*) > 1)"
        if categories
        else ", f AS (SELECT NULL::VARCHAR[] AS vs WHERE false)"
    )
    told = con.execute(
        f"WITH g AS MATERIALIZED (SELECT {column} AS v, count(*) AS n FROM t WHERE {column} IS NOT NULL"
        f" GROUP BY 1){spelled}"
        " SELECT count(*), min(length(v)), max(length(v)), sum(length(v) * n) / sum(n),"
        f" {_conditions('n', folded=categories, numbers=numbers or categories)},"
        f" (SELECT list([substr(v, 1, {LONGEST + 1}), n::VARCHAR]) FROM"
        f" (SELECT v, n FROM g ORDER BY n DESC, v LIMIT {LISTED})),"
        f" (SELECT list(h) FROM (SELECT hash(v) AS h FROM g ORDER BY h LIMIT {SKETCH})),"
        f" (SELECT count(*) FROM f), (SELECT list(vs) FROM (SELECT vs FROM f ORDER BY vs LIMIT {SPELLINGS}))"
        " FROM g"
    ).fetchone()
    assert told is not None
    distinct, shortest, longest, mean, *text, top, sketch, several, examples = told
    found: Values = {"distinct": distinct, "top": [[cut(v), int(n)] for v, n in top or []]}
    if not distinct:
        return found
    found |= {"sketch": sketch, "lengths": {"min": shortest, "max": longest, "mean": mean}}
    return found | {"text": _named(text) | (_spellings(several, examples or []) if categories else {})}


def _conditions(weight: str, *, folded: bool = True, numbers: bool = True) -> str:
    """Rows by what their text is; folding ten million texts would take seconds."""
    placeholders = f"v IN ({', '.join(map(literal, _cased()))})"
    conditions = (
        "v = ''",
        "v <> '' AND trim(v) = ''" if folded else "starts_with(v, ' ') AND trim(v) = ''",
        "trim(v) <> '' AND trim(v) <> v"
        if folded
        else "(starts_with(v, ' ') OR ends_with(v, ' ')) AND trim(v) <> ''",
        IS_NUMBER if numbers else "false",
        f"lower(trim(v)) IN ({', '.join(map(literal, PLACEHOLDERS))})" if folded else placeholders,
        f"lower(trim(v)) IN ({', '.join(map(literal, TOTALS))})" if folded else "false",
    )
    return ", ".join(f"coalesce(sum({weight}) FILTER ({c}), 0)" for c in conditions)


def _named(text: list[Any]) -> dict[str, int]:
    names = ("empty", "blank", "spaces", "numbers", "placeholders", "totals")
    return {name: int(count) for name, count in zip(names, text, strict=True)}


def _hashed(con: duckdb.DuckDBPyConnection, column: str, numbers: bool) -> Values:
    """Spellings are not compared: so many different values are no categories."""
    told = con.execute(
        f"SELECT min(length(v)), max(length(v)), avg(length(v)),"
        f" {_conditions('1', folded=False, numbers=numbers)} FROM (SELECT {column} AS v FROM t)"
    ).fetchone()
    assert told is not None
    shortest, longest, mean, *text = told
    distinct, top, sketch = hashed(con, column, column)
    found: Values = {"distinct": distinct, "top": top, "sketch": sketch, "text": _named(text)}
    return found | {"lengths": {"min": shortest, "max": longest, "mean": mean}}


def _cased() -> list[str]:
    """The placeholders as they are usually written."""
    return sorted({form for word in PLACEHOLDERS for form in (word, word.upper(), word.capitalize())})


def hashed(con: duckdb.DuckDBPyConnection, column: str, shown: str) -> tuple[int, list[list[Any]], list[int]]:
    """How many different values of any type, the most frequent as `shown` (SQL), and the smallest hashes."""
    hashes = sorted_hashes(con, f"hash({column})", column)
    distinct, best = frequent(hashes, LISTED)
    sketch = smallest_different(hashes)
    if distinct == len(hashes):
        return distinct, [], sketch
    if len(hashes) > MANY:
        # Two values under one hash can only make the count too small, and not under both.
        again = sorted_hashes(con, f"hash(CAST({column} AS VARCHAR) || '~')", column)
        distinct = max(distinct, frequent(again, 1)[0])
    wanted = ", ".join(str(int(hashes[place])) for place, _ in best)
    del hashes
    rows = con.execute(
        f"SELECT substr(CAST({shown} AS VARCHAR), 1, {LONGEST + 1}) AS v, count(*) AS n FROM t"
        f" WHERE hash({column}) IN ({wanted}) AND {column} IS NOT NULL"
        f" GROUP BY {column} ORDER BY n DESC, v LIMIT {LISTED}"
    ).fetchall()
    return distinct, [[cut(v), n] for v, n in rows], sketch


def sorted_hashes(con: duckdb.DuckDBPyConnection, expression: str, column: str) -> Array:
    """The 64-bit hashes of the values that are there, in order."""
    found = con.execute(f"SELECT {expression} AS h FROM t WHERE {column} IS NOT NULL").fetchnumpy()
    hashes: Array = np.asarray(found["h"])
    hashes.sort()
    return hashes


def _spellings(count: int, examples: list[list[str]]) -> dict[str, Any]:
    shown = [[cut(value) for value in group[:4]] for group in examples]
    return {"variants": count, "spellings": shown}


def cut(value: str) -> str:
    """A value short enough to keep."""
    return value if len(value) <= LONGEST else value[:LONGEST] + "…"

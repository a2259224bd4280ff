"""Profile and gaps of a table at another engine: a few wide queries there, one line a column here."""

from collections.abc import Sequence
from typing import Any

from analysis.engine import Engine
from storage.datasets import ColumnInfo, Dataset
from storage.results import Result

COLUMNS_A_QUERY = 40
PROFILE = """import pandas

columns = {columns!r}
found = {{key: value for part in ({parts},) for row in part for key, value in row.items()}}


def text(kind, value):
    if value is None:
        return None
    if kind == "boolean":
        return "true" if value else "false"
    return str(value).replace("T", " ") if kind == "datetime" else str(value)


lines = [
    {{
        "column": name,
        "type": kind,
        "missing": found["rows"] - found[f"present_{{i}}"],
        "different": found[f"different_{{i}}"],
        "lowest": text(kind, found.get(f"lowest_{{i}}")),
        "highest": text(kind, found.get(f"highest_{{i}}")),
        "mean": found.get(f"mean_{{i}}"),
        "median": found.get(f"median_{{i}}"),
        "standard deviation": found.get(f"deviation_{{i}}"),
    }}
    for i, (name, kind) in enumerate(columns)
]
table = pandas.DataFrame(lines)
measures = ["mean", "median", "standard deviation"]
output = {{"table": table.astype({{name: "float64" for name in measures}})}}
"""
MISSING = """import pandas

columns = {columns!r}
found = {{key: value for part in ({parts},) for row in part for key, value in row.items()}}
lacking = {{name: found["rows"] - found[f"present_{{i}}"] for i, (name, kind) in enumerate(columns)}}
lines = [
    {{"column": name, "missing": count, "missing %": 100.0 * count / max(1, found["rows"])}}
    for name, count in sorted(lacking.items(), key=lambda item: (-item[1], item[0]))
]
output = {{"table": pandas.DataFrame(lines)}}
"""


def profile(engine: Engine, data: Dataset, columns: Sequence[ColumnInfo], **about: Any) -> Result:
    """Type, gaps, different values, range, mean, median and spread of each column."""
    return _summary(engine, data, columns, PROFILE, _described, **about)


def missing(engine: Engine, data: Dataset, columns: Sequence[ColumnInfo], **about: Any) -> Result:
    """How many values each column lacks, most first."""
    return _summary(engine, data, columns, MISSING, lambda i, column, field: {}, **about)


def _summary(
    engine: Engine, data: Dataset, columns: Sequence[ColumnInfo], code: str, measures: Any, **about: Any
) -> Result:
    table, parts = engine.table(data), {}
    for start in range(0, len(columns), COLUMNS_A_QUERY):
        wanted: dict[str, Any] = {"rows": table.count()}
        for index, column in enumerate(columns[start : start + COLUMNS_A_QUERY], start):
            field = table[column.name]
            wanted |= {f"present_{index}": field.count(), **measures(index, column, field)}
        parts[f"part_{start}"] = table.aggregate(**wanted)
    named = [(column.name, column.kind) for column in columns]
    return engine.finish(parts, code.format(columns=named, parts=", ".join(parts)), **about)[1]


def _described(index: int, column: ColumnInfo, field: Any) -> dict[str, Any]:
    found = {f"different_{index}": field.nunique()}
    ordered = field.cast("int32") if column.kind == "boolean" else field
    if column.kind != "other":
        found |= {f"lowest_{index}": ordered.min(), f"highest_{index}": ordered.max()}
    if column.kind in ("integer", "number"):
        number = field.cast("float64")
        found |= {
            f"mean_{index}": number.mean(),
            f"median_{index}": number.quantile(0.5),
            f"deviation_{index}": number.std(how="sample"),
        }
    return found

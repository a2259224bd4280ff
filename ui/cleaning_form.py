"""The fields of each cleaning step, and what a person chose as the step's options."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from analysis.cleaning import JOIN
from analysis.cleaning_rows import ACTIONS, KEEP
from analysis.cleaning_shape import PIVOTS
from analysis.cleaning_types import TYPES
from analysis.cleaning_values import FILLS, SCALES, TEXT_WAYS
from analysis.conditions import OPERATORS
from analysis.outliers import METHODS
from storage.datasets import ColumnInfo, Dataset

NUMBERS, TEXTS = ("integer", "number"), ("text",)
Kind = Callable[["Field", str, Dataset, list[Dataset]], Any]


@dataclass(frozen=True)
class Field:
    """One thing to choose."""

    option: str
    """The option of the step; "where" is a whole condition."""
    label: str
    kind: str = "text"
    """columns, column, text, names, number, value, choice, flag, tables, table or condition."""
    choices: tuple[str, ...] = ()
    """Of a choice; of columns the kinds of columns that fit."""
    help: str = ""


COLUMNS = Field("columns", "Columns", "columns")
STEPS: dict[str, tuple[str, tuple[Field, ...]]] = {
    "Change type": (
        "change_type",
        (
            COLUMNS,
            Field("to", "To", "choice", TYPES),
            Field("format", "Written as", help="dd.mm.yyyy, or 1.234,5, or ja/nein; empty finds it out"),
            Field("on_error", "Make missing what does not fit", "flag", ("missing",)),
        ),
    ),
    "Fill missing values": (
        "fill_missing",
        (
            COLUMNS,
            Field("method", "With", "choice", FILLS),
            Field("value", "Value", "value", help="For: value"),
            Field("by", "Within each", "columns"),
            Field("order_by", "In the order of", "column"),
        ),
    ),
    "Remove rows with gaps": (
        "drop_missing",
        (COLUMNS, Field("method", "A gap in", "choice", ("any", "all"))),
    ),
    "Remove duplicates": (
        "drop_duplicates",
        (COLUMNS, Field("keep", "Keep", "choice", KEEP), Field("order_by", "In the order of", "column")),
    ),
    "Outliers": (
        "outliers",
        (
            Field("columns", "Columns", "columns", NUMBERS),
            Field("action", "What to do", "choice", ACTIONS),
            Field("method", "Beyond", "choice", METHODS),
            Field("threshold", "Threshold", "number", help="0 for 1.5 IQR or 3 standard deviations"),
        ),
    ),
    "Keep or remove rows": (
        "filter",
        (Field("where", "Where", "condition"), Field("keep", "Keep", "choice", ("matching", "others"))),
    ),
    "Rename": (
        "rename",
        (COLUMNS, Field("names", "New names", "names", help="In the same order, with commas")),
    ),
    "Remove columns": ("drop_columns", (COLUMNS,)),
    "Keep only columns": ("keep_columns", (COLUMNS,)),
    "Replace values": (
        "replace_values",
        (
            COLUMNS,
            Field("old", "Value", "names", help="Several with commas"),
            Field("value", "With", "value", help="Empty makes them missing"),
            Field("method", "Match", "choice", ("whole", "part")),
        ),
    ),
    "Tidy text": (
        "clean_text",
        (Field("columns", "Columns", "columns", TEXTS), Field("method", "How", "choice", TEXT_WAYS)),
    ),
    "Add a column": (
        "derive",
        (Field("name", "Name"), Field("expression", "Formula", help="Such as: revenue - cost")),
    ),
    "Split a column": (
        "split_column",
        (
            Field("columns", "Column", "column", TEXTS),
            Field("separator", "At"),
            Field("names", "New names", "names"),
        ),
    ),
    "Cut into ranges": (
        "bin",
        (
            Field("columns", "Column", "column", NUMBERS),
            Field("bins", "Ranges", "number"),
            Field("method", "Of the same", "choice", ("width", "quantile")),
            Field("name", "Name"),
        ),
    ),
    "Scale": (
        "scale",
        (Field("columns", "Columns", "columns", NUMBERS), Field("method", "To", "choice", SCALES)),
    ),
    "Encode as 0 and 1": ("one_hot", (Field("columns", "Column", "column"),)),
    "Columns to rows": (
        "unpivot",
        (COLUMNS, Field("by", "Stay", "columns"), Field("names", "New names", "names", help="name, value")),
    ),
    "Rows to columns": (
        "pivot",
        (
            Field("columns", "Values of", "column"),
            Field("value", "Cells", "column"),
            Field("aggregate", "Put together by", "choice", ("", *PIVOTS)),
            Field("by", "For each", "columns"),
        ),
    ),
    "Join a table": (
        JOIN,
        (
            Field("right", "Table", "table"),
            Field("left_on", "Key here", "columns"),
            Field("right_on", "Key there", "names", help="Empty takes the same names"),
            Field("how", "Keep", "choice", ("left", "inner", "outer")),
            Field("allow_many", "Let rows repeat", "flag", ("yes",)),
        ),
    ),
    "Add rows of a table": (
        "append",
        (Field("others", "Tables", "tables"), Field("name", "Column for its name")),
    ),
    "Sort, keep the first": (
        "sort",
        (
            Field("by", "By", "columns"),
            Field("descending", "Highest first", "flag", ("yes",)),
            Field("limit", "Rows to keep", "number", help="0 keeps all"),
        ),
    ),
    "Sample": ("sample", (Field("limit", "Rows", "number"), Field("seed", "Seed", "number"))),
}
"""By its name on the page: the step, and its fields in order."""


def fields(name: str, dataset: Dataset, others: list[Dataset], key: str) -> dict[str, Any]:
    """Draws the fields of a step; the options that were chosen."""
    options: dict[str, Any] = {}
    for field in STEPS[name][1]:
        value = KINDS[field.kind](field, f"{key}-{name}-{field.option}", dataset, others)
        if value not in (None, "", [], 0) and value is not False:
            options[field.option] = value
    return options


def _fitting(field: Field, dataset: Dataset) -> list[ColumnInfo]:
    wanted = field.choices
    return [c for c in dataset.columns if not wanted or c.kind in wanted]


def _columns(field: Field, key: str, dataset: Dataset, others: list[Dataset]) -> Any:
    names = [c.name for c in _fitting(field, dataset)]
    return st.multiselect(field.label, names, key=key, help=field.help or None)


def _column(field: Field, key: str, dataset: Dataset, others: list[Dataset]) -> Any:
    names = [c.name for c in _fitting(field, dataset)]
    chosen = st.selectbox(field.label, names, index=None, key=key, help=field.help or None)
    return [chosen] if chosen and field.option == "columns" else chosen


def _text(field: Field, key: str, dataset: Dataset, others: list[Dataset]) -> Any:
    return st.text_input(field.label, key=key, help=field.help or None)


def _names(field: Field, key: str, dataset: Dataset, others: list[Dataset]) -> Any:
    said = st.text_input(field.label, key=key, help=field.help or None)
    return [part.strip() for part in said.split(",") if part.strip()]


def _value(field: Field, key: str, dataset: Dataset, others: list[Dataset]) -> Any:
    said = st.text_input(field.label, key=key, help=field.help or None)
    if re.fullmatch(r"[-+]?\d+", said.strip()):
        return said.strip()
    return said or None


def _number(field: Field, key: str, dataset: Dataset, others: list[Dataset]) -> Any:
    step = 0.5 if field.option == "threshold" else 1
    return st.number_input(field.label, min_value=type(step)(0), step=step, key=key, help=field.help or None)


def _choice(field: Field, key: str, dataset: Dataset, others: list[Dataset]) -> Any:
    return st.selectbox(field.label, field.choices, key=key, help=field.help or None)


def _flag(field: Field, key: str, dataset: Dataset, others: list[Dataset]) -> Any:
    on = st.toggle(field.label, key=key, help=field.help or None)
    return (field.choices[0] if field.choices[0] != "yes" else True) if on else None


def _tables(field: Field, key: str, dataset: Dataset, others: list[Dataset]) -> Any:
    return st.multiselect(field.label, [other.name for other in others], key=key)


def _table(field: Field, key: str, dataset: Dataset, others: list[Dataset]) -> Any:
    return st.selectbox(field.label, [other.name for other in others], key=key)


def _condition(field: Field, key: str, dataset: Dataset, others: list[Dataset]) -> Any:
    column = st.selectbox(field.label, [c.name for c in dataset.columns], key=key)
    op = st.selectbox("is", tuple(OPERATORS), format_func=lambda one: OPERATORS[one], key=f"{key}-op")
    if op in ("is_missing", "is_present"):
        return [{"column": column, "op": op, "value": None}]
    said = st.text_input("Value", key=f"{key}-value", help="Two or more with commas for between and one of")
    several = [part.strip() for part in said.split(",")] if op in ("between", "in", "not_in") else said
    return [{"column": column, "op": op, "value": several}] if said else []


KINDS: dict[str, Kind] = {
    "columns": _columns, "column": _column, "text": _text, "names": _names, "value": _value,
    "number": _number, "choice": _choice, "flag": _flag, "tables": _tables, "table": _table,
    "condition": _condition,
}  # fmt: skip

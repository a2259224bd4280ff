"""One entry to the statistical tests; without a kind, the data chooses and the result says why."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analysis.conditions import Condition, Selection, select
from analysis.engine import Engine
from analysis.errors import BadValue, ConstantColumn, NotNumeric, TooFew, UnknownOption, require_option
from analysis.measures import missing_note, require_numeric
from analysis.programs import run, sampled
from storage.datasets import ColumnInfo
from storage.results import Result

OF_GROUPS = ("t", "welch", "mann_whitney", "anova", "welch_anova", "tukey", "kruskal", "levene")
OF_ROWS = ("paired", "wilcoxon", "one_sample")
OF_COUNTS = ("chi_square", "fisher")
KINDS = (*OF_GROUPS, *OF_ROWS, *OF_COUNTS, "normality")
NUMBERS = ("integer", "number")
MAX_GROUPS = 30
MAX_LEVELS = 50
MINIMUM = 3


@dataclass(frozen=True)
class _Question:
    """What is tested: a column, in groups of another, against a second one, or against a value."""

    kind: str
    measure: ColumnInfo
    by: ColumnInfo | None
    second: ColumnInfo | None
    value: float | None


def test(
    engine: Engine,
    measure: str,
    by: str = "",
    second: str = "",
    value: float | None = None,
    kind: str = "",
    groups: Sequence[str] = (),
    dataset: str = "",
    where: Sequence[Condition] = (),
) -> Result:
    """Tests `measure` between the groups of `by`, against the `second` column of the same rows, or
    against `value`; alone, whether it is normally distributed. A measure of words with `by` is a
    chi-square test.

    kind "" chooses: between two groups Welch or Mann-Whitney, between more Welch's ANOVA or
    Kruskal-Wallis; Fisher for small two-by-two tables. Raises UnknownOption, NotNumeric, TooFew,
    ConstantColumn, NotComputable.
    """
    chosen = require_option(kind.replace("-", "_").replace(" ", "_"), ("", *KINDS), "test")
    data = engine.dataset(dataset)
    question = _Question(
        chosen,
        engine.column(data, measure),
        engine.column(data, by) if by else None,
        engine.column(data, second) if second else None,
        value,
    )
    conditions = list(where)
    if groups and question.by is not None:
        conditions.append({"column": question.by.name, "op": "in", "value": list(groups)})
    selection = select(engine, dataset, conditions, question.measure, question.by, question.second)
    arguments = {
        "measure": measure, "by": by, "second": second, "value": value, "kind": chosen,
        "groups": list(groups), "dataset": dataset, "where": list(where),
    }  # fmt: skip
    if chosen in OF_COUNTS or (not chosen and question.by and question.measure.kind not in NUMBERS):
        return _counts(engine, selection, question, arguments)
    require_numeric(question.measure, "this test")
    if chosen in OF_GROUPS or (not chosen and question.by is not None):
        return _groups(engine, selection, question, arguments)
    if chosen in OF_ROWS or (not chosen and (question.second is not None or value is not None)):
        return _rows(engine, selection, question, arguments)
    return _normality(engine, selection, question, arguments)


def _groups(engine: Engine, selection: Selection, question: _Question, arguments: dict[str, Any]) -> Result:
    measure, by = question.measure, question.by
    if by is None:
        raise UnknownOption(f"The test {question.kind} compares groups: name the column that holds them.")
    whole = _whole(selection, measure, by)
    counted = engine.fetch(whole.group_by(by.name).aggregate(n=whole.count()))
    if counted.row_count > MAX_GROUPS:
        raise UnknownOption(
            f"{by.name} has {counted.row_count:,} groups; test at most {MAX_GROUPS}. "
            "Name the groups, or filter."
        )
    if sum(n > 1 for n in counted.column("n")) < 2:
        raise TooFew(f"Two groups of {by.name} with at least two values each are needed.")
    _require_varying(engine, whole, measure)
    used = selection.used
    expression, notes = sampled(
        whole.select(group=whole[by.name].cast("string"), value=whole[measure.name].cast("float64")), used
    )
    return run(
        engine, "groups", "compare_groups", expression, {"kind": question.kind},
        title=f"Test of {measure.name} by {by.name}{selection.words}",
        tool="test", arguments=arguments, datasets=[selection.dataset], rows_used=used,
        notes=[*missing_note(selection, f"both {measure.name} and {by.name}"), *notes],
        facts={"measure": measure.name, "by": by.name},
    )  # fmt: skip


def _rows(engine: Engine, selection: Selection, question: _Question, arguments: dict[str, Any]) -> Result:
    measure, second, value = question.measure, question.second, question.value
    kind = question.kind
    if kind == "paired" and second is None:
        raise UnknownOption("A paired test needs the second column of numbers.")
    if second is None and value is None:
        raise BadValue("A one-sample test needs the value to test against.")
    if second is not None:
        require_numeric(second, "a paired test")
    columns = [column for column in (measure, second) if column is not None]
    used = selection.used
    if used < MINIMUM:
        raise TooFew(f"Only {used} row(s) have a value; at least {MINIMUM} are needed.")
    whole = _whole(selection, *columns)
    picked = {"value": whole[measure.name].cast("float64")}
    if second is not None:
        picked["second"] = whole[second.name].cast("float64")
    expression, notes = sampled(whole.select(**picked), used)
    against = second.name if second is not None else f"{value:g}"
    return run(
        engine, "single", "differences", expression,
        {"kind": "wilcoxon" if kind == "wilcoxon" else ("" if not kind else "t"), "value": value or 0.0},
        title=f"Test of {measure.name} against {against}{selection.words}",
        tool="test", arguments=arguments, datasets=[selection.dataset], rows_used=used,
        notes=[*missing_note(selection, " and ".join(c.name for c in columns)), *notes],
        facts={"measure": measure.name, "against": against},
    )  # fmt: skip


def _counts(engine: Engine, selection: Selection, question: _Question, arguments: dict[str, Any]) -> Result:
    first, second = question.measure, question.by or question.second
    if second is None:
        raise UnknownOption("A chi-square test needs two columns that hold groups.")
    for column in (first, second):
        if column.distinct > MAX_LEVELS:
            raise UnknownOption(
                f"{column.name} has {column.distinct:,} different values; a test of counts takes at most "
                f"{MAX_LEVELS}. Filter, or group the values."
            )
    if first.name == second.name:
        raise UnknownOption(f"{first.name} cannot be tested against itself. Name two different columns.")
    whole = _whole(selection, first, second)
    keys = [whole[first.name].cast("string").name("first"), whole[second.name].cast("string").name("second")]
    expression = whole.group_by(keys).aggregate(rows=whole.count()).order_by(["first", "second"])
    used = selection.used
    return run(
        engine, "categories", "independence", expression, {"kind": question.kind},
        title=f"Test of {first.name} and {second.name}{selection.words}",
        tool="test", arguments=arguments, datasets=[selection.dataset], rows_used=used,
        notes=missing_note(selection, f"both {first.name} and {second.name}"),
        facts={"measure": first.name, "by": second.name},
    )  # fmt: skip


def _normality(
    engine: Engine, selection: Selection, question: _Question, arguments: dict[str, Any]
) -> Result:
    measure = question.measure
    used = selection.used
    least = 8
    if used < least:
        raise TooFew(f"Only {used} row(s) have {measure.name}; a test of shape needs at least {least}.")
    whole = _whole(selection, measure)
    _require_varying(engine, whole, measure)
    expression, notes = sampled(whole.select(value=whole[measure.name].cast("float64")), used)
    return run(
        engine, "single", "normality", expression, {},
        title=f"Normality of {measure.name}{selection.words}",
        tool="test", arguments=arguments, datasets=[selection.dataset], rows_used=used,
        notes=[*missing_note(selection, measure.name), *notes],
        facts={"measure": measure.name},
    )  # fmt: skip


def _whole(selection: Selection, *columns: ColumnInfo) -> Any:
    table = selection.table
    return table.filter(*[table[column.name].notnull() for column in columns])


def _require_varying(engine: Engine, whole: Any, measure: ColumnInfo) -> None:
    different = engine.fetch(whole.aggregate(n=whole[measure.name].nunique())).rows[0][0]
    if different < 2:
        raise ConstantColumn(f"{measure.name} has the same value in every row used, so there is no test.")


def require_numbers(columns: Sequence[ColumnInfo], what: str) -> None:
    """Raises NotNumeric when nothing is left to compute with."""
    if not columns:
        raise NotNumeric(f"There is no column of numbers for {what}.")

"""A measure compared between groups, with a test that does not assume equal variances.

Two groups: Welch's t-test and Cohen's d (pooled standard deviation, the first group less the second).
More: Welch's analysis of variance and eta squared. Both from SciPy (`ttest_ind`, `f_oneway` with
equal_var=False). Welch's divides by each group's variance; where one of three or more groups never
varies, the classic analysis of variance stands in.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from analysis.backends import compile_sql
from analysis.conditions import Condition, said, select
from analysis.engine import Engine, python_text, result_table
from analysis.errors import ConstantColumn, TooFew, UnknownOption, nearest
from analysis.facts import extremes, with_facts
from analysis.measures import missing_note, require_numeric
from analysis.remote import relations
from storage.datasets import ColumnInfo, Dataset
from storage.results import Result

MAX_GROUPS = 30
CODE = """import numpy
from scipy import stats

data = con.sql({sql}).df()
grouped = data.groupby("group", sort=True)["value"]
table = grouped.agg(["count", "mean", "median", "std", "min", "max"]).reset_index()
samples = [values.to_numpy() for _, values in grouped if len(values) > 1]
varying = all(sample.var() > 0 for sample in samples)
if len(samples) == 2:
    test = stats.ttest_ind(*samples, equal_var=False)
    a, b = samples
    squares = (len(a) - 1) * a.var(ddof=1) + (len(b) - 1) * b.var(ddof=1)
    pooled = (squares / (len(a) + len(b) - 2)) ** 0.5
    name, effect_name, effect = "Welch t-test", "Cohen's d", (a.mean() - b.mean()) / pooled
else:
    test = stats.f_oneway(*samples, equal_var=not varying)
    tested = numpy.concatenate(samples)
    between = sum(len(s) * (s.mean() - tested.mean()) ** 2 for s in samples)
    total = ((tested - tested.mean()) ** 2).sum()
    name = "Welch ANOVA" if varying else "ANOVA"
    effect_name, effect = "eta squared", between / total
output = {{
    "table": table,
    "test": name,
    "statistic": float(test.statistic),
    "p": float(test.pvalue),
    "effect_name": effect_name,
    "effect": float(effect),
}}
"""


def compare(
    engine: Engine,
    measure: str,
    by: str,
    groups: Sequence[str] = (),
    dataset: str = "",
    where: Sequence[Condition] = (),
) -> Result:
    """n, mean, median and spread of `measure` in each group of `by` (or in `groups` only), and the
    test of equal means. Raises NotNumeric, TooFew, ConstantColumn, UnknownOption."""
    data = engine.dataset(dataset)
    value, group = engine.column(data, measure), engine.column(data, by)
    require_numeric(value, "comparing means")
    conditions = list(where)
    if groups:
        _require_groups(engine, data, group, groups)
        conditions.append({"column": group.name, "op": "in", "value": list(groups)})
    selection = select(engine, dataset, conditions, value, group)
    table = selection.table
    whole = table.filter(table[value.name].notnull() & table[group.name].notnull())
    counted = engine.fetch(
        whole.group_by(group.name).aggregate(n=whole.count(), different=whole[value.name].nunique())
    )
    if counted.row_count > MAX_GROUPS:
        raise UnknownOption(
            f"{group.name} has {counted.row_count:,} groups; compare at most {MAX_GROUPS}. "
            "Name the groups, or filter."
        )
    large = [n for n in counted.column("n") if n > 1]
    if len(large) < 2:
        raise TooFew(f"Two groups of {group.name} with at least two values each are needed.")
    if max(counted.column("different")) < 2:
        raise ConstantColumn(f"{value.name} never varies inside a group, so there is no test.")
    selected = whole.select(group=whole[group.name].cast("string"), value=whole[value.name].cast("float64"))
    notes = missing_note(selection, f"both {value.name} and {group.name}")
    if len(large) < counted.row_count:
        notes.append("Groups with a single value are listed but not tested.")
    if min(large) < 30:
        notes.append("At least one group has fewer than 30 values: read the p-value with care.")
    about: dict[str, Any] = dict(
        title=f"{value.name} compared by {group.name}{selection.words}",
        tool="compare",
        arguments={
            "measure": measure, "by": by, "groups": list(groups), "dataset": dataset,
            "where": list(where),
        },
        datasets=[data],
        rows_used=selection.used,
        notes=notes,
    )  # fmt: skip
    if data.source:
        result = relations.compared(engine, selection, value, group, **about)
    else:
        _, result = engine.program(CODE.format(sql=python_text(compile_sql(selected))), **about)
    if result.facts["test"] == "ANOVA":
        never = "A group never varies, so the test is the one that assumes equal variances."
        result = replace(result, notes=[*result.notes, never])
    table = result_table(result)
    return with_facts(
        result, {"groups": table.row_count, "n": selection.used} | extremes(table, ["group"], "mean")
    )


def _require_groups(engine: Engine, data: Dataset, group: ColumnInfo, groups: Sequence[str]) -> None:
    """Raises UnknownOption for a group that no row is in."""
    table = engine.table(data)
    found = engine.fetch(table.select(table[group.name].cast("string")).distinct()).column(group.name)
    known = [value for value in found if value is not None]
    folded = {value.lower() for value in known}
    for wanted in groups:
        if group.kind == "text" and said(wanted).strip().lower() not in folded:
            close = nearest(said(wanted), known) or sorted(known)[:8]
            raise UnknownOption(f"{group.name} has no group {wanted!r}. Nearest: {', '.join(close)}.", close)

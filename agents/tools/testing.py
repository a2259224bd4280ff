"""Statistical tests, regression, and correlations with their p-values."""

from typing import Any

from google.adk.tools.tool_context import ToolContext

from agents.tools.running import Filter, conditions, run
from analysis.statistics import correlations as correlating
from analysis.statistics import hypothesis
from analysis.statistics import regression as regressing


async def test(
    tool_context: ToolContext,
    measure: str,
    by: str = "",
    second: str = "",
    value: float | None = None,
    kind: str = "",
    groups: list[str] | None = None,
    where: list[Filter] | None = None,
    dataset: str = "",
) -> dict[str, Any]:
    """Statistical test with its assumptions checked and an effect size. Use it for "is it significant",
    "is A different from B", "are X and Y independent", "is it normally distributed".

    A number with `by`: between groups. With `second`: paired, against another number of the same rows. With
    `value`: against a value. A number alone: normality. A column of groups with `by`: chi-square.

    Args:
        measure: The column to test: numbers, or groups for chi-square.
        by: The column that holds the groups.
        second: Second column of numbers, for a paired test.
        value: The value to test against, for one sample.
        kind: Empty lets the data choose (and says why); else t, welch, mann_whitney, anova, welch_anova,
            tukey (every pair), kruskal, levene (equal spread), paired, wilcoxon, one_sample, chi_square,
            fisher or normality.
        groups: Only these groups of `by`; empty takes all.
        where: Conditions that rows must all meet.
        dataset: Name of the dataset; empty is the current one.
    """
    return await run(
        tool_context,
        lambda engine: hypothesis.test(
            engine, measure, by, second, value, kind, groups or [], dataset, conditions(where)
        ),
    )


async def regression(
    tool_context: ToolContext,
    target: str,
    features: list[str] | None = None,
    kind: str = "",
    positive: str = "",
    where: list[Filter] | None = None,
    dataset: str = "",
) -> dict[str, Any]:
    """Linear or logistic regression to explain: coefficients with 95% intervals, p-values, R², VIF, residual
    checks; odds ratios for logistic. To predict new rows use train_model.

    Args:
        target: A column of numbers (linear), or of two groups (logistic).
        features: The columns it is regressed on, numbers or groups; empty takes all usable ones.
        kind: linear or logistic; empty chooses by the target.
        positive: For logistic, the group whose odds are explained; empty takes the rarer one.
        where: Conditions that rows must all meet.
        dataset: Name of the dataset; empty is the current one.
    """
    return await run(
        tool_context,
        lambda engine: regressing.regression(
            engine, target, features or [], kind, positive, None, dataset, conditions(where)
        ),
    )


async def correlation_tests(
    tool_context: ToolContext,
    columns: list[str] | None = None,
    method: str = "",
    correction: str = "",
    where: list[Filter] | None = None,
    dataset: str = "",
) -> dict[str, Any]:
    """Correlations of every pair of number columns with p-values corrected for the number of pairs.

    Args:
        columns: The columns; empty takes all numbers.
        method: pearson (linear), spearman or kendall (ranks).
        correction: holm, bonferroni or fdr_bh.
        where: Conditions that rows must all meet.
        dataset: Name of the dataset; empty is the current one.
    """
    return await run(
        tool_context,
        lambda engine: correlating.correlation_tests(
            engine, columns or [], method, correction, dataset, conditions(where)
        ),
    )

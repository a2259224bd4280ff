"""What is learnt from rows: models that predict, groups, odd rows, main directions."""

from collections.abc import Callable
from typing import Any

from google.adk.tools.tool_context import ToolContext

from agents.tools.running import Filter, conditions, run, session_key
from agents.workspace import workspace
from analysis.engine import Engine
from analysis.learning import training, unsupervised, using
from storage.results import Result


async def train_model(
    tool_context: ToolContext,
    target: str,
    features: list[str] | None = None,
    kind: str = "",
    algorithm: str = "",
    by_time: bool | None = None,
    where: list[Filter] | None = None,
    dataset: str = "",
) -> dict[str, Any]:
    """Trains a model that predicts a column: several kinds compared by cross-validation with a baseline, the
    best tested on held-out rows and kept. Warns of leakage. Say the score beside the baseline's, and every
    warning; its importances tell what the model uses, not what causes the target.

    Args:
        target: The column to predict: numbers, groups or yes/no.
        features: Columns to predict it from; empty takes all useful ones. Leave out what is only known
            after the target.
        kind: classification or regression; empty chooses by the target.
        algorithm: Empty tries all; else linear or logistic, nearest neighbours, tree, random forest or
            gradient boosting.
        by_time: Whether the newest rows are the test; empty does so where there is a date.
        where: Conditions that rows must all meet.
        dataset: Name of the dataset; empty is the current one.
    """
    models, key = workspace().store.models, session_key(tool_context)
    return await run(
        tool_context,
        lambda engine: training.train_model(
            engine, models, key, target, features or [], kind, algorithm, by_time, dataset, conditions(where)
        ),
    )


async def evaluate_model(
    tool_context: ToolContext,
    model: str = "",
    where: list[Filter] | None = None,
    dataset: str = "",
) -> dict[str, Any]:
    """Tests a trained model: errors by size, or precision and recall by class; on its held-out rows, or on
    all rows of another dataset.

    Args:
        model: Its result id or target; empty is the newest one.
        where: Conditions that rows must all meet.
        dataset: Another dataset to test it on; empty is the held-out rows of its own.
    """
    return await _with_model(
        tool_context,
        model,
        lambda engine, trained: using.evaluate_model(
            engine, workspace().store.models, session_key(tool_context), trained, dataset, conditions(where)
        ),
    )


async def predict(
    tool_context: ToolContext,
    model: str = "",
    values: dict[str, Any] | None = None,
    where: list[Filter] | None = None,
    dataset: str = "",
) -> dict[str, Any]:
    """Predicts with a trained model: for given values, or for every row of a dataset. Say the interval or the
    probability with each prediction.

    Args:
        model: Its result id or target; empty is the newest one.
        values: Columns with their values, for one case; empty predicts the rows of the dataset.
        where: Conditions that rows must all meet.
        dataset: Dataset whose rows are predicted; empty is the current one.
    """
    return await _with_model(
        tool_context,
        model,
        lambda engine, trained: using.predict(
            engine, workspace().store.models, session_key(tool_context), trained, values, dataset,
            conditions(where),
        ),
    )  # fmt: skip


async def list_models(tool_context: ToolContext) -> dict[str, Any]:
    """Lists the models trained in this conversation: what they predict, how well, and their baselines."""
    results, key = workspace().store.results, session_key(tool_context)
    return await run(tool_context, lambda engine: using.list_models(engine, results.models(key)))


async def cluster(
    tool_context: ToolContext,
    columns: list[str] | None = None,
    per: str = "",
    clusters: int = 0,
    method: str = "",
    where: list[Filter] | None = None,
    dataset: str = "",
) -> dict[str, Any]:
    """Finds groups of rows that are alike in number columns, with the profile of each in its own units.

    Args:
        columns: Columns of numbers; empty takes all.
        per: Column whose groups are clustered by their means, such as customer or city; empty takes rows.
        clusters: How many; 0 takes the number that stands apart best.
        method: kmeans or hierarchical.
        where: Conditions that rows must all meet.
        dataset: Name of the dataset; empty is the current one.
    """
    return await run(
        tool_context,
        lambda engine: unsupervised.cluster(
            engine, columns or [], per, clusters, method, dataset, conditions(where)
        ),
    )


async def anomalies(
    tool_context: ToolContext,
    columns: list[str] | None = None,
    share: float = 0,
    where: list[Filter] | None = None,
    dataset: str = "",
) -> dict[str, Any]:
    """Rows whose combination of numbers is unusual (isolation forest). For one column use outliers, for
    periods odd_periods.

    Args:
        columns: Columns of numbers; empty takes all.
        share: The share of rows to list; 0 takes 0.01.
        where: Conditions that rows must all meet.
        dataset: Name of the dataset; empty is the current one.
    """
    return await run(
        tool_context,
        lambda engine: unsupervised.odd_rows(engine, columns or [], share, dataset, conditions(where)),
    )


async def principal_components(
    tool_context: ToolContext,
    columns: list[str] | None = None,
    where: list[Filter] | None = None,
    dataset: str = "",
) -> dict[str, Any]:
    """The main directions in which rows vary (PCA): how much each explains, and of which columns it is made.

    Args:
        columns: Columns of numbers; empty takes all.
        where: Conditions that rows must all meet.
        dataset: Name of the dataset; empty is the current one.
    """
    return await run(
        tool_context,
        lambda engine: unsupervised.components(engine, columns or [], dataset, conditions(where)),
    )


async def _with_model(
    context: ToolContext, name: str, analysis: Callable[[Engine, Result], Result]
) -> dict[str, Any]:
    """Runs an analysis with a stored model of the session."""
    results, key = workspace().store.results, session_key(context)
    return await run(context, lambda engine: analysis(engine, using.find_model(results.models(key), name)))

"""Linear and logistic regression: what goes with a number, or with the odds of a group."""

from collections.abc import Sequence

from analysis.conditions import Condition, select
from analysis.engine import Engine
from analysis.errors import ConstantColumn, TooFew, UnknownOption, nearest, require_option
from analysis.measures import is_identifier, missing_note
from analysis.programs import run, sampled
from storage.datasets import ColumnInfo, Dataset
from storage.results import Result

KINDS = ("linear", "logistic")
MAX_FEATURES = 30
MAX_GROUPS = 50
MINIMUM = 8
MOST_ROWS = 500_000


def regression(
    engine: Engine,
    target: str,
    features: Sequence[str] = (),
    kind: str = "",
    positive: str = "",
    reference: dict[str, str] | None = None,
    dataset: str = "",
    where: Sequence[Condition] = (),
) -> Result:
    """`target` regressed on `features` (without any, on all usable columns).

    kind "" is linear for a number and logistic for a column of two groups, whose `positive` one is
    the rarer unless named. `reference` names the level that others of a column are compared with, else
    its most frequent one. Raises UnknownOption, TooFew, ConstantColumn, NotComputable (perfect
    separation).
    """
    data = engine.dataset(dataset)
    goal = engine.column(data, target)
    chosen = require_option(kind or _kind_of(goal), KINDS, "kind of regression")
    if chosen == "linear" and goal.kind not in ("integer", "number", "boolean"):
        raise UnknownOption(
            f"{goal.name} holds {goal.kind} values. Linear regression "
            "needs numbers; for two groups use logistic.",
            ["logistic"],
        )
    used_columns = [engine.column(data, name) for name in features] or _usable(data, goal)
    used_columns = list({c.name: c for c in used_columns if c.name != goal.name}.values())[:MAX_FEATURES]
    if not used_columns:
        raise UnknownOption(f"Name the columns to regress {goal.name} on.")
    for column in used_columns:
        if column.kind not in ("integer", "number", "boolean") and column.distinct > MAX_GROUPS:
            raise UnknownOption(
                f"{column.name} has {column.distinct:,} different values, too many to compare one by one."
            )
    selection = select(engine, dataset, where, goal, *used_columns)
    used = selection.used
    if used < MINIMUM:
        raise TooFew(f"Only {used} row(s) have a value in every column; at least {MINIMUM} are needed.")
    table = selection.table
    whole = table.filter(*[table[c.name].notnull() for c in (goal, *used_columns)])
    asked = positive
    if chosen == "logistic":
        levels = engine.fetch(
            whole.group_by(level=whole[goal.name].cast("string")).aggregate(n=whole.count()).order_by("n")
        )
        names = [str(level) for level in levels.column("level")]
        asked = _positive(goal, names, positive)
    picked = whole.select(
        **{
            c.name: whole[c.name].cast("float64" if c.kind in ("integer", "number") else "string")
            for c in used_columns
        },
        **{goal.name: whole[goal.name].cast("string" if chosen == "logistic" else "float64")},
    )
    expression, notes = sampled(picked, used, MOST_ROWS)
    names = [c.name for c in used_columns]
    return run(
        engine, "regression", "regress", expression,
        {
            "target": goal.name, "features": names, "kind": chosen, "positive": asked,
            "reference": reference or {},
        },
        title=f"{chosen.title()} regression of {goal.name} on {_listed(names)}{selection.words}",
        tool="regression",
        arguments={
            "target": target, "features": list(features), "kind": kind, "positive": positive,
            "reference": reference or {}, "dataset": dataset, "where": list(where),
        },
        datasets=[data], rows_used=used,
        notes=[*missing_note(selection, "a value in every column"), *notes],
    )  # fmt: skip


def _kind_of(goal: ColumnInfo) -> str:
    two = goal.distinct == 2 and goal.kind in ("text", "boolean")
    return "logistic" if two or goal.kind == "boolean" else "linear"


def _positive(goal: ColumnInfo, levels: list[str], asked: str) -> str:
    if len(levels) != 2:
        raise (ConstantColumn if len(levels) < 2 else UnknownOption)(
            f"{goal.name} has {len(levels)} different values in the rows used; logistic "
            "regression explains two. Filter to two of them, or use train_model."
        )
    if not asked:
        return "true" if goal.kind == "boolean" else levels[0]
    found = [level for level in levels if level.lower() == asked.strip().lower()]
    if not found:
        close = nearest(asked, levels) or levels
        raise UnknownOption(f"{goal.name} has no value {asked!r}. It has: {', '.join(levels)}.", close)
    return found[0]


def _usable(data: Dataset, goal: ColumnInfo) -> list[ColumnInfo]:
    """Numbers that measure something, and groups few enough to compare."""
    return [
        c
        for c in data.columns
        if c.name != goal.name
        and c.distinct > 1
        and (
            (c.kind in ("integer", "number") and not is_identifier(c, data.rows))
            or (c.kind in ("text", "boolean") and c.distinct <= MAX_GROUPS // 4)
        )
    ]


def _listed(names: list[str]) -> str:
    most = 4
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"

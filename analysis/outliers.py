"""Values far from the rest, by the quartile fences (Tukey) or by distance from the mean."""

import math
from collections.abc import Sequence

import ibis

from analysis.conditions import Condition, select
from analysis.engine import Engine
from analysis.errors import BadValue, ConstantColumn, require_option
from analysis.measures import missing_note, require_numeric
from analysis.rows import TIE_COLUMNS
from storage.results import Result

METHODS = ("iqr", "zscore")
THRESHOLDS = {"iqr": 1.5, "zscore": 3.0}
SHOWN = 200


def outliers(
    engine: Engine,
    column: str,
    method: str = "iqr",
    threshold: float = 0,
    dataset: str = "",
    where: Sequence[Condition] = (),
) -> Result:
    """The rows whose value lies beyond the fences, farthest first.

    iqr: below Q1 - k·IQR or above Q3 + k·IQR, k = 1.5; zscore: more than 3 sample standard deviations
    from the mean. Raises NotNumeric, ConstantColumn, BadValue for a negative threshold.
    """
    chosen = require_option(method or "iqr", METHODS, "method")
    if not 0 <= threshold < math.inf:
        raise BadValue("The threshold must be a number above 0.")
    factor = float(threshold or THRESHOLDS[chosen])
    data = engine.dataset(dataset)
    info = engine.column(data, column)
    require_numeric(info, "looking for outliers")
    selection = select(engine, dataset, where, info)
    field = selection.table[info.name].cast("float64")
    if chosen == "iqr":
        first, third = field.quantile(0.25), field.quantile(0.75)
        low, high = first - factor * (third - first), third + factor * (third - first)
    else:
        low = field.mean() - factor * field.std(how="sample")
        high = field.mean() + factor * field.std(how="sample")
    bounds = selection.table.aggregate(
        low=low, high=high, least=field.min(), most=field.max(), middle=field.median()
    )
    low_value, high_value, least, most, middle = engine.fetch(bounds).rows[0]
    if least is None or least == most:
        raise ConstantColumn(f"{info.name} has no two different values, so nothing stands out.")
    fences = selection.table.aggregate(__low=low, __high=high)
    joined = selection.table.cross_join(fences)
    number = joined[info.name].cast("float64")
    beyond = joined.filter((number < joined["__low"]) | (number > joined["__high"]))
    found = engine.fetch(beyond.aggregate(n=beyond.count())).rows[0][0]
    distance = (beyond[info.name].cast("float64") - middle).abs()
    rest = [c.name for c in data.columns if c.kind != "other"][:TIE_COLUMNS]
    ordered = beyond.order_by([ibis.desc(distance), *rest])
    expression = ordered.drop("__low", "__high").limit(SHOWN)
    notes = missing_note(selection, info.name)
    rule = (
        f"{factor:g} times the IQR beyond the quartiles"
        if chosen == "iqr"
        else f"{factor:g} standard deviations"
    )
    notes.append(f"Outside {low_value:,.6g} to {high_value:,.6g} ({rule}).")
    if chosen == "iqr" and low_value == high_value:
        notes.append("At least half of the values are the same, so every other value is outside.")
    if found > SHOWN:
        notes.append(f"The {SHOWN} farthest of {found:,} are shown.")
    return engine.run(
        expression,
        title=f"Outliers of {info.name}{selection.words}",
        tool="outliers",
        arguments={
            "column": column, "method": chosen, "threshold": threshold, "dataset": dataset,
            "where": list(where),
        },
        datasets=[data],
        rows_used=selection.used,
        notes=notes,
        facts={"outliers": found, "low": low_value, "high": high_value, "values": selection.used},
    )  # fmt: skip

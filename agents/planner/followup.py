"""A question that changes the one before it: "and by region?", "as a line chart", "only 2024"."""

from copy import deepcopy
from typing import Any

from agents.planner import lexicon as lex
from agents.planner.help import unknown_words
from agents.planner.intent import Intent, ask
from agents.planner.parse import dissect
from agents.planner.parts import Parts, unclear
from agents.planner.schema import Column, Schema, is_rate
from agents.planner.tokens import find, has, stems
from agents.planner.which import elsewhere, table_of

STARTS = [
    "and", "what about", "how about", "now", "only", "just", "same", "as a", "as", "then", "also", "but",
    "make it", "make that", "instead", "ok", "show that", "show it", "show this", "draw that", "plot that",
    "plot it", "plot this", "chart that", "the same", "break it down", "break that down", "break down",
    "split it", "group it", "sort it", "chart it", "draw it", "graph it",
]  # fmt: skip
WEAK_STARTS = [
    "by", "per", "for", "in", "since", "before", "after", "between", "from", "top", "bottom", "sort",
    "without", "exclude", "excluding", "split by", "broken down by", "during", "until",
]  # fmt: skip
CHARTABLE = ("query", "trend", "distribution", "crosstab", "correlate")
AS_TABLE = "as a table"
UNFILTERED = ("sql", "profile", "missing", "find_values", "list_models")
"""Tools that take no filter, so that "only 2024" needs a whole question."""
OVER_TIME = ("forecast", "seasonality", "trend_test", "resample", "odd_periods", "drivers", "compare_periods")
FILTERED_ONLY = (
    *OVER_TIME, "test", "regression", "correlation_tests", "train_model", "evaluate_model", "predict",
    "cluster", "anomalies", "principal_components",
)  # fmt: skip
"""Tools of which a short question can change the filter (and the interval over time), no more."""
COLUMN_TOOLS = ("describe", "distribution", "outliers")


def follow(text: str, schema: Schema, previous: tuple[str, dict[str, Any]] | None) -> Intent | None:
    """The changed call, or None when the question stands by itself."""
    if previous is None:
        return None
    tool, arguments = previous[0], _listed(deepcopy(previous[1]))
    root = schema.name
    if schema.others:
        schema = table_of(arguments, schema)
        if schema.name != root:
            arguments["dataset"] = schema.name
    tokens = stems(text)
    parts = dissect(text, schema)
    if not _depends(tokens, parts):
        return None
    if needs := elsewhere(tokens, schema):
        return needs
    if again := unclear(parts):
        return again
    if parts.unknown:
        return ask(unknown_words(parts.unknown, schema))
    changed = _apply(tool, arguments, parts, tokens)
    if changed is None:
        return ask("I did not understand what to change about the last answer. Say it as a whole question.")
    name, merged = changed
    return Intent(name, merged, look_up=parts.look_up, notes=list(parts.notes))


def drawn_from(earlier: list[tuple[str, dict[str, Any]]]) -> tuple[str, dict[str, Any]] | None:
    """The newest call; a chart of an earlier result is told by that result's own columns."""
    if not earlier:
        return None
    tool, arguments = earlier[-1]
    if tool != "show" or not arguments.get("result_id"):
        return earlier[-1]
    tables = (call for call in reversed(earlier) if not call[1].get("result_id"))
    base = next(tables, None)
    if base is None or base[0] not in ("query", "trend") or arguments["result_id"] != "last":
        return earlier[-1]
    return "show", _as_chart(base[0], base[1], str(arguments.get("kind", "bar")))


def redrawn(kind: str, tool: str, arguments: dict[str, Any]) -> dict[str, Any] | None:
    """`show` for an earlier call's numbers, from the data; None where only its result has them."""
    kept = _kept(arguments, "where", "dataset")
    if tool == "distribution":
        return {"kind": "histogram", "x": arguments["column"]} | kept
    if tool == "crosstab" and not arguments.get("normalize") and kind in ("bar", "heatmap"):
        value = {"y": arguments["measure"]} if arguments.get("measure") else {}
        axes = {"kind": kind, "x": arguments["rows"], "by": arguments["columns"]}
        return axes | value | _kept(arguments, "aggregate") | kept
    if tool == "correlate" and kind == "heatmap" and not (arguments.get("x") or arguments.get("columns")):
        return {"kind": kind} | kept
    return None


def _listed(arguments: dict[str, Any]) -> dict[str, Any]:
    """Lists where a call of this or another model may have had a single name."""
    single = {name: [arguments[name]] for name in ("where",) if isinstance(arguments.get(name), dict)}
    return arguments | single


def _depends(tokens: list[str], parts: Parts) -> bool:
    if any(
        has(tokens, listed)
        for listed in (
            lex.DECLINE,
            lex.HELP,
            lex.OUTLIERS,
            lex.CORRELATE,
            lex.MISSING,
            lex.CROSSTAB,
            lex.PROFILE,
        )
    ):
        return False
    starts = any(find(tokens[: len(p.split())], p) == 0 for p in STARTS)
    weak = any(find(tokens[: len(p.split())], p) == 0 for p in WEAK_STARTS)
    anything = bool(
        parts.where
        or parts.by
        or parts.others
        or parts.measures
        or parts.aggregates
        or parts.limit
        or parts.order
        or parts.interval
        or parts.chart
        or parts.look_up
        or parts.unclear
    )
    if starts or "instead" in tokens:
        return anything or AS_TABLE in " ".join(tokens)
    if weak and not parts.measures and not parts.aggregates:
        return anything
    bare = not parts.measures and not parts.aggregates and not parts.others and not parts.by
    pointing = has(tokens, ["that", "instead", "it"]) and bool(parts.chart or parts.where)
    return bare and anything and (pointing or (bool(parts.chart or parts.order) and len(tokens) <= 4))


def _apply(
    tool: str, arguments: dict[str, Any], parts: Parts, tokens: list[str]
) -> tuple[str, dict[str, Any]] | None:
    kind = parts.chart
    if tool in FILTERED_ONLY and _says_more(tool, parts):
        return None
    if AS_TABLE in " ".join(tokens) and tool == "show":
        return _as_query(arguments)
    only_chart = kind and not (
        parts.where
        or parts.by
        or parts.others
        or parts.measures
        or parts.aggregates
        or parts.limit
        or parts.interval
    )
    if only_chart and tool in CHARTABLE:
        drawn = kind if kind != "auto" else "line" if tool == "trend" else "bar"
        if tool == "distribution" and drawn == "histogram":
            return "show", _kept(arguments, "where", "dataset") | {
                "kind": drawn,
                "x": arguments.get("column", ""),
            }
        if tool == "query" and arguments.get("by") and drawn in ("line", "bar", "pie", "area", "heatmap"):
            return "show", _as_chart(tool, arguments, drawn)
        if tool == "trend" and drawn in ("line", "bar", "area"):
            return "show", _as_chart(tool, arguments, drawn)
        return "show", {"kind": drawn, "result_id": "last"}
    if kind and tool in ("query", "trend"):
        drawn = kind if kind != "auto" else "line" if tool == "trend" else "bar"
        arguments = _as_chart(tool, arguments, drawn)
        tool = "show"
    elif kind and tool == "show":
        arguments["kind"] = arguments["kind"] if kind == "auto" else kind
        arguments.pop("title", None)
    if (parts.where or parts.look_up) and tool in UNFILTERED:
        return None
    _merge_where(arguments, parts)
    _merge_columns(tool, arguments, parts, tokens)
    if parts.limit and tool in ("query", "rows", "show"):
        arguments["limit"] = parts.limit
    if parts.order and tool == "query":
        arguments["order"] = parts.order
    if parts.order and tool == "rows":
        arguments["descending"] = parts.order != "ascending"
    if parts.interval:
        tool = _merge_interval(tool, arguments, parts)
    return tool, arguments


def _says_more(tool: str, parts: Parts) -> bool:
    """Whether something besides a filter would have to change."""
    named = parts.by or parts.others or parts.measures or parts.aggregates
    return bool(
        named or parts.limit or parts.order or parts.chart or (parts.interval and tool not in OVER_TIME)
    )


def _as_query(arguments: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """A chart's numbers as a table."""
    names = [arguments[name] for name in ("x", "by") if arguments.get(name)]
    if arguments.get("result_id") or not names or arguments.get("kind") == "scatter":
        return None
    if arguments.get("kind") == "histogram":
        return "distribution", {"column": names[0]} | _kept(arguments, "where", "dataset")
    table = {"by": names} | _kept(arguments, "where", "interval", "limit", "dataset")
    if arguments.get("y"):
        table |= {"measure": arguments["y"], "aggregate": [arguments.get("aggregate") or "sum"]}
    return "query", table


def _kept(arguments: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: arguments[name] for name in names if arguments.get(name)}


def _as_chart(tool: str, arguments: dict[str, Any], kind: str) -> dict[str, Any]:
    """The arguments of query or trend as those of show."""
    chart = {"kind": kind} | _kept(arguments, "where", "interval", "limit", "dataset")
    aggregate = arguments.get("aggregate") or []
    if arguments.get("measure"):
        first = aggregate if isinstance(aggregate, str) else next(iter(aggregate), "")
        chart |= {"y": arguments["measure"], "aggregate": first or "sum"}
    by = arguments.get("by") or []
    names = [by] if isinstance(by, str) else list(by)
    if tool == "trend":
        chart |= {"x": arguments.get("date", "")} | ({"by": names[0]} if names and names[0] else {})
    elif names:
        chart |= {"x": names[0]} | ({"by": names[1]} if len(names) > 1 else {})
    return {name: value for name, value in chart.items() if value}


def _merge_where(arguments: dict[str, Any], parts: Parts) -> None:
    if not parts.where:
        return
    new = {condition["column"] for condition in parts.where}
    kept = [c for c in arguments.get("where") or [] if c.get("column") not in new]
    arguments["where"] = kept + parts.where


def _merge_columns(tool: str, arguments: dict[str, Any], parts: Parts, tokens: list[str]) -> None:
    groups = [c for c in [*parts.by, *parts.others] if not c.numeric] or [c for c in parts.by if c.numeric]
    measures = [c for c in parts.measures if c not in groups]
    added = has(tokens, ["also", "too", "as well", "split", "broken down by"])
    if tool in COLUMN_TOOLS:
        if column := next(iter(measures + groups), None):
            arguments["column"] = column.name
        return
    if tool == "correlate":
        if measures:
            arguments["y"] = measures[0].name
        return
    measure_name = "y" if tool == "show" else "measure"
    if tool == "show" and arguments.get("kind") == "histogram":
        measure_name = "x"
    if measures and tool in ("query", "trend", "compare", "show", "crosstab"):
        arguments[measure_name] = measures[0].name
        if is_rate(measures[0]) and not parts.aggregates and arguments.get("aggregate") in ("sum", ["sum"]):
            arguments["aggregate"] = ["mean"] if tool == "query" else "mean"
    if parts.aggregates and tool in ("query", "trend", "show", "crosstab"):
        arguments["aggregate"] = parts.aggregates if tool == "query" else parts.aggregates[0]
        if parts.aggregates == ["count"]:
            arguments.pop(measure_name, None)
            arguments.pop("aggregate", None)
    if groups:
        _merge_groups(tool, arguments, groups, added=added, schema=parts.schema)


def _merge_groups(
    tool: str, arguments: dict[str, Any], groups: list[Column], *, added: bool, schema: Schema
) -> None:
    names = [group.name for group in groups]
    if tool == "query":
        before = arguments.get("by") or []
        before = [before] if isinstance(before, str) else before
        old = [name for name in before if name not in names]
        arguments["by"] = old + names if added else names
        if not any(c.timed for c in schema.columns if c.name in arguments["by"]):
            arguments.pop("interval", None)
    elif tool in ("trend", "compare"):
        arguments["by"] = names[0]
        arguments.pop("groups", None)
    elif tool == "crosstab":
        arguments["columns"] = names[0]
    elif tool == "show":
        _merge_chart_groups(arguments, names, added=added, schema=schema)


def _merge_chart_groups(arguments: dict[str, Any], names: list[str], *, added: bool, schema: Schema) -> None:
    timed = any(c.timed for c in schema.columns if c.name == arguments.get("x"))
    over_time = timed or (arguments.get("kind") in ("line", "area") and not arguments.get("x"))
    if arguments.get("kind") in ("scatter", "box") or over_time or added:
        arguments["by"] = names[0]
    else:
        arguments["x"] = names[0]
        arguments.pop("by", None)
    arguments.pop("result_id", None)


def _merge_interval(tool: str, arguments: dict[str, Any], parts: Parts) -> str:
    arguments["interval"] = parts.interval
    date = parts.schema.dates[0].name
    if tool == "query":
        before = arguments.get("by") or []
        by = [name for name in ([before] if isinstance(before, str) else before) if name != date]
        arguments["by"] = [date, *by]
        arguments.pop("order", None)
    elif tool == "show" and not arguments.get("x"):
        arguments["x"] = date
    return tool

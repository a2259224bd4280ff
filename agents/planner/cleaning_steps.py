"""From the words of a request to the arguments of a cleaning step.

A maker gets the match, the current table, and whether the request named a table; it returns None where the
words mean something else after all, and raises Unclear where only the person can say.
"""

import re
from collections.abc import Callable
from typing import Any

from agents.planner.intent import ask
from agents.planner.naming import (
    Unclear,
    bare,
    column_named,
    columns,
    formula,
    placed,
    table_named,
    value,
    where,
)
from agents.planner.parts import how_many
from agents.planner.schema import Schema
from agents.planner.which import turned

Match = re.Match[str]
Made = tuple[dict[str, Any], Schema]
Make = Callable[[Match, Schema, bool], Made | None]
TYPES = {
    "date": "date", "day": "date", "datetime": "datetime", "timestamp": "datetime",
    "date and time": "datetime",
    "date time": "datetime", "number": "number", "numeric": "number", "decimal": "number", "float": "number",
    "integer": "integer", "int": "integer", "whole number": "integer", "text": "text", "string": "text",
    "boolean": "boolean", "bool": "boolean", "yes/no": "boolean", "yes or no": "boolean",
    "true/false": "boolean",
}  # fmt: skip
METHODS = {
    "median": "median", "mean": "mean", "average": "mean", "avg": "mean", "mode": "mode",
    "most frequent": "mode",
    "most common": "mode", "previous": "previous", "last": "previous", "one before": "previous",
    "value before": "previous", "next": "next", "following": "next", "value after": "next",
}  # fmt: skip
SEPARATORS = {
    "comma": ",", "commas": ",", "space": " ", "spaces": " ", "dash": "-", "dashes": "-", "hyphen": "-",
    "slash": "/", "semicolon": ";", "colon": ":", "underscore": "_", "dot": ".", "point": ".", "pipe": "|",
    "tab": "\t",
    "at sign": "@",
}  # fmt: skip
DATE_PARTS = ("year", "quarter", "month", "week", "day", "hour", "weekday")


def _on(schema: Schema, named: bool, *texts: str) -> Schema:
    return schema if named else placed([text for text in texts if text], schema)


def duplicates(found: Match, schema: Schema, named: bool) -> Made:
    text = found["columns"] or ""
    chosen = _on(schema, named, text)
    step: dict[str, Any] = {"step": "drop_duplicates"}
    if text:
        step["columns"] = [c.name for c in columns(text, chosen)]
    kept = (found["keep"] or "").lower()
    if kept in ("latest", "newest", "earliest", "oldest"):
        dates = chosen.dates
        if len(dates) != 1:
            raise Unclear(
                ask(f"Which column says what is the {kept}? Say: keep the last one, or name the column.")
            )
        step |= {"order_by": dates[0].name, "keep": "last" if kept in ("latest", "newest") else "first"}
    elif kept:
        step["keep"] = kept
    return step, chosen


def filled(found: Match, schema: Schema, named: bool) -> Made | None:
    text = found["columns"] or ""
    group, order = found["group"] or "", found["order"] or ""
    chosen = _on(schema, named, text, group, order)
    if not text:
        gaps = [c.name for c in chosen.columns if c.missing]
        if len(gaps) != 1:
            has = f"Missing values are in: {', '.join(gaps)}." if gaps else "No column has missing values."
            raise Unclear(ask(f"Which column should be filled? {has}"))
        text = gaps[0]
    step: dict[str, Any] = {"step": "fill_missing", "columns": [c.name for c in columns(text, chosen)]}
    with_what = bare(found["what"]).lower().removesuffix(" value").removesuffix(" one")
    if with_what in METHODS:
        step["method"] = METHODS[with_what]
    else:
        step["value"] = value(found["what"])
    if group:
        step["by"] = [c.name for c in columns(group, chosen)]
    if order:
        step["order_by"] = column_named(order, chosen).name
    return step, chosen


def filled_along(found: Match, schema: Schema, named: bool) -> Made:
    chosen = _on(schema, named, found["columns"], found["order"] or "")
    step: dict[str, Any] = {
        "step": "fill_missing",
        "columns": [c.name for c in columns(found["columns"], chosen)],
        "method": "previous" if found["way"].lower().startswith("f") else "next",
    }
    if found["order"]:
        step["order_by"] = column_named(found["order"], chosen).name
    return step, chosen


def without_gaps(found: Match, schema: Schema, named: bool) -> Made:
    text = next((found[name] for name in ("a", "b", "c") if found[name]), "") or ""
    text = re.sub(r"^(?:any |some |all )?(?:columns?|values?|cells?|data|fields?)$", "", text.strip())
    chosen = _on(schema, named, text)
    step: dict[str, Any] = {"step": "drop_missing"}
    if text:
        step["columns"] = [c.name for c in columns(re.sub(r"\bor\b", "and", text), chosen)]
    return step, chosen


def filtered(found: Match, schema: Schema, named: bool) -> Made:
    keeps = found["verb"].lower().split()[0] in ("keep", "leave", "restrict", "limit")
    chosen = _fitting(found["where"], schema, named)
    conditions = where(found["where"], chosen)
    if not keeps and len(conditions) == 1 and conditions[0]["op"] == "is_missing":
        return {"step": "drop_missing", "columns": [conditions[0]["column"]]}, chosen
    return {"step": "filter", "where": conditions} | ({} if keeps else {"keep": "others"}), chosen


def _fitting(text: str, schema: Schema, named: bool) -> Schema:
    """The table whose columns and values the condition names; the current one where it fits."""
    if named or not schema.others:
        return schema
    fitting = []
    for name in [schema.name, *(other.name for other in schema.others)]:
        table = turned(schema, name)
        try:
            where(text, table)
        except Unclear:
            continue
        if table.name == schema.name:
            return table
        fitting.append(table)
    return fitting[0] if len(fitting) == 1 else schema


def typed(found: Match, schema: Schema, named: bool) -> Made | None:
    kind = TYPES.get(re.sub(r"s$", "", bare(found["to"]).lower()), "")
    if not kind:
        return None
    chosen = _on(schema, named, found["columns"])
    try:
        names = [c.name for c in columns(found["columns"], chosen)]
    except Unclear:
        # "make a chart of revenue to date" is a question.
        if re.match("make|set|read|turn", found.group(), re.IGNORECASE):
            return None
        raise
    step: dict[str, Any] = {"step": "change_type", "columns": names, "to": kind}
    if found["format"]:
        step["format"] = bare(found["format"])
    if found["rest"]:
        step["on_error"] = "missing"
    return step, chosen


def without_outliers(found: Match, schema: Schema, named: bool) -> Made | None:
    verb = found["verb"].lower()
    action = "clip" if verb in ("clip", "cap", "winsorize", "winsorise", "limit") else ""
    action = "mark" if verb in ("mark", "flag", "tag", "label") else action or "remove"
    if not found["columns"]:
        names = ", ".join(c.name for c in schema.measures)
        raise Unclear(ask(f"Outliers of which column: {names}?"))
    chosen = _on(schema, named, found["columns"])
    step: dict[str, Any] = {
        "step": "outliers", "columns": [c.name for c in columns(found["columns"], chosen)], "action": action,
    }  # fmt: skip
    if found["method"]:
        step["method"] = (
            "iqr" if "iqr" in found["method"].lower() or "quart" in found["method"].lower() else "zscore"
        )
    return step, chosen


def renamed(found: Match, schema: Schema, named: bool) -> Made:
    pairs = re.split(r"\s*(?:,\s*and\s|,|\sand\s)\s*", found["pairs"])
    sides = [re.split(r"\s+(?:to|as|into)\s+|\s*->\s*|\s*=>\s*", pair, maxsplit=1) for pair in pairs]
    if any(len(side) != 2 for side in sides):
        raise Unclear(ask("Say each new name, such as: rename a to b and c to d."))
    chosen = _on(schema, named, *(old for old, _ in sides))
    return {
        "step": "rename",
        "columns": [column_named(old, chosen).name for old, _ in sides],
        "names": [bare(new) for _, new in sides],
    }, chosen


def columns_step(step: str) -> Make:
    def make(found: Match, schema: Schema, named: bool) -> Made:
        chosen = _on(schema, named, found["columns"])
        return {"step": step, "columns": [c.name for c in columns(found["columns"], chosen)]}, chosen

    return make


def replaced(found: Match, schema: Schema, named: bool) -> Made | None:
    chosen = _on(schema, named, found["columns"])
    names = [c.name for c in columns(found["columns"], chosen)]
    new = value(found["new"])
    step: dict[str, Any] = {"step": "replace_values", "columns": names, "old": [value(found["old"])]}
    if str(new).lower() not in ("missing", "null", "nothing", "a gap", "empty"):
        step["value"] = new
    return step, chosen


def tidied(found: Match, schema: Schema, named: bool) -> Made | None:
    said = found.group().lower()
    way = next((w for w, words in TEXT_WAYS.items() if re.search(words, said)), "trim")
    chosen = _on(schema, named, found["columns"])
    chosen_columns = columns(found["columns"], chosen)
    return {"step": "clean_text", "columns": [c.name for c in chosen_columns], "method": way}, chosen


TEXT_WAYS = {
    "squeeze": r"extra|double|repeated|multiple|collapse|squeeze",
    "lower": r"lower",
    "upper": r"upper",
    "title": r"capitali|title",
}


def derived(found: Match, schema: Schema, named: bool) -> Made | None:
    name = bare(found["name"])
    if not name or {"chart", "plot", "graph"} & set(name.lower().split()):
        return None
    chosen = schema
    if not named and schema.others:
        for table in [schema, *(turned(schema, other.name) for other in schema.others)]:
            try:
                formula(found["formula"], table)
            except Unclear:
                continue
            chosen = table
            break
    return {"step": "derive", "name": name, "expression": formula(found["formula"], chosen)}, chosen


def date_part(found: Match, schema: Schema, named: bool) -> Made | None:
    part = found["part"].lower().replace("day of the week", "weekday").replace("day of week", "weekday")
    chosen = _on(schema, named, found["columns"])
    try:
        column = column_named(found["columns"], chosen)
    except Unclear:
        # "compute the month of highest revenue" is a question.
        return None
    if not column.timed:
        raise Unclear(ask(f"{column.name} holds no dates. Convert it to date first."))
    field = '"' + column.name.replace('"', '""') + '"'
    made = f"dayname({field})" if part == "weekday" else f"{part}({field})"
    name = bare(found["name"]) if found["name"] else f"{column.name}_{part}"
    return {"step": "derive", "name": name, "expression": made}, chosen


def split(found: Match, schema: Schema, named: bool) -> Made | None:
    said = found["separator"].strip()
    quoted = said[:1] in "\"'\u201c\u2018" and len(said) > 2
    separator = (
        said[1:-1]
        if quoted
        else SEPARATORS.get(bare(said).lower(), said if re.fullmatch(r"\W", said) else "")
    )
    if not separator:
        return None
    chosen = _on(schema, named, found["columns"])
    step: dict[str, Any] = {
        "step": "split_column", "columns": [column_named(found["columns"], chosen).name],
        "separator": separator,
    }  # fmt: skip
    if found["names"]:
        step["names"] = [bare(name) for name in re.split(r"\s*,\s*(?:and\s+)?|\s+and\s+", found["names"])]
    return step, chosen


def cut(found: Match, schema: Schema, named: bool) -> Made | None:
    chosen = _on(schema, named, found["columns"])
    column = column_named(found["columns"], chosen)
    if not column.numeric:
        return None
    step: dict[str, Any] = {"step": "bin", "columns": [column.name]}
    words = {"quartiles": 4, "quintiles": 5, "deciles": 10, "terciles": 3, "halves": 2}
    if found["edges"]:
        step["edges"] = [float(edge) for edge in re.findall(r"-?\d+(?:\.\d+)?", found["edges"])]
    elif found["quantiles"]:
        step |= {"bins": words[found["quantiles"].lower()], "method": "quantile"}
    else:
        step["bins"] = how_many(found["bins"].lower())
        if "as many" in found.group().lower() or "equal number" in found.group().lower():
            step["method"] = "quantile"
    return step, chosen


def scaled(found: Match, schema: Schema, named: bool) -> Made:
    chosen = _on(schema, named, found["columns"])
    way = "standard" if found["verb"].lower().startswith("standard") or found["standard"] else "minmax"
    return {
        "step": "scale",
        "columns": [c.name for c in columns(found["columns"], chosen)],
        "method": way,
    }, chosen


def unpivoted(found: Match, schema: Schema, named: bool) -> Made:
    keeping = found["by"] or found["by2"] or ""
    chosen = _on(schema, named, found["columns"], keeping)
    step: dict[str, Any] = {"step": "unpivot", "columns": [c.name for c in columns(found["columns"], chosen)]}
    if keeping:
        step["by"] = [c.name for c in columns(keeping, chosen)]
    if found["names"]:
        step["names"] = [bare(name) for name in re.split(r"\s+and\s+|\s*,\s*", found["names"])]
    return step, chosen


def pivoted(found: Match, schema: Schema, named: bool) -> Made:
    chosen = _on(schema, named, found["columns"], found["value"] or "", found["by"])
    step: dict[str, Any] = {
        "step": "pivot",
        "columns": [column_named(found["columns"], chosen).name],
        "by": [c.name for c in columns(found["by"], chosen)],
    }
    if found["value"]:
        step["value"] = column_named(found["value"], chosen).name
    if found["aggregate"]:
        words = {"total": "sum", "average": "mean", "number": "count"}
        step["aggregate"] = words.get(found["aggregate"].lower(), found["aggregate"].lower())
    return step, chosen


def first_rows(found: Match, schema: Schema, named: bool) -> Made:
    chosen = _on(schema, named, found["columns"])
    descending = found["which"].lower() in (
        "top",
        "highest",
        "largest",
        "last",
        "latest",
        "newest",
        "biggest",
    )
    return {
        "step": "sort",
        "by": [c.name for c in columns(found["columns"], chosen)],
        "descending": descending,
        "limit": int(found["count"].replace(",", "")),
    }, chosen


def sampled(found: Match, schema: Schema, named: bool) -> Made:
    if found["share"]:
        return {"step": "sample", "share": float(found["share"]) / 100}, schema
    return {"step": "sample", "limit": int(found["count"].replace(",", ""))}, schema


def appended(found: Match, schema: Schema, named: bool) -> Made | None:
    if not schema.others:
        return None
    other = table_named(found["other"], schema)
    chosen = table_named(found["below"], schema) if found["below"] else schema
    if other.name == chosen.name:
        names = ", ".join(table.name for table in chosen.others) or "none"
        raise Unclear(ask(f"Say which other table goes below {chosen.name}. There is: {names}."))
    return {"step": "append", "others": [other.name]}, chosen

"""Sentences made only of what a tool returned."""

from collections.abc import Callable
from typing import Any

from agents.planner.saying import Response, name, number, p_value, period, strength
from agents.planner.topics import maker_of

OWN_WORDS = ("nothing_to_change", "does_not_fit", "many_to_many")
"""Kinds of errors that say all themselves."""
UNITS = ("year", "quarter", "month", "week", "day", "hour", "weekday")


def answer(tool: str, arguments: dict[str, Any], response: Response, notes: list[str]) -> str:
    """The whole answer to one call; the result's own notes stand under the result."""
    if response.get("status") != "ok":
        return failed(response)
    maker = maker_of(tool) or MAKERS.get(tool, _table)
    lines = [maker(arguments, response)]
    understood = f"Understood: {response.get('title', '')}"
    if notes:
        understood += f" ({'; '.join(notes)})"
    return "\n\n".join([*lines, f"*{understood}.*"])


def failed(response: Response) -> str:
    """An error, said as one, with what exists instead."""
    message = str(response.get("message") or response.get("error") or "")
    offered = [str(item) for item in response.get("suggestions") or [] if str(item) not in message]
    hint = f"Did you mean: {', '.join(offered)}?" if offered else ""
    start = "" if response.get("kind") in OWN_WORDS else "That could not be computed."
    return " ".join(text for text in (start, message, hint) if text)


def _query(arguments: dict[str, Any], response: Response) -> str:
    columns, rows = response["columns"], response["rows"]
    if response["kind"] == "value":
        values = [f"{_label(c)} is **{number(v)}**" for c, v in zip(columns, rows[0], strict=True)]
        return f"{_sentence(', '.join(values))}."
    return _groups(columns, rows, response, keys=len(arguments.get("by") or []) or 1)


def _groups(columns: list[str], rows: list[list[Any]], response: Response, keys: int) -> str:
    if not rows:
        return "There is nothing to show."
    measure = columns[keys] if len(columns) > keys else columns[-1]
    index = columns.index(measure)
    ranked = [row for row in rows if isinstance(row[index], (int, float))]
    count = response["row_count"]
    if not ranked:
        return f"{count:,} groups."
    if len(ranked) == 1:
        return f"{_row_name(ranked[0], columns, keys)}: {_label(measure)} **{number(ranked[0][index])}**."
    unit = _group_word(columns[0]) if keys == 1 else "groups"
    ends = response["facts"]
    if "highest" in ends and "lowest" in ends:
        high, low = ([*ends[end]["group"], ends[end]["value"]] for end in ("highest", "lowest"))
        index = len(high) - 1
    elif count > len(rows):
        return f"{count:,} {unit}; the numbers are below."
    else:
        high, low = max(ranked, key=lambda r: r[index]), min(ranked, key=lambda r: r[index])
    return (
        f"{_sentence(_label(measure))} is highest for {_row_name(high, columns, keys)} "
        f"(**{number(high[index])}**) and lowest for {_row_name(low, columns, keys)} "
        f"(**{number(low[index])}**); {count:,} {unit}."
    )


def _group_word(column: str) -> str:
    """What the rows of a grouped table are: periods or groups."""
    unit = next((u for u in UNITS if column == u or column.endswith(f"({u})")), "")
    return f"{unit}s" if unit else "groups"


def _row_name(row: list[Any], columns: list[str], keys: int) -> str:
    return ", ".join(period(value, column) for value, column in zip(row, columns[:keys], strict=False))


def _label(column: str) -> str:
    return "the number of rows" if column == "rows" else f"the {column}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _rows(arguments: dict[str, Any], response: Response) -> str:
    count = response["facts"].get("matching_rows", response["row_count"])
    return f"**{count:,}** rows match." if count != 1 else "**1** row matches."


def _profile(arguments: dict[str, Any], response: Response) -> str:
    facts = response["facts"]
    return (
        f"**{facts['rows']:,}** rows and **{facts['columns']:,}** columns, "
        f"{facts['numeric_columns']} of them numbers; "
        f"{facts['complete_columns']} columns have no missing values."
    )


def _missing(arguments: dict[str, Any], response: Response) -> str:
    facts = response["facts"]
    if not facts["missing_cells"]:
        return "No value is missing in any column."
    top = response["rows"][0]
    return (
        f"**{facts['missing_cells']:,}** of {facts['cells']:,} values are missing, in "
        f"{facts['columns_with_missing']:,} columns; most in {top[0]} ({number(top[1])}, {number(top[2])}%)."
    )


def _describe(arguments: dict[str, Any], response: Response) -> str:
    row = dict(zip(response["columns"], response["rows"][0], strict=True)) if response["rows"] else {}
    if "mean" in row:
        return (
            f"Mean **{number(row['mean'])}**, median **{number(row['50%'])}**, standard deviation "
            f"{number(row['standard deviation'])}; from {number(row['lowest'])} to {number(row['highest'])}."
        )
    if "earliest" in row:
        days = number(row["different days"])
        return f"**{row['earliest']}** to **{row['latest']}**, on {days} different days."
    facts = response["facts"]
    first = response["rows"][0] if response["rows"] else ["", 0]
    most = f"{name(first[0])} ({number(first[1])} rows)"
    if "distinct" not in facts:
        return f"The most frequent is {most}."
    return f"**{facts['distinct']:,}** different values; the most frequent is {most}."


def _correlate(arguments: dict[str, Any], response: Response) -> str:
    facts = response["facts"]
    if "r" in facts:
        r = facts["r"]
        return (
            f"r = **{r:.3f}** ({p_value(facts['p'])}, n = {facts['n']:,}): {strength(r)}. "
            "A correlation is no proof of a cause."
        )
    names, pairs = response["columns"][1:], []
    for row in response["rows"]:
        for column, value in zip(names, row[1:], strict=True):
            if value is not None and str(row[0]) < column:
                pairs.append((abs(value), row[0], column, value))
    if not pairs:
        return "No pair of columns can be correlated."
    _, a, b, r = max(pairs)
    return f"The strongest pair is {a} and {b} with r = **{r:.3f}**, {strength(r)}."


def _compare(arguments: dict[str, Any], response: Response) -> str:
    columns, rows, facts = response["columns"], response["rows"], response["facts"]
    mean = columns.index("mean")
    high, low = max(rows, key=lambda r: r[mean] or 0), min(rows, key=lambda r: r[mean] or 0)
    clear = "is" if facts["p"] < 0.05 else "is not"
    return (
        f"The mean is highest for {name(high[0])} (**{number(high[mean])}**) and lowest for {name(low[0])} "
        f"(**{number(low[mean])}**). The difference {clear} statistically significant at 5% "
        f"({facts['test']}, {p_value(facts['p'])}; {facts['effect_name']} {facts['effect']:.3f})."
    )


def _outliers(arguments: dict[str, Any], response: Response) -> str:
    facts = response["facts"]
    if not facts["outliers"]:
        return f"No outliers among {facts['values']:,} values."
    return f"**{facts['outliers']:,}** of {facts['values']:,} values are outliers."


def _trend(arguments: dict[str, Any], response: Response) -> str:
    columns, rows = response["columns"], response["rows"]
    keys = 2 if arguments.get("by") else 1
    if arguments.get("by") or response["row_count"] > len(rows) or len(rows) < 2:
        return _groups(columns, rows, response, keys)
    values = [(row[0], row[1]) for row in rows if isinstance(row[1], (int, float))]
    if len(values) < 2:
        return _groups(columns, rows, response, keys)
    (start, first), (end, last) = values[0], values[-1]
    high = max(values, key=lambda v: v[1])
    low = min(values, key=lambda v: v[1])

    def said(moment: Any) -> str:
        return period(moment, columns[0])

    return (
        f"{_sentence(_label(columns[1]))} went from **{number(first)}** ({said(start)}) to "
        f"**{number(last)}** ({said(end)}); highest {number(high[1])} ({said(high[0])}), "
        f"lowest {number(low[1])} ({said(low[0])})."
    )


def _distribution(arguments: dict[str, Any], response: Response) -> str:
    columns, rows = response["columns"], response["rows"]
    binned = columns[:2] == ["from", "to"]
    index = 2 if binned else 1
    top = max(rows, key=lambda r: r[index])
    if binned:
        return f"Most values, {number(top[index])}, lie from {number(top[0])} to {number(top[1])}."
    return f"The most frequent is {name(top[0])} with {number(top[index])} rows."


def _show(arguments: dict[str, Any], response: Response) -> str:
    facts = response["facts"]
    if "trend" in facts:
        line = facts["trend"]
        if not line:
            return "Here is the chart; there is no trend line."
        return f"Here is the chart; r = **{line['r']:.3f}**, {strength(line['r'])}."
    columns, rows = response["columns"], response["rows"]
    if columns[:2] == ["from", "to"]:
        return f"Here is the chart. {_distribution(arguments, response)}"
    if columns[:1] == ["column"]:
        return f"Here is the chart. {_correlate(arguments, response)}"
    numeric = [i for i, v in enumerate(rows[0]) if isinstance(v, (int, float)) and i] if rows else []
    if not numeric or "median" in columns or arguments.get("kind") == "heatmap":
        return "Here is the chart."
    return f"Here is the chart. {_groups(columns, rows, response, keys=numeric[0])}"


def _table(arguments: dict[str, Any], response: Response) -> str:
    count = response["row_count"]
    return f"**{count:,}** row{'' if count == 1 else 's'}."


MAKERS: dict[str, Callable[[dict[str, Any], Response], str]] = {
    "query": _query,
    "rows": _rows,
    "profile": _profile,
    "missing": _missing,
    "describe": _describe,
    "correlate": _correlate,
    "compare": _compare,
    "outliers": _outliers,
    "trend": _trend,
    "distribution": _distribution,
    "show": _show,
}

"""From the pieces of a question to one tool call: which form is it, and is anything missing?"""

from typing import Any

from agents.planner import lexicon as lex
from agents.planner.arguments import measure_meant, with_where
from agents.planner.charts import chart
from agents.planner.help import cannot, describe_forms, not_understood, unknown_words
from agents.planner.intent import Intent, ask
from agents.planner.parse import dissect
from agents.planner.parts import Parts, unclear
from agents.planner.schema import Column, Schema, is_rate
from agents.planner.tokens import has, stems
from agents.planner.topics import of_topic
from agents.planner.which import choose

# Calls whose numbers a word left out could change.
ASKS_UNKNOWN = (
    "query",
    "rows",
    "trend",
    "show",
    "compare",
    "correlate",
    "outliers",
    "distribution",
    "crosstab",
)


def understand(text: str, schema: Schema) -> Intent:
    """The intent of a question that stands by itself."""
    tokens = stems(text)
    if text.strip().lower().startswith(("select ", "with ", "from ")) and "from" in tokens:
        return Intent("sql", {"query": text.strip().rstrip(";")})
    if set(tokens) & lex.GREETINGS and len(tokens) <= 3:
        return ask(f"Hello. {describe_forms(schema)}")
    if has(tokens, lex.HELP):
        return ask(describe_forms(schema))
    if (special := of_topic(text, tokens, schema)) is not None:
        return special
    place = choose(tokens, schema)
    if isinstance(place, Intent):
        return place
    parts = dissect(text, place)
    intent = _special(tokens, parts) or _general(tokens, parts)
    if intent.tool in ASKS_UNKNOWN and parts.unknown:
        return ask(unknown_words(parts.unknown, place))
    if intent.tool and place.name != schema.name:
        intent.arguments["dataset"] = place.name
    if intent.tool:
        intent.notes += parts.notes
        intent.look_up = parts.look_up
    return intent


def _special(tokens: list[str], parts: Parts) -> Intent | None:
    """The named analyses, which their words give away."""
    if has(tokens, lex.DECLINE):
        return ask(cannot(parts.schema))
    if parts.problem:
        return ask(parts.problem)
    columns = [*parts.measures, *parts.others, *parts.by]
    if has(tokens, lex.OUTLIERS):
        return _outliers(tokens, parts)
    if has(tokens, lex.CORRELATE):
        return _correlate(tokens, parts)
    if parts.chart:
        return chart(tokens, parts)
    if has(tokens, lex.MISSING):
        if (
            columns
            and has(tokens, ["row", "show", "list", "where", "how many"])
            and parts.measures + parts.others
        ):
            return _missing_rows(tokens, parts)
        return Intent("missing", {})
    if has(tokens, lex.CROSSTAB) and len(columns) >= 2:
        return _crosstab(parts)
    pairs = [w for w in parts.where if w["op"] == "in" and len(w["values"]) == 2]
    if has(tokens, lex.COMPARE) or (pairs and has(tokens, lex.THAN)):
        compared = _compare(tokens, parts)
        if compared:
            return compared
    if has(tokens, lex.DISTRIBUTION) and (parts.measures or parts.others or parts.unclear):
        return unclear(parts) or Intent("distribution", with_where(parts, column=columns[0].name))
    if _is_trend(tokens, parts):
        return _trend(parts)
    if has(tokens, lex.SHARE):
        return _share(parts)
    return None


def _share(parts: Parts) -> Intent | None:
    """Shares of rows come from a distribution, of two columns from a crosstab; None for shares of a sum."""
    if len(parts.by) == 2:
        return _crosstab(parts, share="rows")
    asked = [w for w in parts.where if w["op"] in ("equals", "in")]
    names = list(dict.fromkeys([c.name for c in [*parts.by, *parts.others]] + [w["column"] for w in asked]))
    timed = [c.name for c in parts.schema.dates]
    names = [name for name in names if name not in timed]
    if parts.measures or set(parts.aggregates) - {"count"} or parts.unclear or len(names) != 1:
        return None
    rest = [w for w in parts.where if w["column"] != names[0]]
    return Intent("distribution", {"column": names[0]} | ({"where": rest} if rest else {}))


def _general(tokens: list[str], parts: Parts) -> Intent:
    """Aggregates, lists of rows, descriptions of a column or of everything."""
    if again := unclear(parts):
        return again
    if _is_superlative(tokens, parts):
        return _superlative(parts)
    if parts.limit and _lists_rows(tokens, parts):
        return _rows(parts)
    if (
        has(tokens, lex.ROWS)
        and not parts.aggregates
        and not parts.by
        and (parts.where or parts.look_up or has(tokens, ["row", "record"]) or _row_noun(tokens, parts))
    ):
        return _rows(parts)
    described = parts.measures + parts.others
    if has(tokens, lex.DESCRIBE) and len(described) == 1 and not parts.by and not parts.aggregates:
        return Intent("describe", with_where(parts, column=described[0].name))
    if has(tokens, lex.PROFILE) and not described and not parts.aggregates:
        return Intent("profile", {})
    bare = not (parts.aggregates or parts.by or parts.interval or parts.limit or parts.where)
    if bare and len(described) == 1 and is_rate(described[0]) and not parts.look_up:
        return Intent("describe", {"column": described[0].name})
    if parts.aggregates or parts.by or parts.measures or parts.interval or parts.limit:
        return _query(tokens, parts)
    if described and len(described) == 1:
        return Intent("describe", with_where(parts, column=described[0].name))
    if parts.where or (parts.look_up and _row_noun(tokens, parts)):
        return Intent("rows", with_where(parts))
    return ask(not_understood(parts.schema))


def _row_noun(tokens: list[str], parts: Parts) -> bool:
    return bool((lex.ROW_WORDS | set(stems(parts.schema.name))) & set(tokens))


def _query(tokens: list[str], parts: Parts) -> Intent:
    measure = measure_meant(parts)
    if isinstance(measure, Intent):
        return measure
    aggregates, by, others = list(parts.aggregates), list(parts.by), list(parts.others)
    if measure is None and others and ("distinct" in aggregates or _counts_values(tokens, parts)):
        arguments: dict[str, Any] = {"measure": others[0].name, "aggregate": ["distinct"]}
    elif measure is None:
        arguments = {}
        by += [c for c in others if c not in by and c.distinct > 1 and not c.timed] if not by else []
    else:
        arguments = {"measure": measure.name}
        kept = [a for a in aggregates if a != "count"] or (["count"] if "count" in aggregates else [])
        default = "sum" if not is_rate(measure) else "mean"
        arguments["aggregate"] = kept or [default]
        if not kept:
            parts.notes.append(f"no aggregate was named, so the {'total' if default == 'sum' else 'average'}")
        if not by and others and (parts.limit or not parts.where or "each" in tokens):
            by += [c for c in others if not c.timed][:2]
    if parts.interval:
        by = [c for c in by if not c.timed] + [parts.schema.dates[0]]
        by = by[-1:] + by[:-1]
    if by:
        arguments["by"] = [c.name for c in by]
        if parts.interval:
            arguments["interval"] = parts.interval
        if parts.order:
            arguments["order"] = parts.order
        if parts.limit:
            arguments["limit"] = parts.limit
    elif parts.limit:
        return _rows(parts)
    if has(tokens, lex.SHARE) and by:
        parts.notes.append("shares are shown as numbers by group; ask for a pie chart to see percentages")
    return Intent("query", with_where(parts, **arguments), notes=[])


def _counts_values(tokens: list[str], parts: Parts) -> bool:
    """'how many cities': the different values of a text column, not its rows."""
    return "count" in parts.aggregates and not parts.by and has(tokens, ["how many"]) and not parts.where


def _is_superlative(tokens: list[str], parts: Parts) -> bool:
    which = bool({"which", "what", "who"} & set(tokens[:3]))
    words = set(lex.DESCENDING + lex.ASCENDING) & set(tokens)
    return which and bool(words) and bool(parts.others or parts.by) and not parts.limit


def _superlative(parts: Parts) -> Intent:
    """'which region has the highest revenue': the groups in order, the first one first."""
    group = (parts.by or parts.others)[0]
    tokens = set(stems(parts.text))
    ascending = bool(tokens & set(lex.ASCENDING)) and not tokens & {"most", "highest", "best", "largest"}
    aggregates = [a for a in parts.aggregates if a not in ("min", "max", "count")]
    arguments: dict[str, Any] = {"by": [group.name], "order": "ascending" if ascending else "descending"}
    if parts.measures:
        measure = parts.measures[0]
        arguments["measure"] = measure.name
        arguments["aggregate"] = aggregates or ["mean" if is_rate(measure) else "sum"]
    return Intent("query", with_where(parts, **arguments))


def _lists_rows(tokens: list[str], parts: Parts) -> bool:
    """'top 5 orders by revenue' lists rows; 'top 5 products by revenue' adds groups up."""
    if parts.others or parts.by or parts.aggregates:
        return False
    return parts.order_by is not None or _row_noun(tokens, parts)


def _rows(parts: Parts) -> Intent:
    arguments: dict[str, Any] = {}
    if parts.limit:
        arguments["limit"] = parts.limit
    if parts.order_by:
        arguments |= {"order_by": parts.order_by.name, "descending": parts.order != "ascending"}
    elif parts.measures and (parts.limit or parts.order):
        arguments |= {"order_by": parts.measures[0].name, "descending": parts.order != "ascending"}
    return Intent("rows", with_where(parts, **arguments))


def _missing_rows(tokens: list[str], parts: Parts) -> Intent:
    column = (parts.measures + parts.others)[0]
    where = [*parts.where, {"column": column.name, "op": "is_missing"}]
    if has(tokens, ["how many", "number of", "count"]):
        return Intent("query", {"where": where})
    return Intent("rows", {"where": where})


def _outliers(tokens: list[str], parts: Parts) -> Intent:
    if again := unclear(parts):
        return again
    measures = parts.measures or (parts.schema.measures if len(parts.schema.measures) == 1 else [])
    if not measures:
        names = ", ".join(c.name for c in parts.schema.measures[:8])
        return ask(f"Outliers of which column: {names}?" if names else cannot(parts.schema))
    method = {"method": "zscore"} if has(tokens, ["z score", "zscore", "standard deviation"]) else {}
    return Intent("outliers", with_where(parts, column=measures[0].name, **method))


def _correlate(tokens: list[str], parts: Parts) -> Intent:
    if again := unclear(parts):
        return again
    if parts.chart == "heatmap" or (parts.chart and len(parts.measures) != 2):
        return Intent("show", with_where(parts, kind="heatmap"))
    method = {"method": "spearman"} if has(tokens, ["spearman", "rank"]) else {}
    if parts.chart == "scatter" and len(parts.measures) == 2:
        return Intent(
            "show", with_where(parts, kind="scatter", x=parts.measures[0].name, y=parts.measures[1].name)
        )
    numbers = [*parts.measures, *[c for c in parts.by if c.numeric]]
    wrong = [c for c in [*parts.others, *parts.by] if not c.numeric and not c.timed]
    if wrong and len(numbers) == 1:
        return Intent("compare", with_where(parts, measure=numbers[0].name, by=wrong[0].name))
    if len(numbers) > 2:
        return Intent("correlate", with_where(parts, columns=[c.name for c in numbers], **method))
    named = {name: c.name for name, c in zip(("x", "y"), numbers, strict=False)}
    return Intent("correlate", with_where(parts, **named, **method))


def _compare(tokens: list[str], parts: Parts) -> Intent | None:
    """'compare revenue by region', 'salary of men versus women', 'compare price and cost'."""
    several = [w for w in parts.where if w["op"] == "in"]
    groups = several[0]["values"] if several else []
    by = next((c for c in parts.schema.columns if several and c.name == several[0]["column"]), None)
    by = by or next(
        iter([c for c in parts.by if not c.timed] or [c for c in parts.others if not c.timed]), None
    )
    if again := unclear(parts):
        return again
    if by is None and len(parts.measures) == 2:
        return Intent("correlate", with_where(parts, x=parts.measures[0].name, y=parts.measures[1].name))
    if by is None or parts.interval:
        return None
    measures = parts.measures or (parts.schema.measures if len(parts.schema.measures) == 1 else [])
    if not measures:
        names = ", ".join(c.name for c in parts.schema.measures[:8])
        return ask(f"Compare which number by {by.name}: {names}?")
    rest = [w for w in parts.where if w not in several]
    arguments: dict[str, Any] = {"measure": measures[0].name, "by": by.name}
    if groups:
        arguments["groups"] = groups
    return Intent("compare", arguments | ({"where": rest} if rest else {}))


def _crosstab(parts: Parts, share: str = "") -> Intent:
    said = [m.column for m in parts.schema.mentions(stems(parts.text))]
    named = list(dict.fromkeys([*parts.by, *parts.others]))
    named.sort(key=lambda c: said.index(c) if c in said else len(said))
    if len(named) < 2:
        return ask(
            "A crosstab needs two columns, such as: crosstab of "
            + " and ".join(c.name for c in parts.schema.groups[:2])
        )
    arguments: dict[str, Any] = {"rows": named[0].name, "columns": named[1].name}
    if parts.measures:
        arguments["measure"] = parts.measures[0].name
        if parts.aggregates:
            arguments["aggregate"] = parts.aggregates[0]
    if share or has(stems(parts.text), lex.SHARE):
        arguments["normalize"] = share or "rows"
    return Intent("crosstab", with_where(parts, **arguments))


def _is_trend(tokens: list[str], parts: Parts) -> bool:
    if not parts.schema.dates:
        return False
    return has(tokens, lex.TREND) or (
        bool(parts.interval) and parts.interval != "weekday" and not parts.limit
    )


def _trend(parts: Parts) -> Intent:
    if again := unclear(parts):
        return again
    measure = measure_meant(parts)
    if isinstance(measure, Intent):
        return measure
    if parts.interval == "weekday":
        return _query(stems(parts.text), parts)
    return Intent("trend", with_where(parts, **_series(parts, measure)))


def _series(parts: Parts, measure: Column | None) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    if measure is not None:
        named = [a for a in parts.aggregates if a != "count"]
        arguments["measure"] = measure.name
        arguments["aggregate"] = named[0] if named else "mean" if is_rate(measure) else "sum"
    dates = [c for c in [*parts.by, *parts.others] if c.timed]
    if dates:
        arguments["date"] = dates[0].name
    groups = [c for c in [*parts.by, *parts.others] if not c.timed]
    if groups:
        arguments["by"] = groups[0].name
    if parts.interval:
        arguments["interval"] = parts.interval
    return arguments

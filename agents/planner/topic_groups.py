"""Questions for groups of like rows, for odd rows, and for the main directions of variation."""

import re
from typing import Any

from agents.planner.intent import Intent, Maker, ask
from agents.planner.lexicon import NUMBER_WORDS, ROW_WORDS
from agents.planner.parts import how_many
from agents.planner.saying import Response, number
from agents.planner.schema import Schema
from agents.planner.tokens import stems
from agents.planner.wording import Rest, listed, read, squeezed

CLUSTER = re.compile(
    r"^(?:find |make |build |run |do )?(?:an? )?(?:k[- ]?means |hierarchical )?"
    r"(?:cluster(?:s|ing)?|segment(?=\s\w+ (?:by|into))|group similar|k[- ]?means)"
    r"(?: (?:analysis|the|all|of|similar))*(?: (.+?))??(?: (?:by|on|using|based on|with|in terms of) (.+?))?"
    rf"(?: into (\d+|{'|'.join(NUMBER_WORDS)}) (?:groups?|clusters?|segments?))?$"
)
INTO = re.compile(rf" ?\b(?:into|in) (\d+|{'|'.join(NUMBER_WORDS)}) (?:groups?|clusters?|segments?)")
ODD_ROWS = re.compile(
    r"^(?:find|show|detect|list|are there|look for|which are the)?(?: me| any| the| all)* ?"
    r"(?:anomal(?:y|ies)|anomalous (?:rows|orders|records|entries)|(?:odd|unusual|strange|suspicious) "
    r"(?:rows|records|entries|orders|combinations|observations|transactions))"
    r"(?: in (?:the|this|my) (?:data|table|file|dataset))?(?: (?:by|using|based on) (.+))?$"
)
COMPONENTS = re.compile(
    r"\b(?:principal components?(?: analysis)?|pca|dimension(?:ality)? reduction)\b"
    r"(?: (?:of|on|for|by|using))?"
)


def understand(text: str, tokens: list[str], schema: Schema) -> Intent | None:
    """Clusters, odd rows, principal components; None for anything else."""
    asked = squeezed(text)
    if found := COMPONENTS.search(asked):
        rest = read(asked[: found.start()] + " " + asked[found.end() :], schema)
        return rest.problem() or rest.intent("principal_components", columns=_numbers(rest))
    if found := ODD_ROWS.match(asked):
        rest = read(found[1] or "", schema)
        return rest.problem() or rest.intent("anomalies", columns=_numbers(rest))
    return _clusters(asked, schema)


def _clusters(asked: str, schema: Schema) -> Intent | None:
    count = 0
    if into := INTO.search(asked):
        count = how_many(into[1])
        asked = asked[: into.start()] + asked[into.end() :]
    found = CLUSTER.match(asked.strip())
    if found is None:
        return None
    rest = read(found[2] or "", schema)
    if again := rest.problem():
        return again
    per = ""
    about = stems(found[1] or "")
    if about and not (set(about) <= ROW_WORDS | set(stems(schema.name)) | {"data", "similar"}):
        groups = [c for c in schema.columns if c.stems == about]
        groups = groups or [c for c in schema.columns if not c.numeric and about[-1:] == c.stems[:1]]
        if not groups:
            columns = ", ".join(c.name for c in schema.groups[:8])
            return ask(f'I do not know what "{found[1]}" are. Cluster rows, or the groups of: {columns}.')
        per = groups[0].name
    method = "hierarchical" if "hierarchical" in asked else ""
    given = [*_numbers(rest)]
    wrong = [c.name for c in [*rest.parts.by, *rest.parts.others] if not c.numeric]
    if wrong:
        return ask(f"Clustering is by numbers, and {listed(wrong)} holds none.")
    return rest.intent("cluster", columns=given, per=per, clusters=count, method=method)


def _numbers(rest: Rest) -> list[str]:
    return [c.name for c in dict.fromkeys([*rest.parts.measures, *rest.parts.by]) if c.numeric]


def _said_clusters(arguments: dict[str, Any], response: Response) -> str:
    facts = response["facts"]
    parts = [f"{number(item['rows'])} with {item['stands_out_by']}" for item in facts["profiles"][:4]]
    of = "rows" if facts["of"] == "rows" else f"values of {facts['of']}"
    loose = " They hardly stand apart." if facts["silhouette"] < 0.25 else ""
    return (
        f"**{number(facts['clusters'])}** groups of {number(facts['n'])} {of} (silhouette "
        f"{number(facts['silhouette'])}): {listed(parts)}.{loose}"
    )


def _said_odd(arguments: dict[str, Any], response: Response) -> str:
    facts = response["facts"]
    if not facts["anomalies"]:
        return f"No row stands out among {number(facts['n'])}."
    return (
        f"The **{number(facts['anomalies'])}** oddest of {number(facts['n'])} rows by "
        f"{listed(facts['columns_used'])}; most of them are unusual in {facts['mostly_by']}."
    )


def _said_components(arguments: dict[str, Any], response: Response) -> str:
    facts = response["facts"]
    lead = [f"{item['column']} ({number(item['loading'])})" for item in facts["lead"]]
    return (
        f"The first direction holds **{number(facts['first'])}%** of the variation, mostly {listed(lead)}; "
        f"{number(facts['enough'])} of {number(facts['components'])} together hold "
        f"{number(facts['enough_share'])}%."
    )


MAKERS: dict[str, Maker] = {
    "cluster": _said_clusters,
    "anomalies": _said_odd,
    "principal_components": _said_components,
}

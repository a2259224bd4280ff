"""Questions for a test, a regression, or correlations with their p-values."""

import re
from typing import Any

from agents.planner.intent import Intent, Maker, ask
from agents.planner.saying import Response, name, number, p_value, strength
from agents.planner.schema import Column, Schema
from agents.planner.wording import Rest, names_column, read, squeezed

KINDS = {
    r"welch'?s? anova": "welch_anova", r"(?:one[- ]way )?anova|analysis of variance": "anova",
    r"tukey(?:'s)?(?: hsd)?": "tukey", r"kruskal(?:[- ]wallis)?": "kruskal",
    r"mann[- ]whitney(?: u)?": "mann_whitney", r"wilcoxon(?: signed[- ]rank)?": "wilcoxon",
    r"levene(?:'s)?|equal variances?|equal spread": "levene", r"chi[- ]?squared?|chi2|χ²": "chi_square",
    r"fisher(?:'s)?(?: exact)?": "fisher", r"paired t": "paired", r"one[- ]sample t": "one_sample",
    r"welch(?:'s)?(?: t)?": "welch", r"student(?:'s)?(?: t)?": "t",
    r"t[- ]test|(?:two[- ]sample )?t(?=[- ]test)": "t_test",
    r"shapiro(?:[- ]wilk)?|normality|normally distributed|normal distribution|gaussian": "normality",
}  # fmt: skip
REGRESS = re.compile(
    r"(?:(?:run |fit |do )?(?:an? )?(?:(linear|logistic|ols) )?regression (?:of|for) |"
    r"(?:(linear|logistic) )?regress |(?:logistic|linear) model of )(.+?)"
    r"(?: (?:on|against|by|with|using|from) (.+))?$"
)
CORRELATIONS = re.compile(
    r"correlations?(?: matrix)? with (?:adjusted |corrected )?p[- ]?values?|"
    r"which correlations are significant|(?:are there )?significant correlations"
)
SIGNIFICANT = re.compile(r"\b(?:statistically )?significan(?:t|tly|ce)\b")
DIFFERENT = re.compile(
    r"^(?:is|are|was|were) (.+?) (?:really )?(?:different|differ) (?:between|across|among|by|for|in) "
)
INDEPENDENT = re.compile(
    r"^(?:are|is) .+? (?:and|of|from) .+? (?:statistically )?independent$|"
    r"^(?:are|is) .+? independent (?:of|from) "
)
WHETHER = re.compile(r"^(?:please )?test (?:whether|if|that|the hypothesis that|for) ")
TEST_OF = re.compile(r"\b(?:hypothesis test|significance test|statistical test|test) (?:of|for|on|between) ")
NOISE = re.compile(
    r"\b(?:statistically|significant(?:ly)?|significance|test(?:ed|s)?|whether|really|perform|run|do an?|"
    r"please|there is|is there|there|does|do|hypothesis|differs?|different(?:ly)?|differences?|equal|"
    r"the same|same|independent(?: of)?|depends? on|association|associated|related|exact|means?|averages?|"
    r"distributed|an?|if|that|hsd|statistical)\b"
)
AGAINST = re.compile(r"\b(?:equals?|against|is|to|from|of|=|versus|vs) (-?\d[\d,]*(?:\.\d+)?)\b")


def understand(text: str, tokens: list[str], schema: Schema) -> Intent | None:
    """A test, a regression, correlations with p-values; None for anything else."""
    asked = squeezed(text)
    if CORRELATIONS.search(asked):
        rest = read(CORRELATIONS.sub(" ", asked), schema)
        columns = [c.name for c in rest.parts.measures]
        method = "spearman" if "spearman" in tokens else "kendall" if "kendall" in tokens else ""
        return rest.intent("correlation_tests", columns=columns if len(columns) > 1 else [], method=method)
    if (found := REGRESS.search(asked)) and not names_column(schema, "regression"):
        return _regression(found, schema)
    kind, without = _kind(asked, schema)
    if kind:
        return _test(without, "" if kind == "t_test" else kind, schema)
    if INDEPENDENT.search(asked):
        return _test(asked, "", schema)
    if DIFFERENT.search(asked) or WHETHER.search(asked):
        return _test(asked, "", schema)
    about = SIGNIFICANT.search(asked) or TEST_OF.search(asked)
    if about and not names_column(schema, about[0].split()[0]) and "trend" not in tokens:
        return _test(asked, "", schema)
    return None


def _kind(asked: str, schema: Schema) -> tuple[str, str]:
    """The test that is named, and the question without its name."""
    for pattern, kind in KINDS.items():
        found = re.search(rf"\b(?:{pattern})(?:[- ]tests?)?\b", asked)
        named = "test" in asked or kind not in ("t", "welch", "normality")
        if found and named | ("normal" in found[0]) and not names_column(schema, found[0]):
            return kind, asked[: found.start()] + " " + asked[found.end() :]
    return "", asked


def _test(asked: str, kind: str, schema: Schema) -> Intent | None:
    against = AGAINST.search(asked) if kind in ("", "one_sample", "wilcoxon") else None
    plain = NOISE.sub(" ", asked.replace(against[0], " ") if against else asked)
    rest = read(plain, schema)
    parts = rest.parts
    if rest.back is not None:
        return rest.back
    inside = [w for w in parts.where if w["op"] == "in"]
    by = _groups(rest, inside)
    numbers = [c for c in parts.measures if c not in by]
    parts.where[:] = rest.filters() if len(by) + len(numbers) > 1 else parts.where
    if not (numbers or by or parts.others):
        return None
    if again := rest.problem():
        return again
    kept = [w for w in parts.where if w not in inside[:1]] if by and inside else parts.where
    groups = inside[0]["values"] if by and inside else []
    given: dict[str, Any] = {"kind": kind, "groups": groups, "where": kept}
    if kind in ("chi_square", "fisher") or (not numbers and len(by) > 1):
        if len(by) < 2:
            return ask(f"A test of counts needs two columns of groups{_such(rest.schema)}.")
        return rest.intent("test", measure=by[0].name, by=by[1].name, **given | {"groups": []})
    if not numbers:
        choices = ", ".join(c.name for c in rest.schema.measures[:8])
        return ask(
            f"Test which column of numbers: {choices}?" if choices else "There is no column of numbers."
        )
    measure = numbers[0].name
    if against and not by:
        return rest.intent("test", measure=measure, value=float(against[1].replace(",", "")), **given)
    if len(numbers) > 1 and not by:
        return rest.intent("test", measure=measure, second=numbers[1].name, **given)
    if not by and kind not in ("", "normality"):
        return ask(f"Test {measure} between the groups of which column{_such(rest.schema)}?")
    if not by and not kind:
        return None
    return rest.intent("test", measure=measure, by=by[0].name if by else "", **given)


def _groups(rest: Rest, inside: list[dict[str, Any]]) -> list[Column]:
    """The columns whose groups are compared: those of the values named, else those spoken of."""
    valued = [c for c in rest.schema.columns if inside and c.name == inside[0]["column"]]
    named = [c for c in rest.columns() if not c.timed and c not in rest.parts.measures]
    return list(dict.fromkeys([*valued, *named]))


def _such(schema: Schema) -> str:
    names = [c.name for c in schema.groups[:3]]
    return f", such as {' or '.join(names)}" if names else ""


def _regression(found: re.Match[str], schema: Schema) -> Intent:
    kind = found[1] or found[2] or ""
    target, features = read(found[3], schema), read(found[4] or "", schema)
    for rest in (target, features):
        if again := rest.problem():
            return again
    goals = target.columns()
    if not goals:
        return ask("Regress which column? Say it as: regress one column on others.")
    chosen = [c for c in dict.fromkeys([*features.columns(), *goals[1:]]) if c != goals[0]]
    return features.intent(
        "regression", target=goals[0].name, features=[c.name for c in chosen],
        kind="linear" if kind == "ols" else kind,
        where=[*target.filters(), *features.filters()],
    )  # fmt: skip


def _said_test(arguments: dict[str, Any], response: Response) -> str:
    facts = response["facts"]
    kind = facts["kind"]
    lines = {"normality": _said_shape, "chi_square": _said_counts, "fisher": _said_counts}.get(
        kind, _said_means
    )
    words = [lines(facts)]
    if facts.get("reason"):
        words.append(f"The test was chosen by the data: {facts['reason']}.")
    if facts.get("p", 0) >= 0.05 and facts.get("detectable"):
        words.append(
            f"An effect smaller than about {number(facts['detectable'])} would often go unseen here."
        )
    return " ".join(words)


def _verdict(facts: dict[str, Any]) -> str:
    clear = "is" if facts["p"] < 0.05 else "is not"
    return f"{clear} statistically significant at 5% ({facts['test']}, {p_value(facts['p'])}"


def _effect(facts: dict[str, Any]) -> str:
    said = f"{facts['effect_name']} {facts['effect']:.3f}" if facts["effect"] is not None else ""
    if facts.get("effect_low") is not None:
        said += f", 95% interval {facts['effect_low']:.3f} to {facts['effect_high']:.3f}"
    return f"; {said})" if said else ")"


def _said_means(facts: dict[str, Any]) -> str:
    kind, measure = facts["kind"], facts["measure"]
    verdict = f"{_verdict(facts)}{_effect(facts)}."
    if kind in ("paired", "wilcoxon", "one_sample"):
        what = "median" if kind == "wilcoxon" else "mean"
        between = f"of {measure} to {facts['against']}"
        return f"The {what} difference {between} is **{number(facts['difference'])}**; it {verdict}"
    if kind == "levene":
        return (
            f"The spread of {measure} is widest for {name(facts['widest'])} and narrowest for "
            f"{name(facts['narrowest'])}; the difference {verdict}"
        )
    if "difference" in facts:
        what = "median" if kind == "mann_whitney" else "mean"
        way = "higher" if facts["difference"] > 0 else "lower"
        return (
            f"The {what} of {measure} is **{number(facts['gap'])}** {way} for "
            f"{name(facts['first'])} than for {name(facts['second'])}. The difference {verdict}"
        )
    differ = f"{number(facts['pairs_that_differ'])} of {number(facts['pairs'])} pairs differ"
    pairs = f"{differ} ({facts['pairs_by']})."
    return f"The difference of {measure} between the {number(facts['groups'])} groups {verdict} {pairs}"


def _said_counts(facts: dict[str, Any]) -> str:
    cell = facts["strongest"]
    return (
        f"The association of {facts['measure']} and {facts['by']} {_verdict(facts)}{_effect(facts)}. "
        f"Farthest from what independence would give is {name(cell['first'])} with {name(cell['second'])}: "
        f"{number(cell['rows'])} rows, {number(cell['expected'])} expected."
    )


def _said_shape(facts: dict[str, Any]) -> str:
    clear = "is clearly not" if facts["p"] < 0.05 else "could be"
    return (
        f"{facts['measure']} {clear} normally distributed ({facts['test']}, {p_value(facts['p'])}; skewness "
        f"{number(facts['skewness'])}, n = {number(facts['n'])})."
    )


def _said_regression(arguments: dict[str, Any], response: Response) -> str:
    facts = response["facts"]
    top = facts["clearest"]
    if facts["kind"] == "logistic":
        fit = f"pseudo R² **{number(facts['pseudo_r2'])}**"
        lead = (
            f"Clearest for the odds of {facts['target']} being {name(facts['positive'])}: {top['term']}, "
            f"odds ratio **{number(top['odds_ratio'])}** ({p_value(top['p'])})"
        )
    else:
        fit = f"R² **{number(facts['r2'])}**"
        lead = (
            f"Clearest: {top['term']}, **{number(top['coefficient'])}** of {facts['target']} for each unit, "
            f"the others held (95% interval {number(top['low'])} to {number(top['high'])}, "
            f"{p_value(top['p'])})"
        )
    return (
        f"{fit} from {number(facts['n'])} rows. {lead}; {number(facts['significant'])} of "
        f"{number(facts['terms'])} terms are significant at 5%. A relation is no proof of a cause."
    )


def _said_correlations(arguments: dict[str, Any], response: Response) -> str:
    facts = response["facts"]
    top = facts["strongest"]
    return (
        f"{number(facts['significant'])} of {number(facts['pairs'])} pairs are significant at 5% after "
        f"correction ({facts['correction']}). The strongest is {top['x']} and {top['y']} with "
        f"r = **{top['r']:.3f}** ({p_value(top['p'])}), {strength(top['r'])}."
    )


MAKERS: dict[str, Maker] = {
    "test": _said_test,
    "regression": _said_regression,
    "correlation_tests": _said_correlations,
}

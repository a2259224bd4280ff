"""Questions for models: train one, test it, predict with it."""

import re
from typing import Any

from agents.planner.intent import Intent, Maker, ask
from agents.planner.saying import Response, name, number
from agents.planner.schema import Column, Schema
from agents.planner.tokens import stems
from agents.planner.wording import listed, original, read, squeezed

ALGORITHMS = {
    "random forest": r"random forest", "gradient boosting": r"gradient boost(?:ing|ed trees)?|boosting",
    "tree": r"(?:decision )?tree", "nearest neighbours": r"k?nn|(?:k )?nearest neighbou?rs?",
    "logistic": r"logistic regression|logistic", "linear": r"linear regression|linear",
}  # fmt: skip
NAMED = "|".join(ALGORITHMS.values())
MODEL = rf"(?:model|classifier|regressor|predictor|{NAMED})"
TRAIN = re.compile(
    rf"^(?:please )?(?:train|build|fit|create|make|learn) (?:me )?(?:an? |the |another )?(?:\w+ )??"
    rf"((?:{NAMED})?(?: ?(?:model|classifier|regressor))?)(?: model)? "
    rf"(?:to predict|that predicts|predicting|which predicts|for predicting|for|of|to estimate|to classify) "
    rf"(?:the )?(.+?)(?: (?:from|using|based on|with|out of) (.+))?$"
)
MATTER = re.compile(
    r"^(?:which|what) (?:features?|columns?|variables?|factors?) (?:matters?|count|predicts?|"
    r"(?:are|is) (?:the )?(?:most )?important|does the model use)(?: most)?"
    r"(?: (?:for|in|to predict) (.+))?$|"
    r"^(?:show )?(?:the )?feature importances?(?: (?:for|of) (.+))?$|^what does the model use$"
)
EVALUATE = re.compile(
    rf"^(?:evaluate|test|validate|check|score) (?:the |my |this )?{MODEL}(?: (?:of|for) (.+))?$|"
    r"^how (?:good|accurate|reliable) is (?:the|my|this) model(?: (?:of|for) (.+))?$"
)
LIST = re.compile(
    r"^(?:list|show)(?: me)? (?:the |my |all )*(?:trained )?models$|"
    r"^(?:which|what) (?:trained )?models (?:are there|do (?:i|we) have|exist|were trained)$"
)
WITH_MODEL = re.compile(
    r"^(?:now )?(?:predict|apply|use|run)(?: the| my| this)? (?:model(?: of (.+?))?(?: (?:on|to|for) (.+))?"
    r"|(.+?)? ?(?:with|using|by) (?:the|my|this|that) (?:trained )?model(?: (?:for|on) (.+))?)$"
)
PREDICT = re.compile(
    r"^(?:now |please )?(?:predict|estimate)(?: the)? (.+?) (?:for|when|if|given|where|with) (.+)$"
)
PIECE = re.compile(r"\s*(?:,|;|\band\b|\bwith\b|\bwhen\b|\bif\b|\bwhere\b|\bfor\b)\s*")
BETWEEN = re.compile(r"^(?:=|is|of|equals?|:|in|a|an|the|from)\s+|^=")
NOTHING = re.compile(
    r"^(?:an?|the|this|new|order|row|case|customer|one|item)+(?: (?:order|row|case|customer|one|item))?$"
)


def understand(text: str, tokens: list[str], schema: Schema) -> Intent | None:
    """Training, testing and using a model; None for anything else."""
    asked = squeezed(text)
    if LIST.match(asked):
        return Intent("list_models")
    if found := MATTER.match(asked):
        return _of_model("evaluate_model", found[1] or found[2] or "", schema)
    if found := EVALUATE.match(asked):
        return _of_model("evaluate_model", found[1] or found[2] or "", schema)
    if (found := TRAIN.match(asked)) and (found[1].strip() or "model" in asked):
        return _train(found, asked, schema)
    if found := WITH_MODEL.match(asked):
        return _with_model(found, text, schema)
    if found := PREDICT.match(asked):
        return _predict(found, text, schema)
    return None


def _target(text: str, schema: Schema) -> Column | Intent:
    """The one column that a text names; a question back for none or several."""
    rest = read(text, schema)
    named = rest.columns()
    if again := rest.problem():
        return again
    if len(named) != 1:
        columns = ", ".join(c.name for c in rest.schema.columns[:12])
        return ask(f"Predict which column? Name one of: {columns}.")
    return named[0]


def _predicted(text: str, schema: Schema) -> tuple[Column | Intent, Schema]:
    """As `_target`; a model may be of another table than the current one."""
    for about in [schema, *schema.others]:
        target = _target(text, about)
        if isinstance(target, Column):
            return target, about
    return _target(text, schema), schema


def _train(found: re.Match[str], asked: str, schema: Schema) -> Intent:
    target = _target(found[2], schema)
    if isinstance(target, Intent):
        return target
    features = read(found[3] or "", schema)
    if again := features.problem():
        return again
    chosen = [c.name for c in features.columns() if c != target]
    if found[3] and not chosen:
        return ask(f"From which columns shall {target.name} be predicted?")
    algorithm = next((n for n, p in ALGORITHMS.items() if re.search(rf"\b(?:{p})\b", found[1])), "")
    return features.intent("train_model", target=target.name, features=chosen, algorithm=algorithm,
        where=features.filters(),
    )  # fmt: skip


def _of_model(tool: str, about: str, schema: Schema) -> Intent:
    if not about.strip():
        return Intent(tool)
    target, _ = _predicted(about, schema)
    return target if isinstance(target, Intent) else Intent(tool, {"model": target.name})


def _with_model(found: re.Match[str], text: str, schema: Schema) -> Intent | None:
    about, where = found[1] or found[3] or "", found[2] or found[4] or ""
    model: dict[str, Any] = {}
    if about.strip() and not NOTHING.match(about.strip()):
        target, _ = _predicted(about, schema)
        if isinstance(target, Intent):
            return target
        model = {"model": target.name}
    return _given(where, text, schema, model)


def _given(where: str, text: str, schema: Schema, model: dict[str, Any]) -> Intent:
    """The rows or values to predict: a dataset by its name, values by their columns, or the current rows."""
    if not where.strip():
        return Intent("predict", model)
    wanted = stems(where)
    for other in [schema, *schema.others]:
        if wanted in (stems(other.name), stems(other.file), [*stems(other.name), "data"]):
            return Intent("predict", model | ({} if other is schema else {"dataset": other.name}))
    values, unknown = _values(original(text, where), schema)
    if unknown:
        return ask(
            f'I cannot place "{unknown}". Name each column with its value, as in: quantity 3 and region East.'
        )
    return Intent("predict", model | {"values": values})


def _predict(found: re.Match[str], text: str, schema: Schema) -> Intent | None:
    """ "predict revenue for quantity 3": only with values, so that the future is not taken for a case."""
    target, about = _predicted(found[1], schema)
    values, unknown = _values(original(text, found[2]), about)
    if isinstance(target, Intent) or not (values or re.search(r"\d", found[2])):
        return None
    if unknown:
        return ask(
            f'I cannot place "{unknown}". Name each column with its value, as in: quantity 3 and region East.'
        )
    return Intent("predict", {"model": target.name, "values": values})


def _values(text: str, schema: Schema) -> tuple[dict[str, Any], str]:
    """Columns with values, as in "quantity 3 and region East"; and the first piece that is none."""
    values: dict[str, Any] = {}
    for piece in filter(None, PIECE.split(text.strip())):
        column, value = _pair(piece, schema)
        if column is None or value == "":
            return values, piece
        values[column.name] = _typed(column, value)
    return values, ""


def _pair(piece: str, schema: Schema) -> tuple[Column | None, str]:
    spoken = piece.split()
    # The longest run of words that names a column, at either end of the piece.
    for size in range(len(spoken) - 1, 0, -1):
        for head, tail in ((spoken[:size], spoken[size:]), (spoken[-size:], spoken[:-size])):
            column = _named(" ".join(head), schema)
            if column is not None:
                return column, BETWEEN.sub("", " ".join(tail)).strip(" \"'")
    found = schema.value_matches(stems(piece))
    return (found[0][2], str(found[0][3])) if found else (None, "")


def _named(text: str, schema: Schema) -> Column | None:
    wanted = stems(text.strip("="))
    exact = [c for c in schema.columns if c.stems == wanted]
    part = [c for c in schema.columns if len(wanted) == 1 and wanted[0] in c.stems]
    known = exact or part
    return known[0] if len(known) == 1 else None


def _typed(column: Column, value: str) -> Any:
    if column.numeric:
        try:
            found = float(value.replace(",", ""))
        except ValueError:
            return value
        return int(found) if found.is_integer() else found
    same = [v for v in column.values if str(v).lower() == value.lower()]
    return str(same[0]) if same else value


def _said_training(arguments: dict[str, Any], response: Response) -> str:
    facts = response["facts"]
    score, baseline = number(facts["score"]), number(facts["baseline_score"])
    target, measure = facts["target"], facts["measure"]
    words = f"The best model of {target} is {facts['algorithm']}: {measure} **{score}**"
    words += f" on {number(facts['test_rows'])} rows that it never saw, where the baseline has {baseline}. "
    if not facts["beats_baseline"]:
        words = (
            f"No model of {target} beats the baseline: {facts['algorithm']} has a {measure} of **{score}** "
            f"on {number(facts['test_rows'])} rows that it never saw, the baseline {baseline}. "
            "Do not rely on it. "
        )
    tops = [item["feature"] for item in facts["most_important"] if (item["importance"] or 0) > 0]
    if tops and facts["beats_baseline"]:
        words += f"It uses {listed(tops)} most, which says nothing about causes. "
    warnings = [note for note in response["notes"] if note.startswith(("Leakage", "Almost perfect"))]
    return (words + " ".join(warnings)).strip()


def _said_evaluation(arguments: dict[str, Any], response: Response) -> str:
    facts = response["facts"]
    said = [f"{measure} **{number(value)}**" for measure, value in facts["scores"].items()]
    known = facts["baseline_scores"]
    first = next(iter(facts["scores"]))
    words = (
        f"The model of {facts['target']} ({facts['algorithm']}) has {listed(said)} on "
        f"{number(facts['n'])} rows; the baseline's {first} was {number(known[first])}."
    )
    if facts.get("most_confused"):
        wrong = facts["most_confused"]
        words += (
            f" Most often {name(wrong['true'])} is taken for {name(wrong['predicted'])} "
            f"({number(wrong['rows'])} rows)."
        )
    tops = [item for item in facts["most_important"] if (item["importance"] or 0) > 0]
    if not tops:
        words += " No feature matters to it on rows that it never saw."
    else:
        shown = [f"{item['feature']} ({number(item['importance'])})" for item in tops]
        words += f" The features that matter most to it: {listed(shown)}."
    return words


def _said_prediction(arguments: dict[str, Any], response: Response) -> str:
    facts = response["facts"]
    target = facts["target"]
    first = facts["first"]
    warning = "" if facts["beats_baseline"] else " The model did not beat its baseline: do not rely on this."
    if facts["kind"] == "regression":
        if facts["n"] == 1:
            return (
                f"Predicted {target}: **{number(facts['mean'])}** ({number(facts['held_percent'])}% interval "
                f"{number(first['low'])} to {number(first['high'])}, {facts['algorithm']})." + warning
            )
        return (
            f"Predicted {target} of {number(facts['n'])} rows: **{number(facts['mean'])}** on average, from "
            f"{number(facts['lowest'])} to {number(facts['highest'])}, each within "
            f"{number(facts['half_width'])} in {number(facts['held_percent'])}% of cases." + warning
        )
    if facts["n"] == 1:
        return (
            f"Predicted {target}: **{name(first[f'predicted {target}'])}** (probability "
            f"{number(facts['probability'])}, {facts['algorithm']})." + warning
        )
    counts = [f"{name(label)} for {number(count)}" for label, count in list(facts["counts"].items())[:6]]
    return f"Predicted {target} of {number(facts['n'])} rows: {listed(counts)}." + warning


def _said_models(arguments: dict[str, Any], response: Response) -> str:
    facts = response["facts"]
    newest = facts["newest"]
    count = facts["models"]
    return (
        f"**{number(count)}** model{'' if count == 1 else 's'}; the newest predicts {newest['target']} "
        f"({newest['algorithm']})."
    )


MAKERS: dict[str, Maker] = {
    "train_model": _said_training,
    "evaluate_model": _said_evaluation,
    "predict": _said_prediction,
    "list_models": _said_models,
}

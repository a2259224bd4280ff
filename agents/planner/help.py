"""What the planner says about itself, with examples from the real columns."""

from agents.planner.schema import Schema, is_rate


def suggestions(schema: Schema) -> list[str]:
    """A few questions that work on this data."""
    found: list[str] = []
    measures, groups, dates = schema.measures, schema.groups, schema.dates
    main = schema.main_measure
    if main and groups:
        found += [f"{'average' if is_rate(main) else 'total'} {main.name} by {groups[0].name}"]
        found += [f"top 5 {groups[-1].name} by {main.name}"]
    elif groups:
        found += [f"number of rows by {groups[0].name}"]
    if dates:
        found += [f"{main.name if main else 'number of rows'} over time by month as a line chart"]
    if len(measures) > 1:
        found += [f"correlation between {measures[0].name} and {measures[1].name}"]
    if main:
        found += [f"distribution of {main.name}", f"outliers in {main.name}"]
    return [*found, "missing values", "summary of the data"]


def describe_forms(schema: Schema) -> str:
    """What can be asked."""
    return (
        "I match questions to a fixed list of forms: totals, averages, counts and other aggregates by group, "
        "top lists, filters, change over time, correlation, comparison of groups, outliers, missing values, "
        "distributions, crosstabs, SQL, and charts of all of these. For example:\n\n" + _bullets(schema)
    )


def not_understood(schema: Schema) -> str:
    """Plainly, with what would work."""
    columns = ", ".join(c.name for c in schema.columns[:12])
    return (
        "I did not understand that as a question about this data. Name a column and what to do with it. "
        f"Columns: {columns}. For example:\n\n" + _bullets(schema)
    )


def unknown_words(unknown: list[str], schema: Schema) -> str:
    """For words that could change the meaning."""
    listed = ", ".join(f'"{word}"' for word in dict.fromkeys(unknown))
    columns = ", ".join(c.name for c in schema.columns[:12])
    return (
        f"I do not know what {listed} means for this data, and leaving it out could change the answer. "
        f"Name a column or a value as it stands in the data, or leave the word out. Columns: {columns}."
    )


def cannot(schema: Schema) -> str:
    """For reasons, advice and predictions."""
    return (
        "I can't answer that: without a language model I compute what the data shows, but give no reasons "
        "or advice, and predict only by a forecast or a trained model. What I can do here, for example:\n\n"
        + _bullets(schema)
    )


def no_data() -> str:
    """Before anything was uploaded."""
    return "There is no data in this conversation yet. Upload a CSV file or load the sample first."


def _bullets(schema: Schema) -> str:
    return "\n".join(f"- {question}" for question in suggestions(schema)[:6])

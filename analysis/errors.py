"""What a person or a model asked that cannot be computed, and what to do instead."""

from collections.abc import Iterable, Sequence

from rapidfuzz import fuzz, process

NEAREST = 5
NEAR_SCORE = 45


class AnalysisError(Exception):
    """Base: a sentence that says what is wrong and what to do, and the nearest things that exist."""

    kind = "analysis_error"

    def __init__(self, message: str, suggestions: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.suggestions = list(suggestions)


class IngestError(AnalysisError):
    """The file cannot be read as a table."""

    kind = "unreadable_file"


class UnknownDataset(AnalysisError):
    """No dataset of that name in this conversation."""

    kind = "unknown_dataset"


class UnknownColumn(AnalysisError):
    """No column of that name."""

    kind = "unknown_column"


class UnknownOption(AnalysisError):
    """A word outside the list of an option."""

    kind = "unknown_option"


class BadValue(AnalysisError):
    """A filter's value does not fit its column."""

    kind = "bad_value"


class EmptySelection(AnalysisError):
    """The filter leaves no rows."""

    kind = "empty_selection"


class NotNumeric(AnalysisError):
    """Numbers are needed, and the column holds something else."""

    kind = "not_numeric"


class ConstantColumn(AnalysisError):
    """Every value is the same, so the measure is undefined."""

    kind = "constant_column"


class TooFew(AnalysisError):
    """Not enough values for this analysis."""

    kind = "too_few_values"


class NotComputable(AnalysisError):
    """The data does not allow this analysis: perfect separation, no two different values in a group, …"""

    kind = "not_computable"


class UnknownModel(AnalysisError):
    """No trained model of that name in this conversation, or its file is gone."""

    kind = "unknown_model"


class NoTable(AnalysisError):
    """The result has no table: a picture, a text or a file."""

    kind = "no_table"


class BadQuery(AnalysisError):
    """The engine refused the query."""

    kind = "bad_query"


class LimitExceeded(AnalysisError):
    """Time or memory ran out, or the answer was stopped."""

    kind = "limit_exceeded"


class ConnectionRefused(AnalysisError):
    """A connection to another engine is not configured rightly, or the engine cannot be reached."""

    kind = "connection_refused"


class ElsewhereOnly(AnalysisError):
    """The rows are at another engine, and this needs them here."""

    kind = "not_at_this_engine"


def nearest(name: str, known: Sequence[str]) -> list[str]:
    """Up to five known names most like `name`, best first."""
    found = process.extract(name.lower(), {k: k.lower() for k in known}, scorer=fuzz.WRatio, limit=NEAREST)
    return [key for _, score, key in found if score >= NEAR_SCORE]


def require_option(value: str, options: Sequence[str], what: str) -> str:
    """`value` in lower case if it is one of `options`; raises UnknownOption with the list."""
    wanted = str(value).strip().lower()
    if wanted not in options:
        raise UnknownOption(
            f"{value!r} is no {what}. Choose one of: {', '.join(o for o in options if o)}.", options
        )
    return wanted

"""What a tool call is called on the page while it runs."""

from typing import Any

from storage.results import RUN_PYTHON

HANDOVER = "transfer_to_agent"
NAMES = {
    "query": "Computing",
    "rows": "Listing rows",
    "find_values": "Looking up",
    "sql": "Running SQL",
    "profile": "Summarising the data",
    "missing": "Counting missing values",
    "describe": "Describing",
    "distribution": "Counting the distribution of",
    "outliers": "Looking for outliers in",
    "correlate": "Correlating",
    "compare": "Comparing",
    "crosstab": "Crossing",
    "trend": "Following over time",
    "test": "Testing",
    "regression": "Regressing",
    "correlation_tests": "Testing correlations",
    "forecast": "Forecasting",
    "seasonality": "Finding the seasons of",
    "trend_test": "Testing the trend of",
    "resample": "Resampling",
    "odd_periods": "Looking for odd periods of",
    "train_model": "Training a model of",
    "evaluate_model": "Testing the model",
    "predict": "Predicting with the model",
    "list_models": "Listing the models",
    "cluster": "Grouping",
    "anomalies": "Looking for odd rows",
    "principal_components": "Finding the main directions",
    "drivers": "Looking where the change comes from in",
    "compare_periods": "Comparing periods of",
    "check_join": "Checking how tables fit together",
    "join_tables": "Joining tables",
    "undo_cleaning": "Undoing the last step",
    "list_tables": "Listing tables",
    "cleaning_steps": "Listing cleaning steps",
    "gemini_code": "Running Python at Google",
}

OVER_TIME = ("forecast", "seasonality", "trend_test", "resample", "odd_periods", "drivers", "compare_periods")


def label(tool: str, arguments: dict[str, Any]) -> str:
    """A short line in words: 'Computing sum of revenue by region'."""
    if tool == HANDOVER:
        agent = str(arguments.get("agent_name", "")).replace("_", " ")
        return f"Handing over to the {agent}"
    if tool == RUN_PYTHON:
        title = " ".join(str(arguments.get("title") or "").split())
        return f"Running Python: {title}" if title else "Running Python"
    if tool == "show":
        return f"Drawing a {arguments.get('kind', '')} chart{_of(arguments, 'y', 'x')}"
    if tool == "clean_data":
        return f"Cleaning: {str(arguments.get('step', '')).replace('_', ' ')}"
    words = NAMES.get(tool, tool)
    if tool == "query":
        return f"{words} {_measure(arguments)}{_by(arguments.get('by'))}"
    if tool == "trend":
        return f"{words} {_measure(arguments)}{_by(arguments.get('by'))}"
    if tool in ("describe", "distribution", "outliers"):
        return f"{words} {arguments.get('column', '')}"
    if tool == "correlate":
        pair = [str(arguments[name]) for name in ("x", "y") if arguments.get(name)]
        return f"{words} {' and '.join(pair) or 'the number columns'}"
    if tool == "compare":
        return f"{words} {arguments.get('measure', '')}{_by(arguments.get('by'))}"
    if tool in OVER_TIME:
        return f"{words} {_measure(arguments)}"
    if tool in ("test", "regression", "train_model"):
        return f"{words} {arguments.get('measure') or arguments.get('target') or ''}"
    if tool == "crosstab":
        return f"{words} {arguments.get('rows', '')} with {arguments.get('columns', '')}"
    if tool == "find_values":
        return f"{words} {arguments.get('text', '')!r}"
    return words


def _measure(arguments: dict[str, Any]) -> str:
    aggregate = arguments.get("aggregate") or []
    names = [aggregate] if isinstance(aggregate, str) else [str(name) for name in aggregate]
    measure = str(arguments.get("measure") or "rows")
    return f"{' and '.join(names)} of {measure}" if names and measure != "rows" else measure


def _by(by: Any) -> str:
    names = [by] if isinstance(by, str) else list(by or [])
    return f" by {' and '.join(map(str, names))}" if any(names) else ""


def _of(arguments: dict[str, Any], *names: str) -> str:
    found = next((str(arguments[name]) for name in names if arguments.get(name)), "")
    return f" of {found}" if found else ""

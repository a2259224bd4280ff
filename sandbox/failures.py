"""Why code failed, said so that the next attempt gets it right."""

import builtins
import difflib
import errno
import importlib.util
import linecache
import re
import sys
import traceback
from collections.abc import Iterable, Mapping
from typing import Any

import duckdb
import pandas as pd

from sandbox.frames import label_text, safe_text
from sandbox.printed import plain

MAX_MESSAGE = 2_000
MAX_TRACE = 4_000
SHOWN_FRAMES = 8
LIBRARIES = (
    "pandas", "numpy", "duckdb", "pyarrow", "plotly", "matplotlib", "seaborn", "scipy", "sklearn",
    "statsmodels",
)  # fmt: skip
SHORT_NAMES = {
    "pd": "import pandas as pd", "np": "import numpy as np", "px": "import plotly.express as px",
    "go": "import plotly.graph_objects as go", "plt": "import matplotlib.pyplot as plt",
    "sns": "import seaborn as sns", "sm": "import statsmodels.api as sm", "stats": "from scipy import stats",
}  # fmt: skip
NETWORK_FILES = (
    "socket.py",
    "ssl.py",
    "urllib/request.py",
    "http/client.py",
    "urllib3/",
    "httpx/",
    "requests/",
)
PROCESS_FILES = ("subprocess.py", "multiprocessing/", "popen_fork.py", "pty.py")
REFUSALS = {errno.EPERM, errno.EACCES}
NO_NETWORK = "There is no network here."
NO_PROGRAMS = "No other programs or processes can be started here."
Advice = tuple[str, list[str]]


class Run:
    """What is known about the run that failed."""

    def __init__(
        self, file_name: str, code: str, names: Mapping[str, Any], tables: Mapping[str, str]
    ) -> None:
        self.file_name = file_name
        self.code = code
        self.names = names
        self.tables = tables

    def name_of(self, value: Any) -> str:
        """The variable that holds a value, a dataset's name before `df`."""
        found = [name for name, item in list(self.names.items()) if item is value]
        return next((name for name in found if name in self.tables), found[0] if found else "")

    @property
    def data(self) -> str:
        """Where the data is, as a clause."""
        return f"the data is in {', '.join(self.tables)}" if self.tables else "there is no dataset yet"


def describe(
    error: BaseException, file_name: str, code: str, names: Mapping[str, Any], tables: Mapping[str, str]
) -> dict[str, Any]:
    """The failure that `sandbox.outcome` reads."""
    run = Run(file_name, code, names, tables)
    kind = safe_text(type(error), lambda item: item.__name__)
    try:
        message, suggestions = _advice(error, run)
    except Exception:  # an exception of somebody's own class may raise at everything
        message, suggestions = safe_text(error, str), []
    if isinstance(error, duckdb.OutOfMemoryException):
        kind = "MemoryError"
    return {
        "type": kind,
        "message": _bounded(plain(message), MAX_MESSAGE),
        "line": _line(error, file_name),
        "trace": _bounded(plain(_trace(error, run, kind)), MAX_TRACE),
        "suggestions": [label_text(item) for item in suggestions][:5],
    }


def _bounded(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    half = (most - 5) // 2
    return f"{text[:half]}\n...\n{text[-half:]}"


def _line(error: BaseException, file_name: str) -> int | None:
    if isinstance(error, SyntaxError) and error.filename == file_name:
        return error.lineno
    lines = [number for frame, number in traceback.walk_tb(error.__traceback__) if _file(frame) == file_name]
    return lines[-1] if lines else None


def _file(frame: Any) -> str:
    return str(frame.f_code.co_filename)


def _trace(error: BaseException, run: Run, kind: str) -> str:
    """The lines of the code that the error went through, and its own text."""
    last = f"{kind}: {_bounded(safe_text(error, str), 500)}"
    if isinstance(error, SyntaxError) and error.filename == run.file_name:
        return f"line {error.lineno}\n{_pointed(error)}\n{kind}: {error.msg}"
    lines = []
    for frame, number in traceback.walk_tb(error.__traceback__):
        if not _file(frame).startswith("<cell "):
            continue
        where = "line" if _file(frame) == run.file_name else "earlier code, line"
        function = frame.f_code.co_name
        inside = "" if function == "<module>" else f", in {function}"
        lines.append(f"{where} {number}{inside}\n    {linecache.getline(_file(frame), number).strip()}")
    if len(lines) > SHOWN_FRAMES:
        middle = f"[{len(lines) - SHOWN_FRAMES} more calls]"
        lines = [*lines[: SHOWN_FRAMES // 2], middle, *lines[-SHOWN_FRAMES // 2 :]]
    return "\n".join([*lines, last])


def _pointed(error: SyntaxError) -> str:
    text = (error.text or "").rstrip("\n")
    indent = len(text) - len(text.lstrip())
    column = max(0, (error.offset or 1) - 1 - indent)
    return f"    {text.strip()}\n    {' ' * column}^"


def nearest(name: str, known: Iterable[Any], most: int = 3) -> list[str]:
    """The names most like one, upper and lower case alike."""
    by_lower = {label_text(item).lower(): label_text(item) for item in known}
    wanted = name.lower()
    found = difflib.get_close_matches(wanted, by_lower, n=most, cutoff=0.6)
    if len(wanted) > 2:
        found += [item for item in by_lower if wanted in item and item not in found]
    return [by_lower[item] for item in found[:most]]


def _near(found: list[str]) -> str:
    return f" Nearest: {', '.join(found)}." if found else ""


def _advice(error: BaseException, run: Run) -> Advice:
    if isinstance(error, SyntaxError):
        return _syntax(error), []
    if isinstance(error, KeyError):
        return _missing_key(error, run)
    if isinstance(error, NameError):
        return _missing_name(error, run)
    if isinstance(error, AttributeError):
        return _missing_attribute(error, run)
    if isinstance(error, ModuleNotFoundError):
        return _missing_module(error)
    if isinstance(error, (MemoryError, duckdb.OutOfMemoryException)):
        return _memory(error), []
    if isinstance(error, duckdb.Error):
        return _database(error, run)
    if isinstance(error, OSError):
        return _system(error, run)
    if isinstance(error, (SystemExit, KeyboardInterrupt, EOFError, RecursionError)):
        return _ended(error), []
    text = safe_text(error, str)
    if (match := re.search(r"Expected one of \[(.*?)\] but received: (\S+)", text, re.DOTALL)) is not None:
        known = re.findall(r"'((?:[^'\\]|\\.)*)'", match[1])
        found = nearest(match[2], known)
        return f"There is no column {match[2]!r} in the data of the figure.{_near(found)}", found or known[:5]
    return text, []


def _syntax(error: SyntaxError) -> str:
    text = (error.text or "").strip()
    if text.startswith(("%", "!")):
        return "Commands that start with % or ! are a notebook's own; only Python runs here."
    where = f" (line {error.lineno})" if error.lineno else ""
    return f"{error.msg}{where}"


def _ended(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return "The code called exit. Let it run to its end instead."
    if isinstance(error, EOFError):
        return f"{safe_text(error, str)}. Nobody can type an answer here: give the value in the code."
    if isinstance(error, RecursionError):
        return "A function called itself too many times without an end."
    return safe_text(error, str) or "The code was interrupted."


def _memory(error: BaseException) -> str:
    text = safe_text(error, str).strip()
    advice = (
        "There is not enough memory for this. Take fewer columns or rows, or aggregate with con.sql first."
    )
    return f"{advice} ({text})" if text else advice


def _missing_key(error: KeyError, run: Run) -> Advice:
    key = error.args[0] if error.args else ""
    frame = _frame_in(error)
    text = safe_text(key, str)
    if frame is None:
        if isinstance(key, str) and key not in run.tables and "tables" in run.code:
            found = nearest(key, run.tables)
            if found:
                return f"There is no dataset {key!r}.{_near(found)}", found
        return f"There is no key {key!r}.", []
    labels = [*frame.columns, *(name for name in frame.index.names if name is not None)]
    known = {label_text(label) for label in labels}
    quoted = re.findall(r"'((?:[^'\\]|\\.)*)'", text) if "[" in text else []
    missing = [item for item in (quoted or [text.removeprefix("Column not found: ")]) if item not in known]
    if not missing:
        return f"There is no key {key!r}.", []
    return _missing_column(missing, frame, run)


def _missing_column(missing: list[str], frame: pd.DataFrame, run: Run) -> Advice:
    labels = [*frame.columns, *(name for name in frame.index.names if name is not None)]
    found = list(dict.fromkeys(item for name in missing for item in nearest(name, labels)))
    name = run.name_of(frame)
    where = f" in {name}" if name else ""
    what = f"no column {missing[0]!r}" if len(missing) == 1 else f"none of the columns {', '.join(missing)}"
    listed = "" if found else f" Its columns: {', '.join(map(label_text, frame.columns[:30]))}."
    return f"There is {what}{where}.{_near(found)}{listed}", found


def _frame_in(error: BaseException) -> pd.DataFrame | None:
    """The DataFrame that pandas was at, from the innermost call outwards."""
    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        if "pandas" not in _file(frame):
            continue
        for name in ("self", "obj", "frame", "left", "right"):
            value = frame.f_locals.get(name)
            value = value if isinstance(value, pd.DataFrame) else getattr(value, "obj", None)
            if isinstance(value, pd.DataFrame):
                return value
    return None


def _missing_name(error: NameError, run: Run) -> Advice:
    name = error.name or "".join(re.findall(r"name '(.+?)' is not defined", safe_text(error, str)))
    if (frame := _frame_in(error)) is not None:  # in the text of DataFrame.query or eval
        return _missing_column([name], frame, run)
    if name in SHORT_NAMES:
        return f"{name} is not imported. Write: {SHORT_NAMES[name]}", [SHORT_NAMES[name]]
    if name in LIBRARIES:
        return f"{name} is not imported. Write: import {name}", [f"import {name}"]
    found = nearest(name, [item for item in [*run.tables, *run.names] if not item.startswith("_")])
    found = found or difflib.get_close_matches(name, dir(builtins), n=1, cutoff=0.75)
    return f"There is no variable {name!r}.{_near(found) or f' Here {run.data}.'}", found


def _missing_attribute(error: AttributeError, run: Run) -> Advice:
    name, owner = error.name, error.obj
    if not name or owner is None:
        return safe_text(error, str), []
    known = [item for item in dir(owner) if not item.startswith("_")]
    if isinstance(owner, pd.DataFrame):
        known = [*(label for label in owner.columns if isinstance(label, str)), *known]
        found = nearest(name, known)
        where = run.name_of(owner) or "the DataFrame"
        return f"There is no column or method {name!r} in {where}.{_near(found)}", found
    found = nearest(name, known)
    return f"{safe_text(error, str).rstrip('.')}.{_near(found)}", found


def _missing_module(error: ModuleNotFoundError) -> Advice:
    root = (error.name or "").split(".")[0]
    there = [name for name in LIBRARIES if name in sys.modules or importlib.util.find_spec(name)]
    found = nearest(root, there)
    return (
        f"There is no module {error.name!r}, and nothing can be installed here. "
        f"There are {', '.join(there)} and Python's own modules."
    ), found


def _system(error: OSError, run: Run) -> Advice:
    reason = getattr(error, "reason", None)  # of a URLError
    cause = reason if isinstance(reason, OSError) else error
    files = [_file(frame) for frame, _ in traceback.walk_tb(error.__traceback__)]
    if any(part in name for name in files for part in NETWORK_FILES):
        return f"{NO_NETWORK} {run.data[0].upper()}{run.data[1:]}.", []
    refused = cause.errno in REFUSALS
    if refused and any(part in name for name in files for part in PROCESS_FILES):
        return NO_PROGRAMS, []
    if isinstance(error, FileNotFoundError) and error.filename is not None:
        found = _datasets_like(str(error.filename), run)
        return f"There is no file {str(error.filename)!r} in the current folder; {run.data}.", found
    if refused and error.filename is not None and "/" not in str(error.filename):
        return "The current folder takes plain files only: no folders, no links.", []
    if refused and error.filename is not None:
        outside = "Files outside the current folder cannot be opened"
        return f"{outside}; {run.data}.", _datasets_like(str(error.filename), run)
    if refused:
        return f"The system does not allow this here: {safe_text(error, str)}", []
    return safe_text(error, str), []


def _datasets_like(path: str, run: Run) -> list[str]:
    stem = re.split(r"[/\\]", path)[-1].split(".")[0]
    return nearest(stem, run.tables) or list(run.tables)[-1:]


def _database(error: duckdb.Error, run: Run) -> Advice:
    text = safe_text(error, str)
    asks_outside = "extension" in text and ("download" in text or "http" in text)
    if asks_outside or isinstance(error, duckdb.HTTPException):
        return f"{NO_NETWORK} DuckDB has only what is built into it; {run.data}.", []
    if type(error).__name__ == "ResourceInUseException":
        return (
            "con still holds rows of an earlier con.execute that were not fetched. Fetch all of them with "
            ".fetchall() or .df(), or ask with con.sql(...).df(), which leaves nothing open."
        ), []
    if isinstance(error, duckdb.IOException):
        advice = f"Only files in the current folder can be read or written; {run.data}."
        return f"{advice} ({text.splitlines()[0]})", []
    if (match := re.search(r"Candidate bindings: (.*)", text)) is not None:
        return text, [item.replace('""', '"') for item in re.findall(r'"((?:[^"]|"")*)"', match[1])]
    if (match := re.search(r"Table with name (.+?) does not exist!", text)) is not None:
        found = nearest(match[1], run.tables)
        return f"There is no table {match[1]!r} in SQL.{_near(found)} Here {run.data}.", found
    if (match := re.search(r'Did you mean "(.*?)"', text)) is not None:
        return text, [match[1]]
    return text, []

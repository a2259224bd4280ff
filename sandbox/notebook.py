"""A conversation's Python: variables stay from run to run, and what a run shows comes back as data.

There is no protection here: the process that holds a notebook is locked from outside. Code may break this
process, and then only its own conversation has lost something.
"""

import contextlib
import functools
import threading
import warnings
from collections.abc import Mapping
from time import perf_counter
from types import ModuleType
from typing import Any

import joblib
import plotly.express as px

from sandbox import cells, connections, failures, figures
from sandbox.datasets import Datasets
from sandbox.outputs import Outputs
from sandbox.printed import Printed, redirected
from sandbox.pristine import Libraries, Process

OUTPUT = "output"
MAX_PARTS = 10
WARM_CODE = """
import matplotlib.pyplot as plt
import pandas as pd
import plotly.express as px
days = pd.date_range("2024-01-01", periods=3)
frame = pd.DataFrame({"a": ["x", "y", "x"], "b": [1.0, 2.0, 3.0], "c": days})
show(frame.groupby("a").agg({"b": "sum"}))
for draw in (px.bar, px.line, px.scatter):
    draw(frame, x="a", y="b", color="a").show()
plt.plot([1, 2])
plt.show()
show(con.sql("SELECT a, sum(b) AS b FROM frame GROUP BY a"))
show(frame["c"].dt.month.rolling(2).mean())
con.close()
"""


class Notebook:
    """The variables of a conversation, and its connection to the data."""

    def __init__(self, memory_mb: int, threads: int) -> None:
        self._libraries = prepare()
        self._process: Process | None = None
        self._module = ModuleType("__main__")
        self._namespace: dict[str, Any] = self._module.__dict__
        self._datasets = Datasets(memory_mb, threads)
        self._printed = Printed()
        self._count = 0

    def run(self, code: str, tables: Mapping[str, str]) -> dict[str, Any]:
        """Runs a cell; `tables` are paths by name, the current dataset last. What it raises is a failure."""
        started = perf_counter()
        self._count += 1
        self._restore()
        outputs = Outputs()
        with redirected(self._printed):
            failure = self._guarded(code, tables, outputs)
            alive = _threads()
        self._restore()
        figures.close()
        outputs.finish()
        return {
            "outputs": outputs.items,
            "printed": self._printed.take(),
            "failure": failure,
            "duration": perf_counter() - started,
            "notes": [*self._datasets.notes, *outputs.notes, *alive],
        }

    def rest(self) -> None:
        """Leaves no thread that a fork would lose; the next run starts them again."""
        self._datasets.rest()

    def rehearse(self) -> None:
        """Touches what every run touches, in a process that waits for its run.

        A fork's memory becomes its own page by page as it is written, which takes longer than a small figure.
        """
        self._restore()
        # A conversation that broke the libraries finds out in its own run.
        with contextlib.suppress(Exception):
            Outputs().show(px.bar(x=["a", "b"], y=[1, 2]))
        self._restore()

    def _restore(self) -> None:
        self._libraries.restore()
        if self._process is None:
            self._process = Process()
        self._process.restore()
        self._libraries.set_main(self._module)
        self._namespace.pop("__warningregistry__", None)

    def _guarded(self, code: str, tables: Mapping[str, str], outputs: Outputs) -> dict[str, Any] | None:
        """Why the code failed, if it did."""
        file_name = cells.FILE_NAME.format(self._count)
        Hooks.outputs = outputs
        try:
            cells.remember(file_name, code, self._count)
            self._execute(code, file_name, tables, outputs)
        except BaseException as error:
            self._libraries.restore_builtins()
            return failures.describe(error, file_name, code, self._namespace, tables)
        finally:
            Hooks.outputs = None
        return None

    def _execute(self, code: str, file_name: str, tables: Mapping[str, str], outputs: Outputs) -> None:
        namespace = self._namespace
        namespace.setdefault("show", lambda value, title="": Hooks.show(value, str(title)))
        namespace.setdefault("tables", self._datasets.tables)
        before = namespace.get(OUTPUT)
        cell = cells.read(code, file_name)
        self._datasets.use(tables, namespace, cell.needs, "duckdb" in code)
        exec(cell.body, namespace)
        value = None if cell.last is None else eval(cell.last, namespace)
        self._libraries.restore_builtins()
        _show_last(outputs, value, cell.titles)
        found = namespace.get(OUTPUT)
        if OUTPUT in cell.gives or found is not before:
            _show_output(outputs, found)
        outputs.show_open_figures()
        if not outputs.items and cell.last_assigned and figures.is_plotly(namespace.get(cell.last_assigned)):
            outputs.show(namespace[cell.last_assigned], again=False)


def _show_last(outputs: Outputs, value: Any, titles: list[str]) -> None:
    if type(value) is tuple and len(titles) == len(value) > 1 and len(value) <= MAX_PARTS:
        for part, title in zip(value, titles, strict=True):
            outputs.show(part, name=title, again=False)
    else:
        outputs.show(value, name=titles[0] if len(titles) == 1 else "", again=False)


def _show_output(outputs: Outputs, value: Any) -> None:
    if isinstance(value, dict):
        for name, item in value.items():
            outputs.show(item, str(name), again=False)
    else:
        outputs.show(value, again=False)


def _threads() -> list[str]:
    alive = [t for t in threading.enumerate() if t is not threading.main_thread() and not t.daemon]
    return [f"{len(alive)} threads that the code started end with this run."] if alive else []


class Hooks:
    """Where `show` and the libraries' own ways of showing lead: the outputs of the run in progress."""

    outputs: Outputs | None = None

    @classmethod
    def show(cls, value: Any, title: str = "") -> None:
        """Shows a value now."""
        if cls.outputs is not None:
            cls.outputs.show(value, title)

    @classmethod
    def show_figure(cls, figure: Any, *_arguments: Any, **_options: Any) -> None:
        """Stands for the figure's own `show`."""
        cls.show(figure)

    @classmethod
    def show_open(cls, *_arguments: Any, **_options: Any) -> None:
        """Stands for pyplot's `show`."""
        if cls.outputs is not None:
            cls.outputs.show_open_figures()


@functools.cache
def prepare() -> Libraries:
    """What is done once in a process, best before it is forked: imports, and ways of showing led here."""
    figures.prepare(Hooks.show_figure, Hooks.show_open)
    connections.prepare()
    warnings.formatwarning = _short_warning
    # With n_jobs, scikit-learn asks for semaphores and processes, which a locked process does not get.
    joblib.parallel_config(backend="sequential")
    return Libraries()


def warm() -> None:
    """Runs a little of everything, so that what the libraries do at first use is done before a fork."""
    notebook = Notebook(memory_mb=256, threads=1)
    failure = notebook.run(WARM_CODE, {})["failure"]
    if failure is not None:
        raise RuntimeError(f"warming up failed: {failure['message']}")


def _short_warning(message: Any, category: type, *_where: Any, **_options: Any) -> str:
    return f"{category.__name__}: {message}\n"

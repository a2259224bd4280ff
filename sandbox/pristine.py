"""What earlier code may have changed in the libraries and in the process, put back before the next run.

Variables of a conversation stay; patches don't: a run must not compute with somebody's `len` or `json.dumps`.
Functions, classes and constants are compared with shallow copies by identity, which takes about a
millisecond; what a library keeps in its own containers is out of reach.
"""

import atexit
import builtins
import decimal
import functools
import gc
import importlib
import locale
import operator
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import plotly.express as px
import plotly.io as pio
from pandas._config import config as pandas_config

MODULES = (
    "ast", "base64", "collections", "contextlib", "copy", "csv", "datetime", "decimal", "functools", "gc", "glob",
    "hashlib", "importlib", "inspect", "io", "itertools", "json", "json.decoder", "json.encoder", "linecache",
    "logging", "math", "operator", "os", "pathlib", "pickle", "posixpath", "random", "re", "shutil", "signal",
    "statistics", "string", "struct", "sys", "tempfile", "textwrap", "threading", "time", "traceback", "types",
    "typing", "uuid", "warnings", "duckdb", "matplotlib", "matplotlib.figure", "matplotlib.pyplot", "numpy",
    "numpy.linalg", "numpy.random", "pandas", "pandas.api.types", "plotly.express", "plotly.graph_objects",
    "plotly.io", "plotly.subplots", "plotly.utils", "pyarrow", "scipy.stats", "seaborn", "sklearn",
    "statsmodels.api", "statsmodels.formula.api",
)  # fmt: skip
CLASSES = (
    "pandas.DataFrame", "pandas.Series", "pandas.Index", "pandas.RangeIndex", "pandas.MultiIndex",
    "pandas.Categorical", "pandas.api.typing.DataFrameGroupBy", "pandas.api.typing.SeriesGroupBy",
    "pandas.api.typing.Rolling", "pandas.core.indexing._LocIndexer", "pandas.core.indexing._iLocIndexer",
    "duckdb.DuckDBPyConnection", "duckdb.DuckDBPyRelation", "plotly.graph_objects.Figure",
    "plotly.utils.PlotlyJSONEncoder", "matplotlib.figure.Figure", "matplotlib.axes.Axes", "json.JSONEncoder",
    "json.JSONDecoder", "pathlib.Path", "random.Random", "logging.Logger", "threading.Thread",
)  # fmt: skip
OURS = "sandbox."
ADDED_BY_PYTHON = ("__weakref__", "__dict__", "__abstractmethods__", "__annotations__", "__doc__")
Namespace = dict[str, Any]


class Libraries:
    """Shallow copies of builtins, modules and classes; taken once, before any code has run."""

    def __init__(self) -> None:
        for name in MODULES:
            try:
                importlib.import_module(name)
            except ImportError:
                continue
        self._builtins = dict(vars(builtins))
        # Without a look-up of any builtin, because they may all be broken when it is called.
        self.restore_builtins: Callable[[], None] = functools.partial(
            dict.update, vars(builtins), self._builtins
        )
        ours = [name for name in sys.modules if name.startswith(OURS)]
        names = [name for name in (*MODULES, *ours) if name in sys.modules]
        self._modules = [_contents(sys.modules[name]) for name in names]
        classes = [known for name in CLASSES if (known := _class(name)) is not None]
        classes += [item for name in ours for item in vars(sys.modules[name]).values() if _is_own(item, name)]
        self._classes = [(item, vars(item), dict(vars(item))) for item in _with_bases(classes)]
        pio.renderers.default  # noqa: B018 - looks for IPython once, which takes a while
        self._imported = {name: module for name, module in sys.modules.items() if name != "__main__"}

    def restore(self) -> None:
        """Puts everything back that is another object now."""
        self.restore_builtins()
        if len(vars(builtins)) != len(self._builtins):
            for name in vars(builtins).keys() - self._builtins.keys():
                delattr(builtins, name)
        self._restore_imports()
        for module, saved in self._modules:
            if not _same(module, saved):
                module.update({name: value for name, value in saved.items() if module.get(name) is not value})
        for known, now, saved in self._classes:
            if len(now) != len(saved) or not _same(now, saved):
                _restore_class(known, now, saved)

    def _restore_imports(self) -> None:
        if not _same(sys.modules, self._imported):
            sys.modules.update(self._imported)
        if len(sys.modules) == len(self._imported) + 1:
            return
        for name in sys.modules.keys() - self._imported.keys() - {"__main__"}:
            if not _is_real(sys.modules[name]):
                del sys.modules[name]


def _contents(module: ModuleType) -> tuple[Namespace, Namespace]:
    """A module's names: not what it keeps for itself, nor what changes by the way."""
    saved = {
        name: value
        for name, value in vars(module).items()
        if callable(value) or not (name.startswith("_") or module is sys or module is gc)
    }
    return vars(module), saved


def _same(now: Mapping[str, Any], saved: Namespace) -> bool:
    return all(map(operator.is_, map(now.get, saved), saved.values()))


def _class(name: str) -> type | None:
    module, _, attribute = name.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError):
        return None
    return found if isinstance(found, type) else None


def _is_own(item: Any, module: str) -> bool:
    return isinstance(item, type) and item.__module__ == module


def _with_bases(classes: list[type]) -> list[type]:
    """The classes and what they inherit from, without those that cannot be changed."""
    immutable, heap = 1 << 8, 1 << 9
    found = dict.fromkeys(base for item in classes for base in item.__mro__)
    return [item for item in found if item.__flags__ & heap and not item.__flags__ & immutable]


def _restore_class(known: type, now: Mapping[str, Any], saved: Namespace) -> None:
    for name in [name for name in now if name not in saved and name not in ADDED_BY_PYTHON]:
        type.__delattr__(known, name)
    for name, value in saved.items():
        if name not in ADDED_BY_PYTHON and now.get(name) is not value:
            type.__setattr__(known, name, value)


def _is_real(module: Any) -> bool:
    """Whether an entry of sys.modules came from an import and not from code that put it there."""
    return module is None or getattr(module, "__spec__", None) is not None


class Process:
    """What code may have set in the process and in the libraries' options; taken at a notebook's first run."""

    def __init__(self) -> None:
        self._folder = os.getcwd()  # noqa: PTH109
        self._environment = dict(os.environ)
        self._signals = {number: signal.getsignal(number) for number in signal.valid_signals()}
        self._filters = warnings.filters[:]  # type: ignore[index]
        self._paths = [(known, list(known)) for known in (sys.path, sys.meta_path, sys.path_hooks)]
        self._recursion = sys.getrecursionlimit()
        self._switch = sys.getswitchinterval()
        self._locale = locale.setlocale(locale.LC_ALL)
        self._decimal = decimal.getcontext().copy()
        self._numpy = np.geterr()
        self._printing = np.get_printoptions()
        self._gc = gc.isenabled(), gc.get_threshold(), list(gc.callbacks)
        self._plotting = dict(mpl.rcParams)
        self._pandas = dict(_options(pandas_config._global_config))
        self._template = pio.templates.default
        self._renderer = pio.renderers.default
        self._express = {name: getattr(px.defaults, name) for name in px.defaults.__slots__}

    def restore(self) -> None:
        """Puts everything back; what can be seen to be as it was costs nothing."""
        self._interpreter()
        self._system()
        if not _same(mpl.rcParams, self._plotting):
            dict.update(mpl.rcParams, self._plotting)
        for name, value in _options(pandas_config._global_config):
            if value is not self._pandas.get(name):
                with warnings.catch_warnings(action="ignore"):
                    pd.set_option(name, self._pandas[name])
        if pio.templates.default != self._template:
            pio.templates.default = self._template
        if pio.renderers.default != self._renderer:
            pio.renderers.default = self._renderer
        for name, value in self._express.items():
            setattr(px.defaults, name, value)
        np.seterr(**self._numpy)
        np.seterrcall(None)
        if np.get_printoptions() != self._printing:
            np.set_printoptions(**self._printing)

    def _interpreter(self) -> None:
        sys.settrace(None)
        sys.setprofile(None)
        threading.settrace(None)  # type: ignore[arg-type]
        threading.setprofile(None)
        threading.excepthook = threading.__excepthook__
        sys.setrecursionlimit(self._recursion)
        sys.setswitchinterval(self._switch)
        for known, saved in self._paths:
            if known != saved:
                known[:] = saved  # type: ignore[index]
        if warnings.filters != self._filters:
            warnings.resetwarnings()
            warnings.filters[:] = self._filters  # type: ignore[index]
        enabled, threshold, callbacks = self._gc
        gc.callbacks[:] = callbacks
        gc.set_debug(0)
        gc.set_threshold(*threshold)
        (gc.enable if enabled else gc.disable)()
        atexit._clear()
        decimal.setcontext(self._decimal.copy())

    def _system(self) -> None:
        for number, handler in self._signals.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)
        signal.setitimer(signal.ITIMER_REAL, 0)
        if _folder() != self._folder:
            os.chdir(self._folder)
        if dict(os.environ) != self._environment:
            os.environ.clear()
            os.environ.update(self._environment)
            time.tzset()
        if locale.setlocale(locale.LC_ALL) != self._locale:
            locale.setlocale(locale.LC_ALL, self._locale)


def _folder() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109
    except OSError:
        return None


def _options(tree: Mapping[str, Any], above: str = "") -> list[tuple[str, Any]]:
    """The options of pandas by their full names."""
    found: list[tuple[str, Any]] = []
    for name, value in tree.items():
        if isinstance(value, dict):
            found += _options(value, f"{above}{name}.")
        else:
            found.append((above + name, value))
    return found

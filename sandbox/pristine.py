"""What earlier code may have changed in the libraries and in the process, put back before the next run.

Variables of a conversation stay; patches don't: a run must not compute with somebody's `len` or `json.dumps`.
Functions, classes and constants are compared with shallow copies by identity; what a library keeps in its
own containers is out of reach.
"""

import atexit
import builtins
import ctypes
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
from collections.abc import Mapping
from types import ModuleType
from typing import Any, cast

import matplotlib as mpl
import numpy as np
import pandas as pd
import plotly.express as px
import plotly.io as pio

MODULES = (
    "ast", "base64", "collections", "contextlib", "copy", "csv", "datetime", "decimal", "functools", "gc",
    "glob", "hashlib", "importlib", "inspect", "io", "itertools", "json", "json.decoder", "json.encoder",
    "linecache", "logging", "math", "operator", "os", "pathlib", "pickle", "posixpath", "random", "re",
    "shutil", "signal", "statistics", "string", "struct", "sys", "tempfile", "textwrap", "threading", "time",
    "traceback", "types", "typing", "uuid", "warnings", "duckdb", "matplotlib", "matplotlib.figure",
    "matplotlib.pyplot", "numpy", "numpy.linalg", "numpy.random", "pandas", "pandas.api.types",
    "plotly.express", "plotly.graph_objects", "plotly.io", "plotly.subplots", "plotly.utils",
    "pyarrow", "scipy.stats", "seaborn", "sklearn",
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
_pandas_options: Mapping[str, Any] = importlib.import_module("pandas._config.config")._global_config
ADDED_BY_PYTHON = ("__weakref__", "__dict__", "__abstractmethods__", "__annotations__", "__doc__")
Namespace = dict[str, Any]


class Version:
    """Tells whether a dictionary was written to, without reading its values.

    CPython 3.11 to 3.13 count each change of a dictionary in its fourth word (PEP 509). Looking at thousands
    of values instead would touch their reference counts, which after a fork copies their pages: 15 ms and
    17 MB a run. Elsewhere everything counts as changed.
    """

    def __init__(self, watched: Mapping[str, Any]) -> None:
        known = watched if isinstance(watched, dict) else gc.get_referents(watched)[0]
        self._kept = known
        self._now = ctypes.c_uint64.from_address(id(known) + 3 * ctypes.sizeof(ctypes.c_void_p))
        self._seen = -1

    def changed(self) -> bool:
        """Whether it may have changed since `note`."""
        return self._now.value != self._seen

    def note(self) -> None:
        """Remembers the present state."""
        self._seen = self._now.value if COUNTED else -1


def _counted() -> bool:
    if sys.implementation.name != "cpython" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    return sys.version_info < (3, 14)


COUNTED = _counted()


class Libraries:
    """Shallow copies of builtins, modules and classes; taken once, before any code has run."""

    def __init__(self) -> None:
        for name in MODULES:
            try:
                importlib.import_module(name)
            except ImportError:
                continue
        pio.renderers.default  # noqa: B018 - looks for IPython once, which takes a while
        ours = [name for name in sys.modules if name.startswith(OURS)]
        names = [name for name in (*MODULES, *ours) if name in sys.modules]
        self._modules = [(vars(sys.modules[name]), _contents(sys.modules[name])) for name in names]
        classes = [known for name in CLASSES if (known := _class(name)) is not None]
        classes += [item for name in ours for item in vars(sys.modules[name]).values() if _is_own(item, name)]
        self._classes = [(item, vars(item), dict(vars(item))) for item in _with_bases(classes)]
        self._imported = {name: sys.modules[name] for name in sys.modules if "." not in name or name in names}
        self._imported.pop("__main__", None)
        self._all_imported = frozenset(sys.modules)
        self._former_main: ModuleType | None = None
        """Kept, because functions lose their globals with a module that nobody holds."""
        self._builtins = dict(vars(builtins))
        self._builtins_version = Version(vars(builtins))
        self._imports_version = Version(sys.modules)
        self._versions = [Version(now) for now, _ in self._modules]
        self._class_versions = [Version(now) for _, now, _ in self._classes]
        self._update = functools.partial(dict.update, vars(builtins), self._builtins)

    def restore_builtins(self) -> None:
        """Puts the builtins back without the use of any, because they may all be broken."""
        if self._builtins_version.changed():
            self._update()

    def restore(self) -> None:
        """Puts everything back that is another object now."""
        if self._builtins_version.changed():
            self._update()
            for name in vars(builtins).keys() - self._builtins.keys():
                delattr(builtins, name)
            self._builtins_version.note()
        if self._imports_version.changed():
            self._restore_imports()
            self._imports_version.note()
        for version, (module, saved) in zip(self._versions, self._modules, strict=True):
            if version.changed():
                module.update({name: value for name, value in saved.items() if module.get(name) is not value})
                version.note()
        for version, (known, now, saved) in zip(self._class_versions, self._classes, strict=True):
            if version.changed():
                _restore_class(known, now, saved)
                version.note()

    def _restore_imports(self) -> None:
        if not _same(sys.modules, self._imported):
            sys.modules.update(self._imported)
        for name in sys.modules.keys() - self._all_imported - {"__main__"}:
            if not _is_real(sys.modules[name]):
                del sys.modules[name]

    def set_main(self, module: ModuleType) -> None:
        """Makes a notebook's variables those of `__main__`, where dataclasses and pickles look for names."""
        if sys.modules.get("__main__") is not module:
            self._former_main = sys.modules.get("__main__")
            sys.modules["__main__"] = module
            self._imports_version.note()


def _contents(module: ModuleType) -> Namespace:
    """A module's names and values: not what it keeps for itself, nor what changes by the way."""
    return {
        name: value
        for name, value in vars(module).items()
        if callable(value) or not (name.startswith("_") or module is sys or module is gc)
    }


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
    """What code may have set in the process and in the libraries' options; taken at a first run."""

    def __init__(self) -> None:
        self._folder = os.getcwd()  # noqa: PTH109
        self._environment = dict(os.environ)
        self._signals = {number: signal.getsignal(number) for number in signal.valid_signals()}
        self._filters = list(warnings.filters)
        self._paths: list[tuple[list[Any], list[Any]]] = [
            (known, list(known)) for known in cast(list[list[Any]], [sys.path, sys.meta_path, sys.path_hooks])
        ]
        self._recursion = sys.getrecursionlimit()
        self._switch = sys.getswitchinterval()
        self._locale = locale.setlocale(locale.LC_ALL)
        self._decimal = decimal.getcontext().copy()
        self._numpy = np.geterr()
        self._printing = np.get_printoptions()
        self._gc = gc.isenabled(), gc.get_threshold(), list(gc.callbacks)
        self._at_exit = atexit._ncallbacks()
        self._plotting: Namespace = {str(name): value for name, value in mpl.rcParams.items()}
        self._pandas = dict(_options(_pandas_options))
        self._template = pio.templates.default
        self._renderer = pio.renderers.default
        self._express = {name: getattr(px.defaults, name) for name in px.defaults.__slots__}

    def restore(self) -> None:
        """Puts everything back; what can be seen to be as it was costs nothing."""
        self._interpreter()
        self._system()
        if not _same(cast(Namespace, mpl.rcParams), self._plotting):
            dict.update(cast(Namespace, mpl.rcParams), self._plotting)
        for name, value in _options(_pandas_options):
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
        threading.settrace(None)
        threading.setprofile(None)
        threading.excepthook = threading.__excepthook__
        sys.setrecursionlimit(self._recursion)
        sys.setswitchinterval(self._switch)
        for known, saved in self._paths:
            if known != saved:
                known[:] = saved
        if warnings.filters != self._filters:
            warnings.resetwarnings()
            cast(list[Any], warnings.filters)[:] = self._filters
        enabled, threshold, callbacks = self._gc
        gc.callbacks[:] = callbacks
        gc.set_debug(0)
        gc.set_threshold(*threshold)
        (gc.enable if enabled else gc.disable)()
        if atexit._ncallbacks() > self._at_exit:
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

"""Figures as data: Plotly's as their JSON, matplotlib's as PNG."""

import base64
import functools
import io
import json
import re
from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import plotly.graph_objects as go
import plotly.io as pio
from matplotlib.artist import Artist
from matplotlib.container import Container
from matplotlib.figure import Figure, SubFigure
from plotly import basedatatypes
from plotly.basedatatypes import BaseFigure
from plotly.utils import PlotlyJSONEncoder

TEMPLATE = "page"
MAX_FIGURE_BYTES = 8_000_000
MAX_IMAGE_BYTES = 8_000_000
DPI = 144
MAX_SIDE = 4_000
MAX_PARTS = 100
MARKUP = re.compile(r"<[^<>]{1,200}>")


def prepare(show: Callable[..., None], show_open: Callable[[], None]) -> None:
    """Leads the libraries' own ways of showing to `show`, and makes a small template the default one.

    The template halves the time of a figure: Plotly's own is validated and copied into each figure, 7 KB of
    it, and the page draws with another.
    """
    if TEMPLATE not in pio.templates:
        layout = pio.templates["plotly"].layout
        pio.templates[TEMPLATE] = go.layout.Template(
            layout={"colorway": layout.colorway, "colorscale": layout.colorscale}
        )
    pio.templates.default = TEMPLATE
    _remember_paths()
    pio.show = show
    BaseFigure.show = _shower(show)
    plt.switch_backend("agg")
    setattr(Figure, "show", _shower(show))  # noqa: B010 - the type checker knows another signature
    plt.show = lambda *_arguments, **_options: show_open()


def _shower(show: Callable[[Any], None]) -> Callable[..., None]:
    def stand_in(figure: Any, *_arguments: Any, **_options: Any) -> None:
        show(figure)

    return stand_in


def _remember_paths() -> None:
    """Lets Plotly split each name of a property once: a fifth of the time of a small figure is that."""
    split = getattr(basedatatypes, "_str_to_dict_path_full", None)
    if split is None or hasattr(split, "__wrapped__"):
        return
    cached = functools.lru_cache(maxsize=4096)(split)

    @functools.wraps(split)
    def remembering(path: Any) -> Any:
        return cached(path) if type(path) is str else split(path)

    basedatatypes._str_to_dict_path_full = remembering


def is_plotly(value: Any) -> bool:
    """Whether it is a Plotly figure."""
    return isinstance(value, BaseFigure)


def plotly_json(figure: Any) -> dict[str, Any] | None:
    """A figure's JSON without the default template; None if it is too large."""
    data = figure.to_plotly_json()
    layout = data.get("layout") or {}
    if layout.get("template") == _default_template():
        del layout["template"]
    text = json.dumps(data, cls=PlotlyJSONEncoder)
    if len(text) > MAX_FIGURE_BYTES:
        return None
    found: dict[str, Any] = json.loads(text)
    found.setdefault("data", [])
    found.setdefault("layout", {})
    return found


def _default_template() -> Any:
    return pio.templates[TEMPLATE].to_plotly_json() if TEMPLATE in pio.templates else None


def plotly_title(figure: Any) -> str:
    """The title written in a figure, without its markup."""
    text = figure.layout.title.text
    return MARKUP.sub(" ", text).strip() if isinstance(text, str) else ""


def matplotlib_figures(value: Any) -> list[Figure]:
    """The figures that a value of matplotlib, seaborn or pandas' plotting belongs to, each once."""
    found: list[Figure] = []
    for part in _artists(value):
        figure = getattr(part, "figure", None) if not isinstance(part, Figure) else part
        while isinstance(figure, SubFigure):
            figure = figure.figure
        if isinstance(figure, Figure) and figure not in found:
            found.append(figure)
    return found


def _artists(value: Any) -> list[Any]:
    """What can lead to a figure: an artist, or the artists in what plotting functions give back."""
    if isinstance(value, Artist) or _is_grid(value):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    elif isinstance(value, np.ndarray) and value.dtype == object:
        value = value.ravel().tolist()
    if type(value) in (list, tuple) or isinstance(value, Container):
        inner = [part for item in value[:MAX_PARTS] for part in _flat(item)]
        return inner if any(isinstance(part, Artist) for part in inner) else []
    return []


def _flat(item: Any) -> list[Any]:
    return list(item[:MAX_PARTS]) if type(item) is list or isinstance(item, Container) else [item]


def _is_grid(value: Any) -> bool:
    return type(value).__module__.startswith("seaborn") and hasattr(value, "figure")


def matplotlib_title(figure: Figure) -> str:
    """The title over all axes, else that of the only axes."""
    if text := figure.get_suptitle():
        return str(text)
    axes = figure.get_axes()
    return str(axes[0].get_title()) if axes else ""


def png(figure: Figure) -> str | None:
    """A figure as PNG in base64; None if it is too large."""
    width, height = figure.get_size_inches()
    dpi = min(DPI, MAX_SIDE / max(width, height, 0.1))
    image = _drawn(figure, dpi, tight=True)
    longest = max(_size(image))
    if longest > MAX_SIDE:
        image = _drawn(figure, dpi * MAX_SIDE / (longest + 2), tight=True)
        if max(_size(image)) > MAX_SIDE:
            image = _drawn(figure, dpi, tight=False)
    if len(image) > MAX_IMAGE_BYTES:
        return None
    return base64.b64encode(image).decode("ascii")


def _drawn(figure: Figure, dpi: float, tight: bool) -> bytes:
    target = io.BytesIO()
    figure.savefig(target, format="png", dpi=dpi, bbox_inches="tight" if tight else None)
    return target.getvalue()


def _size(image: bytes) -> tuple[int, int]:
    """Width and height as a PNG's first chunk has them."""
    return int.from_bytes(image[16:20], "big"), int.from_bytes(image[20:24], "big")


def open_figures() -> list[Figure]:
    """Those that pyplot holds and that have something in them."""
    return [figure for number in plt.get_fignums() if (figure := plt.figure(number)).get_axes()]


def close(figure: Figure | None = None) -> None:
    """Takes a figure, or all of them, from pyplot."""
    plt.close("all" if figure is None else figure)

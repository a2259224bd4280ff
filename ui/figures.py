"""A chart on the page. Its JSON was written by code that nobody trusts, and loads nothing and links nowhere.

Plotly reads a little HTML in every text: links (to http, https and mailto; it refuses javascript itself) and
styles with addresses in them. Pictures, map tiles and shapes of countries are fetched from where they say.
"""

import re
from typing import Any

import plotly.graph_objects as go
import streamlit as st
from plotly.colors import qualitative

from storage.results import Result
from ui import text
from ui.files import stem

# Plotly Express writes its default colours into each trace; the page's theme knows its own by these names.
PAGE_COLOURS = {colour.lower(): f"#{number:06}" for number, colour in enumerate(qualitative.Plotly, 1)}
MAX_VALUES = 1_000_000
MAX_DEPTH = 40
MIN_PIXELS, MAX_PIXELS = 160, 1000
MAX_MARGIN = 300
TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9]*)(\s[^<>]*|/)?>")
GEOGRAPHIC = ("choropleth", "scattergeo")
FORMATTING = ("b", "i", "em", "s", "u", "sub", "sup", "br")
LINKING = ("a", "span")
PICTURE = re.compile(r"data:image/(png|jpeg|gif|webp);base64,", re.IGNORECASE)
ADDRESS = re.compile(r"\s*([a-z][a-z0-9+.-]*:)?//|\s*(data|javascript|blob):", re.IGNORECASE)
ADDRESSES = ("source", "geojson", "href", "url", "src", "sourceattribution", "accesstoken")


def draw(result: Result) -> None:
    """Draws a stored figure, or says why it cannot be drawn."""
    try:
        figure = go.Figure(safe(result.output["figure"]))
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        reason = str(error).strip().splitlines()
        st.warning(
            text.literal(f"This chart cannot be drawn: {reason[0] if reason else type(error).__name__}"),
            icon=":material/broken_image:",
        )
        return
    if any(trace.type in GEOGRAPHIC for trace in figure.data):
        st.caption("Maps have no coasts, borders or countries here: Plotly would fetch them from elsewhere.")
    st.plotly_chart(
        # The template through which the page's theme colours a figure.
        figure.update_layout(template="streamlit"),
        key=f"figure-{result.id}",
        alt=result.output.get("alt") or result.title,
        config={
            "displaylogo": False,
            # Nothing is there; by default Plotly asks its makers' server.
            "topojsonURL": "app/static/topojson/",
            "toImageButtonOptions": {"format": "png", "scale": 2, "filename": stem(result.title)},
        },
    )


def safe(figure: Any) -> dict[str, Any]:
    """The figure without what loads or links, at a size that fits. Raises ValueError for an absurd one."""
    if not isinstance(figure, dict):
        raise ValueError("it is no figure.")
    cleaner = _Cleaner()
    layout = figure.get("layout") or {}
    if not isinstance(layout, dict):
        raise ValueError("its layout is no layout.")
    # The template holds a copy of everything there is, and is replaced anyway.
    kept = {"data": figure.get("data") or [], "layout": {k: v for k, v in layout.items() if k != "template"}}
    if figure.get("frames"):
        kept["frames"] = figure["frames"]
    cleaned: dict[str, Any] = cleaner.clean(kept, ())
    _fit(cleaned["layout"])
    return cleaned


def titled(figure: Any) -> bool:
    """Whether the figure has a title of its own."""
    layout = figure.get("layout") if isinstance(figure, dict) else None
    title = layout.get("title") if isinstance(layout, dict) else None
    words = title.get("text") if isinstance(title, dict) else title
    return isinstance(words, str) and bool(words.strip())


def plain(words: str) -> str:
    """A text with Plotly's formatting at most: no links, no styles, no attributes."""
    while (stripped := TAG.sub(_tag, words)) != words:
        words = stripped
    return words


def _tag(found: re.Match[str]) -> str:
    name = found[2].lower()
    if name in FORMATTING:
        return f"<{found[1]}{name}>"
    # Plotly shows other words between angle brackets as they stand, such as <unknown>.
    return "" if name in LINKING or found[3] else found[0]


class _Cleaner:
    """Copies JSON, counting what it copies."""

    def __init__(self) -> None:
        self._left = MAX_VALUES

    def clean(self, value: Any, path: tuple[str, ...]) -> Any:
        if len(path) > MAX_DEPTH:
            raise ValueError("it is nested too deeply.")
        self._left -= len(value) // 8 if isinstance(value, str) else 1
        if self._left < 0:
            raise ValueError("it is too large for a page.")
        if isinstance(value, str):
            return self._text(value, path)
        if isinstance(value, list):
            return [self.clean(item, (*path, "")) for item in value]
        if isinstance(value, dict):
            cleaned = {k: self.clean(v, (*path, str(k))) for k, v in value.items()}
            return {k: v for k, v in cleaned.items() if v is not None or value[k] is None}
        return value

    def _text(self, value: str, path: tuple[str, ...]) -> str | None:
        """None for what must not be there at all."""
        if value.lower() in PAGE_COLOURS:
            return PAGE_COLOURS[value.lower()]
        names = [part for name in path for part in name.split(".")]
        name = names[-1] if names else ""
        if name in ADDRESSES or (ADDRESS.match(value) and {"args", "args2"} & set(names)):
            return value if PICTURE.match(value) and name == "source" else None
        if name == "style" and any(part.startswith("map") for part in names):
            return "white-bg"
        return plain(value) if "<" in value else value


def _fit(layout: dict[str, Any]) -> None:
    layout.pop("width", None)
    height = layout.get("height")
    if isinstance(height, (int, float)):
        layout["height"] = min(max(height, MIN_PIXELS), MAX_PIXELS)
    margin = layout.get("margin")
    if isinstance(margin, dict):
        layout["margin"] = {
            side: min(max(size, 0), MAX_MARGIN) if isinstance(size, (int, float)) else size
            for side, size in margin.items()
        }

"""One output on the page: number, table, chart, picture, text or file. Names and texts steer nothing."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, cast

import pandas as pd
import streamlit as st

from agents.assistant import Assistant
from analysis.errors import AnalysisError
from analysis.present import frame
from storage.errors import StorageError
from storage.results import Result
from ui import figures, files, text

TABLE_PIXELS = 430
MAX_TABLE_ROWS_SHOWN = 12
TEXT_PIXELS = 320
TEXT_LINES = 14
TEXT_LENGTH = 20_000
METRIC_LENGTH = 32
MAX_PICTURE_PIXELS = 40_000_000
PNG = b"\x89PNG\r\n\x1a\n"


def draw(assistant: Assistant, result: Result, *, titled: bool = True) -> None:
    """Draws one stored output, under its title unless that stands above it already."""
    if titled and result.title and not _says_its_title(result):
        st.markdown(f"**{text.literal(result.title)}**")
    if result.kind == "figure":
        figures.draw(result)
    elif result.kind == "image":
        _picture(result)
    elif result.kind == "text":
        block(str(result.output.get("text", "")), key=f"text-{result.id}")
    elif result.kind == "file":
        _file(assistant, result)
    else:
        _table(result)


def _says_its_title(result: Result) -> bool:
    """Whether the output shows its title itself: a chart with one, a file's name."""
    return result.kind == "file" or (result.kind == "figure" and figures.titled(result.output["figure"]))


def values(results: Sequence[Result]) -> None:
    """Rows of values side by side, each value as a number to read; long words as text below."""
    shown = [(result, *value) for result in results for value in _labelled(result)]
    with st.container(horizontal=True, gap="small"):
        for _, label, value in shown:
            if len(value) <= METRIC_LENGTH:
                st.metric(text.literal(label), text.literal(value), border=True, width="content")
    for result, label, value in shown:
        if len(value) > METRIC_LENGTH:
            st.markdown(f"**{text.literal(label)}**")
            block(value, key=f"text-{result.id}-{label}")


def _labelled(result: Result) -> list[tuple[str, str]]:
    data = frame(result)
    if len(data.columns) == 1:
        return [(result.title or str(data.columns[0]), format_value(data.iloc[0, 0]))]
    st.markdown(f"**{text.literal(result.title)}**")
    return [(str(name), format_value(data.iloc[0][name])) for name in data.columns]


def block(words: str, *, key: str) -> None:
    """Text as it stands, in a box of bounded height; the whole of a long one as a file."""
    words = text.plain(words)
    lines = words.count("\n") + len(words) // 100
    st.code(
        words[:TEXT_LENGTH],
        language=None,
        wrap_lines=True,
        height=TEXT_PIXELS if lines > TEXT_LINES else "content",
    )
    if len(words) > TEXT_LENGTH:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(f"The first {TEXT_LENGTH:,} of {len(words):,} characters.", width="content")
            download("Download all of it", lambda: words.encode(), "text.txt", key=f"all-{key}")


def download(label: str, data: Callable[[], bytes], file_name: str, *, key: str) -> None:
    """A quiet button that hands over a file.

    Always as bytes without a type, so that nothing made by code opens as a page of this server.
    """
    st.download_button(
        label,
        data,
        file_name=file_name,
        mime="application/octet-stream",
        key=key,
        icon=":material/download:",
        on_click="ignore",
        type="tertiary",
    )


def _table(result: Result) -> None:
    data = frame(result)
    st.dataframe(
        data,
        key=f"table-{result.id}",
        hide_index=True,
        height="content" if len(data) <= MAX_TABLE_ROWS_SHOWN else TABLE_PIXELS,
        column_config=formats(data),
        alt=f"Table: {result.title}" if result.title else "Table",
    )


def _picture(result: Result) -> None:
    try:
        png = base64.b64decode(result.output.get("png", ""), validate=True)
    except binascii.Error:
        png = b""
    width, height = picture_size(png)
    if not width * height:
        st.warning("This picture cannot be read.", icon=":material/broken_image:")
        return
    if width * height > MAX_PICTURE_PIXELS:
        st.warning(f"This picture is too large to show: {width:,} by {height:,} pixels.")
    else:
        try:
            st.image(png, output_format="PNG", alt=result.output.get("alt") or result.title or "Picture")
        except (OSError, ValueError, SyntaxError):
            st.warning("This picture cannot be read.", icon=":material/broken_image:")
            return
    download("Download (PNG)", lambda: png, f"{files.stem(result.title)}.png", key=f"png-{result.id}")


def picture_size(png: bytes) -> tuple[int, int]:
    """Width and height as the PNG's first chunk says; zeros for other data."""
    if len(png) < 24 or not png.startswith(PNG) or png[12:16] != b"IHDR":
        return 0, 0
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")


def _file(assistant: Assistant, result: Result) -> None:
    name = files.safe_name(str(result.output.get("name", "")))
    size = files.size(int(result.output.get("size", 0)))

    def data() -> bytes:
        try:
            return assistant.file(result.key, result)
        except (StorageError, AnalysisError) as error:
            return f"This file could not be read: {error}\n".encode()

    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.download_button(
            text.literal(name),
            data,
            file_name=name,
            mime="application/octet-stream",
            key=f"file-{result.id}",
            icon=":material/download:",
            on_click="ignore",
        )
        st.caption(size, width="content")


def formats(data: pd.DataFrame) -> dict[str, Any]:
    """Column settings: separators for decimals, days without a time; whole numbers stay as they are.

    A whole number may be a year or an order number, which separators would disfigure.
    """
    settings: dict[str, Any] = {}
    for name, column in data.items():
        if pd.api.types.is_float_dtype(column):
            settings[str(name)] = st.column_config.NumberColumn(format="localized")
        elif (
            pd.api.types.is_datetime64_dtype(column)
            and (column.dropna() == column.dropna().dt.normalize()).all()
        ):
            settings[str(name)] = st.column_config.DateColumn(format="YYYY-MM-DD")
    return settings


def format_value(value: Any) -> str:
    """A single number for reading: separators, at most four decimals, nothing invented."""
    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if pd.api.types.is_integer(value):
        return f"{value:,}"
    if pd.api.types.is_number(value):
        magnitude = abs(float(cast(float, value)))
        if magnitude != 0 and (magnitude < 0.001 or magnitude >= 1e15):
            return f"{value:.4g}"
        decimals = 2 if magnitude >= 100 else 4
        return f"{value:,.{decimals}f}".rstrip("0").rstrip(".")
    return str(value)

"""One result on the page: number, table or chart, what it rests on, and the code that made it."""

from typing import Any, cast

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from analysis.present import frame
from storage.results import Result
from ui import text

TABLE_PIXELS = 430
MAX_TABLE_ROWS_SHOWN = 12
LANGUAGE_NAMES = {"sql": "SQL", "python": "Python"}
ENGINE_NAMES = {"duckdb": "DuckDB", "scipy": "SciPy", "python": "Python"}


def render(result: Result) -> None:
    """Draws one stored result."""
    with st.container(key=f"result-{result.id}", gap="small"):
        if result.kind == "value":
            _values(result)
        else:
            st.markdown(f"**{text.literal(result.title)}**")
            draw = _figure if result.kind == "figure" else _table
            draw(result)
        st.caption(text.literal(basis(result)))
        if result.notes:
            st.caption(text.listing(result.notes))
        _code_and_data(result)


def basis(result: Result) -> str:
    """One line on what the result rests on: rows, engine, time."""
    parts = []
    if result.rows_total is not None:
        used = result.rows_total if result.rows_used is None else result.rows_used
        total = text.count(result.rows_total, "row")
        parts.append(f"All {total}" if used == result.rows_total else f"{used:,} of {total} used")
    parts += [
        f"{ENGINE_NAMES[name]} {version}" for name, version in result.engine.items() if name in ENGINE_NAMES
    ]
    parts.append(f"{result.duration * 1000:,.0f} ms")
    return " · ".join(parts)


def _figure(result: Result) -> None:
    # The template through which the page's theme colours a figure.
    figure = go.Figure(result.output["figure"]).update_layout(template="streamlit")
    st.plotly_chart(
        figure,
        key=f"figure-{result.id}",
        alt=result.output.get("alt") or result.title,
        config={
            "displaylogo": False,
            "toImageButtonOptions": {"format": "png", "scale": 2, "filename": _file_stem(result)},
        },
    )


def _values(result: Result) -> None:
    data = frame(result)
    alone = len(data.columns) == 1
    if not alone:
        st.markdown(f"**{text.literal(result.title)}**")
    with st.container(horizontal=True, gap="small"):
        for name in data.columns:
            st.metric(
                text.literal(result.title if alone else str(name)),
                format_value(data.iloc[0][name]),
                border=True,
                width="content",
            )


def _table(result: Result) -> None:
    data = frame(result)
    st.dataframe(
        data,
        key=f"table-{result.id}",
        hide_index=True,
        height="content" if len(data) <= MAX_TABLE_ROWS_SHOWN else TABLE_PIXELS,
        column_config=formats(data),
        alt=f"Table: {result.title}",
    )


def formats(data: pd.DataFrame) -> dict[str, Any]:
    """Column settings: separators for decimals, days without a time; whole numbers stay as they are.

    A whole number may be a year or an order number, which separators would disfigure.
    """
    settings: dict[str, Any] = {}
    for name, values in data.items():
        if pd.api.types.is_float_dtype(values):
            settings[str(name)] = st.column_config.NumberColumn(format="localized")
        elif (
            pd.api.types.is_datetime64_dtype(values)
            and (values.dropna() == values.dropna().dt.normalize()).all()
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


def _code_and_data(result: Result) -> None:
    with st.expander("Show code", icon=":material/code:", type="compact", key=f"code-{result.id}"):
        st.code(result.code, language=result.language, wrap_lines=True)
        inputs = ", ".join(f"{ref.dataset} v{ref.version} ({ref.sha256[:12]})" for ref in result.inputs)
        language = LANGUAGE_NAMES.get(result.language, result.language)
        st.caption(text.literal(f"{language} on {inputs}" if inputs else language))
        st.download_button(
            "Download the numbers (CSV)",
            lambda: frame(result).to_csv(index=False).encode(),
            file_name=f"{_file_stem(result)}.csv",
            mime="text/csv",
            key=f"csv-{result.id}",
            icon=":material/download:",
            on_click="ignore",
            type="tertiary",
        )


def _file_stem(result: Result) -> str:
    words = "".join(c if c.isalnum() else " " for c in result.title).split()
    return "-".join(words).lower()[:60] or "result"

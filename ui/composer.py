"""Where questions come from: the text box, suggestions, and a small form that writes one."""

from collections.abc import Callable

import streamlit as st

from analysis.suggest import suggest
from storage.datasets import ColumnInfo, Dataset
from ui import text

Ask = Callable[[str], None]
ROW_COUNT = "number of rows"
AGGREGATES = {
    "sum": "total",
    "mean": "average",
    "median": "median",
    "min": "lowest",
    "max": "highest",
    "std": "standard deviation of",
    "distinct": "number of different",
}
CHARTS = ["bar chart", "line chart", "pie chart"]
NONE = "none"


def suggestions(dataset: Dataset, ask: Ask) -> None:
    """Questions made from this table's columns, each answered when clicked."""
    st.caption("Try one of these")
    with st.container(horizontal=True, gap="small", key="suggestions"):
        for index, question in enumerate(suggest(dataset)):
            st.button(text.literal(question), key=f"suggest-{index}", on_click=ask, args=(question,))


def render(
    dataset: Dataset | None, ask: Ask, stop: Callable[[], None] | None, busy: str = "", converted: str = ""
) -> None:
    """The bottom of the page. `stop` is given while something runs, and `busy` may say what.

    `converted` says how much of a dataset is there that is still being converted.
    """
    ready = dataset is not None and dataset.state == "ready"
    with st.bottom, st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        if stop is not None:
            placeholder = busy or "Working on the answer"
        elif dataset is None:
            placeholder = "Upload data or load the sample to ask a question"
        elif dataset.state == "converting":
            placeholder = f"{dataset.file_name} is being converted, {converted} is done; ask when it is ready"
        elif not ready:
            placeholder = f"{dataset.file_name} could not be read; read it in another way, or add other data"
        else:
            placeholder = f"Ask about {dataset.file_name}"
        st.chat_input(
            placeholder,
            key="question",
            disabled=not ready or stop is not None,
            on_submit=lambda: ask(st.session_state["question"] or ""),
        )
        if stop is not None:
            st.button("Stop", key="stop", icon=":material/stop_circle:", type="primary", on_click=stop)
        elif dataset is not None and ready:
            with st.popover("Build", icon=":material/tune:", help="Build a question from lists"):
                _form(dataset, ask)


def _form(dataset: Dataset, ask: Ask) -> None:
    numbers = [c.name for c in dataset.columns if c.kind in ("integer", "number")]
    groups = [c.name for c in dataset.columns if c.kind not in ("number", "other", "time")]
    filters = {c.name: c for c in dataset.columns if c.values and c.kind in ("text", "boolean")}
    with st.container(key="builder", gap="small"):
        measure = st.selectbox("Measure", [ROW_COUNT, *numbers])
        aggregate = st.selectbox("How", list(AGGREGATES), disabled=measure == ROW_COUNT)
        by = st.selectbox("By", [NONE, *groups])
        column = st.selectbox("Only where", [NONE, *filters])
        value = st.selectbox("is", _values(filters.get(column)), disabled=column == NONE)
        chart = st.selectbox("Chart", [NONE, *CHARTS], disabled=by == NONE)
        question = sentence(measure, aggregate, by, column, value, chart)
        st.caption(text.literal(question))
        st.button("Ask this", type="primary", on_click=ask, args=(question,), key="ask-built")


def _values(column: ColumnInfo | None) -> list[str]:
    return [str(value) for value in column.values] if column else [NONE]


def sentence(measure: str, aggregate: str, by: str, column: str, value: str, chart: str) -> str:
    """The form's choices as the question they stand for."""
    words = measure if measure == ROW_COUNT else f"{AGGREGATES[aggregate]} {measure}"
    if by != NONE:
        words += f" by {by}"
    if column != NONE:
        words += f' where {column} is "{value}"'
    if chart != NONE and by != NONE:
        words += f" as a {chart}"
    return words

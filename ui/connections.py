"""Tables of other engines: chosen from the configured connections, read there, or copied here."""

from collections.abc import Callable

import streamlit as st

from agents.assistant import Assistant
from analysis.conditions import OPERATORS, Condition
from analysis.errors import AnalysisError
from storage.datasets import Dataset
from storage.errors import StorageError
from storage.keys import SessionKey
from ui import text

LISTS = "connection_lists"
"""What connections were found to hold, kept for as long as the page is open."""
WITHOUT_VALUE = ("is_missing", "is_present")
SEVERAL = ("in", "not_in", "between")


def section(assistant: Assistant, key: SessionKey, place: str) -> None:
    """Chooses connection, schema and table; nothing where no connection is configured.

    `place` tells widgets of several sections on a page apart.
    """
    known = {info.name: info.engine for info in assistant.connections()}
    if not known:
        return
    st.markdown("**Use a table of a database**")
    widget = f"{place}-{key.session_id}"
    connection = st.selectbox(
        "Connection",
        list(known),
        index=0 if len(known) == 1 else None,
        format_func=lambda name: f"{name} ({known[name]})",
        key=f"connection-{widget}",
    )
    if connection is None:
        return
    try:
        schemas = _listed((connection,), lambda: assistant.schemas(connection))
        if not schemas:
            st.caption("There are no schemas here that this connection may read.")
            return
        schema = schemas[0]
        if len(schemas) > 1:
            usual = schemas.index("public") if "public" in schemas else 0
            schema = st.selectbox("Schema", schemas, index=usual, key=f"schema-{widget}-{connection}")
        tables = _listed((connection, schema), lambda: assistant.tables(connection, schema))
    except AnalysisError as error:
        st.error(text.literal(str(error)), icon=":material/error:")
        if st.button("Try again", icon=":material/refresh:", key=f"again-{widget}"):
            st.rerun()
        return
    table = st.selectbox(
        "Table", tables, index=None, key=f"table-{widget}-{connection}-{schema}",
        placeholder="Choose a table" if tables else "No tables here",
    )  # fmt: skip
    with st.container(horizontal=True):
        if st.button(
            "Use this table",
            icon=":material/database:",
            disabled=table is None,
            key=f"attach-{widget}",
        ):
            _attach(assistant, key, connection, schema, str(table))
        if st.button("Refresh", icon=":material/refresh:", type="tertiary", key=f"refresh-{widget}"):
            st.session_state.pop(LISTS, None)
            st.rerun()
    st.caption("It is only read, and its rows stay where they are.")


def copier(assistant: Assistant, key: SessionKey, dataset: Dataset) -> None:
    """Copies rows of a table of another engine here; nothing for any other dataset."""
    if not dataset.source:
        return
    with st.popover("Bring a copy here", icon=":material/download:", type="tertiary"):
        st.markdown(
            f"Rows of **{text.literal(dataset.file_name)}** as they are now, as a dataset of their own: for "
            "Python, and for what its engine cannot compute."
        )
        names = [column.name for column in dataset.columns]
        column = st.selectbox(
            "Only rows where", names, index=None, placeholder="All rows", key=f"copy-column-{dataset.id}"
        )
        where: list[Condition] = []
        if column is not None:
            op = st.selectbox(
                "Comparison", list(OPERATORS), format_func=OPERATORS.__getitem__, key=f"copy-op-{dataset.id}",
                label_visibility="collapsed",
            )  # fmt: skip
            value = "" if op in WITHOUT_VALUE else st.text_input("Value", key=f"copy-value-{dataset.id}")
            values = [part.strip() for part in value.split(",")]
            where = [{"column": column, "op": op, "value": values if op in SEVERAL else value or None}]
        if st.button("Copy", type="primary", key=f"copy-{dataset.id}"):
            _copy(assistant, key, dataset, where)


def _attach(assistant: Assistant, key: SessionKey, connection: str, schema: str, table: str) -> None:
    try:
        with st.spinner(f"Looking at {text.literal(table)}"):
            assistant.attach_table(key, connection, table, schema)
    except (AnalysisError, StorageError) as error:
        st.error(text.literal(str(error)), icon=":material/error:")
        return
    st.rerun()


def _copy(assistant: Assistant, key: SessionKey, dataset: Dataset, where: list[Condition]) -> None:
    bar = st.progress(0.0, text="Copying")

    def progress(part: float, said: str) -> None:
        bar.progress(part, text=said)

    try:
        assistant.copy_here(key, dataset, where, progress)
    except (AnalysisError, StorageError) as error:
        bar.empty()
        st.error(text.literal(str(error)), icon=":material/error:")
        return
    st.rerun()


def _listed(place: tuple[str, ...], find: Callable[[], list[str]]) -> list[str]:
    lists: dict[tuple[str, ...], list[str]] = st.session_state.setdefault(LISTS, {})
    if place not in lists:
        with st.spinner("Asking the database"):
            lists[place] = find()
    return lists[place]

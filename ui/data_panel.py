"""The data on the page: upload, the shipped sample, and what is in the current dataset."""

from pathlib import Path

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from agents.assistant import Assistant
from agents.card import data_card
from analysis.errors import AnalysisError
from storage.datasets import Dataset
from storage.errors import StorageError
from storage.keys import SessionKey
from ui import cleaning, connections, outputs, profile, text

SAMPLE = Path(__file__).parent.parent / "samples" / "orders.csv"
FILE_TYPES = ["csv", "tsv", "txt"]
SAMPLE_ROWS = 200


def welcome(assistant: Assistant, key: SessionKey) -> None:
    """The first thing a newcomer sees: what this is and the two ways to begin."""
    st.title("Ask your data", anchor=False)
    st.markdown(
        "Upload a table and ask in plain words. Every answer is computed on all rows, shows the "
        "query that made it, and stays here when you come back."
    )
    with st.container(border=True, gap="medium"):
        _uploader(assistant, key)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                "Load the sample",
                icon=":material/local_cafe:",
                type="primary",
                key="load-sample",
                on_click=load_sample,
                args=(assistant, key),
            )
            st.caption("6,000 invented orders of a coffee shop, 14 columns.")
        connections.section(assistant, key, "welcome")
        _refusals()


def panel(assistant: Assistant, key: SessionKey, datasets: list[Dataset], ask: profile.Ask) -> Dataset:
    """The datasets of this conversation; returns the one that questions are about."""
    current = datasets[-1]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if len(datasets) > 1:
            _chooser(assistant, key, datasets, current)
        else:
            st.markdown(f"#### {text.literal(current.file_name)}", width="content")
        st.caption(
            f"{text.count(current.rows, 'row')} · {text.count(len(current.columns), 'column')}",
            width="content",
        )
        st.space("stretch")
        with st.popover("Add data", icon=":material/upload_file:", type="tertiary"):
            _uploader(assistant, key)
            _refusals()
            connections.section(assistant, key, "panel")
        connections.copier(assistant, key, current)
        with st.popover("Remove", icon=":material/delete:", type="tertiary"):
            st.markdown(
                f"Take **{text.literal(current.file_name)}** out of this conversation? "
                "The messages and results stay."
            )
            st.button(
                "Remove it",
                key=f"remove-{current.id}",
                on_click=assistant.remove_dataset,
                args=(key, current.id),
            )
    _refusals()
    with st.expander("About this data", icon=":material/table_view:", key="about-data"):
        columns, sample, steps, notes, told = st.tabs(
            ["Profile", "Sample", "Cleaning", "How it was read", "What a model is told"]
        )
        with columns:
            profile.tab(assistant, key, datasets, ask)
        with sample:
            _sample(assistant, key, current)
        with steps:
            cleaning.tab(assistant, key, current)
        with notes:
            st.markdown(text.listing(current.notes) or "Read as it stands; nothing to note.")
            st.caption(f"SHA-256 {current.sha256}")
        with told:
            st.caption("This goes with each question, besides the conversation and the tools' answers.")
            st.code(data_card(datasets), language=None, wrap_lines=True, height=300)
    return current


def load_sample(assistant: Assistant, key: SessionKey) -> None:
    """Brings the shipped sample into this conversation."""
    try:
        with SAMPLE.open("rb") as source:
            assistant.upload(key, SAMPLE.name, source)
    except (AnalysisError, StorageError) as error:
        st.session_state["refusals"] = [str(error)]


def _uploader(assistant: Assistant, key: SessionKey) -> None:
    # A new key empties the widget, so that a file is not brought in twice.
    generation = st.session_state.setdefault("upload_generation", 0)
    files = st.file_uploader(
        "Upload CSV files",
        type=FILE_TYPES,
        accept_multiple_files=True,
        max_upload_size=assistant.settings.upload_limit_mb,
        key=f"upload-{key.session_id}-{generation}",
        help="Comma, semicolon or tab separated. The file stays on this machine.",
    )
    if not files:
        return
    refusals = [said for file in files if (said := _upload(assistant, key, file))]
    st.session_state["upload_generation"] = generation + 1
    st.session_state["refusals"] = refusals
    st.rerun()


def _upload(assistant: Assistant, key: SessionKey, file: UploadedFile) -> str:
    """Brings one file in, with a progress bar; returns why it was refused."""
    bar = st.progress(0.0, text=f"Reading {text.literal(file.name)}")

    def progress(part: float, label: str) -> None:
        bar.progress(part, text=text.literal(label))

    try:
        assistant.upload(key, file.name, file, progress)
    except (AnalysisError, StorageError) as error:
        return f"{file.name}: {error}"
    return ""


def _refusals() -> None:
    for refusal in st.session_state.get("refusals", []):
        st.error(text.literal(refusal), icon=":material/error:")
    st.session_state["refusals"] = []


def _chooser(assistant: Assistant, key: SessionKey, datasets: list[Dataset], current: Dataset) -> None:
    names = {dataset.id: dataset.file_name for dataset in datasets}
    widget = f"dataset-{key.session_id}-{current.id}-{len(datasets)}"

    def choose() -> None:
        assistant.set_current_dataset(key, st.session_state[widget])

    st.selectbox(
        "Questions are about",
        list(names),
        index=list(names).index(current.id),
        format_func=lambda dataset_id: names[dataset_id],
        key=widget,
        on_change=choose,
        label_visibility="collapsed",
        width=320,
    )


def _sample(assistant: Assistant, key: SessionKey, dataset: Dataset) -> None:
    # Kept: the process that reads it may be busy with somebody's code for a minute.
    samples = st.session_state.setdefault("samples", {})
    if dataset.id not in samples:
        if assistant.turns.running(key) is not None:
            st.caption("The sample is shown once what is running has ended.")
            return
        try:
            samples[dataset.id] = assistant.sample(key, dataset, SAMPLE_ROWS)
        except AnalysisError as error:
            st.error(text.literal(str(error)), icon=":material/error:")
            return
    rows = samples[dataset.id]
    st.dataframe(
        rows,
        hide_index=True,
        height=388,
        column_config=outputs.formats(rows),
        alt=f"First rows of {dataset.file_name}",
    )
    if dataset.rows > len(rows):
        st.caption(f"The first {len(rows):,} of {dataset.rows:,} rows; answers use all of them.")

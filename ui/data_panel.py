"""The data on the page: upload, the shipped sample, and what is in the current dataset."""

from pathlib import Path

import streamlit as st

from agents.assistant import Assistant
from agents.card import data_card
from analysis.errors import AnalysisError
from storage.datasets import Dataset
from storage.errors import StorageError
from storage.keys import SessionKey
from ui import cleaning, connections, ingesting, outputs, profile, reading, text, uploader

SAMPLE = Path(__file__).parent.parent / "samples" / "orders.csv"
SAMPLE_ROWS = 200
SAMPLE_PIXELS, EARLY_PIXELS = 388, 248


def welcome(assistant: Assistant, key: SessionKey, ingests: object) -> None:
    """The first thing a newcomer sees: what this is and the two ways to begin."""
    st.title("Ask your data", anchor=False)
    st.markdown(
        "Upload a table and ask in plain words. Every answer is computed on all rows, shows the "
        "query that made it, and stays here when you come back."
    )
    with st.container(border=True, gap="medium"):
        uploader.zone(assistant, key)
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
        refusals()
    ingesting.render(assistant, key, ingests)


def panel(
    assistant: Assistant, key: SessionKey, datasets: list[Dataset], ask: profile.Ask, ingests: object
) -> Dataset:
    """The datasets of this conversation; returns the one that questions are about.

    `ingests` is the mark of what was being read when `datasets` were looked up.
    """
    current = datasets[-1]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if len(datasets) > 1:
            _chooser(assistant, key, datasets, current)
        else:
            st.markdown(f"#### {text.literal(label(current))}", width="content")
        st.caption(_size(current), width="content")
        st.space("stretch")
        # A new key closes it, so that what was uploaded can be seen.
        add = f"add-data-{key.session_id}-{uploader.finished()}"
        with st.popover("Add data", icon=":material/upload_file:", type="tertiary", key=add):
            uploader.zone(assistant, key)
            connections.section(assistant, key, "panel")
        connections.copier(assistant, key, current)
        with st.popover("Remove", icon=":material/delete:", type="tertiary"):
            st.markdown(
                f"Take **{text.literal(label(current))}** out of this conversation? "
                "The messages and results stay."
            )
            st.button(
                "Remove it",
                key=f"remove-{current.id}",
                on_click=assistant.remove_dataset,
                args=(key, current.id),
            )
    refusals()
    uploader.sending(assistant, key)
    ingesting.render(assistant, key, ingests)
    if current.state == "failed":
        st.error(
            f"{text.literal(label(current))} could not be read: {text.literal(current.error)}",
            icon=":material/error:",
        )
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
            reading.told(assistant, key, current)
        with told:
            st.caption("This goes with each question, besides the conversation and the tools' answers.")
            st.code(data_card(datasets), language=None, wrap_lines=True, height=300)
    return current


def early(assistant: Assistant, key: SessionKey, dataset: Dataset) -> None:
    """The first rows and a quick profile, in the open while the rest of a big file is converted."""
    _sample(assistant, key, dataset, EARLY_PIXELS)
    profile.early(assistant, key, dataset)


def load_sample(assistant: Assistant, key: SessionKey) -> None:
    """Brings the shipped sample into this conversation."""
    try:
        with SAMPLE.open("rb") as source:
            assistant.upload(key, SAMPLE.name, source)
    except (AnalysisError, StorageError) as error:
        st.session_state["refusals"] = [str(error)]


def refusals() -> None:
    """Why what was asked for just now was not done."""
    for refusal in st.session_state.get("refusals", []):
        st.error(text.literal(refusal), icon=":material/error:")
    st.session_state["refusals"] = []


def label(dataset: Dataset) -> str:
    """What people call it: the file, and the table in it where it has several."""
    return f"{dataset.file_name} · {dataset.part}" if dataset.part else dataset.file_name


def _size(dataset: Dataset) -> str:
    about = "" if dataset.exact else "about "
    return f"{about}{text.count(dataset.rows, 'row')} · {text.count(len(dataset.columns), 'column')}"


def _chooser(assistant: Assistant, key: SessionKey, datasets: list[Dataset], current: Dataset) -> None:
    names = {dataset.id: label(dataset) for dataset in datasets}
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
        width=260,
    )


def _sample(assistant: Assistant, key: SessionKey, dataset: Dataset, height: int = SAMPLE_PIXELS) -> None:
    # Kept: the process that reads it may be busy with somebody's code for a minute.
    samples = st.session_state.setdefault("samples", {})
    name = f"{dataset.id}-{dataset.state}"
    if dataset.state == "failed":
        st.caption("There are no rows to show.")
        return
    if name not in samples:
        if assistant.turns.running(key) is not None:
            st.caption("The sample is shown once what is running has ended.")
            return
        try:
            samples[name] = assistant.sample(key, dataset, SAMPLE_ROWS)
        except AnalysisError as error:
            st.error(text.literal(str(error)), icon=":material/error:")
            return
    rows = samples[name]
    st.dataframe(
        rows,
        hide_index=True,
        height=height,
        column_config=outputs.formats(rows),
        alt=f"First rows of {dataset.file_name}",
    )
    if not dataset.exact:
        st.caption("The first rows; answers will use all of them.")
    elif dataset.rows > len(rows):
        st.caption(f"The first {len(rows):,} of {dataset.rows:,} rows; answers use all of them.")

"""Cleaning on the page: the steps so far, undo, earlier and later versions, and a form with a look ahead."""

import json
from itertools import pairwise
from typing import Any

import pandas as pd
import streamlit as st

from agents import table_steps
from agents.assistant import Assistant
from analysis.cleaning import Effect
from analysis.cleaning_plan import Plan
from analysis.errors import AnalysisError
from storage.datasets import Dataset
from storage.errors import StorageError
from storage.keys import SessionKey
from ui import cleaning_form, text

BUSY = "Steps can be made once what is running has ended."


def tab(assistant: Assistant, key: SessionKey, dataset: Dataset) -> None:
    """Steps that made the current version, and a form for the next one."""
    running = assistant.turns.running(key) is not None
    _so_far(assistant, key, dataset, running=running)
    if running or dataset.state != "ready":
        st.caption(BUSY if running else "Steps can be made once the file is read.")
        return
    others = [other for other in assistant.datasets(key) if other.id != dataset.id]
    with st.container(border=True, key=f"add-step-{dataset.id}", gap="small"):
        _form(key, dataset, others)


def _so_far(assistant: Assistant, key: SessionKey, dataset: Dataset, *, running: bool) -> None:
    chain = table_steps.steps(dataset)
    if problem := st.session_state.pop("cleaning-problem", ""):
        st.error(text.literal(problem), icon=":material/error:")
    if len(chain) == 1:
        st.caption("As it was read; no step was made. Each step makes a new version, and the file stays.")
    lines = []
    for number, (before, after) in enumerate(pairwise(chain), 1):
        rows = text.count(after.rows, "row")
        if after.rows != before.rows:
            rows = f"{before.rows:,} to {rows}"
        lines.append(f"{number}. {text.literal(str(after.step.get('text', '')))} · {rows}")
    if lines:
        st.markdown("\n".join(lines))
    choices = table_steps.choices(dataset)
    if len(choices) == 1:
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.button(
            "Undo",
            icon=":material/undo:",
            key=f"undo-{dataset.id}",
            disabled=running or not dataset.parents,
            on_click=_undo,
            args=(key, dataset.name),
        )
        _versions(assistant, key, dataset, choices, running=running)


def _versions(
    assistant: Assistant, key: SessionKey, dataset: Dataset, choices: list[Dataset], *, running: bool
) -> None:
    names = {d.id: f"{d.version}: {d.step.get('text') or 'as it was read'}" for d in choices}
    widget = f"dataset-version-{dataset.id}-{len(choices)}"
    st.selectbox(
        "Version",
        list(names),
        index=list(names).index(dataset.id),
        format_func=lambda one: names[one],
        key=widget,
        disabled=running,
        on_change=lambda: assistant.set_current_dataset(key, st.session_state[widget]),
        width=420,
    )


@st.fragment
def _form(key: SessionKey, dataset: Dataset, others: list[Dataset]) -> None:
    names = [name for name in cleaning_form.STEPS if others or name not in NEED_ANOTHER]
    widget = f"step-{dataset.id}"
    name = st.selectbox("Step", names, key=widget)
    options = cleaning_form.fields(name, dataset, others, widget)
    step = cleaning_form.STEPS[name][0]
    asked = json.dumps([step, options], sort_keys=True, default=str)
    if st.button("Preview", icon=":material/visibility:", key=f"preview-{dataset.id}"):
        st.session_state["cleaning-preview"] = (asked, _look(key, step, dataset, options))
    known, seen = st.session_state.get("cleaning-preview", ("", None))
    if known != asked:
        return
    if isinstance(seen, str):
        st.warning(text.literal(seen), icon=":material/info:")
        return
    if seen is None:
        return
    _effect(*seen)
    if st.button("Make this step", type="primary", icon=":material/check:", key=f"make-{dataset.id}"):
        _make(key, step, dataset, options)
        st.session_state.pop("cleaning-preview", None)
        st.rerun()


NEED_ANOTHER = ("Join a table", "Add rows of a table")


def _look(key: SessionKey, step: str, dataset: Dataset, options: dict[str, Any]) -> tuple[Plan, Effect] | str:
    try:
        return table_steps.look(key, step, dataset.name, options)
    except AnalysisError as error:
        return str(error)
    except TypeError:
        return "Something is not filled in yet."


def _effect(made: Plan, effect: Effect) -> None:
    st.markdown(f"**{text.literal(made.text)}**")
    before, after = st.columns(2)
    before.metric("Rows", f"{effect.rows_after:,}", effect.rows_after - effect.rows_before or None)
    after.metric("Values changed", f"{effect.values_changed:,}")
    if made.notes:
        st.markdown(text.listing(made.notes))
    if effect.examples:
        st.caption("For example")
        shown = pd.DataFrame(effect.examples).astype("string")
        st.dataframe(shown, hide_index=True, alt="Examples of what changes")


def _make(key: SessionKey, step: str, dataset: Dataset, options: dict[str, Any]) -> None:
    try:
        table_steps.make(key, step, dataset.name, options)
    except (AnalysisError, StorageError) as error:
        st.session_state["cleaning-problem"] = str(error)


def _undo(key: SessionKey, name: str) -> None:
    try:
        table_steps.undo(key, name)
    except (AnalysisError, StorageError) as error:
        st.session_state["cleaning-problem"] = str(error)

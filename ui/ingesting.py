"""Files that are being read, asked about or could not be read, as the page shows them."""

import streamlit as st

from agents.assistant import Assistant
from agents.ingests import Job
from storage.keys import SessionKey
from ui import reading, text

LOOK_SECONDS = 0.5
QUICK_SECONDS = 1.5
"""How long the page waits for a small file before it says that it is being read."""


def render(assistant: Assistant, key: SessionKey, mark: object) -> None:
    """One line for each file; `mark` is that of the page that is drawn."""
    jobs = assistant.ingests.for_session(key)
    if any(job.record.running for job in jobs):
        _running(assistant, key, mark)
    for job in jobs:
        if job.record.state == "asking":
            _asking(assistant, key, job)
        elif job.record.state == "failed":
            _failed(assistant, key, job)


def progress(assistant: Assistant, key: SessionKey, file_name: str) -> str:
    """How far a file's conversion is, in words."""
    for job in assistant.ingests.for_session(key):
        if job.record.file_name == file_name and job.record.running:
            return f"{job.part:.0%} of it"
    return "some of it"


@st.fragment(run_every=LOOK_SECONDS)
def _running(assistant: Assistant, key: SessionKey, drawn: object) -> None:
    """Bars that move; the page is drawn again when there is more to see than a bar."""
    jobs = assistant.ingests.for_session(key)
    if assistant.ingests.mark(key) != drawn:
        st.rerun()
    for job in jobs:
        if not job.record.running:
            continue
        with st.container(horizontal=True, vertical_alignment="center", key=f"ingest-{job.record.id}"):
            st.progress(min(job.part, 1.0), text=f"{text.literal(job.text)} · {job.part:.0%}")
            st.button(
                "Cancel",
                key=f"cancel-{job.record.id}",
                icon=":material/close:",
                on_click=assistant.ingests.cancel,
                args=(key, job.record.id),
            )


def _asking(assistant: Assistant, key: SessionKey, job: Job) -> None:
    record = job.record
    widget = f"parts-{record.id}"

    def choose() -> None:
        if wanted := st.session_state[widget]:
            assistant.ingests.choose(key, record.id, wanted)

    with st.container(border=True):
        st.markdown(
            f"**{text.literal(record.file_name)}** has {text.count(len(record.parts), 'table')}. "
            "Which of them do you want?"
        )
        st.multiselect("Tables", record.parts, key=widget, label_visibility="collapsed")
        with st.container(horizontal=True):
            st.button("Read these", type="primary", key=f"choose-{record.id}", on_click=choose)
            _dismiss(assistant, key, record.id, "Cancel")


def _failed(assistant: Assistant, key: SessionKey, job: Job) -> None:
    record = job.record
    with st.container(border=True):
        st.error(
            f"**{text.literal(record.file_name)}**: {text.literal(record.error)}", icon=":material/error:"
        )
        if record.sha256:
            reading.offer(
                assistant,
                key,
                reading.of_record(record),
                "Try other reading options",
                lambda options, part: assistant.ingests.retry(key, record.id, options),
            )
        _dismiss(assistant, key, record.id, "Dismiss")


def _dismiss(assistant: Assistant, key: SessionKey, record_id: str, label: str) -> None:
    st.button(
        label,
        key=f"dismiss-{record_id}",
        icon=":material/close:",
        on_click=assistant.ingests.cancel,
        args=(key, record_id),
    )

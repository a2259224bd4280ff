"""Where files come in: a drop zone that sends them in pieces to this server's API, past Streamlit.

Streamlit's own uploader holds a whole file in the server's memory. The view is a component; what it shows of
uploads that run outlives it.
"""

from pathlib import Path

import streamlit as st

from agents import sources
from agents.assistant import Assistant
from analysis.errors import AnalysisError
from storage.errors import StorageError
from storage.keys import SessionKey

FOLDER = Path(__file__).parent / "upload"
KINDS = "CSV, Excel, Parquet, JSON, SQLite, DuckDB, zip, gz"
ENDINGS = (
    ".csv,.tsv,.txt,.xlsx,.xlsm,.xlsb,.xls,.ods,.parquet,.json,.jsonl,.ndjson,.sqlite,.sqlite3,.db,.duckdb"
    ",.zip,.gz"
)


def _asset(name: str) -> str:
    return (FOLDER / name).read_text()


_component = st.components.v2.component(
    "assistant_uploader",
    html=_asset("uploader.html"),
    css=_asset("uploader.css"),
    js=_asset("uploader.js"),
)


def zone(assistant: Assistant, key: SessionKey) -> None:
    """Where files are dropped or chosen, and what is being sent."""
    _mount(assistant, key, "zone", zone=True)
    _elsewhere(assistant, key)


def sending(assistant: Assistant, key: SessionKey) -> None:
    """What is being sent; nothing where nothing is."""
    _mount(assistant, key, "sending", zone=False)


def _mount(assistant: Assistant, key: SessionKey, name: str, *, zone: bool) -> None:
    uploads = assistant.store.uploads.for_session(key)
    _component(
        key=f"uploads-{name}-{key.session_id}",
        data={
            "session": key.session_id,
            "ticket": _ticket(assistant, key),
            "label": "Upload files",
            "kinds": KINDS,
            "accept": ENDINGS,
            "limit": assistant.settings.upload_limit_mb * 1_000_000,
            "zone": zone,
            "left": [
                {
                    "id": upload.id,
                    "name": upload.file_name,
                    "size": upload.size,
                    "offset": upload.offset,
                    "modified": upload.modified,
                }
                for upload in uploads
            ],
        },
        on_finished_change=_finished,
        on_renew_change=lambda: None,
    )


def _finished() -> None:
    """The server reads the file already; the page is drawn again with it, and without an open drop zone."""
    st.session_state["uploads_finished"] = finished() + 1


def finished() -> int:
    """How many uploads this page has brought to their end."""
    return int(st.session_state.get("uploads_finished", 0))


def _ticket(assistant: Assistant, key: SessionKey) -> str:
    """What lets this page send files into this conversation; the same one for as long as it lasts."""
    name = f"upload-ticket-{key.session_id}"
    ticket: str = st.session_state.get(name, "")
    if not ticket or assistant.store.tickets.holder(ticket) != key:
        ticket = st.session_state[name] = assistant.store.tickets.issue(key)
    return ticket


def _elsewhere(assistant: Assistant, key: SessionKey) -> None:
    """A path on the server or a URL, where the settings allow it."""
    ways = sources.allowed(assistant.settings)
    if not ways:
        return

    def fetch() -> None:
        wanted = str(st.session_state["fetch-source"] or "")
        if not wanted.strip():
            return
        try:
            assistant.ingests.fetch(key, wanted)
            st.session_state["fetch-source"] = ""
        except (AnalysisError, StorageError) as error:
            st.session_state["refusals"] = [str(error)]

    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input("Or bring in a file", key="fetch-source", placeholder=ways)
        st.button("Bring in", icon=":material/download:", on_click=fetch)

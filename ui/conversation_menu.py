"""What can be done with a whole conversation: rename, export, duplicate, archive, delete; and import."""

import io
import re
from collections.abc import Callable

import streamlit as st

from agents.assistant import Assistant
from analysis.errors import IngestError
from storage.conversations import Conversation
from storage.errors import InvalidExport, StorageError
from ui import text

Go = Callable[[str | None], None]


def menu(assistant: Assistant, conversation: Conversation, go: Go) -> None:
    """The menu of the open conversation."""
    key = conversation.key
    with st.popover("Manage", icon=":material/more_horiz:", type="tertiary", key="manage", width="content"):
        if conversation.status != "expired":
            _title(assistant, conversation)
            _archive(assistant, conversation)
        st.button(
            "Duplicate",
            icon=":material/content_copy:",
            key="duplicate",
            width="stretch",
            on_click=_attempt,
            args=(lambda: go(assistant.duplicate_session(key).session_id),),
        )
        st.download_button(
            "Export",
            data=lambda: _exported(assistant, conversation),
            file_name=f"{_file_name(conversation.title)}.zip",
            mime="application/zip",
            icon=":material/download:",
            key="export",
            width="stretch",
            on_click="ignore",
            help="One file with all messages, results and data. It can be imported here or elsewhere.",
        )
        if st.button("Delete", icon=":material/delete:", key="delete", width="stretch"):
            _confirm(assistant, conversation, go)


def importer(assistant: Assistant, user_id: str, go: Go) -> None:
    """A place to bring an exported conversation in."""
    with st.popover("Import", icon=":material/upload:", type="tertiary", key="import", width="content"):
        file = st.file_uploader("An exported conversation", type=["zip"], key="import-file")
        if file is not None and st.button("Import it", type="primary", key="import-now"):
            try:
                made = assistant.import_session(user_id, file)
            except (InvalidExport, IngestError, StorageError) as error:
                st.error(text.literal(str(error)), icon=":material/error:")
                return
            go(made.session_id)
            st.rerun()


def expired(assistant: Assistant, conversation: Conversation) -> None:
    """Says that nothing can be added, and offers to change that."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.warning(
            "This conversation has expired: it can be read, but nothing can be added.",
            icon=":material/hourglass_disabled:",
        )
        st.button(
            "Renew",
            type="primary",
            key="renew",
            on_click=_attempt,
            args=(lambda: assistant.store.conversations.renew(conversation.key),),
        )


def _title(assistant: Assistant, conversation: Conversation) -> None:
    name = f"title-{conversation.key.session_id}"

    def rename() -> None:
        wanted = st.session_state[name]
        if wanted.strip():
            _attempt(lambda: assistant.store.conversations.rename(conversation.key, wanted))

    st.text_input("Title", value=conversation.title, key=name, max_chars=200, on_change=rename)


def _archive(assistant: Assistant, conversation: Conversation) -> None:
    archived = conversation.status == "completed"
    status = "active" if archived else "completed"
    st.button(
        "Take out of the archive" if archived else "Archive",
        icon=":material/unarchive:" if archived else ":material/archive:",
        key="archive",
        width="stretch",
        on_click=_attempt,
        args=(lambda: assistant.store.conversations.set_status(conversation.key, status),),
    )


@st.dialog("Delete this conversation?")
def _confirm(assistant: Assistant, conversation: Conversation, go: Go) -> None:
    title = text.literal(conversation.title or "This conversation")
    st.markdown(f"**{title}** goes with its messages, results and charts. Uploaded files stay yours.")
    if st.button("Delete it", type="primary", key="delete-now"):
        running = assistant.turns.running(conversation.key)
        if running is not None:
            assistant.turns.stop(conversation.key)
        _attempt(lambda: assistant.delete_session(conversation.key))
        go(None)
        st.rerun()


def _attempt(work: Callable[[], None]) -> None:
    """Runs a change; what went wrong is said on the page's next run."""
    try:
        work()
    except (StorageError, ValueError) as error:
        st.session_state["notice"] = str(error)


def _exported(assistant: Assistant, conversation: Conversation) -> bytes:
    target = io.BytesIO()
    assistant.export_session(conversation.key, target)
    return target.getvalue()


def _file_name(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "conversation"

"""The page while the database is away: what is wrong, and a retry that runs by itself."""

from collections.abc import Callable

import streamlit as st

from agents.assistant import Assistant
from storage.errors import StorageError, StoreUnavailable
from ui import text

RETRY_SECONDS = 2
UNSENT = "unsent"


def lost(error: StorageError) -> None:
    """In place of the page; reloads it as soon as it can be drawn."""
    st.error(text.literal(str(error)), icon=":material/database_off:")
    if isinstance(error, StoreUnavailable):
        st.caption(":material/progress_activity: Trying again every two seconds.")
        _again()


@st.fragment(run_every=RETRY_SECONDS)
def _again() -> None:
    # The first run is the one that draws it.
    if st.session_state.pop("lost", False):
        st.rerun()
    st.session_state["lost"] = True


def notice(assistant: Assistant) -> None:
    """A line on the page while the database cannot be reached."""
    if trouble := assistant.store.database.trouble:
        st.warning(text.literal(trouble), icon=":material/database_off:")


def unsent(question: str, error: Exception) -> None:
    """Keeps a question that could not be stored."""
    st.session_state[UNSENT] = question
    st.session_state["notice"] = str(error)


def offer_unsent(ask: Callable[[str], None]) -> None:
    """Shows the question that was kept, to send it again."""
    question = st.session_state.get(UNSENT, "")
    if not question:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(f"Not sent yet: {text.literal(question)}")
        st.button("Send again", key="send-again", icon=":material/refresh:", on_click=ask, args=(question,))

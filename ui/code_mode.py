"""The sidebar's part on code execution: the switch, what protects, verified answers, and where code runs."""

import streamlit as st

from agents.assistant import Assistant
from storage.conversations import Conversation
from storage.keys import SessionKey
from ui import text

PLACES = {"here": "On this machine", "gemini": "At Google (Gemini)"}


def render(assistant: Assistant, conversation: Conversation) -> None:
    """The switch, and while it is on, its settings."""
    key = conversation.key
    widget = f"mode-{key.session_id}"

    def switch() -> None:
        assistant.set_mode(key, "code" if st.session_state[widget] else "direct")

    st.toggle(
        "Use Code Execution (Beta)",
        value=conversation.mode == "code",
        key=widget,
        on_change=switch,
        help="On: specialist agents write Python that runs on this machine, in a locked process, on all "
        "rows. Off: one agent answers directly with its tools, which is fastest. The conversation is kept.",
    )
    if conversation.mode != "code":
        return
    with st.container(gap="small", key="code-mode"):
        _place(assistant, key)
        _protection(assistant, key)
        _verify(assistant, key)


def _protection(assistant: Assistant, key: SessionKey) -> None:
    isolation = assistant.isolation
    said = text.literal(isolation.text)
    if isolation.unsafe:
        st.error(said, icon=":material/gpp_bad:")
    elif assistant.code_runs(key) == "gemini":
        return
    elif not isolation.runs_code:
        other = " Or let it run at Google." if assistant.can_run_at_gemini else ""
        st.warning(said + other, icon=":material/gpp_maybe:")
    else:
        st.caption(f":material/lock: {said}")


def _verify(assistant: Assistant, key: SessionKey) -> None:
    widget = f"verify-{key.session_id}"
    st.toggle(
        "Verify answers",
        value=assistant.verify(key),
        key=widget,
        on_change=lambda: assistant.set_verify(key, st.session_state[widget]),
        help="Each question is stated precisely, checks that any right answer must pass are written, and "
        "the answer is checked against them. Takes longer.",
    )


def _place(assistant: Assistant, key: SessionKey) -> None:
    if not assistant.can_run_at_gemini:
        return
    widget = f"code-runs-{key.session_id}"
    now = assistant.code_runs(key)
    st.radio(
        "Code runs",
        list(PLACES),
        index=list(PLACES).index(now),
        format_func=lambda place: PLACES[place],
        key=widget,
        on_change=lambda: assistant.set_code_runs(key, st.session_state[widget]),
    )
    if now == "gemini":
        st.warning(
            "All rows of your data are sent to Google, and the code runs there.",
            icon=":material/cloud_upload:",
        )

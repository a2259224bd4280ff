"""The sidebar: past conversations, a new one, how questions are answered, and by which model."""

from collections.abc import Callable
from datetime import datetime

import streamlit as st

from agents.assistant import Assistant
from storage.conversations import Conversation
from ui import code_mode, conversation_menu, text

PAGE_SIZE = 30
UNTITLED = "New conversation"


def render(
    assistant: Assistant,
    conversation: Conversation,
    go: Callable[[str | None], None],
) -> None:
    """Draws the sidebar; `go` opens a session by id, or a new one for None."""
    with st.sidebar:
        st.markdown("### :material/query_stats: Data Analysis Assistant")
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.button(
                "New",
                key="new-session",
                icon=":material/add:",
                width="stretch",
                on_click=go,
                args=(None,),
                help="Start a new conversation. This one stays in the list.",
            )
            conversation_menu.importer(assistant, conversation.key.user_id, go)
        _conversations(assistant, conversation, go)
        st.divider()
        code_mode.render(assistant, conversation)
        _model(assistant)


def _conversations(
    assistant: Assistant, conversation: Conversation, go: Callable[[str | None], None]
) -> None:
    current = conversation.key
    query = st.text_input(
        "Search conversations",
        key="search",
        placeholder="Search",
        icon=":material/search:",
        label_visibility="collapsed",
    )
    archived = st.session_state.get("archived", False)
    shown = st.session_state.setdefault("sessions_shown", PAGE_SIZE)
    page = assistant.store.conversations.page(
        current.app_name, current.user_id, limit=shown, query=query, archived=archived
    )
    if not page.items and (query or archived):
        st.caption("Nothing found." if query else "The archive is empty.")
    heading = ""
    now = datetime.now().astimezone()
    for item in page.items:
        label = text.day_label(item.updated_at, now)
        if label != heading:
            heading = label
            st.caption(heading)
        is_current = item.key.session_id == current.session_id
        with st.container(
            key=f"{'current-session' if is_current else 'session'}-{item.key.session_id}",
            horizontal=True,
            vertical_alignment="center",
            gap="xxsmall",
        ):
            st.button(
                text.literal(item.title or UNTITLED),
                key=f"open-{item.key.session_id}",
                type="tertiary",
                width="stretch",
                on_click=go,
                args=(item.key.session_id,),
            )
            if is_current:
                conversation_menu.menu(assistant, conversation, go)
    if page.next_cursor is not None and st.button("Show older", type="tertiary", width="stretch"):
        st.session_state["sessions_shown"] = shown + PAGE_SIZE
        st.rerun()
    st.button(
        "Back from the archive" if archived else "Archived",
        key="show-archive",
        icon=":material/inventory_2:",
        type="tertiary",
        on_click=lambda: st.session_state.update(archived=not archived),
    )


def _model(assistant: Assistant) -> None:
    choice = assistant.model
    if assistant.model_problem:
        st.error(text.literal(assistant.model_problem), icon=":material/error:")
        return
    if choice is None:
        st.caption(":material/hourglass_empty: Opening the model")
        return
    st.caption(f":material/memory: Answers come from: {text.literal(choice.label)}")
    if choice.notice:
        st.warning(text.literal(choice.notice), icon=":material/key_off:")
    if choice.kind == "planner":
        with st.popover("Add a model", icon=":material/key:", type="tertiary"):
            st.markdown(
                "The built-in planner understands a fixed list of question forms; nothing leaves "
                "this machine. For free wording, set one of these in the environment, in `.env` or "
                "in `.streamlit/secrets.toml`, and start the app again:"
            )
            st.code(
                'GOOGLE_API_KEY="..."                      # Gemini\n'
                'MODEL_URL="http://localhost:11434/v1"     # Ollama, llama.cpp, vLLM, LM Studio\n'
                'MODEL="qwen3"                             # the model\'s name there',
                language="bash",
            )

"""The page: opens the conversation named in the address and draws it from what is stored.

The script keeps no state of its own that matters: a reload, another tab or a new server draw the
same page from the store, and re-attach to the answer that is being made.
"""

from functools import partial
from pathlib import Path

import streamlit as st

from agents.assistant import Assistant, current
from agents.settings import SettingsError
from agents.turns import TurnRefused
from storage.conversations import Conversation
from storage.errors import StorageError
from storage.keys import SessionKey
from storage.turns import TurnRecord
from ui import composer, connection, conversation_menu, data_panel, scroll, sidebar, style, text, turn
from ui.configuration import read_settings
from ui.person import user_id

# A file of ours: Streamlit fetches the picture of a symbol from the network.
ICON = Path(__file__).parent / "static" / "icon.png"
SESSION_PARAMETER = "session"
TURNS_SHOWN = 20
WATCH_SECONDS = 2


def main() -> None:
    """Draws the whole page once."""
    st.set_page_config(
        page_title="Data Analysis Assistant",
        page_icon=str(ICON),
        layout="wide",
        initial_sidebar_state="auto",
    )
    style.apply()
    try:
        assistant = current(read_settings)
        conversation = open_conversation(assistant)
        draw(assistant, conversation)
    except SettingsError as error:
        st.error(text.literal(str(error)), icon=":material/settings_alert:")
    except StorageError as error:
        connection.lost(error)


def open_conversation(assistant: Assistant) -> Conversation:
    """The conversation in the address, or a new ADK session put there."""
    user = user_id()
    wanted = st.query_params.get(SESSION_PARAMETER, "")
    if wanted:
        found = assistant.conversation(user, wanted)
        if found is not None:
            return found
        st.session_state["notice"] = (
            "The conversation in this address does not exist or belongs to someone else. "
            "This is a new one; yours are in the list on the left."
        )
    key = assistant.new_session(user)
    st.query_params[SESSION_PARAMETER] = key.session_id
    created = assistant.conversation(user, key.session_id)
    if created is None:
        raise StorageError("The new conversation could not be read back. Reload the page.")
    return created


def go(session_id: str | None) -> None:
    """Opens another conversation; None opens a new one."""
    st.session_state.pop("turns_shown", None)
    if session_id is None:
        st.query_params.pop(SESSION_PARAMETER, None)
    else:
        st.query_params[SESSION_PARAMETER] = session_id


def draw(assistant: Assistant, conversation: Conversation) -> None:
    """Sidebar, data, messages, text box; then follows a running answer to its end."""
    key = conversation.key
    sidebar.render(assistant, conversation, go)
    if notice := st.session_state.pop("notice", ""):
        st.info(text.literal(notice), icon=":material/info:")
    expired = conversation.status == "expired"
    if expired:
        conversation_menu.expired(assistant, conversation)

    def ask(question: str) -> None:
        if question.strip():
            st.session_state.pop(connection.UNSENT, None)
            try:
                assistant.turns.start(key, question.strip())
            except StorageError as error:
                connection.unsent(question.strip(), error)
            except TurnRefused as refusal:
                st.session_state["notice"] = str(refusal)

    datasets = assistant.datasets(key)
    running = assistant.turns.running(key)
    records = assistant.store.turns.for_session(key)
    history = [record for record in records if running is None or record.id != running.record.id]
    elsewhere = history[-1] if history and history[-1].status == "running" else None
    dataset = None
    if datasets:
        dataset = data_panel.panel(assistant, key, datasets)
    elif expired:
        pass
    elif not history:
        data_panel.welcome(assistant, key)
    else:
        st.info("This conversation has no data now. Upload some to go on.", icon=":material/info:")
        data_panel.welcome(assistant, key)

    result = partial(assistant.store.results.get, key.user_id)
    shown = st.session_state.setdefault("turns_shown", TURNS_SHOWN)
    if len(history) > shown and st.button(
        f"Show {text.count(len(history) - shown, 'earlier question')}", type="tertiary"
    ):
        st.session_state["turns_shown"] = len(history)
        st.rerun()
    for record in history[-shown:]:
        turn.question(record)
        turn.finished(record, result, partial(ask, record.question))
    connection.offer_unsent(ask)
    if dataset is not None and running is None and not history and not expired:
        composer.suggestions(dataset, ask)

    if history and running is None:
        scroll.to_newest(f"{history[-1].id}-ended")
    if running is None:
        stop = None if elsewhere is None else partial(assistant.turns.stop, key)
        composer.render(None if expired else dataset, ask, stop)
        _watch(assistant, key, seen(history))
        return
    composer.render(dataset, ask, lambda: assistant.turns.stop(key))
    turn.question(running.record)
    scroll.to_newest(running.record.id)
    turn.tail(running, result, lambda: connection.notice(assistant))
    st.rerun()


def seen(history: list[TurnRecord]) -> tuple[int, int, int]:
    """What `TurnRecords.change_mark` says while the turns are these."""
    running = [record for record in history if record.status == "running"]
    return len(history), len(running), sum(len(record.parts) for record in running)


@st.fragment(run_every=WATCH_SECONDS)
def _watch(assistant: Assistant, key: SessionKey, drawn: tuple[int, int, int]) -> None:
    """Redraws the page when another tab or server asked or answered something in this conversation."""
    try:
        changed = assistant.turns.running(key) is not None or assistant.store.turns.change_mark(key) != drawn
    except StorageError:
        connection.notice(assistant)
        return
    if changed:
        st.rerun()


main()

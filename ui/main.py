"""The page: opens the conversation named in the address and draws it from what is stored.

The script keeps no state of its own that matters: a reload, another tab or a new server draw the
same page from the store, and re-attach to the answer that is being made.
"""

from functools import partial
from pathlib import Path

import streamlit as st

from agents.assistant import Assistant, current
from agents.settings import SettingsError
from agents.turns import RunningTurn, TurnRefused
from storage.conversations import Conversation
from storage.errors import StorageError
from storage.turns import TurnRecord
from ui import (
    composer,
    connection,
    conversation_menu,
    data_panel,
    ingesting,
    profile,
    scroll,
    sidebar,
    style,
    text,
    turn,
)
from ui.configuration import read_settings
from ui.desk import Desk
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
    """Sidebar, data, messages, text box; then follows what is running to its end."""
    key = conversation.key
    sidebar.render(assistant, conversation, go)
    if notice := st.session_state.pop("notice", ""):
        st.info(text.literal(notice), icon=":material/info:")
    expired = conversation.status == "expired"
    if expired:
        conversation_menu.expired(assistant, conversation)

    def ask(question: str, mode: str | None = None) -> None:
        if question.strip():
            st.session_state.pop(connection.UNSENT, None)
            try:
                verified = mode is None and conversation.mode == "code" and assistant.verify(key)
                assistant.turns.start(key, question.strip(), mode, verified)
            except StorageError as error:
                connection.unsent(question.strip(), error)
            except TurnRefused as refusal:
                st.session_state["notice"] = str(refusal)

    desk = Desk(assistant, key, ask, partial(ask, mode="direct"), editable=not expired)
    assistant.ingests.wait(key, ingesting.QUICK_SECONDS)
    # Before the datasets: what changes in between is seen as a change.
    ingests = assistant.ingests.mark(key)
    datasets = assistant.datasets(key)
    running = assistant.turns.running(key)
    records = assistant.store.turns.for_session(key)
    dataset = None
    if datasets:
        dataset = data_panel.panel(assistant, key, datasets, ask, ingests)
    elif expired:
        pass
    elif not records:
        data_panel.welcome(assistant, key, ingests)
    else:
        st.info("This conversation has no data now. Upload some to go on.", icon=":material/info:")
        data_panel.welcome(assistant, key, ingests)

    answering = running if running is not None and running.rerun_of is None else None
    history = [record for record in records if answering is None or record.id != answering.record.id]
    messages = st.container()
    with messages:
        _history(desk, history, running)
    connection.offer_unsent(ask)
    asked = running is not None or history or expired
    converting = dataset is not None and dataset.state == "converting"
    if dataset is not None and not asked:
        if converting:
            data_panel.early(assistant, key, dataset)
        elif dataset.state == "ready":
            profile.headlines(assistant, key, dataset, ask)
            composer.suggestions(dataset, ask)

    elsewhere = running is None and any(record.status == "running" for record in history)
    stop = partial(assistant.turns.stop, key) if running is not None or elsewhere else None
    busy = "Running the changed code" if running is not None and answering is None else ""
    converted = ingesting.progress(assistant, key, dataset.file_name) if dataset and converting else ""
    composer.render(None if expired else dataset, ask, stop, busy, converted)
    if running is None:
        if history:
            scroll.to_newest(f"{history[-1].id}-ended")
        _watch(assistant, conversation, seen(history), ingests)
        return
    if answering is None:
        turn.follow(running, lambda: connection.notice(assistant))
    else:
        scroll.to_newest(answering.record.id)
        with messages, st.container(key=f"turn-{answering.record.id}"):
            turn.question(answering.record)
            turn.tail(desk, answering, lambda: connection.notice(assistant))
    st.rerun()


def _history(desk: Desk, history: list[TurnRecord], running: RunningTurn | None) -> None:
    """The newest turns; the earlier ones on a click."""
    shown = st.session_state.setdefault("turns_shown", TURNS_SHOWN)
    if len(history) > shown and st.button(
        f"Show {text.count(len(history) - shown, 'earlier question')}", type="tertiary"
    ):
        st.session_state["turns_shown"] = len(history)
        st.rerun()
    for record in history[-shown:]:
        edited = running.rerun_of or "" if running is not None and running.record.id == record.id else ""
        with st.container(key=f"turn-{record.id}"):
            turn.question(record)
            turn.finished(desk, record, edited=edited)


def seen(history: list[TurnRecord]) -> tuple[int, int, int]:
    """What `TurnRecords.change_mark` says while the turns are these."""
    running = [record for record in history if record.status == "running"]
    return len(history), len(running), sum(len(record.parts) for record in running)


@st.fragment(run_every=WATCH_SECONDS)
def _watch(
    assistant: Assistant, drawn: Conversation, turns: tuple[int, int, int], ingests: tuple[object, ...]
) -> None:
    """Redraws the page when another tab or server asked, answered, ran or read something in here."""
    key = drawn.key
    try:
        now = assistant.store.conversations.get(key)
        changed = (
            assistant.turns.running(key) is not None
            or assistant.store.turns.change_mark(key) != turns
            or assistant.ingests.mark(key) != ingests
            or (now is not None and now.updated_at != drawn.updated_at)
        )
    except StorageError:
        connection.notice(assistant)
        return
    if changed:
        st.rerun()


main()

"""Code on the page, and the editor that it becomes: changed code runs as a new version beside the old one."""

from collections.abc import Callable

import streamlit as st

from agents.turns import TurnRefused
from storage.errors import StorageError
from storage.results import Result
from storage.turns import TurnRecord
from ui import text
from ui.desk import Desk

LINE_PIXELS = 21
MIN_LINES, MAX_LINES = 4, 24
CODE_PIXELS = 420
CODE_LINES = 24


def section(
    desk: Desk,
    turn: TurnRecord,
    result: Result,
    *,
    caption: str = "",
    more: Callable[[], None] = lambda: None,
    quiet: bool = True,
) -> None:
    """The code of a result and what can be done with it, `more` besides; or its editor, while edited."""
    _take_back(result)
    if desk.editable and st.session_state.get(_editing(result)):
        _editor(desk, turn, result)
        return
    code(result.code, result.language)
    if caption:
        st.caption(text.literal(caption))
    with st.container(horizontal=True, vertical_alignment="center", gap="medium" if quiet else "small"):
        if desk.editable:
            open_button(result, quiet=quiet)
        more()


def code(words: str, language: str) -> None:
    """Code in a box of bounded height."""
    tall = words.count("\n") > CODE_LINES
    st.code(words, language=language, wrap_lines=True, height=CODE_PIXELS if tall else "content")


def open_button(result: Result, *, quiet: bool = True) -> None:
    """Begins editing."""
    st.button(
        "Edit and run",
        key=f"edit-{result.id}",
        icon=":material/edit:",
        type="tertiary" if quiet else "secondary",
        on_click=_open,
        args=(result,),
    )


def _editor(desk: Desk, turn: TurnRecord, result: Result) -> None:
    lines = min(max(result.code.count("\n") + 2, MIN_LINES), MAX_LINES)
    # A form, so that nothing is sent and redrawn while somebody types.
    with st.form(f"editor-{result.id}", border=False):
        st.text_area(
            "Code",
            key=_draft(result),
            height=lines * LINE_PIXELS + 24,
            label_visibility="collapsed",
        )
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.form_submit_button(
                "Run",
                key=f"run-{result.id}",
                icon=":material/play_arrow:",
                type="primary",
                on_click=_run,
                args=(desk, turn, result),
            )
            st.form_submit_button("Cancel", key=f"cancel-{result.id}", on_click=_close, args=(result,))
            st.caption("Runs on all rows as a new version; this one stays.", width="content")
    if refusal := st.session_state.get(_refusal(result)):
        st.error(text.literal(refusal), icon=":material/error:")


def _open(result: Result) -> None:
    st.session_state[_editing(result)] = True
    st.session_state.pop(_refusal(result), None)
    st.session_state[_draft(result)] = result.code


def _close(result: Result) -> None:
    st.session_state.pop(_editing(result), None)


def _run(desk: Desk, turn: TurnRecord, result: Result) -> None:
    """The text stays in the editor when it is refused."""
    changed = st.session_state[_draft(result)]
    if not changed.strip():
        st.session_state[_refusal(result)] = "There is no code to run."
        return
    try:
        running = desk.assistant.turns.rerun(desk.key, turn.id, result.id, changed)
    except (TurnRefused, StorageError) as error:
        st.session_state[_refusal(result)] = str(error)
    else:
        st.session_state[f"sent-{result.id}"] = running, changed
        _close(result)


def _take_back(result: Result) -> None:
    """Opens the editor again with its text when the run was stopped, or could not be made at all."""
    running, changed = st.session_state.get(f"sent-{result.id}") or (None, "")
    if running is None or not running.done:
        return
    del st.session_state[f"sent-{result.id}"]
    if running.problem or running.ending:
        _open(result)
        st.session_state[_draft(result)] = changed
        st.session_state[_refusal(result)] = running.problem or "Stopped. There is no new version."


def _editing(result: Result) -> str:
    return f"editing-{result.id}"


def _refusal(result: Result) -> str:
    return f"refusal-{result.id}"


def _draft(result: Result) -> str:
    return f"draft-{result.id}"

"""Code that failed: why in words, where, what it printed, the code, and the ways on."""

from typing import Any

import streamlit as st

from storage.results import Result
from storage.turns import TurnRecord
from ui import editor, outputs, results, text
from ui.desk import Desk

# Runs that were ended from outside; their messages are sentences already.
ENDED = (
    "TimeLimitExceeded", "MemoryLimitExceeded", "DiskLimitExceeded", "OutputTooLarge", "WorkerStopped",
    "WorkerDied", "IsolationMissing",
)  # fmt: skip


def render(desk: Desk, turn: TurnRecord, result: Result) -> None:
    """Draws a failed run in full."""
    with st.container(key=f"result-{result.id}", gap="small"):
        st.error(text.literal(sentence(result)), icon=":material/error:")
        if trace := str(_failure(result).get("trace") or ""):
            outputs.block(trace, key=f"trace-{result.id}")
        results.printed(result)
        st.caption("The code")
        editor.section(desk, turn, result, more=lambda: _ask_directly(desk, turn, result), quiet=False)


def attempt(number: int, result: Result) -> None:
    """Draws a failed run that was corrected afterwards, without keys, as steps are redrawn."""
    with st.expander(f"Attempt {number}", icon=":material/error:", type="compact"):
        st.caption(text.literal(sentence(result)))
        editor.code(result.code, result.language)


def sentence(result: Result) -> str:
    """What went wrong, where, and what may have been meant."""
    failure = _failure(result)
    kind, message = str(failure.get("type") or ""), str(failure.get("message") or "").strip()
    if kind in ENDED:
        said = message or "The run was ended."
    elif not kind[:1].isupper():
        # No exception of Python, but an engine's refusal, which is a sentence.
        said = message or "The code failed."
    else:
        line = failure.get("line")
        where = f" at line {line}" if line else ""
        said = f"The code failed{where}: {kind}{': ' if kind and message else ''}{message}"
    suggestions = [str(item) for item in failure.get("suggestions") or []]
    if suggestions:
        said = f"{said.rstrip('.')}. Did you mean {' or '.join(suggestions)}?"
    return said


def _failure(result: Result) -> dict[str, Any]:
    found = result.output.get("failure")
    return found if isinstance(found, dict) else {}


def _ask_directly(desk: Desk, turn: TurnRecord, result: Result) -> None:
    if turn.mode != "code" or not desk.editable:
        return
    st.button(
        "Ask in direct mode",
        key=f"direct-{result.id}",
        icon=":material/reply:",
        help="Asks the same question again; one agent answers it with the tools, without writing code.",
        on_click=desk.ask_directly,
        args=(turn.question,),
    )

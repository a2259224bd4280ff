"""One question and its answer on the page: finished, or tailed while it runs.

The turn runs on the server; the page only reads its record. A part is redrawn when it changed, so
charts and tables are drawn once, and a reload starts again from the whole record.
"""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from agents.turns import RunningTurn
from storage.turns import TurnRecord
from ui import results, text

Part = dict[str, Any]
USER_ICON = ":material/person:"
ASSISTANT_ICON = ":material/query_stats:"
STEP_ICONS = {"running": "progress_activity", "done": "check", "failed": "error"}
POLL_SECONDS = 0.5


def question(record: TurnRecord) -> None:
    """The analyst's words."""
    with st.chat_message("user", avatar=USER_ICON):
        st.markdown(text.answer(record.question))


def finished(record: TurnRecord, result: Callable[[str], Any], retry: Callable[[], None]) -> None:
    """A turn that ended, however it ended."""
    with st.chat_message("assistant", avatar=ASSISTANT_ICON):
        for block in blocks(record.parts):
            _draw(block, result, running=False)
        _ending(record, retry)


def tail(running: RunningTurn, result: Callable[[str], Any], notice: Callable[[], None]) -> None:
    """Draws a running turn until it ends; everything so far comes first, and `notice` last."""
    with st.chat_message("assistant", avatar=ASSISTANT_ICON):
        areas = {kind: st.container() for kind in ("step", "text", "result")}
        waiting = st.empty()
        slots: dict[tuple[str, int], Any] = {}
        drawn: dict[tuple[str, int], list[Part]] = {}
        while True:
            version, done = running.version, running.done
            numbers = dict.fromkeys(areas, 0)
            for block in blocks(running.record.parts):
                kind = block[0]["kind"]
                place = (kind, numbers[kind])
                numbers[kind] += 1
                if drawn.get(place) != block:
                    if place not in slots:
                        slots[place] = areas[kind].empty()
                    with slots[place].container():
                        _draw(block, result, running=not done)
                    drawn[place] = [dict(part) for part in block]
            if done:
                return
            with waiting.container():
                notice()
                if not numbers["text"]:
                    st.caption(":material/progress_activity: Working")
            running.wait(version, POLL_SECONDS)


def blocks(parts: Sequence[Part]) -> list[list[Part]]:
    """What to draw, in the order a reader wants it: the steps together, the answer, what it rests on."""
    steps = [part for part in parts if part["kind"] == "step"]
    said = [[part] for part in parts if part["kind"] == "text" and part["text"].strip()]
    shown = [[part] for part in parts if part["kind"] == "result"]
    return [*([steps] if steps else []), *said, *shown]


def _draw(block: list[Part], result: Callable[[str], Any], *, running: bool) -> None:
    kind = block[0]["kind"]
    if kind == "text":
        st.markdown(text.answer(block[0]["text"]))
    elif kind == "step":
        _steps(block, running=running)
    elif (stored := result(block[0]["id"])) is None:
        st.caption(":material/error: This result is no longer stored.")
    else:
        results.render(stored)


def _steps(steps: list[Part], *, running: bool) -> None:
    failed = sum(step["status"] == "failed" for step in steps)
    busy = running and any(step["status"] == "running" for step in steps)
    label = text.literal(steps[-1]["label"])
    if len(steps) > 1:
        label += f" · {len(steps)} steps"
    state = "running" if busy else "error" if failed == len(steps) else "complete"
    with st.status(label, state=state, type="compact"):  # type: ignore[arg-type]
        for step in steps:
            icon = STEP_ICONS.get(step["status"], "check")
            st.markdown(f":material/{icon}: {text.literal(step['label'])}")
            if step.get("detail"):
                st.caption(text.literal(step["detail"]))


def _ending(record: TurnRecord, retry: Callable[[], None]) -> None:
    if record.status == "completed":
        return
    if record.status == "running":
        st.caption(":material/progress_activity: Being answered by another server")
        return
    if record.status == "stopped":
        st.caption(":material/stop_circle: Stopped. What was found so far is kept.")
        label = "Ask again"
    elif record.status == "interrupted":
        st.warning(
            "The server stopped while this was being answered. What was found so far is kept.",
            icon=":material/power_off:",
        )
        label = "Retry"
    else:
        error = record.error or {}
        message = error.get("message") or "The answer failed and left no reason."
        action = error.get("action") or ""
        st.error(text.literal(f"{message} {action}".strip()), icon=":material/error:")
        label = "Retry"
    st.button(label, key=f"retry-{record.id}", icon=":material/refresh:", on_click=retry)

"""One question and its answer on the page: finished, or followed while it runs.

The turn runs on the server; the page only reads its record. Both ways draw the same blocks into the same
places, so that a chart or an open section stays as it is when the answer ends.
"""

from collections.abc import Callable
from typing import Any

import streamlit as st

from agents.turns import RunningTurn
from storage.turns import TurnRecord
from ui import failure, text, verification, versions
from ui.blocks import Block, Said, Steps, Verdict, Work, blocks
from ui.desk import Desk

USER_ICON = ":material/person:"
ASSISTANT_ICON = ":material/query_stats:"
STEP_ICONS = {"running": "progress_activity", "done": "check", "failed": "error"}
POLL_SECONDS = 0.5
Place = tuple[type, int]


class Answer:
    """An answer's places on the page: the steps, the words, the verdict, the work."""

    def __init__(self, desk: Desk, record: TurnRecord, *, answering: bool = False, edited: str = "") -> None:
        self._desk = desk
        self._record = record
        self._answering = answering
        self._edited = edited
        self._areas = {kind: st.container() for kind in (Steps, Said, Verdict, Work)}
        self._slots: dict[Place, Any] = {}
        self._drawn: dict[Place, Any] = {}
        self.words = False
        """Whether something was said."""

    def draw(self, record: TurnRecord) -> bool:
        """Draws what changed; False when the script must run anew, as it can draw a widget once only."""
        numbers: dict[type, int] = dict.fromkeys(self._areas, 0)
        for block in blocks(record.parts, answering=self._answering):
            place = (type(block), numbers[type(block)])
            numbers[type(block)] += 1
            state = self._state(block)
            if self._drawn.get(place) == (block, state):
                continue
            if place in self._drawn and isinstance(block, Work):
                return False
            if place not in self._slots:
                self._slots[place] = self._areas[type(block)].empty()
            with self._slots[place].container():
                self._draw(block, state)
            self._drawn[place] = (block, state)
        self.words = numbers[Said] > 0
        return True

    def _state(self, block: Block) -> Any:
        return self._desk.verification(block.thread_id) if isinstance(block, Verdict) else None

    def _draw(self, block: Block, state: Any) -> None:
        if isinstance(block, Said):
            st.markdown(text.answer(block.text))
        elif isinstance(block, Steps):
            _steps(self._desk, block, running=self._answering)
        elif isinstance(block, Verdict):
            verification.render(state, running=self._answering)
        else:
            versions.render(self._desk, self._record, block, edited=self._edited)


def question(record: TurnRecord) -> None:
    """The analyst's words."""
    with st.chat_message("user", avatar=USER_ICON):
        st.markdown(text.answer(record.question))


def finished(desk: Desk, record: TurnRecord, *, edited: str = "") -> None:
    """A turn that ended, however it ended; `edited` is its result whose changed code runs now."""
    with st.chat_message("assistant", avatar=ASSISTANT_ICON):
        Answer(desk, record, edited=edited).draw(record)
        if not edited:
            _ending(record, lambda: desk.ask(record.question))


def tail(desk: Desk, running: RunningTurn, notice: Callable[[], None]) -> None:
    """Draws a running turn until it ends or must be drawn anew; `notice` is drawn last."""
    with st.chat_message("assistant", avatar=ASSISTANT_ICON):
        answer = Answer(desk, running.record, answering=True)
        waiting = st.empty()
        while True:
            version, done = running.version, running.done
            if not answer.draw(running.record) or done:
                return
            with waiting.container():
                notice()
                if running.progress is not None:
                    part, words = running.progress
                    st.progress(part, text=text.literal(words))
                elif not answer.words:
                    st.caption(":material/progress_activity: Working")
            running.wait(version, POLL_SECONDS)


def follow(running: RunningTurn, notice: Callable[[], None]) -> None:
    """Waits until the changed code has run; its turn is drawn already."""
    waiting = st.empty()
    while not running.done:
        with waiting.container():
            notice()
        running.wait(running.version, POLL_SECONDS)


def _steps(desk: Desk, block: Steps, *, running: bool) -> None:
    steps = block.steps
    failed = sum(step["status"] == "failed" for step in steps)
    busy = running and any(step["status"] == "running" for step in steps)
    label = text.literal(steps[-1]["label"]) if steps else "Ran code"
    if len(steps) > 1:
        label += f" · {len(steps)} steps"
    state = "running" if busy else "error" if steps and failed == len(steps) else "complete"
    with st.status(label, state=state, type="compact"):  # type: ignore[arg-type]
        for step in steps:
            icon = STEP_ICONS.get(step["status"], "check")
            st.markdown(f":material/{icon}: {text.literal(step['label'])}")
            if step.get("detail"):
                st.caption(text.literal(step["detail"]))
        for number, version in enumerate(block.attempts, 1):
            for result in versions.stored(desk, version):
                failure.attempt(number, result)


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

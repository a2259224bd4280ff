"""A verified answer on the page: the question as understood, the checks, the attempts and the verdict.

Read from its row each time, so it shows what is stored, also while it changes.
"""

from typing import Any

import streamlit as st

from storage.session_states import SessionState
from ui import editor, text

MARKS = {True: ":green[:material/check:]", False: ":red[:material/close:]", None: ":gray[:material/pending:]"}


def render(state: SessionState | None, *, running: bool) -> None:
    """Draws the row; without keys, because it is redrawn at each step."""
    if state is None:
        st.caption(":material/error: This verification is no longer stored.")
        return
    with st.container(border=True, gap="small"):
        _verdict(state, running=running)
        if state.problem_description:
            st.markdown(f"**As understood** {text.literal(state.problem_description)}")
        st.caption(" · ".join(_facts(state)))
        for check in checks(state):
            _check(check, running=running and state.workflow_status == "running")
        if state.code:
            with st.expander("Code that was checked", icon=":material/code:", type="compact"):
                editor.code(state.code, "sql" if _is_sql(state.code) else "python")
                for check in checks(state):
                    if words := check.get("code"):
                        st.caption(text.literal(f"Check: {check.get('name', '')}"))
                        editor.code(str(words), "sql" if _is_sql(str(words)) else "python")


def checks(state: SessionState) -> list[dict[str, Any]]:
    """The row's checks, whoever wrote them."""
    found = state.problem_tests if isinstance(state.problem_tests, list) else []
    return [check for check in found if isinstance(check, dict)]


def verified(state: SessionState) -> bool:
    """Whether the answer may be called verified: by its row, and by every check in it."""
    found = checks(state)
    return (
        state.workflow_status == "completed"
        and state.tests_passed is True
        and bool(found)
        and all(check.get("passed") is True for check in found)
    )


def reason(state: SessionState) -> str:
    """Why an answer is not verified."""
    found = checks(state)
    failed = [str(check.get("name") or "a check") for check in found if check.get("passed") is False]
    if state.workflow_status == "running":
        return "it was broken off."
    if failed:
        return f"{text.count(len(failed), 'check')} of {len(found)} failed: {', '.join(failed)}."
    if not found:
        return "no check was run."
    return "not every check was run." if not all("passed" in check for check in found) else "it did not hold."


def _verdict(state: SessionState, *, running: bool) -> None:
    if verified(state):
        count = len(checks(state))
        words = "its one check passed" if count == 1 else f"all {count} checks passed"
        st.markdown(f":green[:material/verified: **Verified: {words}**]")
    elif running and state.workflow_status == "running":
        st.markdown(":material/progress_activity: **Being verified**")
    else:
        st.markdown(f":orange[:material/gpp_maybe: **Not verified:**] {text.literal(reason(state))}")


def _facts(state: SessionState) -> list[str]:
    parts = []
    if state.topic:
        parts.append(f"Topic: {text.literal(state.topic.replace('_', ' '))}")
    if state.difficulty:
        parts.append(f"Difficulty: {text.literal(state.difficulty)}")
    parts.append(f"Attempts at the code: {state.code_attempts}")
    if state.problem_attempts > 1:
        parts.append(f"at the problem: {state.problem_attempts}")
    return parts


def _check(check: dict[str, Any], *, running: bool) -> None:
    passed = check.get("passed")
    mark = MARKS[passed if isinstance(passed, bool) else None]
    path = " :gray-badge[other path]" if check.get("independent") else ""
    left = "" if isinstance(passed, bool) else " :gray[not run yet]" if running else " :gray[not run]"
    lines = [f"{mark} **{text.literal(str(check.get('name') or 'Check'))}**{path}{left}"]
    lines.append(text.literal(str(check.get("statement") or "")))
    if passed is False and check.get("detail"):
        lines.append(f":red[Found: {text.literal(str(check['detail']))}]")
    st.markdown("  \n".join(lines))


def _is_sql(code: str) -> bool:
    return code.lstrip().upper().startswith(("SELECT", "WITH"))

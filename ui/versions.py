"""A piece of work on the page: one of its versions, and a choice among them once its code was edited."""

import streamlit as st

from storage.results import Result
from storage.turns import TurnRecord
from ui import failure, results
from ui.blocks import Version, Work
from ui.desk import Desk


def render(desk: Desk, turn: TurnRecord, work: Work, *, edited: str = "") -> None:
    """Draws the chosen version, the newest unless told otherwise.

    `edited` is the result whose changed code runs now.
    """
    version = _chosen(work) if len(work.versions) > 1 else work.versions[0]
    shown = stored(desk, version)
    if not shown:
        st.caption(":material/error: This result is no longer stored.")
    elif shown[0].status == "failed":
        failure.render(desk, turn, shown[0])
    else:
        results.render(desk, turn, shown)
    if edited and any(edited in item.results for item in work.versions):
        st.caption(
            f":material/progress_activity: Running the changed code as version {len(work.versions) + 1}"
        )


def stored(desk: Desk, version: Version) -> list[Result]:
    """A version's results that are still stored."""
    return [result for result_id in version.results if (result := desk.result(result_id)) is not None]


def _chosen(work: Work) -> Version:
    count = len(work.versions)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        # The number is in the key: a new version is shown as soon as it is there.
        number = st.segmented_control(
            "Version",
            range(1, count + 1),
            default=count,
            required=True,
            format_func=lambda number: f"Version {number}",
            key=f"version-{work.id}-{count}",
            label_visibility="collapsed",
        )
        st.caption("The answer above was written for version 1.", width="content")
    return work.versions[(number or count) - 1]

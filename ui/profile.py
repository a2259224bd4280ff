"""What is in the data, before the first question: what stands out, every column, keys and possible joins."""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from agents.assistant import Assistant
from analysis.errors import AnalysisError
from analysis.finding_words import number, share, shown
from analysis.findings import PROBLEM, Finding, findings
from analysis.joins import JoinProposal, propose_joins
from analysis.profiling import ColumnProfile, Profile, read_profile
from storage.datasets import Dataset
from storage.keys import SessionKey
from ui import text

Ask = Callable[[str], None]
FIRST = 4
LISTED = 8
TOP_VALUES = 3
CHART_BARS = 20
FIGURES = ("Lowest", "25 %", "Median", "Mean", "75 %", "Highest")
NAME_PIXELS, CHART_PIXELS, NUMBER_PIXELS, TOP_PIXELS = 150, 120, 90, 220


def headlines(assistant: Assistant, key: SessionKey, dataset: Dataset, ask: Ask) -> None:
    """The few things to know first, each with its next question."""
    profile = _profile(assistant, key, dataset)
    problems = [f for f in findings(profile) if f.weight >= PROBLEM][:FIRST] if profile else []
    if profile is None or not problems:
        return
    st.caption("Worth knowing first" if profile.exact else f"Worth knowing first. {profile.words}")
    with st.container(key="headlines", gap="xxsmall"):
        for index, finding in enumerate(problems):
            _finding(finding, f"headline-{index}", ask)


def early(assistant: Assistant, key: SessionKey, dataset: Dataset) -> None:
    """The columns as a quick look at some rows found them."""
    profile = _profile(assistant, key, dataset)
    if profile is not None:
        st.caption(profile.words)
        table(dataset, profile)


def tab(assistant: Assistant, key: SessionKey, datasets: Sequence[Dataset], ask: Ask) -> None:
    """The profile of the current dataset (the last), made now if none was stored."""
    dataset = datasets[-1]
    profile = _profile(assistant, key, dataset)
    if profile is None:
        st.caption("The profile is made as soon as the table is there and nothing else is running.")
        return
    render(dataset, profile, ask)
    _joins(assistant, key, datasets, ask)


def render(dataset: Dataset, profile: Profile, ask: Ask) -> None:
    """Findings as lines with buttons, then a table of the columns."""
    if profile.exact:
        st.caption(profile.words)
    else:
        st.info(profile.words, icon=":material/speed:")
    found = findings(profile)
    if not found:
        st.markdown("Nothing stands out: no gaps, repeats, odd values or spellings were found.")
    with st.container(gap="xxsmall"):
        for index, finding in enumerate(found[:LISTED]):
            _finding(finding, f"finding-{dataset.id}-{index}", ask)
    if len(found) > LISTED:
        with st.popover(f"{text.count(len(found) - LISTED, 'more remark')}", type="tertiary"):
            for index, finding in enumerate(found[LISTED:], LISTED):
                _finding(finding, f"finding-{dataset.id}-{index}", ask)
    table(dataset, profile)


def table(dataset: Dataset, profile: Profile) -> None:
    """The columns, a line each."""
    numbers = st.column_config.NumberColumn(format="localized", width=NUMBER_PIXELS)
    st.dataframe(
        pd.DataFrame([row(column, profile) for column in profile.details]),
        hide_index=True,
        column_config={
            "Column": st.column_config.TextColumn(width=NAME_PIXELS, pinned=True),
            "Values": st.column_config.BarChartColumn(
                width=CHART_PIXELS, y_min=0, help="How often low to high values come, or the frequent ones"
            ),
            "Missing": st.column_config.TextColumn(width=NUMBER_PIXELS),
            "Different": numbers,
            "Most frequent": st.column_config.TextColumn(width=TOP_PIXELS),
            **{name: st.column_config.TextColumn(width=NUMBER_PIXELS) for name in FIGURES},
        },
        alt=f"Profile of the columns of {dataset.file_name}",
    )


def row(column: ColumnProfile, profile: Profile) -> dict[str, Any]:
    """A column as a line of the table."""
    return {
        "Column": column.name,
        "Type": text.KIND_NAMES.get(column.kind, column.type),
        "Values": bars(column),
        "Missing": share(column.missing, profile.rows) if column.missing else "",
        "Different": column.distinct,
        "Most frequent": frequent(column, profile),
        "Lowest": _value(column.min),
        "25 %": _value(column.quantiles.get("25%")),
        "Median": _value(column.quantiles.get("50%")),
        "Mean": _mean(column),
        "75 %": _value(column.quantiles.get("75%")),
        "Highest": _value(column.max),
    }


def bars(column: ColumnProfile) -> list[int]:
    """The heights of the small chart: a histogram, or the counts of the frequent values."""
    if column.histogram:
        return [int(count) for count in column.histogram["counts"]]
    return [int(count) for _, count in column.top[:CHART_BARS]]


def frequent(column: ColumnProfile, profile: Profile) -> str:
    """The most frequent values with their shares, where any comes twice."""
    # Counts of a sample are scaled up.
    once = profile.rows / profile.rows_seen if profile.rows_seen else 1
    if not column.top or column.top[0][1] < 1.5 * once:
        return "all different" if column.distinct > 1 else ""
    here = profile.rows - column.missing
    say = shown if column.kind in ("text", "boolean") else number
    return ", ".join(f"{say(v)} ({share(count, here)})" for v, count in column.top[:TOP_VALUES])


def _value(value: Any) -> str:
    return "" if value is None else number(value)


def _mean(column: ColumnProfile) -> str:
    if column.mean is None:
        return ""
    return f"{100 * column.mean:.1f} % yes" if column.kind == "boolean" else number(column.mean)


def _finding(finding: Finding, key: str, ask: Ask) -> None:
    icon = ":material/error:" if finding.weight >= PROBLEM else ":material/info:"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"{icon} {text.literal(finding.text)}", width="content")
        for kind, question in (("ask", finding.question), ("fix", finding.fix)):
            if question:
                st.button(
                    text.literal(question),
                    key=f"{key}-{kind}",
                    type="tertiary",
                    icon=":material/search:" if kind == "ask" else ":material/build:",
                    on_click=ask,
                    args=(question,),
                )


def _joins(assistant: Assistant, key: SessionKey, datasets: Sequence[Dataset], ask: Ask) -> None:
    proposals = propose_joins(datasets)
    if not proposals:
        return
    st.markdown("**Tables that seem to belong together**")
    for proposal in proposals[:LISTED]:
        widget = f"join-{proposal.text}"
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f":material/join: {text.literal(proposal.text)}", width="content")
            question = f"how do {proposal.left} and {proposal.right} join"
            st.button(
                text.literal(question),
                key=f"{widget}-ask",
                type="tertiary",
                icon=":material/search:",
                on_click=ask,
                args=(question,),
            )
            if st.button("Keys without a partner", key=f"{widget}-keys", type="tertiary"):
                _unmatched(assistant, key, datasets, proposal)


def _unmatched(
    assistant: Assistant, key: SessionKey, datasets: Sequence[Dataset], proposal: JoinProposal
) -> None:
    """Examples of keys that the other table has not."""
    if assistant.turns.running(key) is not None:
        st.caption("They are looked up once what is running has ended.")
        return
    try:
        found = assistant.unmatched_keys(key, datasets, proposal)
    except AnalysisError as error:
        st.error(text.literal(str(error)), icon=":material/error:")
        return
    for table, rows in zip((proposal.left, proposal.right), found, strict=True):
        examples = ", ".join(" ".join(map(str, row)) for row in rows)
        said = f"such as {examples}" if rows else "none"
        st.caption(f"In {text.literal(table)} alone: {text.literal(said)}")


def _profile(assistant: Assistant, key: SessionKey, dataset: Dataset) -> Profile | None:
    """The stored profile, or a new one; None while the table is being made or something else runs."""
    known: dict[str, tuple[float, Profile]] = st.session_state.setdefault("profiles", {})
    stored = dataset.profile_path
    changed = stored.stat().st_mtime if stored.exists() else 0.0
    if dataset.id in known and known[dataset.id][0] == changed:
        return known[dataset.id][1]
    profile = read_profile(dataset)
    ready = dataset.state == "ready" and dataset.table_path.exists()
    if profile is None and (not ready or assistant.turns.running(key) is not None):
        return None
    if profile is None:
        try:
            with st.spinner("Looking at every column"):
                profile = assistant.profile(key, dataset)
        except AnalysisError as error:
            st.error(text.literal(str(error)), icon=":material/error:")
            return None
        changed = stored.stat().st_mtime if stored.exists() else 0.0
    known[dataset.id] = (changed, profile)
    return profile

"""What one run of some code gave, on the page: its outputs, what they rest on, and the code, once."""

from collections.abc import Sequence
from itertools import groupby

import streamlit as st

from analysis.present import frame
from storage.results import Result
from storage.turns import TurnRecord
from ui import editor, files, outputs, text
from ui.desk import Desk

LANGUAGE_NAMES = {"sql": "SQL", "python": "Python"}
ENGINE_NAMES = {
    "duckdb": "DuckDB", "scipy": "SciPy", "python": "Python", "pandas": "pandas", "gemini": "Gemini",
}  # fmt: skip


def render(desk: Desk, turn: TurnRecord, shown: Sequence[Result]) -> None:
    """Draws the stored outputs of one run, in their order."""
    first = shown[0]
    with st.container(key=f"result-{first.id}", gap="small"):
        above = ""
        for together, group in groupby(_visible(shown), key=lambda result: result.kind == "value"):
            if together:
                outputs.values(list(group))
                continue
            for result in group:
                # Outputs that nobody named carry the title of their run.
                outputs.draw(desk.assistant, result, titled=result.title != above)
                above = result.title
        if not _visible(shown) and not first.output.get("printed"):
            st.caption("The code ran and showed nothing.")
        st.caption(text.literal(basis(first)))
        if first.notes:
            st.caption(text.listing(first.notes))
        printed(first)
        with st.expander("Show code", icon=":material/code:", type="compact", key=f"code-{first.id}"):
            editor.section(desk, turn, first, caption=_inputs(first), more=lambda: _downloads(shown))


def basis(result: Result) -> str:
    """One line on what the result rests on: rows, engine, time."""
    parts = []
    if result.rows_total is not None:
        used = result.rows_total if result.rows_used is None else result.rows_used
        total = text.count(result.rows_total, "row")
        parts.append(f"All {total}" if used == result.rows_total else f"{used:,} of {total} used")
    parts += [
        f"{ENGINE_NAMES[name]} {version}".strip()
        for name, version in result.engine.items()
        if name in ENGINE_NAMES
    ]
    parts.append(f"{result.duration * 1000:,.0f} ms")
    return " · ".join(parts)


def printed(first: Result) -> None:
    """What the run printed, if anything."""
    if words := str(first.output.get("printed") or ""):
        with st.expander("Printed", icon=":material/terminal:", type="compact", key=f"printed-{first.id}"):
            outputs.block(words, key=f"printed-{first.id}")


def _visible(shown: Sequence[Result]) -> list[Result]:
    """Without the empty text that stands for a run that showed nothing."""
    return [result for result in shown if result.kind != "text" or result.output.get("text")]


def _inputs(result: Result) -> str:
    inputs = ", ".join(f"{ref.dataset} v{ref.version} ({ref.sha256[:12]})" for ref in result.inputs)
    language = LANGUAGE_NAMES.get(result.language, result.language)
    return f"{language} on {inputs}" if inputs else language


def _downloads(shown: Sequence[Result]) -> None:
    tables = [result for result in shown if "table" in result.output]
    for result in tables:
        what = "the numbers" if len(tables) == 1 else result.title or "a table"
        outputs.download(
            f"Download {text.literal(what)} (CSV)",
            lambda result=result: frame(result).to_csv(index=False).encode(),  # type: ignore[misc]
            f"{files.stem(result.title)}.csv",
            key=f"csv-{result.id}",
        )

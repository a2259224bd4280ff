"""How a file was read, and the form that reads it in another way."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from agents.assistant import Assistant
from analysis.column_profile import kind_of
from analysis.errors import AnalysisError
from analysis.ingest import ENCODINGS, TYPES, Part, ReadOptions
from storage.datasets import Dataset
from storage.errors import StorageError
from storage.ingests import IngestRecord
from storage.keys import SessionKey
from ui import text

DECIDE = "decide"
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "space"}
MARKS = {".": "point", ",": "comma"}
THOUSANDS = {",": "comma", ".": "point", " ": "space", "'": "apostrophe", "": "none"}
DATE_ORDERS = {True: "day first", False: "month first"}
PREVIEW_ROWS = 50
REJECTS_SHOWN = 200
WITH_ENCODING = ("csv", "json", "jsonl")
Read = Callable[[ReadOptions, str], object]
"""Called with the options that are wanted, and the name of the table in the file."""


@dataclass(frozen=True)
class Original:
    """A file whose bytes are kept, and how it was read."""

    id: str
    """Of its dataset, or of the record of reading it."""
    file_name: str
    sha256: str
    options: ReadOptions


def of_dataset(dataset: Dataset) -> Original:
    """A dataset's original."""
    options = ReadOptions.from_json(dataset.read_options)
    return Original(dataset.id, dataset.file_name, dataset.sha256, options)


def of_record(record: IngestRecord) -> Original:
    """The original of a file that could not be read."""
    options = ReadOptions.from_json(record.options or {})
    return Original(record.id, record.file_name, record.sha256, options)


def told(assistant: Assistant, key: SessionKey, dataset: Dataset) -> None:
    """What was decided while reading, what could not be read, and the form to read it otherwise."""
    st.markdown(text.listing(dataset.notes) or "Read as it stands; nothing to note.")
    if dataset.rejected_rows:
        _rejects(assistant, key, dataset)
    if not dataset.source and not dataset.step:
        offer(
            assistant,
            key,
            of_dataset(dataset),
            "Read it in another way",
            lambda options, part: assistant.ingests.read_again(key, dataset, options, part),
        )
    st.caption(f"SHA-256 {dataset.sha256}")


@st.fragment
def offer(assistant: Assistant, key: SessionKey, original: Original, label: str, read: Read) -> None:
    """The form, once somebody wants it: its preview reads the file."""
    if st.toggle(label, key=f"{original.id}-other"):
        with st.container(border=True):
            _form(assistant, key, original, read)


def _rejects(assistant: Assistant, key: SessionKey, dataset: Dataset) -> None:
    left = "is" if dataset.rejected_rows == 1 else "are"
    st.markdown(f"**{text.count(dataset.rejected_rows, 'row')} could not be read** and {left} left out:")
    try:
        rows = assistant.originals.rejects(key, dataset, REJECTS_SHOWN)
    except AnalysisError as error:
        st.caption(text.literal(str(error)))
        return
    st.dataframe(rows, hide_index=True, height="content" if len(rows) < 8 else 300, alt="Rows left out")
    st.download_button(
        "Download them",
        lambda: assistant.originals.rejects(key, dataset, None).to_csv(index=False),
        f"{Path(dataset.file_name).stem}-not-read.csv",
        "text/csv",
        icon=":material/download:",
        key=f"rejects-{dataset.id}",
    )


def _form(assistant: Assistant, key: SessionKey, original: Original, read: Read) -> None:
    part = _part(assistant, key, original)
    options = _choices(original.id, part.options)
    kept = st.session_state.setdefault(f"{original.id}-types", {})
    types: dict[str, str] = kept.get(options.key(), options.types)
    try:
        shown = assistant.originals.preview(
            key, original.sha256, original.file_name, options.but(types=types), PREVIEW_ROWS
        )
    except (AnalysisError, StorageError) as error:
        st.error(text.literal(str(error)), icon=":material/error:")
        return
    st.caption(" · ".join(text.literal(words) for words in decided(shown.decided)))
    st.dataframe(
        pd.DataFrame(shown.rows, columns=[column for column, _ in shown.columns], dtype="string"),
        hide_index=True,
        height=260,
        alt="The first rows, read this way",
    )
    chosen = _types(original.id, options, shown.columns, types)
    if chosen != types:
        kept[options.key()] = chosen
        st.rerun(scope="fragment")
    if shown.notes:
        st.markdown(text.listing(shown.notes))

    def read_it() -> None:
        try:
            read(options.but(types=chosen), part.name)
        except (AnalysisError, StorageError) as error:
            st.session_state["refusals"] = [str(error)]

    if st.button("Read it so", type="primary", key=f"{original.id}-read", on_click=read_it):
        st.rerun()


def decided(options: ReadOptions) -> list[str]:
    """How a file is read, in words."""
    words = []
    if options.delimiter:
        words.append(f"{DELIMITERS.get(options.delimiter, options.delimiter)} separated")
    if options.encoding:
        words.append(ENCODINGS.get(options.encoding, options.encoding))
    if options.decimal:
        words.append(f"decimal {MARKS.get(options.decimal, options.decimal)}")
    if options.thousands:
        words.append(f"thousands with {THOUSANDS.get(options.thousands, options.thousands)}")
    if options.day_first is not None:
        words.append(DATE_ORDERS[options.day_first])
    if options.header_rows is not None:
        words.append(text.count(options.header_rows, "header row"))
    if options.skip:
        words.append(f"{text.count(options.skip, 'line')} before it left out")
    if options.skip_last:
        words.append(f"{text.count(options.skip_last, 'row')} at the end left out")
    return words


def _part(assistant: Assistant, key: SessionKey, original: Original) -> Part:
    """The table to read; asked where the file has several."""
    known = st.session_state.setdefault("tables", {})
    if original.sha256 not in known:
        try:
            known[original.sha256] = assistant.originals.tables(key, original.sha256, original.file_name)
        except AnalysisError:
            # It cannot be read as it is: that is what the options are for.
            known[original.sha256] = []
    parts: list[Part] = known[original.sha256]
    options = original.options
    places = [(part.options.member, part.options.part) for part in parts]
    place = (options.member, options.part)
    current = places.index(place) if place in places else 0
    if len(parts) > 1:
        current = st.selectbox(
            "Table",
            range(len(parts)),
            current,
            format_func=lambda index: parts[index].name,
            key=f"{original.id}-part",
        )
    if parts and places[current] != place:
        return parts[current]
    found = parts[current] if parts else Part(options)
    kind = options.format or found.options.format or "csv"
    return replace(found, options=options.but(format=kind))


def _choices(name: str, known: ReadOptions) -> ReadOptions:
    """The options as they are chosen now; what is left to decide is None."""
    made = known
    first, second, third = st.columns(3)
    if known.format == "csv":
        with first:
            made = made.but(delimiter=_select(name, "Delimiter", DELIMITERS, known.delimiter))
    if known.format in WITH_ENCODING:
        with second:
            made = made.but(encoding=_select(name, "Encoding", ENCODINGS, known.encoding))
    if known.format in ("csv", "excel"):
        with first:
            made = made.but(decimal=_select(name, "Decimal mark", MARKS, known.decimal))
            made = made.but(header_rows=_number(name, "Header rows", known.header_rows, 5))
        with second:
            made = made.but(thousands=_select(name, "Thousands", THOUSANDS, known.thousands))
            made = made.but(skip=_number(name, "Lines to skip before", known.skip, 1000))
        with third:
            made = made.but(day_first=_select(name, "Dates", DATE_ORDERS, known.day_first))
            made = made.but(skip_last=_number(name, "Rows to leave out below", known.skip_last, 1000))
    return made


def _select(name: str, label: str, choices: Mapping[Any, str], known: Any) -> Any:
    values = [None, *choices]
    if known not in values:
        values.append(known)
    found = st.selectbox(
        label,
        range(len(values)),
        values.index(known),
        format_func=lambda index: choices.get(values[index], str(values[index])) if index else DECIDE,
        key=f"{name}-{label}",
    )
    return values[found or 0]


def _number(name: str, label: str, known: int | None, most: int) -> int | None:
    found = st.number_input(
        label, 0, most, known, placeholder=DECIDE, key=f"{name}-{label}", format="%d", step=1
    )
    return None if found is None else int(found)


def _types(
    name: str, options: ReadOptions, columns: list[tuple[str, str]], chosen: dict[str, str]
) -> dict[str, str]:
    """The types that were chosen, by column; they can be changed in the table of them."""
    words = {kind: text.KIND_NAMES[kind] for kind in TYPES}
    table = pd.DataFrame(
        {
            "Column": [column for column, _ in columns],
            "Read as": [words.get(kind_of(kind), kind.lower()) for _, kind in columns],
            "Wanted": [words.get(chosen.get(column, "")) for column, _ in columns],
        }
    )
    with st.expander("Types"):
        edited = st.data_editor(
            table,
            hide_index=True,
            disabled=["Column", "Read as"],
            column_config={"Wanted": st.column_config.SelectboxColumn(options=list(words.values()))},
            key=f"{name}-types-{options.key()}",
        )
    kinds = {word: kind for kind, word in words.items()}
    pairs = zip(edited["Column"], edited["Wanted"], strict=True)
    return {str(column): kinds[word] for column, word in pairs if isinstance(word, str)}

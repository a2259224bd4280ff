"""Where a value occurs: which text column holds it, exactly, in part, or spelt nearly so."""

from typing import Any

import ibis
from rapidfuzz import fuzz, process

from analysis.engine import Engine
from analysis.errors import BadValue, EmptySelection, NotNumeric
from storage.datasets import Dataset
from storage.results import Result

MAX_COLUMNS = 100
SHOWN = 50
CLOSE = 80
MANY_VALUES = 20_000


def find_values(engine: Engine, text: str, dataset: str = "") -> Result:
    """Column, value and rows of every match, exact ones first. Raises EmptySelection for none."""
    data = engine.dataset(dataset)
    wanted = " ".join(text.lower().split())
    if not wanted:
        raise BadValue("Say which value to look for.")
    texts = [c for c in data.columns if c.kind == "text"]
    columns = texts[:MAX_COLUMNS]
    if not columns:
        raise NotNumeric(f"{data.file_name} has no text columns to look in.")
    parts = [_matches(engine.table(data), c.name, wanted, i) for i, c in enumerate(columns)]
    found = ibis.union(*parts) if len(parts) > 1 else parts[0]
    ordered = found.order_by([ibis.desc("exact"), ibis.desc("rows"), ibis.asc("column"), ibis.asc("value")])
    matches = engine.fetch(found.aggregate(n=found.count())).rows[0][0]
    notes = [f"The first {SHOWN} of {matches:,} values are shown."] if matches > SHOWN else []
    if len(texts) > MAX_COLUMNS:
        notes.append(f"The first {MAX_COLUMNS} of {len(texts):,} text columns were looked at.")
    result = engine.run(
        ordered.limit(SHOWN),
        title=f"Where {text!r} occurs",
        tool="find_values",
        arguments={"text": text, "dataset": dataset},
        datasets=[data],
        rows_used=engine.rows(data),
        notes=notes,
        facts={"matches": matches},
    )
    if result.output["table"]["rows"]:
        return result
    close = _close(engine, data, wanted)
    hint = f" Close spellings: {', '.join(close)}." if close else ""
    raise EmptySelection(f"No text column of {data.file_name} holds {text!r}.{hint}", close)


def _matches(table: Any, name: str, wanted: str, order: int) -> Any:
    field = table[name]
    holding = table.filter(field.lower().contains(wanted))
    return (
        holding.group_by(holding[name].name("value"))
        .aggregate(rows=holding.count())
        .select(
            column=ibis.literal(name),
            value="value",
            rows="rows",
            exact=ibis._["value"].lower().strip() == wanted,
        )
    )


def _close(engine: Engine, data: Dataset, wanted: str) -> list[str]:
    values: list[str] = []
    for column in data.columns:
        if column.kind == "text" and column.distinct <= MANY_VALUES:
            table = engine.table(data)
            known = engine.fetch(table.select(column.name).distinct()).column(column.name)
            values += [value for value in known if value is not None]
    ranked = process.extract(wanted, {v: v.lower() for v in values}, scorer=fuzz.ratio, limit=5)
    return [key for _, score, key in ranked if score >= CLOSE]

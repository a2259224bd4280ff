"""Readings for a column whose type a person chose: looser, as what does not fit is counted and said."""

from collections.abc import Sequence
from dataclasses import replace

from sandbox.reading.options import TYPES, ReadOptions
from sandbox.reading.readings import Reading, likeliest, readings

TRIED = 4
TRUE = "('true', 'yes', 'y', 't', '1', 'on', 'ja', 'oui', 'si', 'sí', 'wahr', 'vrai')"
BOOLEAN = Reading(
    "BOOLEAN",
    r"(?i:true|false|yes|no|y|n|t|f|1|0|on|off|ja|nein|oui|non|si|sí|wahr|falsch|vrai|faux)",
    f"(lower({{v}}) IN {TRUE})",
)
INTEGER = Reading("BIGINT", r"[-+]?\d{1,19}(?:\.0*)?", "TRY_CAST({v} AS BIGINT)")
NUMBER = Reading("DOUBLE", r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?", "TRY_CAST({v} AS DOUBLE)")


def chosen_readings(
    kind: str, values: Sequence[str], decimals: Sequence[str], options: ReadOptions
) -> list[Reading]:
    """Readings of this type that some of the values fit, likeliest first; none for text."""
    wanted = TYPES[kind]
    if kind == "text":
        return []
    if kind == "boolean":
        return [BOOLEAN]
    likely = [
        r for r in likeliest(values, decimals, options.thousands)
        if options.day_first is None or r.order != ("month" if options.day_first else "day")
    ]  # fmt: skip
    if kind == "integer":
        whole = [_whole(r) for r in likely if r.type == "DOUBLE"]
        return [INTEGER, *[r for r in likely if r.type == wanted], *whole][: TRIED + 1]
    if kind == "number":
        return [NUMBER, *[r for r in likely if r.type == wanted]][: TRIED + 1]
    accepted = {"date": ("DATE", "TIMESTAMP"), "datetime": ("TIMESTAMP", "DATE")}.get(kind, (wanted,))
    found = [replace(r, value=f"CAST({r.value} AS {wanted})", fast="") for r in likely if r.type in accepted]
    usual = [r for r in readings(decimals) if r.type == wanted][:1]
    return found[:TRIED] or usual


def _whole(reading: Reading) -> Reading:
    value = reading.value
    return replace(
        reading, value=f"CASE WHEN {value} = trunc({value}) THEN TRY_CAST({value} AS BIGINT) END", fast=""
    )

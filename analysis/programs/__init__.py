"""Programs that run in the locked worker, and are stored whole as the code of a result.

Each module here is plain Python over pandas, SciPy, statsmodels and scikit-learn, and names nothing of ours
but other modules here, which are written into the stored code in its place: that code runs anywhere with
`con` (and `files`). The app itself never imports them.
"""

import re
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ibis

from analysis.engine import Engine, compile_sql, python_text
from analysis.errors import NotComputable
from storage.results import Result

FOLDER = Path(__file__).parent
IMPORT = re.compile(r"^from analysis\.programs\.(\w+) import [^(\n]+\n", re.MULTILINE)
LIBRARIES = ("statsmodels", "scikit-learn")
SAMPLED_ROWS = 500_000
TIMEOUT = 600.0
"""Seconds; Stop ends a program at any time."""


@cache
def source(name: str) -> str:
    """A program's text, with the programs that it imports in front of it."""
    text = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    found = dict.fromkeys(IMPORT.findall(text))
    before = "".join(f"{source(other)}\n\n" for other in found)
    return before + IMPORT.sub("", text).strip() + "\n"


def run(
    engine: Engine, program: str, function: str, expression: Any, options: dict[str, Any], **about: Any
) -> Result:
    """Runs `function(data, **options, progress=…)` of a program over the rows of an Ibis expression.

    `about` is what `Engine.record` takes, and `files`. Its `notes` come before those that the program gives.
    Raises NotComputable for tables of another engine, and with the sentence that the program returned as
    `problem`.
    """
    return run_with_files(engine, program, function, expression, options, **about)[1]


def run_with_files(
    engine: Engine, program: str, function: str, expression: Any, options: dict[str, Any], **about: Any
) -> tuple[dict[str, bytes], Result]:
    """As `run`, with the bytes that the program returned by name, and its further tables in the output."""
    given = "".join(f"    {name}={value!r},\n" for name, value in options.items())
    loaded = "" if expression is None else f"    con.sql({python_text(compile_sql(expression))}).df(),\n"
    files = about.get("files") or {}
    given += "".join(f"    {name}=files[{name!r}],\n" for name in files)
    code = (
        f"{source(program)}\n\noutput = {function}(\n{loaded}{given}"
        '    progress=globals().get("progress"),\n)\n'
    )
    about.setdefault("timeout", TIMEOUT)
    elsewhere = [dataset.name for dataset in about["datasets"] if dataset.source]
    if elsewhere:
        raise NotComputable(
            f"{', '.join(elsewhere)} is a table of another engine, and this is computed here, row by row. "
            "Upload a copy or an extract of it, then ask again."
        )
    output, result = engine.program(code, **about)
    problem = output.values.get("problem")
    if problem:
        raise NotComputable(str(problem), output.values.get("suggestions") or [])
    tables = list(output.tables.items())
    more = {name: table.to_json() for name, table in tables[1:]}
    said = [str(note) for note in output.values.get("notes") or []]
    facts = {name: value for name, value in result.facts.items() if name not in ("notes", "problem")}
    # Of every interval and test here, so that sentences may name them.
    facts |= {"interval_percent": 95, "level_percent": 5}
    return output.files, _changed(result, more, said, facts)


def _changed(result: Result, more: dict[str, Any], said: list[str], facts: dict[str, Any]) -> Result:
    engine = result.engine | {name: version(name) for name in LIBRARIES}
    notes = [*result.notes, *said]
    used, count = result.rows_used, facts.get("n")
    if used is not None and isinstance(count, int) and not result.arguments.get("per"):
        used = min(used, count)
    output = result.output | more
    return replace(result, output=output, notes=notes, facts=facts, engine=engine, rows_used=used)


def sampled(table: Any, rows: int, most: int = SAMPLED_ROWS) -> tuple[Any, list[str]]:
    """The table, or `most` of its `rows` rows picked by a fixed rule, and what is said about it."""
    if rows <= most:
        return table, []
    numbered = table.mutate(__place=ibis.row_number())
    # By the hash of the place: the same rows each time, from all over the table.
    picked = numbered.order_by(numbered["__place"].hash()).limit(most).drop("__place")
    return picked, [f"Computed on a sample of {most:,} of {rows:,} rows."]

"""Our session service beside ADK's own: `python -m benchmarks.sessions [--quick] [--json FILE]`.

Prints medians in milliseconds as a Markdown table. ADK's database services need
`pip install sqlalchemy aiosqlite greenlet`; a service whose libraries are missing is left out.
"""

import argparse
import asyncio
import gc
import json
import logging
import sys
import tempfile
import time
import warnings
from pathlib import Path

from benchmarks import operations
from benchmarks.crowd import crowds
from benchmarks.report import Row, table
from benchmarks.services import installed, load
from benchmarks.templates import Sizes, Templates, verify
from benchmarks.turn import turns

QUICK = Sizes(
    middle=500, large=2_000, listed=1_000, rounds=3, reads=2, processes=1, turns=2, seconds=1.0, crowds=0
)


async def measure(folder: Path, sizes: Sizes) -> list[Row]:
    """Every row of the table, from files made in `folder`."""
    names = installed()
    for name in names:
        load(name)
    templates = Templates(folder, names, sizes)
    await templates.fill()
    await verify(templates)
    gc.collect()
    gc.freeze()
    return [
        await operations.appends(templates, "small", sizes.small),
        await operations.appends(templates, "middle", sizes.middle),
        await operations.appends(templates, "large", sizes.large),
        await operations.creations(templates),
        await operations.second_reads(templates),
        operations.first_reads(templates, None),
        operations.first_reads(templates, operations.RECENT),
        await operations.first_pages(templates),
        crowds(templates),
        operations.bytes_per_event(templates),
        await turns(templates),
    ]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer events and repeats, under 30 seconds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    chosen = parser.parse_args()
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="sessions-") as folder:
        rows = asyncio.run(measure(Path(folder), QUICK if chosen.quick else Sizes()))
    sys.stdout.write(table(rows))
    sys.stdout.write(f"\nMedians in ms unless said; measured in {time.perf_counter() - start:.0f} s.\n")
    sys.stdout.write("raw sqlite3 stores and fetches the same JSON and parses none; - is not possible.\n")
    if chosen.quick:
        sys.stdout.write("What is demanded is demanded of the full run; this was a quick one.\n")
    if chosen.json:
        chosen.json.write_text(json.dumps([row.record() for row in rows], indent=2) + "\n")


if __name__ == "__main__":
    main()

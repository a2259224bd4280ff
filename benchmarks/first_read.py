"""One read in a process of its own: `python -m benchmarks.first_read SERVICE FILE RECENT` (0 = all)."""

import asyncio
import gc
import sys
import time
from pathlib import Path

from benchmarks.services import load, opened


async def main() -> None:
    """Prints the milliseconds of opening and reading; imports are not counted."""
    name, path, recent = sys.argv[1:]
    load(name)
    gc.collect()
    start = time.perf_counter()
    contender = opened(name, Path(path))
    found = await contender.read("s0", int(recent) or None)
    spent = (time.perf_counter() - start) * 1e3
    await contender.close()
    if not found or (int(recent) and found != int(recent)):
        raise AssertionError(f"{name} reads {found} events")
    sys.stdout.write(f"{spent}\n")


if __name__ == "__main__":
    asyncio.run(main())

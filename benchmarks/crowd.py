"""Many writers on one file: threads with loops of their own that share a service, and more processes.

`python -m benchmarks.crowd SERVICE FILE THREADS PROCESSES SECONDS` prints what came of it as JSON.
"""

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

from benchmarks import events
from benchmarks.report import Row, medians, number
from benchmarks.services import MEMORY, OURS, SQLITE, Contender, Raw, load, opened
from benchmarks.templates import Templates

THREADS, PROCESSES = 8, 3
POOL = 200
PATIENCE = 8.0


class Tally:
    """What each writer stored and what went wrong."""

    def __init__(self) -> None:
        self.stored: dict[str, int] = {}
        self.errors: list[str] = []
        self.end = 0.0


async def write(contender: Contender, session_id: str, start: float, seconds: float, tally: Tally) -> None:
    """Appends from `start` on for `seconds`, counting."""
    pool = events.take(POOL)
    tally.stored[session_id] = 0
    await asyncio.sleep(max(0.0, start - time.time()))
    try:
        while time.time() < start + seconds:
            event = pool[tally.stored[session_id] % POOL].model_copy(
                update={"id": str(uuid.uuid4()), "timestamp": time.time()}
            )
            await contender.append(session_id, contender.prepare(event))
            tally.stored[session_id] += 1
    except Exception as error:
        tally.errors.append(f"{type(error).__name__}: {error}"[:120])
    tally.end = max(tally.end, time.time())


def helper(name: str, path: Path, session_id: str, seconds: float) -> None:
    """A further process: says it is ready, is told when to start, prints its tally."""
    load(name)
    contender = opened(name, path)
    tally = Tally()

    async def run() -> None:
        await contender.hold(session_id)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await write(contender, session_id, float(sys.stdin.readline()), seconds, tally)
        await contender.close()

    asyncio.run(run())
    sys.stdout.write(json.dumps(vars(tally)) + "\n")


def lead(name: str, path: Path, threads: int, processes: int, seconds: float) -> dict[str, Any]:
    """Runs everybody at once and reads back what is stored."""
    load(name)
    contender = opened(name, path)
    mine = [f"thread{number}" for number in range(threads)]
    theirs = [f"process{number}" for number in range(processes)]
    asyncio.run(_create(contender, mine + theirs))
    helpers = [_helper(name, path, session_id, seconds) for session_id in theirs]
    for process in helpers:
        assert process.stdout is not None
        process.stdout.readline()
    tally = Tally()
    start = time.time() + 0.5 + 0.1 * threads
    for process in helpers:
        assert process.stdin is not None
        process.stdin.write(f"{start}\n")
        process.stdin.flush()
    workers = [
        threading.Thread(target=_thread, args=(contender, one, start, seconds, tally), daemon=True)
        for one in mine
    ]
    for worker in workers:
        worker.start()
    deadline = start + seconds + PATIENCE
    for worker in workers:
        worker.join(max(0.0, deadline - time.time()))
    hung = sum(worker.is_alive() for worker in workers)
    if hung:
        tally.errors.append(f"{hung} threads hang")
    for process in helpers:
        _gather(process, tally, max(1.0, deadline - time.time()))
    count = sum(tally.stored.values())
    kept = asyncio.run(_count(name, path, tally))
    return {"events": count, "kept": kept, "seconds": tally.end - start, "errors": tally.errors}


def _thread(contender: Contender, session_id: str, start: float, seconds: float, tally: Tally) -> None:
    own = contender.another() if isinstance(contender, Raw) else contender
    asyncio.run(write(own, session_id, start, seconds, tally))


async def _create(contender: Contender, sessions: list[str]) -> None:
    for session_id in sessions:
        await contender.create(session_id)


async def _count(name: str, path: Path, tally: Tally) -> int:
    """The events that a new service object finds."""
    contender = opened(name, path)
    try:
        return sum([await contender.read(session_id) for session_id in tally.stored])
    finally:
        await contender.close()


def _helper(name: str, path: Path, session_id: str, seconds: float) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "benchmarks.crowd", "helper", name, str(path), session_id, str(seconds)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def _gather(process: "subprocess.Popen[str]", tally: Tally, patience: float) -> None:
    try:
        said = json.loads(process.communicate(timeout=patience)[0])
    except (subprocess.TimeoutExpired, ValueError):
        process.kill()
        process.communicate()
        tally.errors.append("a process fails")
        return
    tally.stored |= said["stored"]
    tally.errors += said["errors"]
    tally.end = max(tally.end, said["end"])


def crowds(templates: Templates) -> Row:
    """Events a second of all together beside those of one alone."""
    alone: dict[str, list[float]] = {}
    together: dict[str, list[float]] = {}
    faults: dict[str, str] = {}
    names = [name for name in templates.names if name != MEMORY] if templates.sizes.crowds else [OURS]
    for name in names:
        for _ in range(max(1, templates.sizes.crowds) if name == OURS else 1):
            single = _crowd(templates, name, 1, 0)
            many = _crowd(templates, name, THREADS, PROCESSES)
            alone.setdefault(name, []).append(single["events"] / single["seconds"])
            together.setdefault(name, []).append(many["events"] / many["seconds"])
            if many["errors"]:
                kind = many["errors"][0].partition(":")[0]
                faults[name] = f"{len(many['errors'])} of {THREADS + PROCESSES} writers fail ({kind})"
            elif many["kept"] != many["events"]:
                faults[name] = f"{many['events'] - many['kept']} events lost"
    return _row(medians(alone), medians(together), faults)


def _crowd(templates: Templates, name: str, threads: int, processes: int) -> dict[str, Any]:
    path = templates.copy(name, "empty")
    arguments = [name, str(path), str(threads), str(processes), str(templates.sizes.seconds)]
    command = [sys.executable, "-m", "benchmarks.crowd", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=90)
        answer: dict[str, Any] = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        return {"events": 0, "kept": 0, "seconds": 1.0, "errors": ["no end"] * (threads + processes)}
    return answer


def _row(alone: dict[str, float], together: dict[str, float], faults: dict[str, str]) -> Row:
    share = {name: together[name] / alone[name] if alone[name] else 0.0 for name in together}
    shown = {
        name: f"{number(alone[name])} -> {number(together[name])}"
        + (f"; {faults[name]}" if name in faults else "")
        for name in together
    }
    ratio = f"{together[OURS] / together[SQLITE]:.0f}x" if together.get(SQLITE) else "-"
    demanded = f"no error, no loss, 70 % of one writer (is {share[OURS]:.0%})"
    met = OURS not in faults and share[OURS] >= 0.7
    operation = f"events/s, one writer -> {THREADS} threads + {PROCESSES} processes on one file"
    return Row(operation, together, demanded, met, shown, ratio)


if __name__ == "__main__":
    if sys.argv[1] == "helper":
        helper(sys.argv[2], Path(sys.argv[3]), sys.argv[4], float(sys.argv[5]))
    else:
        told = sys.argv
        outcome = lead(told[1], Path(told[2]), int(told[3]), int(told[4]), float(told[5]))
        sys.stdout.write(json.dumps(outcome) + "\n")
        sys.stdout.flush()
        os._exit(0)

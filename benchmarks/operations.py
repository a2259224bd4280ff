"""Single operations, the services taking turns."""

import gc
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator

from google.adk.events.event import Event

from benchmarks import events
from benchmarks.report import Row, factor, medians
from benchmarks.services import MEMORY, OURS, SQLITE, Contender
from benchmarks.templates import Templates

CREATIONS = 10
SMALL_BURST, BURST = 10, 30
RECENT = 50
Sampler = Callable[[Contender, int], Awaitable[list[float]]]


async def milliseconds(work: Awaitable[object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    await work
    return (time.perf_counter() - start) * 1e3


async def in_turns(templates: Templates, kind: str, rounds: int, sample: Sampler) -> dict[str, float]:
    """Medians of `sample(contender, round)`."""
    contenders = {name: await templates.open(name, kind) for name in templates.names}
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name, contender in contenders.items():
            gc.collect()
            samples[name] += await sample(contender, number)
    for contender in contenders.values():
        await contender.close()
    return medians(samples)


async def appends(templates: Templates, kind: str, count: int) -> Row:
    """append_event behind `count` events; the first of a burst is not counted."""
    sources: dict[int, Iterator[Event]] = {}
    burst = SMALL_BURST if kind == "small" else BURST

    async def sample(contender: Contender, number: int) -> list[float]:
        session_id = f"s{number}" if kind == "small" else "s0"
        source = sources.setdefault(id(contender), events.stream(seed=count))
        if number == 0 or kind == "small":
            await contender.hold(session_id)
        fresh = [contender.prepare(event) for event, _ in zip(source, range(burst + 1), strict=False)]
        return [await milliseconds(contender.append(session_id, event)) for event in fresh][1:]

    values = await in_turns(templates, kind, templates.sizes.rounds, sample)
    met = factor(values, SQLITE) >= 15
    demanded = "15x"
    if count >= 1_000:
        demanded, met = "15x, under InMemory", met and factor(values, MEMORY) > 1
    return Row(f"append_event, {count:,} events before", values, demanded, met)


async def creations(templates: Templates) -> Row:
    """create_session."""

    async def sample(contender: Contender, number: int) -> list[float]:
        return [await milliseconds(contender.create()) for _ in range(CREATIONS)]

    values = await in_turns(templates, "empty", templates.sizes.rounds, sample)
    return Row("create_session", values, "8x", factor(values, SQLITE) >= 8)


async def second_reads(templates: Templates) -> Row:
    """get_session once more after one more event."""
    sources: dict[int, Iterator[Event]] = {}

    async def sample(contender: Contender, number: int) -> list[float]:
        source = sources.setdefault(id(contender), events.stream(seed=2))
        if number == 0:
            await contender.read("s0")
            await contender.hold("s0")
        await contender.append("s0", contender.prepare(next(source)))
        gc.collect()
        return [await milliseconds(contender.read("s0"))]

    values = await in_turns(templates, "large", templates.sizes.reads, sample)
    met = factor(values, SQLITE) >= 300 and factor(values, MEMORY) >= 100
    operation = f"get_session, {templates.sizes.large:,} events, again after one more"
    return Row(operation, values, "300x, 100x InMemory", met)


def first_reads(templates: Templates, recent: int | None) -> Row:
    """Opening the service and get_session in a new process that has imported everything."""
    names = [name for name in templates.names if name != MEMORY]
    paths = {name: templates.copy(name, "large") for name in names}
    samples: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(templates.sizes.processes):
        for name in names:
            command = [
                sys.executable,
                "-m",
                "benchmarks.first_read",
                name,
                str(paths[name]),
                str(recent or 0),
            ]
            answer = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))
            samples[name].append(float(answer.stdout))
    values = medians(samples)
    size = f"{templates.sizes.large:,}"
    if recent is None:
        demanded, operation = 1.3, f"get_session, {size} events, first in a new process"
    else:
        demanded, operation = 3, f"last {recent} of {size} events, first in a new process"
    return Row(operation, values, f"{demanded}x", factor(values, SQLITE) >= demanded)


async def first_pages(templates: Templates) -> Row:
    """The first sessions of a long list; ADK's services read the whole list."""

    async def sample(contender: Contender, number: int) -> list[float]:
        return [await milliseconds(contender.first_page(RECENT))]

    values = await in_turns(templates, "listed", templates.sizes.reads, sample)
    operation = f"first {RECENT} of {templates.sizes.listed:,} sessions (theirs: list_sessions)"
    return Row(operation, values, "50x", factor(values, SQLITE) >= 50)


def bytes_per_event(templates: Templates) -> Row:
    """The closed file."""
    values = {name: templates.bytes_per_event(name) for name in templates.names if name != MEMORY}
    met = values[OURS] <= values.get(SQLITE, 0)
    operation = f"file bytes per event, {templates.sizes.large:,} events"
    ratio = f"{values[OURS] / values[SQLITE]:.2f}" if SQLITE in values else "-"
    return Row(operation, values, "not more", met, ratio=ratio)

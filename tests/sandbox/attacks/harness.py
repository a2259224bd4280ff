"""Runs an attack both ways: in the sandbox's notebook, and with nothing around it."""

import contextlib
import dataclasses
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from sandbox.client import Worker
from sandbox.errors import SandboxError
from sandbox.live_notebook import Cell
from sandbox.outcome import ValueOutput
from tests.sandbox.attacks import (
    kernel,
    leftovers,
    memory,
    network,
    processes,
    reading,
    resources,
    results,
)
from tests.sandbox.attacks.attack import Attack, Seen
from tests.sandbox.attacks.numbers import MACHINE
from tests.sandbox.attacks.stage import Stage
from tests.sandbox.attacks.unprotected import Unprotected

GROUPS: Mapping[str, list[Attack]] = {
    "reading": reading.ATTACKS,
    "memory": memory.ATTACKS,
    "network": network.ATTACKS,
    "processes": processes.ATTACKS,
    "resources": resources.ATTACKS,
    "kernel": kernel.ATTACKS,
    "results": results.ATTACKS,
    "leftovers": leftovers.ATTACKS,
}
ANSWER_SECONDS = 15.0
AT_ONCE = 3
SLOW_START_SECONDS = 1.0
THOUGHT_SECONDS = 0.03
"""Nobody's next run comes sooner."""


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Whether an attack got through, and what was seen."""

    success: bool
    seen: Seen
    harm: str = ""
    """What was broken for the conversation or the app (protected only)."""


def applies(attack: Attack) -> bool:
    """Whether this machine has what is attacked."""
    return attack.machine in ("", MACHINE)


def run_protected(
    attack: Attack, worker: Worker, other: Worker, tables: Mapping[str, Path], base: Path, folder: Path
) -> Verdict:
    """Runs it in `worker`, whose folders are in `base`; then looks what is broken for it and the app."""
    bystanders = _children()
    with Stage(folder, protected=True) as stage:
        stage.processes = lambda: _group(worker.processes)
        values = dict(attack.before(stage)) if attack.before else {}
        before = []
        if attack.first:
            before.append(Cell("before", attack.first))
            worker.run(attack.first, tables, cell_id="before", timeout=ANSWER_SECONDS)
        code = attack.source(stage, values, True, attack.code)
        seen = _run(worker, code, tables, before, attack.timeout)
        if folders := list(base.glob("worker-*/files")):
            stage.scratch = folders[0]
        seen = _with_kept(seen, stage.scratch)
        if attack.then:
            then = attack.source(stage, values, True, attack.then)
            seen = dataclasses.replace(
                seen, later=_second(attack, before, code, then, seen, worker, other, tables)
            )
            seen = _with_kept(seen, stage.scratch)
        success = succeeded(attack, stage, seen)
        return Verdict(success, seen, _harm(worker, tables, bystanders))


def _second(
    attack: Attack,
    before: list[Cell],
    first: str,
    then: str,
    seen: Seen,
    worker: Worker,
    other: Worker,
    tables: Mapping[str, Path],
) -> Seen:
    time.sleep(THOUGHT_SECONDS)
    if attack.where == "query":
        return _query(worker, then, tables)
    if attack.where == "other":
        return _run(other, then, tables, [], attack.timeout)
    ended = seen.outcome is not None and seen.outcome.failure is None
    history = [*before, Cell("first", first)] if attack.where == "next" and ended else before
    return _run(worker, then, tables, history, attack.timeout)


def _run(worker: Worker, code: str, tables: Mapping[str, Path], history: list[Cell], timeout: float) -> Seen:
    started = time.monotonic()
    try:
        outcome = worker.run(code, tables, history=history, cell_id="first", timeout=timeout)
    except SandboxError as error:
        return Seen(f"{type(error).__name__}: {error}", error=error, elapsed=time.monotonic() - started)
    elapsed = time.monotonic() - started
    text = repr(dataclasses.asdict(outcome))
    return Seen(text, outcome, elapsed=elapsed, rebuilt=outcome.rebuilt)


def _query(worker: Worker, sql: str, tables: Mapping[str, Path]) -> Seen:
    try:
        return Seen(repr(worker.query(sql, tables, timeout=ANSWER_SECONDS).to_json()))
    except SandboxError as error:
        return Seen(f"{type(error).__name__}: {error}", error=error)


def _harm(worker: Worker, tables: Mapping[str, Path], bystanders: dict[int, str]) -> str:
    """What no longer works: the conversation's next run, or a process that the app had before."""
    states = _children()
    harmed = [pid for pid in bystanders if states.get(pid, "gone") in ("gone", "T")]
    again = _run(worker, "1+1", tables, [], ANSWER_SECONDS)
    answers = bool(
        again.outcome and [o.value for o in again.outcome.outputs if isinstance(o, ValueOutput)] == [2]
    )
    wrong = [] if answers else [f"1+1 gave {again.text[:300]}"]
    return "; ".join([*wrong, *(f"process {pid} of the app was hit" for pid in harmed)])


def _group(leaders: list[int]) -> list[int]:
    """The living processes of the worker's process groups."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rsplit(")", 1)[1].split()[2]) in leaders:
                found.append(int(stat.parent.name))
    return found


def _with_kept(seen: Seen, scratch: Path) -> Seen:
    """How much lies in the folder, following nothing."""
    files, size = 0, 0
    with contextlib.suppress(OSError):
        for entry in os.scandir(scratch):
            files += 1
            size += entry.stat(follow_symlinks=False).st_blocks * 512
    return dataclasses.replace(seen, kept_files=files, kept_bytes=size)


def _children() -> dict[int, str]:
    """This process's children and their states; zombies are those that somebody ended."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = stat.read_text().rsplit(")", 1)[1].split()[:2]
            if int(parent) == os.getpid() and state != "Z":
                found[int(stat.parent.name)] = state
    return found


def run_unprotected(attack: Attack, host: Unprotected, folder: Path) -> Verdict:
    """Runs it in a host without a sandbox, in a process group that is killed afterwards."""
    with Stage(folder, protected=False) as stage:
        values = dict(attack.before(stage)) if attack.before else {}
        cells = [["run", code] for code in [attack.first] if code]
        cells.append(["run", attack.source(stage, values, False, attack.code)])
        if attack.then:
            kind = "query" if attack.where == "query" else "run"
            cells.append([kind, attack.source(stage, values, False, attack.then)])
        seen = host.run(cells, stage.scratch, folder, attack.timeout + SLOW_START_SECONDS)
        seen = _with_kept(seen, stage.scratch)
        return Verdict(succeeded(attack, stage, seen), seen)


def all_unprotected(tried: Sequence[tuple[str, Attack]], folder: Path) -> dict[str, dict[str, bool]]:
    """Whether each got through, by group and name; some at a time."""
    with contextlib.ExitStack() as stack:
        hosts: SimpleQueue[Unprotected] = SimpleQueue()
        for number in range(AT_ONCE):
            hosts.put(stack.enter_context(Unprotected(folder / f"home{number}")))

        def run(numbered: tuple[int, tuple[str, Attack]]) -> bool:
            number, (_, attack) = numbered
            host = hosts.get()
            try:
                return run_unprotected(attack, host, host.home / str(number)).success
            finally:
                hosts.put(host)

        verdicts: dict[str, dict[str, bool]] = {group: {} for group in GROUPS}
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for (group, attack), success in zip(tried, pool.map(run, enumerate(tried)), strict=True):
                verdicts[group][attack.name] = success
    return verdicts


def succeeded(attack: Attack, stage: Stage, seen: Seen) -> bool:
    """The attack's own check, or else its token in what came back."""
    if attack.after is not None:
        return attack.after(stage, seen)
    return stage.token in seen.text or (seen.later is not None and stage.token in seen.later.text)


def everything() -> Iterator[tuple[str, Attack]]:
    """All attacks that this machine can be attacked with, by group."""
    for group, attacks in GROUPS.items():
        for attack in attacks:
            if applies(attack):
                yield group, attack


def summary(verdicts: Mapping[str, Mapping[str, bool]]) -> str:
    """A line a group: how many attacks succeeded of how many that ran."""
    total: Counter[str] = Counter()
    lines = []
    for group, found in verdicts.items():
        total.update(through=sum(found.values()), ran=len(found))
        lines.append(f"{group:<12}{sum(found.values()):>4} of {len(found):>3}")
    return "\n".join([*lines, f"{'all':<12}{total['through']:>4} of {total['ran']:>3}"])

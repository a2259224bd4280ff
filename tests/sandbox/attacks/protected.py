"""One attack in the sandbox, and what must be true afterwards."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from sandbox import isolation
from sandbox.client import Limits, Worker
from tests.sandbox.attacks import harness
from tests.sandbox.attacks.attack import Attack

needs_the_kernel = pytest.mark.skipif(
    isolation.find().kind != "kernel", reason="needs Linux with Landlock and seccomp"
)
LIMITS = Limits(memory_mb=512, engine_mb=256, threads=1)


def of_groups(groups: Sequence[str]) -> list[object]:
    """The attacks of some groups as parameters; the files of tests share them out."""
    chosen = [(group, attack) for group, attack in harness.everything() if group in groups]
    return [pytest.param(attack, id=f"{group}: {attack.name}") for group, attack in chosen]


def fails_and_harms_nothing(
    attack: Attack, bystander: Worker, tables: dict[str, Path], folder: Path, request: pytest.FixtureRequest
) -> None:
    """Asserts it."""
    if attack.gap:
        request.applymarker(pytest.mark.xfail(reason=attack.gap, strict=False))
    worker = Worker(LIMITS, folder=folder / "base")
    try:
        verdict = harness.run_protected(attack, worker, bystander, tables, folder / "base", folder / "stage")
    finally:
        worker.close()
    assert not verdict.success, verdict.seen.text[:2000]
    assert not verdict.harm

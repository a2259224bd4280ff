"""Attacks on the kernel, other processes and the network: none gets through."""

from pathlib import Path

import pytest

from sandbox.client import Worker
from tests.sandbox.attacks.attack import Attack
from tests.sandbox.attacks.protected import fails_and_harms_nothing, needs_the_kernel, of_groups

GROUPS = ("kernel", "processes", "network", "memory")


@needs_the_kernel
@pytest.mark.parametrize("attack", of_groups(GROUPS))
def test_in_the_sandbox_it_fails_and_harms_nothing(
    attack: Attack,
    bystander: Worker,
    attacked_tables: dict[str, Path],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    fails_and_harms_nothing(attack, bystander, attacked_tables, tmp_path, request)

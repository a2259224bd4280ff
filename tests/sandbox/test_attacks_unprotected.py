"""Without the sandbox most attacks succeed: a test that cannot fail would be noticed here."""

from pathlib import Path

import pytest

from tests.sandbox.attacks import harness
from tests.sandbox.attacks.protected import needs_the_kernel
from tests.sandbox.test_attacks_on_the_host import GROUPS as HOST
from tests.sandbox.test_attacks_on_the_kernel import GROUPS as KERNEL

MOST_ODD = 0.1
ALL = list(harness.everything())


def test_every_group_is_tried() -> None:
    assert {group for group, _ in ALL} == {*HOST, *KERNEL}


@needs_the_kernel
@pytest.mark.slow
def test_without_the_sandbox_most_succeed(tmp_path: Path) -> None:
    tried = [(group, attack) for group, attack in ALL if not attack.dangerous]
    verdicts = harness.all_unprotected(tried, tmp_path)
    table = harness.summary(verdicts)
    through = sum(sum(group.values()) for group in verdicts.values())
    assert through > 0.6 * len(tried), table
    odd = [a.name for group, a in tried if not (verdicts[group][a.name] or a.fails_anyway)]
    assert len(odd) <= MOST_ODD * len(tried), f"{table}\nfailed without a reason: {odd}"

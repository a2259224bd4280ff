"""Nothing that somebody's code tries gets through the sandbox; without it, most of the same code does."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from sandbox import isolation
from sandbox.client import Limits, Worker
from tests.sandbox.attacks import harness
from tests.sandbox.attacks.attack import Attack

pytestmark = pytest.mark.skipif(
    isolation.find().kind != "kernel", reason="needs Linux with Landlock and seccomp"
)
ALL = list(harness.everything())
LIMITS = Limits(memory_mb=512, engine_mb=256, threads=1)
MOST_ODD = 0.1


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    path = tmp_path_factory.mktemp("data") / "orders.parquet"
    duckdb.sql(f"COPY (SELECT range AS n, 'x' AS s FROM range(1000)) TO '{path}' (FORMAT parquet)")
    return {"orders": path}


@pytest.fixture(scope="module")
def other() -> Iterator[Worker]:
    made = Worker(LIMITS)
    yield made
    made.close()


@pytest.mark.parametrize("attack", [pytest.param(a, id=f"{group}: {a.name}") for group, a in ALL])
def test_in_the_sandbox_it_fails_and_harms_nothing(
    attack: Attack, other: Worker, tables: dict[str, Path], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if attack.gap:
        request.applymarker(pytest.mark.xfail(reason=attack.gap, strict=False))
    base = tmp_path / "base"
    worker = Worker(LIMITS, folder=base)
    try:
        verdict = harness.run_protected(attack, worker, other, tables, base, tmp_path / "stage")
    finally:
        worker.close()
    assert not verdict.success, verdict.seen.text[:2000]
    assert not verdict.harm


@pytest.mark.slow
def test_without_the_sandbox_most_succeed(tmp_path: Path) -> None:
    tried = [(group, attack) for group, attack in ALL if not attack.dangerous]
    verdicts = harness.all_unprotected(tried, tmp_path)
    table = harness.summary(verdicts)
    through = sum(sum(group.values()) for group in verdicts.values())
    assert through > 0.6 * len(tried), table
    odd = [a.name for group, a in tried if not (verdicts[group][a.name] or a.fails_anyway)]
    assert len(odd) <= MOST_ODD * len(tried), f"{table}\nfailed without a reason: {odd}"

"""Decisions per second, a sweep beside the scalar model.

``pytest tests/benchmarks/test_sweep_speed.py --benchmark-enable -s`` prints them, with the ratio; with
``--benchmark-json`` they are among the extra info. Time is this process's on its core, so that a busy machine matters
less. Nothing here asserts a time.
"""

import time
from typing import Any, Final

import numpy as np
import pytest

from workbook.lib.rules import RULE_SETS
from workbook.lib.size import GiB, MiB
from workbook.lib.sweep import Grid, chunks

pytestmark = pytest.mark.benchmark(timer=time.process_time)

NAMES: Final = tuple(RULE_SETS)
POINTS: Final = 1 << 20
AXES: Final = Grid.over(
    region_size=np.arange(1, 1025) * GiB, kvm_free=np.arange(8, 1032), kvm_max=32764, device_memory_size=2048 * GiB
)


def _unrelated(points: int) -> Grid:
    """Every field of every point has a value of its own: no work can be shared along an axis."""
    random = np.random.default_rng(2021)
    size, required = random.integers(1, 8192, points) * GiB, random.integers(0, 300, points)
    most = np.where(random.random(points) < 0.5, 32764, random.integers(300, 1200, points))
    return Grid(
        region_size=size,
        device_memory_size=size + random.integers(0, 8192, points) * GiB,
        used_region_size=random.integers(0, 64, points) * GiB,
        required=required,
        used=random.integers(0, required + 1),
        kvm_max=most,
        kvm_free=most - required // 2,
        vhost_max=np.where(random.random(points) < 0.5, -1, 509),
        vhost_free=np.where(random.random(points) < 0.5, -1, 400),
        block_size=2 * MiB << random.integers(0, 12, points),
        max_memslots=random.integers(0, 2, points) * 64,
    )


UNRELATED: Final = _unrelated(POINTS)
SCALAR: Final[dict[str, float]] = {}
"""Rule set -> decisions per second of the scalar model, which runs first."""


def _report(benchmark: Any, points: int, name: str) -> None:
    """Print decisions per second, and how many times the scalar model's that is."""
    if benchmark.stats is None:  # --benchmark-disable
        return
    speed = points / benchmark.stats.stats.median
    beside = speed / SCALAR.setdefault(name, speed)
    benchmark.extra_info.update(decisions_per_second=round(speed), times_the_scalar_model=round(beside, 1))
    print(f"  {benchmark.name}: {speed / 1e6:.3f} million decisions per second, {beside:.0f} x the scalar model")


@pytest.mark.parametrize("name", NAMES)
def test_scalar_model(benchmark: Any, name: str) -> None:
    """The scalar model decides and checks, on the first five hundred unrelated points."""
    few, rules = list(UNRELATED[(slice(0, 500),)].points()), RULE_SETS[name]

    def decide() -> int:
        decisions = [(point.budget, rules.decide(*point)) for point in few]
        return sum(rules.refusal(budget, decision) is None for budget, decision in decisions)

    assert 0 < benchmark(decide) < len(few)
    _report(benchmark, len(few), name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("grid", [AXES, UNRELATED], ids=["axes", "unrelated"])
def test_sweep(benchmark: Any, grid: Grid, name: str) -> None:
    """A million decisions and checks, in pieces."""
    assert benchmark(lambda: sum(result.verdict.size for _, _, result in chunks(name, grid))) == POINTS
    _report(benchmark, POINTS, name)

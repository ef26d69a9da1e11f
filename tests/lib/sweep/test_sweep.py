"""Sweeps against the scalar model: everywhere the same, in bounded memory, also for rule sets of one's own."""

import tracemalloc
from typing import Any, ClassVar, Final

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from workbook.lib.consumers.vhost_backend import UINT_MAX
from workbook.lib.cost.kvm import KvmHost
from workbook.lib.errors import BadInput, Refusal
from workbook.lib.machine.machine import Machine
from workbook.lib.rules import RULE_SETS, Budget, Decision, Rfc2021, RuleSet, Trace, get
from workbook.lib.size import GiB, KiB, MiB, TiB
from workbook.lib.sweep import (
    ABSENT,
    CHUNK,
    LARGEST_SIZE,
    VECTOR_FORMS,
    Grid,
    Point,
    Result,
    Verdict,
    after,
    chunks,
    exposure,
    flips,
    metadata,
    sweep,
)

NAMES: Final = tuple(RULE_SETS)
BORDERS: Final = (0, 1, 2, 8, 15, 16, 17, 32, 64, 128, 255, 256, 257, 508, 509, 510, 1023, 1024, 1025, 2047, 2048, 2049)
WRAPS: Final = (4095, 4096, 4097, 32764, 1 << 31, UINT_MAX - 4096, UINT_MAX - 16, UINT_MAX - 1, UINT_MAX)

counts = st.one_of(st.sampled_from(BORDERS + WRAPS), st.integers(0, 600), st.integers(0, UINT_MAX))
consumers = st.one_of(st.just(ABSENT), counts)
_powers = st.builds(lambda power, less: max((1 << power) + less, 1), st.integers(0, 52), st.integers(-3, 3))
_gibs = st.builds(lambda number, more: number * GiB + more, st.integers(1, 16 * KiB), st.sampled_from((0, 0, MiB, 1)))
sizes = st.one_of(_powers, _gibs, st.integers(1, LARGEST_SIZE), st.just(LARGEST_SIZE))
blocks = st.one_of(st.integers(20, 34).map(lambda power: 1 << power), st.just(0), sizes)


@st.composite
def points(draw: st.DrawFn) -> dict[str, int]:
    """One point of a grid; every second one is a device that might well fit."""
    region, area, used_region = draw(sizes), draw(sizes | st.just(0)), draw(sizes | st.just(0))
    if draw(st.booleans()):
        area, used_region = max(region, area), draw(st.sampled_from((0, max(area - region, 0), used_region)))
    return {
        "region_size": region,
        "device_memory_size": area,
        "used_region_size": used_region,
        "required": draw(counts),
        "used": draw(counts),
        **{name: draw(consumers) for name in ("kvm_max", "kvm_free", "vhost_max", "vhost_free")},
        "block_size": draw(blocks),
        "max_memslots": draw(st.just(0) | counts),
    }


def expected(rules: RuleSet, point: Point) -> tuple[int, int, int, Verdict]:
    """What the scalar model decides, and of whom QEMU's text speaks."""
    decision = rules.decide(*point)
    words = {"maximum number": Verdict.RULE, "vhost": Verdict.VHOST, "not enough space": Verdict.SPACE}
    words |= {"KVM": Verdict.KVM, "hypervisor": Verdict.KVM}
    refusal = rules.refusal(point.budget, decision)
    verdicts = [verdict for word, verdict in words.items() if refusal and word in refusal.message]
    assert len(verdicts) == (refusal is not None)
    return decision.limit, decision.count, decision.memslot_size, verdicts[0] if refusal else Verdict.ACCEPTED


def decided(result: Result) -> list[tuple[int, int, int, int]]:
    """The same of a sweep, point by point."""
    columns = (result.limit, result.count, result.memslot_size, result.verdict)
    return list(zip(*(column.ravel().tolist() for column in columns), strict=True))


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=50)
@given(given_points=st.lists(points(), min_size=1, max_size=40))
def test_extreme_points(name: str, given_points: list[dict[str, int]]) -> None:
    """At random points (wraps, rounding, sizes from one byte to 8 PiB) a sweep decides what the model decides."""
    grid = Grid(**{field: np.array([one[field] for one in given_points]) for field in given_points[0]})
    with np.errstate(all="raise", under="ignore"):
        result = sweep(name, grid)
    assert decided(result) == [expected(get(name), point) for point in grid.points()]


DENSE: Final[dict[str, dict[str, Any]]] = {
    "budgets": {
        "region_size": [GiB * number for number in (1, 3, 10, 64, 96, 500, 1000, 1021, 2048)],
        "device_memory_size": [1021 * GiB, 2 * TiB],
        "kvm_max": [ABSENT, 508, 509, 32764],
        "kvm_free": [ABSENT, 0, 15, 16, 17, 40, 100, 499, 500, 4095, 4096, 32755],
        "used": [0, 3, 24],
        "required": [0, 3, 24, 255, 256, 600],
    },
    "cuts": {
        "region_size": [MiB, GiB - 1, GiB, GiB + 1, 3 * GiB + 2 * MiB, 100 * GiB + 512 * MiB, 500 * GiB, 7 * TiB],
        "device_memory_size": [500 * GiB, 7 * TiB],
        "block_size": [0, 1, 2 * MiB, 3 * MiB, 512 * MiB, GiB, 3 * GiB, 4 * GiB, 8 * TiB],
        "max_memslots": [0, 1, 2, 3, 5, 7, 64, 100, 1023, 1024, 1025, 65535],
        "vhost_free": [ABSENT, 8, 64, 509],
        "vhost_max": 509,
    },
    "blocks": {
        "region_size": [GiB * number for number in range(1, 600, 7)],
        "device_memory_size": [600 * GiB],
        "block_size": [GiB * number for number in (1, 3, 4, 5, 100, 1024)],
        "kvm_max": 600,
        "kvm_free": list(range(0, 600, 50)),
    },
}


@pytest.mark.parametrize("axes", DENSE)
@pytest.mark.parametrize("name", NAMES)
def test_dense_grids(name: str, axes: str) -> None:
    """On grids around every threshold of the published rules, a sweep decides what the model decides."""
    grid = Grid.over(**DENSE[axes])
    assert grid.size >= 6000
    assert decided(sweep(name, grid)) == [expected(get(name), point) for point in grid.points()]


@settings(max_examples=300)
@given(total=st.integers(1, 4096), share=st.integers(1, 4096), area=st.integers(1, LARGEST_SIZE >> 12))
def test_two_truncations(total: int, share: int, area: int) -> None:
    """Shares that are whole numbers but for a rounding error are truncated as the model truncates them."""
    grid = Grid(region_size=area * share, device_memory_size=area * 4096, kvm_max=509, kvm_free=total)
    for name in ("rfc-2021", "rfc-2021-intended", "qemu-8.2"):
        assert decided(sweep(name, grid)) == [expected(get(name), point) for point in grid.points()]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [1, 7, 100, CHUNK])
def test_chunks_cover_the_grid_once(name: str, size: int) -> None:
    """Pieces of any size make up the whole grid, each point once, and each piece knows its points."""
    grid = Grid.over(
        region_size=np.arange(1, 8) * 64 * GiB, kvm_free=np.arange(5) * 40, required=[0, 9], device_memory_size=TiB
    )
    whole, seen = sweep(name, grid), np.zeros(grid.shape, int)
    for where, piece, result in chunks(name, grid, points=size):
        seen[where] += 1
        assert 0 < piece.size <= size
        assert decided(result) == decided(whole[where]) == [expected(get(name), one) for one in piece.points()]
    assert (seen == 1).all()


class PerGib(RuleSet):
    """A memslot per GiB, at most 4, and never a vhost back end."""

    name: ClassVar[str] = "per-gib"

    def limit(self, budget: Budget, region_size: int, trace: Trace) -> int:
        most = 4 if budget.device_memory_size else 1
        return trace.note("limit", min(most, region_size // GiB), "at most 4")

    def check(self, budget: Budget, decision: Decision) -> None:
        if budget.vhost_free is not None:
            raise Refusal("no vhost here, please")
        if decision.region_size > TiB:
            raise Refusal("nobody needs more than 1 TiB")
        super().check(budget, decision)


def test_rule_set_of_ones_own() -> None:
    """One without a vector form takes the slow path; who is to blame shows whatever its words are."""
    grid = Grid.over(
        region_size=[GiB, 2 * GiB, 16 * GiB, 2 * TiB],
        vhost_free=[ABSENT, 8],
        kvm_free=[1, 2, 100],
        device_memory_size=8 * GiB,
    )
    result = sweep(PerGib(), grid)
    assert result.count[:, 0, 0].tolist() == [1, 2, 4, 4]
    assert result.memslot_size[:, 0, 0].tolist() == [GiB, GiB, 4 * GiB, 512 * GiB]
    assert (result.verdict[:, 1] == Verdict.VHOST).all()
    accepted, kvm, space, rule = Verdict.ACCEPTED, Verdict.KVM, Verdict.SPACE, Verdict.RULE
    assert result.verdict[:, 0].tolist() == [
        [accepted, accepted, accepted],
        [kvm, accepted, accepted],
        [kvm, kvm, space],
        [rule, rule, rule],
    ]


def test_subclass_is_not_taken_for_its_parent() -> None:
    """A subclass that overrides something decides by itself; the published classes all have a vector form."""

    class Twice(Rfc2021):
        def limit(self, budget: Budget, region_size: int, trace: Trace) -> int:
            return 2 * super().limit(budget, region_size, trace)

    grid = Grid.over(region_size=[64 * GiB], device_memory_size=TiB, kvm_free=500)
    assert 2 * sweep("rfc-2021", grid).limit == sweep(Twice(), grid).limit
    assert {type(one) for one in RULE_SETS.values()} == set(VECTOR_FORMS)


@pytest.mark.parametrize("name", NAMES)
def test_slow_path_of_published_rules(name: str) -> None:
    """The slow path agrees with the vector forms, verdicts included."""
    grid = Grid.over(
        region_size=np.arange(1, 9) * 128 * GiB,
        kvm_free=[0, 16, 64, 4096],
        vhost_free=[ABSENT, 30],
        used_region_size=[0, 512 * GiB],
        required=[0, 20, 2040],
        device_memory_size=TiB,
    )
    fast, form = sweep(name, grid), VECTOR_FORMS.pop(type(get(name)))
    try:
        assert decided(sweep(name, grid)) == decided(fast)
    finally:
        VECTOR_FORMS[type(get(name))] = form


def test_memory_is_bounded() -> None:
    """Through ten million points in pieces: a few megabytes, however many points there are."""

    def peak(length: int) -> int:
        grid = Grid.over(
            region_size=np.arange(1, length + 1) * GiB, kvm_free=np.arange(2500), device_memory_size=9 * TiB
        )
        tracemalloc.start()
        seen = sum(int(np.count_nonzero(result.verdict)) for _, _, result in chunks("rfc-2021", grid))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert 0 < seen < grid.size
        return most

    assert peak(4000) < 1.5 * peak(200) < 100 * MiB


def test_result_goes_where_it_is_told() -> None:
    """With `out` nothing else is allocated; a wrong shape is an error with both shapes."""
    grid = Grid.over(region_size=[GiB, TiB], device_memory_size=TiB)
    out = Result.empty(grid.shape)
    assert sweep("single", grid, out=out) is out
    assert decided(out) == [(1, 1, GiB, 0), (1, 1, TiB, 0)]
    assert out.nbytes == 50
    with pytest.raises(BadInput, match=r"\(3,\).*\(2,\)"):
        sweep("single", grid, out=Result.empty((3,)))


def test_numbers_alone_are_one_point() -> None:
    """A grid of numbers has one point, and that is the one given, with None for consumers that are not there."""
    grid = Grid(region_size=500 * GiB, device_memory_size=1021 * GiB, kvm_max=32764, kvm_free=32755)
    budget = Budget(device_memory_size=1021 * GiB, kvm_max=32764, kvm_free=32755)
    assert list(grid.points()) == [Point(budget, 500 * GiB, 2 * MiB, 0)]
    assert decided(sweep("qemu-8.2", grid)) == [(125, 125, 4 * GiB, Verdict.ACCEPTED)]


def test_empty_grid() -> None:
    """No points, no decisions."""
    assert sweep("qemu-8.2", Grid.over(region_size=[], device_memory_size=[TiB])).shape == (0, 1)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"region_size": 0}, "region_size 0 .* 1 to"),
        ({"region_size": [GiB, LARGEST_SIZE + 1]}, "region_size 9007199254740993 .* scalar model"),
        ({"kvm_free": -2}, "kvm_free -2"),
        ({"used": 1 << 32}, "used 4294967296"),
        ({"required": None}, "required must be whole numbers"),
        ({"region_size": [1.5 * GiB]}, "region_size must be whole numbers"),
        ({"region_size": [GiB, TiB], "kvm_free": [1, 2, 3]}, r"region_size \(2,\), kvm_free \(3,\)"),
    ],
)
def test_bad_grids(wrong: dict[str, Any], words: str) -> None:
    """What is out of range, no integer or does not fit is named, with what is allowed."""
    with pytest.raises(BadInput, match=words):
        Grid(**{"region_size": GiB, "device_memory_size": TiB, **wrong})


def test_no_pieces_of_nothing() -> None:
    """Pieces have at least one point."""
    with pytest.raises(BadInput, match="chunks of 0 points"):
        next(chunks("single", Grid(region_size=GiB, device_memory_size=GiB), points=0))


def test_absent_and_none_mean_the_same() -> None:
    """None in a list, None for all, and ABSENT."""
    lists = Grid(region_size=[GiB, GiB], device_memory_size=TiB, kvm_free=[None, 7])
    assert lists.kvm_free.tolist() == [ABSENT, 7]
    assert Grid(region_size=GiB, device_memory_size=TiB).kvm_free.tolist() == [ABSENT]


def test_flips() -> None:
    """Flips lie between the points where a decision changes: 508 memslots are too few, 509 are enough (M6, M7)."""
    limits = np.arange(500, 520)
    grid = Grid.over(kvm_max=limits, region_size=[64 * GiB, TiB], kvm_free=500, device_memory_size=TiB)
    result = sweep("qemu-8.2", grid)
    assert [limits[:-1][column].tolist() for column in flips(result, 0).T] == [[508], [508]]
    assert flips(result.count, 1).shape == (20, 1)
    assert flips(result.count, 1)[:, 0].tolist() == (limits >= 509).tolist()
    assert not flips(result.verdict, 0).any()


@pytest.mark.parametrize(("name", "mapped"), [("single", 1), ("rfc-2021", 0), ("qemu-8.2", 0)])
def test_after_a_device(name: str, mapped: int) -> None:
    """Plugging on paper is plugging in the machine: budgets of the machine after each of three equal devices."""
    objects = "".join(f"-object memory-backend-ram,id=mem{number},size=100G " for number in range(4))
    vm = Machine.from_qemu_args(f"-accel kvm -m 4G,maxmem=304G {objects}", rules=name, kvm_slots=600)

    def seen(budget: Budget) -> tuple[int, ...]:
        return budget.used_region_size, budget.required, budget.used, budget.kvm_free or 0

    before = vm.budget
    grid = Grid(
        region_size=100 * GiB, device_memory_size=before.device_memory_size, kvm_max=600, kvm_free=before.kvm_free
    )
    more = {} if name == "rfc-2021" else {"dynamic_memslots": True}
    for number in range(4):
        result = sweep(name, grid)
        accepted = result.verdict[0] == Verdict.ACCEPTED
        assert accepted == (number < 3)
        if accepted:
            vm.device_add("virtio-mem-pci", f"vm{number}", memdev=f"mem{number}", **more)
        grid = after(grid, result, mapped=mapped)
        (point,) = grid.points()
        assert seen(point.budget) == seen(vm.budget)


def test_metadata() -> None:
    """The cover letter's 500 GiB with a tenth plugged: what `KvmHost` says of the memslots that are then mapped."""
    host = KvmHost(tdp_mmu=False)
    grid = Grid(region_size=500 * GiB, device_memory_size=1021 * GiB, kvm_max=32764, kvm_free=32755)
    expected_sizes = {"single": [500 * GiB], "rfc-2021": [GiB] * 51, "qemu-8.2": [4 * GiB] * 13}
    for name, mapped in expected_sizes.items():
        assert metadata(name, grid, host, plugged=0.1).tolist() == [host.metadata(mapped).total]
    assert metadata("rfc-2021", grid, host, plugged=0).tolist() == [0]
    assert metadata("single", grid, host, plugged=0).tolist() == [host.metadata([500 * GiB]).total]
    with pytest.raises(BadInput, match=r"plugged 1\.5 .* 0 to 1"):
        metadata("single", grid, host, plugged=1.5)


def test_exposure() -> None:
    """A tenth of 500 GiB is plugged: the rest of its last memslot is exposed, with one memslot 450 GiB."""
    grid = Grid(region_size=500 * GiB, device_memory_size=500 * GiB, kvm_max=32764, kvm_free=32755)
    assert exposure("qemu-10.0", grid, plugged=0.1).tolist() == [26 * 2000 * MiB - 50 * GiB]
    assert exposure("single", grid, plugged=0.1).tolist() == [450 * GiB]
    assert exposure("single", grid, plugged=0).tolist() == [500 * GiB]
    assert exposure("qemu-10.0", grid, plugged=0).tolist() == [0]
    # the RFC maps the whole usable region, 256 MiB beyond the request
    assert exposure("rfc-2021", grid, plugged=0.1).tolist() == [GiB]

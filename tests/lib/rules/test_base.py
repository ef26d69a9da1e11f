"""The protocol: names, a rule set of one's own, the trace, and what every rule set keeps."""

from typing import ClassVar

import pytest
from hypothesis import given, strategies as st

from workbook.lib.errors import BadInput, Refusal
from workbook.lib.machine.machine import Machine
from workbook.lib.rules import RULE_SETS, Budget, RuleSet, Trace, TraceStep, behaviour_of, get
from workbook.lib.size import GiB, MiB, TiB

NAMES = tuple(RULE_SETS)


def test_published_rule_sets() -> None:
    """Four policies of before, and every release since 8.2, oldest first; each is known by its own name."""
    releases = ("qemu-8.2", "qemu-9.0", "qemu-9.1", "qemu-9.2", "qemu-10.0", "qemu-10.1", "qemu-10.2", "qemu-11")
    assert ("single", "rfc-2021", "rfc-2021-intended", "series-2021-v1", *releases) == NAMES
    assert all(get(name).name == name and get(name).about for name in NAMES)


def test_unknown_name() -> None:
    """The error names the value and what is known."""
    with pytest.raises(BadInput, match=r"'rfc-2022'.*qemu-10\.0"):
        get("rfc-2022")


def test_object_is_handed_back() -> None:
    """A rule set of one's own goes wherever a name goes."""
    mine = Fixed()
    assert get(mine) is mine


class Fixed(RuleSet):
    """A memslot per GiB, at most 4, and no more than KVM has free."""

    name: ClassVar[str] = "fixed-4"

    def limit(self, budget: Budget, region_size: int, trace: Trace) -> int:
        free = 4 if budget.kvm_free is None else budget.kvm_free
        return trace.note("limit", min(4, free, region_size // GiB), "at most 4")


def test_rule_set_of_ones_own() -> None:
    """A name and a limit are enough; the rest is what the newest QEMU does."""
    vm = Machine.from_qemu_args(
        "-m 4G,maxmem=64G -object memory-backend-ram,id=mem0,size=16G -device virtio-mem-pci,id=vm0,memdev=mem0",
        rules=Fixed(),
    )
    vm.request_size("vm0", 16 * GiB)
    vm.plug("vm0", 6 * GiB, 4 * GiB)
    assert [(one.start, one.size) for one in vm.view] == [(0x240000000, 4 * GiB), (0x340000000, 4 * GiB)]
    assert vm.budget.required == 4


def test_own_rule_set_without_a_name_has_its_classs() -> None:
    """A limit alone is enough."""

    class Two(RuleSet):
        def limit(self, budget: Budget, region_size: int, trace: Trace) -> int:
            return trace.note("limit", min(2, budget.kvm_free or 2, region_size // GiB), "two")

    assert Two().name == "Two"
    assert Two().decide(Budget(device_memory_size=TiB), 16 * GiB).count == 2


def test_own_rule_set_in_another_qemu() -> None:
    """The policy is one thing, the QEMU another: the same cut, the words of that QEMU."""
    old = Fixed(behaviour_of((8, 2, 0)))
    assert (Fixed().qemu.plugged_words, old.qemu.plugged_words) == (
        "some of its memory is still plugged",
        "'size' != '0'",
    )
    budget = Budget(device_memory_size=TiB)
    assert Fixed().decide(budget, 16 * GiB).count == old.decide(budget, 16 * GiB).count == 4


def test_own_rule_set_takes_a_user_limit() -> None:
    """max_memslots restricts it further."""
    decision = Fixed().decide(Budget(device_memory_size=TiB), 16 * GiB, 2 * MiB, 2)
    assert (decision.count, decision.memslot_size) == (2, 8 * GiB)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("wrong", [{"region_size": 0}, {"region_size": -1}, {"block_size": -1}, {"max_memslots": -1}])
def test_nonsense_is_bad_input(name: str, wrong: dict[str, int]) -> None:
    """A region of nothing and negative numbers are refused by a line that names them."""
    arguments = {"region_size": GiB, "block_size": 2 * MiB, "max_memslots": 0} | wrong
    with pytest.raises(BadInput, match=str(next(iter(wrong.values())))):
        get(name).decide(Budget(device_memory_size=TiB), **arguments)


def test_trace_shows_numbers_and_sizes() -> None:
    """Counts with thousands, ratios to six digits, bytes in binary units."""
    assert TraceStep("a", 32764, "").shown == "32,764"
    assert TraceStep("a", 500 / 1021, "").shown == "0.489716"
    assert TraceStep("a", 2000 * MiB, "", is_size=True).shown == "2000 MiB"


def budgets() -> st.SearchStrategy[Budget]:
    """Return budgets that a VM can be in: used <= required, taken <= D."""

    def build(
        area: int, taken: int, required: int, mapped: int, kvm: int | None, vhost: int | None, boot: int
    ) -> Budget:
        used = min(mapped, required)
        return Budget(
            device_memory_size=area * GiB,
            used_region_size=min(taken, area) * GiB,
            required=required,
            used=used,
            kvm_max=kvm,
            kvm_free=None if kvm is None else max(kvm - boot - used, 0),
            vhost_max=vhost,
            vhost_free=None if vhost is None else max(vhost - boot - used, 0),
        )

    limits = st.none() | st.integers(8, 40000)
    counts = st.integers(0, 1200)
    return st.builds(
        build, st.integers(1, 20000), st.integers(0, 20000), counts, counts, limits, limits, st.integers(2, 10)
    )


@given(
    name=st.sampled_from(NAMES),
    budget=budgets(),
    blocks=st.integers(1, 1 << 21),
    block=st.sampled_from([MiB, 2 * MiB, 512 * MiB, GiB, 4 * GiB]),
)
def test_cut_covers_the_device(name: str, budget: Budget, blocks: int, block: int) -> None:
    """Without a user's limit slots are disjoint, in order, and sum up to the device; no more of them than granted."""
    region = blocks * block
    decision = get(name).decide(budget, region, block)
    assert sum(decision.size(index) for index in range(decision.count)) == region
    assert 1 <= decision.count <= max(decision.limit, 1)
    assert all(decision.size(index) == decision.memslot_size for index in range(min(decision.count - 1, 50)))
    assert 0 < decision.size(decision.count - 1) <= decision.memslot_size
    assert decision.count == 1 or decision.memslot_size % block == 0
    assert decision.count == 1 or decision.memslot_size >= GiB


@given(budget=budgets(), blocks=st.integers(1, 1 << 21), user=st.integers(0, 1100))
def test_slots_of_the_rfc_are_powers_of_two(budget: Budget, blocks: int, user: int) -> None:
    """1 GiB * 2^k, or a single slot; with a user's limit never more slots than that, and all needed ones are there."""
    region = blocks * 2 * MiB
    decision = get("rfc-2021").decide(budget, region, 2 * MiB, user)
    assert decision.count <= min(1024, user or 1024)
    if decision.count > 1:
        assert (decision.memslot_size // GiB).bit_count() == 1
        assert decision.memslot_size % GiB == 0
    assert decision.count * decision.memslot_size >= region


@given(area=st.integers(2, 9000), sizes=st.data(), free=st.integers(0, 32764), required=st.integers(0, 400))
def test_limit_of_the_rfc_grows_with_the_region(area: int, sizes: st.DataObject, free: int, required: int) -> None:
    """For one state of the VM a larger device is granted no fewer memslots, unless the clamp of 16 comes in."""
    small = sizes.draw(st.integers(1, area - 1))
    large = sizes.draw(st.integers(small, area))
    budget = Budget(device_memory_size=area * GiB, required=required, kvm_max=32764, kvm_free=free)
    decisions = [get("rfc-2021").decide(budget, size * GiB) for size in (small, large)]
    if any(step.name == "spare 16" for step in decisions[1].trace):
        return
    assert decisions[0].limit <= decisions[1].limit


@given(budget=budgets(), shares=st.lists(st.integers(1, 500), min_size=1, max_size=12))
def test_automatic_devices_share_256(budget: Budget, shares: list[int]) -> None:
    """Merged: the required memslots of devices that got more than one never exceed 256 in all."""
    rules, taken, required, automatic = get("qemu-10.0"), 0, 0, 0
    area = sum(shares) * GiB
    for share in shares:
        now = Budget(device_memory_size=area, used_region_size=taken, required=required, kvm_max=32764, kvm_free=32755)
        decision = rules.decide(now, share * GiB)
        taken, required = taken + share * GiB, required + decision.count
        automatic += decision.count if decision.count > 1 else 0
        assert decision.count == 1 or required <= 256
    assert automatic <= 256


@given(name=st.sampled_from(NAMES), budget=budgets(), blocks=st.integers(1, 1 << 14))
def test_what_passes_the_check_fits(name: str, budget: Budget, blocks: int) -> None:
    """A device that may be plugged finds its memslots and its space, beside what is reserved already."""
    rules, region = get(name), blocks * GiB
    decision = rules.decide(budget, region)
    try:
        rules.check(budget, decision)
    except Refusal:
        short = [
            free is not None and free < budget.reserved + decision.count
            for free in (budget.kvm_free, budget.vhost_free)
        ]
        over = name == "series-2021-v1" and budget.required + decision.count > 2048
        assert any(short) or over or budget.used_region_size + region > budget.device_memory_size
        return
    for free in (budget.kvm_free, budget.vhost_free):
        assert free is None or free >= budget.reserved + decision.count
    assert budget.used_region_size + region <= budget.device_memory_size

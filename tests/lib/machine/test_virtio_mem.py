"""The device: usable region and mapped slots over time, answers to the guest, and its plugged blocks."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from workbook.lib.block_size import default_block_size
from workbook.lib.errors import Refusal
from workbook.lib.machine import Machine
from workbook.lib.machine.virtio_mem import (
    USABLE_EXTENT_ARM,
    USABLE_EXTENT_X86,
    BlockState,
    PluggedBlocks,
    Response,
    VirtioMemDevice,
)
from workbook.lib.rules import Budget, Decision, get
from workbook.lib.size import GiB, KiB, MiB, TiB

ACK, NACK, BUSY, ERROR = Response.ACK, Response.NACK, Response.BUSY, Response.ERROR
ADDR = 0x1_4000_0000


def device(
    region: int = 500 * GiB,
    slot: int = GiB,
    count: int = 500,
    *,
    rules: str = "rfc-2021",
    block: int = 2 * MiB,
    start: int = 0,
    extent: int = USABLE_EXTENT_X86,
) -> VirtioMemDevice:
    decision = Decision(count, count, slot, region)
    return VirtioMemDevice(get(rules), decision, block, ADDR, region, start, usable_extent=extent)


# -- U: usable region and mapped slots of the RFC ---------------------------------------------------------------------

RESET = None


@dataclass(frozen=True)
class Course:
    """A device and what happens to it: (requested size or RESET, usable region, mapped slots)."""

    region: int
    block: int
    slot: int
    count: int
    steps: Sequence[tuple[int | None, int, int]]
    extent: int = USABLE_EXTENT_X86


COURSES = {
    "U1": Course(
        500 * GiB, 2 * MiB, GiB, 500,
        [
            (0, 0, 0), (2 * GiB, 2304 * MiB, 3), (20 * GiB, 20736 * MiB, 21), (5 * GiB, 20736 * MiB, 21),
            (RESET, 5376 * MiB, 6), (0, 5376 * MiB, 6), (RESET, 0, 0),
        ],
    ),
    "U2": Course(
        500 * GiB, 2 * MiB, GiB, 500,
        [
            (768 * MiB, 1024 * MiB, 1), (770 * MiB, 1026 * MiB, 2), (GiB, 1280 * MiB, 2),
            (500 * GiB, 500 * GiB, 500), (511744 * MiB, 500 * GiB, 500),
        ],
    ),
    "U3": Course(
        500 * GiB, 2 * MiB, GiB, 500,
        [
            (0, 0, 0), (2 * GiB, 3 * GiB, 3), (20 * GiB, 21 * GiB, 21), (5 * GiB, 21 * GiB, 21), (RESET, 6 * GiB, 6),
        ],
        USABLE_EXTENT_ARM,
    ),
    "U4": Course(
        512 * GiB, 512 * MiB, GiB, 512,
        [(512 * MiB, 1536 * MiB, 2), (3 * GiB, 4 * GiB, 4)],
        USABLE_EXTENT_ARM,
    ),
    "U5": Course(
        64 * GiB, GiB, GiB, 64,
        [(GiB, 2 * GiB, 2), (2 * GiB, 3 * GiB, 3), (63 * GiB, 64 * GiB, 64), (64 * GiB, 64 * GiB, 64)],
    ),
    "U6": Course(
        500 * GiB, 2 * MiB, 500 * GiB, 1,
        [(0, 0, 0), (2 * MiB, 258 * MiB, 1), (0, 258 * MiB, 1), (RESET, 0, 0)],
    ),
    "U7": Course(
        201 * 512 * MiB, 2 * MiB, GiB, 101,
        [(100 * GiB, 102656 * MiB, 101), (201 * 512 * MiB, 102912 * MiB, 101)],
    ),
    "U8": Course(8 * GiB, 2 * MiB, 2 * GiB, 5, [(8 * GiB, 8 * GiB, 4), (RESET, 8 * GiB, 4)]),
    "U9": Course(
        TiB, 2 * MiB, 32 * GiB, 32,
        [(2 * MiB, 258 * MiB, 1), (32512 * MiB, 32768 * MiB, 1), (32514 * MiB, 32770 * MiB, 2), (TiB, TiB, 32)],
    ),
    "U10": Course(GiB, 4 * MiB, GiB, 1, [(4 * MiB, 260 * MiB, 1), (1020 * MiB, 1024 * MiB, 1)]),
}  # fmt: skip
"""By hw/virtio/virtio-mem.c, virtio_mem_resize_usable_region; the first step is the requested size at the start."""


@pytest.mark.parametrize("course", COURSES.values(), ids=COURSES)
def test_usable_region_and_mapped_slots(course: Course) -> None:
    """Usable region and mapped slots follow requests and resets as in the worked example; slots are a prefix."""
    start = course.steps[0][0]
    assert start is not None
    vm = device(course.region, course.slot, course.count, block=course.block, start=start, extent=course.extent)
    for number, (requested, usable, mapped) in enumerate(course.steps):
        if requested is RESET:
            assert vm.unplug_all() is ACK
        elif number:
            vm.request_size(requested)
        assert (vm.usable_region_size, len(vm.mapped)) == (usable, mapped), f"step {number}"
        assert list(vm.mapped) == list(range(mapped))


def test_u6_maps_everything_at_once() -> None:
    """With one slot the first requested block maps the whole 500 GiB."""
    vm = device(count=1, slot=500 * GiB)
    vm.request_size(2 * MiB)
    assert [vm.decision.size(index) for index in vm.mapped] == [500 * GiB]


def test_u7_last_slot_is_smaller() -> None:
    """The last of 101 slots has 512 MiB."""
    assert device(201 * 512 * MiB, count=101).decision.size(100) == 512 * MiB


def test_u8_keeps_one_slot_reserved() -> None:
    """Of five slots one is never mapped, whatever is requested."""
    vm = device(8 * GiB, 2 * GiB, 5, start=8 * GiB)
    assert vm.decision.count - len(vm.mapped) == 1


def test_surplus_behind_the_end_is_never_mapped() -> None:
    """The 64th slot of 8 GiB of a 500 GiB device stays out when all is requested and plugged."""
    vm = device(500 * GiB, 8 * GiB, 64, start=500 * GiB)
    assert vm.plug(0, 500 * GiB) is ACK
    assert list(vm.mapped) == list(range(63))


@pytest.mark.parametrize("rules", ["qemu-8.2", "qemu-10.0"])
def test_usable_region_does_not_map_in_the_merged_version(rules: str) -> None:
    """The usable region follows the same rule, but without plugged blocks nothing is mapped."""
    vm = device(rules=rules, start=2 * GiB)
    vm.request_size(20 * GiB)
    assert (vm.usable_region_size, len(vm.mapped)) == (20736 * MiB, 0)


# -- P: mapped slots of the merged version ----------------------------------------------------------------------------


def grown(region: int, slot: int, count: int, rules: str = "qemu-10.0") -> VirtioMemDevice:
    return device(region, slot, count, rules=rules, start=region)


def test_p1() -> None:
    """125 slots of 4 GiB: plugged in two requests, unplugged from the top, then altogether."""
    vm = grown(500 * GiB, 4 * GiB, 125)
    assert vm.plug(0, 2 * GiB) is ACK
    assert (vm.size, list(vm.mapped)) == (2 * GiB, [0])
    assert vm.plug(2 * GiB, 18 * GiB) is ACK
    assert (vm.size, list(vm.mapped)) == (20 * GiB, [0, 1, 2, 3, 4])
    assert vm.unplug(5 * GiB, 15 * GiB) is ACK
    assert (vm.size, list(vm.mapped)) == (5 * GiB, [0, 1])
    assert vm.unplug(0, 5 * GiB) is ACK
    assert (vm.size, list(vm.mapped)) == (0, [])


def test_p2() -> None:
    """A request across a border maps both slots, and each goes with its last block."""
    vm = grown(500 * GiB, 4 * GiB, 125)
    assert vm.plug(4 * GiB - 2 * MiB, 4 * MiB) is ACK
    assert (vm.size, list(vm.mapped)) == (4 * MiB, [0, 1])
    assert vm.unplug(4 * GiB, 2 * MiB) is ACK
    assert list(vm.mapped) == [0]
    assert vm.unplug(4 * GiB - 2 * MiB, 2 * MiB) is ACK
    assert list(vm.mapped) == []


def test_p3() -> None:
    """Slots of 2000 MiB: 20 GiB touch 11 of them, 22000 MiB."""
    vm = grown(500 * GiB, 2000 * MiB, 256)
    vm.plug(0, 2 * GiB)
    assert list(vm.mapped) == [0, 1]
    vm.plug(2 * GiB, 18 * GiB)
    assert list(vm.mapped) == list(range(11))
    assert sum(vm.decision.size(index) for index in vm.mapped) == 22000 * MiB
    vm.unplug(5 * GiB, 15 * GiB)
    assert list(vm.mapped) == [0, 1, 2]


def test_p4() -> None:
    """11 slots with a last one of 512 MiB: holes appear where the last block of a slot goes."""
    vm = grown(21 * 512 * MiB, GiB, 11)
    vm.plug(0, 21 * 512 * MiB)
    assert list(vm.mapped) == list(range(11))
    vm.unplug(10 * GiB, 512 * MiB)
    assert list(vm.mapped) == list(range(10))
    vm.unplug(512 * MiB, 512 * MiB)
    assert list(vm.mapped) == list(range(10))
    vm.unplug(1536 * MiB, 2 * GiB)
    assert list(vm.mapped) == [0, 1, *range(3, 10)]


def test_p5() -> None:
    """A system reset unmaps all; under the RFC the prefix of the usable region stays."""
    vm, rfc = grown(500 * GiB, 4 * GiB, 125), device(500 * GiB, 4 * GiB, 125, start=20 * GiB)
    for one in (vm, rfc):
        one.plug(0, 16 * GiB)
        assert one.unplug_all() is ACK
        assert one.size == 0
    assert list(vm.mapped) == []
    assert list(rfc.mapped) == list(range(6))


@pytest.mark.parametrize("rules", ["rfc-2021", "qemu-10.0"])
def test_p6(rules: str) -> None:
    """A request that is rejected or finds the device busy changes nothing."""
    vm = device(500 * GiB, 4 * GiB, 125, rules=rules, start=8 * GiB)
    vm.plug(0, 6 * GiB)
    before = (vm.size, list(vm.mapped), list(vm.plugged.extents()), vm.usable_region_size)
    answers = [
        vm.plug(MiB, 2 * MiB),
        vm.plug(6 * GiB, 2 * GiB + 2 * MiB),
        vm.plug(5 * GiB, 2 * GiB),
        vm.plug(6 * GiB, GiB, busy=True),
        vm.unplug(5 * GiB, 2 * GiB),
        vm.unplug(0, GiB, busy=True),
        vm.unplug_all(busy=True),
    ]
    assert answers == [ERROR, NACK, ERROR, BUSY, ERROR, BUSY, BUSY]
    assert (vm.size, list(vm.mapped), list(vm.plugged.extents()), vm.usable_region_size) == before


# -- F: sizes, requests and answers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "block"),
    [(4 * KiB, 2 * MiB), (2 * MiB, 2 * MiB), (GiB, GiB), (64 * KiB, 512 * MiB), (512 * MiB, 512 * MiB)],
)
def test_default_block_size(page: int, block: int) -> None:
    """Base pages: the transparent huge page; otherwise the page size, at least 1 MiB."""
    assert default_block_size(page) == block


@pytest.mark.parametrize(
    ("start", "size"),
    [
        (MiB, 2 * MiB),
        (0, 0),
        (0, MiB),
        (0, 3 * MiB),
        (-2 * MiB, 2 * MiB),
        (2304 * MiB, 2 * MiB),
        (2302 * MiB, 4 * MiB),
        (1 << 63, 2 * MiB),
    ],
)
def test_invalid_ranges(start: int, size: int) -> None:
    """Unaligned, empty, below, behind or across the end of the usable region: ERROR for every request."""
    vm = device(start=2 * GiB)
    assert vm.plug(start, size) is ERROR
    assert vm.unplug(start, size) is ERROR
    assert vm.state(start, size) == (ERROR, None)
    assert vm.size == 0


def test_plugging_in_the_extra_256_mib_is_fine() -> None:
    """The usable region is larger than the requested size, and all of it may be used."""
    vm = device(start=2 * GiB)
    assert vm.plug(2302 * MiB, 2 * MiB) is ACK


def test_order_of_answers_to_plug() -> None:
    """Invalid before too much, too much before wrong state, wrong state before busy."""
    vm = device(start=2 * GiB)
    vm.plug(0, 2 * GiB)
    assert vm.plug(2304 * MiB, 8 * GiB, busy=True) is ERROR
    assert vm.plug(0, 2 * MiB, busy=True) is NACK, "also for blocks that are plugged already"
    vm.unplug(GiB, GiB)
    assert vm.plug(512 * MiB, GiB, busy=True) is ERROR
    assert vm.plug(GiB, GiB, busy=True) is BUSY
    assert vm.plug(GiB, GiB) is ACK


def test_order_of_answers_to_unplug() -> None:
    """Invalid and wrong state before busy; a partly plugged range is refused as a whole."""
    vm = device(start=2 * GiB)
    vm.plug(0, GiB)
    assert vm.unplug(512 * MiB, GiB, busy=True) is ERROR
    assert vm.unplug(0, GiB, busy=True) is BUSY
    assert vm.unplug(0, GiB) is ACK
    assert vm.unplug(0, GiB) is ERROR


def test_nack_looks_at_the_new_total() -> None:
    """size + new <= requested is fine to the byte; after a smaller request everything is too much."""
    vm = device(start=2 * GiB)
    assert vm.plug(0, 2 * GiB) is ACK
    vm.request_size(GiB)
    assert vm.size == 2 * GiB, "size may exceed the requested size after a smaller request"
    assert vm.plug(2 * GiB, 2 * MiB) is NACK


def test_state() -> None:
    """All, none or some blocks plugged; never BUSY."""
    vm = device(start=2 * GiB)
    vm.plug(GiB, 512 * MiB)
    assert vm.state(GiB, 512 * MiB) == (ACK, BlockState.PLUGGED)
    assert vm.state(0, GiB) == (ACK, BlockState.UNPLUGGED)
    assert vm.state(0, 2 * GiB) == (ACK, BlockState.MIXED)
    assert vm.state(1536 * MiB - 2 * MiB, 4 * MiB) == (ACK, BlockState.MIXED)


def test_unplug_all_shrinks_the_usable_region() -> None:
    """Also on an empty device; the requested size stays."""
    vm = device(start=20 * GiB)
    vm.request_size(5 * GiB)
    assert vm.unplug_all() is ACK
    assert (vm.usable_region_size, vm.requested_size) == (5376 * MiB, 5 * GiB)


@pytest.mark.parametrize(("rules", "answer"), [("rfc-2021", BUSY), ("qemu-8.2", ACK), ("qemu-10.0", ACK)])
def test_unplug_all_of_an_empty_device_while_busy(rules: str, answer: Response) -> None:
    """From 8.1 on it succeeds and may shrink the usable region; in the RFC's base it is BUSY."""
    vm = device(rules=rules, start=20 * GiB)
    vm.request_size(5 * GiB)
    assert vm.unplug_all(busy=True) is answer
    assert vm.usable_region_size == (5376 * MiB if answer is ACK else 20736 * MiB)


def test_requested_size_must_be_whole_blocks() -> None:
    """With QEMU's text; nothing changes."""
    vm = device(block=4 * MiB)
    with pytest.raises(Refusal) as refusal:
        vm.request_size(6 * MiB)
    assert refusal.value.message == "'requested-size' has to be multiples of 'block-size' (0x400000)"
    assert (vm.requested_size, vm.usable_region_size) == (0, 0)


def test_requested_size_must_not_exceed_the_device() -> None:
    """With QEMU's text; the device's own size is fine."""
    vm = device(region=GiB, count=1)
    vm.request_size(GiB)
    with pytest.raises(Refusal) as refusal:
        vm.request_size(GiB + 2 * MiB)
    assert refusal.value.message == "'requested-size' cannot exceed the memory backend size(0x40000000)"


def test_requested_size_beyond_the_device_at_the_start() -> None:
    """At the start a larger one is accepted; the usable region ends with the device."""
    vm = device(region=GiB, count=1, start=4 * GiB)
    assert (vm.requested_size, vm.usable_region_size) == (4 * GiB, GiB)


def test_config_space() -> None:
    """The seven fields of the specification."""
    vm = device(start=2 * GiB)
    vm.plug(0, GiB)
    assert vm.config_space() == {
        "block_size": 2 * MiB,
        "node_id": 0,
        "addr": ADDR,
        "region_size": 500 * GiB,
        "usable_region_size": 2304 * MiB,
        "plugged_size": GiB,
        "requested_size": 2 * GiB,
    }


# -- migration --------------------------------------------------------------------------------------------------------


def test_restore_maps_from_the_bitmap() -> None:
    """Merged: the destination maps every slot with a plugged block, whatever its own cut is."""
    source, target = grown(500 * GiB, 4 * GiB, 125), device(500 * GiB, 2000 * MiB, 256, rules="qemu-10.0")
    source.plug(0, 5 * GiB)
    source.plug(100 * GiB, GiB)
    target.restore(source)
    assert list(target.mapped) == [0, 1, 2, 51]
    assert target.config_space() == source.config_space()
    source.unplug(0, GiB)
    assert target.size == 6 * GiB, "the copy is independent"


def test_restore_forgets_slots_in_the_rfc() -> None:
    """The usable region travels, the mapping does not, until a request grows beyond it."""
    source, target = device(start=20 * GiB), device(start=5 * GiB)
    source.plug(0, 20 * GiB)
    source.request_size(5 * GiB)
    target.restore(source)
    assert (target.usable_region_size, target.size) == (20736 * MiB, 20 * GiB)
    assert len(target.mapped) == 6, "as mapped at the destination's own start"
    target.request_size(10 * GiB)
    assert len(target.mapped) == 6
    target.request_size(21 * GiB)
    assert len(target.mapped) == 22


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"addr": 0x1_8000_0000}, "Property 'memaddr' changed from 0x140000000 to 0x180000000"),
        ({"region_size": 4 * GiB}, "Property 'memdev' size changed from 0x7d00000000 to 0x100000000"),
        ({"block_size": 4 * MiB}, "Property 'block-size' changed from 0x200000 to 0x400000"),
        ({"node": 2}, "Property 'node' changed from 0 to 2"),
    ],
)
def test_restore_wants_the_same_device(change: dict[str, int], text: str) -> None:
    """Address, size, block size and node must be the source's."""
    target = device()
    for name, value in change.items():
        setattr(target, name, value)
    with pytest.raises(Refusal) as refusal:
        target.restore(device())
    assert refusal.value.message == text


# -- plugged blocks ---------------------------------------------------------------------------------------------------

LENGTH = 40
RANGES = st.tuples(st.integers(0, LENGTH - 1), st.integers(1, LENGTH)).map(lambda one: (one[0], one[0] + one[1]))


class BlocksAgainstSets(RuleBasedStateMachine):
    """`PluggedBlocks` against the plainest model: a set of bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks, self.model = PluggedBlocks(), set[int]()

    @rule(span=RANGES)
    def plug(self, span: tuple[int, int]) -> None:
        self.blocks.plug(*span)
        self.model |= set(range(*span))

    @rule(span=RANGES)
    def unplug(self, span: tuple[int, int]) -> None:
        self.blocks.unplug(*span)
        self.model -= set(range(*span))

    @rule()
    def clear(self) -> None:
        self.blocks.clear()
        self.model.clear()

    @rule(span=RANGES)
    def copy_is_independent(self, span: tuple[int, int]) -> None:
        self.blocks.copy().plug(*span)

    @rule(span=RANGES)
    def ask(self, span: tuple[int, int]) -> None:
        bytes_ = set(range(*span))
        assert self.blocks.touches(*span) == bool(bytes_ & self.model)
        assert self.blocks.covers(*span) == (bytes_ <= self.model)

    @invariant()
    def same_bytes(self) -> None:
        extents = list(self.blocks.extents())
        assert {one for start, end in extents for one in range(start, end)} == self.model
        assert self.blocks.size == len(self.model)
        assert all(start < end for start, end in extents)
        assert all(left[1] < right[0] for left, right in itertools.pairwise(extents)), "merged, ascending"


TestBlocksAgainstSets = BlocksAgainstSets.TestCase


# -- a device against a bitmap ----------------------------------------------------------------------------------------

BLOCKS = 64
REQUESTS = st.lists(
    st.one_of(
        st.tuples(st.just("request"), st.integers(0, BLOCKS), st.just(0)),
        st.tuples(st.sampled_from(["plug", "unplug"]), st.integers(0, BLOCKS), st.integers(1, 20)),
        st.tuples(st.just("unplug_all"), st.just(0), st.just(0)),
    ),
    max_size=25,
)


@given(rules=st.sampled_from(["rfc-2021", "qemu-10.0"]), requests=REQUESTS, memslots=st.integers(1, 16))
def test_device_against_a_bitmap(rules: str, requests: list[tuple[str, int, int]], memslots: int) -> None:
    """Answers, sizes and mapped slots are those of a device that keeps one bit per block."""
    block, region = GiB, BLOCKS * GiB
    decision = get(rules).decide(Budget(device_memory_size=region), region, block, memslots if memslots < 16 else 0)
    one = VirtioMemDevice(get(rules), decision, block, ADDR, region, 0)
    bits, requested, usable = [False] * BLOCKS, 0, 0
    for what, first, count in requests:
        inside = count > 0 and first + count <= usable
        span = bits[first : first + count]
        if what == "request":
            one.request_size(first * block)
            requested = first
            # 256 MiB more, rounded up to blocks of 1 GiB
            usable = max(usable, min(BLOCKS, first + 1) if first else 0)
        elif what == "plug":
            answer = ERROR if not inside else NACK if sum(bits) + count > requested else ERROR if any(span) else ACK
            assert one.plug(first * block, count * block) is answer
            if answer is ACK:
                bits[first : first + count] = [True] * count
        elif what == "unplug":
            answer = ACK if inside and all(span) else ERROR
            assert one.unplug(first * block, count * block) is answer
            if answer is ACK:
                bits[first : first + count] = [False] * count
        else:
            assert one.unplug_all() is ACK
            bits, usable = [False] * BLOCKS, min(BLOCKS, requested + 1) if requested else 0
        assert (one.size, one.requested_size) == (sum(bits) * block, requested * block)
        assert one.usable_region_size == usable * block
        per_slot = decision.memslot_size // block
        with_blocks = [index for index in range(decision.count) if any(bits[index * per_slot : (index + 1) * per_slot])]
        prefix = [index for index in range(decision.count) if index * per_slot < usable]
        assert list(one.mapped) == (prefix if rules == "rfc-2021" else with_blocks)
        assert set(with_blocks) <= set(one.mapped), "every plugged block lies in a mapped slot"


def test_memory_that_cannot_be_preallocated() -> None:
    """With prealloc=on the device is busy where the host lacks the memory; without it nothing is allocated ahead."""
    line = "-m 1G,maxmem=3G -object memory-backend-ram,id=m,size=2G -device virtio-mem-pci,id=v,memdev=m"
    for prealloc, answer in (("on", "BUSY"), ("off", "ACK")):
        vm = Machine.from_qemu_args(f"{line},requested-size=1G,prealloc={prealloc}")
        assert str(vm.plug("v", 0, 2 * MiB, prealloc_fails=True)) == answer
        assert str(vm.plug("v", 0, 2 * MiB)) == ("ACK" if prealloc == "on" else "ERROR")

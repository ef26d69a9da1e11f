"""QEMU's bitmaps: worked examples and what must hold for any size."""

from collections.abc import Callable

import pytest
from hypothesis import given, strategies as st

from workbook.lib.cost import qemu as bitmaps
from workbook.lib.cost.qemu import QemuProcess
from workbook.lib.errors import BadInput
from workbook.lib.size import GiB, KiB, MiB, TiB

addresses = st.integers(0, 1 << 52)


@pytest.mark.parametrize(
    ("last", "kib"), [(0x13FFFFFFF, 160), (0x1FFFFFFFF, 256), (0x67FFFFFFF, 832), (0x7E3FFFFFFF, 16160)]
)
def test_vhost_log_examples(last: int, kib: int) -> None:
    """The vhost log has 8 bytes for each 256 KiB up to the highest mapped address."""
    assert bitmaps.vhost_log(last) == kib * KiB


def test_one_tebibyte() -> None:
    """1 TiB costs what QEMU's element sizes give."""
    assert bitmaps.dirty_memory(TiB) == 96 * MiB
    assert bitmaps.virtio_mem_bitmap(TiB, 2 * MiB) == 64 * KiB
    assert bitmaps.ram_block_bitmap(TiB) == bitmaps.memslot_bitmap(TiB) == 32 * MiB
    assert bitmaps.clear_bitmap(TiB) == 128
    assert bitmaps.clear_bitmap(TiB, shift=6) == 512 * KiB


def test_bits_are_rounded_up_to_longs() -> None:
    """Bitmaps are whole 64-bit words; dirty_memory grows by 8 GiB of RAM at a time."""
    assert bitmaps.virtio_mem_bitmap(2 * MiB, 2 * MiB) == 8
    assert bitmaps.memslot_bitmap(65 * 4 * KiB) == 16
    assert bitmaps.dirty_memory(4 * KiB) == bitmaps.dirty_memory(8 * GiB) == 3 * 256 * KiB
    assert bitmaps.dirty_memory(8 * GiB + 4 * KiB) == 6 * 256 * KiB


@given(addresses, addresses)
def test_vhost_log_follows_in_steps(before: int, after: int) -> None:
    """A log always suffices, a second commit of the same regions leaves it alone, and the slack is at most 4 KiB."""
    current = bitmaps.vhost_log(before)
    changed = bitmaps.vhost_log(after, current=current)
    needed = bitmaps.vhost_log(after)
    assert needed <= changed <= needed + bitmaps.VHOST_LOG_SLACK
    assert bitmaps.vhost_log(after, current=changed) == changed
    if current < needed:
        assert changed == needed + bitmaps.VHOST_LOG_SLACK


@given(st.lists(st.integers(1, 1 << 24).map(lambda n: n * 64 * 4 * KiB), min_size=1, max_size=8), st.booleans())
def test_what_separate_slots_save(sizes: list[int], migrating: bool) -> None:
    """Mapping fewer slots lowers only the slots' own bitmaps; whole-block bitmaps stay."""
    process = QemuProcess()
    block = sum(sizes)
    everything = process.metadata(sizes, [block], devices=[(block, 64 * 4 * KiB)], migrating=migrating)
    nothing = process.metadata([], [block], devices=[(block, 64 * 4 * KiB)], migrating=migrating)
    changed = {name for name in everything.as_dict() if everything[name] != nothing[name]}
    assert changed == ({"dirty_bmap"} if migrating else set())
    assert everything["dirty_bmap"] == (everything["bmap"] if migrating else 0)


def test_parts_follow_the_migration() -> None:
    """Without a migration only dirty_memory and the device's bitmap exist; SMM doubles the slots' bitmaps."""
    arguments = {"slots": [GiB], "ram_blocks": [TiB], "devices": [(TiB, 2 * MiB)], "vhost_last": 0x13FFFFFFF}
    quiet = QemuProcess().metadata(**arguments)
    assert {part.name for part in quiet.parts if part.bytes} == {"dirty_memory", "bitmap"}
    moving = QemuProcess(smm=True).metadata(**arguments, migrating=True)
    assert moving.as_dict() == {
        "dirty_bmap": 64 * KiB,
        "bmap": 32 * MiB,
        "clear_bmap": 128,
        "dirty_memory": 96 * MiB,
        "bitmap": 64 * KiB,
        "vhost_log": 160 * KiB,
    }
    assert QemuProcess().metadata(**arguments, dirty_log=True)["dirty_bmap"] == 32 * KiB
    assert all(part.formula and part.when and ".c" in part.source for part in moving.parts)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bitmaps.memslot_bitmap(4097), "memslot size 4097 is not a multiple of 4 KiB"),
        (lambda: bitmaps.virtio_mem_bitmap(3 * MiB, 2 * MiB), "not a multiple of 2 MiB"),
        (lambda: bitmaps.clear_bitmap(GiB, shift=5), "give 6 to 31"),
        (lambda: bitmaps.vhost_log(-1), "0 or more"),
    ],
)
def test_bad_input_is_one_line(call: Callable[[], object], message: str) -> None:
    """What cannot be is refused in one line that names the value."""
    with pytest.raises(BadInput, match=message):
        call()

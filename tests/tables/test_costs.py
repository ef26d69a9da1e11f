"""Tables of what memslots cost: their numbers are the measured ones and the model's."""

from dataclasses import replace

import pytest

from workbook.data import measurements
from workbook.lib.cost.kvm import KvmHost
from workbook.lib.cost.measurements import MeasuredHost, MeasuredUpdate, SlotTiming
from workbook.lib.qemu_args.reader import read_argv
from workbook.lib.size import GiB, KiB, MiB, TiB
from workbook.tables.costs import border_table, headline, memslot_sizes, start_times, time_of_one_memslot, update_times

HOSTS = measurements()
DEVICE = read_argv(
    "-accel kvm -machine q35 -m 4G,maxmem=504G -object memory-backend-memfd,id=mem0,size=500G "
    "-device virtio-mem-pci,id=vm0,memdev=mem0,dynamic-memslots=on"
)


def update(slots: int, requests: int, seconds: float, *, vhost: bool) -> MeasuredUpdate:
    return MeasuredUpdate(slots, requests, mapped=True, vhost=vhost, accel="kvm", seconds=seconds, idle_seconds=0.1)


def host() -> MeasuredHost:
    """A host with round times: 10 us per ioctl, 1 ms per message, 2 ms per transaction."""
    updates = (
        update(100, 100, 0.6, vhost=False),
        update(100, 1, 0.3, vhost=False),
        update(100, 100, 0.7, vhost=True),
        update(100, 1, 0.4, vhost=True),
    )
    return replace(HOSTS[0], layouts=(), timings=(SlotTiming(1000, 4 * KiB, 0.01, 0.01),), updates=updates)


def test_headline_shows_every_device() -> None:
    """Each layout of a device in a QEMU is a row with both numbers; a difference is said."""
    table = headline(HOSTS)
    rows = [row for one in HOSTS for row in one.layouts if row.device_size]
    assert [row[-2] * KiB for row in table.rows] == [row.total for row in rows]
    assert {row[-1] for row in table.rows} == {"equal in every part"}
    wrong = replace(rows[0], parts={"rmap": 1})
    assert headline([replace(HOSTS[0], layouts=(wrong,))]).rows[0][-1] == "DIFFERENT"


def test_memslot_sizes_scale_what_was_measured() -> None:
    """Metadata is the model's, time is that of one memslot times their number: at once, and one by one."""
    kvm = KvmHost(tdp_mmu=False)
    (row,) = memslot_sizes([host()], device=TiB, plugged=10 * GiB, kvm=kvm, sizes=[4 * GiB]).rows
    assert row[1:3] == (256, 3)
    assert row[4] == f"{kvm.metadata([4 * GiB] * 3).total / kvm.metadata([10 * GiB]).total:.2f} x"
    assert row[5] == pytest.approx(256 * (0.01 + 1), rel=0.01)
    assert row[6] == pytest.approx(256 * (0.01 + 1 + 2), rel=0.01)


def test_update_times_put_both_ways_side_by_side() -> None:
    """One by one and in one request stand in one row, with the requests' own share."""
    assert update_times([host()]).rows == (
        ("QEMU ?", "none", 100, 600, 100, 300, 0, 0),
        ("QEMU ?", "started", 100, 700, 100, 400, 0, 0),
    )


def test_starts_and_single_memslots_are_read() -> None:
    """Start times and the time of one memslot come from the files, smallest first."""
    starts = [one for each in HOSTS for one in each.starts]
    assert [row[2] for row in start_times(HOSTS).rows] == [min(one.seconds) for one in starts]
    sizes = [row[1] for row in time_of_one_memslot(HOSTS[:1]).rows]
    assert sizes == ["1 GiB", "4 GiB", "64 GiB", "512 GiB", "1 TiB"]


@pytest.mark.parametrize(
    ("size", "rules", "asked", "cut", "safe"),
    [
        (500 * GiB, "rfc-2021", 0, "500 x 1 GiB", "1 GiB"),
        (500 * GiB, "series-2021-v1", 128, "128 x 3968 MiB", "128 MiB"),
        (500 * GiB, "qemu-10.0", 0, "256 x 2000 MiB", "16 MiB"),
        (300 * GiB + 512 * MiB, "qemu-10.0", 0, "256 x 1202 MiB", "2 MiB"),
        (500 * GiB, "single", 0, "1 x 500 GiB", "-"),
    ],
)
def test_borders_are_as_aligned_as_the_rules_make_them(size: int, rules: str, asked: int, cut: str, safe: str) -> None:
    """Gigabytes in the RFC, 128 MiB in the next version, whole blocks in what was merged."""
    (row,) = border_table(DEVICE, {rules: asked}, [size], 100 * GiB).rows
    assert (row[2], row[4]) == (cut, safe)

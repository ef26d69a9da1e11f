"""Pictures of costs: their curves are the model's and the measured numbers."""

from dataclasses import replace

from workbook.data import measurements
from workbook.gallery.costs import (
    bars_of,
    exposed_over_plugged,
    exposed_over_time,
    growth_of,
    ioctl_times,
    metadata_over_memslot_size,
    metadata_over_plugged,
    missing_over_plugged,
    predicted_and_measured,
    update_times_chart,
)
from workbook.lib.actions import RequestSize, Settle
from workbook.lib.cost.kvm import KvmHost
from workbook.lib.qemu_args.reader import read_argv
from workbook.lib.rules import DynamicMemslots
from workbook.lib.size import GiB, TiB

HOSTS = measurements()
DEVICE = read_argv(
    "-accel kvm -cpu qemu64,phys-bits=48 -machine q35 -m 4G,maxmem=1028G -object memory-backend-memfd,id=mem0,size=1T "
    "-device virtio-mem-pci,id=vm0,memdev=mem0,dynamic-memslots=on"
)
SHADOW = KvmHost(tdp_mmu=False)


def test_exposed_over_time_and_over_plugged() -> None:
    """What is mapped and not plugged, after each action and for each plugged size, as the model has it."""
    rules = ("single", "qemu-10.0", "stratovirt")
    grown = replace(DEVICE, actions=(RequestSize(dev="vm0", size=GiB), Settle(dev="vm0")))
    over_time = {name: y for name, (_, y) in exposed_over_time(grown, rules).chart.curves.items()}
    assert over_time["single"] == [TiB, TiB, TiB - GiB]
    assert over_time["qemu-10.0"] == [0, 0, 3 * GiB]
    assert over_time["stratovirt"] == [0, 0, 0]
    over_plugged = exposed_over_plugged(DEVICE, rules, [GiB, 4 * GiB]).chart
    assert over_plugged.curves["qemu-10.0"][1] == [3 * GiB, 0]


class Mergeable(DynamicMemslots):
    name = "mergeable"
    unmergeable = False


def test_metadata_follows_what_is_plugged() -> None:
    """One memslot costs the same whatever is plugged; separate ones cost what they cover."""
    picture = metadata_over_plugged(DEVICE, ["single", "rfc-2021", "qemu-10.0"], [GiB, 9 * GiB, TiB])
    curves = {name: list(y) for name, (_, y) in picture.chart.curves.items()}
    assert curves == {
        "single": [SHADOW.metadata([TiB]).total] * 3,
        "rfc-2021": [SHADOW.metadata([GiB] * slots).total for slots in (2, 10, 1024)],
        "qemu-10.0": [SHADOW.metadata([4 * GiB] * slots).total for slots in (1, 3, 256)],
    }


def test_memslot_size_decides() -> None:
    """A memslot larger than what is plugged costs its whole size."""
    chart = metadata_over_memslot_size(plugged=[10 * GiB], sizes=[GiB, 16 * GiB, TiB]).chart
    assert list(chart.curves["10 GiB plugged"][1]) == [
        SHADOW.metadata(sizes).total for sizes in ([GiB] * 10, [16 * GiB], [TiB])
    ]


def test_times_are_those_of_the_files() -> None:
    """Every timed number of memslots is a point: added and removed, one by one and in one request."""
    timed = next(host for host in HOSTS if host.timings)
    assert list(ioctl_times([timed]).chart.curves["added"][1]) == [1000 * one.add_seconds for one in timed.timings]
    updated = next(host for host in HOSTS if host.updates)
    curves = update_times_chart([updated]).chart.curves
    assert set(curves) == {"one by one", "one request", "one by one, vhost-user", "one request, vhost-user"}
    assert all(len(x) == len({one.slots for one in updated.updates}) for x, _ in curves.values())


def test_more_hosts_than_curves() -> None:
    """With more hosts than the chart has curves, the newest are shown, each under its name."""
    timed = next(host for host in HOSTS if host.timings)
    hosts = [replace(timed, name=f"host {number}", date=f"2026-01-0{number}") for number in range(9, 0, -1)]
    curves = ioctl_times(hosts).chart.curves
    assert set(curves) == {f"{what}, host {number}" for what in ("added", "removed") for number in range(6, 10)}


def test_unmergeable_memslots_are_never_missing() -> None:
    """Growing touches nothing that exists; with merging all that was plugged is deleted and added again."""
    chart = missing_over_plugged(DEVICE, ["qemu-10.0", Mergeable()], step=4 * GiB, plugged=[8 * GiB, 40 * GiB]).chart
    assert list(chart.curves["qemu-10.0"][1]) == [0, 0]
    assert list(chart.curves["mergeable"][1]) == [8 * GiB, 40 * GiB]
    assert "nothing is missing in between" in repr(growth_of(DEVICE, "qemu-10.0", 8 * GiB, 12 * GiB))
    assert "8 GiB missing for a moment" in repr(growth_of(DEVICE, Mergeable(), 8 * GiB, 12 * GiB))


def test_words_for_every_picture() -> None:
    """Each picture describes itself in words with its numbers."""
    assert "equal to the page" in repr(predicted_and_measured(HOSTS))
    assert repr(bars_of({"whole": SHADOW.metadata([TiB])})).startswith("whole: 2.5 GiB (rmap 2 GiB")

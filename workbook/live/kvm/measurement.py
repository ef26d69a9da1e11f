"""Make memslots, take the difference of the kernel's memory and the time, and give all back."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from workbook.lib.cost.kvm import KvmCost, KvmHost
from workbook.lib.cost.measurements import LayoutJson, SlotTiming
from workbook.lib.errors import BadInput
from workbook.lib.size import KiB, MiB, format_size

from .device import DEVICE, KvmDevice, Progress
from .host import other_vms, this_host
from .memslot_layout import Layout
from .vmalloc import MEMINFO_UNCERTAINTY, Usage, available_memory, read_usage

__all__ = ("RESERVE", "Measurement", "measure", "time_slots")

RESERVE: Final = 512 * MiB
"""Bytes of available memory that a measurement leaves to others."""

_SETTLE_SECONDS: Final = 5.0  # vmalloc areas are given back a moment after their memslot
_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True)
class Measurement:
    """A layout, what it cost and what was predicted; bytes and seconds.

    Parameters
    ----------
    layout, dirty_log, address_spaces
        What was made.
    measured
        From ``/proc/vmallocinfo`` by part, or ``VmallocUsed``, which knows only the total.
    predicted
        By `workbook.lib.overhead` for this host.
    disturbed
        Another VM came, went, or changed meanwhile: the numbers may hold memory of others. A VM that was there all the
        time cannot be watched: with one present, differing numbers cannot be attributed.
    add_seconds, remove_seconds
        Time in the kernel for all memslots.
    """

    layout: Layout
    dirty_log: bool
    address_spaces: int
    measured: Usage
    predicted: KvmCost
    disturbed: bool
    add_seconds: float
    remove_seconds: float

    @property
    def uncertainty(self) -> int:
        """Bytes by which `measured` may be off: 0 by part."""
        return MEMINFO_UNCERTAINTY if self.measured.by_part is None else 0

    @property
    def agrees(self) -> bool:
        """Whether prediction and measurement are equal: to the page in every part, or within `uncertainty`."""
        if self.measured.by_part is not None:
            return dict(self.measured.by_part) == self.predicted.as_dict()
        return abs(self.measured.total - self.predicted.total) <= self.uncertainty

    def to_json(self) -> LayoutJson:
        """Return the measurement as JSON takes it."""
        by_part = self.measured.by_part
        return {
            "memslots": self.layout.runs(),
            "dirty_log": self.dirty_log,
            "address_spaces": self.address_spaces,
            "total": self.measured.total,
            "parts": None if by_part is None else dict(by_part),
            "uncertainty": self.uncertainty,
            "predicted": self.predicted.as_dict(),
            "disturbed": self.disturbed,
            "add_seconds": round(self.add_seconds, 6),
            "remove_seconds": round(self.remove_seconds, 6),
        }


def measure(
    layout: Layout,
    *,
    dirty_log: bool = False,
    smm: bool = False,
    host: KvmHost | None = None,
    device: Path = DEVICE,
    progress: Progress | None = None,
) -> Measurement:
    """Make the memslots of `layout` in a VM of their own, measure them, and give all back.

    Parameters
    ----------
    layout
        The memslots; none is touched, so they need no memory but their metadata.
    dirty_log
        Whether they log dirty pages.
    smm
        Make them in both address spaces, as a machine with SMM does; not every KVM can.
    host
        What to predict for; None: `this_host`.
    device
        KVM's device file.
    progress
        Told from time to time how many memslots were added or removed.

    Raises
    ------
    BadInput
        No KVM here, too little memory (the text says how much is needed), or a layout that KVM refuses.
    """
    host = replace(host or this_host(), smm=smm)
    predicted = host.metadata(layout.sizes, dirty_log, bases=layout.bases)
    with KvmDevice(device) as kvm:
        if len(layout) > kvm.nr_memslots:
            raise BadInput(
                f"{len(layout)} memslots are too many: this host's KVM takes at most {kvm.nr_memslots} per VM"
            )
        if host.address_spaces > kvm.address_spaces:
            raise BadInput("smm=True cannot be measured: this host's KVM has one address space only, give smm=False")
        for attempt in range(_ATTEMPTS):
            _check_memory(layout, predicted)
            result = _measure_once(kvm, layout, host, predicted, dirty_log=dirty_log, progress=progress)
            if not result.disturbed or attempt == _ATTEMPTS - 1:
                break
    return result


def time_slots(
    count: int, size: int = 4 * KiB, *, repeats: int = 3, device: Path = DEVICE, progress: Progress | None = None
) -> SlotTiming:
    """Time the adding and removing of `count` memslots of `size` bytes, one ioctl each; the least of `repeats` runs.

    Raises
    ------
    BadInput
        As for `measure`.
    """
    layout = Layout.packed(count, size)
    added, removed = [], []
    with KvmDevice(device) as kvm:
        if count > kvm.nr_memslots:
            raise BadInput(f"{count} memslots are too many: this host's KVM takes at most {kvm.nr_memslots} per VM")
        for _ in range(repeats):
            _check_memory(layout, this_host().metadata(layout.sizes))
            with kvm.create_vm(size) as vm:
                added.append(vm.add(layout.sizes, layout.bases, progress=progress))
                removed.append(vm.remove(count, progress=progress))
    return SlotTiming(count, size, round(min(added), 6), round(min(removed), 6))


def _measure_once(
    kvm: KvmDevice,
    layout: Layout,
    host: KvmHost,
    predicted: KvmCost,
    *,
    dirty_log: bool,
    progress: Progress | None,
) -> Measurement:
    spaces, page_size = host.address_spaces, host.page_size
    with kvm.create_vm(max(layout.sizes)) as vm:
        others = [other_vms()]
        before = read_usage(page_size)
        added = vm.add(layout.sizes, layout.bases, spaces=spaces, dirty_log=dirty_log, progress=progress)
        others.append(other_vms())
        during = read_usage(page_size)
        others.append(other_vms())
        removed = vm.remove(len(layout), spaces=spaces, progress=progress)
    settled = _settles(before, page_size)
    result = Measurement(
        layout=layout,
        dirty_log=dirty_log,
        address_spaces=spaces,
        measured=during.since(before),
        predicted=predicted,
        disturbed=not settled or len(set(others)) > 1,
        add_seconds=added,
        remove_seconds=removed,
    )
    return replace(result, disturbed=True) if any(others) and not result.agrees else result


def _settles(before: Usage, page_size: int) -> bool:
    """Wait until the kernel's usage is back at `before`; return whether it came back."""
    tolerance = MEMINFO_UNCERTAINTY if before.by_part is None else 0
    deadline = time.monotonic() + _SETTLE_SECONDS
    while True:
        left = read_usage(page_size).since(before)
        if abs(left.total) <= tolerance and not any((left.by_part or {}).values()):
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)


def _check_memory(layout: Layout, predicted: KvmCost) -> None:
    needed = predicted.total + predicted.slab.bytes
    left = available_memory() - RESERVE
    if needed > left:
        raise BadInput(
            f"{layout} needs {format_size(needed, digits=1)} of kernel memory, but only "
            f"{format_size(max(left, 0), digits=1)} can be had ({format_size(RESERVE)} stay free): "
            "give fewer or smaller memslots, or free memory"
        )

"""KVM metadata of a virtio-mem device in a running QEMU, by part, beside what the model predicts."""

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from workbook.lib import Machine
from workbook.lib.cost.kvm import KvmCost, KvmHost
from workbook.lib.cost.measurements import LayoutJson, StartJson
from workbook.lib.errors import BadInput
from workbook.lib.size import GiB, MiB, TiB, format_size
from workbook.live.guest.virtio import MAX_BLOCKS, VirtioMemDriver
from workbook.live.kvm import RESERVE, Layout, this_host
from workbook.live.kvm.device import KvmDevice
from workbook.live.kvm.host import other_vms
from workbook.live.kvm.vmalloc import Usage, available_memory, read_usage
from workbook.live.qemu.binary import QemuBinary, find_qemu
from workbook.live.qemu.session import Session

__all__ = ("DeviceCost", "Start", "measure_device", "time_start")

_DEVICE: Final = "vm0"
_BLOCK: Final = 2 * MiB
_RAM: Final = GiB
_TIMEOUT: Final = 120.0
_SETTLE_SECONDS: Final = 5.0
_PAUSE: Final = 0.02  # arrays of memslots that go away are freed a moment later
_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class DeviceCost:
    """What a device cost at one moment; bytes and seconds.

    Parameters
    ----------
    dynamic
        Its ``dynamic-memslots``.
    size, plugged
        Of the device.
    memslots
        Start and size of each that QEMU gave to KVM for the device (its own trace).
    address_spaces
        In how many address spaces these exist: 2 with SMM.
    measured
        By part, from ``/proc/vmallocinfo``: this VM less the same VM without the device.
    predicted
        For the memslots that the model of this VM has mapped.
    disturbed
        Another VM came, went, or may have changed meanwhile: the numbers may hold memory of others.
    plug_seconds
        Time of the plug requests since the moment before.
    """

    dynamic: bool
    size: int
    plugged: int
    memslots: tuple[tuple[int, int], ...]
    address_spaces: int
    measured: Usage
    predicted: KvmCost
    disturbed: bool
    plug_seconds: float

    @property
    def agrees(self) -> bool:
        """Whether measured and predicted are equal to the page in every part."""
        return self.measured.by_part == self.predicted.as_dict()

    def to_json(self) -> LayoutJson:
        """Return the measurement as JSON takes it; the fields of `workbook.live.kvm` have its names."""
        starts, sizes = zip(*self.memslots, strict=True) if self.memslots else ((), ())
        return {
            "dynamic_memslots": self.dynamic,
            "device_size": self.size,
            "plugged": self.plugged,
            "memslots": Layout(sizes, starts).runs() if sizes else [],
            "dirty_log": False,
            "address_spaces": self.address_spaces,
            "total": self.measured.total,
            "parts": dict(self.measured.by_part or {}),
            "uncertainty": 0,
            "predicted": self.predicted.as_dict(),
            "disturbed": self.disturbed,
            "plug_seconds": round(self.plug_seconds, 6),
        }


@dataclass(frozen=True, slots=True)
class Start:
    """How long QEMU takes to start, from the start of the process until the guest's driver runs.

    Parameters
    ----------
    dynamic
        The device's ``dynamic-memslots``; None: without the device.
    size
        Of the device in bytes.
    seconds
        Of each start, in order: the first one may have to fetch memory that no later one has to.
    """

    dynamic: bool | None
    size: int
    seconds: tuple[float, ...]

    def to_json(self) -> StartJson:
        """Return the times as JSON takes them, to the millisecond."""
        seconds = [round(one, 3) for one in self.seconds]
        return {"dynamic_memslots": self.dynamic, "device_size": self.size, "seconds": seconds}


def time_start(*, dynamic: bool | None, size: int = TiB, repeats: int = 3, qemu: QemuBinary | None = None) -> Start:
    """Start QEMU with an empty virtio-mem device, or without one, and end it again.

    Parameters
    ----------
    dynamic
        Its ``dynamic-memslots``; None: without the device.
    size
        Of the device in bytes.
    repeats
        How often.
    qemu
        The executable; None: as `find_qemu` finds it.

    Raises
    ------
    BadInput
        No KVM, or too little memory.
    QemuMissing, QemuDied, QemuHangs
        As for `measure_device`.
    """
    binary, argv, seconds = qemu or find_qemu(), _argv(size, dynamic=dynamic), []
    if dynamic is not None:
        _check_memory(_predict([0], argv, _with_smm()), size)
    for _ in range(repeats):
        with tempfile.TemporaryDirectory(prefix="memslots-") as folder:
            session = Session(binary, argv, {}, _TIMEOUT, Path(folder) / "migration")
            begin = time.perf_counter()
            with session:
                seconds.append(time.perf_counter() - begin)
    return Start(dynamic, size, tuple(seconds))


def measure_device(
    plugged: Sequence[int],
    *,
    dynamic: bool,
    size: int = TiB,
    qemu: QemuBinary | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[DeviceCost, ...]:
    """Start QEMU with a virtio-mem device and measure it at each plugged size; everything is given back.

    Parameters
    ----------
    plugged
        Bytes plugged at the moments to measure, ascending, whole 2 MiB blocks.
    dynamic
        Its ``dynamic-memslots``: on or off.
    size
        Of the device in bytes; its memory is neither reserved nor touched.
    qemu
        The executable; None: as `find_qemu` finds it.
    progress
        Called with 1 after each moment.

    Raises
    ------
    BadInput
        The sizes make no sense, or this host cannot measure: no KVM, not root, too little memory (how much is said).
    QemuMissing
        There is no QEMU, or it is too old.
    QemuDied, QemuHangs
        It ended, or does not answer.
    """
    steps = tuple(plugged)
    if not steps or list(steps) != sorted(set(steps)) or steps[0] < 0 or steps[-1] > size:
        raise BadInput(f"plugged sizes {list(steps)} do not fit: give ascending ones from 0 to {format_size(size)}")
    if any(one % _BLOCK for one in (*steps, size)):
        raise BadInput(f"plugged sizes {list(steps)} and size {size} must be multiples of {format_size(_BLOCK)}")
    binary = qemu or find_qemu()
    host = _with_smm()
    if not os.access("/proc/vmallocinfo", os.R_OK):
        raise BadInput("/proc/vmallocinfo may not be read, and only it tells a VM's memory by part: run as root")
    predicted = _predict(steps, _argv(size, dynamic=dynamic), host)
    _check_memory(predicted, size)
    for attempt in range(_ATTEMPTS):
        costs = _Attempt(binary, host, size, dynamic=dynamic).measure(steps, predicted, progress)
        if not costs[0].disturbed or attempt == _ATTEMPTS - 1:
            break
        progress = None  # the bar has seen these already
    return costs


def _with_smm() -> KvmHost:
    """Return this host, with the SMM that QEMU's machines have where KVM has it."""
    with KvmDevice() as kvm:
        return replace(this_host(), smm=kvm.address_spaces > 1)


def _argv(size: int, *, dynamic: bool | None) -> list[str]:
    """Command line of the VM; `dynamic` None: the same without the device."""
    words = ["qemu-system-x86_64", "-accel", "kvm", "-machine", "q35,memory-backend=ram", "-nodefaults"]
    # more than 40 physical address bits, and device memory that is not moved above 1 TiB as on AMD's
    words += ["-cpu", "qemu64,vendor=GenuineIntel,phys-bits=48,-sse3"]
    words += ["-m", f"{_RAM // MiB}M,maxmem={(_RAM + size) // MiB}M"]
    words += ["-object", f"memory-backend-memfd,id=ram,size={_RAM // MiB}M,share=on"]
    if dynamic is None:
        return words
    switch = "on" if dynamic else "off"
    words += ["-object", f"memory-backend-memfd,id=mem0,size={size // MiB}M,share=on,reserve=off"]
    return [*words, "-device", f"virtio-mem-pci,id={_DEVICE},memdev=mem0,dynamic-memslots={switch}"]


def _predict(steps: Sequence[int], argv: list[str], host: KvmHost) -> list[KvmCost]:
    """Return the model's metadata of the device at each step; QEMU is not asked."""
    machine = Machine.from_qemu_args(argv)
    machine.request_size(_DEVICE, max(steps))
    costs, at = [], 0
    for end in steps:
        if end > at:
            machine.plug(_DEVICE, at, end - at)
            at = end
        picture = machine.picture
        costs.append(host.metadata(picture.memslot_sizes, bases=picture.memslot_bases))
    return costs


def _check_memory(predicted: Sequence[KvmCost], size: int) -> None:
    needed = max(cost.total + cost.slab.bytes for cost in predicted)
    left = available_memory() - RESERVE
    if needed > left:
        raise BadInput(
            f"a device of {format_size(size)} needs {format_size(needed, digits=1)} of kernel memory, but only "
            f"{format_size(max(left, 0), digits=1)} can be had ({format_size(RESERVE)} stay free): "
            "give a smaller device or less plugged memory, or free memory"
        )


@dataclass
class _Attempt:
    """One QEMU without the device and one with it."""

    binary: QemuBinary
    host: KvmHost
    size: int
    dynamic: bool

    def measure(
        self, steps: Sequence[int], predicted: Sequence[KvmCost], progress: Callable[[int], None] | None
    ) -> tuple[DeviceCost, ...]:
        others = {other_vms()}
        without, before = self._without_device(others)
        with (
            tempfile.TemporaryDirectory(prefix="memslots-") as folder,
            self._session(_argv(self.size, dynamic=self.dynamic), Path(folder)) as session,
        ):
            path = f"/machine/peripheral/{_DEVICE}"
            request = {"path": path, "property": "requested-size", "value": max(steps)}
            session.qmp.execute("qom-set", request)
            driver = session.driver(_DEVICE)
            base, at, costs = driver.config_space().addr, 0, []
            trace = session.process.trace
            assert trace is not None  # it runs with KVM
            for end, cost in zip(steps, predicted, strict=True):
                seconds = _plug(driver, base, at, end)
                at = end
                others.add(_others(session))
                costs.append(
                    DeviceCost(
                        dynamic=self.dynamic,
                        size=self.size,
                        plugged=end,
                        memslots=trace.memslots(base, base + self.size),
                        address_spaces=self.host.address_spaces,
                        measured=self._stable().since(before).since(without),
                        predicted=cost,
                        disturbed=False,
                        plug_seconds=seconds,
                    )
                )
                others.add(_others(session))
                if progress:
                    progress(1)
        others.add(other_vms())
        disturbed = len(others) > 1 or not self._settles(before)
        # a VM that was there all the time may have changed its memslots: then the difference cannot be attributed
        disturbed = disturbed or (any(others) and not all(one.agrees for one in costs))
        return tuple(replace(one, disturbed=disturbed) for one in costs)

    def _session(self, argv: list[str], folder: Path) -> Session:
        return Session(self.binary, argv, {}, _TIMEOUT, folder / "migration")

    def _without_device(self, others: set[frozenset[tuple[int, int]]]) -> tuple[Usage, Usage]:
        """Return what the VM costs without the device, and the usage before."""
        before = self._stable()
        with (
            tempfile.TemporaryDirectory(prefix="memslots-") as folder,
            self._session(_argv(self.size, dynamic=None), Path(folder)) as session,
        ):
            without = self._stable().since(before)
            others.add(_others(session))
        self._settles(before)
        return without, before

    def _stable(self) -> Usage:
        """Return the usage once two readings agree."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        usage = read_usage(self.host.page_size)
        while time.monotonic() < deadline:
            time.sleep(_PAUSE)
            usage, last = read_usage(self.host.page_size), usage
            if usage == last:
                break
        return usage

    def _settles(self, before: Usage) -> bool:
        """Wait until QEMU's memory is given back; return whether it was."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        while read_usage(self.host.page_size) != before:
            if time.monotonic() > deadline:
                return False
            time.sleep(_PAUSE)
        return True


def _others(session: Session) -> frozenset[tuple[int, int]]:
    """Return the VMs of everybody but this QEMU."""
    return frozenset(vm for vm in other_vms() if vm[0] != session.process.pid)


def _plug(driver: VirtioMemDriver, base: int, start: int, end: int) -> float:
    """Plug [start, end) with as few requests as possible; return the seconds."""
    begin = time.perf_counter()
    while start < end:
        size = min(end - start, MAX_BLOCKS * _BLOCK)
        answer = driver.plug(base + start, size // _BLOCK)
        if answer.response != "ACK":
            raise BadInput(
                f"QEMU answers {answer.response} to plugging {format_size(size)}: give a size that its host can have"
            )
        start += size
    return time.perf_counter() - begin

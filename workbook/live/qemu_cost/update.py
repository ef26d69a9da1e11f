"""Time and messages of memslot updates in a running QEMU: one by one, and all in one request."""

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from workbook.lib.actions import VhostStart
from workbook.lib.cost.measurements import MeasuredUpdate
from workbook.lib.errors import BadInput
from workbook.lib.size import GiB, MiB
from workbook.live.guest.virtio import MemAnswer, VirtioMemDriver
from workbook.live.qemu.actions import perform
from workbook.live.qemu.binary import QemuBinary, find_qemu, usable_accel
from workbook.live.qemu.session import Session

__all__ = ("MOST_SLOTS", "measure_update")

MOST_SLOTS: Final = 256
"""Memslots of the device: QEMU's soft limit over all memory devices (hw/mem/memory-device.c, QEMU 8.2)."""

_DEVICE, _VHOST = "vm0", "vu0"
_SLOT: Final = GiB
_BLOCK: Final = 16 * MiB
"""Large enough that one request, of at most 65535 blocks, covers all memslots."""
_VHOST_LIMIT: Final = 512
_TIMEOUT: Final = 60.0


def measure_update(
    counts: Sequence[int],
    *,
    vhost: bool,
    repeats: int = 3,
    qemu: QemuBinary | None = None,
    accel: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[MeasuredUpdate, ...]:
    """Map and unmap memslots of a 256 GiB device one by one and all at once, for each number of memslots.

    Parameters
    ----------
    counts
        Numbers of memslots, 1 to `MOST_SLOTS`.
    vhost
        With a started vhost-user device. Its backend is a thread of this program that answers at once and maps nothing:
        a real one takes longer.
    repeats
        How often; the least time counts.
    qemu
        The executable; None: as `find_qemu` finds it.
    accel
        ``"kvm"`` or ``"tcg"``; None: as `usable_accel` says.
    progress
        Called with 1 for each number of memslots.

    Raises
    ------
    BadInput
        A number of memslots that the device does not have, or no repetition.
    QemuMissing, QemuDied, QemuHangs
        As for `workbook.live.qemu_cost.measure_device`.
    """
    wrong = next((one for one in counts if not 1 <= one <= MOST_SLOTS), None)
    if wrong is not None or repeats < 1:
        raise BadInput(
            f"{wrong} memslots, {repeats} repetitions: give 1 to {MOST_SLOTS} memslots and at least one repetition"
        )
    accel = accel or usable_accel()
    best: dict[tuple[int, int, bool], MeasuredUpdate] = {}
    with (
        tempfile.TemporaryDirectory(prefix="memslots-") as folder,
        Session(
            qemu or find_qemu(),
            _argv(accel, vhost=vhost),
            {_VHOST: _VHOST_LIMIT} if vhost else {},
            _TIMEOUT,
            Path(folder) / "migration",
        ) as session,
    ):
        if vhost:
            perform(session, VhostStart(dev=_VHOST))
        updates = _Updates(session, vhost=vhost, accel=accel)
        for count in counts:
            for _ in range(repeats):
                for one in (*updates.run(count, count), *updates.run(count, 1)):
                    key = one.slots, one.requests, one.mapped
                    known = best.get(key, one)
                    least = min(one.seconds, known.seconds)
                    best[key] = replace(one, seconds=least, idle_seconds=min(one.idle_seconds, known.idle_seconds))
            if progress:
                progress(1)
    return tuple(best.values())


def _argv(accel: str, *, vhost: bool) -> list[str]:
    words = ["qemu-system-x86_64", "-accel", accel, "-machine", "q35,memory-backend=ram", "-nodefaults"]
    words += ["-cpu", "qemu64,vendor=GenuineIntel,phys-bits=48,-sse3"]
    size = MOST_SLOTS * _SLOT
    words += ["-m", f"1G,maxmem={(GiB + size) // GiB}G"]
    words += ["-object", "memory-backend-memfd,id=ram,size=1G,share=on"]
    if vhost:
        words += ["-chardev", f"socket,id=c0,path=TMP/{_VHOST}"]
        words += ["-device", f"vhost-user-rng-pci,id={_VHOST},chardev=c0"]
    words += ["-object", f"memory-backend-memfd,id=mem0,size={size // GiB}G,share=on,reserve=off"]
    device = f"virtio-mem-pci,id={_DEVICE},memdev=mem0,block-size={_BLOCK // MiB}M,dynamic-memslots=on"
    return [*words, "-device", f"{device},requested-size={size // GiB}G"]


class _Updates:
    """The updates of one running QEMU."""

    def __init__(self, session: Session, *, vhost: bool, accel: str) -> None:
        self._session = session
        self._vhost = vhost
        self._accel = accel
        self._driver = session.driver(_DEVICE)
        self._base = self._driver.config_space().addr
        self._known: Counter[str] = Counter()

    def run(self, slots: int, requests: int) -> tuple[MeasuredUpdate, MeasuredUpdate]:
        """Map memslots 0 to `slots` - 1 in so many requests, and unmap them."""
        idle = self._time(VirtioMemDriver.state, slots, requests)
        self._seen()
        mapped = self._update(VirtioMemDriver.plug, slots, requests, idle)
        return mapped, self._update(VirtioMemDriver.unplug, slots, requests, idle)

    def _update(
        self, request: Callable[[VirtioMemDriver, int, int], MemAnswer], slots: int, requests: int, idle: float
    ) -> MeasuredUpdate:
        seconds = self._time(request, slots, requests)
        messages, ioctls = self._seen()
        return MeasuredUpdate(
            slots=slots,
            requests=requests,
            mapped=request is VirtioMemDriver.plug,
            vhost=self._vhost,
            accel=self._accel,
            seconds=seconds,
            idle_seconds=idle,
            messages=messages,
            ioctls=ioctls,
        )

    def _time(self, request: Callable[[VirtioMemDriver, int, int], MemAnswer], slots: int, requests: int) -> float:
        size = slots // requests * _SLOT
        begin = time.perf_counter()
        for start in range(0, slots * _SLOT, size):
            answer = request(self._driver, self._base + start, size // _BLOCK)
            if answer.response != "ACK":
                raise BadInput(f"QEMU answers {answer.response} where it should map a memslot: see `info mtree`")
        return time.perf_counter() - begin

    def _seen(self) -> tuple[dict[str, int], int]:
        """Return the messages and ioctls since the last call."""
        messages: Counter[str] = Counter()
        for backend in self._session.backends.values():
            messages.update(backend.snapshot().messages)
        new, self._known = messages - self._known, messages
        trace = self._session.process.trace
        ioctls = (trace.snapshot(0, 0).ioctls or {}) if trace else {}
        return dict(new), sum(ioctls.values())

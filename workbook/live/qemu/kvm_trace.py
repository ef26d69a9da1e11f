"""KVM's memslots as QEMU's trace of its ioctls tells them.

One line for each KVM_SET_USER_MEMORY_REGION(2) (accel/kvm/kvm-all.c, event ``kvm_set_user_memory``; QEMU 8.2 to 10.0).
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from workbook.lib.recording.format import KvmMemslots

__all__ = ("KvmTrace",)

EVENT: Final = "kvm_set_user_memory"

_LINE = re.compile(
    r"kvm_set_user_memory (?:AddrSpace#(?P<space>\d+) )?Slot#(?P<slot>\d+) .*?"
    r"gpa=(?P<gpa>0x[0-9a-f]+) size=(?P<size>0x[0-9a-f]+) .*ret=(?P<ret>-?\d+)"
)


@dataclass(slots=True)
class KvmTrace:
    """Follow the trace file of a running QEMU.

    Parameters
    ----------
    path
        The file given to ``-D``.
    """

    path: Path
    _offset: int = 0
    _partial: bytes = b""
    _live: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    _ioctls: Counter[int] = field(default_factory=Counter)

    def snapshot(self, start: int, end: int) -> KvmMemslots:
        """Read what is new in the trace.

        Parameters
        ----------
        start, end
            Guest physical addresses of the device memory; `end` is exclusive.

        Returns
        -------
        KvmMemslots
            With the ioctls since the last snapshot.
        """
        self._read()
        device = Counter(space for (space, _), (gpa, _) in self._live.items() if start <= gpa < end)
        live = Counter(space for space, _ in self._live)
        ioctls, self._ioctls = self._ioctls, Counter()
        return KvmMemslots(ioctls=_by_space(ioctls), live=_by_space(live), live_device_memory=_by_space(device))

    def memslots(self, start: int, end: int) -> tuple[tuple[int, int], ...]:
        """Return guest physical start and size in bytes of the memslots in [start, end), ascending.

        Those of the first address space; with SMM the second one has the same.
        """
        self._read()
        return tuple(sorted(one for (space, _), one in self._live.items() if not space and start <= one[0] < end))

    def _read(self) -> None:
        if not self.path.exists():  # QEMU opens it with the first event
            return
        with self.path.open("rb") as file:
            file.seek(self._offset)
            new = file.read()
        self._offset += len(new)
        *lines, self._partial = (self._partial + new).split(b"\n")
        for line in lines:
            match = _LINE.search(line.decode("ascii", "replace"))
            if match is None:
                continue
            slot = int(match["slot"])
            # before QEMU 9.0 the address space is in the upper half of the slot number
            key = (slot >> 16, slot & 0xFFFF) if match["space"] is None else (int(match["space"]), slot)
            self._ioctls[key[0]] += 1
            if int(match["ret"]):
                continue
            if int(match["size"], 16):
                self._live[key] = int(match["gpa"], 16), int(match["size"], 16)
            else:
                self._live.pop(key, None)


def _by_space(counts: Counter[int]) -> dict[str, int]:
    return {str(space): counts[space] for space in sorted(counts) if counts[space]}

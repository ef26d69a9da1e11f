"""Input and output of a rule set: the budget of memslots, and how a device's RAM is split into memslots."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from workbook.lib.trace import TraceStep

__all__ = ("Budget", "Decision", "DeviceState", "Remap")


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The memslots available when a memory device is about to be plugged.

    Attributes
    ----------
    device_memory_size
        ``D``: maxmem less RAM, bytes.
    used_region_size
        Bytes of the memory devices that are plugged already.
    required, used
        Memslots that these may ever map, and map now.
    kvm_max, kvm_free
        KVM's limit and what is free; None without KVM.
    vhost_max, vhost_free
        The smallest limit of all vhost back ends, and what is free; None without any.
    """

    device_memory_size: int
    used_region_size: int = 0
    required: int = 0
    used: int = 0
    kvm_max: int | None = None
    kvm_free: int | None = None
    vhost_max: int | None = None
    vhost_free: int | None = None

    @property
    def reserved(self) -> int:
        """Memslots promised to plugged devices and not mapped yet."""
        return self.required - self.used


@dataclass(frozen=True, slots=True)
class Decision:
    """How a device's RAM is cut into memslots.

    Attributes
    ----------
    limit
        How many memslots the rule grants.
    count
        How many the device has.
    memslot_size
        Bytes of each but the last.
    region_size
        Bytes of the device's RAM.
    direct
        No container and no aliases: the RAM itself is mapped, always and completely.
    rest_in_last
        The last memslot takes what is left, also if that is more than the others have.
    trace
        Every intermediate value, in order.
    """

    limit: int
    count: int
    memslot_size: int
    region_size: int
    direct: bool = False
    rest_in_last: bool = False
    trace: tuple[TraceStep, ...] = ()

    def offset(self, index: int) -> int:
        """Return where slot `index` starts in the device, bytes."""
        return index * self.memslot_size

    def size(self, index: int) -> int:
        """Return the bytes of slot `index`.

        A surplus slot of the RFC lies behind the end: its size is 0, or wraps to a full slot.
        """
        rest = (self.region_size - self.offset(index)) & ((1 << 64) - 1)
        return rest if self.rest_in_last and index == self.count - 1 else min(self.memslot_size, rest)

    def total(self, indices: Sequence[int]) -> int:
        """Return the bytes of the slots of these indices, ascending."""
        if not indices:
            return 0
        # only the last slot can have another size, and behind the end each has its own
        return self.memslot_size * (len(indices) - 1) + self.size(indices[-1])

    def slots(self, start: int, end: int) -> range:
        """Return the indices of the slots that the bytes [start, end) touch."""
        return range(min(start // self.memslot_size, self.count - 1), min(self.count, -(-end // self.memslot_size)))


class Plugged(Protocol):
    """Which bytes of a device are plugged."""

    def touches(self, start: int, end: int) -> bool:
        """Return whether any byte of [start, end) is plugged."""

    def covers(self, start: int, end: int) -> bool:
        """Return whether all of [start, end) is plugged."""

    def extents(self) -> Iterable[tuple[int, int]]:
        """Yield the plugged pieces as (start, end), ascending."""


class DeviceState(Protocol):
    """Input of a mapping rule."""

    @property
    def decision(self) -> Decision:
        """How the device is cut."""

    @property
    def usable_region_size(self) -> int:
        """Bytes from the start in which the guest may plug."""

    @property
    def plugged(self) -> Plugged:
        """What the guest has plugged."""

    @property
    def mapped(self) -> Sequence[int]:
        """Indices of the memslots that are mapped now."""

    @property
    def changed(self) -> tuple[int, int]:
        """[start, end) of the last request that changed something, bytes from the device's start."""


class Remap(Enum):
    """The moments at which a rule set looks again at which slots are to be mapped."""

    RESIZE = auto()
    PLUG = auto()
    UNPLUG = auto()
    RESTORE = auto()

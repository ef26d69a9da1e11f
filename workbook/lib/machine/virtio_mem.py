"""The virtio-mem device: blocks, requested, usable and plugged size, and how it answers the guest.

Sources: hw/virtio/virtio-mem.c (QEMU 7.2 with the RFC series, 8.2, 10.0), linux/uapi/virtio_mem.h, virtio-spec
device-types/mem.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Final

from workbook.lib.errors import BadInput, Refusal
from workbook.lib.rules.answers import Response
from workbook.lib.rules.base import Decision, Remap, RuleSet
from workbook.lib.size import GiB, MiB

__all__ = (
    "USABLE_EXTENT_ARM",
    "USABLE_EXTENT_X86",
    "BlockState",
    "PluggedBlocks",
    "RequestType",
    "Response",
    "VirtioMemDevice",
    "check_bytes",
)

USABLE_EXTENT_X86: Final = 256 * MiB
"""VIRTIO_MEM_USABLE_EXTENT: twice the largest Linux memory block of the target; s390x the same since 10.0."""
USABLE_EXTENT_ARM: Final = GiB
_SAME_DEVICE: Final = "give the destination the same device as the source"


class BlockState(StrEnum):
    """Answer to a STATE request for a range."""

    PLUGGED = "PLUGGED"
    UNPLUGGED = "UNPLUGGED"
    MIXED = "MIXED"


class RequestType(IntEnum):
    """Request numbers on the wire."""

    PLUG = 0
    UNPLUG = 1
    UNPLUG_ALL = 2
    STATE = 3


VERSION_1: Final = 1 << 32
"""Feature bit that every driver of a modern virtio device accepts (virtio 1.2, section 6)."""


@dataclass
class PluggedBlocks:
    """The plugged bytes of a device as sorted, disjoint, never touching extents [start, end)."""

    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Plugged bytes."""
        return sum(self.ends) - sum(self.starts)

    def extents(self) -> Iterator[tuple[int, int]]:
        """Yield the extents, ascending."""
        return zip(self.starts, self.ends, strict=True)

    def touches(self, start: int, end: int) -> bool:
        """Return whether any byte of [start, end) is plugged."""
        index = bisect_right(self.ends, start)
        return index < len(self.starts) and self.starts[index] < end

    def covers(self, start: int, end: int) -> bool:
        """Return whether all of [start, end) is plugged."""
        index = bisect_right(self.starts, start) - 1
        return index >= 0 and end <= self.ends[index]

    def plug(self, start: int, end: int) -> None:
        """Plug [start, end)."""
        first, last = bisect_left(self.ends, start), bisect_right(self.starts, end)
        if first < last:
            start, end = min(start, self.starts[first]), max(end, self.ends[last - 1])
        self.starts[first:last], self.ends[first:last] = [start], [end]

    def unplug(self, start: int, end: int) -> None:
        """Unplug [start, end)."""
        first, last = bisect_right(self.ends, start), bisect_left(self.starts, end)
        if first >= last:
            return
        left, right = self.starts[first], self.ends[last - 1]
        pieces = [piece for piece in ((left, start), (end, right)) if piece[0] < piece[1]]
        self.starts[first:last] = [piece[0] for piece in pieces]
        self.ends[first:last] = [piece[1] for piece in pieces]

    def clear(self) -> None:
        """Unplug everything."""
        self.starts.clear()
        self.ends.clear()

    def copy(self) -> "PluggedBlocks":
        """Return an independent copy."""
        return PluggedBlocks(self.starts.copy(), self.ends.copy())


def check_bytes(what: str, value: object) -> None:
    """Check a number of bytes that somebody hands in.

    Raises
    ------
    BadInput
        Not a whole number, or negative.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadInput(f"{what} {value!r:.60} is not a number of bytes: give a whole number, 0 or more")


@dataclass
class VirtioMemDevice:
    """A realized device.

    Offsets count from the device's start; all sizes are bytes.

    Attributes
    ----------
    decision
        How its RAM is cut into memslots.
    mapped
        Indices of the slots that are mapped now, ascending.
    joined
        Where the rule set joins what is mapped at one moment: [first, last + 1) of the indices of each memslot.
    changed
        [start, end) of the last request that changed something.
    broken
        The guest broke the protocol: no answers until a reset.
    has_driver
        The guest's driver runs: it has accepted what it must accept.
    """

    rules: RuleSet
    decision: Decision
    block_size: int
    addr: int
    region_size: int
    requested_size: int
    node: int = 0
    usable_extent: int = USABLE_EXTENT_X86
    usable_region_size: int = 0
    plugged: PluggedBlocks = field(default_factory=PluggedBlocks)
    mapped: Sequence[int] = ()
    joined: tuple[tuple[int, int], ...] = ()
    changed: tuple[int, int] = (0, 0)
    broken: bool = False
    has_driver: bool = True

    def __post_init__(self) -> None:
        self.resize_usable(self.requested_size, can_shrink=True)
        if self.decision.direct:
            self.mapped = (0,)

    @property
    def size(self) -> int:
        """Plugged bytes, ``size`` in QMP."""
        return self.plugged.size

    @property
    def exposed(self) -> int:
        """Bytes that the guest can touch though they are not plugged: mapped, and no block of them is plugged."""
        decision, mapped = self.decision, set(self.mapped)
        if all(mapped.issuperset(decision.slots(start, end)) for start, end in self.plugged.extents()):
            return decision.total(self.mapped) - self.size
        plugged = 0
        for start, end in self.plugged.extents():
            for index in mapped.intersection(decision.slots(start, end)):
                offset = decision.offset(index)
                plugged += min(end, offset + decision.size(index)) - max(start, offset)
        return decision.total(self.mapped) - plugged

    def remap(self, moment: Remap) -> None:
        """Let the rule set look at which slots are to be mapped, if `moment` is one at which it does."""
        if moment not in self.rules.remap_on or self.decision.direct:
            return
        before, self.mapped = self.mapped, tuple(self.rules.mapped(self))
        if self.rules.joins_new_memslots and len(self.mapped) > len(before):
            self.joined += ((len(before), len(self.mapped)),)

    @property
    def memslots(self) -> int:
        """Memslots that are mapped: pieces that came at one moment can be one of them."""
        return len(self.joined) if self.rules.joins_new_memslots and not self.decision.direct else len(self.mapped)

    def resize_usable(self, requested: int, *, can_shrink: bool) -> None:
        """Set the usable region for a requested size."""
        usable = self.rules.answers.usable_region(self, requested, can_shrink=can_shrink)
        if usable >= self.usable_region_size or can_shrink:
            self.usable_region_size = usable
            self.remap(Remap.RESIZE)

    def start_driver(self, *, accepted: bool = True) -> None:
        """Reset the device and let its driver negotiate (``virtio_mem_validate_features``).

        Parameters
        ----------
        accepted
            The driver accepts every feature that it must accept.

        Raises
        ------
        Refusal
            It does not: FEATURES_OK stays clear.
        """
        self.broken, self.has_driver = False, accepted
        if not accepted:
            raise Refusal(
                f"the device does not accept the features {VERSION_1:#x}: FEATURES_OK stays clear",
                "a guest driver that knows VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE (Linux 5.16), "
                "or unplugged-inaccessible=off",
            )

    def require_driver(self) -> None:
        """Check that there is a driver to ask the device for anything.

        Raises
        ------
        Refusal
            It does not run.
        """
        if not self.has_driver:
            raise Refusal(
                "the driver of the virtio device is not running (DRIVER_OK is clear): start it first",
                "let the driver accept VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE",
            )

    def request_size(self, size: int) -> None:
        """Ask the guest for `size` bytes (``qom-set requested-size``).

        Raises
        ------
        BadInput
            Not a whole number of bytes, or negative.
        Refusal
            Not a multiple of the block size, or larger than the device.
        """
        check_bytes("requested size", size)
        self.rules.answers.check_request(self, size)
        if size != self.requested_size:
            self.resize_usable(size, can_shrink=False)
            self.requested_size = size

    def plug(self, start: int, size: int, *, busy: bool = False) -> Response:
        """Answer a PLUG request for [start, start + size)."""
        answer = self.rules.answers.plug(self, start, size, busy=busy and self.rules.answers.can_be_busy)
        if answer is Response.ACK:
            self.plugged.plug(start, start + size)
            self.changed = start, start + size
            self.remap(Remap.PLUG)
        return answer

    def unplug(self, start: int, size: int, *, busy: bool = False) -> Response:
        """Answer an UNPLUG request for [start, start + size)."""
        answer = self.rules.answers.unplug(self, start, size, busy=busy and self.rules.answers.can_be_busy)
        if answer is Response.ACK:
            self.plugged.unplug(start, start + size)
            self.changed = start, start + size
            self.remap(Remap.UNPLUG)
        return answer

    def unplug_all(self, *, busy: bool = False) -> Response:
        """Answer an UNPLUG_ALL request; a system reset does the same. May shrink the usable region."""
        busy = busy and (bool(self.plugged.starts) or not self.rules.qemu.unplug_all_when_empty)
        answer, gone = self.rules.answers.unplug_all(self, busy=busy and self.rules.answers.can_be_busy)
        for start, end in gone:
            self.plugged.unplug(start, end)
        if gone:
            self.changed = 0, self.region_size
            self.remap(Remap.UNPLUG)
        if answer is Response.ACK:
            self.resize_usable(self.requested_size, can_shrink=True)
        return answer

    def state(self, start: int, size: int) -> tuple[Response, BlockState | None]:
        """Answer a STATE request."""
        if not self.rules.answers.is_valid(self, start, size):
            return Response.ERROR, None
        if self.plugged.covers(start, start + size):
            return Response.ACK, BlockState.PLUGGED
        if self.plugged.touches(start, start + size):
            return Response.ACK, BlockState.MIXED
        return Response.ACK, BlockState.UNPLUGGED

    def restore(self, source: "VirtioMemDevice") -> None:
        """Take over what a migration stream carries: sizes and the bitmap; slots as the rule set says.

        Raises
        ------
        Refusal
            Source and destination are not the same device (``virtio_mem_mig_sanity_checks_post_load``).
        """
        for prop, changed, was, now in (
            ("memaddr", "changed", source.addr, self.addr),
            ("memdev", "size changed", source.region_size, self.region_size),
            ("block-size", "changed", source.block_size, self.block_size),
        ):
            if was != now:
                raise Refusal(f"Property '{prop}' {changed} from {was:#x} to {now:#x}", _SAME_DEVICE)
        if source.node != self.node:
            raise Refusal(f"Property 'node' changed from {source.node} to {self.node}", _SAME_DEVICE)
        self.usable_region_size = source.usable_region_size
        self.requested_size = source.requested_size
        self.plugged = source.plugged.copy()
        self.remap(Remap.RESTORE)

    def config_space(self) -> dict[str, int]:
        """Return the seven fields that the guest reads, by their names in the specification."""
        return {
            "block_size": self.block_size,
            "node_id": self.node,
            "addr": self.addr,
            "region_size": self.region_size,
            "usable_region_size": self.usable_region_size,
            "plugged_size": self.size,
            "requested_size": self.requested_size,
        }

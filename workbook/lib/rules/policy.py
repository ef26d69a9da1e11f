"""A memslot policy: how many memslots a device gets, how its RAM is cut, and which of them are mapped when."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from workbook.lib.errors import BadInput
from workbook.lib.size import GiB, MiB, round_up
from workbook.lib.trace import Trace

from .decision import Budget, Decision, DeviceState, Remap

__all__ = ("MemslotPolicy",)


class MemslotPolicy:
    """One way to expose device memory through memslots; a new one overrides `limit`, and what else it does differently.

    What is not overridden is what was merged in QEMU 8.2.

    Attributes
    ----------
    container_name, slot_name
        Of the regions as ``info mtree`` shows them.
    unmergeable
        Neighbouring memslots stay apart, for KVM and for vhost.
    min_memslot_size
        Bytes of a memslot at least, the last one apart.
    remap_on
        The moments at which it is decided again which memslots are mapped.
    joins_new_memslots
        What is mapped is a prefix, and what joins it at one moment is one memslot.
    one_transaction
        All memslots of one request change in one memory transaction; otherwise one after the other.
    decides_with_given_block_size
        The decision sees the block size as the user gave it, 0 if not at all (RFC).
    rest_in_last
        The last memslot takes the rest, also if it is larger than the others.
    shows_memslot_properties
        The device has the properties memslots, used-memslots and max-memslots (RFC).
    unknown_properties
        virtio-mem properties that are refused, with QEMU's words; others are accepted.
    """

    container_name: str = "virtio-mem"
    slot_name: str = "memslot-{}"
    unmergeable: bool = True
    min_memslot_size: int = GiB
    remap_on: frozenset[Remap] = frozenset({Remap.PLUG, Remap.UNPLUG, Remap.RESTORE})
    joins_new_memslots: bool = False
    one_transaction: bool = True
    decides_with_given_block_size: bool = False
    rest_in_last: bool = False
    shows_memslot_properties: bool = False
    unknown_properties: ClassVar[Mapping[str, str]] = {}

    def limit(self, budget: Budget, region_size: int, trace: Trace) -> int:
        """Return how many memslots a device of `region_size` bytes may have.

        Parameters
        ----------
        budget
            What the environment has to give.
        trace
            Note every intermediate value here; it is shown to the user.
        """
        raise NotImplementedError

    def is_dynamic(self, *, dynamic_memslots: bool | None) -> bool:
        """Return whether a device is split into memslots at all."""
        return dynamic_memslots is not False

    def default_max_memslots(self, machine_version: tuple[int, int] | None) -> int:  # noqa: ARG002 - only the RFC looks at it
        """Return the user's limit where the user gives none: 0 for automatic.

        Parameters
        ----------
        machine_version
            Of a versioned machine type; None for the newest.
        """
        return 0

    def check_max_memslots(self, value: int) -> None:
        """Check a limit that the user gives, when the property is set."""

    def will_fail_realize(self, region_size: int, block_size: int, page_size: int) -> bool:
        """Return whether realize is going to refuse a device, which until then counts as one memslot.

        QEMU 8.2: the block size is below the page size of the memory backend, or does not divide its size.
        """
        return block_size < page_size or region_size % block_size != 0

    def check_cut(self, decision: Decision, block_size: int) -> None:
        """Check at realize how the device was cut."""

    def partition(
        self, limit: int, region_size: int, block_size: int, max_memslots: int, trace: Trace
    ) -> tuple[int, int]:
        """Cut `region_size` bytes into at most `limit` slots: (count, memslot size).

        QEMU 8.2, ``virtio_mem_decide_memslots``: a multiple of the block size, at least 1 GiB.
        """
        if max_memslots:
            limit = trace.note("user limit", min(limit, max_memslots), "min(limit, max-memslots)")
        if limit <= 1:
            return 1, region_size
        even = trace.bytes("even share", region_size // limit, "region size / limit")
        size = round_up(even, block_size) if block_size else even
        size = trace.bytes("memslot size", max(size, block_size, self.min_memslot_size), "at least 1 GiB, whole blocks")
        count = -(-region_size // size)
        return (count, size) if count > 1 else (1, region_size)

    def decide(self, budget: Budget, region_size: int, block_size: int = 2 * MiB, max_memslots: int = 0) -> Decision:
        """Decide how many memslots a device gets, and of which size.

        Never raises for a tight budget; what QEMU then refuses is `RuleSet.check`.

        Parameters
        ----------
        region_size, block_size
            Of the device, bytes.
        max_memslots
            The user's limit; 0 for automatic.

        Raises
        ------
        BadInput
            `region_size` is not positive, or another number is negative.
        """
        if region_size <= 0 or block_size < 0 or max_memslots < 0:
            raise BadInput(
                f"cannot decide for region size {region_size}, block size {block_size}, max-memslots {max_memslots}: "
                "the region must be larger than 0, the others not negative"
            )
        trace = Trace()
        limit = self.limit(budget, region_size, trace)
        count, size = self.partition(limit, region_size, block_size, max_memslots, trace)
        trace.note("memslots", count, "what the device gets")
        trace.bytes("of size", size, "all but the last")
        return Decision(limit, count, size, region_size, rest_in_last=self.rest_in_last, trace=tuple(trace.steps))

    def whole(self, region_size: int) -> Decision:
        """Return the decision for memory that is mapped directly and completely: a DIMM, or no memslots wanted."""
        return Decision(1, 1, region_size, region_size, direct=True)

    def mapped(self, device: DeviceState) -> Sequence[int]:
        """Return the indices of the slots to be mapped now, ascending.

        QEMU 8.2: those with at least one plugged block.
        """
        decision = device.decision
        found: list[int] = []
        for start, end in device.plugged.extents():
            slots = decision.slots(start, end)
            if found and slots.start == found[-1]:
                slots = slots[1:]
            found.extend(slots)
        return found

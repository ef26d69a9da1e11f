"""The protocol of a rule set: decide, partition, which slots are mapped, checks and their words.

A rule set of your own is a subclass of `RuleSet` with a `name` and a `limit`; everything else has the
behaviour of the newest QEMU until you override it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import ClassVar, Protocol

from workbook.lib.consumers.vhost_backend import PerDeviceVhostCount, VhostCount, u32
from workbook.lib.errors import BadInput, Refusal
from workbook.lib.size import GiB, MiB, format_size, round_up
from workbook.lib.trace import Trace, TraceStep

__all__ = ("Budget", "Decision", "DeviceState", "Remap", "RuleSet", "Trace", "TraceStep")


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What the environment has to give when a memory device is about to be plugged.

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

        A surplus slot of the RFC (facts A.12) lies behind the end: its size is 0, or wraps to a full slot.
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
        """Tell whether any byte of [start, end) is plugged."""

    def extents(self) -> Iterable[tuple[int, int]]:
        """Yield the plugged pieces as (start, end), ascending."""


class DeviceState(Protocol):
    """What a mapping rule may look at."""

    @property
    def decision(self) -> Decision:
        """How the device is cut."""

    @property
    def usable_region_size(self) -> int:
        """Bytes from the start in which the guest may plug."""

    @property
    def plugged(self) -> Plugged:
        """What the guest has plugged."""


class Remap(Enum):
    """The moments at which a rule set looks again at which slots are to be mapped."""

    RESIZE = auto()
    PLUG = auto()
    UNPLUG = auto()
    RESTORE = auto()


class RuleSet:
    """One published (or proposed) way to expose device memory through memslots.

    Subclasses give a `name` and override `limit`, and whatever else they do differently.
    """

    name: ClassVar[str]
    about: ClassVar[str] = ""
    container_name: ClassVar[str] = "virtio-mem"
    slot_name: ClassVar[str] = "memslot-{}"
    unmergeable: ClassVar[bool] = True
    min_memslot_size: ClassVar[int] = GiB
    remap_on: ClassVar[frozenset[Remap]] = frozenset({Remap.PLUG, Remap.UNPLUG, Remap.RESTORE})
    one_transaction: ClassVar[bool] = True
    """All slots of one request change in one memory transaction; otherwise one after the other."""
    vhost_user_max: ClassVar[int] = 512
    """VHOST_USER_MAX_RAM_SLOTS (hw/virtio/vhost-user.c): 512 since QEMU 8.1."""
    device_memory_first: ClassVar[bool] = True
    """Whether plugging looks for the device-memory area before anything else."""
    size_aligns_as_address: ClassVar[bool] = False
    """Whether a device's size must be a multiple of what its address must be (QEMU before 8.2: of the block size
    too); today only of what its memory backend needs."""
    resets_memory_first: ClassVar[bool] = True
    """Whether a system reset unplugs virtio-mem before it stops vhost devices, so that these see it."""
    decides_with_given_block_size: ClassVar[bool] = False
    """Whether the decision sees the block size as the user gave it, 0 if not at all (RFC, facts A.12)."""
    unplug_all_when_empty: ClassVar[bool] = True
    """Whether UNPLUG_ALL and reset succeed on an empty device while busy (QEMU 8.1)."""
    rest_in_last: ClassVar[bool] = False
    """Whether the last memslot takes the rest, also if it is larger than the others."""
    unpluggable: ClassVar[bool] = True
    """Whether virtio-mem devices can be removed at all (QEMU 8.1)."""
    shared_memory_has_fd: ClassVar[bool] = True
    """Whether memory-backend-ram,share=on has a file descriptor, so that vhost-user can map it (QEMU 10.0)."""
    stops_removed_vhost: ClassVar[bool] = True
    """Whether a vhost device is stopped before it is removed [measured: QEMU 10.0; not so in 7.2]."""
    warns_of_private_files: ClassVar[bool] = True
    """Whether discarding privately mapped files is warned of, once (QEMU 8.1)."""
    pmem_stays: ClassVar[str] = "this virtio based memory devices cannot be unplugged"
    """What QEMU says to the removal of a virtio-pmem device (hw/virtio/virtio-md-pci.c, QEMU 8.1)."""
    refuses_prealloc_memdev: ClassVar[bool] = True
    """Whether a memory backend with prealloc=on is refused for virtio-mem (not yet in the base of the 2021 series)."""
    shows_memslot_properties: ClassVar[bool] = False
    """Whether the device has the properties memslots, used-memslots and max-memslots (RFC)."""
    unknown_properties: ClassVar[Mapping[str, str]] = {}
    """virtio-mem properties that this QEMU does not take, with its words; others are accepted."""

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
        """Tell whether a device is cut into memslots at all."""
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

    def is_hopeless(self, region_size: int, block_size: int, page_size: int) -> bool:
        """Tell whether realize is going to refuse a device, which until then counts as one memslot.

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

        Never raises for a tight budget; what QEMU then refuses is `check`.

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

    def reserved(self, required: int, used: int) -> int:
        """Return the promised and not yet mapped memslots."""
        return max(required - used, 0)

    def check(self, budget: Budget, decision: Decision) -> None:
        """Check that a decided device can be plugged (``memory_device_check_addable``).

        Raises
        ------
        Refusal
            KVM or a vhost back end has too few free memslots, or the device-memory area too little space.
        """
        reserved = self.reserved(budget.required, budget.used)
        for consumer, free in (("kvm", budget.kvm_free), ("vhost", budget.vhost_free)):
            if free is not None and free < u32(reserved + decision.count):
                message = self.no_slots_message(consumer, decision.count, u32(free - reserved))
                raise Refusal(message, _MORE_SLOTS, reason=too_few_slots(consumer, free, reserved, decision))
        check_space(budget, decision.region_size)

    def refusal(self, budget: Budget, decision: Decision) -> Refusal | None:
        """Return what `check` raises, as a value; None where the device can be plugged."""
        try:
            self.check(budget, decision)
        except Refusal as refusal:
            return refusal
        return None

    def no_slots_message(self, consumer: str, required: int, available: int) -> str:  # noqa: ARG002 - the RFC names the numbers
        """Return QEMU's words for too few free memslots (hw/mem/memory-device.c, QEMU 8.2)."""
        if consumer == "kvm":
            return "hypervisor has not enough free memory slots left"
        return "a used vhost backend has not enough free memory slots left"

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

    def kvm_free(self, limit: int, used: Sequence[int]) -> int:
        """Return KVM's free memslots; `used` per address space that is registered (QEMU 8.2: the fullest counts)."""
        return max(limit - max(used), 0)

    def vhost_count(self) -> VhostCount:
        """Return a fresh account of vhost's memslots."""
        return PerDeviceVhostCount()

    def check_vhost_limit(self, limit: int, automatic: int) -> None:
        """Check a new vhost back end before it registers.

        Parameters
        ----------
        limit
            Memslots it takes.
        automatic
            Memory devices that decided on more than one memslot by themselves.
        """

    def check_vhost_used(self, limit: int, used: int, reserved: int) -> None:
        """Check a new vhost back end once QEMU knows how many of its memslots are used.

        Raises
        ------
        Refusal
            Used and reserved memslots are more than `limit` (hw/virtio/vhost.c, ``vhost_dev_init``).
        """
        if used + reserved > limit:
            raise Refusal(
                f"vhost backend memory slots limit ({limit}) is less than current number of used ({used}) "
                f"and reserved ({reserved}) memory slots for memory devices.",
                "plug the vhost device before the memory devices, or use a back end with more memory slots",
                reason=too_many_used(limit, used, reserved),
            )


_MORE_SLOTS = "use a back end with more memory slots, fewer or larger memslots, or fewer memory devices"


def too_few_slots(consumer: str, free: int, reserved: int, decision: Decision) -> tuple[TraceStep, ...]:
    """Return in numbers why a consumer (``kvm``, ``vhost``) has too few memslots for a device that decided so."""
    who = {"kvm": "KVM"}.get(consumer, consumer)
    trace = Trace(list(decision.trace))
    noted = {one.name for one in decision.trace}
    if f"{who} free" not in noted:
        trace.given(f"{who} free", free, "limit - used memslots")
    if "reserved" not in noted:
        trace.given("reserved", reserved, "promised to plugged memory devices, not mapped yet")
    trace.note("needed in all", reserved + decision.count, f"reserved + memslots: more than {who} free")
    return tuple(trace.steps)


def too_many_used(limit: int, used: int, reserved: int) -> tuple[TraceStep, ...]:
    """Return in numbers why a vhost back end has too few memslots for what is there."""
    trace = Trace()
    trace.given("limit", limit, "memslots that the back end takes")
    trace.given("used", used, "regions of boot RAM, and mapped memslots")
    trace.given("reserved", reserved, "promised to plugged memory devices, not mapped yet")
    trace.note("needed", used + reserved, "used + reserved: more than the limit")
    return tuple(trace.steps)


def check_space(budget: Budget, region_size: int) -> None:
    """Check that `region_size` more bytes fit into what ``-m`` left for devices.

    Raises
    ------
    Refusal
        They do not.
    """
    if budget.used_region_size + region_size > budget.device_memory_size:
        needed = budget.used_region_size + region_size
        missing = needed - budget.device_memory_size
        trace = Trace()
        trace.bytes("device memory", budget.device_memory_size, "maxmem - RAM")
        trace.bytes("in use", budget.used_region_size, "plugged memory devices")
        trace.bytes("device size", region_size, "of this device")
        trace.bytes("needed", needed, "in use + device size: more than device memory")
        raise Refusal(
            f"not enough space, currently {budget.used_region_size:#x} in use of "
            f"total space for memory devices {budget.device_memory_size:#x}",
            f"raise maxmem by {format_size(missing)}, or make the device smaller",
            reason=tuple(trace.steps),
        )

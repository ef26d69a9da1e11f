"""How QEMU checks that memory devices and vhost devices find their memslots, and with which words.

Sources: hw/mem/memory-device.c, hw/virtio/vhost.c.
"""

from collections.abc import Sequence
from typing import Final

from workbook.lib.consumers.vhost_backend import u32
from workbook.lib.errors import Refusal
from workbook.lib.size import format_size
from workbook.lib.trace import Trace, TraceStep

from .decision import Budget, Decision

__all__ = (
    "BEFORE_RESERVATIONS",
    "SAFE_MAX_MEMSLOTS",
    "BeforeReservations",
    "MemslotAccounting",
    "check_space",
    "too_few_slots",
    "too_many_used",
)

SAFE_MAX_MEMSLOTS: Final = 509
"""MEMORY_DEVICES_SAFE_MAX_MEMSLOTS: below this overall maximum every device gets one slot."""
_MORE_SLOTS: Final = "use a back end with more memory slots, fewer or larger memslots, or fewer memory devices"
_VHOST_FIRST: Final = "plug the vhost device before the memory devices, or use a back end with more memory slots"


class MemslotAccounting:
    """QEMU 8.2 and later: what is promised to plugged memory devices counts as taken."""

    def reserved(self, required: int, used: int) -> int:
        """Return the promised and not yet mapped memslots."""
        return max(required - used, 0)

    def kvm_free(self, limit: int, used: Sequence[int]) -> int:
        """Return KVM's free memslots; `used` per address space that is registered: the fullest counts."""
        return max(limit - max(used), 0)

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

    def no_slots_message(self, consumer: str, required: int, available: int) -> str:  # noqa: ARG002 - the RFC names the numbers
        """Return QEMU's words for too few free memslots."""
        if consumer == "kvm":
            return "hypervisor has not enough free memory slots left"
        return "a used vhost backend has not enough free memory slots left"

    def check_vhost_limit(self, limit: int, automatic: int) -> None:
        """Check a new vhost back end before it registers (``vhost_dev_init``).

        Parameters
        ----------
        limit
            Memslots it takes.
        automatic
            Memory devices that decided on more than one memslot by themselves.

        Raises
        ------
        Refusal
            There are such devices, and the back end takes fewer than they counted on.
        """
        if limit < SAFE_MAX_MEMSLOTS and automatic:
            trace = Trace()
            trace.given("limit", limit, "memslots that the back end takes")
            trace.given("decided", automatic, "memory devices that decided on more than one memslot before it came")
            trace.note("needed", SAFE_MAX_MEMSLOTS, "then a back end must take so many: more than the limit")
            raise Refusal(
                "some memory device (like virtio-mem) decided how many memory slots to use based on the overall "
                "number of memory slots; this vhost backend would further restricts the overall number of memory slots",
                "Try plugging this vhost backend before plugging such memory devices.",
                hint="Try plugging this vhost backend before plugging such memory devices.",
                reason=tuple(trace.steps),
            )

    def check_vhost_used(self, limit: int, used: int, reserved: int) -> None:
        """Check a new vhost back end once QEMU knows how many of its memslots are used (``vhost_dev_init``).

        Raises
        ------
        Refusal
            Used and reserved memslots are more than `limit`.
        """
        if used + reserved > limit:
            raise Refusal(
                f"vhost backend memory slots limit ({limit}) is less than current number of used ({used}) "
                f"and reserved ({reserved}) memory slots for memory devices.",
                _VHOST_FIRST,
                reason=too_many_used(limit, used, reserved),
            )


class BeforeReservations(MemslotAccounting):
    """QEMU before 8.2: a device takes one memslot, nothing is promised, and the answer is yes or no."""

    def kvm_free(self, limit: int, used: Sequence[int]) -> int:
        """Return the free memslots of the first address space, which is all that `kvm_has_free_slot` checks."""
        return max(limit - used[0], 0)

    def no_slots_message(self, consumer: str, required: int, available: int) -> str:  # noqa: ARG002 - no numbers
        """Return the words of hw/mem/memory-device.c."""
        who = "hypervisor" if consumer == "kvm" else "a used vhost backend"
        return f"{who} has no free memory slots left"

    def check_vhost_limit(self, limit: int, automatic: int) -> None:
        """Do nothing: no device decides by itself."""

    def check_vhost_used(self, limit: int, used: int, reserved: int) -> None:
        """Check a new vhost back end against what is mapped.

        Raises
        ------
        Refusal
            More memslots are used than `limit`.
        """
        if used > limit:
            raise Refusal(
                "vhost backend memory slots limit is less than current number of present memory slots",
                _VHOST_FIRST,
                reason=too_many_used(limit, used, reserved),
            )


BEFORE_RESERVATIONS: Final = BeforeReservations()


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

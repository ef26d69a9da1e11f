"""The RFC series of 13 October 2021, as posted and as evidently intended.

``20211013103330.26869-1-david@redhat.com``; quirks were confirmed on a QEMU 7.2 with the series applied.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Final

from workbook.lib.boards.compat import compat_property
from workbook.lib.consumers.vhost_backend import UINT_MAX, u32
from workbook.lib.errors import Refusal
from workbook.lib.size import GiB

from .base import Budget, DeviceState, Remap, RuleSet, Trace
from .behaviour import QemuBehaviour, behaviour_of
from .memslot_limits import MemslotAccounting, too_many_used

__all__ = ("Rfc2021",)

TOTAL_CAP: Final = 4096
"""RFC patch 08: cap of all memslots usable by memory devices."""
DEVICE_CAP: Final = 1024
"""RFC patch 12: maximum number of memslots per device."""
KEPT_FREE: Final = 16
"""RFC patch 08: memslots kept for late vhost devices."""


class RfcAccounting(MemslotAccounting):
    """RFC patches 02, 03, 08 and 09: one counter for all address spaces, unsigned arithmetic, texts with numbers."""

    def reserved(self, required: int, used: int) -> int:
        """Sum of total - used, as unsigned."""
        return u32(required - used)

    def kvm_free(self, limit: int, used: Sequence[int]) -> int:
        """One counter for all address spaces: with SMM every section counts twice; below 0 it wraps."""
        return u32(limit - sum(used))

    def no_slots_message(self, consumer: str, required: int, available: int) -> str:
        """Return the words of RFC patch 08."""
        who = "KVM" if consumer == "kvm" else "a used vhost backend"
        return f"{who} does not have enough free memory slots left ({required} vs. {available})"

    def check_vhost_limit(self, limit: int, automatic: int) -> None:
        """Do nothing: a back end may come late."""

    def check_vhost_used(self, limit: int, used: int, reserved: int) -> None:
        """Refuse with the words of RFC patch 09."""
        if u32(used + reserved) > limit:
            raise Refusal(
                "vhost backend memory slots limit is less than current number of used and reserved memory slots",
                "plug the vhost device before the memory devices, or use a back end with more memory slots",
                reason=too_many_used(limit, used, reserved),
            )


RFC_QEMU: Final = replace(
    behaviour_of((7, 2, 0)), accounting=RfcAccounting(), vhost_user_max=4096, device_memory_first=False
)
"""QEMU 7.2 with the fifteen patches."""


class Rfc2021(RuleSet):
    """A share of all free memslots by size, slots of 2^k GiB, mapped as a prefix of the usable region.

    Parameters
    ----------
    intended
        Read step 5 of the heuristic as ``total - (used + reserved)``, as its comment says, instead of
        ``total - used + reserved``, as it was posted.
    """

    name = "rfc-2021"
    about = "RFC of October 2021: a share of all free memslots, slots follow the usable region"
    qemu = RFC_QEMU
    container_name = "virtio-mem-memslots"
    slot_name = "virtio-mem-memslot-{}"
    remap_on = frozenset({Remap.RESIZE})
    one_transaction = False
    decides_with_given_block_size = True
    shows_memslot_properties = True
    unknown_properties: ClassVar[Mapping[str, str]] = {
        "dynamic-memslots": "Property 'virtio-mem-pci.dynamic-memslots' not found",
        "memslots": "Property 'virtio-mem.memslots' is not writable",
        "used-memslots": "Property 'virtio-mem.used-memslots' is not writable",
    }

    def __init__(self, *, intended: bool = False, qemu: QemuBehaviour | None = None) -> None:
        super().__init__(qemu)
        self.intended = intended
        if intended:
            self.name = "rfc-2021-intended"

    def is_dynamic(self, *, dynamic_memslots: bool | None) -> bool:  # noqa: ARG002 - the series has no such property
        """Every device has a container, also with one memslot."""
        return True

    def default_max_memslots(self, machine_version: tuple[int, int] | None) -> int:
        """Automatic, but one memslot on machine types up to 6.1 (RFC patch 15)."""
        return int(compat_property("virtio-mem.max-memslots", machine_version) or 0)

    def will_fail_realize(self, region_size: int, block_size: int, page_size: int) -> bool:  # noqa: ARG002 - see below
        """Only a block size that was given and is below the page size; an odd size is cut all the same."""
        return 0 < block_size < page_size

    def limit(self, budget: Budget, region_size: int, trace: Trace) -> int:
        """Decide as ``memory_devices_calc_memslot_limit`` of RFC patch 08 does; all integers are u32."""
        vhost_free = trace.given(
            "vhost free", UINT_MAX if budget.vhost_free is None else budget.vhost_free, "smallest limit - used memslots"
        )
        free = vhost_free
        if budget.kvm_free is not None:
            free = min(free, trace.given("KVM free", budget.kvm_free, "KVM limit - used memslots"))
        free = trace.given("free", free, "min(vhost free, KVM free)")
        used = trace.given("used", budget.used, "memslots mapped by plugged memory devices")
        reserved = trace.given("reserved", u32(budget.reserved), "promised to them, not mapped yet")
        total = trace.note("total", u32(used + reserved + free), "used + reserved + free")
        total = trace.note("capped total", min(TOTAL_CAP, total), f"min({TOTAL_CAP}, total)")
        if total <= u32(used + reserved):
            free = trace.note("usable free", 0, "total <= used + reserved: nothing")
        elif self.intended:
            free = trace.note("usable free", total - (used + reserved), "total - (used + reserved), as intended")
        else:
            free = trace.note("usable free", u32(total - used + reserved), "total - used + reserved, as posted")
        # IEEE doubles and two truncations, in QEMU's order: other orders differ by one
        percent = trace.share(
            "share",
            float(region_size) / float(budget.device_memory_size) if budget.device_memory_size else 0.0,
            "region size / D",
        )
        limit = trace.note("share of total", int(float(total) * percent), "trunc(total * share)")
        limit = trace.note("less 10 %", int(0.9 * float(limit)), "trunc(0.9 * share of total)")
        if limit > free:
            free = trace.note(
                "spare 16", free - KEPT_FREE if free > KEPT_FREE else 0, f"{KEPT_FREE} stay free for late vhost devices"
            )
            limit = min(limit, free)
        return trace.note("limit", limit or 1, "at least 1")

    def partition(
        self, limit: int, region_size: int, block_size: int, max_memslots: int, trace: Trace
    ) -> tuple[int, int]:
        """Cut as ``virtio_mem_calc_nb_memslots`` and ``virtio_mem_prepare_memslots`` of RFC patch 12 do.

        Doubles the slot size from 1 GiB until the limit is met. With an awkward `max_memslots` the count stays
        at the user's value while fewer slots are needed: the surplus ones are never mapped and stay reserved.
        """
        limit = trace.note("device limit", min(limit, DEVICE_CAP), f"min({DEVICE_CAP}, limit)")
        size = max(GiB, block_size)
        while -(-region_size // size) > limit:
            size *= 2
        count = trace.note("needed", -(-region_size // size), f"slots of {size // GiB} GiB")
        if max_memslots:
            count = trace.note("user limit", min(max_memslots, count), "min(max-memslots, needed)")
        if count == 1:
            return 1, region_size
        size = GiB
        while -(-region_size // size) > count:
            size *= 2
        return count, trace.bytes("memslot size", size, "1 GiB, doubled until the count suffices")

    def mapped(self, device: DeviceState) -> Sequence[int]:
        """Every slot that starts inside the usable region: always a prefix."""
        decision = device.decision
        return decision.slots(0, device.usable_region_size)

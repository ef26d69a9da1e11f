"""What was merged: ``dynamic-memslots=on`` (QEMU 8.2, pull request of 12 October 2023, facts B.3 to B.9)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final

from workbook.lib.consumers.vhost_backend import (
    UINT_MAX,
    GlobalVhostCount,
    PerDeviceVhostCount,
    VhostBackend,
    VhostCount,
    u32,
)
from workbook.lib.errors import Refusal

from .base import Budget, RuleSet, Trace

__all__ = ("Qemu82", "Qemu100")

SAFE_MAX_MEMSLOTS: Final = 509
"""MEMORY_DEVICES_SAFE_MAX_MEMSLOTS: below this overall maximum every device gets one slot."""
SOFT_MEMSLOT_LIMIT: Final = 256
"""MEMORY_DEVICES_SOFT_MEMSLOT_LIMIT: over all memory devices, for automatic decisions."""


@dataclass
class KindVhostCount:
    """One global counter for back ends that see only shared memory (vhost-user), one for the others (QEMU 8.2).

    Of each kind the last device that committed wins, and a removed or refused one sets it to 0; "used > limit"
    wraps.
    """

    _kernel: GlobalVhostCount = field(default_factory=GlobalVhostCount)
    _user: GlobalVhostCount = field(default_factory=GlobalVhostCount)

    def _of(self, backend: VhostBackend) -> GlobalVhostCount:
        return self._kernel if backend.kernel else self._user

    def committed(self, backend: VhostBackend, used: int) -> None:
        """Note the size of the newest table of this kind."""
        self._of(backend).committed(backend, used)

    def removed(self, backend: VhostBackend) -> None:
        """Unregistering a listener commits an empty table."""
        self._of(backend).removed(backend)

    def used(self, backend: VhostBackend) -> int:
        """Return the counter of the back end's kind."""
        return self._of(backend).used(backend)

    def free(self, backends: Sequence[VhostBackend]) -> int:
        """Return the smallest remainder, as unsigned; 2^32 - 1 without back ends."""
        return min((u32(one.limit - self.used(one)) for one in backends), default=UINT_MAX)


class Qemu82(RuleSet):
    """QEMU 8.2: 256 memslots over all memory devices, shared by size; one each in small environments."""

    name: ClassVar[str] = "qemu-8.2"
    unknown_properties: ClassVar[Mapping[str, str]] = {
        name: f"Property 'virtio-mem-pci.{name}' not found" for name in ("max-memslots", "memslots", "used-memslots")
    }
    about: ClassVar[str] = "merged in QEMU 8.2: soft limit 256, slots follow plugged blocks"
    shared_memory_has_fd: ClassVar[bool] = False

    def is_dynamic(self, *, dynamic_memslots: bool | None) -> bool:
        """Off unless asked for."""
        return bool(dynamic_memslots)

    def limit(self, budget: Budget, region_size: int, trace: Trace) -> int:
        """Decide as ``memory_device_memslot_decision_limit`` does (hw/mem/memory-device.c)."""
        consumers_max = [one for one in (budget.kvm_max, budget.vhost_max) if one is not None]
        consumers_free = [one for one in (budget.kvm_free, budget.vhost_free) if one is not None]
        overall = trace.given("max", min(consumers_max, default=UINT_MAX), "min(KVM limit, vhost limits)")
        free = trace.given("free", min(consumers_free, default=UINT_MAX), "min(KVM free, vhost free)")
        if overall < SAFE_MAX_MEMSLOTS:
            return trace.note("limit", 1, f"max < {SAFE_MAX_MEMSLOTS}: one memslot per device")
        required = trace.given("required", budget.required, "memslots promised to plugged memory devices")
        if required >= SOFT_MEMSLOT_LIMIT:
            return trace.note("limit", 1, f"required >= {SOFT_MEMSLOT_LIMIT}: the soft limit is used up")
        reserved = trace.given("reserved", self.reserved(required, budget.used), "required - used")
        soft = trace.note("soft budget", SOFT_MEMSLOT_LIMIT - required, f"{SOFT_MEMSLOT_LIMIT} - required")
        if free < reserved:
            return trace.note("limit", 1, "free < reserved")
        available = trace.note("available", min(soft, free - reserved), "min(soft budget, free - reserved)")
        if available < 1:
            return trace.note("limit", 1, "nothing available")
        if region_size == budget.device_memory_size:
            return trace.note("limit", available, "no other memory device can follow: everything")
        left = trace.bytes("space left", budget.device_memory_size - budget.used_region_size, "D - used region size")
        if left <= 0:
            # QEMU divides by zero here (undefined result); the plug fails for lack of space either way
            return trace.note("limit", 1, "no space left")
        share = trace.note("share", int(float(available) * region_size / left), "available * region size / space left")
        return trace.note("limit", max(share, 1), "at least 1")

    def vhost_count(self) -> VhostCount:
        """One counter per kind of back end."""
        return KindVhostCount()

    def check_vhost_limit(self, limit: int, automatic: int) -> None:
        """Refuse a back end below 509 once a device has decided by itself (hw/virtio/vhost.c)."""
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


class Qemu100(Qemu82):
    """QEMU 10.0: the rules of 8.2; the count of used vhost memslots is kept per device (as fixed in June 2025)."""

    name: ClassVar[str] = "qemu-10.0"
    about: ClassVar[str] = "QEMU 10.0: the rules of 8.2"
    shared_memory_has_fd: ClassVar[bool] = True

    def vhost_count(self) -> VhostCount:
        """One counter per device."""
        return PerDeviceVhostCount()

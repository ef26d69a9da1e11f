"""What was merged: ``dynamic-memslots=on`` (QEMU 8.2, pull request of 12 October 2023)."""

from collections.abc import Mapping
from typing import ClassVar, Final

from workbook.lib.consumers.vhost_backend import UINT_MAX

from .base import Budget, RuleSet, Trace
from .behaviour import QemuBehaviour
from .memslot_limits import SAFE_MAX_MEMSLOTS

__all__ = ("SAFE_MAX_MEMSLOTS", "SOFT_MEMSLOT_LIMIT", "DynamicMemslots")

SOFT_MEMSLOT_LIMIT: Final = 256
"""MEMORY_DEVICES_SOFT_MEMSLOT_LIMIT: over all memory devices, for automatic decisions."""


class DynamicMemslots(RuleSet):
    """256 memslots over all memory devices, shared by size; one each in small environments.

    Parameters
    ----------
    qemu
        8.2 or newer; None: that of the default rule set.
    name
        Of a release; None: the class's.
    """

    name = "dynamic-memslots"

    unknown_properties: ClassVar[Mapping[str, str]] = {
        name: f"Property 'virtio-mem-pci.{name}' not found" for name in ("max-memslots", "memslots", "used-memslots")
    }
    about = "dynamic-memslots of QEMU 8.2 and later: soft limit 256, slots follow plugged blocks"

    def __init__(self, qemu: QemuBehaviour | None = None, name: str | None = None) -> None:
        super().__init__(qemu)
        if name is not None:
            self.name, self.is_release = name, True

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

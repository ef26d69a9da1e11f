"""One memslot for the whole device: before the series, and ``dynamic-memslots=off`` today."""

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from .base import Budget, RuleSet, Trace
from .behaviour import QemuBehaviour
from .memslot_limits import BEFORE_RESERVATIONS

__all__ = ("BeforeDynamicMemslots", "Single")


class Single(RuleSet):
    """The device's RAM is mapped directly and completely, whatever the guest uses."""

    name = "single"
    about = "one memslot for the whole device, always mapped; in the words of QEMU before 8.2"
    qemu = replace(RuleSet.qemu, accounting=BEFORE_RESERVATIONS)

    def is_dynamic(self, *, dynamic_memslots: bool | None) -> bool:  # noqa: ARG002 - never
        """Never."""
        return False

    def limit(self, budget: Budget, region_size: int, trace: Trace) -> int:  # noqa: ARG002 - it does not depend on anything
        """One."""
        return trace.note("limit", 1, "one memslot for the whole device")


class BeforeDynamicMemslots(Single):
    """A QEMU before 8.2: there is no such property, and memslots are counted otherwise."""

    unknown_properties: ClassVar[Mapping[str, str]] = {
        name: f"Property 'virtio-mem-pci.{name}' not found"
        for name in ("dynamic-memslots", "max-memslots", "memslots", "used-memslots")
    }
    about = "QEMU before 8.2: one memslot for the whole device"

    def __init__(self, qemu: QemuBehaviour, name: str) -> None:
        super().__init__(qemu)
        self.name, self.is_release = name, True

"""One memslot for the whole device: before the series, and ``dynamic-memslots=off`` today."""

from collections.abc import Mapping
from typing import ClassVar

from .base import Budget, Trace
from .qemu82 import Qemu82

__all__ = ("Single",)


class Single(Qemu82):
    """The device's RAM is mapped directly and completely, whatever the guest uses."""

    name: ClassVar[str] = "single"
    unknown_properties: ClassVar[Mapping[str, str]] = {}
    about: ClassVar[str] = "one memslot for the whole device, always mapped"

    def is_dynamic(self, *, dynamic_memslots: bool | None) -> bool:  # noqa: ARG002 - never
        """Never."""
        return False

    def limit(self, budget: Budget, region_size: int, trace: Trace) -> int:  # noqa: ARG002 - it does not depend on anything
        """One."""
        return trace.note("limit", 1, "one memslot for the whole device")

"""The series of 27 October 2021, "Expose device memory via multiple memslots" (v1).

``20211027124531.57561-1-david@redhat.com``: the user says how many memslots a device has.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Final

from workbook.lib.errors import Refusal
from workbook.lib.size import MiB, format_size, round_down

from .base import Budget, Decision, Trace, TraceStep
from .behaviour import QemuBehaviour
from .memslot_limits import too_few_slots
from .rfc2021 import RFC_QEMU, Rfc2021, RfcAccounting

__all__ = ("Series2021v1",)

MAX_PER_DEVICE: Final = 1024
MAX_OVERALL: Final = 2048
"""MEMORY_DEVICES_MAX_MEMSLOTS of the series."""
SLOT_GRANULE: Final = 128 * MiB
"""Slot borders coincide with Linux memory block borders, so that guest allocations do not cross them."""


class SeriesAccounting(RfcAccounting):
    """The RFC's accounts with an overall cap and other words."""

    def check(self, budget: Budget, decision: Decision) -> None:
        """Check the overall cap, then what the RFC checks, in the words of this series.

        Raises
        ------
        Refusal
            More than 2048 memslots over all memory devices, or too few free ones.
        """
        used, reserved, required = budget.used, self.reserved(budget.required, budget.used), decision.count
        if used + reserved + required > MAX_OVERALL:
            raise Refusal(
                f"The maximum number of memory slots to be consumed by memory devices ({MAX_OVERALL}) "
                f"would be exceeded. Used: {used}, Reserved: {reserved}, Required: {required}",
                "give the devices fewer memslots",
                reason=(
                    TraceStep("limit", MAX_OVERALL, "memslots of all memory devices together", given=True),
                    TraceStep("used", used, "mapped", given=True),
                    TraceStep("reserved", reserved, "promised, not mapped yet", given=True),
                    TraceStep("needed in all", used + reserved + required, "with this device: more than the limit"),
                ),
            )
        for who, free in (("KVM", budget.kvm_free), ("a used vhost backend", budget.vhost_free)):
            if free is not None and free < reserved + required:
                raise Refusal(
                    f"{who} does not have enough free, unreserved memoryslots left. "
                    f"Free: {free}, Reserved: {reserved}, Required: {required}",
                    "give the devices fewer memslots",
                    reason=too_few_slots("kvm" if who == "KVM" else "vhost", free, reserved, decision),
                )
        super().check(budget, decision)


class Series2021v1(Rfc2021):
    """``memslots=1..1024`` by the user, default 1; no heuristic."""

    name = "series-2021-v1"
    about = "series of late October 2021: the user gives the number of memslots"
    # without the RFC's patch to vhost-user: ACPI_MAX_RAM_SLOTS, as in its base
    qemu = replace(RFC_QEMU, accounting=SeriesAccounting(), vhost_user_max=256)
    unknown_properties: ClassVar[Mapping[str, str]] = {
        name: f"Property 'virtio-mem-pci.{name}' not found" for name in ("dynamic-memslots", "max-memslots")
    }
    decides_with_given_block_size = False
    rest_in_last = True

    def __init__(self, qemu: QemuBehaviour | None = None) -> None:
        super().__init__(qemu=qemu)

    def default_max_memslots(self, machine_version: tuple[int, int] | None) -> int:  # noqa: ARG002 - the same on all
        """One memslot."""
        return 1

    def check_max_memslots(self, value: int) -> None:
        """Refuse ``memslots`` outside 1 to 1024.

        Raises
        ------
        Refusal
            In the words of the series.
        """
        if value > MAX_PER_DEVICE:
            raise Refusal(
                f"'memslots' property must not exceed '{MAX_PER_DEVICE}'", f"give memslots from 1 to {MAX_PER_DEVICE}"
            )
        if value == 0:
            raise Refusal("'memslots' property must not be '0'", f"give memslots from 1 to {MAX_PER_DEVICE}")

    def will_fail_realize(self, region_size: int, block_size: int, page_size: int) -> bool:  # noqa: ARG002 - see below
        """Never: the number of memslots is the user's, whatever realize says later."""
        return False

    def limit(self, budget: Budget, region_size: int, trace: Trace) -> int:  # noqa: ARG002 - the user decides
        """Return what a device may ask for at most."""
        return trace.note("limit", MAX_PER_DEVICE, "the user decides, up to 1024")

    def partition(
        self, limit: int, region_size: int, block_size: int, max_memslots: int, trace: Trace
    ) -> tuple[int, int]:
        """Cut into the user's number of slots, whole blocks and whole 128 MiB; the last takes the rest.

        The size is 0 where there is not even 128 MiB for each: `check_cut` refuses that.
        """
        count = trace.note("user's memslots", min(max_memslots or 1, limit), "memslots, 1 where not given")
        if count == 1:
            return 1, region_size
        size = trace.bytes("even share", -(-region_size // count), "region size / memslots, rounded up")
        size = round_down(round_down(size, max(block_size, 1)), SLOT_GRANULE)
        return count, trace.bytes("memslot size", size, "whole blocks and whole 128 MiB; the last slot takes the rest")

    def check_cut(self, decision: Decision, block_size: int) -> None:
        """Refuse more memslots than blocks, or memslots below 128 MiB.

        Raises
        ------
        Refusal
            In the words of the series.
        """
        if decision.count == 1:
            return
        blocks = decision.region_size // block_size
        if decision.count > blocks:
            raise Refusal(
                f"'memslots' property exceeds the total number of device blocks ({blocks})",
                f"give at most {blocks} memslots",
            )
        if decision.memslot_size < SLOT_GRANULE:
            raise Refusal(
                f"'memslots' property would create memory slots smaller than the minimum supported memory slot size "
                f"({format_size(SLOT_GRANULE)})",
                f"give at most {max(decision.region_size // SLOT_GRANULE, 1)} memslots",
            )

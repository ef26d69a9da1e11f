"""Memslot policies of other VMMs, as rule sets: how they cut a virtio-mem device, and what of it is mapped when.

Only the policy is theirs: addresses, answers and refusals stay those of QEMU's boards. `get` knows them by name; they
are not among the published rule sets of QEMU.

Sources: Firecracker 1.14 (pull request 5534), Cloud Hypervisor 53, Dragonball (Kata Containers 3), StratoVirt 2.5.
"""

from collections.abc import Sequence
from typing import Final

from workbook.lib.size import GiB, MiB
from workbook.lib.trace import Trace

from .base import RuleSet
from .decision import Budget, Decision, DeviceState, Remap
from .single import Single

__all__ = ("MONITORS", "CloudHypervisor", "Dragonball", "Firecracker", "StratoVirt")


class _FixedMemslots(RuleSet):
    """Memslots of one size, whatever the limits of KVM and of vhost back ends: they are not consulted."""

    slot_size: int = 0
    """Bytes of a memslot; 0: a block."""

    def limit(self, budget: Budget, region_size: int, trace: Trace) -> int:  # noqa: ARG002 - nothing limits it
        """As many as it takes."""
        return trace.note("limit", -(-region_size // (self.slot_size or MiB)), "region size / memslot size")

    def partition(
        self,
        limit: int,  # noqa: ARG002 - the size decides alone
        region_size: int,
        block_size: int,
        max_memslots: int,  # noqa: ARG002 - the size decides alone
        trace: Trace,
    ) -> tuple[int, int]:
        """Cut into memslots of the fixed size."""
        size = trace.bytes("memslot size", self.slot_size or block_size, "fixed")
        return -(-region_size // size), size

    def check(self, budget: Budget, decision: Decision) -> None:
        """Nothing is checked."""

    def check_vhost_limit(self, limit: int, automatic: int) -> None:
        """Nothing is checked."""

    def check_vhost_used(self, limit: int, used: int, reserved: int) -> None:
        """Nothing is checked."""


class Firecracker(_FixedMemslots):
    """Firecracker: memslots of 128 MiB, in KVM while they hold a plugged block, one ioctl each."""

    name = "firecracker"
    about = "Firecracker: fixed memslots of 128 MiB, mapped while they hold plugged blocks"
    slot_size = 128 * MiB
    one_transaction = False


class CloudHypervisor(Single):
    """Cloud Hypervisor: one memslot per zone, always mapped."""

    name = "cloud-hypervisor"
    about = "Cloud Hypervisor: one memslot for the whole zone, always mapped"


class Dragonball(_FixedMemslots):
    """Dragonball: memslots of 2 GiB that are mapped as the usable region grows, and stay."""

    name = "dragonball"
    about = "Dragonball: memslots of 2 GiB, mapped as the usable region grows, never unmapped"
    slot_size = 2 * GiB
    remap_on = frozenset({Remap.RESIZE, Remap.RESTORE})

    def mapped(self, device: DeviceState) -> Sequence[int]:
        """Return the memslots that the usable region has ever touched."""
        reached = -(-device.usable_region_size // device.decision.memslot_size)
        return range(max(reached, len(device.mapped)))


class StratoVirt(_FixedMemslots):
    """StratoVirt: a region, and so a memslot, for every plugged block."""

    name = "stratovirt"
    about = "StratoVirt: one memslot per plugged block"


MONITORS: Final[dict[str, RuleSet]] = {
    one.name: one for one in (Firecracker(), CloudHypervisor(), Dragonball(), StratoVirt())
}
"""The VMMs by name."""

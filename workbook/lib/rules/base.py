"""Rule set: a memslot policy and the QEMU in which it runs.

A rule set of your own is a subclass of `RuleSet` with a `name` and a `limit`; its QEMU is that of the default rule set
unless you give it another one.
"""

from collections.abc import Sequence

from workbook.lib.consumers.vhost_backend import VhostCount
from workbook.lib.errors import Refusal
from workbook.lib.trace import Trace, TraceStep

from .answers import DeviceAnswers
from .behaviour import QemuBehaviour, behaviour_of
from .decision import Budget, Decision, DeviceState, Remap
from .policy import MemslotPolicy

__all__ = ("Budget", "Decision", "DeviceState", "Remap", "RuleSet", "Trace", "TraceStep")


class RuleSet(MemslotPolicy):
    """A policy under a name, in a QEMU.

    Parameters
    ----------
    qemu
        What its QEMU does; None: the class's.

    Attributes
    ----------
    name
        By which it is chosen and shown; the class's where it gives none.
    about
        One line about it.
    answers
        How its virtio-mem devices answer the guest.
    is_release
        It stands for a QEMU release, which has some machine types and not others; a policy alone takes any.
    """

    name: str
    about: str = ""
    answers: DeviceAnswers = DeviceAnswers()
    is_release: bool = False
    qemu: QemuBehaviour = behaviour_of((10, 0, 12))
    """Of the default rule set, which makes a user's own policy comparable in the same QEMU."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if not hasattr(cls, "name"):
            cls.name = cls.__name__

    def __init__(self, qemu: QemuBehaviour | None = None) -> None:
        if qemu is not None:
            self.qemu = qemu

    def reserved(self, required: int, used: int) -> int:
        """Return the memslots that QEMU holds back for plugged memory devices."""
        return self.qemu.accounting.reserved(required, used)

    def check(self, budget: Budget, decision: Decision) -> None:
        """Check that a decided device can be plugged (``memory_device_check_addable``).

        Raises
        ------
        Refusal
            KVM or a vhost back end has too few free memslots, or the device-memory area too little space.
        """
        self.qemu.accounting.check(budget, decision)

    def refusal(self, budget: Budget, decision: Decision) -> Refusal | None:
        """Return what `check` raises, as a value; None where the device can be plugged."""
        try:
            self.check(budget, decision)
        except Refusal as refusal:
            return refusal
        return None

    def kvm_free(self, limit: int, used: Sequence[int]) -> int:
        """Return what QEMU believes that KVM has free; `used` per address space that is registered."""
        return self.qemu.accounting.kvm_free(limit, used)

    def vhost_count(self) -> VhostCount:
        """Return a fresh account of vhost's memslots."""
        return self.qemu.vhost_count()

    def check_vhost_limit(self, limit: int, automatic: int) -> None:
        """Check a new vhost back end of `limit` memslots against memory devices that decided on several."""
        self.qemu.accounting.check_vhost_limit(limit, automatic)

    def check_vhost_used(self, limit: int, used: int, reserved: int) -> None:
        """Check a new vhost back end against the memslots that are used and reserved."""
        self.qemu.accounting.check_vhost_used(limit, used, reserved)

"""Other VMMs as rule sets: each with its board, the parameters of its device, its answers and its refusals.

A scenario under one of them is a VM of that monitor: its boot RAM, its virtio-mem devices and their memory backends
are taken over, what the monitor has no parameter for is noted. `get` knows them by name; they are not among the
published rule sets of QEMU.
"""

from typing import Final

from .cloud_hypervisor import CloudHypervisor
from .dragonball import Dragonball
from .firecracker import Firecracker, Firecracker114
from .monitor import Monitor
from .stratovirt import StratoVirt

__all__ = ("MONITORS", "CloudHypervisor", "Dragonball", "Firecracker", "Firecracker114", "Monitor", "StratoVirt")

MONITORS: Final[dict[str, Monitor]] = {
    one.name: one for one in (Firecracker(), Firecracker114(), CloudHypervisor(), Dragonball(), StratoVirt())
}
"""The VMMs by name."""

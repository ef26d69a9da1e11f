"""A real QEMU on this machine: play a scenario, record what it shows, play recordings again."""

from .binary import QemuBinary, QemuMissing, find_qemu, usable_accel
from .process import QemuDied, QemuHangs
from .recorder import DEFAULT_TIMEOUT, play

__all__ = (
    "DEFAULT_TIMEOUT",
    "QemuBinary",
    "QemuDied",
    "QemuHangs",
    "QemuMissing",
    "find_qemu",
    "play",
    "usable_accel",
)

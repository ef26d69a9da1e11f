"""Attach to a running VM: a `Machine` in the state that the VM shows, without changing anything."""

from .machine import attach
from .transport import AttachFailed, Monitor, QmpSocket, Virsh

__all__ = ("AttachFailed", "Monitor", "QmpSocket", "Virsh", "attach")

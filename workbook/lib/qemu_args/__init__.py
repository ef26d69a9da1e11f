"""QEMU command lines: read one into a `Scenario`, write one from it."""

from .objects import backend_from_object, device_from_properties
from .reader import read_argv
from .writer import write_argv

__all__ = ("backend_from_object", "device_from_properties", "read_argv", "write_argv")

"""QEMU command lines: read one into a `Scenario`, write one from it."""

from .devices import device_from_properties
from .objects import backend_from_object
from .reader import CommandLine, read_argv, read_command_line, scenario_of
from .writer import write_argv

__all__ = (
    "CommandLine",
    "backend_from_object",
    "device_from_properties",
    "read_argv",
    "read_command_line",
    "scenario_of",
    "write_argv",
)

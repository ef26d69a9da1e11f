"""``-m`` and ``-machine memory.*``: RAM, its maximum and DIMM slots (system/vl.c, hw/core/machine.c, QEMU 10.0)."""

import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Final

from workbook.lib.errors import BadValue, Refusal
from workbook.lib.scenario import MemoryBackend
from workbook.lib.size import SIZE_LIMIT, MiB, round_up, strtosz

from .properties import Dialect, Properties
from .syntax import split_opts, strtoll

__all__ = ("DEFAULT_RAM", "MemoryOption", "MemorySizes", "sizes_of")

DEFAULT_RAM: Final = 128 * MiB
"""RAM of a VM without -m."""
RAM_GRANULE: Final = 8192
"""QEMU rounds the size of -m up to a multiple of this (``machine_set_mem``)."""
_U64: Final = SIZE_LIMIT - 1
_NEGATIVE: Final = re.compile(r"[ \t\n\v\f\r]*-0*[1-9][0-9]*")
"""Out of range; with a suffix it is no size at all (``parse_uint`` in util/cutils.c)."""


@dataclass(frozen=True, slots=True)
class MemorySizes:
    """RAM, maximum and DIMM slots, bytes; `given`: whether the RAM's size was."""

    ram: int
    maxmem: int
    slots: int
    given: bool

    def with_backend(self, backend: MemoryBackend | None) -> "MemorySizes":
        """Return the sizes where the boot RAM is a memory backend: without a size given, RAM is as large as it."""
        if backend is None or self.given:
            return self
        ram = backend.size
        if ram < self.maxmem:
            return MemorySizes(ram, self.maxmem, self.slots, given=True)
        return MemorySizes(ram, ram, 0, given=True)


@dataclass
class MemoryOption:
    """The values of ``-m``; later options override earlier ones."""

    size: str | None = None
    slots: str | None = None
    maxmem: str | None = None
    where: str = ""

    def take(self, text: str) -> None:
        """Take one ``-m``; values are checked at once, as QEMU does."""
        self.where = f"-m {text}"
        given, warnings = split_opts(text, "size")
        try:
            for key, value in given.items():
                self.put(key, value)
        except Refusal as refusal:
            refusal.where, refusal.warnings = self.where, warnings
            raise

    def put(self, key: str, value: str) -> None:
        """Set one parameter.

        Raises
        ------
        Refusal
            With the words of util/qemu-option.c.
        """
        if key == "slots":
            number = strtoll(value)
            if number is None:
                raise BadValue("Parameter 'slots' expects a number", f"slots {value!r:.60} is not a number")
            if abs(number) > _U64:
                raise BadValue(
                    f"Value '{value}' is too large for parameter 'slots'", f"slots {value!r:.60} is too large"
                )
            self.slots = value
        elif key in ("size", "maxmem"):
            self._check_size(key, value)
            if key == "size":
                self.size = value
            else:
                self.maxmem = value
        elif key != "id":
            raise Refusal(f"Invalid parameter '{key}'", "-m takes size, slots and maxmem")

    @staticmethod
    def _check_size(key: str, value: str) -> None:
        size = strtosz(value)
        if _NEGATIVE.fullmatch(value):
            size = SIZE_LIMIT
        if size is None:
            raise BadValue(
                f"Parameter '{key}' expects a non-negative number below 2^64\n"
                "Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-\n"
                "and exabytes, respectively.",
                f"{key} {value!r:.60} of -m is not a size: give a number with K, M, G, T, P or E, such as 4G",
            )
        if size >= SIZE_LIMIT:
            raise BadValue(
                f"Value '{value}' is out of range for parameter '{key}'",
                f"{key} {value!r:.60} of -m is no size of memory: sizes are from 0 to 2^64 bytes (16E)",
            )

    def merge_into(self, machine: MutableMapping[str, str]) -> None:
        """Put what was given into the machine's options, as QEMU does (``parse_memory_options``).

        Raises
        ------
        Refusal
            ``-machine memory=`` is no number but a group.
        """
        if "memory" in machine:
            refusal = Refusal("Parameter 'memory' used inconsistently", "give -machine memory.size=, or -m alone")
            refusal.where = self.where
            raise refusal
        if self.size is not None and strtosz(self.size):
            # a last digit means MiB, as ever
            machine["memory.size"] = f"{self.size}M" if self.size[-1] in "0123456789" else self.size
        if self.maxmem is not None:
            machine["memory.max-size"] = self.maxmem
        if self.slots is not None:
            machine["memory.slots"] = self.slots


def sizes_of(machine: Mapping[str, str]) -> MemorySizes:
    """Read and check the sizes of a machine's options (``machine_set_mem``).

    Raises
    ------
    Refusal
        In QEMU's order and words.
    """
    given = {key: value for key, value in machine.items() if key.startswith("memory.")}
    props = Properties(given, Dialect.DEVICE)
    has_size = "memory.size" in given
    size = props.size("memory.size") if has_size else DEFAULT_RAM
    maxmem = props.size("memory.max-size") if "memory.max-size" in given else None
    slots = props.number("memory.slots") if "memory.slots" in given else None
    for key in given:
        if key not in ("memory.size", "memory.max-size", "memory.slots"):
            raise Refusal(f"Parameter '{key}' is unexpected", "-machine memory. has size, max-size and slots")
    ram = round_up(size, RAM_GRANULE)
    if ram > _U64:
        ram = 0
    if maxmem is None:
        if slots is not None:
            raise Refusal("slots specified but no max-size", "add maxmem= to -m")
        return MemorySizes(ram, ram, 0, has_size)
    if maxmem < ram:
        raise Refusal(
            f"invalid value of maxmem: maximum memory size ({maxmem:#x}) must be at least "
            f"the initial memory size ({ram:#x})",
            f"raise maxmem to more than {ram} bytes",
        )
    if slots and maxmem == ram:
        raise Refusal(
            f"invalid value of maxmem: memory slots were specified but maximum memory size ({maxmem:#x}) "
            f"is equal to the initial memory size ({ram:#x})",
            f"raise maxmem to more than {ram} bytes, or drop slots=",
        )
    return MemorySizes(ram, maxmem, slots or 0, has_size)

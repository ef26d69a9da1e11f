"""Hints: what follows for a user from a machine as it stands, and QEMU does not print."""

from collections.abc import Iterator
from typing import Final

from workbook.lib.notes import Note
from workbook.lib.scenario import MemoryBackend
from workbook.lib.size import format_size

from .memory_device import mappable
from .parts import MachineParts

__all__ = ("hints",)

_CURE: Final = "give it a file descriptor and share=on, such as memory-backend-memfd,share=on"


def hints(machine: MachineParts) -> tuple[Note, ...]:
    """Return the hints about RAM that a vhost-user back end cannot see (``vhost_user_mem_section_filter``)."""
    devices = [one for one in machine.consumers.active_vhosts if not one.spec.kernel]
    if not devices:
        return ()
    names = ", ".join(one.spec.id or one.spec.driver for one in devices)
    return tuple(
        Note("hint", f"the vhost-user back end of {names} cannot see {what} ({format_size(size)}): {_CURE}")
        for what, size in _invisible(machine)
    )


def _invisible(machine: MachineParts) -> Iterator[tuple[str, int]]:
    """Yield RAM that no vhost-user back end can map, and its bytes."""
    for backend, size in machine.scenario.ram_backends:
        if not _shared(backend, machine):
            name = f"the boot RAM of memory backend {backend.id}" if backend else "the boot RAM"
            yield f"{name}, which is not shared", size
    for one in machine.bus.devices:
        if not _shared(one.backend, machine):
            yield f"the memory of {one.id or one.spec.type}, which is not shared", one.size


def _shared(backend: MemoryBackend | None, machine: MachineParts) -> bool:
    """Return whether a back end can map it and sees what the guest writes: a private mapping of a file is a copy."""
    if backend is None:
        return False
    made = machine.backends.get(backend.id, backend)
    return made.share and mappable(made, machine.rules.qemu)

"""vhost-user back ends that people run, and how many memslots each reports: a user names the program, not the number.

None: the program does not negotiate CONFIGURE_MEM_SLOTS, and QEMU takes 8 (VHOST_MEMORY_BASELINE_NREGIONS). Sources:
the programs' own code at the versions named.
"""

from collections.abc import Mapping
from typing import Final

from workbook.lib.errors import BadInput

__all__ = ("KNOWN_BACKENDS", "reported_slots", "resolve_slots")

KNOWN_BACKENDS: Final[dict[str, tuple[tuple[tuple[int, ...], int | None], ...]]] = {
    # rust-vmm's vhost-user-backend: 32, and 509 from 0.13 on (pull request 224, January 2024), which 1.10 brought
    "virtiofsd": (((1, 0), 32), ((1, 10), 509)),
    # tools/virtiofsd of QEMU up to 7.2, built on libvhost-user
    "virtiofsd-c": (((5, 0), 32),),
    # subprojects/libvhost-user: VHOST_USER_MAX_RAM_SLOTS
    "libvhost-user": (((0, 0), 8), ((5, 1), 32), ((9, 0), 509)),
    "qemu-storage-daemon": (((5, 2), 32), ((9, 0), 509)),
    # lib/vhost/vhost_user.h: VHOST_MEMORY_MAX_NREGIONS
    "dpdk": (((0, 0), None),),
    "ovs-dpdk": (((0, 0), None),),
    "spdk": (((0, 0), None),),
    "crosvm": (((0, 0), None),),
    "passt": (((0, 0), None),),
    "vhost-device": (((0, 0), 32), ((0, 2), 509)),
}
"""Program to (since version, memslots), oldest first."""


def reported_slots(program: str) -> int | None:
    """Return what a back end reports: ``virtiofsd``, ``virtiofsd-1.11`` or ``virtiofsd 1.11``.

    Raises
    ------
    BadInput
        A program that is not known.
    """
    for name in sorted(KNOWN_BACKENDS, key=len, reverse=True):
        if not program.startswith(name):
            continue
        rest = program[len(name) :].lstrip(" -")
        parts = rest.split(".") if rest else []
        if not all(one.isascii() and one.isdigit() and len(one) < 6 for one in parts):
            continue
        version = tuple(int(one) for one in parts)
        rows = KNOWN_BACKENDS[name]
        if not version:
            return rows[-1][1]
        return next((slots for since, slots in reversed(rows) if since <= version), rows[0][1])
    raise BadInput(
        f"back end {program!r:.60} is not known: give its number of memslots, or one of {', '.join(KNOWN_BACKENDS)}"
    )


def resolve_slots(given: Mapping[str, int | str | None] | None) -> dict[str, int | None]:
    """Return memslot limits by device id, where some may name the program.

    Raises
    ------
    BadInput
        Not a mapping, or a program that is not known.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise BadInput(f"vhost_slots must map device ids to limits, not be {given!r:.60}")
    return {key: reported_slots(value) if isinstance(value, str) else value for key, value in given.items()}

"""Memslot limits of vhost back ends for a whole fleet: by device id, by kind of device, or for all of them."""

from collections.abc import Iterable, Mapping
from typing import Final

from workbook.lib.consumers.known_backends import resolve_slots
from workbook.lib.errors import BadInput
from workbook.lib.scenario import Device, VhostDevice

__all__ = ("EVERY", "check_limits", "limits_by_id")

EVERY: Final = "*"
"""Stands for every vhost-user back end."""
_TRANSPORTS: Final = ("-pci-non-transitional", "-pci-transitional", "-pci", "-ccw", "-device")


def limits_by_id(given: Mapping[str, int | str | None], devices: Iterable[Device]) -> dict[str, int | None]:
    """Return the limits of one VM's devices by their ids.

    Parameters
    ----------
    given
        A limit, or the name of a program, by what it holds for: an id (``fs0``), a driver (``vhost-user-fs-pci``), a
        kind (``fs``, ``net``, ``blk`` ...), or `EVERY`; the first of these that is given counts. Kinds and `EVERY`
        mean vhost-user back ends: the limit of vhost in the kernel is the host's.
    devices
        Of the VM; those without an id cannot be given a limit.

    Raises
    ------
    BadInput
        A program that is not known.
    """
    limits = resolve_slots(given)
    found: dict[str, int | None] = {}
    for one in devices:
        if isinstance(one, VhostDevice) and one.id is not None:
            name = next((name for name in _names(one) if name in limits), None)
            if name is not None:
                found[one.id] = limits[name]
    return found


def check_limits(given: Mapping[str, int | str | None]) -> None:
    """Raise `BadInput` for a program that is not known, and for limits that no back end can have."""
    for name, limit in resolve_slots(given).items():
        if limit is not None and not 0 <= limit < 1 << 64:
            raise BadInput(f"memslots of {name!r:.60} are {limit}: give a whole number of 0 or more, or a program")


def _names(device: VhostDevice) -> tuple[str, ...]:
    """Return what a device goes by, the most precise name first."""
    if device.kernel:
        return (device.id or "", device.driver)
    kind = device.driver.removeprefix("netdev ").removeprefix("vhost-user-")
    for transport in _TRANSPORTS:
        kind = kind.removesuffix(transport)
    return (device.id or "", device.driver, "net" if kind == "vhost-user" else kind, EVERY)

"""The order in which devices are plugged, and what each vhost back end reports: who comes first decides.

A limit is a number, the name of a program (`workbook.lib.consumers.known_backends`), or nothing: then QEMU's assumption
for a back end that says nothing holds.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from workbook.lib.consumers.known_backends import KNOWN_BACKENDS, reported_slots
from workbook.lib.errors import BadInput
from workbook.lib.scenario import Device, Scenario, VfioDevice, VhostDevice
from workbook.lib.size import shown_size

from .scenario_edits import reported_memslots, unused_name, with_shared_memory

__all__ = ("PROGRAMS", "Place", "added", "moved", "places", "removed", "reporting")

PROGRAMS = tuple(
    f"{name}-{'.'.join(map(str, since))}" if since != (0, 0) else name
    for name, rows in KNOWN_BACKENDS.items()
    for since, _ in rows
)
"""Names of programs that `reporting` takes, with the version since which each reports what it does."""


@dataclass(frozen=True, slots=True)
class Place:
    """One device in the plug order.

    Attributes
    ----------
    name
        Its id, or its driver where it has none.
    what
        What it is, in a few words.
    limit
        What the back end reports, as text; empty where nothing is known, or for other devices.
    assumed
        Memslots that are assumed for a back end of which nothing is known; None for other devices.
    """

    device: Device
    name: str
    what: str
    limit: str = ""
    assumed: int | None = None


def places(scenario: Scenario) -> tuple[Place, ...]:
    """Return the devices in the order in which they are plugged."""
    return tuple(_places(scenario))


def _places(scenario: Scenario) -> Iterator[Place]:
    for one in scenario.devices:
        if isinstance(one, VhostDevice):
            limit = "" if one.slots is None else f"{one.slots:,}"
            kind = "vhost in the kernel" if one.kernel else one.driver
            yield Place(one, one.id or one.driver, kind, limit, reported_memslots(one))
        elif isinstance(one, VfioDevice):
            how = f"iommufd {one.iommufd}" if one.iommufd else "type1 container"
            yield Place(one, one.id or one.driver, f"VFIO, {how} (from source)")
        else:
            backend = scenario.backend(one.memdev or "")
            size = f", {shown_size(backend.size)}" if backend else ""
            yield Place(one, one.id or one.type, f"{one.type}{size}")


def _at(scenario: Scenario, index: int) -> Device:
    if not 0 <= index < len(scenario.devices):
        raise BadInput(f"there is no device {index}: the VM has {len(scenario.devices)}, counted from 0")
    return scenario.devices[index]


def moved(scenario: Scenario, index: int, by: int) -> Scenario:
    """Plug a device earlier (`by` negative) or later; at either end it stays.

    Raises
    ------
    BadInput
        There is no such device.
    """
    device = _at(scenario, index)
    left = [one for number, one in enumerate(scenario.devices) if number != index]
    left.insert(min(max(index + by, 0), len(left)), device)
    return replace(scenario, devices=tuple(left))


def removed(scenario: Scenario, index: int) -> Scenario:
    """Take a vhost back end or a VFIO device away.

    Raises
    ------
    BadInput
        There is no such device, or it has memory: the number of devices is a setting of its own.
    """
    device = _at(scenario, index)
    if not isinstance(device, VhostDevice | VfioDevice):
        raise BadInput(f"device {device.id!r:.60} has memory: change the number of devices instead")
    return replace(scenario, devices=tuple(one for one in scenario.devices if one is not device))


def added(scenario: Scenario, kind: str) -> Scenario:
    """Plug another device as the last one: ``vhost`` (a vhost-user back end, its memslots not known yet) or ``vfio``.

    Raises
    ------
    BadInput
        Another kind.
    """
    taken = {one.id for one in scenario.devices}
    if kind == "vhost":
        device: Device = VhostDevice(id=unused_name("vu", taken))
        return with_shared_memory(replace(scenario, devices=(*scenario.devices, device)))
    if kind == "vfio":
        used = sum(isinstance(one, VfioDevice) for one in scenario.devices)
        device = VfioDevice(id=unused_name("vfio", taken), props=(("host", f"0000:{used + 1:02x}:00.0"),))
        return replace(scenario, devices=(*scenario.devices, device))
    raise BadInput(f"a device of kind {kind!r:.40} cannot be added: give vhost or vfio")


def reporting(scenario: Scenario, index: int, text: str) -> Scenario:
    """Let a back end report what `text` says: a number of memslots, a program, or nothing.

    Raises
    ------
    BadInput
        Not a vhost back end, or a text that is none of these.
    """
    device = _at(scenario, index)
    if not isinstance(device, VhostDevice):
        raise BadInput(f"device {device.id!r:.60} has no vhost back end")
    plain = text.strip().replace(",", "")
    slots = int(plain) if plain.isascii() and plain.isdigit() and len(plain) < 19 else None
    if slots is None and plain:
        slots = reported_slots(plain)
    changed = replace(device, slots=slots)
    return replace(scenario, devices=tuple(changed if one is device else one for one in scenario.devices))

"""A device element that ``virsh attach-device`` would hot-plug, as the monitor commands that libvirt makes of it.

Source: src/qemu/qemu_hotplug.c (``qemuDomainAttachMemory``, ``qemuDomainAttachFSDevice``,
``qemuDomainAttachNetDevice``), libvirt 11.3: ``object-add`` or ``netdev_add`` first, then ``device_add``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from xml.etree import ElementTree as ET

from workbook.lib.errors import BadInput
from workbook.lib.scenario import Dimm, Pmem, Scenario, VirtioMem

from . import xml
from .aliases import ALIAS_PREFIXES, Aliases
from .backing import Backing, Page, Props
from .backing_choice import Piece, choose_backing
from .device_writer import memory_piece
from .devices import hostdev_props, is_vhost_user, pstore_props, shmem_props, vhost_props
from .memory import MemoryElement, check_memory
from .network import netdev_props, nic_props
from .numa import Cell
from .refusals import unsupported

__all__ = ("AttachedDevice", "read_attached")


@dataclass(frozen=True, slots=True)
class AttachedDevice:
    """The commands that hot-plug one element.

    Attributes
    ----------
    driver, id
        Of ``device_add``.
    props
        Its other properties.
    object
        Arguments of an ``object-add`` before; None for none.
    netdev
        Arguments of a ``netdev_add`` before; None for none.
    """

    driver: str
    id: str
    props: Props
    object: Props | None = None
    netdev: Props | None = None


def read_attached(text: str, scenario: Scenario) -> tuple[AttachedDevice, ...]:
    """Read device elements (``<memory>``, ``<filesystem>``, ``<interface>`` ...) for a VM that runs.

    Elements that take no memslot are left out. Names are those that libvirt would give next.

    Parameters
    ----------
    scenario
        The running VM: its memory backing decides how libvirt makes the memory of a device.

    Raises
    ------
    BadInput
        The XML cannot be read, or is a whole domain.
    Refusal
        libvirt would refuse it.
    """
    root, whole = xml.parse_domain(text)
    if whole:
        raise BadInput("this is a whole <domain>: to hot-plug, give one device, such as <memory model='virtio-mem'>")
    elements = xml.devices(root, whole=False)
    memory = [MemoryElement.of(one) for one in elements if one.tag == "memory"]
    check_memory(memory, scenario.numa_count)
    backing = _backing(scenario)
    ids = [one.id for one in (*scenario.devices, *scenario.fixtures) if one.id is not None]
    aliases = Aliases([one.removeprefix("host") if one.startswith("hostnet") else one for one in ids])
    slots = _free_slots(scenario, memory)
    found: list[AttachedDevice] = []
    for one in elements:
        made = (
            _memory(next(each for each in memory if each.element is one), backing, aliases, slots)
            if one.tag == "memory"
            else _other(one, scenario, backing, aliases)
        )
        found += [] if made is None else [made]
    if not found:
        raise BadInput("there is no device that takes memory or memslots: give <memory>, <filesystem>, <interface> ...")
    return tuple(found)


def _backing(scenario: Scenario) -> Backing:
    """Return the ``<memoryBacking>`` from which libvirt would have made this VM."""
    pieces = [
        Piece(one, number if scenario.numa else None, is_ram=True, prealloc=one is not None and one.prealloc)
        for number, (one, _size) in enumerate(scenario.ram_backends)
    ]
    memory = [one for one in scenario.devices if isinstance(one, VirtioMem | Dimm | Pmem)]
    pieces += [piece for one in memory if (piece := memory_piece(scenario, one)) is not None]
    choice = choose_backing(pieces, vhost_user=False)
    cells = tuple(
        Cell(size, choice.own_access(piece)) for piece, (_, size) in zip(pieces, scenario.ram_backends, strict=False)
    )
    pages = (Page(choice.page, None), *(Page(size, frozenset((node,))) for node, size in choice.pages))
    return Backing(cells if scenario.numa else (), choice.source, choice.access, choice.immediate, pages)


def _free_slots(scenario: Scenario, memory: Sequence[MemoryElement]) -> "count[int]":
    taken = [one.slot for one in scenario.devices if isinstance(one, Dimm)] + [one.slot for one in memory]
    return count(max((one for one in taken if one is not None), default=-1) + 1)


def _memory(one: MemoryElement, backing: Backing, aliases: Aliases, slots: "count[int]") -> AttachedDevice:
    if one.model == "sgx-epc":
        raise unsupported("hotplug is not supported for the sgx-epc device", "EPC is there from the start only")
    slot = (one.slot if one.slot is not None else next(slots)) if one.is_dimm else None
    name = aliases.take(one.element, ALIAS_PREFIXES[one.model], slot)
    memdev = f"mem{name}"
    props = one.device(backing, name, memdev, slot)
    return _attached(props, name, backend=one.backend(backing, memdev))


def _other(one: ET.Element, scenario: Scenario, backing: Backing, aliases: Aliases) -> AttachedDevice | None:
    prefix = ALIAS_PREFIXES.get(one.tag)
    if prefix is None:
        return None
    if is_vhost_user(one) and not backing.is_shared:
        kinds = {"filesystem": "virtiofs", "interface": "interface"}
        name = kinds.get(one.tag) or one.get("type", "")
        raise unsupported(f"'{name}' requires shared memory", "the VM must have been started with shared memory")
    name = aliases.take(one, prefix)
    if one.tag == "interface" and one.get("type") != "hostdev":
        card = nic_props(one, name)
        netdev = netdev_props(one, f"host{name}", kvm=scenario.accel == "kvm")
        return None if card is None else _attached(card, name, netdev=netdev)
    if one.tag in ("shmem", "pstore"):
        backend, props = shmem_props(one, name) if one.tag == "shmem" else pstore_props(one, name)
        return _attached(props, name, backend=backend)
    found = vhost_props(one, name) or hostdev_props(one, name)
    return None if found is None else _attached(found, name)


def _attached(props: Props, name: str, *, backend: Props | None = None, netdev: Props | None = None) -> AttachedDevice:
    rest = {key: value for key, value in props.items() if key not in ("driver", "id")}
    return AttachedDevice(str(props["driver"]), name, rest, backend, netdev)

"""``-device`` and ``device_add``: properties to devices, and QEMU's checks of names, buses and values on the way.

Sources: system/qdev-monitor.c, hw/core/qdev-properties.c, hw/virtio/virtio-mem.c, hw/virtio/virtio-pmem.c,
hw/mem/pc-dimm.c, hw/mem/nvdimm.c (QEMU 7.2 to 10.0), compared with a QEMU 10.0.2.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from workbook.lib.errors import BadInput
from workbook.lib.rules.base import RuleSet
from workbook.lib.scenario import Device, Dimm, Nvdimm, PciDevice, Pmem, VfioDevice, VhostDevice, VirtioMem
from workbook.lib.size import KiB, MiB

from . import device_lists as lists
from .catalogue import device_properties, is_fixed_device, resolved_device
from .links import Names, check_link
from .pci_addresses import PCI_ADDRESS
from .properties import Dialect, Properties
from .qdict_order import qdict_order
from .syntax import split_opts

__all__ = ("Buses", "check_device", "device_from_properties", "device_of", "fixture_of", "with_globals")

VDPA_LIMIT: Final = (1 << 31) - 1
"""``vhost_vdpa_memslots_limit`` is INT_MAX (hw/virtio/vhost-vdpa.c)."""
_MIN_LABEL_SIZE: Final = 128 * KiB
"""MIN_NAMESPACE_LABEL_SIZE (include/hw/mem/nvdimm.h)."""
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ON_OFF_AUTO: Final = ("on", "off", "auto")
_NAMES: Final = frozenset({"driver", "id", "bus"})
_READ_ONLY: Final = {"virtio-mem-pci": ("size", "virtio-mem.size"), "pc-dimm": ("size", "pc-dimm.size")}
_OLDER_PROPERTIES: Final = {"virtio-mem-pci": {"max-memslots": "uint16", "memslots": "uint16"}}
"""Properties of the series of 2021; a rule set says whether its QEMU has them."""
_BUS_CONTROLLERS: Final[dict[str, tuple[str, ...]]] = {
    "usb-bus": (
        *("qemu-xhci", "nec-usb-xhci", "usb-ehci", "pci-ohci", "piix3-usb-uhci", "piix4-usb-uhci"),
        *("ich9-usb-ehci1", "ich9-usb-ehci2", *(f"ich9-usb-uhci{number}" for number in range(1, 7))),
    ),
    "SCSI": (
        *("virtio-scsi-pci", "virtio-scsi-pci-transitional", "virtio-scsi-pci-non-transitional", "lsi53c895a", "lsi"),
        *("lsi53c810", "megasas", "megasas-gen2", "mptsas1068", "pvscsi", "am53c974", "dc390"),
        *("usb-bot", "usb-uas", "vhost-scsi-pci", "vhost-user-scsi-pci"),
    ),
    "virtio-serial-bus": (
        *("virtio-serial-pci", "virtio-serial-pci-transitional", "virtio-serial-pci-non-transitional"),
        "virtio-serial",
    ),
    "HDA": ("intel-hda", "ich9-intel-hda"),
}
_BOARD_BUSES: Final = frozenset(
    "usb ide isa scsi virtio-serial-bus virtio-serial floppy i2c smbus main-system-bus sata ahci".split()
)
"""How the buses begin that the board or controllers without an id make."""
_BUS_OF: Final[dict[str, str]] = {
    **dict.fromkeys("scsi-hd scsi-cd scsi-block scsi-generic".split(), "SCSI"),
    **dict.fromkeys("virtserialport virtconsole".split(), "virtio-serial-bus"),
    **dict.fromkeys("hda-duplex hda-micro hda-output".split(), "HDA"),
}


@dataclass
class Buses:
    """Buses and ids that exist while the devices of a command line are made.

    Parameters
    ----------
    root
        The PCI bus of the board: ``pcie.0`` or ``pci.0``.

    Attributes
    ----------
    pci, kinds, ids
        PCI buses by name, buses that need a controller by type, and ids of devices.
    anonymous
        There is a bridge without an id, whose bus has a name that is not known here.
    expander
        The newest expander bridge: devices without ``bus=`` find its bus first, and it takes none of them.
    names
        What the line defines that properties may name.
    """

    root: str
    pci: set[str] = field(default_factory=set)
    kinds: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)
    anonymous: bool = False
    expander: str | None = None
    names: Names = field(default_factory=dict)

    def has(self, name: str) -> bool:
        """Return whether there is a bus of that name, as far as it can be known."""
        owner = name.partition(".")[0]
        if name == self.root or name in self.pci or owner in self.ids or owner in _BOARD_BUSES:
            return True
        return self.anonymous or self.left_out(name)

    def left_out(self, name: str) -> bool:
        """Return whether a bus is one of libvirt's whose bridge somebody cut off: a line without bridges names it."""
        return name.startswith("pci.") and name != "pci.0" and not self.pci

    def add(self, driver: str, name: str | None) -> None:
        """Note what a device that was made brings along."""
        if name:
            self.ids.add(name)
        if driver in ("pxb-cxl", "pxb-pcie"):
            self.expander = driver
        if driver in lists.PCI_BRIDGES:
            if name:
                self.pci.add(name)
            else:
                self.anonymous = True
        self.kinds |= {bus for bus, controllers in _BUS_CONTROLLERS.items() if driver in controllers}


def device_from_properties(
    driver: str, props: Mapping[str, object], *, rules: RuleSet | None = None, vhost_slots: int | None = None
) -> Device | None:
    """Build the device of a ``device_add``; None where it is neither a memory device nor a vhost device.

    Parameters
    ----------
    driver
        The driver; ``"driver,key=value"`` is split.
    rules
        Target QEMU: properties it does not support raise Refusal with its message.
    vhost_slots
        Memslots that its vhost back end reports.

    Raises
    ------
    BadInput
        Takes memory slots and is not modelled.
    Refusal
        A device or a property that QEMU does not know.
    """
    warnings: tuple[str, ...] = ()
    given: dict[str, object] = {"driver": driver}
    if "," in driver:
        found, warnings = split_opts(driver, "driver", option="device_add")
        given |= found
    read = Properties(given | dict(props), warnings=warnings)
    read.check_identifier(hint=False)
    check_device(read, rules=rules)
    return device_of(read, vhost_slots=vhost_slots)


def check_device(props: Properties, *, rules: RuleSet | None = None, buses: Buses | None = None) -> str:
    """Check a device's name, bus and the types of its properties, and return its name without aliases.

    Raises
    ------
    BadInput
        A memory device that is not modelled.
    Refusal
        In the order and words of ``qdev_device_add_from_qdict``.
    """
    given = props.values.get("driver")
    if not isinstance(given, str) or not given:
        raise props.refusal("Parameter 'driver' is missing", "name the device's driver")
    driver = resolved_device(given)
    if given in lists.TAKES_MEMORY:
        raise BadInput(f"device {given!r} is not modelled: {lists.TAKES_MEMORY[given]}; leave it out")
    known = device_properties(driver)
    if known is None:
        if is_fixed_device(given):
            raise props.refusal("Parameter 'driver' expects a pluggable device type", "the board makes it by itself")
        raise props.refusal(
            f"'{given}' is not a valid device model name", "look at its spelling: -device help lists them"
        )
    if buses is not None:
        _check_bus(props, driver, known, buses)
        name = props.values.get("id")
        if isinstance(name, str) and name in buses.ids:
            raise props.refusal(f"Duplicate device ID '{name}'", "give every device its own id")
    known = {**known, **_OLDER_PROPERTIES.get(driver, {})}
    for key in qdict_order(props.values):
        if key in _NAMES:
            continue
        if rules is not None and driver == "virtio-mem-pci" and key in rules.unknown_properties:
            raise props.refusal(rules.unknown_properties[key], f"rule set {rules.name} has no such property")
        if key not in known:
            raise props.refusal(f"Property '{driver}.{key}' not found", "leave it out, or look at its spelling")
        if driver in _READ_ONLY and key == _READ_ONLY[driver][0]:
            raise props.refusal(
                f"Property '{_READ_ONLY[driver][1]}' is not writable", "the memory backend has the size"
            )
        _check_value(props, driver, key, known[key])
        if buses is not None:
            check_link(props, driver, key, buses.names)
    return driver


def _check_bus(props: Properties, driver: str, known: Mapping[str, str], buses: Buses) -> None:
    wanted = props.values.get("bus")
    if isinstance(wanted, str):
        if not buses.has(wanted.rpartition("/")[2]):
            raise props.refusal(f"Bus '{wanted}' not found", f"known are {', '.join([buses.root, *sorted(buses.pci)])}")
        return
    if _on_virtio_bus(driver, known):
        raise props.refusal(
            f"No 'virtio-bus' bus found for device '{driver}'", f"use {driver.removesuffix('-device')}-pci"
        )
    if buses.expander is not None and "romfile" in known and driver not in lists.PCI_BRIDGES:
        # the newest host bridge is found first
        message = f"PCI: Only PCI/PCIe bridges can be plugged into {buses.expander}"
        raise props.refusal(message, f"give the device bus={buses.root}")
    bus = _BUS_OF.get(driver) or ("usb-bus" if "msos-desc" in known and "port" in known else None)
    if bus is not None and bus not in buses.kinds:
        raise props.refusal(f"No '{bus}' bus found for device '{driver}'", "add a controller before it")


def _on_virtio_bus(driver: str, known: Mapping[str, str]) -> bool:
    return "iommu_platform" in known and "romfile" not in known and driver != "virtio-mmio"


def _check_value(props: Properties, driver: str, key: str, kind: str) -> None:
    match kind:
        case "bool":
            props.flag(key)
        case "OnOffAuto":
            props.choice(key, _ON_OFF_AUTO)
        case "size":
            props.size(key)
        case "uint8" | "uint16" | "uint32" | "uint64":
            props.number(key, bits=int(kind[4:]))
        case "int32" if key != "addr":
            props.int32(key, 0)
        case "str" | "string" | "link":
            props.text(key)
    if check := _SETTERS.get((driver, key)):
        check(props)
    if key == "addr" and kind == "str" and "romfile" in (device_properties(driver) or {}):
        _check_pci_address(props, driver)


def _check_pci_address(props: Properties, driver: str) -> None:
    value = props.values["addr"]
    if not isinstance(value, str):
        return
    match = PCI_ADDRESS.fullmatch(value)
    if match is None or int(match[1], 16) > 31 or int(match[2] or "0", 16) > 7:
        raise props.refusal(f"Property '{driver}.addr' doesn't take value '{value}'", "slots are 0 to 0x1f")


def device_of(props: Properties, *, vhost_slots: int | None = None) -> Device | None:
    """Build the device of one ``-device`` that `check_device` took; None where it is no memory device and has no vhost.

    Raises
    ------
    BadInput, Refusal
        As `device_from_properties`.
    """
    driver, name = resolved_device(str(props.values["driver"])), props.values.get("id")
    # QEMU takes an id of another type in JSON for none
    name = name if isinstance(name, str) else None
    match driver:
        case "virtio-mem-pci":
            return _virtio_mem(name, props)
        case "pc-dimm":
            return Dimm(
                id=name,
                memdev=props.text("memdev") or None,
                addr=props.number("addr"),
                slot=props.int32("slot", -1),
                node=props.number("node", bits=32),
                where=props.where,
            )
        case "nvdimm":
            return _nvdimm(name, props)
        case "virtio-pmem-pci":
            memaddr = props.number("memaddr")
            return Pmem(id=name, memdev=props.text("memdev") or None, memaddr=memaddr, where=props.where)
    if driver in lists.VFIO:
        given = ((key, _text(value)) for key, value in sorted(props.values.items()) if key in lists.VFIO_PROPERTIES)
        return VfioDevice(id=name, driver=driver, props=tuple(given), where=props.where)
    kind = lists.vhost_kind(driver)
    if kind is None:
        return None
    slots = VDPA_LIMIT if kind == "vdpa" and vhost_slots is None else vhost_slots
    return VhostDevice(id=name, driver=driver, slots=slots, kernel=kind != "user", where=props.where)


def _check_block_size(props: Properties) -> None:
    block_size = props.size("block-size")
    if block_size < MiB:
        raise props.refusal(
            f"'block-size' property has to be at least {MiB:#x}", "use 1 MiB or more, or leave it out for the default"
        )
    if block_size & (block_size - 1):
        raise props.refusal("'block-size' property has to be a power of two", "use 1M, 2M, 4M, 8M ...")


def _check_label_size(props: Properties) -> None:
    label_size = props.size("label-size")
    if label_size < _MIN_LABEL_SIZE:
        raise props.refusal(
            f"Property 'nvdimm.label-size' ({label_size:#x}) is required at least {_MIN_LABEL_SIZE:#x}", "use 128K"
        )


def _check_uuid(props: Properties) -> None:
    if not _UUID.fullmatch(props.text("uuid") or ""):
        raise props.refusal("Property 'nvdimm.uuid' has invalid value", "32 hexadecimal digits in five groups")


_SETTERS: Final[dict[tuple[str, str], Callable[[Properties], None]]] = {
    ("virtio-mem-pci", "block-size"): _check_block_size,
    ("nvdimm", "label-size"): _check_label_size,
    ("nvdimm", "uuid"): _check_uuid,
}
"""Properties that refuse a value when they are set, in their place among the others."""


def _virtio_mem(name: str | None, props: Properties) -> VirtioMem:
    return VirtioMem(
        id=name,
        memdev=props.text("memdev") or None,
        requested_size=props.size("requested-size"),
        block_size=props.size("block-size"),
        memaddr=props.number("memaddr"),
        node=props.number("node", bits=32),
        max_memslots=props.number("max-memslots", bits=16) if "max-memslots" in props else None,
        memslots=props.number("memslots", bits=16) if "memslots" in props else None,
        dynamic_memslots=props.flag("dynamic-memslots") if "dynamic-memslots" in props else None,
        unplugged_inaccessible=props.choice("unplugged-inaccessible", _ON_OFF_AUTO),  # type: ignore[arg-type]  # one of the choices
        prealloc=props.flag("prealloc"),
        where=props.where,
    )


def _nvdimm(name: str | None, props: Properties) -> Nvdimm:
    return Nvdimm(
        id=name,
        memdev=props.text("memdev") or None,
        addr=props.number("addr"),
        slot=props.int32("slot", -1),
        node=props.number("node", bits=32),
        label_size=props.size("label-size"),
        unarmed=props.flag("unarmed"),
        uuid=props.text("uuid"),
        where=props.where,
    )


def fixture_of(props: Properties) -> PciDevice | None:
    """Return a display, a network card or another device that maps RAM or ROM; None for all others."""
    driver, name = resolved_device(str(props.values["driver"])), props.values.get("id")
    maps = driver in lists.DISPLAYS | lists.NETWORK_CARDS | lists.OTHER_FIXTURES
    if not maps and not props.values.get("romfile"):
        return None
    kept = tuple((key, _text(value)) for key, value in sorted(props.values.items()) if key in lists.FIXTURE_PROPERTIES)
    return PciDevice(driver=driver, id=name if isinstance(name, str) else None, props=kept)


def _text(value: object) -> str:
    """Write a value of JSON as it is written after ``key=``."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)


def _as_json(props: Properties, key: str, kind: str) -> object:
    """Return a value that was written as text as it stands in JSON."""
    match kind:
        case "bool":
            return props.flag(key)
        case "size":
            return props.size(key)
        case "uint8" | "uint16" | "uint32" | "uint64":
            return props.number(key, bits=int(kind[4:]))
        case "int32":
            return props.int32(key, 0) if key != "addr" else props.values[key]
        case _:
            return props.values[key]


def with_globals(props: Properties, globals_: list[tuple[str, str, str]]) -> Properties:
    """Return a device's properties with ``-global`` ones for what it does not name itself.

    Raises
    ------
    Refusal
        A global property that the device does not have.
    """
    driver = resolved_device(str(props.values.get("driver", "")))
    family = {driver, driver.removesuffix("-pci"), *(("pc-dimm",) if driver == "nvdimm" else ())}
    mine = [(owner, key, value) for owner, key, value in globals_ if owner in family]
    if not mine:
        return props
    known = device_properties(driver) or {}
    values = dict(props.values)
    for owner, key, value in mine:
        where = f"{props.where}: " if props.where else ""
        place = f"{where}can't apply global {owner}.{key}={value}"
        single = Properties({"driver": driver, key: value}, Dialect.CPU, where=place)
        if key not in known and key not in _OLDER_PROPERTIES.get(driver, {}):
            raise single.refusal(f"Property '{owner}.{key}' not found", "leave it out, or look at its spelling")
        _check_value(single, driver, key, known.get(key, "str"))
        if key not in props.values:
            values[key] = _as_json(single, key, known.get(key, "str")) if props.dialect is Dialect.JSON else value
    return Properties(values, props.dialect, where=props.where, warnings=props.warnings, repeated=props.repeated)

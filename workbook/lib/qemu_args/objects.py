"""``-object`` and ``-device``, ``object-add`` and ``device_add``: properties to memory backends and devices.

Properties and texts: qapi/qom.json, hw/virtio/virtio-mem.c, hw/virtio/virtio-pmem.c, hw/mem/pc-dimm.c (QEMU 7.2 to
10.0), compared with a QEMU 10.0.2.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

from workbook.lib.errors import BadInput, Refusal
from workbook.lib.rules.base import RuleSet
from workbook.lib.scenario import Device, Dimm, MemoryBackend, Pmem, VfioDevice, VhostDevice, VirtioMem
from workbook.lib.size import GiB, KiB, MiB

from .syntax import Dialect, Properties, split_opts

__all__ = ("backend_from_object", "backend_of", "device_from_properties", "device_of")

_BACKENDS: Final[dict[str, Literal["ram", "memfd", "file"]]] = {
    "memory-backend-ram": "ram",
    "memory-backend-memfd": "memfd",
    "memory-backend-file": "file",
}
_BACKEND_PROPERTIES: Final = frozenset(
    "qom-type id dump host-nodes merge policy prealloc prealloc-threads prealloc-context share reserve size "
    "x-use-canonical-path-for-ramblock-id".split()
)
_MORE_BACKEND_PROPERTIES: Final = {
    "ram": frozenset[str](),
    "memfd": frozenset(("hugetlb", "hugetlbsize", "seal")),
    "file": frozenset("align offset discard-data mem-path pmem readonly rom".split()),
}
_VFIO: Final = frozenset(("vfio-pci", "vfio-pci-nohotplug"))
_VFIO_PROPERTIES: Final = frozenset("host sysfsdev iommufd romfile rombar romsize ramfb".split())
_TAKES_MEMORY: Final = frozenset(
    "virtio-mem virtio-mem-ccw virtio-mem-device virtio-pmem virtio-md-pci hv-balloon sgx-epc cxl-type3 "
    "virtio-mem-pci-transitional".split()
)
_VHOST_KERNEL: Final = frozenset({"vhost-vsock-pci", "vhost-scsi-pci", "vhost-vsock-device", "vhost-scsi"})
_PCI_PROPERTIES: Final = frozenset(
    "driver id memdev bus addr multifunction acpi-index romfile rombar romsize failover_pair_id busnr sriov-pf "
    "disable-legacy disable-modern vectors ioeventfd iommu_platform ats aer packed event_idx indirect_desc in_order "
    "any_layout notify_on_empty queue_reset page-per-vq modern-pio-notify migrate-extra use-started use-disabled-flag "
    "virtio-pci-bus-master-bug-migration class".split()
)
_VIRTIO_MEM_PROPERTIES: Final = (
    "requested-size",
    "block-size",
    "memaddr",
    "node",
    "max-memslots",
    "memslots",
    "dynamic-memslots",
    "unplugged-inaccessible",
    "prealloc",
)
_ON_OFF_AUTO: Final = ("on", "off", "auto")


def backend_from_object(given: Mapping[str, Any]) -> MemoryBackend:
    """Read the arguments of ``object-add``.

    Raises
    ------
    BadInput
        Not a memory backend that is modelled.
    Refusal
        Its id or size is missing, or a property is not taken.
    """
    if not isinstance(given, Mapping):
        raise BadInput(f"an object must be given as its properties, not as {given!r:.60}")
    backend = backend_of(Properties(given, Dialect.OBJECT))
    if backend is None:
        raise BadInput(f"object {given.get('qom-type')!r:.60} is not modelled: known are {', '.join(_BACKENDS)}")
    return backend


def backend_of(props: Properties) -> MemoryBackend | None:
    """Read one ``-object``; None where it is no memory backend.

    Raises
    ------
    BadInput, Refusal
        As `backend_from_object`.
    """
    kind = props.text("qom-type")
    if kind is None:
        raise props.refusal("Parameter 'qom-type' is missing", "say which object to make")
    if not kind.startswith("memory-backend-"):
        return None
    if kind not in _BACKENDS:
        raise BadInput(f"object {kind!r:.60} is not modelled: known are {', '.join(_BACKENDS)}")
    name = props.text("id")
    if name is None:
        raise props.refusal("Parameter 'id' is missing", "give the object an id")
    short = _BACKENDS[kind]
    if "size" not in props:
        raise props.refusal("Parameter 'size' is missing", f"give memory backend {name!r} a size")
    prealloc = props.flag("prealloc")
    share = props.flag("share", default=short == "memfd")
    reserve = props.flag("reserve", default=True)
    size = props.size("size")
    huge = short == "memfd" and props.flag("hugetlb")
    page_size = props.size("hugetlbsize", 2 * MiB) if short == "memfd" else 4 * KiB
    path = props.text("mem-path") if short == "file" else None
    if short == "file" and path is None:
        raise props.refusal("Parameter 'mem-path' is missing", f"give memory backend {name!r} a mem-path")
    unknown = [key for key in props.values if key not in _BACKEND_PROPERTIES | _MORE_BACKEND_PROPERTIES[short]]
    if unknown:
        words = "Parameter '{}' is unexpected" if props.dialect is Dialect.JSON else "Invalid parameter '{}'"
        raise props.refusal(words.format(unknown[0]), f"{kind} has no such property")
    # what follows QEMU reports without the option
    on_command_line, props = bool(props.where), Properties(props.values, props.dialect)
    props.check_identifier(hint=on_command_line)
    if not size:
        raise Refusal(f"property 'size' of {kind} doesn't take value '0'", f"give memory backend {name!r} a size")
    if "hugetlbsize" in props and not page_size:
        raise Refusal(f"Property '{kind}.hugetlbsize' doesn't take value '0'", "use 2M or 1G")
    if path == "":
        raise Refusal("can't open backing store  for guest RAM: No such file or directory", "give mem-path a path")
    if not huge:
        page_size = _page_size_of(path)
    elif page_size & (page_size - 1):
        raise Refusal("Hugepage size must be a power of 2", "use 2M or 1G")
    elif page_size < 64 * KiB:
        raise BadInput(f"hugetlbsize {page_size} is no huge page of a PC: use 2M or 1G")
    return MemoryBackend(
        id=name,
        size=size,
        kind=short,
        share=share,
        reserve=reserve,
        prealloc=prealloc,
        page_size=page_size,
        mem_path=path,
    )


def _page_size_of(path: str | None) -> int:
    """Guess the page size of a file: what is mounted there cannot be seen; 1G is named in the path by custom."""
    if path is None or "huge" not in path:
        return 4 * KiB
    return GiB if "1G" in path.upper() else 2 * MiB


def device_from_properties(
    driver: str, props: Mapping[str, Any], *, rules: RuleSet | None = None, vhost_slots: int | None = None
) -> Device | None:
    """Build the device of a ``device_add``; None where it cannot matter for memory slots.

    Parameters
    ----------
    driver
        The driver; ``"driver,key=value"`` is split.
    rules
        What the QEMU is that reads it: properties it does not know are refused with its words.
    vhost_slots
        Memslots that its vhost back end reports.

    Raises
    ------
    BadInput
        Takes memory slots and is not modelled.
    Refusal
        A property that QEMU does not take.
    """
    warnings: tuple[str, ...] = ()
    given: dict[str, Any] = {"driver": driver}
    if "," in driver:
        found, warnings = split_opts(driver, "driver", option="device_add")
        given |= found
    read = Properties(given | dict(props), warnings=warnings)
    read.check_identifier(hint=False)
    return device_of(read, rules=rules, vhost_slots=vhost_slots)


def device_of(props: Properties, *, rules: RuleSet | None = None, vhost_slots: int | None = None) -> Device | None:
    """Build the device of one ``-device``; None where it cannot matter for memory slots.

    Raises
    ------
    BadInput, Refusal
        As `device_from_properties`.
    """
    driver, name = props.values.get("driver"), props.values.get("id")
    if not isinstance(driver, str) or not driver:
        raise props.refusal("Parameter 'driver' is missing", "name the device's driver")
    # QEMU takes an id of another type in JSON for none
    name = name if isinstance(name, str) else None
    if driver == "virtio-mem-pci":
        return _virtio_mem(name, props, rules)
    if driver == "pc-dimm":
        _refuse_unknown(props, frozenset("driver id memdev addr node slot".split()))
        return Dimm(
            id=name,
            memdev=props.text("memdev") or None,
            addr=props.number("addr"),
            slot=props.int32("slot", -1),
            node=props.number("node", bits=32),
            where=props.where,
        )
    if driver == "virtio-pmem-pci":
        _refuse_unknown(props, _PCI_PROPERTIES | {"memaddr"})
        return Pmem(id=name, memdev=props.text("memdev") or None, memaddr=props.number("memaddr"), where=props.where)
    if driver == "nvdimm":
        raise BadInput("device 'nvdimm' is not modelled: use pc-dimm or virtio-pmem-pci")
    if driver in _TAKES_MEMORY:
        raise BadInput(f"device {driver!r} takes memory slots and is not modelled: use virtio-mem-pci")
    if driver in _VFIO:
        given = tuple((key, _text(value)) for key, value in sorted(props.values.items()) if key in _VFIO_PROPERTIES)
        return VfioDevice(id=name, driver=driver, props=given, where=props.where)
    if driver.startswith("vhost-user-") or driver in _VHOST_KERNEL:
        kernel = driver in _VHOST_KERNEL
        return VhostDevice(id=name, driver=driver, slots=vhost_slots, kernel=kernel, where=props.where)
    return None


def _text(value: object) -> str:
    """Write a value of JSON as it is written after ``key=``."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)


def _refuse_unknown(props: Properties, known: frozenset[str]) -> None:
    for key in props.values:
        if key not in known and not key.startswith("x-"):
            raise props.refusal(
                f"Property '{props.values['driver']}.{key}' not found", "leave it out, or look at its spelling"
            )


def _virtio_mem(name: str | None, props: Properties, rules: RuleSet | None) -> VirtioMem:
    for key in props.values:
        if rules is not None and key in rules.unknown_properties:
            raise props.refusal(rules.unknown_properties[key], f"rule set {rules.name} has no such property")
    _refuse_unknown(props, _PCI_PROPERTIES | set(_VIRTIO_MEM_PROPERTIES))
    block_size = props.size("block-size")
    if "block-size" in props and not block_size:
        raise props.refusal(
            f"'block-size' property has to be at least {MiB:#x}", "use 1 MiB or more, or leave it out for the default"
        )
    return VirtioMem(
        id=name,
        memdev=props.text("memdev") or None,
        requested_size=props.size("requested-size"),
        block_size=block_size,
        memaddr=props.number("memaddr"),
        node=props.number("node", bits=32),
        max_memslots=props.number("max-memslots", bits=16) if "max-memslots" in props else None,
        memslots=props.number("memslots", bits=16) if "memslots" in props else None,
        dynamic_memslots=props.flag("dynamic-memslots") if "dynamic-memslots" in props else None,
        unplugged_inaccessible=props.choice("unplugged-inaccessible", _ON_OFF_AUTO),  # type: ignore[arg-type]
        prealloc=props.flag("prealloc"),
        where=props.where,
    )

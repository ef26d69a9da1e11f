"""Scenario: everything a user can set, as one frozen value that travels as JSON.

The sliders hold one, a preset is one, a comparison is two, a command line is read into one and written from
one, a report embeds one. `workbook.lib.machine.Machine` brings it to life.
"""

import json
from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import ClassVar, Final, Literal

from .actions import Action
from .errors import BadInput
from .host import KVM_SLOTS_TODAY, Host
from .json_codec import from_json, to_json
from .size import GiB, KiB, MiB

__all__ = (
    "DEFAULT_FIRMWARE_SIZE",
    "DEFAULT_RULES",
    "Action",
    "Cpu",
    "Device",
    "Dimm",
    "MemoryBackend",
    "NumaNode",
    "Nvdimm",
    "PciDevice",
    "Pmem",
    "Scenario",
    "VfioDevice",
    "VhostDevice",
    "VirtioMem",
)

DEFAULT_RULES: Final = "qemu-10.0"
"""The rule set of a VM for which none is named."""
DEFAULT_FIRMWARE_SIZE: Final = 256 * KiB
"""Bytes of the SeaBIOS that QEMU loads where nothing else is named (pc-bios/bios-256k.bin)."""
U32: Final = (1 << 32) - 1
U64: Final = (1 << 64) - 1
_VIRTIO_MEM_RANGES: Final = {
    "requested_size": U64,
    "block_size": U64,
    "memaddr": U64,
    "node": U32,
    "max_memslots": 0xFFFF,
    "memslots": 0xFFFF,
    "slot_size": U64,
}


def _check_range(name: str, value: object, most: int, *, least: int = 0) -> None:
    if value is None or (type(value) is int and least <= value <= most):  # the common case, without numbers.Integral
        return
    if not isinstance(value, Integral):
        raise BadInput(f"{name} must be a whole number, not {value!r:.60}")
    if not least <= int(value) <= most:
        raise BadInput(f"{name} is out of range: {least} to {most:#x} is allowed")


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryBackend:
    """``-object memory-backend-ram|memfd|file|shm``: host memory for one device or for the boot RAM.

    Attributes
    ----------
    page_size
        Of the host memory: 4096, or the huge-page size.
    share
        Mapped shared (memfd and file default to it where QEMU does).
    shared_fd
        Whether `share` gives anonymous memory a file descriptor too, as since QEMU 10.0; a machine knows.
    readonly, rom, pmem, align
        Properties of ``memory-backend-file``: opened read-only, mapped as ROM (None: as `readonly`), persistent
        memory, and the alignment in bytes (0: the page size's).
    """

    id: str
    size: int
    kind: Literal["ram", "memfd", "file", "shm"] = "ram"
    share: bool = False
    reserve: bool = True
    prealloc: bool = False
    page_size: int = 4 * KiB
    mem_path: str | None = None
    shared_fd: bool = False
    readonly: bool = False
    rom: bool | None = None
    pmem: bool = False
    align: int = 0

    def __post_init__(self) -> None:
        _check_range(f"memory backend {self.id!r:.60}: size", self.size, U64)
        if self.page_size < 4 * KiB or self.page_size & (self.page_size - 1):
            raise BadInput(
                f"memory backend {self.id!r:.60}: page_size is {self.page_size}: a power of two from 4096 on is allowed"
            )

    @property
    def has_fd(self) -> bool:
        """Whether another process can map it: vhost-user sees nothing else."""
        return self.kind != "ram" or (self.share and self.shared_fd)

    @property
    def alignment(self) -> int:
        """Alignment of its memory region: anonymous memory 2 MiB on x86-64 Linux [measured], else the page size."""
        return max(self.page_size, 2 * MiB) if self.kind == "ram" else max(self.page_size, self.align)


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtioMem:
    """``-device virtio-mem-pci``.

    Attributes
    ----------
    block_size
        0: QEMU's default (`MemoryBackend.page_size` and the transparent huge page decide).
    memaddr
        Guest-physical address; 0: first fit.
    max_memslots
        RFC series: the user's limit, 0 for automatic; None where not given (the machine type decides).
    memslots
        Series 2021 v1: the user's number of memslots.
    slot_size
        Firecracker: bytes of a memslot (``slot_size_mib``); 0: its default.
    transport
        ``virtio-mem-pci``, or s390x's ``virtio-mem-ccw``.
    dynamic_memslots
        QEMU 8.2 and later; None where not given (off).
    """

    type: ClassVar[str] = "virtio-mem"
    id: str | None
    memdev: str | None
    requested_size: int = 0
    block_size: int = 0
    memaddr: int = 0
    node: int = 0
    max_memslots: int | None = None
    memslots: int | None = None
    slot_size: int = 0
    dynamic_memslots: bool | None = None
    unplugged_inaccessible: Literal["auto", "on", "off"] | None = None
    prealloc: bool = False
    transport: Literal["pci", "ccw"] = "pci"
    where: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        for name, most in _VIRTIO_MEM_RANGES.items():
            _check_range(f"device {self.id!r:.60}: {name}", getattr(self, name), most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimm:
    """``-device pc-dimm``; `slot` -1 is the first free one."""

    type: ClassVar[str] = "dimm"
    id: str | None
    memdev: str | None
    addr: int = 0
    slot: int = -1
    node: int = 0
    where: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        _check_range(f"device {self.id!r:.60}: addr", self.addr, U64)
        _check_range(f"device {self.id!r:.60}: node", self.node, U32)
        _check_range(f"device {self.id!r:.60}: slot", self.slot, U32 >> 1, least=-(1 << 31))


@dataclass(frozen=True, slots=True, kw_only=True)
class Nvdimm(Dimm):
    """``-device nvdimm``: a DIMM whose last `label_size` bytes are not mapped but hold labels (hw/mem/nvdimm.c).

    Attributes
    ----------
    unarmed
        Writes do not persist; QEMU wants it where the backend is read-only.
    """

    type: ClassVar[str] = "nvdimm"
    label_size: int = 0
    unarmed: bool = False
    uuid: str | None = None

    def __post_init__(self) -> None:
        Dimm.__post_init__(self)
        _check_range(f"device {self.id!r:.60}: label_size", self.label_size, U64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pmem:
    """``-device virtio-pmem-pci``."""

    type: ClassVar[str] = "virtio-pmem"
    id: str | None
    memdev: str | None
    memaddr: int = 0
    where: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        _check_range(f"device {self.id!r:.60}: memaddr", self.memaddr, U64)


@dataclass(frozen=True, slots=True, kw_only=True)
class VhostDevice:
    """A device with a vhost back end.

    Attributes
    ----------
    slots
        Memslots that the back end reports; None: a vhost-user back end without CONFIGURE_MEM_SLOTS (8), or
        vhost in the kernel with its default (64).
    kernel
        vhost in the kernel (``/dev/vhost-*``) rather than vhost-user.
    """

    type: ClassVar[str] = "vhost"
    id: str | None
    driver: str = "vhost-user-fs-pci"
    slots: int | None = None
    kernel: bool = False
    where: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        _check_range(f"device {self.id!r:.60}: slots", self.slots, U64)


@dataclass(frozen=True, slots=True, kw_only=True)
class VfioDevice:
    """``-device vfio-pci``: a host device, which takes DMA mappings for the memory that is mapped and plugged.

    Attributes
    ----------
    driver
        ``vfio-pci``, or ``vfio-pci-nohotplug``.
    props
        What was given of it, name and value as text, in order.
    """

    type: ClassVar[str] = "vfio"
    id: str | None
    driver: str = "vfio-pci"
    props: tuple[tuple[str, str], ...] = ()
    where: str = field(default="", compare=False)

    def prop(self, name: str) -> str | None:
        """Return the text of one property; None where it is not given."""
        return dict(self.props).get(name)

    @property
    def iommufd(self) -> str | None:
        """Id of the ``iommufd`` object; None: the type1 container, which all such devices share."""
        return self.prop("iommufd")


Device = VirtioMem | Dimm | Nvdimm | Pmem | VhostDevice | VfioDevice


@dataclass(frozen=True, slots=True, kw_only=True)
class PciDevice:
    """A device that takes memslots though it is neither a memory device nor a vhost device.

    Displays, network cards with option ROMs, ivshmem, acpi-erst ...; what they map is the board's business.

    Attributes
    ----------
    driver
        QEMU's name: ``VGA``, ``virtio-net-pci``, ``ivshmem-plain`` ...
    props
        What was given, name and value as text, in order.
    """

    driver: str
    id: str | None = None
    props: tuple[tuple[str, str], ...] = ()

    def prop(self, name: str) -> str | None:
        """Return the text of one property; None where it is not given."""
        return dict(self.props).get(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class NumaNode:
    """``-numa node``: a piece of the boot RAM.

    Attributes
    ----------
    nodeid
        0 and up, without gaps.
    memdev
        The memory backend of its RAM; None where it has none, or by `mem`.
    mem
        Bytes by ``mem=`` (machine types up to 5.0): a piece of one RAM region, which costs no memslot.
    """

    nodeid: int
    memdev: str | None = None
    mem: int = 0

    def __post_init__(self) -> None:
        _check_range("NUMA node: nodeid", self.nodeid, 127)
        _check_range(f"NUMA node {self.nodeid}: mem", self.mem, U64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cpu:
    """``-cpu`` as it was given, as far as it decides address bits and vendor.

    Attributes
    ----------
    model
        ``qemu64``, ``host``, ``max``, ``EPYC`` ...
    vendor
        Twelve characters of CPUID, such as ``GenuineIntel``.
    features
        Everything else that was given, in order and as it was written.

    Two wordings of one processor are equal: what they come to are the scenario's `cpu_vendor` and `phys_bits`.
    """

    model: str = field(compare=False)
    vendor: str | None = field(default=None, compare=False)
    phys_bits: int | None = field(default=None, compare=False)
    host_phys_bits: bool | None = field(default=None, compare=False)
    host_phys_bits_limit: int | None = field(default=None, compare=False)
    features: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A VM, its devices and back ends in the order in which they are plugged, and what happens to it.

    Attributes
    ----------
    chipset
        The board: ``q35`` or ``pc`` (i440FX); ``virt`` (aarch64); ``s390-ccw-virtio``.
    machine_version
        Of a versioned machine type such as ``pc-q35-6.1``; None for the newest.
    smm
        Two KVM address spaces, as x86 has with SMM.
    cpu_vendor, phys_bits
        What moves memory: AMD's vendor id moves memory above 4 GiB to 1 TiB; None: not known, not checked.
    long_mode
        Whether the CPU has 64-bit addresses: one without has no 64-bit PCI hole to address.
    cpu
        The CPU model by name, as it was given; `cpu_vendor` and `phys_bits` are what it comes to on `host`.
    host
        What is known of the host; None: nothing.
    program
        Which ``qemu-system-...`` runs it.
    acpi
        ACPI is what hot-plugs DIMMs.
    nvdimm
        ``-machine nvdimm=on``.
    mte
        ``-machine mte=on`` of ``virt``: memory tagging, with which no DIMM can be plugged.
    distribution
        ``rhel`` for the machine types of RHEL and CentOS, whose defaults differ from upstream's.
    numa
        The nodes of ``-numa node``, ascending; empty without any. Nodes with a backend are a RAM region each.
    pci_hole64_size
        Bytes of the 64-bit PCI hole, which must fit the address bits; None: the chipset's.
    cxl_windows
        Sizes of the CXL fixed memory windows behind the device memory; None without ``cxl=on``.
    firmware_size
        Bytes of the firmware image: it decides how RAM below 1 MiB is cut before the firmware runs.
    firmware
        Which one it is: SeaBIOS, OVMF or another UEFI, or the one of recordings, which halts at once; None: UEFI where
        there is flash, else SeaBIOS.
    fixtures
        Other PCI devices that take memslots, in order.
    ram, maxmem
        Bytes of ``-m``; equal where no maxmem is given.
    ram_slots
        ``slots=`` of ``-m``: DIMM slots.
    has_maxmem
        Whether there is a device-memory area at all.
    kvm_slots
        KVM_CAP_NR_MEMSLOTS of the host.
    tdp_mmu, nested
        Whether the host's KVM uses the TDP MMU, and whether guests run guests: what a memslot costs.
    rules
        Name of the rule set.
    """

    chipset: Literal["q35", "pc", "virt", "s390-ccw-virtio"] = "q35"
    machine_version: tuple[int, int] | None = None
    accel: Literal["kvm", "tcg", "qtest"] = "kvm"
    smm: bool = False
    cpu_vendor: Literal["intel", "amd"] | None = None
    phys_bits: int | None = None
    long_mode: bool = True
    ram: int = 4 * GiB
    maxmem: int = 4 * GiB
    ram_slots: int = 0
    max_ram_below_4g: int | None = None
    ram_backend: str | None = None
    display: bool = False
    incoming: bool = False
    program: str = "x86_64"
    acpi: bool = True
    nvdimm: bool = False
    mte: bool = False
    distribution: Literal["rhel"] | None = None
    numa: tuple[NumaNode, ...] = ()
    pci_hole64_size: int | None = None
    cxl_windows: tuple[int, ...] | None = None
    firmware_size: int = DEFAULT_FIRMWARE_SIZE
    firmware: Literal["seabios", "uefi", "halting"] | None = None
    fixtures: tuple[PciDevice, ...] = ()
    cpu: Cpu | None = field(default=None, compare=False)
    host: Host | None = None
    backends: tuple[MemoryBackend, ...] = ()
    devices: tuple[Device, ...] = ()
    actions: tuple[Action, ...] = ()
    kvm_slots: int = KVM_SLOTS_TODAY
    tdp_mmu: bool = False
    nested: bool = False
    rules: str = DEFAULT_RULES
    extra: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        for name in ("ram", "maxmem", "ram_slots", "max_ram_below_4g"):
            _check_range(name, getattr(self, name), U64)
        _check_range("phys_bits", self.phys_bits, 52, least=32)
        _check_range("kvm_slots", self.kvm_slots, U32 >> 1, least=1)
        _check_range("pci_hole64_size", self.pci_hole64_size, U64)
        _check_range("firmware_size", self.firmware_size, 4 * GiB)
        for size in self.cxl_windows or ():
            _check_range("cxl_windows", size, U64)
        for number in self.machine_version or ():
            _check_range("machine_version", number, 9999)

    @property
    def numa_count(self) -> int:
        """NUMA nodes that devices can be on: a VM without ``-numa`` has one."""
        return len(self.numa) or 1

    @property
    def ram_backends(self) -> tuple[tuple[MemoryBackend | None, int], ...]:
        """The boot RAM from guest address 0 up: (backend or None for QEMU's own, bytes) of every RAM region."""
        nodes = [one for one in self.numa if one.memdev is not None]
        if not nodes:
            return ((self.backend(self.ram_backend) if self.ram_backend else None, self.ram),)
        found = [self.backend(one.memdev or "") for one in nodes]
        return tuple((one, one.size) for one in found if one is not None)

    @property
    def ram_backend_ids(self) -> frozenset[str]:
        """Ids of the memory backends that the boot RAM uses."""
        return frozenset(one.id for one, _ in self.ram_backends if one is not None)

    @property
    def has_device_memory(self) -> bool:
        """Whether ``maxmem`` leaves room for memory devices."""
        return self.maxmem > self.ram

    @property
    def device_memory_size(self) -> int:
        """``D``: what ``-m`` leaves for memory devices."""
        return self.maxmem - self.ram

    def backend(self, name: str) -> MemoryBackend | None:
        """Return the ``-object`` of that id."""
        return next((one for one in self.backends if one.id == name), None)

    def device(self, name: str) -> Device | None:
        """Return the ``-device`` of that id."""
        return next((one for one in self.devices if one.id == name), None)

    def with_device(self, name: str, **changes: object) -> "Scenario":
        """Return the scenario with fields of one device replaced."""
        # fields by name: only the device's class knows their types
        devices = tuple(replace(one, **changes) if one.id == name else one for one in self.devices)  # type: ignore[arg-type]
        return replace(self, devices=devices)

    def to_json(self) -> str:
        """Return one line of JSON; fields that have their default are left out."""
        return json.dumps(to_json(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Scenario":
        """Read what `to_json` wrote.

        Raises
        ------
        BadInput
            Not JSON, an unknown field, or a value of the wrong type; the line names it.
        """
        try:
            data = json.loads(text)
        except (TypeError, ValueError, RecursionError) as error:
            raise BadInput(
                f"not a saved scenario ({error}): give the text of an explorer's field Share as text; "
                "Machine.from_text reads command lines and XML"
            ) from None
        return from_json(cls, data, "scenario")

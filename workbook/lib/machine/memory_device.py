"""A plugged memory device: what it maps, and what QEMU's monitor says about it.

Sources: hw/mem/memory-device.c, hw/mem/pc-dimm.c, hw/virtio/virtio-mem.c (QEMU 7.2 with the RFC series, 8.2, 10.0).
"""

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final, TypedDict

from workbook.lib.boards.compat import compat_property
from workbook.lib.errors import BadInput, Refusal
from workbook.lib.memory.region import MemoryRegion
from workbook.lib.rules.base import Decision, RuleSet
from workbook.lib.rules.behaviour import QemuBehaviour
from workbook.lib.scenario import Dimm, MemoryBackend, Nvdimm, Pmem, VirtioMem
from workbook.lib.size import KiB, round_down

from .virtio_mem import VirtioMemDevice

__all__ = ("MemoryDevice", "MemoryDeviceInfo", "mappable", "memory_of", "ram_region")

_CANONICAL_PATH: Final = "x-use-canonical-path-for-ramblock-id"


class MemoryDeviceInfo(TypedDict):
    """An element of QMP's ``query-memory-devices`` (qapi/machine.json, MemoryDeviceInfo)."""

    type: str
    data: dict[str, str | int]


@dataclass(eq=False)
class MemoryDevice:
    """A plugged memory device.

    Attributes
    ----------
    addr
        Guest-physical start.
    decision
        How its RAM is cut.
    virtio_mem
        The device's state; None for DIMMs and virtio-pmem, which are mapped as a whole.
    slot
        DIMM slot.
    hotplugged
        Came by ``device_add``.
    """

    spec: VirtioMem | Dimm | Pmem
    backend: MemoryBackend
    ram: MemoryRegion
    addr: int
    decision: Decision
    virtio_mem: VirtioMemDevice | None = None
    slot: int = 0
    hotplugged: bool = False
    _shown: tuple[object, MemoryRegion] | None = field(default=None, repr=False)

    @property
    def id(self) -> str:
        """The device's id, as error texts show it."""
        return self.spec.id or ""

    @property
    def size(self) -> int:
        """Bytes of its memory region."""
        return self.ram.size

    @property
    def end(self) -> int:
        """First guest-physical address behind it."""
        return self.addr + self.size

    @property
    def mapped(self) -> int:
        """Memslots that it uses now."""
        return self.virtio_mem.memslots if self.virtio_mem else 1

    def region(self, rules: RuleSet, base: int) -> MemoryRegion:
        """Return what the device puts into the device-memory container that starts at `base`."""
        direct = self.virtio_mem is None or self.decision.direct
        mapped = None if direct or self.virtio_mem is None else self.virtio_mem.mapped
        if self._shown is not None and self._shown[0] is mapped:
            return self._shown[1]
        if mapped is None:
            self._shown = (None, self.ram.at(self.addr - base))
        else:
            # slots do not overlap, so their order is free: ascending is rendered fastest
            cut = replace(self.decision, limit=0, trace=())
            if rules.joins_new_memslots and self.virtio_mem is not None:
                slots = [_joined_alias(self.ram, cut, rules.slot_name, *one) for one in self.virtio_mem.joined]
            else:
                aliases = _slot_aliases(self.ram, cut, rules.slot_name, unmergeable=rules.unmergeable)
                slots = [aliases[index] for index in mapped]
            addr = self.addr - base
            self._shown = (mapped, MemoryRegion.container(rules.container_name, self.size, slots[::-1], addr=addr))
        return self._shown[1]

    def qmp(self) -> MemoryDeviceInfo:
        """Return the element of ``query-memory-devices``."""
        data: dict[str, str | int] = {} if self.spec.id is None else {"id": self.spec.id}
        memdev = f"/objects/{self.backend.id}"
        if self.virtio_mem:
            device = self.virtio_mem
            data |= {
                "memaddr": self.addr,
                "node": device.node,
                "requested-size": device.requested_size,
                "size": device.size,
                "max-size": self.size,
                "block-size": device.block_size,
                "memdev": memdev,
            }
        elif isinstance(self.spec, Dimm):
            data |= {
                "addr": self.addr,
                "slot": self.slot,
                "node": self.spec.node,
                "size": self.size,
                "memdev": memdev,
                "hotplugged": self.hotplugged,
                "hotpluggable": True,
            }
        else:
            data |= {"memaddr": self.addr, "size": self.size, "memdev": memdev}
        return {"type": self.spec.type, "data": data}

    def monitor_lines(self) -> list[str]:
        """Return the lines of ``info memory-devices``: sizes decimal, addresses hexadecimal."""
        element = self.qmp()
        lines = [f'Memory device [{element["type"]}]: "{self.id}"']
        for key, value in element["data"].items():
            if key == "id":
                continue
            shown = (
                f"{value:#x}"
                if key in {"memaddr", "addr"}
                else str(value).lower()
                if isinstance(value, bool)
                else value
            )
            lines.append(f"  {key}: {shown}")
        return lines


class _SlotAliases(dict[int, MemoryRegion]):
    """The aliases of a device's memslots by index, each made when it is first asked for."""

    def __init__(self, ram: MemoryRegion, cut: Decision, slot_name: str, *, unmergeable: bool) -> None:
        super().__init__()
        self._ram, self._cut, self._slot_name, self._unmergeable = ram, cut, slot_name, unmergeable

    def __missing__(self, index: int) -> MemoryRegion:
        offset, size = self._cut.offset(index), self._cut.size(index)
        name = self._slot_name.format(index)
        alias = MemoryRegion.alias_of(self._ram, name, offset, size, addr=offset, unmergeable=self._unmergeable)
        self[index] = alias
        return alias


def _joined_alias(ram: MemoryRegion, cut: Decision, slot_name: str, first: int, stop: int) -> MemoryRegion:
    """Return one memslot for the pieces [first, stop)."""
    offset, size = cut.offset(first), cut.total(range(first, stop))
    return MemoryRegion.alias_of(ram, slot_name.format(first), offset, size, addr=offset, unmergeable=True)


@lru_cache(maxsize=32)
def _slot_aliases(ram: MemoryRegion, cut: Decision, slot_name: str, *, unmergeable: bool) -> _SlotAliases:
    """Return the same aliases for the same device: a slider that moves makes a machine for every step."""
    return _SlotAliases(ram, cut, slot_name, unmergeable=unmergeable)


def mappable(backend: MemoryBackend, qemu: QemuBehaviour) -> bool:
    """Return whether vhost-user hands on the memory of a backend (``vhost_user_mem_section_filter``)."""
    return backend.has_fd and (backend.share or not qemu.vhost_user_needs_shared)


def memory_of(
    spec: VirtioMem | Dimm | Pmem, backend: MemoryBackend, qemu: QemuBehaviour, machine_version: tuple[int, int] | None
) -> MemoryRegion:
    """Return the region that a memory device maps: its backend's RAM, less the labels of an NVDIMM.

    Raises
    ------
    Refusal
        An NVDIMM whose labels leave no room, or whose backend is read-only (hw/mem/nvdimm.c).
    """
    ram = ram_region(backend, qemu, machine_version)
    if not isinstance(spec, Nvdimm):
        return ram
    size = round_down(max(backend.size - spec.label_size, 0), backend.alignment)
    if not size:
        raise Refusal(
            f"the size of memdev {backend.id} ({backend.size:#x}) is too small to contain nvdimm label "
            f"({spec.label_size:#x}) and aligned PMEM ({backend.alignment:#x})",
            "give the memory backend more, or label-size less",
        )
    if ram.readonly and not spec.unarmed:
        raise Refusal(
            f"'unarmed' property must be 'on' since memdev {backend.id} is read-only",
            "add unarmed=on, or open the file for writing",
        )
    return replace(MemoryRegion.alias_of(ram, "nvdimm-memory", 0, size), nonvolatile=True)


def ram_region(
    backend: MemoryBackend, qemu: QemuBehaviour, machine_version: tuple[int, int] | None = None
) -> MemoryRegion:
    """Return the RAM of a memory backend as a region named by its id.

    Machine types up to 3.1 name files and memfds by their path (x-use-canonical-path-for-ramblock-id).
    """
    if backend.size <= 0:
        raise BadInput(f"memory backend {backend.id!r} has size {backend.size}: it must be larger than 0")
    by_path = compat_property(f"memory-backend-{backend.kind}.{_CANONICAL_PATH}", machine_version) == "true"
    name = f"/objects/{backend.id}" if by_path else backend.id
    return MemoryRegion.ram(
        name,
        backend.size,
        has_fd=mappable(backend, qemu),
        page_size=max(backend.page_size, 4 * KiB),
        readonly=backend.readonly and backend.rom is not False,
    )

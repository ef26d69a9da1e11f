"""``<memory model=>``: DIMMs, NVDIMMs, virtio-mem, virtio-pmem and EPC of domain XML, and what libvirt checks of them.

Sources: https://libvirt.org/formatdomain.html#memory-devices, https://libvirt.org/kbase/memorydevices.html,
src/conf/domain_conf.c (``virDomainMemoryDefParseXML``), src/conf/domain_validate.c (``virDomainMemoryDefValidate``,
``virDomainMemoryDefCheckConflict``), src/qemu/qemu_domain.c (``qemuDomainDefValidateMemoryHotplug``) and
src/qemu/qemu_command.c (``qemuBuildMemoryDeviceProps``), libvirt 11.3.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final
from xml.etree import ElementTree as ET

from workbook.lib.size import KiB, MiB, format_size, round_down, round_up

from . import xml
from .backing import SYSTEM_PAGE, Backing, Props
from .refusals import bad_attribute, refused, unsupported, xml_error

__all__ = ("DRIVERS", "MIN_BLOCK", "MODELS", "MemoryElement", "check_memory", "dimm_slots")

MODULE_GRANULE: Final = 2 * MiB
"""Granularity to which libvirt rounds memory devices on x86 (511 MiB are rounded to 512 MiB)."""
MIN_BLOCK: Final = 2 * MiB
"""The least ``<block>``: a transparent huge page of x86."""
LEAST_LABEL: Final = 128 * KiB
"""The least label area of an NVDIMM."""
SLOT_MODELS: Final = ("dimm", "nvdimm")
"""Models that take a DIMM slot."""
MODELS: Final = ("virtio-mem", "dimm", "nvdimm", "virtio-pmem", "sgx-epc")
DRIVERS: Final = {
    "dimm": "pc-dimm",
    "nvdimm": "nvdimm",
    "virtio-mem": "virtio-mem-pci",
    "virtio-pmem": "virtio-pmem-pci",
}
"""QEMU's devices; EPC is a property of the machine."""


@dataclass(frozen=True)
class MemoryElement:
    """A ``<memory model=>`` as libvirt keeps it; sizes in bytes, `node` None where none is given."""

    element: ET.Element
    model: str
    size: int
    node: int | None

    @classmethod
    def of(cls, element: ET.Element) -> "MemoryElement":
        """Read the element.

        Raises
        ------
        Refusal
            libvirt knows no such model, or the element lacks what it needs.
        BadInput
            A size that cannot be read.
        """
        model = element.get("model", "")
        if model not in MODELS:
            raise bad_attribute("memory", "model", model, MODELS)
        target = element.find("target")
        if target is None:
            raise xml_error("missing <target> element for <memory> device", "give it a <target> with a <size>")
        if target.find("size") is None:
            raise xml_error("missing element or attribute './size'", "give <target> a <size>")
        for name, allowed in (("access", ("shared", "private")), ("discard", ("yes", "no"))):
            value = element.get(name)
            if value is not None and value not in allowed:
                raise bad_attribute("memory", name, value, allowed, tristate=name == "discard")
        node = xml.text_of(element, "target/node")
        if node is not None and (not node.isascii() or not node.isdigit() or len(node) > 9):
            raise xml_error("invalid value of memory device node", f"<node> is {node!r:.60}: give a cell's number")
        size = cls._scaled(element, model, "target/size") or 0
        return cls(element, model, size, None if node is None else int(node))

    @staticmethod
    def _scaled(element: ET.Element, model: str, path: str) -> int | None:
        value, name = xml.text_of(element, path), path.rpartition("/")[2]
        where = f"<memory model='{model}'> <{name}>"
        return None if value is None else xml.scaled(value, xml.attribute(element, path, "unit"), where)

    def scaled(self, path: str) -> int:
        """Return a size below the element; 0 where it is not given."""
        return self._scaled(self.element, self.model, path) or 0

    @property
    def aligned(self) -> int:
        """The size QEMU gets."""
        return round_up(self.size, MODULE_GRANULE)

    @property
    def mapped(self) -> int:
        """Bytes of guest addresses that it takes: of an NVDIMM neither the label area nor what is not aligned."""
        if self.model != "nvdimm":
            return self.size
        align = self.scaled("source/alignsize")
        size = max(0, self.size - self.scaled("target/label/size"))
        return round_down(size, align) if align else size

    @property
    def is_dimm(self) -> bool:
        """Whether it takes a DIMM slot."""
        return self.model in SLOT_MODELS

    @property
    def access(self) -> str | None:
        """``access=``: shared, private, or None."""
        return self.element.get("access")

    @property
    def slot(self) -> int | None:
        """The DIMM slot that its ``<address>`` asks for."""
        value = xml.attribute(self.element, "address[@type='dimm']", "slot")
        return None if value is None or not self.is_dimm else xml.unsigned(value, "<address slot=>", most=255)

    @property
    def base(self) -> int:
        """The guest-physical address that an ``<address base=>`` asks for; 0 for none."""
        path = "address[@type='dimm']" if self.is_dimm else "target/address"
        value = None if self.model == "sgx-epc" else xml.attribute(self.element, path, "base")
        where = f"<memory model='{self.model}'> <address base=>"
        return 0 if value is None else xml.unsigned(value, where, base=16, most=(1 << 64) - 1)

    @property
    def path(self) -> str | None:
        """The file behind an NVDIMM or virtio-pmem."""
        return xml.text_of(self.element, "source/path") or None

    @property
    def pmem(self) -> bool:
        """Whether the file behind an NVDIMM is persistent memory of the host."""
        return self.model == "nvdimm" and self.element.find("source/pmem") is not None

    @property
    def block(self) -> int:
        """Block size of virtio-mem, bytes."""
        return self.scaled("target/block")

    @property
    def requested(self) -> int:
        """Requested size of a virtio-mem device, in bytes."""
        return self.scaled("target/requested")

    @property
    def dynamic_memslots(self) -> bool | None:
        """``dynamicMemslots=`` of virtio-mem (libvirt 10.1)."""
        value = xml.attribute(self.element, "target", "dynamicMemslots")
        if value is not None and value not in ("yes", "no"):
            raise bad_attribute("target", "dynamicMemslots", value, ("yes", "no"), tristate=True)
        return None if value is None or self.model != "virtio-mem" else value == "yes"

    def page(self, backing: Backing) -> int:
        """Return the size of the host pages behind it, bytes."""
        own = self.scaled("source/pagesize") if self.model in ("dimm", "virtio-mem") else 0
        return backing.page_size(self.node, own)

    def backend(self, backing: Backing, name: str) -> Props:
        """Return the ``-object`` behind it."""
        if self.model in ("nvdimm", "virtio-pmem"):
            shared = self.access or backing.access_of(self.node)
            props: Props = {"qom-type": "memory-backend-file", "id": name, "mem-path": self.path or ""}
            props |= {"share": shared == "shared"} if shared else {}
            # a real NVDIMM is not written to before it is used
            files = self.model == "nvdimm" and not self.pmem
            props |= {"prealloc": True} if backing.immediate or files else {}
            props["size"] = self.aligned
            align = self.scaled("source/alignsize") if self.model == "nvdimm" else 0
            props |= {"align": align} if align else {}
            return props | ({"pmem": True} if self.pmem else {})
        if self.model == "sgx-epc":
            return {"qom-type": "memory-backend-epc", "id": name, "prealloc": True, "size": self.aligned}
        own = self.page(backing) if self.element.find("source/pagesize") is not None else 0
        props = backing.props(name, self.aligned, node=self.node, own_page=own, access=self.access)
        if self.model == "virtio-mem":
            size = props.pop("size")
            props.pop("prealloc", None)
            props |= {"reserve": False, "size": size}
        return props

    def device(self, backing: Backing, name: str, memdev: str, slot: int | None) -> Props:
        """Return the ``-device`` of it."""
        props: Props = {"driver": DRIVERS[self.model]}
        if self.model != "virtio-pmem":
            props |= {} if self.node is None else {"node": self.node}
        if self.model == "nvdimm":
            label, uuid = self.scaled("target/label/size"), xml.text_of(self.element, "uuid")
            props |= {"label-size": label} if label else {}
            props |= {"uuid": uuid} if uuid else {}
            props |= {"unarmed": True} if self.element.find("target/readonly") is not None else {}
        if self.model == "virtio-mem":
            props |= {"block-size": self.block} | ({"requested-size": self.requested} if self.requested else {})
        props["memdev"] = memdev
        if self.model == "virtio-mem" and backing.preallocates(self.page(backing)):
            props["prealloc"] = True
        props |= {"addr" if self.is_dimm else "memaddr": self.base} if self.base else {}
        props |= {} if self.dynamic_memslots is None else {"dynamic-memslots": self.dynamic_memslots}
        return props | {"id": name} | ({} if slot is None else {"slot": slot})

    # -- what libvirt checks --------------------------------------------------------------------------------------

    def check(self, cells: int) -> None:
        """Check it by itself; `cells` is the number of NUMA cells.

        Raises
        ------
        Refusal
            libvirt does not take it.
        """
        if self.node is not None and self.node >= cells:
            raise refused(
                f"can't add memory backend for guest node '{self.node}' as the guest has only '{cells}' NUMA nodes "
                "configured",
                f"<node> is 0 to {cells - 1}",
            )
        if self.model == "virtio-mem":
            self._check_virtio_mem()
        elif self.model in ("nvdimm", "virtio-pmem"):
            self._check_file()
        elif self.model == "sgx-epc" and self.element.find("address") is not None:
            raise unsupported("memory device address is not supported for model 'sgx-epc'", "leave its <address> out")

    def _check_virtio_mem(self) -> None:
        block, requested = self.block, self.requested
        if requested > self.size:
            raise refused(
                f"requested size must be smaller than or equal to @size ({self.size // KiB}KiB)",
                f"<requested> is {format_size(requested)}: give at most {format_size(self.size)}",
            )
        given = f"<block> is {format_size(block)}" if block else "there is no <block>"
        advice = f"{given}: give a power of two from 2 MiB on, such as <block unit='MiB'>2</block>"
        if not block or block & (block - 1):
            raise refused("block size must be a power of two", advice)
        if block < MIN_BLOCK:
            raise refused(f"block size too small, must be at least {MIN_BLOCK // KiB}KiB", advice)
        if requested % block:
            raise refused(
                "requested size must be an integer multiple of block size",
                f"<requested> is {format_size(requested)}, <block> {format_size(block)}",
            )
        if self.base % block:
            raise refused(
                "memory device address must be aligned to blocksize",
                f"<address base='{self.base:#x}'> is no multiple of <block>, {format_size(block)}",
            )

    def _check_file(self) -> None:
        if self.path is None:
            raise refused(f"path is required for model '{self.model}'", "give <source> a <path>")
        if self.element.get("discard") == "yes":
            words = "nvdimms" if self.model == "nvdimm" else f"model '{self.model}'"
            raise unsupported(f"discard is not supported for {words}", "leave discard='yes' out")
        if self.model == "nvdimm":
            label = self.scaled("target/label/size")
            if label and label < LEAST_LABEL:
                raise xml_error("nvdimm label must be at least 128KiB", f"its <size> is {format_size(label)}")
            if label and label >= self.size:
                raise xml_error(
                    "label size must be smaller than NVDIMM size",
                    f"the label has {format_size(label)}, the NVDIMM {format_size(self.size)}",
                )
            if self.element.find("uuid") is not None:
                raise unsupported("UUID is not supported for NVDIMM device", "leave <uuid> out: only POWER has it")
            return
        if self.access != "shared":
            raise unsupported("shared access mode required for virtio-pmem device", "write access='shared'")
        if self.node is not None:
            raise unsupported("virtio-pmem does not support NUMA nodes", "leave <node> out")
        if self.base % SYSTEM_PAGE:
            raise unsupported(
                f"memory address must be aligned to {SYSTEM_PAGE} bytes", f"<address base='{self.base:#x}'>"
            )


def check_memory(memory: Sequence[MemoryElement], cells: int) -> None:
    """Check memory devices by themselves and against each other.

    Raises
    ------
    Refusal
        libvirt does not take them.
    """
    for one in memory:
        one.check(cells)
        _check_conflict(one, memory)
    _check_kinds(memory)


def _check_kinds(memory: Sequence[MemoryElement]) -> None:
    allowed = {"virtio-mem": ("pci", "ccw"), "virtio-pmem": ("pci",)}
    words = {"virtio-pmem": "'pci' addresses are supported for the virtio-pmem device"}
    words["virtio-mem"] = "'pci' and 'ccw' addresses are supported for the virtio-mem device"
    for one in memory:
        kind = xml.attribute(one.element, "address", "type")
        if kind is None or one.model == "sgx-epc":
            continue
        if one.is_dimm and kind != "dimm":
            raise unsupported("only 'dimm' addresses are supported for the pc-dimm device", f"it has {kind!r:.60}")
        if not one.is_dimm and kind not in allowed[one.model]:
            raise unsupported(f"only {words[one.model]}", f"it has type={kind!r:.60}")


def _check_conflict(one: MemoryElement, memory: Sequence[MemoryElement]) -> None:
    start, end = one.base, one.base + one.mapped
    for other in memory:
        if other is one:
            continue
        if one.slot is not None and one.slot == other.slot:
            raise unsupported(
                f"memory device slot '{one.slot}' is already being used by another memory device",
                "give every DIMM a slot of its own",
            )
        behind = other.base + other.mapped
        if start and other.base and start < behind and other.base < end:
            raise unsupported(
                f"memory device address [{start:#x}:{end:#x}] overlaps with other memory device ({other.base:#x})",
                "leave <address> out, or move one of them",
            )


def dimm_slots(memory: Sequence[MemoryElement]) -> dict[int, int]:
    """Return the slot of every DIMM by its position: the asked for, else the first free one."""
    taken = [one.slot for one in memory if one.slot is not None]
    found: dict[int, int] = {}
    for index, one in enumerate(memory):
        if not one.is_dimm:
            continue
        slot = one.slot
        if slot is None:
            slot = next(number for number in count() if number not in taken)
            taken.append(slot)
        found[index] = slot
    return found

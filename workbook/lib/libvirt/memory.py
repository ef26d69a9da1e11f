"""``<memory model=>`` of libvirt's domain XML: sizes, blocks, addresses, and what libvirt checks.

Sources: https://libvirt.org/formatdomain.html#memory-devices and https://libvirt.org/kbase/memorydevices.html
(``virtio-mem`` since libvirt 7.9, ``dynamicMemslots`` since 10.1); refusals compared with libvirt 11.3, which wants a
``<block>`` although its documentation does not.
"""

from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

from workbook.lib.errors import BadInput
from workbook.lib.size import GiB, KiB, MiB, format_size, round_up

from . import xml

__all__ = ("MIN_BLOCK", "PAGES", "MemoryElement", "page_of")

MODULE_GRANULE: Final = 2 * MiB
"""To which libvirt rounds memory devices on x86 (a DIMM of 511 MiB becomes one of 512 MiB)."""
MIN_BLOCK: Final = 2 * MiB
"""The least ``<block>``: a transparent huge page of x86."""
PAGES: Final = {4 * KiB: "", 2 * MiB: "2M", GiB: "1G"}
"""Host pages of x86, and how the mount point of their files ends."""
MODELS: Final = ("virtio-mem", "dimm", "virtio-pmem")


@dataclass(frozen=True)
class MemoryElement:
    """A ``<memory model=>`` as libvirt keeps it; sizes in bytes."""

    element: ET.Element
    model: str
    size: int
    node: int

    @classmethod
    def of(cls, element: ET.Element) -> "MemoryElement":
        """Read the element.

        Raises
        ------
        BadInput
            A model that is not modelled, or no size.
        """
        model = element.get("model", "")
        if model not in MODELS:
            raise BadInput(f"<memory model={model!r:.60}> is not modelled: known are {', '.join(MODELS)}")
        size = cls._scaled(element, model, "target/size")
        if not size:
            raise BadInput(f"<memory model='{model}'> needs <target> with a <size> larger than 0")
        node = xml.unsigned(xml.text_of(element, "target/node") or "0", f"<memory model='{model}'> <node>")
        return cls(element, model, size, node)

    @staticmethod
    def _scaled(element: ET.Element, model: str, path: str) -> int | None:
        value, name = xml.text_of(element, path), path.rpartition("/")[2]
        where = f"<memory model='{model}'> <{name}>"
        return None if value is None else xml.scaled(value, xml.attribute(element, path, "unit"), where)

    def scaled(self, path: str, default: int = 0) -> int:
        """Return a size below the element."""
        found = self._scaled(self.element, self.model, path)
        return default if found is None else found

    @property
    def aligned(self) -> int:
        """The size QEMU gets."""
        return round_up(self.size, MODULE_GRANULE)

    def base(self, path: str) -> int:
        """Return the guest-physical address that an ``<address base=>`` asks for; 0 for none."""
        value = xml.attribute(self.element, path, "base")
        where = f"<memory model='{self.model}'> <address base=>"
        return 0 if value is None else xml.unsigned(value, where, base=16, most=(1 << 64) - 1)

    def check_virtio_mem(self) -> tuple[int, int]:
        """Return block size and requested size, checked as libvirt 11.3 does."""
        block, requested = self.scaled("target/block"), self.scaled("target/requested")
        where = "<memory model='virtio-mem'>"
        if not block:
            raise BadInput(f"{where} needs <target> with a <block>, such as <block unit='MiB'>2</block>")
        if block < MIN_BLOCK or block & (block - 1):
            raise BadInput(f"{where} <block> is {format_size(block)}: libvirt takes a power of two from 2 MiB on")
        if requested > self.size:
            raise BadInput(
                f"{where} <requested> is {format_size(requested)}: at most the <size>, {format_size(self.size)}"
            )
        for name, value in (("requested", requested), ("size", self.size)):
            if value % block:
                raise BadInput(
                    f"{where} <{name}> is {format_size(value)}: it must be a multiple of <block>, {format_size(block)}"
                )
        if self.base("target/address") % block:
            raise BadInput(
                f"{where} <address base='{self.base('target/address'):#x}'>: "
                f"it must be a multiple of <block>, {format_size(block)}"
            )
        return block, requested


def page_of(value: str | None, unit: str | None, where: str) -> int:
    """Read the size of a host page.

    Raises
    ------
    BadInput
        x86 has no such page.
    """
    size = xml.scaled(value, unit, where)
    if size not in PAGES:
        raise BadInput(f"{where}: {format_size(size)} is no page of x86: use {', '.join(map(format_size, PAGES))}")
    return size

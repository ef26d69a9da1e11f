"""VFIO as a consumer: the DMA mappings of a container, and QEMU's check that they suffice.

RAM of a virtio-mem device is not mapped as a whole: every plugged block is a DMA mapping of its own, never merged, in
every container. From source, not measured: hw/vfio/listener.c (QEMU 10.2), hw/vfio/common.c (10.0),
drivers/vfio/vfio_iommu_type1.c (Linux 5.10 to 7.3).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from workbook.lib.rules.behaviour import QemuBehaviour
from workbook.lib.size import format_size, round_down, round_up
from workbook.lib.trace import Trace, TraceStep

__all__ = (
    "DMA_ENTRY_LIMIT",
    "MEMSLOTS_WITHOUT_KVM",
    "NO_MAPPING",
    "DiscardSection",
    "VfioContainer",
    "largest_plugged",
    "smallest_block",
)

DMA_ENTRY_LIMIT: Final = 65535
"""Module parameter ``dma_entry_limit`` of ``vfio_iommu_type1`` unless set: mappings per container."""
MEMSLOTS_WITHOUT_KVM: Final = 512
"""What the check takes for the number of memslots where there is no KVM."""
NO_MAPPING: Final = "vfio: DMA mapping failed, unable to continue"
"""hw_error() of a running QEMU; it dumps the CPUs and aborts."""


class DiscardSection(NamedTuple):
    """A mapped piece of a virtio-mem device: guest-physical start, bytes, block size, name of its memory region."""

    start: int
    size: int
    block_size: int
    region: str

    @property
    def mappings(self) -> int:
        """DMA mappings once all of it is plugged."""
        end = round_up(self.start + self.size, self.block_size)
        return (end - round_down(self.start, self.block_size)) // self.block_size


@dataclass
class VfioContainer:
    """A VFIO container: one address space of an IOMMU, for one or more devices.

    Attributes
    ----------
    iommufd
        Id of the ``iommufd`` object; None: type1, which all such devices share.
    available
        Mappings that the container reports; None: it reports no maximum (iommufd), and is not checked.
    max_memslots
        KVM_CAP_NR_MEMSLOTS, or what stands for it: so many sections may be in the address space over time.
    sections
        Registered pieces of virtio-mem devices.
    others
        Other RAM sections of device memory: one mapping each.
    devices
        Ids of its devices.
    """

    iommufd: str | None
    available: int | None
    max_memslots: int
    sections: frozenset[DiscardSection] = frozenset()
    others: int = 0
    devices: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Usage in the form common to all consumers."""
        return "VFIO type1" if self.iommufd is None else f"VFIO {self.iommufd}"

    @property
    def possible(self) -> int:
        """Mappings that QEMU considers possible over time: all blocks of the sections, and one per other memslot."""
        return sum(one.mappings for one in self.sections) + self.max_memslots - len(self.sections)

    def update(self, sections: Iterable[DiscardSection], others: int, qemu: QemuBehaviour) -> list[str]:
        """Take over the sections of a new flat view; return what the check says, once per section that fails.

        Sections that went are forgotten first, as memory listeners see it, then new ones come in address order.
        """
        wanted = sorted(sections)
        self.others = others
        new = [one for one in wanted if one not in self.sections]
        self.sections = self.sections.intersection(wanted)
        said = []
        for one in new:
            self.sections |= {one}
            if self.available is not None and self.possible > self.available:
                said.append(self.trouble(qemu))
        return said

    def trouble(self, qemu: QemuBehaviour) -> str:
        """Return QEMU's text; "devies" is QEMU's."""
        return (
            f"{qemu.vfio_check}: possibly running out of DMA mappings. E.g., try increasing the 'block-size' of "
            f"virtio-mem devies. Maximum possible DMA mappings: {self.available}, "
            f"Maximum possible memslots: {self.max_memslots}"
        )

    def reason(self) -> tuple[TraceStep, ...]:
        """Return the check in numbers."""
        trace = Trace()
        blocks = trace.given("blocks", sum(one.mappings for one in self.sections), "of the mapped virtio-mem memory")
        trace.given("KVM limit", self.max_memslots, "memslots that there may be over time, a mapping each")
        trace.given("sections", len(self.sections), "mapped pieces of virtio-mem devices, already counted by blocks")
        trace.given("available", self.available or 0, "DMA mappings of the container (dma_entry_limit)")
        needed = blocks + self.max_memslots - len(self.sections)
        trace.note("needed", needed, "blocks + KVM limit - sections: more than available")
        return tuple(trace.steps)


def smallest_block(size: int, *, available: int, max_memslots: int, sections: int = 1) -> int | None:
    """Return the smallest block size, bytes, with which `size` bytes of virtio-mem pass the check; None: no size does.

    Parameters
    ----------
    size
        Of all virtio-mem devices, all of them mapped.
    sections
        In how many pieces.
    """
    most = available - max_memslots + sections
    if most < 1:
        return None
    block = 1 << 20
    while -(-size // block) > most:
        block *= 2
    return block


def largest_plugged(block_size: int, *, available: int = DMA_ENTRY_LIMIT) -> int:
    """Return the bytes that can be plugged at most: a mapping per block, whatever else the container maps apart."""
    return available * block_size


def advice(size: int, container: VfioContainer, sections: int) -> str:
    """Return what to do about too few mappings for `size` bytes of virtio-mem in so many pieces."""
    available = container.available or 0
    block = smallest_block(size, available=available, max_memslots=container.max_memslots, sections=sections)
    larger = f"give virtio-mem block-size={format_size(block).replace(' ', '')[:-2]}, " if block else ""
    return (
        f"{larger}use iommufd (-object iommufd,id=iommufd0 and vfio-pci,iommufd=iommufd0), "
        f"or raise dma_entry_limit of vfio_iommu_type1 to {container.possible}"
    )

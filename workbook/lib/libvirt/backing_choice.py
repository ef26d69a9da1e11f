"""Which ``<memoryBacking>`` makes the memory backends of a scenario, and what cells and devices say otherwise.

The inverse of `workbook.lib.libvirt.backing`: every combination of its settings is tried, and the one from which
libvirt makes the most backends as they are is taken.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Final, Literal
from xml.etree import ElementTree as ET

from workbook.lib.scenario import MemoryBackend
from workbook.lib.size import KiB

from .backing import PAGES, SYSTEM_PAGE

__all__ = ("BackingChoice", "Piece", "choose_backing")

Access = Literal["shared", "private"]
_ACCESSES: Final[tuple[Access | None, ...]] = (None, "private", "shared")
_SOURCES: Final[tuple[str | None, ...]] = (None, "memfd", "file")


@dataclass(frozen=True, slots=True)
class Piece:
    """Memory of a scenario.

    Attributes
    ----------
    backend
        None: QEMU's own, plain and private.
    node
        NUMA node; None for RAM without NUMA, which has no ``memAccess=`` of its own.
    is_ram
        Boot RAM rather than a memory device.
    prealloc
        Whether the backend is preallocated; None where that is not the backend's business (virtio-mem).
    has_path
        A file of the user's (virtio-pmem, NVDIMM): only preallocation is up to ``<memoryBacking>``.
    """

    backend: MemoryBackend | None
    node: int | None
    is_ram: bool
    prealloc: bool | None
    has_path: bool = False

    @property
    def page(self) -> int:
        """Size of its host pages, as far as x86 has them."""
        return self.backend.page_size if self.backend is not None and self.backend.page_size in PAGES else SYSTEM_PAGE


@dataclass(frozen=True, slots=True)
class BackingChoice:
    """A ``<memoryBacking>``.

    Attributes
    ----------
    page
        Bytes, of all nodes that `pages` does not name.
    pages
        (node, bytes) of nodes with other pages.
    cells
        (node, access) of NUMA cells that share their memory otherwise.
    """

    source: str | None
    access: Access | None
    immediate: bool
    page: int
    pages: tuple[tuple[int, int], ...]
    cells: tuple[tuple[int, Access], ...] = ()

    def access_of(self, node: int | None) -> Access | None:
        """Return how memory of a device on a node is shared that says nothing itself."""
        return next((access for number, access in self.cells if number == node), self.access)

    def page_of(self, node: int | None) -> int:
        """Return the page size of memory on a node that says nothing itself."""
        return dict(self.pages).get(node, self.page) if node is not None else self.page

    def own_access(self, piece: Piece) -> Access | None:
        """Return the access that a cell or device must name itself to come out as it is; None for none."""
        return next((one for one in self._own(piece) if self.makes(piece, one)), None)

    def makes(self, piece: Piece, access: Access | None) -> bool:
        """Whether libvirt makes this piece as it is, where it names `access` itself."""
        if piece.has_path:
            return piece.prealloc is None or piece.prealloc == self.immediate
        shown = access or (self.access if piece.is_ram else self.access_of(piece.node))
        huge = piece.page != SYSTEM_PAGE
        kind = "memfd" if self.source == "memfd" else "file" if huge or shown or self.source == "file" else "ram"
        share = shown == "shared" if shown else kind == "memfd"
        backend = piece.backend or MemoryBackend(id="", size=0)
        prealloc = piece.prealloc is None or piece.prealloc == (self.immediate or huge)
        return backend.kind == kind and backend.share == (share and kind != "ram") and prealloc

    def _own(self, piece: Piece) -> tuple[Access | None, ...]:
        return _ACCESSES if piece.node is not None else (None,)

    def misses(self, pieces: Iterable[Piece]) -> int:
        """Weigh what libvirt would make differently: named RAM most, RAM that QEMU makes by itself least."""
        missed = [one for one in pieces if not any(self.makes(one, access) for access in self._own(one))]
        return sum(2 if not one.is_ram else 3 if one.backend is not None else 1 for one in missed)

    def element(self) -> ET.Element:
        """Return the element; it may be empty."""
        backing = ET.Element("memoryBacking")
        if self.page != SYSTEM_PAGE or self.pages:
            pages = ET.SubElement(backing, "hugepages")
            if self.page != SYSTEM_PAGE:
                ET.SubElement(pages, "page", size=str(self.page // KiB), unit="KiB")
            for size in sorted({size for _node, size in self.pages}):
                nodes = ",".join(str(node) for node, other in self.pages if other == size)
                ET.SubElement(pages, "page", size=str(size // KiB), unit="KiB", nodeset=nodes)
        if self.source is not None:
            ET.SubElement(backing, "source", type=self.source)
        if self.access is not None:
            ET.SubElement(backing, "access", mode=self.access)
        if self.immediate:
            ET.SubElement(backing, "allocation", mode="immediate")
        return backing


def choose_backing(pieces: Sequence[Piece], *, vhost_user: bool) -> BackingChoice:
    """Choose the element.

    Parameters
    ----------
    vhost_user
        Whether back ends map RAM: libvirt wants all of it shared then.
    """
    ram = [one for one in pieces if one.is_ram]
    master = ram[0].page if ram else SYSTEM_PAGE
    pages = tuple((one.node, one.page) for one in ram if one.node is not None and one.page != master)
    best: tuple[int, BackingChoice] | None = None
    # said aloud where it fits: libvirt lets back ends that are hot-plugged later map shared memory only then
    for immediate, access, source in product((False, True), reversed(_ACCESSES), _SOURCES):
        if vhost_user and access != "shared":
            continue
        choice = BackingChoice(source, access, immediate, master, pages)
        misses = choice.misses(pieces)
        # where nothing fits, memory that back ends can map is a memfd
        if vhost_user and source != "memfd":
            misses = misses * 2 + 1 if misses else 0
        if best is None or misses < best[0]:
            best = misses, choice
    assert best is not None
    choice = best[1]
    cells = ((one.node, choice.own_access(one)) for one in ram)
    return replace(choice, cells=tuple((node, own) for node, own in cells if node is not None and own is not None))

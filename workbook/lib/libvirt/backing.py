"""``<memoryBacking>``: how libvirt makes memory backends for RAM, NUMA cells and memory devices.

Source: src/qemu/qemu_command.c, ``qemuBuildMemoryBackendProps`` and ``qemuBuildMemoryGetPagesize``;
src/conf/domain_validate.c, ``virDomainDefMemtuneValidate``; src/qemu/qemu_validate.c,
``qemuValidateDomainDefMemory`` (libvirt 11.3).
"""

from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

from workbook.lib.size import GiB, KiB, MiB

from . import xml
from .numa import Cell, read_nodeset
from .refusals import internal_error, refused, unsupported

__all__ = ("PAGES", "Backing", "Page", "Props")

Props = dict[str, str | int | bool]
"""Properties of an ``-object``, ``-device`` or ``-netdev``."""

PAGES: Final = {4 * KiB: "", 2 * MiB: "2M", GiB: "1G"}
"""Host pages of x86, and how the mount point of their files ends."""
SYSTEM_PAGE: Final = 4 * KiB
DEFAULT_HUGE_PAGE: Final = 2 * MiB
"""Of ``<hugepages/>`` without a ``<page>``: the host's default, 2 MiB on x86 unless booted otherwise."""
RAM_PATH: Final = "/var/lib/libvirt/qemu/ram"
"""Where files of RAM lie by default (``memory_backing_dir`` of qemu.conf)."""
_SOURCES: Final = ("file", "anonymous", "memfd")
_MODES: Final = ("immediate", "ondemand")


@dataclass(frozen=True, slots=True)
class Page:
    """``<page>`` of ``<hugepages>``; `nodes` None: for all nodes that no other one names."""

    size: int
    nodes: frozenset[int] | None


@dataclass(frozen=True, slots=True)
class Backing:
    """The settings of ``<memoryBacking>``.

    Attributes
    ----------
    cells
        The NUMA cells, whose ``memAccess=`` comes before `access`.
    source
        anonymous, file, memfd; None: libvirt chooses.
    access
        shared, private; None: QEMU's default.
    immediate
        Memory is preallocated.
    pages
        ``<hugepages>``; one without a size of its own has the host's default.
    tuned
        Nodes that ``<numatune>`` binds by ``<memnode>``: they have a backend even where QEMU could do without.
    """

    cells: tuple[Cell, ...] = ()
    source: str | None = None
    access: str | None = None
    immediate: bool = False
    pages: tuple[Page, ...] = ()
    tuned: frozenset[int] = frozenset()

    @classmethod
    def of(cls, element: ET.Element | None, cells: tuple[Cell, ...], numatune: ET.Element | None = None) -> "Backing":
        """Read the element, checked as libvirt does.

        Raises
        ------
        Refusal
            libvirt does not take it.
        """
        source = _choice(element, "source", "type", _SOURCES)
        access = _choice(element, "access", "mode", ("shared", "private"))
        allocation = _choice(element, "allocation", "mode", _MODES)
        huge = next(xml.children(element, "hugepages"), None)
        pages: tuple[Page, ...] = ()
        if huge is not None:
            pages = tuple(map(_read_page, huge.findall("page"))) or (Page(DEFAULT_HUGE_PAGE, None),)
            _check_pages(pages, len(cells))
            if allocation == "ondemand":
                raise unsupported(
                    "hugepages are not allowed with memory allocation ondemand", "leave <allocation> or <hugepages> out"
                )
            if source == "anonymous":
                raise unsupported(
                    "hugepages are not allowed with anonymous memory source", "use <source type='memfd'/>, or none"
                )
        nodes = (xml.unsigned(one.get("cellid", ""), "<memnode cellid=>") for one in xml.children(numatune, "memnode"))
        return cls(cells, source, access, allocation == "immediate", pages, frozenset(nodes))

    def access_of(self, node: int | None) -> str | None:
        """Return how memory of a node is shared where the memory itself does not say."""
        cell = self.cells[node] if node is not None and node < len(self.cells) else None
        return (cell.access if cell is not None else None) or self.access

    @property
    def is_shared(self) -> bool:
        """Whether vhost-user back ends can map all RAM, as libvirt sees it: it looks at ``<access>`` alone."""
        if not self.cells:
            return self.access == "shared"
        return all(self.access_of(node) == "shared" for node in range(len(self.cells)))

    def page_size(self, node: int | None, own: int = 0) -> int:
        """Return the page size of memory on a node, bytes; `own` is that of the memory's ``<pagesize>``."""
        if own:
            return own
        master = next((one.size for one in self.pages if one.nodes is None), SYSTEM_PAGE)
        mine = (one.size for one in self.pages if one.nodes is not None and node is not None and node in one.nodes)
        return next(mine, master)

    def is_plain(self, node: int | None, access: str | None = None) -> bool:
        """Whether libvirt needs no backend for RAM of a node (machine types up to 5.0 can do without)."""
        bound = any(one.nodes is not None and node in one.nodes and one.size != SYSTEM_PAGE for one in self.pages)
        return not (bound or access or self.access_of(node) or self.source in ("file", "memfd") or node in self.tuned)

    def preallocates(self, page_size: int) -> bool:
        """Whether memory of a page size is preallocated: huge pages are, always."""
        return self.immediate or page_size != SYSTEM_PAGE

    def props(
        self, name: str, size: int, *, node: int | None = None, own_page: int = 0, access: str | None = None
    ) -> Props:
        """Return the ``-object`` for memory; `size` in bytes, `node` None for RAM without NUMA."""
        page = self.page_size(node, own_page)
        huge, shared = page != SYSTEM_PAGE, access or self.access_of(node)
        props: Props = {"qom-type": "memory-backend-ram", "id": name}
        if self.source == "memfd":
            props["qom-type"] = "memory-backend-memfd"
            props |= {"hugetlb": True, "hugetlbsize": page} if huge else {}
        elif huge or shared or self.source == "file":
            props["qom-type"] = "memory-backend-file"
            props["mem-path"] = mount_of(page) if huge else f"{RAM_PATH}/{name}"
        if shared and props["qom-type"] != "memory-backend-ram":
            props["share"] = shared == "shared"
        return props | ({"prealloc": True} if self.preallocates(page) else {}) | {"size": size}


def _choice(element: ET.Element | None, tag: str, name: str, allowed: tuple[str, ...]) -> str | None:
    value = next((one.get(name) for one in xml.children(element, tag)), None)
    if value is not None and value not in allowed:
        raise unsupported(f"unknown memoryBacking/{tag}/{name} '{value:.60}'", f"allowed are {', '.join(allowed)}")
    return value


def mount_of(page: int) -> str:
    """Return where libvirt finds huge pages of a size (``virFileGetHugepageSize`` of what is mounted).

    Raises
    ------
    Refusal
        x86 has no such page, so that no file system for it is mounted.
    """
    if page not in PAGES:
        raise internal_error(
            f"Unable to find any usable hugetlbfs mount for {page // KiB} KiB",
            "x86 has huge pages of 2 MiB and 1 GiB",
        )
    return f"/dev/hugepages{PAGES[page]}/libvirt/qemu"


def _read_page(element: ET.Element) -> Page:
    size = element.get("size")
    if size is not None and not xml.scaled(size, element.get("unit"), "<page size=>"):
        raise refused("hugepage size can't be zero", "x86 has huge pages of 2 MiB and 1 GiB")
    nodes = element.get("nodeset")
    found = xml.scaled(size, element.get("unit"), "<page size=>")
    return Page(found, None if nodes is None else read_nodeset(nodes))


def _check_pages(pages: tuple[Page, ...], cells: int) -> None:
    for index, one in enumerate(pages):
        for other in pages[:index]:
            sizes = f"{one.size // KiB} and {other.size // KiB}"
            if one.nodes is None and other.nodes is None:
                raise refused(f"two master hugepages detected: {sizes}", "give all <page> but one a nodeset=")
            if one.nodes and other.nodes and one.nodes & other.nodes:
                raise refused(f"nodeset attribute of hugepages of sizes {sizes} intersect", "name every node once")
        missing = min((node for node in one.nodes or () if node >= cells), default=None)
        if missing is not None:
            there = f"the cells are 0 to {cells - 1}" if cells else "the domain has no NUMA cells"
            raise refused(f"hugepages: node {missing} not found", there)

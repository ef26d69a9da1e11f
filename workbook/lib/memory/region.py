"""MemoryRegion tree: what occupies which part of an address space, before rendering.

Vocabulary and rules are those of QEMU's docs/devel/memory.rst and system/memory.c (QEMU 10.0). A tree is a
value: regions never change, a new layout is a new tree that shares its unchanged parts.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from workbook.lib.errors import BadInput

__all__ = ("ADDRESS_SPACE_SIZE", "MAX_DEPTH", "MemoryRegion", "RegionKind")

ADDRESS_SPACE_SIZE: Final = 1 << 64
"""A guest-physical address space ends at 2^64."""
MAX_DEPTH: Final = 64
"""Levels of containers and aliases that a tree may have; QEMU's own have about ten."""


class RegionKind(StrEnum):
    """What a region is; the value is the word that ``info mtree`` prints."""

    CONTAINER = "container"
    IO = "i/o"
    RAM = "ram"
    ROM = "rom"
    ROMD = "romd"
    RAMD = "ramd"
    ALIAS = "alias"


_TERMINATES: Final = frozenset({RegionKind.IO, RegionKind.RAM, RegionKind.ROM, RegionKind.ROMD, RegionKind.RAMD})


@dataclass(frozen=True, slots=True)
class MemoryRegion:
    """One region of the tree.

    Build regions with `container`, `ram`, `io` and `alias_of`; place them with `at`.

    Attributes
    ----------
    name
        As ``info mtree`` prints it.
    size
        Bytes, 0 to 2^64.
    kind
        Container, RAM, I/O, alias ...
    addr
        Start relative to the container that holds it.
    priority
        Among siblings: the higher one hides the lower; equal: the one added last hides.
    enabled
        A disabled region and everything below it is not rendered.
    readonly, nonvolatile, unmergeable
        Inherited downwards when rendered. Unmergeable ranges are never fused with a neighbour
        (RFC patch 04; QEMU 8.2).
    dirty_log_mask
        Bits of the clients that log writes (0: none). Two regions that differ in nothing else are the same
        memory: they are equal.
    has_fd
        RAM backed by a file descriptor, so that another process can map it (vhost-user needs that).
    page_size
        Of the backing RAM; vhost-user rounds sections to it.
    target, target_offset
        Of an alias: the region it shows, and from which offset on.
    subregions
        In QEMU's list order: descending priority, among equals the last added first.
    depth
        Levels below and including this region, aliases' targets included.
    """

    name: str
    size: int
    kind: RegionKind
    addr: int = 0
    priority: int = 0
    enabled: bool = True
    readonly: bool = False
    nonvolatile: bool = False
    unmergeable: bool = False
    dirty_log_mask: int = field(default=0, compare=False)
    has_fd: bool = False
    page_size: int = 4096
    target: "MemoryRegion | None" = None
    target_offset: int = 0
    subregions: tuple["MemoryRegion", ...] = ()
    depth: int = field(default=1, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 0 <= self.size <= ADDRESS_SPACE_SIZE:
            raise BadInput(f"region {self.name!r}: size {self.size} is out of range: 0 to 2^64 bytes")
        if (self.kind is RegionKind.ALIAS) is (self.target is None):
            raise BadInput(f"region {self.name!r}: an alias, and nothing else, needs a target")
        depth = 1 + max(max((one.depth for one in self.subregions), default=0), self.target.depth if self.target else 0)
        if depth > MAX_DEPTH:
            raise BadInput(f"region {self.name!r:.60}: more than {MAX_DEPTH} levels of regions: make the tree flatter")
        object.__setattr__(self, "depth", depth)

    @classmethod
    def container(
        cls, name: str, size: int, subregions: Iterable["MemoryRegion"] = (), *, addr: int = 0
    ) -> "MemoryRegion":
        """Return a pure container at `addr` that holds `subregions`, given in the order in which they are added."""
        # a stable sort of newest first: memory_region_update_container_subregions
        newest_first = list(subregions)[::-1]
        ordered = sorted(newest_first, key=lambda region: -region.priority)
        return cls(name, size, RegionKind.CONTAINER, addr, subregions=tuple(ordered))

    @classmethod
    def ram(
        cls, name: str, size: int, *, has_fd: bool = False, page_size: int = 4096, readonly: bool = False
    ) -> "MemoryRegion":
        """Return RAM; with `readonly` it is ROM."""
        kind = RegionKind.ROM if readonly else RegionKind.RAM
        return cls(name, size, kind, has_fd=has_fd, page_size=page_size, readonly=readonly)

    @classmethod
    def io(cls, name: str, size: int) -> "MemoryRegion":
        """Return a memory-mapped I/O region."""
        return cls(name, size, RegionKind.IO)

    @classmethod
    def alias_of(
        cls,
        target: "MemoryRegion",
        name: str,
        offset: int,
        size: int,
        *,
        addr: int = 0,
        unmergeable: bool = False,
    ) -> "MemoryRegion":
        """Return an alias at `addr` that shows `size` bytes of `target` from `offset` on."""
        return cls(name, size, RegionKind.ALIAS, addr, unmergeable=unmergeable, target=target, target_offset=offset)

    def at(self, addr: int, *, priority: int = 0) -> "MemoryRegion":
        """Return the same region placed at `addr` of its future container."""
        if (addr, priority) == (self.addr, self.priority):
            return self
        return MemoryRegion(
            self.name,
            self.size,
            self.kind,
            addr,
            priority,
            self.enabled,
            self.readonly,
            self.nonvolatile,
            self.unmergeable,
            self.dirty_log_mask,
            self.has_fd,
            self.page_size,
            self.target,
            self.target_offset,
            self.subregions,
        )

    @property
    def terminates(self) -> bool:
        """Whether rendering ends here: RAM, ROM or I/O."""
        return self.kind in _TERMINATES

    @property
    def is_ram(self) -> bool:
        """Whether accesses reach host memory (RAM, ROM and their device forms)."""
        return self.kind in {RegionKind.RAM, RegionKind.ROM, RegionKind.ROMD, RegionKind.RAMD}

    @property
    def last(self) -> int:
        """Last address, relative to the container (the first one where the size is 0)."""
        return self.addr + max(self.size, 1) - 1

    def walk(self) -> Iterator["MemoryRegion"]:
        """Yield this region and all below it, depth first, in list order; aliases are not followed."""
        yield self
        for child in self.subregions:
            yield from child.walk()

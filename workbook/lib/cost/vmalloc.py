"""What an array costs when vmalloc allocates it (``__vmalloc_area_node``, mm/vmalloc.c, Linux 5.10 to 7.3)."""

from bisect import bisect_left
from functools import lru_cache
from typing import Final, NamedTuple

__all__ = ("Allocation", "vmalloc")

_POINTER: Final = 8
_AREA_SLAB: Final = 72 + 96  # struct vmap_area and struct vm_struct, as /proc/slabinfo of 6.18 counts them
_KMALLOC: Final = (8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)


class Allocation(NamedTuple):
    """Bytes behind one array.

    Attributes
    ----------
    pages
        The array itself, in whole pages. With ``GFP_KERNEL_ACCOUNT`` these are charged to the memory cgroup of the
        process that makes the memslot.
    lists
        Page lists that are longer than a page and therefore vmalloc areas of their own; not charged.
    slab
        Short page lists and the descriptors of every area; not exact, since it follows the kernel's configuration.
    """

    pages: int
    lists: int
    slab: int

    @property
    def areas(self) -> int:
        """Bytes of all vmalloc areas: what ``/proc/vmallocinfo`` counts."""
        return self.pages + self.lists


@lru_cache(maxsize=1 << 14)
def vmalloc(size: int, page_size: int) -> Allocation:
    """Return what an array of `size` bytes costs; one of 0 bytes does not exist.

    The array is rounded up to whole pages. Its page list has 8 bytes per page; a list that is longer than a page is
    again a vmalloc area, with a list of its own, and so on.
    """
    areas, slab = [], 0
    while size:
        pages = -(-size // page_size)
        areas.append(pages * page_size)
        page_list = pages * _POINTER
        if page_list > page_size:
            size, listed = page_list, 0
        else:
            size, listed = 0, _KMALLOC[bisect_left(_KMALLOC, page_list)]
        slab += _AREA_SLAB + listed
    return Allocation(areas[0], sum(areas[1:]), slab) if areas else Allocation(0, 0, 0)

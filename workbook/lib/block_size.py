"""Block size of a virtio-mem device: the unit in which the guest plugs and unplugs memory."""

from typing import Final

from .size import KiB, MiB

__all__ = ("HOST_PAGE", "MIN_BLOCK_SIZE", "default_block_size")

MIN_BLOCK_SIZE: Final = MiB
"""VIRTIO_MEM_MIN_BLOCK_SIZE (hw/virtio/virtio-mem.c)."""
HOST_PAGE: Final = 4 * KiB
"""Base page of an x86-64 host."""
BASE_PAGES: Final = (4 * KiB, 16 * KiB, 64 * KiB)
"""Base pages of hosts; arm64 has them all. Their transparent huge pages have 2, 32 and 512 MiB."""
_PAGE_TABLE_ENTRY: Final = 8


def default_block_size(page_size: int) -> int:
    """Return the block size that QEMU takes where the user gives none (virtio_mem_default_block_size), bytes.

    Parameters
    ----------
    page_size
        Page size of the memory backend, bytes.
    """
    if page_size in BASE_PAGES:
        return page_size * page_size // _PAGE_TABLE_ENTRY  # a transparent huge page: what one page table covers
    return max(page_size, MIN_BLOCK_SIZE)

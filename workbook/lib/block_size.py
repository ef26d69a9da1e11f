"""Block size of a virtio-mem device: the unit in which the guest plugs and unplugs memory."""

from typing import Final

from .size import KiB, MiB

__all__ = ("HOST_PAGE", "MIN_BLOCK_SIZE", "THP_SIZE", "default_block_size")

MIN_BLOCK_SIZE: Final = MiB
"""VIRTIO_MEM_MIN_BLOCK_SIZE (hw/virtio/virtio-mem.c)."""
THP_SIZE: Final = 2 * MiB
"""Transparent huge pages on x86-64 (hpage_pmd_size); QEMU falls back to the same value."""
HOST_PAGE: Final = 4 * KiB
"""Base page of an x86-64 host."""


def default_block_size(page_size: int) -> int:
    """Return the block size that QEMU takes where the user gives none (virtio_mem_default_block_size), bytes.

    Parameters
    ----------
    page_size
        Page size of the memory backend, bytes.
    """
    return max(page_size, THP_SIZE) if page_size == HOST_PAGE else max(page_size, MIN_BLOCK_SIZE)

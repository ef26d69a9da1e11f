"""What a confidential VM (SEV-SNP, TDX) costs besides its memslots: which frames are private, kept by KVM and QEMU.

KVM notes the attribute of each 4 KiB frame in an xarray per VM (virt/kvm/kvm_main.c, ``mem_attr_array``, Linux 6.8 and
later; read in 6.12.117 and 7.3.4). It follows the memory that is private, not the memslots, and for a terabyte it is
larger than everything that separate memslots save.
"""

from typing import Final

from workbook.lib.errors import BadInput
from workbook.lib.size import KiB, format_size, round_up

__all__ = ("XARRAY_NODE", "attribute_nodes", "guest_memfd_bitmap", "memory_attributes")

XARRAY_NODE: Final = 576
"""Bytes of a node of an xarray (``struct xa_node``), which has 64 entries."""

_FANOUT: Final = 64
_FRAME: Final = 4 * KiB


def attribute_nodes(private: int) -> int:
    """Return the nodes for `private` bytes of private memory that start at guest physical 0: ceil(n / 64^k) per level.

    Raises
    ------
    BadInput
        Not whole frames of 4 KiB.
    """
    if private < 0 or private % _FRAME:
        raise BadInput(
            f"private memory of {private} bytes is not a multiple of {format_size(_FRAME)}: give whole frames"
        )
    nodes, entries = 0, private // _FRAME
    while entries > 1:
        entries = -(-entries // _FANOUT)
        nodes += entries
    return nodes


def memory_attributes(private: int) -> int:
    """Return the bytes of KVM's attributes of `private` bytes; charged to the VMM's memory cgroup.

    Examples
    --------
    >>> memory_attributes(1 << 40)
    2454267456
    """
    return attribute_nodes(private) * XARRAY_NODE


def guest_memfd_bitmap(size: int, *, host_page: int = 4 * KiB) -> int:
    """Return the bytes of QEMU's bitmap of shared pages of a RAM block with guest_memfd.

    ``RamBlockAttributes``, system/ram-block-attributes.c, QEMU 10.1 and later.

    Raises
    ------
    BadInput
        `size` is no multiple of `host_page`.
    """
    if size < 0 or size % host_page:
        raise BadInput(f"RAM block size {size} is not a multiple of {format_size(host_page)}: give whole pages")
    return round_up(size // host_page, 64) // 8

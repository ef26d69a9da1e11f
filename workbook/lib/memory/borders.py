"""Borders between memslots: where they lie, and what may lie across them.

Two neighbouring ranges of a flat view that are not fused are two memslots for KVM and two regions for vhost. A part of
a virtqueue must lie wholly in one region (``vhost_verify_ring_mappings``, hw/virtio/vhost.c, QEMU 8.2); a
data buffer may lie across, and is then reached in two pieces.
"""

from collections.abc import Iterable
from itertools import pairwise

from .flatview import FlatRange

__all__ = ("border_alignment", "borders", "crossed")


def borders(ranges: Iterable[FlatRange]) -> tuple[int, ...]:
    """Return the guest physical addresses at which one range ends and the next one begins, ascending.

    Parameters
    ----------
    ranges
        A flat view, or the sections of a vhost back end (`workbook.lib.consumers.vhost_backend.VhostBackend.sections`).
    """
    return tuple(right.start for left, right in pairwise(ranges) if left.end == right.start)


def border_alignment(ranges: Iterable[FlatRange]) -> int | None:
    """Return the largest power of two, in bytes, of which every border is a multiple; None without a border.

    A guest's buddy allocator hands out naturally aligned powers of two: up to this size none of them lies across.
    """
    common = 0
    for border in borders(ranges):
        common |= border
    return common & -common or None


def crossed(ranges: Iterable[FlatRange], start: int, size: int) -> tuple[int, ...]:
    """Return the borders inside the guest physical range [start, start + size)."""
    return tuple(border for border in borders(ranges) if start < border < start + size)

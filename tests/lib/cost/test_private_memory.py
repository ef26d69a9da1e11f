"""Attributes of private frames in a confidential VM."""

import pytest
from hypothesis import given, strategies as st

from workbook.lib.cost.private_memory import attribute_nodes, guest_memfd_bitmap, memory_attributes
from workbook.lib.errors import BadInput
from workbook.lib.size import KiB, MiB, TiB


def test_a_terabyte() -> None:
    """A private terabyte has 4,260,881 nodes of 576 bytes, 2.29 GiB, and 32 MiB of bits in QEMU."""
    assert attribute_nodes(TiB) == 4_260_881
    assert memory_attributes(TiB) == 2_454_267_456
    assert guest_memfd_bitmap(TiB) == 32 * MiB


@given(st.integers(2, 1 << 30))
def test_nodes_per_level(frames: int) -> None:
    """Each level has a node per 64 entries of the level below, up to one root."""
    nodes, entries = [], frames
    while entries != 1:
        entries = -(-entries // 64)
        nodes.append(entries)
    assert attribute_nodes(frames * 4 * KiB) == sum(nodes)
    assert nodes[-1] == 1


def test_whole_frames_only() -> None:
    """Half a frame is refused."""
    with pytest.raises(BadInput):
        attribute_nodes(2 * KiB)
    with pytest.raises(BadInput):
        guest_memfd_bitmap(2 * KiB)

"""How much of a device can be plugged beside a VFIO device, over a grid.

From hw/vfio/listener.c (QEMU 10.2) and drivers/vfio/vfio_iommu_type1.c, as `workbook.lib.consumers.vfio`.
"""

from workbook.lib.block_size import HOST_PAGE, default_block_size
from workbook.lib.consumers.vfio import DMA_ENTRY_LIMIT, MEMSLOTS_WITHOUT_KVM
from workbook.lib.rules import RuleSet, get

from .arrays import np
from .grid import Grid, Ints, Point

__all__ = ("pluggable_beside_vfio",)


def pluggable_beside_vfio(rules: RuleSet | str, grid: Grid, *, available: int = DMA_ENTRY_LIMIT) -> Ints:
    """Return the bytes of each device, from its start on, that can be plugged beside a VFIO device with type1.

    Beyond that, QEMU 10.2 and later refuse the VFIO device or end the VM; older ones warn. 0 where a device of a single
    memslot fails the check; the whole size where it passes. It is `VfioContainer.possible`, solved for the size.

    Parameters
    ----------
    available
        DMA mappings of the container: ``dma_entry_limit`` of vfio_iommu_type1.

    Notes
    -----
    As QEMU's check adds it up: blocks of the mapped memslots, and KVM's limit less these memslots for all others.
    """
    chosen = get(rules)
    found = [_pluggable(chosen, point, available) for point in grid.points()]
    return np.array(found, np.int64).reshape(grid.shape)


def _pluggable(rules: RuleSet, point: Point, available: int) -> int:
    block = point.block_size or default_block_size(HOST_PAGE)
    dynamic = rules.is_dynamic(dynamic_memslots=True)
    decision = rules.decide(*point) if dynamic else rules.whole(point.region_size)
    limit = MEMSLOTS_WITHOUT_KVM if point.budget.kvm_max is None else point.budget.kvm_max
    # a mapping for each block takes the place of the one that the memslot was counted for
    room = available - limit
    per_memslot = -(-decision.memslot_size // block) - 1
    last = -(-decision.size(decision.count - 1) // block) - 1
    most = available * block
    if (decision.count - 1) * per_memslot + last <= room:
        return min(point.region_size, most)
    memslots = max(room // per_memslot, 0) if per_memslot else decision.count - 1
    return min(min(memslots, decision.count - 1) * decision.memslot_size, most)

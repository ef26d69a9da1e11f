"""What is mapped once part of every device is plugged, over a grid: KVM's metadata for it, and what is exposed."""

from collections.abc import Callable
from functools import lru_cache

from workbook.lib.block_size import HOST_PAGE, default_block_size
from workbook.lib.cost.kvm import KvmHost
from workbook.lib.errors import BadInput
from workbook.lib.machine.virtio_mem import VirtioMemDevice
from workbook.lib.rules import RuleSet, get
from workbook.lib.size import round_up

from .arrays import np
from .grid import Grid, Ints, Point

__all__ = ("exposure", "metadata")


def metadata(rules: RuleSet | str, grid: Grid, host: KvmHost, *, plugged: float) -> Ints:
    """Return the bytes of KVM's metadata for the memslots that each device has mapped.

    The scalar device model decides what is mapped and `KvmHost` what that costs, to the page, one point after the
    other: this is for the thousands of points of a picture. Whether the device can be plugged does not matter here.

    Parameters
    ----------
    plugged
        Share of each device that is requested, and that the guest has plugged from the device's start, 0 to 1;
        rounded up to whole blocks.

    Raises
    ------
    BadInput
        The share is not from 0 to 1, or a memslot is larger than KVM takes.
    """
    return _column(rules, grid, plugged, lambda device: _cost(device, host))


def exposure(rules: RuleSet | str, grid: Grid, *, plugged: float) -> Ints:
    """Return the bytes of each device that are mapped and not plugged, which the guest can touch all the same.

    Parameters and errors as for `metadata`.
    """
    return _column(rules, grid, plugged, lambda device: device.exposed)


def _column(rules: RuleSet | str, grid: Grid, plugged: float, value: Callable[[VirtioMemDevice], int]) -> Ints:
    if not 0 <= plugged <= 1:
        raise BadInput(f"plugged {plugged!r} is a share of the device: give a number from 0 to 1")
    chosen = get(rules)
    return np.array([value(_device(chosen, point, plugged)) for point in grid.points()], np.int64).reshape(grid.shape)


def _device(rules: RuleSet, point: Point, plugged: float) -> VirtioMemDevice:
    """Return the device of a point with a share of it plugged from its start."""
    dynamic = rules.is_dynamic(dynamic_memslots=True)
    decision = rules.decide(*point) if dynamic else rules.whole(point.region_size)
    block_size = point.block_size or default_block_size(HOST_PAGE)
    size = min(round_up(int(plugged * point.region_size), block_size), point.region_size)
    device = VirtioMemDevice(rules, decision, block_size, addr=0, region_size=point.region_size, requested_size=size)
    device.plug(0, size)
    return device


def _cost(device: VirtioMemDevice, host: KvmHost) -> int:
    if not device.mapped:
        return 0
    *others, last = device.mapped
    decision = device.decision
    return len(others) * _of_slot(host, decision.memslot_size) + _of_slot(host, decision.size(last))


@lru_cache(maxsize=1 << 16)
def _of_slot(host: KvmHost, size: int) -> int:
    return host.metadata([size]).total

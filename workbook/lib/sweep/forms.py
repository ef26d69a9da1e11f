"""Vector forms of the published rule sets: the same decisions, in the same order of operations, on arrays.

Every function names the scalar one that it does in bulk; sources and reasons stand there.
"""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from workbook.lib.consumers.vhost_backend import UINT_MAX
from workbook.lib.rules import RuleSet, qemu82, rfc2021, series2021, single
from workbook.lib.size import GiB

from .arrays import np, npt
from .grid import Grid, Ints
from .result import Result, Verdict

__all__ = ("VECTOR_FORMS", "VectorForm")

Floats: TypeAlias = npt.NDArray[np.float64]

LEAST_SIZE: Final = np.array(GiB)
MANTISSA: Final = (1 << 52) - 1
"""The fraction bits of a double."""


def _single(_rules: single.Single, grid: Grid, out: Result) -> None:
    out.limit[...] = 1
    out.count[...] = 1
    out.memslot_size[...] = grid.region_size
    _check(grid, _reserved(grid), out)


def _rfc2021(rules: rfc2021.Rfc2021, grid: Grid, out: Result) -> None:
    free = np.minimum(_present(grid.kvm_free), _present(grid.vhost_free))
    reserved = _reserved_u32(grid)
    taken = grid.used + reserved
    total = np.minimum((taken + free) & UINT_MAX, rfc2021.TOTAL_CAP)
    left = total - taken if rules.intended else (total - grid.used + reserved) & UINT_MAX
    left = np.where(total <= taken & UINT_MAX, 0, left)
    limit = total * (grid.region_size / np.where(grid.device_memory_size, grid.device_memory_size, np.inf))
    np.trunc(limit, out=limit)
    limit *= 0.9
    np.trunc(limit, out=limit)
    np.copyto(limit, np.maximum(left - rfc2021.KEPT_FREE, 0), where=limit > left)
    np.maximum(limit, 1, out=limit)
    out.limit[...] = limit
    _cut_in_powers(limit, grid, out)
    _check(grid, reserved, out)


def _series2021v1(_rules: series2021.Series2021v1, grid: Grid, out: Result) -> None:
    reserved = _reserved_u32(grid)
    count = np.clip(grid.max_memslots, 1, series2021.MAX_PER_DEVICE)
    size = _ceil_div(grid.region_size, count).astype(np.int64)
    for granule in (np.maximum(grid.block_size, 1), series2021.SLOT_GRANULE):
        size = size // granule * granule
    out.limit[...] = series2021.MAX_PER_DEVICE
    out.count[...] = count
    out.memslot_size[...] = np.where(count == 1, grid.region_size, size)
    _check(grid, reserved, out)
    out.verdict[grid.used + reserved + out.count > series2021.MAX_OVERALL] = Verdict.RULE


def _dynamic_memslots(rules: qemu82.DynamicMemslots, grid: Grid, out: Result) -> None:
    reserved = _reserved(grid)
    overall = np.minimum(_present(grid.kvm_max), _present(grid.vhost_max))
    free = np.minimum(_present(grid.kvm_free), _present(grid.vhost_free))
    # whatever lets QEMU fall back to one memslot before it divides leaves nothing to share here
    available = np.minimum(qemu82.SOFT_MEMSLOT_LIMIT - grid.required, free - reserved)
    available = np.where(overall < qemu82.SAFE_MAX_MEMSLOTS, 0, np.maximum(available, 0))
    left = grid.device_memory_size - grid.used_region_size
    limit = np.multiply(available, grid.region_size, dtype=np.float64)
    limit = limit / np.where(left > 0, left, np.inf)
    limit = np.where(grid.region_size == grid.device_memory_size, available, limit)
    np.trunc(limit, out=limit)
    np.maximum(limit, 1, out=limit)
    out.limit[...] = limit
    _cut_evenly(limit, rules, grid, out)
    _check(grid, reserved, out)


def _cut_evenly(limit: Floats, rules: RuleSet, grid: Grid, out: Result) -> None:
    """Do as `RuleSet.partition` does; with one memslot the even share is everything."""
    block_size = np.maximum(grid.block_size, 1)
    size = grid.region_size / _with_user_limit(limit, grid)
    np.floor(size, out=size)
    size = _ceil_div(size, block_size)
    size = size * block_size  # inexact only above 2^53, and there one memslot is enough
    size = np.maximum(size, np.maximum(block_size, rules.min_memslot_size))
    out.count[...] = _ceil_div(grid.region_size, size)
    out.memslot_size[...] = np.minimum(size, grid.region_size)


def _cut_in_powers(limit: Floats, grid: Grid, out: Result) -> None:
    """Do as `Rfc2021.partition` does, without its loops."""
    size = _doubled(np.maximum(grid.block_size, GiB), grid.region_size, np.minimum(limit, rfc2021.DEVICE_CAP))
    count = _ceil_div(grid.region_size, size)
    if (grid.max_memslots != 0).any() or (grid.block_size > GiB).any():
        # only then the second search, for the size, differs from the first, for the count
        count = _with_user_limit(count, grid)
        size = _doubled(LEAST_SIZE, grid.region_size, count)
    out.count[...] = count
    out.memslot_size[...] = np.where(count == 1, grid.region_size, size)


def _doubled(size: Ints, region_size: Ints, limit: Floats) -> Floats:
    """Double `size` until at most `limit` of it cover the region: by the least 2^k >= ceil(ceil(r / l) / s)."""
    times = _ceil_div(_ceil_div(region_size, limit), size)
    power = times.view(np.int64)
    power += MANTISSA  # carries into the exponent unless it is a power of two already
    power &= ~MANTISSA
    return size * times


def _with_user_limit(limit: Floats, grid: Grid) -> Floats:
    limited: Floats = np.minimum(limit, np.where(grid.max_memslots, grid.max_memslots, np.inf))
    return limited


def _check(grid: Grid, reserved: Ints, out: Result) -> None:
    """Do as `RuleSet.check` does; later assignments are the earlier reasons."""
    needed = (out.count + reserved) & UINT_MAX
    used_up = grid.used_region_size + grid.region_size > grid.device_memory_size
    out.verdict[...] = np.where(used_up, np.uint8(Verdict.SPACE), np.uint8(Verdict.ACCEPTED))
    np.copyto(out.verdict, np.uint8(Verdict.VHOST), where=_present(grid.vhost_free) < needed)
    np.copyto(out.verdict, np.uint8(Verdict.KVM), where=_present(grid.kvm_free) < needed)


def _reserved(grid: Grid) -> Ints:
    reserved: Ints = np.maximum(grid.required - grid.used, 0)
    return reserved


def _reserved_u32(grid: Grid) -> Ints:
    return (grid.required - grid.used) & UINT_MAX


def _present(consumer: Ints) -> Ints:
    """Return a consumer that is absent as one without limit, 2^32 - 1."""
    return consumer & UINT_MAX


def _ceil_div(dividend: Ints | Floats, divisor: Ints | Floats) -> Floats:
    """Divide and round up; exact in doubles, as the dividend is at most 2^53: no quotient rounds to an integer."""
    quotient: Floats = np.true_divide(dividend, divisor)
    return np.ceil(quotient, out=quotient)


VectorForm: TypeAlias = Callable[[Any, Grid, Result], None]
"""Decides at every point of a piece and writes the result; also gets the rule set, an object of the class it is for."""

VECTOR_FORMS: Final[dict[type[RuleSet], VectorForm]] = {
    single.Single: _single,
    rfc2021.Rfc2021: _rfc2021,
    series2021.Series2021v1: _series2021v1,
    qemu82.DynamicMemslots: _dynamic_memslots,
}
"""Class of a rule set -> its vector form. Subclasses are not taken for their parents: they may override anything."""

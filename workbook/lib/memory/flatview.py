"""FlatView: a region tree rendered to sorted, disjoint ranges, and the difference of two of them.

Rules: QEMU system/memory.c (``render_memory_region``, ``flatview_simplify``,
``address_space_update_topology_pass``; QEMU 10.0) with the unmergeable flag of RFC patch 04.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from .region import ADDRESS_SPACE_SIZE, MemoryRegion, RegionKind

__all__ = ("Change", "ChangeKind", "FlatRange", "FlatView", "missing_for_a_moment", "render")


class FlatRange(NamedTuple):
    """One contiguous range of guest-physical addresses that shows one region.

    Attributes
    ----------
    start, size
        Guest-physical bytes.
    region
        The terminating region behind it (an alias's target, never the alias).
    offset
        Offset of `start` in `region`.
    """

    start: int
    size: int
    region: MemoryRegion
    offset: int
    readonly: bool = False
    nonvolatile: bool = False
    unmergeable: bool = False

    @property
    def end(self) -> int:
        """First address behind the range."""
        return self.start + self.size

    def merges_with(self, right: "FlatRange") -> bool:
        """Return whether `flatview_simplify` fuses this range with its right neighbour."""
        return (
            self.end == right.start
            and self.offset + self.size == right.offset
            and not self.unmergeable
            and not right.unmergeable
            and self.readonly == right.readonly
            and self.nonvolatile == right.nonvolatile
            and self.region == right.region
            and self.region.dirty_log_mask == right.region.dirty_log_mask
        )


class ChangeKind(StrEnum):
    """The memory-listener callbacks that a topology update calls per range."""

    DEL = "region_del"
    ADD = "region_add"
    NOP = "region_nop"


class Change(NamedTuple):
    """One callback of a topology update."""

    kind: ChangeKind
    range: FlatRange


def missing_for_a_moment(changes: Sequence[Change]) -> list[tuple[int, int]]:
    """Return the guest-physical ranges (start, end) that are mapped before and after an update, but not throughout.

    A range that is deleted and added again with the same memory behind it is unmapped for whoever looks between the
    two callbacks: the update is not atomic for that listener. Ascending and disjoint, in bytes.
    """
    deleted = [one.range for one in changes if one.kind is ChangeKind.DEL]
    added = [one.range for one in changes if one.kind is ChangeKind.ADD]
    found: list[tuple[int, int]] = []
    first = 0
    for old in deleted:
        while first < len(added) and added[first].end <= old.start:
            first += 1
        for new in added[first:]:
            if new.start >= old.end:
                break
            if new.region == old.region and new.start - new.offset == old.start - old.offset:
                found.append((max(old.start, new.start), min(old.end, new.end)))
    return found


@dataclass(frozen=True)
class FlatView:
    """Ranges in ascending address order, disjoint."""

    ranges: tuple[FlatRange, ...] = ()

    def __iter__(self) -> Iterator[FlatRange]:
        return iter(self.ranges)

    def __len__(self) -> int:
        return len(self.ranges)

    @cached_property
    def _starts(self) -> list[int]:
        return [one.start for one in self.ranges]

    @cached_property
    def by_start(self) -> dict[int, FlatRange]:
        """The ranges by their first address."""
        return {one.start: one for one in self.ranges}

    def at(self, address: int) -> FlatRange | None:
        """Return the range that holds `address`, or None for a hole."""
        index = bisect_right(self._starts, address) - 1
        if index >= 0 and address < self.ranges[index].end:
            return self.ranges[index]
        return None

    def changes(self, to: "FlatView") -> tuple[Change, ...]:
        """Return the memory listener callbacks for the transition to the view `to`, in their order.

        First every range that is gone or different (``region_del``, ascending), then every new one
        (``region_add``) and every equal one (``region_nop``), ascending. Equal means same range, region,
        offset and flags; the dirty-log mask does not count.
        """
        # ranges of a view are disjoint: an equal one can only have the same start
        old, new = self.by_start, to.by_start
        deleted = [Change(ChangeKind.DEL, one) for one in self.ranges if new.get(one.start) != one]
        rest = [Change(ChangeKind.NOP if old.get(one.start) == one else ChangeKind.ADD, one) for one in to.ranges]
        return (*deleted, *rest)


def render(root: MemoryRegion, *, simplify: bool = True) -> FlatView:
    """Render the tree below `root` as an address space sees it.

    Parameters
    ----------
    root
        Placed by its own `addr`.
    simplify
        Fuse neighbours as QEMU does; False shows the ranges before that step.
    """
    painter = _Painter()
    painter.paint(root, 0, 0, ADDRESS_SPACE_SIZE, (False, False, False))
    return FlatView(tuple(_simplified(painter.ranges) if simplify else painter.ranges))


def _simplified(ranges: list[FlatRange]) -> Iterator[FlatRange]:
    """Fuse from left to right, always comparing what has grown so far with the next range."""
    current: FlatRange | None = None
    for one in ranges:
        if current is not None and current.merges_with(one):
            current = current._replace(size=current.size + one.size)
            continue
        if current is not None:
            yield current
        current = one
    if current is not None:
        yield current


class _Painter:
    """Fills gaps only: what is painted first hides what comes later."""

    def __init__(self) -> None:
        self.ranges: list[FlatRange] = []
        self._starts: list[int] = []

    def paint(self, region: MemoryRegion, base: int, low: int, high: int, flags: tuple[bool, bool, bool]) -> None:
        """Paint `region`, whose container starts at `base`, within [low, high); `flags` come from above."""
        if not region.enabled:
            return
        base += region.addr
        readonly, nonvolatile, unmergeable = flags
        flags = (readonly or region.readonly, nonvolatile or region.nonvolatile, unmergeable or region.unmergeable)
        low, high = max(low, base), min(high, base + region.size)
        if low >= high:
            return
        if region.kind is RegionKind.ALIAS:
            assert region.target is not None
            self.paint(region.target, base - region.target.addr - region.target_offset, low, high, flags)
            return
        for child in region.subregions:
            target = child.target
            if target is not None and child.enabled and target.enabled and target.terminates and not target.subregions:
                self._alias(child, target, base, low, high, flags)
            else:
                self.paint(child, base, low, high, flags)
        if region.terminates:
            self._fill(region, base, low, high, flags)

    def _alias(
        self,
        alias: MemoryRegion,
        target: MemoryRegion,
        base: int,
        low: int,
        high: int,
        flags: tuple[bool, bool, bool],
    ) -> None:
        """Paint an alias of plain memory, as `paint` would: memslots are such aliases, and there are many."""
        start = base + alias.addr
        origin = start - alias.target_offset
        low, high = max(low, start, origin), min(high, start + alias.size, origin + target.size)
        if low < high:
            readonly, nonvolatile, unmergeable = flags
            flags = (
                readonly or alias.readonly or target.readonly,
                nonvolatile or alias.nonvolatile or target.nonvolatile,
                unmergeable or alias.unmergeable or target.unmergeable,
            )
            self._fill(target, origin, low, high, flags)

    def _fill(self, region: MemoryRegion, base: int, low: int, high: int, flags: tuple[bool, bool, bool]) -> None:
        if not self.ranges or self.ranges[-1][0] + self.ranges[-1][1] <= low:
            self.ranges.append(FlatRange(low, high - low, region, low - base, *flags))
            self._starts.append(low)
            return
        index = bisect_right(self._starts, low)
        if index and self.ranges[index - 1].end > low:
            low = self.ranges[index - 1].end
        while low < high:
            gap_end = min(high, self._starts[index]) if index < len(self._starts) else high
            if low < gap_end:
                self.ranges.insert(index, FlatRange(low, gap_end - low, region, low - base, *flags))
                self._starts.insert(index, low)
                index += 1
            if index >= len(self.ranges):
                return
            low = max(low, self.ranges[index].end)
            index += 1

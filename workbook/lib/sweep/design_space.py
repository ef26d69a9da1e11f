"""The design space: the result for a device over its size and a vhost back end's memslots, point by point."""

from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from workbook.lib.cost.kvm import KvmHost
from workbook.lib.errors import BadInput, Refusal
from workbook.lib.explore.settings import SIZES
from workbook.lib.host import KVM_SLOTS_TODAY
from workbook.lib.rules import Budget, RuleSet, get
from workbook.lib.size import MiB, TiB, shown_size
from workbook.lib.trace import binding_step

from .evaluation import sweep
from .grid import ABSENT, Grid, Point
from .metadata import metadata
from .result import Result, Verdict, after

__all__ = ("KINDS", "QUANTITIES", "Axes", "Panel", "Quantity", "environments", "outcomes")

Floats = npt.NDArray[np.float64]
Kinds = npt.NDArray[np.uint8]
Quantity = Literal["memslot size", "memslots", "metadata saved", "refusals"]
QUANTITIES: Final[tuple[Quantity, ...]] = ("memslot size", "memslots", "metadata saved", "refusals")
SEVERAL, ONE, BACKEND_REFUSED = 0, 1, 6
KINDS: Final = (
    "several memslots",
    "one memslot",
    "refused: a cap of the rule set's",
    "refused: KVM has too few memslots",
    "refused: vhost has too few memslots",
    "refused: no space",
    "refused: the back end itself, too late",
)
"""Results for a device: accepted, refused in the order of `Verdict`, or the late back end refused before it."""
BOOT_SECTIONS: Final = 2
"""Memslots of a vhost-user back end that boot memory takes, in the pictures: q35 with 4 GiB that has a descriptor."""
KVM_BOOT_SECTIONS: Final = 10
"""KVM memslots that boot memory and firmware of the same machine use."""
MOST_MEMSLOTS: Final = 4096
"""Of a back end in the pictures: the RFC's cap of all memslots, and of a vhost-user back end's."""
KVM_MEMSLOTS: Final = KVM_SLOTS_TODAY
"""Of a KVM in the pictures."""


@dataclass(frozen=True, slots=True)
class Axes:
    """The two axes of a design space.

    Attributes
    ----------
    sizes
        Device sizes in bytes, from left to right.
    limits
        Memslots that the vhost back end takes, from bottom to top; above `BOOT_SECTIONS`.
    """

    sizes: tuple[int, ...]
    limits: tuple[int, ...]

    @classmethod
    def usual(cls) -> "Axes":
        """Return 1 GiB to 4 TiB, and 8 to 4096 memslots: a back end without CONFIGURE_MEM_SLOTS to the RFC's cap."""
        limits = {round(2 ** (power / 4)) for power in range(12, 4 * 12)} | {509, MOST_MEMSLOTS}
        return cls(tuple(one for one in SIZES if one <= 4 * TiB), tuple(sorted(limits)))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.limits), len(self.sizes)


def environments(axes: Axes, *, fitting: int = 2, block_size: int = 2 * MiB) -> Grid:
    """Return the environments of a design space: a host of today, and a vhost back end with few or many memslots.

    Parameters
    ----------
    fitting
        How many devices of that size the device memory has room for; 1 gives a device all of it.

    Raises
    ------
    BadInput
        `fitting` is not positive, or a limit does not exceed what boot memory takes.
    """
    if fitting < 1:
        raise BadInput(f"room for {fitting} devices: give 1 or more")
    if min(axes.limits) <= BOOT_SECTIONS:
        least = BOOT_SECTIONS + 1
        raise BadInput(f"a back end with {min(axes.limits)} memslots is full after boot: give {least} or more")
    sizes, limits = np.array(axes.sizes, np.int64)[None, :], np.array(axes.limits, np.int64)[:, None]
    return Grid(
        region_size=sizes,
        device_memory_size=sizes * fitting,
        kvm_max=KVM_MEMSLOTS,
        kvm_free=KVM_MEMSLOTS - KVM_BOOT_SECTIONS,
        vhost_max=limits,
        vhost_free=limits - BOOT_SECTIONS,
        block_size=block_size,
    )


@dataclass(frozen=True, eq=False)
class Panel:
    """One heat map.

    Attributes
    ----------
    values
        Rows by columns; NaN where the device is refused.
    kinds
        Result: an index of `KINDS`.
    words
        The decision at each point and why, row by row.
    """

    name: str
    values: Floats
    kinds: Kinds
    words: tuple[str, ...]

    @classmethod
    def of(
        cls,
        rules: RuleSet | str,
        grid: Grid,
        quantity: Quantity,
        *,
        late: bool = False,
        plugged: float = 0.25,
        host: KvmHost | None = None,
    ) -> "Panel":
        """Decide at every point of a grid.

        Parameters
        ----------
        late
            Plug one device while there is no vhost back end yet, then the back end, then an equal device, and show the
            result for the latter.
        plugged, host
            For ``metadata saved``: the share of the device that the guest has plugged, and the kernel (default: one
            without the TDP MMU).

        Raises
        ------
        BadInput
            An unknown quantity.
        """
        if quantity not in QUANTITIES:
            raise BadInput(f"there is no map of {quantity!r}: give one of {', '.join(QUANTITIES)}")
        rules = get(rules)
        grid, kinds = outcomes(rules, grid, late=late)
        points, result = grid.points(), sweep(rules, grid)
        values = _values(rules, grid, result, quantity, plugged, host or KvmHost(tdp_mmu=False))
        values = np.where(kinds > ONE, np.nan, values)
        saved = values.ravel().tolist() if quantity == "metadata saved" else [np.nan] * grid.size
        words = (
            _words(rules, point, kind) + ("" if np.isnan(share) else f" Saves {share:.1f} %.")
            for point, kind, share in zip(points, kinds.ravel().tolist(), saved, strict=True)
        )
        return cls(rules.name, values, kinds, tuple(words))

    def share(self, kind: int) -> float:
        """Return the share of points of that kind."""
        return float(np.mean(self.kinds == kind))


def outcomes(rules: RuleSet | str, grid: Grid, *, late: bool = False) -> tuple[Grid, Kinds]:
    """Return the result for a device at every point: indices of `KINDS`, and the environments that it met.

    Parameters
    ----------
    late
        As in `Panel.of`; otherwise the environments are those of the grid.
    """
    rules = get(rules)
    if late:
        grid = _with_late_backend(rules, grid)
    result = sweep(rules, grid)
    kinds = np.where(result.count == 1, ONE, SEVERAL)
    kinds = np.where(result.verdict == Verdict.ACCEPTED, kinds, result.verdict + ONE).astype(np.uint8)
    if late:
        refused = [_backend_refusal(rules, point.budget) is not None for point in grid.points()]
        kinds[np.reshape(refused, grid.shape)] = BACKEND_REFUSED
    return grid, kinds


def _values(rules: RuleSet, grid: Grid, result: Result, quantity: Quantity, plugged: float, host: KvmHost) -> Floats:
    if quantity == "memslot size":
        return result.memslot_size.astype(np.float64)
    if quantity == "metadata saved":
        whole = metadata("single", grid, host, plugged=plugged)
        return 100 * (1 - metadata(rules, grid, host, plugged=plugged) / whole)
    return result.count.astype(np.float64)


def _with_late_backend(rules: RuleSet, grid: Grid) -> Grid:
    """Plug one device everywhere while there is no back end, then the back end."""
    mapped = int(not rules.is_dynamic(dynamic_memslots=True))
    alone = replace(grid, vhost_max=np.array(ABSENT), vhost_free=np.array(ABSENT))
    plugged = after(alone, sweep(rules, alone), mapped=mapped)
    free = np.maximum(grid.vhost_free - (plugged.used - grid.used), 0)
    return replace(plugged, vhost_max=grid.vhost_max, vhost_free=free)


def _backend_refusal(rules: RuleSet, budget: Budget) -> Refusal | None:
    """Return why a back end cannot be plugged beside the devices that are there."""
    limit, free = budget.vhost_max or 0, budget.vhost_free or 0
    try:
        rules.check_vhost_limit(limit, automatic=int(budget.required > 1))
        rules.check_vhost_used(limit, limit - free, rules.reserved(budget.required, budget.used))
    except Refusal as refusal:
        return refusal
    return None


def _words(rules: RuleSet, point: Point, kind: int) -> str:
    """Return the decision, the step that led to it, and QEMU's message."""
    if kind == BACKEND_REFUSED:
        return f"Back end refused: {_backend_refusal(rules, point.budget)}"
    decision = rules.decide(*point)
    step, words = binding_step(decision.trace), f"{decision.count:,} x {shown_size(decision.memslot_size)}"
    if step is not None:
        one = decision.trace[step]
        words += f", decided by '{one.name}' = {one.shown} ({one.why})"
    refusal = rules.refusal(point.budget, decision)
    return f"{words}. Refused: {refusal.message}" if refusal else f"{words}."

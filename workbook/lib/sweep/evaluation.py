"""Piece by piece through a grid, by a vector form where there is one, by the scalar model where not."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from math import prod
from typing import Final, NamedTuple

from workbook.lib.errors import BadInput
from workbook.lib.rules import Budget, Decision, RuleSet, get

from .arrays import np
from .forms import VECTOR_FORMS
from .grid import Grid, Slices
from .result import Result, Verdict

__all__ = ("CHUNK", "Chunk", "chunks", "sweep")

CHUNK: Final = 1 << 15
"""Points of one chunk: a dozen arrays of so many int64 stay in the second-level cache."""


class Chunk(NamedTuple):
    """A piece of a grid that is done: where it lies, its points, and what was decided."""

    where: Slices
    grid: Grid
    result: Result


def sweep(rules: RuleSet | str, grid: Grid, *, out: Result | None = None) -> Result:
    """Decide at every point of a grid.

    Parameters
    ----------
    rules
        A rule set or its name; one without a vector form takes the slow path.
    out
        Where to write, of the grid's shape (arrays of a file, say, by `numpy.memmap`); None: new arrays.

    Returns
    -------
    `out`, or new arrays of 25 bytes a point. Where that is too much, reduce piece by piece with `chunks`.

    Raises
    ------
    BadInput
        `out` has another shape.
    """
    result = Result.empty(grid.shape) if out is None else out
    if result.shape != grid.shape:
        raise BadInput(f"out has the shape {result.shape}, the grid {grid.shape}: give Result.empty(grid.shape)")
    for _ in chunks(rules, grid, out=result):
        pass
    return result


def chunks(rules: RuleSet | str, grid: Grid, *, points: int = CHUNK, out: Result | None = None) -> Iterator[Chunk]:
    """Decide piece by piece: the way through grids that are larger than memory.

    Parameters
    ----------
    points
        At most so many in a piece.
    out
        Write there; None: every piece has new arrays.

    Raises
    ------
    BadInput
        `points` is not positive.

    Examples
    --------
    >>> from workbook.lib.size import GiB
    >>> sizes = np.arange(1, 101) * GiB
    >>> grid = Grid.over(region_size=sizes, kvm_free=np.arange(1, 501), device_memory_size=512 * GiB)
    >>> sum(int((chunk.result.count == 1).sum()) for chunk in chunks("rfc-2021", grid))
    6596
    """
    if points < 1:
        raise BadInput(f"chunks of {points} points: give 1 or more")
    rules = get(rules)
    form = VECTOR_FORMS.get(type(rules), _scalar)
    for where in _pieces(grid.shape, points):
        piece = grid[where]
        result = Result.empty(piece.shape) if out is None else out[where]
        form(rules, piece, result)
        yield Chunk(where, piece, result)


def _pieces(shape: tuple[int, ...], points: int) -> Iterator[Slices]:
    """Cut a shape into boxes of at most `points`, as long as possible along the last axes."""
    steps: list[int] = []
    for length in reversed(shape):
        steps.insert(0, max(1, min(length, points // prod(steps))))
    starts = (range(0, length, step) for length, step in zip(shape, steps, strict=True))
    for corner in product(*starts):
        yield tuple(
            slice(start, min(start + step, length)) for start, step, length in zip(corner, steps, shape, strict=True)
        )


def _scalar(rules: RuleSet, grid: Grid, out: Result) -> None:
    """Ask the scalar model point by point."""
    decided = [(point, rules.decide(*point)) for point in grid.points()]
    out.limit[...] = np.reshape([decision.limit for _, decision in decided], out.shape)
    out.count[...] = np.reshape([decision.count for _, decision in decided], out.shape)
    out.memslot_size[...] = np.reshape([decision.memslot_size for _, decision in decided], out.shape)
    verdicts = [_verdict(rules, point.budget, decision) for point, decision in decided]
    out.verdict[...] = np.reshape(verdicts, out.shape)


def _verdict(rules: RuleSet, budget: Budget, decision: Decision) -> Verdict:
    """Find out who is to blame for a refusal: the first without whom it would not be said, whatever its words."""
    refusal = rules.refusal(budget, decision)
    if refusal is None:
        return Verdict.ACCEPTED
    roomy = max(budget.device_memory_size, decision.region_size)
    without = (
        (Verdict.KVM, replace(budget, kvm_max=None, kvm_free=None)),
        (Verdict.VHOST, replace(budget, vhost_max=None, vhost_free=None)),
        (Verdict.SPACE, replace(budget, used_region_size=0, device_memory_size=roomy)),
    )
    for verdict, relieved in without:
        other = rules.refusal(relieved, decision)
        if other is None or other.message != refusal.message:
            return verdict
    return Verdict.RULE

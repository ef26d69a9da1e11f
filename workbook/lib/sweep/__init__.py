"""Decisions over whole grids: what the scalar rule sets decide, for millions of points.

The scalar model (`workbook.lib.rules`) is the reference, and this agrees with it at every point. A published rule set
has a *vector form* here, chosen by its exact class. Another rule set, also a subclass of a published one, takes the
slow path: a loop over the scalar model, some 20 microseconds a point, for which it needs nothing but what `RuleSet`
asks for. To speed it up, put a vector form of your own into `VECTOR_FORMS`.

A grid is never laid out in memory: `chunks` hands out pieces that fit into the cache, so 10^8 points need no more
memory than 10^5.

Sizes end at 8 PiB, as 2^53 is the last integer up to which doubles are exact (no x86 guest can address more than
4 PiB); counts are C's ``unsigned int``. Within these bounds no step here can overflow 64 bits, and double arithmetic
is done in QEMU's order, as the scalar model does it.
"""

from .evaluation import CHUNK, Chunk, chunks, sweep
from .forms import VECTOR_FORMS, VectorForm
from .grid import ABSENT, LARGEST_SIZE, Grid, Point
from .metadata import exposure, metadata
from .result import Result, Verdict, after, flips
from .vfio import pluggable_beside_vfio

__all__ = (
    "ABSENT",
    "CHUNK",
    "LARGEST_SIZE",
    "VECTOR_FORMS",
    "Chunk",
    "Grid",
    "Point",
    "Result",
    "VectorForm",
    "Verdict",
    "after",
    "chunks",
    "exposure",
    "flips",
    "metadata",
    "pluggable_beside_vfio",
    "sweep",
)

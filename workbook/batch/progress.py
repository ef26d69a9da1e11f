"""A progress bar over rows that come one by one, in a notebook or on a terminal."""

from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import TypeVar

__all__ = ("with_progress",)

_T = TypeVar("_T")


def with_progress(rows: Iterator[_T], unit: str, total: int | None = None) -> Iterator[_T]:
    """Hand rows on and count them in a bar; without tqdm (extra ``arrow``) there is none.

    Parameters
    ----------
    unit
        What is counted.
    total
        How many there will be; None: not known, and the bar shows number and rate.
    """
    try:
        tqdm = import_module("tqdm.auto").tqdm
    except ImportError:
        return rows
    bar: Iterable[_T] = tqdm(rows, unit=unit, unit_scale=True, total=total, leave=False)
    return iter(bar)

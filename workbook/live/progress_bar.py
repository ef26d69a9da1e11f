"""Lines of a command's results above a bar that says how far it is."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

__all__ = ("progress_bar",)


@contextmanager
def progress_bar(total: int, unit: str) -> Iterator[tuple[Callable[[str], None], Callable[[int], None] | None]]:
    """Give what prints a line and, on a terminal with tqdm (extra ``live``), what moves a bar of `total` `unit`."""
    try:
        from tqdm import tqdm  # noqa: PLC0415 - an optional dependency
    except ImportError:
        tqdm = None
    if tqdm is None or not sys.stderr.isatty():
        yield partial(print, flush=True), None
        return
    with tqdm(total=total, unit=f" {unit}", leave=False) as bar:

        def update(count: int) -> None:
            bar.update(count)

        yield bar.write, update

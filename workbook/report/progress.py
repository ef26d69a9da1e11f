"""How far a report is: a bar on a terminal, nothing elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

__all__ = ("Progress", "progress_bar", "silent")

Progress = Callable[[int, int, str], None]
"""Is told how many of how many are done, and of what."""
_WIDTH: Final = 30
_CLEAR: Final = "\r\x1b[K"


def silent(_done: int, _total: int, _unit: str) -> None:
    """Show nothing."""


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Give what draws a bar on stderr; it is gone at the end. Where stderr is no terminal, nothing is drawn."""
    if not sys.stderr.isatty():
        yield silent
        return
    shown = ""

    def draw(done: int, total: int, unit: str) -> None:
        nonlocal shown
        filled = _WIDTH * done // max(total, 1)
        text = f"[{'#' * filled}{'.' * (_WIDTH - filled)}] {100 * done // max(total, 1):3} % of {total:,} {unit}"
        if text != shown:
            shown = text
            print(f"{_CLEAR}{text}", end="", file=sys.stderr, flush=True)

    try:
        yield draw
    finally:
        print(_CLEAR, end="", file=sys.stderr, flush=True)

"""How the measuring commands end: 0 or 1 by what was measured, 2 with a line for a bad call, 130 when interrupted."""

import sys
from collections.abc import Callable

from workbook.lib.errors import WorkbookError

__all__ = ("ended",)


def ended(run: Callable[[], int], command: str, *, given_back: str) -> int:
    """Run a measuring command; return its exit status.

    Parameters
    ----------
    command
        Its name, in front of every line on stderr.
    given_back
        What is true of the machine after an interruption.
    """
    try:
        return run()
    except WorkbookError as error:
        print(f"{command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{command}: interrupted; {given_back}", file=sys.stderr)
        return 130

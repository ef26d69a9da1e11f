"""The one place of `workbook.lib` that imports numpy: whole grids of decisions need it, nothing else does.

A single decision, a machine, and what its memslots cost are plain Python, with the same numbers (the tests compare),
so that the library runs where numpy does not exist: in a browser, for example.
"""

try:
    import numpy as np
    import numpy.typing as npt
except ImportError as error:
    raise ImportError(
        "whole grids of decisions need numpy: install it, or ask for single decisions (RuleSet.decide, Machine)"
    ) from error

__all__ = ("np", "npt")

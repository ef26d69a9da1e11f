"""Report for a reviewer: one HTML file that needs no network, no kernel and no installation.

``python -m workbook.report --preset cover-letter -o report.html`` writes one; a notebook (``--notebook``) or a saved
state of the explorer (``--state``) can stand in place of the preset, and ``--slides`` makes a deck of a notebook.

``--live`` makes a page of another kind: it holds the model itself, which Pyodide runs in the browser, and takes
whatever is pasted into it (`workbook.report.live_page`).

The sliders in every other page only pick: everything that they can show was decided by the model before
(`workbook.report.positions` says which positions there are). Nothing of the rules is written in JavaScript.
"""

from .notebook_page import notebook_page, slides
from .scenario_page import preset_page, scenario_page

__all__ = ("notebook_page", "preset_page", "scenario_page", "slides")

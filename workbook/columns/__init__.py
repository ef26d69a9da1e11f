"""What charts draw, as columns of one length by name, and the colours of a page: made without Bokeh.

`workbook.charts` hands them to Bokeh; whatever draws by other means needs this package only.
"""

from .table import Column, Columns

__all__ = ("Column", "Columns")

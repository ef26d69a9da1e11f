"""ipywidgets around the charts: what a notebook shows and a user turns."""

from workbook.explorer.explorer import Explorer
from workbook.explorer.picture import Picture

__all__ = ("Explorer", "Picture")

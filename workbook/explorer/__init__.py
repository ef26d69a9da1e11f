"""ipywidgets around the charts: what a notebook shows and a user turns."""

from workbook.explorer.command_line import CommandLine
from workbook.explorer.explorer import Explorer
from workbook.explorer.picture import Picture
from workbook.explorer.pictures import last_events_of, map_of, memslots_over_size, overhead_of, overhead_of_presets

__all__ = (
    "CommandLine",
    "Explorer",
    "Picture",
    "last_events_of",
    "map_of",
    "memslots_over_size",
    "overhead_of",
    "overhead_of_presets",
)

"""Controls around the charts: what a notebook shows and a user turns."""

from workbook.gallery.outcomes import last_events_of, map_of, memslots_over_size, overhead_of, overhead_of_presets
from workbook.widgets.picture import Picture

from .command_line import CommandLine
from .explorer import Explorer

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

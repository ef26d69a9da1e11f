"""Axes in bytes: ticks at powers of two, labels in binary units."""

from typing import Final

from bokeh.models import AdaptiveTicker, Axis, CustomJSTickFormatter, LogTicker

__all__ = ("SIZE_JS", "put_bytes_on", "put_log_bytes_on")

SIZE_JS: Final = """
function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
  if (bytes == 0) return "0"
  let unit = 0, value = bytes
  while (Math.abs(value) >= 1024 && unit < 6) { value /= 1024; unit++ }
  while (unit > 0 && value != +value.toFixed(4)) { value *= 1024; unit-- }
  return `${value} ${units[unit]}`
}
"""
"""``size(bytes)`` in JavaScript: what `workbook.lib.size.shown_size` prints, a bare 0 apart."""

_FORMAT_JS: Final = SIZE_JS + "return size(tick)"


def put_bytes_on(axis: Axis, *, ticks: int = 6) -> None:
    """Give a linear axis about `ticks` ticks whose distance is a power of two, at least 4 KiB."""
    axis.ticker = AdaptiveTicker(base=2, mantissas=[1], min_interval=4096, desired_num_ticks=ticks)
    axis.formatter = CustomJSTickFormatter(code=_FORMAT_JS)


def put_log_bytes_on(axis: Axis, *, ticks: int = 8) -> None:
    """Give a logarithmic axis about `ticks` ticks at powers of two."""
    axis.ticker = LogTicker(base=2, mantissas=[1], desired_num_ticks=ticks)
    axis.formatter = CustomJSTickFormatter(code=_FORMAT_JS)

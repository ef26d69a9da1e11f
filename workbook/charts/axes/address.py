"""The address axis in the browser: round ticks, hex labels, and texts that show only where they fit.

This is the only JavaScript of the charts besides the byte axis: ticks and label places depend on the zoom, which Python
does not see in a static page.
"""

from typing import Final

from bokeh.models import (
    Axis,
    ColumnDataSource,
    CustomJS,
    CustomJSTicker,
    CustomJSTickFormatter,
    LinearColorMapper,
    Plot,
)

from workbook.columns.theme import FONT, SMALL

from .byte import SIZE_JS

__all__ = ("fit_labels", "fit_slots", "put_addresses_on")

_TICKS_JS: Final = """
const A = knots.data.address, P = knots.data.place
const low = Math.min(cb_data.start, cb_data.end), high = Math.max(cb_data.start, cb_data.end)
const pixels = (plot.properties.inner_width.is_unset ? 900 : plot.inner_width) / (high - low), apart = 96
let step = 4096
while (step * pixels < 1.2 * apart) step *= 2
const found = []
function offer(place) {
  if (place < low || place > high) return
  if (found.every((one) => Math.abs(one - place) * pixels >= apart)) found.push(place)
}
const pieces = []
for (let i = 0; i + 1 < P.length; i++) {
  // a piece to scale; a cut gap has its length changed
  if (P[i + 1] - P[i] == A[i + 1] - A[i]) pieces.push(i)
}
for (const i of pieces) offer(P[i])
for (const i of pieces) offer(P[i + 1])
for (const i of pieces) {
  const from = Math.max(A[i], A[i] + low - P[i]), to = Math.min(A[i + 1], A[i] + high - P[i])
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) offer(at - A[i] + P[i])
}
return found.sort((a, b) => a - b)
"""

_FORMAT_JS: Final = (
    SIZE_JS
    + """
const A = knots.data.address, P = knots.data.place
let i = 0
while (i + 2 < P.length && tick > P[i + 1]) i++
const address = Math.round(A[i] + (tick - P[i]) * (A[i + 1] - A[i]) / (P[i + 1] - P[i]))
return `0x${address.toString(16)}\\n${size(address)}`
"""
)

_FIT_JS: Final = """
const range = plot.x_range
if (plot.properties.inner_width.is_unset || !(range.end > range.start)) return
const width = plot.inner_width
const pixels = width / (range.end - range.start), pad = 5
const pen = document.createElement("canvas").getContext("2d")
pen.font = font
const d = labels.data
for (let i = 0; i < d.text.length; i++) {
  d.shown[i] = ""
  if (d.left[i] > range.end || d.until[i] < range.start) continue
  const inside = [Math.max(d.left[i], range.start), Math.min(d.right[i], range.end), d.inside[i]]
  const beside = [Math.max(d.right[i], range.start), Math.min(d.until[i], range.end), d.outside[i]]
  for (const [text, [from, to, color]] of [[d.text[i], inside], [d.text[i], beside], [d.brief[i], inside]]) {
    if (!text || (to - from) * pixels < 8) continue
    const need = pen.measureText(text).width + 2 * pad
    if ((to - from) * pixels < need) continue
    d.shown[i] = text
    d.x[i] = from + (d.centred[i] ? (to - from - need / pixels) / 2 : 0) + pad / pixels
    d.color[i] = color
    break
  }
}
labels.change.emit()
"""

_FIT_SLOTS_JS: Final = """
const range = plot.x_range
if (plot.properties.inner_width.is_unset || !(range.end > range.start)) return
const {left, right, size, state, index} = slots.data
const found = []
let narrowest = Infinity
for (let i = 0; i < left.length; i++) {
  // what lies in a cut gap is hidden by its band
  if (right[i] <= range.start || left[i] >= range.end || right[i] - left[i] != size[i]) continue
  narrowest = Math.min(narrowest, size[i])
  found.push(i)
}
const pixels = narrowest * plot.inner_width / (range.end - range.start)
// seen from afar borders would hide the boxes, and no borders would leave seams between them
const palette = pixels >= 4 ? lines : fills
if (borders.palette[0] != palette[0]) borders.palette = palette
const shown = pixels >= 30 ? found : []
if (shown.length || numbers.data.x.length) numbers.data = {
  x: shown.map((i) => (left[i] + right[i]) / 2),
  text: shown.map((i) => `${index[i]}`),
  color: shown.map((i) => texts[state[i]]),
}
"""


def put_addresses_on(axis: Axis, plot: Plot, knots: ColumnDataSource) -> None:
    """Give an axis ticks at round addresses and two-line labels: hexadecimal, and in binary units.

    Parameters
    ----------
    knots
        Columns ``address`` and ``place`` of a `workbook.columns.broken_axis.BrokenAxis`.
    """
    axis.ticker = CustomJSTicker(args={"knots": knots, "plot": plot}, major_code=_TICKS_JS)
    axis.formatter = CustomJSTickFormatter(args={"knots": knots}, code=_FORMAT_JS)


def fit_labels(plot: Plot, labels: ColumnDataSource) -> None:
    """Show every label inside its box, right of it where there is room, or not at all; again after every zoom.

    Parameters
    ----------
    labels
        Columns ``text``, ``brief`` (if `text` does not fit), ``left``, ``right`` and ``until`` (places of the box, and
        up to where text may go beside it), ``y``, ``centred``, ``inside`` and ``outside`` (colours); written are
        ``x``, ``shown``, ``color``.
    """
    _after_zoom(plot, labels, CustomJS(args={"plot": plot, "labels": labels, "font": f"{SMALL} {FONT}"}, code=_FIT_JS))


def fit_slots(
    plot: Plot,
    slots: ColumnDataSource,
    numbers: ColumnDataSource,
    borders: LinearColorMapper,
    fills: list[str],
    texts: list[str],
) -> None:
    """Show numbers and borders of memslots where the narrowest in sight has room for them.

    Parameters
    ----------
    slots
        Columns ``left``, ``right``, ``size``, ``state`` and ``index``.
    numbers
        Columns ``x``, ``text`` and ``color``, written here: texts for the memslots in sight. Bokeh measures every text
        that it has, shown or not.
    borders, fills
        Colours of the borders, and those to take where a border would hide its box.
    texts
        Colours of the numbers, by state.
    """
    args = {"plot": plot, "slots": slots, "numbers": numbers, "borders": borders, "fills": fills, "texts": texts}
    _after_zoom(plot, slots, CustomJS(args={**args, "lines": list(borders.palette)}, code=_FIT_SLOTS_JS))


def _after_zoom(plot: Plot, source: ColumnDataSource, callback: CustomJS) -> None:
    for model, name in ((plot.x_range, "start"), (plot.x_range, "end"), (source, "data"), (plot, "inner_width")):
        model.js_on_change(name, callback)

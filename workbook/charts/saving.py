"""Buttons in a figure's toolbar that save it as PNG or SVG, without a kernel and without a network."""

from typing import Final, Literal

from bokeh.models import CustomAction, CustomJS, Plot
from bokeh.models.annotations import Legend, Title

__all__ = ("save_tools",)

_SAVE_JS: Final = """
(async () => {
  const view = cb_context.index.find_one(plot), {height} = plot
  const frame = () => new Promise(requestAnimationFrame)
  // title and legend may stand beside the figure on the page; a picture needs them inside
  const hidden = [plot.title, ...(legend?.items ?? []).flatMap((one) => one.renderers)].filter((one) => !one.visible)
  let room = plot.title.visible ? 0 : 26
  if (details?.text) {
    room += 15 * details.text.split("\\n").length
    hidden.push(details)
  }
  if (legend?.items.length) {
    const longest = Math.max(...legend.items.map((one) => one.label.value.length))
    legend.ncols = Math.max(1, Math.floor(plot.inner_width / (34 + 7 * longest)))
    room += 24 * Math.ceil(legend.items.length / legend.ncols)
    hidden.push(legend)
  }
  let layer
  try {
    for (const one of hidden) one.visible = true
    plot.height = height + room
    await frame()
    await frame()
    layer = view.export(kind)
  } finally {
    for (const one of hidden) one.visible = false
    plot.height = height
  }
  if (kind == "png") {
    const pen = layer.canvas.getContext("2d")
    pen.setTransform(1, 0, 0, 1, 0, 0)
    pen.globalCompositeOperation = "destination-over"
    pen.fillStyle = page
    pen.fillRect(0, 0, layer.canvas.width, layer.canvas.height)
  }
  let blob = await layer.to_blob()
  if (kind == "svg") {
    const ground = `$&<rect width="100%" height="100%" fill="${page}"/>`
    blob = new Blob([(await blob.text()).replace(/<svg[^>]*>/, ground)], {type: blob.type})
  }
  const link = document.createElement("a")
  link.href = URL.createObjectURL(blob)
  link.download = `${name}.${kind}`
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
})()
"""
Kind = Literal["png", "svg"]


def save_tools(
    plot: Plot, name: str, *, page: str, legend: Legend | None = None, details: Title | None = None
) -> list[CustomAction]:
    """Return a button for each format.

    Parameters
    ----------
    name
        Of the file, without its ending.
    page
        Colour of the ground: on the page it is the page's own.
    legend
        One that is shown in the saved picture only.
    details
        A text that is shown there only.
    """
    args = {"plot": plot, "name": name, "page": page, "legend": legend, "details": details}
    return [
        CustomAction(
            icon=_icon(kind),
            description=f"Save this picture as {kind.upper()}",
            callback=CustomJS(args={**args, "kind": kind}, code=_SAVE_JS),
        )
        for kind in ("png", "svg")
    ]


def _icon(kind: str) -> str:
    """Return an arrow onto the name of the format, in a grey for light and dark pages.

    As text and without ``#`` or ``%``: BokehJS encodes it itself.
    """
    return (
        "data:image/svg+xml,"
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24' fill='none' stroke='gray' stroke-width='2'>"
        "<path d='M12 1v9M8 6.5l4 4 4-4'/><text x='12' y='22' font-size='10' font-weight='700' text-anchor='middle' "
        f"font-family='sans-serif' fill='gray' stroke='none'>{kind.upper()}</text></svg>"
    )

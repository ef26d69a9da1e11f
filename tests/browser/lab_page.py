"""A notebook in JupyterLab as tests handle it: written, opened, run, and its pictures looked at."""

import json
import urllib.request
from collections.abc import Callable, Sequence

from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Locator, Page

__all__ = ("MemoryMapPixels", "explorer_in", "open_notebook", "pixels", "put_notebook", "wait_until_drawn")

LOAD = 60_000
"""Milliseconds that a server, a kernel and BokehJS may take on a busy machine."""

_CANVASES = """element => {
    const found = []
    const walk = root => {
        for (const child of root.querySelectorAll("*")) {
            if (child instanceof HTMLCanvasElement && child.width * child.height > 0) found.push(child)
            if (child.shadowRoot) walk(child.shadowRoot)
        }
    }
    walk(element)
    return found.map(canvas => {
        const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data
        let sum = 0
        for (let index = 0; index < data.length; index += 4)
            sum = (Math.imul(sum, 31) + data[index] + data[index + 1] * 3 + data[index + 2] * 7 + data[index + 3]) | 0
        return sum
    })
}"""

MemoryMapPixels = tuple[int, ...]


def put_notebook(lab: str, name: str, cells: Sequence[str]) -> None:
    """Write a notebook into the server's folder."""
    content = new_notebook(
        cells=[new_code_cell(one) for one in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    request = urllib.request.Request(
        f"{lab}/api/contents/{name}?token=workbook",
        data=json.dumps({"type": "notebook", "content": content}).encode(),
        method="PUT",
        headers={"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=20).close()


def open_notebook(page: Page, lab: str, name: str) -> None:
    """Open a notebook in a fresh workspace and run all of its cells."""
    page.goto(f"{lab}/lab/tree/{name}?token=workbook&reset")
    page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=LOAD)
    page.get_by_text("| Idle").wait_for(timeout=LOAD)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.locator("#jp-mainmenu-run").get_by_text("Run All Cells", exact=True).click()


def explorer_in(page: Page) -> Locator:
    """Return the output that holds the explorer, once it is there and drawn."""
    explorer = page.locator(".jp-OutputArea-output", has=page.get_by_text("Guest follows")).first
    explorer.wait_for(timeout=LOAD)
    explorer.locator("canvas").filter(visible=True).first.wait_for(timeout=LOAD)
    wait_until_drawn(page, explorer)
    return explorer


def pixels(explorer: Locator) -> MemoryMapPixels:
    """Return a sum of what every canvas shows; the memory map's come first."""
    return tuple(explorer.evaluate(_CANVASES))


def wait_until_drawn(
    page: Page, explorer: Locator, changed: Callable[[MemoryMapPixels], bool] = bool, timeout: int = 15_000
) -> MemoryMapPixels:
    """Wait until the canvases show what is wanted and have stopped changing; return what they show."""
    last: MemoryMapPixels = ()
    for _ in range(timeout // 150):
        now = pixels(explorer)
        if now == last and any(now) and changed(now):
            return now
        last = now
        page.wait_for_timeout(150)
    raise AssertionError(f"the picture did not come to what was waited for within {timeout} ms")

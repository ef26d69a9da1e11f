"""From a slider to the repainted picture, in a real browser, with 1,024 memslots: ``python tests/browser/latency.py``.

An arrow key is pressed on the slider of the requested size. The clock runs in the page: from the key's event to the
frame in which the canvases first show something else, and to the last frame in which they change. The kernel's part
is clocked in the kernel: all of it, the model in it, and Bokeh's encoding and sending of the new columns.
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from conftest import ARGUMENTS, NAMES, jupyterlab
from lab_page import explorer_in, open_notebook, put_notebook
from playwright.sync_api import Locator, Page, sync_playwright

from workbook.lib.presets import PRESETS
from workbook.lib.settings import SETTINGS
from workbook.lib.size import TiB

_CELL = """
import json, time
from jupyter_bokeh import BokehModel
from workbook.explorer import Explorer
from workbook.lib.outcome import Outcome

clock = {{"model": 0.0, "Bokeh": 0.0}}

def timed(inner, part):
    def outer(*args, **kwargs):
        start = time.perf_counter()
        try:
            return inner(*args, **kwargs)
        finally:
            clock[part] += time.perf_counter() - start
    return outer

Outcome.of = staticmethod(timed(Outcome.of, "model"))
BokehModel._document_patched = timed(BokehModel._document_patched, "Bokeh")

class Clocked(Explorer):
    def _guarded(self, change):
        clock.update(model=0.0, Bokeh=0.0)
        start = time.perf_counter()
        super()._guarded(change)
        with open({log!r}, "a") as log:
            log.write(json.dumps({{"kernel": time.perf_counter() - start, **clock}}) + "\\n")

Clocked({state!r})
"""
_CLOCK = """(explorer, quiet) => new Promise(resolve => {
    const canvases = []
    const walk = root => {
        for (const child of root.querySelectorAll("*")) {
            if (child instanceof HTMLCanvasElement && child.width * child.height > 0) canvases.push(child)
            if (child.shadowRoot) walk(child.shadowRoot)
        }
    }
    walk(explorer)
    // the memory map's own canvases: looking at all of them would cost as much as painting them
    canvases.splice(2)
    const look = () => {
        let sum = 0
        for (const canvas of canvases) {
            const image = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height)
            const data = new Uint32Array(image.data.buffer)
            for (let index = 0; index < data.length; index++) sum = (Math.imul(sum, 31) + data[index]) | 0
        }
        return sum
    }
    let shown = look(), start = 0, first = 0, last = 0
    const frame = () => {
        const now = performance.now(), seen = look()
        if (seen !== shown) { shown = seen; last = now; first = first || now }
        if (now - (last || start) > quiet) resolve(last ? [first - start, last - start] : null)
        else requestAnimationFrame(frame)
    }
    const pressed = () => { start = performance.now(); requestAnimationFrame(frame) }
    addEventListener("keydown", pressed, {once: true, capture: true})
})"""
QUIET = 400
"""Milliseconds without a change after which a picture is finished."""
STEPS = 16
"""Steps in one direction: 1 TiB down to 64 GiB."""


def measure(page: Page, explorer: Locator, turns: int) -> list[tuple[float, float]]:
    """Press an arrow key so often; return milliseconds to the first and the last changed frame."""
    slider = explorer.locator(".widget-hslider", has_text="Requested size").locator(".noUi-handle")
    element = explorer.element_handle()
    assert element is not None
    found = []
    for turn in range(turns):
        slider.focus()
        page.evaluate(f"([explorer, quiet]) => {{ window.clocked = ({_CLOCK})(explorer, quiet) }}", [element, QUIET])
        page.keyboard.press("ArrowLeft" if turn // STEPS % 2 == 0 else "ArrowRight")
        times = page.evaluate("() => window.clocked")
        if times is None:
            raise RuntimeError(f"key press {turn} changed nothing")
        found.append((times[0], times[1]))
    return found


def line_of(name: str, values: Sequence[float]) -> str:
    """Return median and 95th percentile, as a line."""
    p95 = statistics.quantiles(values, n=20, method="inclusive")[-1]
    return f"{name:<44} {statistics.median(values):7.1f} {p95:7.1f} {max(values):7.1f}"


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=75, help="how often the slider is turned (default 75)")
    parser.add_argument("--width", type=int, default=1400, help="of the page, pixels (default 1400)")
    options = parser.parse_args(arguments)
    chromium = next((path for path in map(shutil.which, NAMES) if path), None)
    if chromium is None:
        print(f"no Chromium on this machine (looked for {', '.join(NAMES)})", file=sys.stderr)
        return 1
    state = SETTINGS["requested_size"].put(replace(PRESETS["one-tib"].scenario, actions=()), TiB, None).to_json()
    with tempfile.TemporaryDirectory() as folder, jupyterlab(Path(folder)) as lab, sync_playwright() as playwright:
        log = Path(folder) / "kernel.jsonl"
        put_notebook(lab, "latency.ipynb", [_CELL.format(log=str(log), state=state)])
        browser = playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
        page = browser.new_page(viewport={"width": options.width, "height": 1000})
        open_notebook(page, lab, "latency.ipynb")
        explorer = explorer_in(page)
        measure(page, explorer, 2 * STEPS)
        log.unlink()
        times = measure(page, explorer, options.turns)
        browser.close()
        kernel = [json.loads(line) for line in log.read_text().splitlines()]
    print(f"{len(times)} turns of a slider, 1,024 memslots, {options.width} px; milliseconds")
    print(f"{'':<44} {'median':>7} {'p95':>7} {'most':>7}")
    print(line_of("key to the first changed frame", [first for first, _ in times]))
    print(line_of("key to the last changed frame", [last for _, last in times]))
    print(line_of("kernel: all", [1000 * one["kernel"] for one in kernel]))
    print(line_of("kernel: model (both rule sets)", [1000 * one["model"] for one in kernel]))
    print(line_of("kernel: Bokeh encodes and sends", [1000 * one["Bokeh"] for one in kernel]))
    rest = [1000 * (one["kernel"] - one["model"] - one["Bokeh"]) for one in kernel]
    print(line_of("kernel: columns, controls, texts", rest))
    browser_part = [last - 1000 * one["kernel"] for (_, last), one in zip(times, kernel, strict=True)]
    print(line_of("browser, JupyterLab and the way there and back", browser_part))
    return 0


if __name__ == "__main__":
    sys.exit(main())

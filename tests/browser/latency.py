"""From a slider to the repainted picture, in a real browser, with 1,024 memslots: ``python tests/browser/latency.py``.

An arrow key is pressed on the slider of the requested size, and 16 to 128 memslots are mapped or unmapped. The clock
runs in the page: from the key's event to the end of the first frame in which a chart is painted anew, and of the last
one; whether the pixels have changed is looked at afterwards, because that takes as long as painting them. The kernel's
part is clocked in the kernel: until the new columns are sent, with the model in it, and all of it: controls and texts
come after the charts.
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

from browser_session import ARGUMENTS, NAMES, jupyterlab
from lab_page import explorer_in, open_notebook, put_notebook
from playwright.sync_api import Locator, Page, sync_playwright

from workbook.lib.explore.presets import PRESETS

_CELL = """
import json, time
from workbook.explorer import Explorer
from workbook.widgets.bokeh_figure import Figure
from workbook.lib.explore.outcome import Outcome

clock = {{"model": 0.0, "Bokeh": 0.0, "start": 0.0, "sent": 0.0}}

def timed(inner, part):
    def outer(*args, **kwargs):
        start = time.perf_counter()
        try:
            return inner(*args, **kwargs)
        finally:
            clock[part] += time.perf_counter() - start
            clock["sent"] = time.perf_counter() - clock["start"]
    return outer

Outcome.of = staticmethod(timed(Outcome.of, "model"))
Figure._send_patch = timed(Figure._send_patch, "Bokeh")

class Clocked(Explorer):
    def _guarded(self, change):
        clock.update(model=0.0, Bokeh=0.0, start=time.perf_counter())
        super()._guarded(change)
        with open({log!r}, "a") as log:
            log.write(json.dumps({{"kernel": time.perf_counter() - clock["start"], **clock}}) + "\\n")

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
    const pixels = () => canvases.map(one => one.toDataURL()).join()
    const before = pixels(), pen = CanvasRenderingContext2D.prototype, {clearRect} = pen
    let start = 0, first = 0, last = 0
    // a message that is posted while a frame is made arrives when that frame is done
    const done = new MessageChannel()
    done.port1.onmessage = () => { last = performance.now(); first = first || last }
    pen.clearRect = function (...where) {
        if (start && canvases.includes(this.canvas)) done.port2.postMessage(null)
        return clearRect.apply(this, where)
    }
    addEventListener("keydown", event => { start = event.timeStamp }, {once: true, capture: true})
    const timer = setInterval(() => {
        if (!start || performance.now() - (last || start) < quiet) return
        clearInterval(timer)
        pen.clearRect = clearRect
        resolve(last && pixels() !== before ? [first - start, last - start] : null)
    }, 50)
})"""
QUIET = 400
"""Milliseconds without a change after which a picture is finished."""
STEPS = 16
"""Steps in one direction: 64 GiB up to 1 TiB; so many GiB, so many memslots are mapped."""


def measure(page: Page, explorer: Locator, turns: int) -> list[tuple[float, float]]:
    """Press an arrow key so often; return milliseconds to the first and the last changed frame."""
    slider = explorer.get_by_role("slider", name="Requested size", exact=True)
    element = explorer.element_handle()
    assert element is not None
    found = []
    for turn in range(turns):
        slider.focus()
        page.evaluate(f"([explorer, quiet]) => {{ window.clocked = ({_CLOCK})(explorer, quiet) }}", [element, QUIET])
        page.keyboard.press("ArrowRight" if turn // STEPS % 2 == 0 else "ArrowLeft")
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
    state = replace(PRESETS["one-tib"].scenario, actions=()).to_json()
    with tempfile.TemporaryDirectory() as folder, jupyterlab(Path(folder)) as lab, sync_playwright() as playwright:
        log = Path(folder) / "kernel.jsonl"
        put_notebook(lab, "latency.ipynb", [_CELL.format(log=str(log), state=state)])
        browser = playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
        page = browser.new_page(viewport={"width": options.width, "height": 1000})
        open_notebook(page, lab, "latency.ipynb")
        explorer = explorer_in(page)
        for size in ("64 GiB", "1 TiB", "64 GiB"):
            field = explorer.get_by_label("Requested size, typed")
            field.fill(size)
            field.press("Enter")
            page.wait_for_timeout(QUIET)
        measure(page, explorer, 2 * STEPS)
        log.unlink()
        times = measure(page, explorer, options.turns)
        browser.close()
        kernel = [json.loads(line) for line in log.read_text().splitlines()]
    print(f"{len(times)} turns of a slider, 1,024 memslots, {options.width} px; milliseconds")
    print(f"{'':<44} {'median':>7} {'p95':>7} {'most':>7}")
    print(line_of("key to the first repainted frame", [first for first, _ in times]))
    print(line_of("key to the last repainted frame", [last for _, last in times]))
    for name, part in (
        ("kernel: until the charts are sent", "sent"),
        ("    of it the model (both rule sets)", "model"),
        ("    of it encoding and sending", "Bokeh"),
        ("kernel: all, with controls and texts", "kernel"),
    ):
        print(line_of(name, [1000 * one[part] for one in kernel]))
    rest = [last - 1000 * one["sent"] for (_, last), one in zip(times, kernel, strict=True)]
    print(line_of("browser, JupyterLab and the way there and back", rest))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Charts in a browser, from one file and without a kernel: nothing complains, texts fit, and the zoom changes them."""

from pathlib import Path

import pytest
from bokeh.embed import file_html
from bokeh.resources import Resources
from playwright.sync_api import Page

from workbook.charts import Curves, DecisionTrace, ListenerEvents, MemoryMap, OverheadBars, SlotBudget
from workbook.charts.axes.byte import SIZE_JS
from workbook.lib.cost.kvm import KvmHost
from workbook.lib.machine.machine import Machine
from workbook.lib.size import GiB, KiB, MiB, TiB, shown_size

ARGV = (
    "-machine pc -cpu qemu64,vendor=GenuineIntel,phys-bits=48 -m 4G,slots=17,maxmem=1T -accel kvm "
    "-object memory-backend-ram,id=mem0,size=500G -device virtio-mem-pci,id=vm0,memdev=mem0"
)
SHOWN = """name => {
  const [document] = Bokeh.documents
  const source = [...document._all_models.values()].find(model => model.name == name)
  return [...source.data.shown]
}"""
NUMBERS_VISIBLE = """() => [...Bokeh.documents[0]._all_models.values()]
    .find(model => model.name == "numbers").data.x.length > 0"""
ZOOM = """([start, end]) => [...Bokeh.documents[0]._all_models.values()]
    .find(model => model.type == "Range1d" && model.min_interval != null).setv({start, end})"""


def grown() -> tuple[Machine, ListenerEvents]:
    """The cover letter's VM with 20 GiB plugged, and what listeners saw on the way there from 2 GiB."""
    machine = Machine.from_qemu_args(ARGV, rules="rfc-2021", kvm_slots=32764)
    pictures = []
    for size in (2 * GiB, 20 * GiB):
        machine.request_size("vm0", size)
        machine.settle("vm0")
        pictures.append(machine.picture)
    events = ListenerEvents()
    events.update(pictures[0].changes(pictures[1]))
    return machine, events


def open_chart(page: Page, folder: Path, root: object) -> None:
    """Write a chart to a file and open it."""
    path = folder / "chart.html"
    path.write_text(file_html(root, Resources("inline")))  # type: ignore[arg-type]
    page.goto(path.as_uri())
    page.wait_for_function("window.Bokeh && Bokeh.documents.length && Bokeh.documents[0].is_idle")


@pytest.mark.parametrize("name", ["map", "bars", "budget", "trace", "events", "curves"])
def test_no_complaints(page: Page, tmp_path: Path, name: str) -> None:
    """Every chart is drawn from one file, with no error and no request to anywhere."""
    machine, events = grown()
    layout = machine.picture
    charts = {"map": MemoryMap(), "bars": OverheadBars(), "budget": SlotBudget(), "trace": DecisionTrace()}
    charts["map"].update(layout)
    charts["bars"].update({"now": KvmHost(tdp_mmu=False).metadata(layout.memslot_sizes)})
    charts["budget"].update(layout.consumers)
    charts["trace"].update(layout.devices[0].decision)
    curves = Curves(steps=True)
    curves.update({"a": ([GiB, TiB], [1, 1024])})
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    open_chart(page, tmp_path, {**charts, "events": events, "curves": curves}[name].root)
    assert page.console_problems == []  # type: ignore[attr-defined]
    assert [url for url in requests if not url.startswith("file:")] == []


def test_labels_follow_the_zoom(page: Page, tmp_path: Path) -> None:
    """Seen whole, 500 memslots have no numbers; enlarged, they do, and labels of what is in sight stay."""
    machine, _ = grown()
    chart = MemoryMap()
    chart.update(machine.picture)
    chart.sources["labels"].name, chart.sources["numbers"].name = "labels", "numbers"
    open_chart(page, tmp_path, chart.root)
    whole = page.evaluate(SHOWN, "labels")
    assert "vm0: virtio-mem, 500 GiB" in whole
    assert not page.evaluate(NUMBERS_VISIBLE)
    low, high = chart.axis.place([5 * GiB, 15 * GiB])
    page.evaluate(ZOOM, [float(low), float(high)])
    page.wait_for_timeout(100)
    assert page.evaluate(NUMBERS_VISIBLE)
    assert "boot RAM 3 GiB + 1 GiB" in page.evaluate(SHOWN, "labels")
    page.evaluate(ZOOM, [float(axis_end) for axis_end in chart.axis.place([502 * GiB, 505 * GiB])])
    page.wait_for_timeout(100)
    assert "20 GiB plugged" in page.evaluate(SHOWN, "labels")


def test_sizes_in_the_browser(page: Page) -> None:
    """The axis prints sizes as Python does."""
    sizes = [1, 512, 4 * KiB, 20736 * MiB, 5 * GiB, 1029 * GiB, TiB + TiB // 16, 3 * TiB, (1 << 52) + 4096]
    shown = page.evaluate(f"sizes => {{ {SIZE_JS}; return sizes.map(size) }}", sizes)
    assert shown == [shown_size(size) for size in sizes]

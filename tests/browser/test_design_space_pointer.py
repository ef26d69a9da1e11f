"""The design space in a browser, without a kernel: pointing at a cell explains it on every map."""

from html import unescape
from pathlib import Path

from bokeh.embed import file_html
from bokeh.resources import Resources
from playwright.sync_api import Page

from workbook.charts.design_space import DesignSpace
from workbook.lib.size import shown_size
from workbook.lib.sweep.design_space import Axes, Panel, environments

RULES = ("rfc-2021", "qemu-8.2")
WHERE = """() => {
  const view = [...Bokeh.index.roots[0].child_views[0].child_views][1]
  const box = view.el.getBoundingClientRect(), frame = view.frame.bbox
  return [box.left + frame.left, box.top + frame.top, frame.width, frame.height]
}"""
POINTER = """() => [...Bokeh.documents[0]._all_models.values()]
    .find(model => model.name == "pointer").data"""


def test_pointing_explains_every_map(page: Page, tmp_path: Path) -> None:
    """The cell under the pointer is marked, and both rule sets say there what they decide, in the model's words."""
    axes = Axes.usual()
    panels = [Panel.of(rules, environments(axes), "memslots") for rules in RULES]
    chart = DesignSpace("memslots", panels=2)
    chart.pointer.name = "pointer"
    chart.update(axes, panels)
    path = tmp_path / "chart.html"
    path.write_text(file_html(chart.root, Resources("inline")))
    page.goto(path.as_uri())
    page.wait_for_function("window.Bokeh && Bokeh.documents.length && Bokeh.documents[0].is_idle")
    left, top, width, height = page.evaluate(WHERE)
    rows, columns = axes.shape
    for column, row in ((3, 4), (40, 30)):
        x, y = left + width * (column + 0.5) / columns, top + height * (1 - (row + 0.5) / rows)
        page.mouse.move(x - 1, y)
        page.mouse.move(x, y)
        page.get_by_text(f"Device of {shown_size(axes.sizes[column])}, back end with {axes.limits[row]:,}").wait_for()
        pointer = page.evaluate(POINTER)
        assert (list(pointer["x"]), list(pointer["y"])) == ([column + 0.5], [row + 0.5])
        for rules, panel in zip(RULES, panels, strict=True):
            words = unescape(panel.words[row * columns + column].replace("<i>", "").replace("</i>", ""))
            assert words in page.get_by_role("row", name=rules).inner_text()
    assert page.console_problems == []  # type: ignore[attr-defined]

"""The README's pictures: `pytest tests/browser/screenshots.py` makes them anew."""

from pathlib import Path

from playwright.sync_api import Locator, Page, expect
from test_jupyterlab import open_start_notebook

FOLDER = Path(__file__).resolve().parents[2] / "data" / "screenshots"


def explorer_of(page: Page, lab: str) -> Locator:
    """Return the explorer of the start notebook, drawn."""
    open_start_notebook(page, lab)
    summary = page.get_by_text("memslots mapped").first
    expect(summary).to_be_visible(timeout=60_000)
    page.keyboard.press("Control+b")
    page.wait_for_timeout(2_000)
    return page.locator(".jp-OutputArea-output").filter(has=summary).first


def test_explorer(page: Page, lab: str) -> None:
    """The explorer as it opens."""
    page.set_viewport_size({"width": 1600, "height": 900})
    explorer_of(page, lab).screenshot(path=FOLDER / "explorer.png")


def test_comparison(page: Page, lab: str) -> None:
    """The RFC's rules beside the merged ones for the same VM."""
    page.set_viewport_size({"width": 1600, "height": 1000})
    explorer = explorer_of(page, lab)
    page.get_by_role("button", name="Guest follows").click()
    page.get_by_role("button", name="Compare").click()
    page.get_by_label("Policy").first.select_option("QEMU's own")
    page.locator(".memslots-tiles .side").first.wait_for(timeout=60_000)
    page.wait_for_timeout(4_000)
    explorer.screenshot(path=FOLDER / "comparison.png")


def test_report(page: Page, standard_report: Path) -> None:
    """The reviewer's page, opened from disk without a network."""
    page.set_viewport_size({"width": 1280, "height": 1000})
    page.context.set_offline(offline=True)
    page.goto(standard_report.as_uri())
    page.wait_for_timeout(2_000)
    page.screenshot(path=FOLDER / "report.png")

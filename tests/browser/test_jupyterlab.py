"""The start notebook in a real JupyterLab in a real browser."""

import re
from pathlib import Path

from playwright.sync_api import Page, expect

SHOTS = Path(__file__).resolve().parents[2] / "artefacts"


def open_start_notebook(page: Page, lab: str) -> None:
    """Open it and run all of its cells."""
    page.goto(f"{lab}/lab/tree/00-start-here.ipynb?token=workbook")
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    page.get_by_text("| Idle").wait_for(timeout=60_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.locator("#jp-mainmenu-run").get_by_text("Run All Cells", exact=True).click()


def test_slider_moved_by_keyboard_changes_picture_and_text(page: Page, lab: str) -> None:
    """An arrow key on the requested-size slider changes the drawn map and the sentence, and no error is logged."""
    open_start_notebook(page, lab)
    summary = page.get_by_text(re.compile(r"memslots mapped")).first
    expect(summary).to_be_visible(timeout=60_000)
    page.wait_for_timeout(1_500)
    slider = page.locator(".widget-hslider", has_text="Requested size").locator(".noUi-handle, [role=slider]").first
    slider.scroll_into_view_if_needed()
    before_text = summary.inner_text()
    explorer = page.locator(".jp-OutputArea-output", has=summary).first
    before_picture = explorer.screenshot()
    slider.focus()
    for _ in range(8):
        slider.press("ArrowRight")
    expect(summary).not_to_have_text(before_text, timeout=10_000)
    page.wait_for_timeout(700)
    SHOTS.mkdir(exist_ok=True)
    after_picture = explorer.screenshot(path=SHOTS / "explorer-in-lab.png")
    assert after_picture != before_picture
    assert page.console_problems == []  # type: ignore[attr-defined]

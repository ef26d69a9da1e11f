"""The start notebook in a real JupyterLab in a real browser."""

from pathlib import Path

from lab_page import explorer_in, open_notebook, pixels, wait_until_drawn
from playwright.sync_api import Page, expect

SHOTS = Path(__file__).resolve().parents[2] / "artefacts"


def open_start_notebook(page: Page, lab: str) -> None:
    """Open it and run all of its cells."""
    open_notebook(page, lab, "00-start-here.ipynb")


def test_slider_moved_by_keyboard_changes_picture_and_text(page: Page, lab: str) -> None:
    """An arrow key on the requested-size slider changes the drawn map and the tiles, and no error is logged."""
    open_start_notebook(page, lab)
    explorer = explorer_in(page)
    summary = explorer.locator(".memslots-tiles")
    before_text, before_picture = summary.inner_text(), pixels(explorer)
    slider = explorer.get_by_role("slider", name="Requested size", exact=True)
    slider.focus()
    for _ in range(8):
        slider.press("ArrowRight")
    expect(summary).not_to_have_text(before_text)
    wait_until_drawn(page, explorer, lambda now: now != before_picture)
    SHOTS.mkdir(exist_ok=True)
    explorer.screenshot(path=SHOTS / "explorer-in-lab.png")
    assert page.console_problems == []  # type: ignore[attr-defined]

"""Explorers in a kernel: however often cells run and pages are loaded, only the last run's widgets are alive."""

from lab_page import explorer_in, open_notebook, put_notebook
from playwright.sync_api import Browser, Page, WebSocket, expect

RUNS, RELOADS = 10, 3
SOURCE = "from workbook.explorer import Explorer\nExplorer('cover-letter-20g')"
COUNT = """from ipywidgets.widgets.widget import _instances
print("alive:", len(_instances), "in", sum(type(one).__name__ == "Explorer" for one in _instances.values()))"""


def alive(page: Page) -> list[int]:
    """How many widgets and explorers the kernel has, by the last cell's output."""
    text = page.locator(".jp-OutputArea-output", has_text="alive:").last.inner_text().split()
    return [int(text[1]), int(text[3])]


def run_all(page: Page) -> None:
    """Run all cells and wait for the last one."""
    page.get_by_text("| Idle").wait_for(timeout=60_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.locator("#jp-mainmenu-run").get_by_text("Run All Cells", exact=True).click()
    page.wait_for_timeout(300)
    page.get_by_text("| Idle").wait_for(timeout=60_000)


def turn(page: Page, received: list[str | bytes]) -> int:
    """Move the slider by a position; return how many messages came from the server."""
    explorer = explorer_in(page)
    tile = explorer.locator(".memslots-tiles b").first
    page.wait_for_timeout(500)
    before = tile.inner_text()
    received.clear()
    explorer.get_by_role("slider", name="Requested size", exact=True).press("ArrowRight")
    expect(tile).not_to_have_text(before)
    page.wait_for_timeout(500)
    return len(received)


def test_ten_run_alls_and_three_reloads(browser: Browser, lab: str) -> None:
    """After ten Run Alls and three reloads one explorer is alive, and a turn is as few messages as at first.

    Takes longer than ten seconds: thirteen runs and four page loads.
    """
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    received: list[str | bytes] = []

    def watch(socket: WebSocket) -> None:
        if "/channels" in socket.url:
            socket.on("framereceived", lambda frame: received.append(frame))  # noqa: PLW0108  # Playwright marks its handlers

    page.on("websocket", watch)
    put_notebook(lab, "lifetime.ipynb", [SOURCE, COUNT])
    open_notebook(page, lab, "lifetime.ipynb")
    explorer_in(page)
    page.get_by_text("| Idle").wait_for(timeout=60_000)
    first = alive(page)
    assert first[1] == 1
    one_turn = turn(page, received)
    for _ in range(RUNS - 1):
        run_all(page)
    assert alive(page) == first
    for _ in range(RELOADS):
        page.reload()
        page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=60_000)
        run_all(page)
        explorer_in(page)
        assert alive(page) == first
    print("messages of a turn:", one_turn, "at first,", again := turn(page, received), "at last")
    assert 0 < again <= one_turn
    page.close()

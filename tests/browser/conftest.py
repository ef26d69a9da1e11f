"""A JupyterLab on a copy of the notebooks, and the distribution's Chromium in front of it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser_session import ARGUMENTS, NAMES, jupyterlab, watched_page
from playwright.sync_api import Browser, Page, sync_playwright


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs a browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The distribution's Chromium; without it the tests skip, in CI they fail."""
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None:
        missing = "no Chromium on this machine (looked for " + ", ".join(NAMES) + ")"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return found


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    """One browser for all tests."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of its own of 1400 x 1000 that keeps the errors of its console in `page.console_problems`."""
    page = watched_page(browser)
    yield page
    page.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a JupyterLab that the README's command has opened, on a copy of the notebooks."""
    with jupyterlab(tmp_path_factory.mktemp("lab")) as address:
        yield address

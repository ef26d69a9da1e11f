"""A JupyterLab on a copy of the notebooks, and the distribution's Chromium in front of it."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

REPOSITORY = Path(__file__).resolve().parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


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


def watched_page(browser: Browser, **options: Any) -> Page:
    """Open a page that keeps the errors of its console in `page.console_problems`."""
    page = browser.new_page(viewport={"width": 1400, "height": 1000}, **options)
    problems: list[str] = []
    page.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.console_problems = problems  # type: ignore[attr-defined]
    return page


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of its own of 1400 x 1000 that keeps the errors of its console in `page.console_problems`."""
    page = watched_page(browser)
    yield page
    page.close()


def free_port() -> int:
    """Return a TCP port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a JupyterLab that the README's command has opened, on a copy of the notebooks."""
    with jupyterlab(tmp_path_factory.mktemp("lab")) as address:
        yield address


@contextmanager
def jupyterlab(home: Path) -> Iterator[str]:
    """Run the README's command on a copy of the notebooks in `home`; yield the server's address."""
    (home / "notebooks").mkdir()
    for notebook in (REPOSITORY / "notebooks").glob("*.ipynb"):
        shutil.copy(notebook, home / "notebooks")
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "workbook",
        f"--port={port}",
        "--no-browser",
        "--notebooks",
        str(home / "notebooks"),
    ]
    environment = {**os.environ, "JUPYTER_TOKEN": "workbook", "JUPYTER_CONFIG_DIR": str(home / "config")}
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=REPOSITORY)
    try:
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{address}/api?token=workbook", timeout=2).close()
                break
            except OSError:
                assert server.poll() is None, (home / "log").read_text()
                assert time.monotonic() < deadline, (home / "log").read_text()
                time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=20)

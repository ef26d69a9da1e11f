"""Chromium and JupyterLab as the browser tests and the latency command start them."""

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

from playwright.sync_api import Browser, Page

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


def watched_page(browser: Browser, **options: Any) -> Page:
    """Open a page that keeps the errors of its console in `page.console_problems`."""
    page = browser.new_page(viewport={"width": 1400, "height": 1000}, **options)
    problems: list[str] = []
    page.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.console_problems = problems  # type: ignore[attr-defined]
    return page


def free_port() -> int:
    """Return a TCP port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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

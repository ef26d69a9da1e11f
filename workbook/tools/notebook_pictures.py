"""Pictures of a notebook's widgets, made by JupyterLab itself, for whoever reads the notebook without a kernel.

A code host, an editor, a mail and nbconvert show the PNG that stands beside an output's text. It says in its metadata
of which source and text it is a picture, so that one that is out of date is found without drawing anything.
"""

import base64
import hashlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

from workbook.lib.errors import BadInput

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ("MARK", "Studio", "fingerprint", "mark", "outdated", "studio", "take_over")

MARK: Final = "picture-of"
"""Where an output's metadata says of what its picture is."""
WIDGET: Final = "application/vnd.jupyter.widget-view+json"
_BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "chrome")
_ARGUMENTS: Final = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync")
_VIEWPORT: Final = {"width": 1240, "height": 2800}
"""High enough that every output is in sight: what is not is not drawn."""
_SETTINGS: Final = {
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": "false"},
}
_START: Final = 120_000
"""Milliseconds that a server, a kernel and all cells of a notebook may take."""
_COLOURS: Final = 128


def fingerprint(cell: Any) -> str:
    """Return what a picture of a cell depends on: a hash of its source and of its outputs' text."""
    texts = [cell.source]
    for output in cell.outputs:
        texts.append(output.get("text", ""))
        texts += [text for mime, text in sorted(output.get("data", {}).items()) if mime == "text/plain"]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def mark(cell: Any, output: Any, picture: bytes) -> None:
    """Put a picture beside the text of an output, and say of what it is."""
    output.data["image/png"] = base64.b64encode(picture).decode()
    output.metadata = {MARK: fingerprint(cell)}


def outdated(notebook: Any) -> list[int]:
    """Return the numbers of the cells, from 1, with a picture of another source or text than they have."""
    return [
        number
        for number, cell in enumerate(notebook.cells, 1)
        if cell.cell_type == "code"
        and any(MARK in one.get("metadata", {}) and one.metadata[MARK] != fingerprint(cell) for one in cell.outputs)
    ]


def take_over(before: Any, after: Any) -> None:
    """Keep the pictures of a notebook that was run again where they are still of what is there."""
    known = {
        (output.metadata[MARK], position): output.data["image/png"]
        for cell in before.cells
        if cell.cell_type == "code"
        for position, output in enumerate(cell.outputs)
        if MARK in output.get("metadata", {})
    }
    for cell in after.cells:
        for position, output in enumerate(cell.outputs if cell.cell_type == "code" else ()):
            picture = known.get((fingerprint(cell), position))
            if picture is not None and "data" in output:
                output.data["image/png"] = picture
                output.metadata = {MARK: fingerprint(cell)}


class Studio:
    """A JupyterLab and a browser in front of it."""

    def __init__(self, page: "Page", address: str, token: str, folder: Path) -> None:
        self._page, self._address, self._token, self._folder = page, address, token, folder

    def pictures(self, path: Path, cells: Sequence[int]) -> dict[int, list[bytes]]:
        """Run a copy of a notebook from top to bottom; return a picture of each widget of the cells, by their index.

        Raises
        ------
        BadInput
            A cell shows no widget, or it is not drawn in time.
        """
        from playwright.sync_api import Error  # noqa: PLC0415 - an optional extra

        shutil.copy(path, self._folder / path.name)
        page, found = self._page, {}
        try:
            page.goto(f"{self._address}/lab/tree/{path.name}?token={self._token}&reset")
            page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=_START)
            page.get_by_text("| Idle").wait_for(timeout=_START)
            page.keyboard.press("Control+b")
            page.get_by_role("menuitem", name="Run", exact=True).click()
            page.locator("#jp-mainmenu-run").get_by_text("Run All Cells", exact=True).click()
            shown = page.locator(".jp-Notebook .jp-Cell")
            for index in cells:
                shown.nth(index).locator(".jp-OutputArea-output .jupyter-widgets").first.wait_for(timeout=_START)
            page.get_by_text("| Idle").wait_for(timeout=_START)
            for index in cells:
                outputs = shown.nth(index).locator(".jp-OutputArea-output:has(.jupyter-widgets)")
                found[index] = [_picture(page, one) for one in outputs.all()]
        except Error as error:
            why = str(error).partition("\n")[0]
            raise BadInput(
                f"{path.name}: JupyterLab does not show its widgets ({why}): run it there and look"
            ) from None
        return found


def _picture(page: "Page", output: Any) -> bytes:
    output.scroll_into_view_if_needed()
    # charts are laid out and painted in turns of their own
    page.wait_for_timeout(1500)
    image = Image.open(BytesIO(output.screenshot())).convert("RGB")
    packed = BytesIO()
    image.quantize(_COLOURS, dither=Image.Dither.NONE).save(packed, "PNG", optimize=True)
    return packed.getvalue()


@contextmanager
def studio() -> Iterator[Studio]:
    """Start JupyterLab, on a folder of its own, and a browser.

    Raises
    ------
    BadInput
        Playwright or Chromium is missing, or the server does not start.
    """
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 - an optional extra
    except ImportError:
        raise BadInput(f"pictures need Playwright: pip install 'memslot-workbook[test]', {_WITHOUT}") from None
    browser = next((path for path in map(shutil.which, _BROWSERS) if path), None)
    if browser is None:
        raise BadInput(f"pictures need Chromium (looked for {', '.join(_BROWSERS)}): install it, {_WITHOUT}")
    with (
        tempfile.TemporaryDirectory() as home,
        _jupyterlab(Path(home)) as (address, token, folder),
        sync_playwright() as playwright,
    ):
        chromium = playwright.chromium.launch(executable_path=browser, args=list(_ARGUMENTS))
        page = chromium.new_page(viewport=_VIEWPORT)  # type: ignore[arg-type]  # a TypedDict of Playwright's own
        yield Studio(page, address, token, folder)
        chromium.close()


_WITHOUT: Final = "or give --no-pictures"


@contextmanager
def _jupyterlab(home: Path) -> Iterator[tuple[str, str, Path]]:
    folder, settings, token = home / "notebooks", home / "config" / "labconfig", secrets.token_hex(16)
    folder.mkdir()
    settings.mkdir(parents=True)
    (settings / "default_setting_overrides.json").write_text(json.dumps(_SETTINGS), encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}", f"--notebook-dir={folder}"]
    command += ["--allow-root"] if os.geteuid() == 0 else []
    environment = {**os.environ, "JUPYTER_TOKEN": token, "JUPYTER_CONFIG_DIR": str(home / "config")}
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)  # noqa: S603 - our own server
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + _START / 1000
        while True:
            try:
                urllib.request.urlopen(f"{address}/api?token={token}", timeout=2).close()  # noqa: S310 - our own server
                break
            except OSError:
                if server.poll() is not None or time.monotonic() > deadline:
                    last = (home / "log").read_text(errors="replace").strip().rpartition("\n")[2]
                    raise BadInput(f"JupyterLab does not start ({last:.200}): see to it, {_WITHOUT}") from None
                time.sleep(0.2)
        yield address, token, folder
    finally:
        server.terminate()
        server.wait(timeout=20)

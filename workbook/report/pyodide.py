"""Pyodide, CPython for browsers: the files that a live page holds, from npm's registry or a folder.

Each file is known by its hash, wherever it comes from.
"""

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from workbook.lib.errors import BadInput
from workbook.tools.atomic_write import write_atomically

__all__ = ("VERSION", "pyodide")

VERSION: Final = "314.0.7"
HASHES: Final = {
    "pyodide.js": "3141b814715a72e59b51b1b18b9ceae5bf19f7c852417e431bb0a34feadf825c",
    "pyodide.asm.mjs": "f7cdc8ece80678ceb712f8e65ebe6d3a83203a180c399865f49612a051693635",
    "pyodide.asm.wasm": "cc36e3cab04fdfc9a63ff13eb52eae2b911bf46c025cc7b281f394bd3de1d5e6",
    "pyodide-lock.json": "5dc2fc119108bc148c7457dc86e7675b5c87e1cafd420b9c34c1eaef7b36c010",
    "python_stdlib.zip": "fa1957e5777068fc4f7437f96d860ae2fbe9c19732ba06c84e004ec16dd7dd7a",
}
"""SHA-256 of each file of the npm package ``pyodide``."""
_OTHERWISE: Final = f"or give --pyodide FOLDER with the files of the npm package pyodide {VERSION}"
_TIMEOUT: Final = 300
"""Seconds for npm."""


def pyodide(folder: Path | None = None) -> Mapping[str, bytes]:
    """Return the files by name.

    Parameters
    ----------
    folder
        Where they lie, such as an unpacked npm package; None: in the cache, and if they are not there, npm fetches them
        from its configured registry.

    Raises
    ------
    BadInput
        A file is missing or another one than this version's, there is no npm, or npm cannot fetch them.
    """
    if folder is not None:
        return _read(folder, "--pyodide ")
    cache = _cache() / f"pyodide-{VERSION}"
    try:
        return _read(cache, "")
    except BadInput:
        files = _fetched()
    cache.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        write_atomically(cache / name, content)
    return files


def _cache() -> Path:
    """Return the folder for what can be fetched again (the XDG base directories)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "memslot-workbook"


def _read(folder: Path, option: str) -> Mapping[str, bytes]:
    files = {}
    for name, digest in HASHES.items():
        try:
            files[name] = (folder / name).read_bytes()
        except OSError as error:
            raise BadInput(
                f"{option}{folder}: {name} cannot be read ({error.strerror}): give a folder with it"
            ) from None
        if hashlib.sha256(files[name]).hexdigest() != digest:
            raise BadInput(f"{option}{folder}: {name} is not that of pyodide {VERSION}: give that version's files")
    return files


def _fetched() -> Mapping[str, bytes]:
    npm = shutil.which("npm")
    if npm is None:
        raise BadInput(f"a live page needs Pyodide, and there is no npm to fetch it: install npm, {_OTHERWISE}")
    with tempfile.TemporaryDirectory() as place:
        command = [npm, "pack", "--silent", f"pyodide@{VERSION}"]
        try:
            done = subprocess.run(  # noqa: S603 - npm, with arguments of our own
                command, cwd=place, capture_output=True, text=True, timeout=_TIMEOUT, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _failed(str(error)) from None
        if done.returncode:
            why = (done.stderr.strip().splitlines() or ["no reason given"])[0]
            raise _failed(why)
        archive = next(Path(place).glob("*.tgz"))
        with tarfile.open(archive) as packed:
            packed.extractall(place, filter="data")
        return _read(Path(place) / "package", "npm's ")


def _failed(why: str) -> BadInput:
    return BadInput(f"npm cannot fetch pyodide {VERSION} ({why}): see to npm's registry, {_OTHERWISE}")

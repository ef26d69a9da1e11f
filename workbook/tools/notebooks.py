"""Run the notebooks and keep what reads well unexecuted: text outputs and execution counts.

``python -m workbook.notebooks`` runs all of them in place; with paths, those. Pictures, widget views and BokehJS
are not kept: they make megabytes, and a front-end without the kernel shows errors in their place.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from workbook.data import NOTEBOOKS
from workbook.lib.errors import BadInput

from .atomic_write import write_atomically

__all__ = ("run", "strip")

KEPT: Final = ("text/plain", "text/markdown", "text/html")
FORMAT: Final = 4
TIMEOUT: Final = 120
"""Seconds for one cell."""


def strip(notebook: Any) -> None:
    """Drop every output but text, in place; an HTML table is kept only beside its text."""
    for cell in notebook.cells:
        cell.metadata = {key: value for key, value in cell.metadata.items() if key == "tags"}
        if cell.cell_type != "code":
            continue
        kept = []
        for output in cell.outputs:
            if "data" in output:
                widget = any(mime.startswith("application/") for mime in output.data)
                output.data = {
                    mime: text
                    for mime, text in output.data.items()
                    if mime in KEPT and not (widget and mime == "text/html")
                }
                output.metadata = {}
                if not output.data:
                    continue
            kept.append(output)
        cell.outputs = kept
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }


def run(path: Path) -> None:
    """Execute a notebook in place and strip it.

    Raises
    ------
    BadInput
        The file is no notebook.
    CellExecutionError
        A cell failed; the file is left as it was.
    """
    notebook = _read(path)
    NotebookClient(
        notebook, timeout=TIMEOUT, kernel_name="python3", resources={"metadata": {"path": path.parent}}
    ).execute()
    strip(notebook)
    nbformat.validate(notebook)
    write_atomically(path, nbformat.writes(notebook) + "\n")


def _read(path: Path) -> Any:
    text = path.read_text(encoding="utf-8")
    try:
        content = json.loads(text)
    except ValueError as error:
        raise BadInput(f"not JSON ({error}): give a notebook") from None
    if not isinstance(content, dict) or content.get("nbformat") != FORMAT or not isinstance(content.get("cells"), list):
        raise BadInput(f"not a notebook of format {FORMAT}")
    return nbformat.reads(text, as_version=FORMAT)


def main(arguments: Sequence[str] | None = None, *, prog: str = "python -m workbook.notebooks") -> int:
    """Run the notebooks given, or all."""
    parser = argparse.ArgumentParser(prog=prog, description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="notebooks to run (default: all)")
    for path in parser.parse_args(arguments).notebooks or sorted(NOTEBOOKS.glob("*.ipynb")):
        try:
            run(path)
        except (OSError, BadInput, CellExecutionError, nbformat.ValidationError) as error:
            print(f"{path}: {error}", file=sys.stderr)
            return 1
        print(path.name)
    return 0

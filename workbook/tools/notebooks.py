"""Run the notebooks and keep what reads well unexecuted: text outputs, execution counts, a picture of every widget.

``python -m workbook.notebooks`` runs all of them in place; with paths, those. Widget views and BokehJS are not kept:
they make megabytes, and a front-end without the kernel shows errors in their place.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from workbook.data import NOTEBOOKS
from workbook.lib.errors import BadInput

from .atomic_write import write_atomically
from .notebook_pictures import MARK, WIDGET, Studio, mark, outdated, studio, take_over

__all__ = ("run", "strip")

KEPT: Final = ("text/plain", "text/markdown", "text/html")
FORMAT: Final = 4
TIMEOUT: Final = 120
"""Seconds for one cell."""


def strip(notebook: Any) -> None:
    """Drop every output but text and our own pictures, in place; an HTML table is kept only beside its text."""
    for cell in notebook.cells:
        cell.metadata = {key: value for key, value in cell.metadata.items() if key == "tags"}
        if cell.cell_type != "code":
            continue
        kept = []
        for output in cell.outputs:
            if "data" in output:
                widget = any(mime.startswith("application/") for mime in output.data)
                pictured = MARK in output.get("metadata", {})
                output.data = {
                    mime: text
                    for mime, text in output.data.items()
                    if (mime in KEPT and not (widget and mime == "text/html")) or (pictured and mime == "image/png")
                }
                output.metadata = {MARK: output.metadata[MARK]} if pictured else {}
                if not output.data:
                    continue
            kept.append(output)
        cell.outputs = kept
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }


def run(path: Path, pictures: Studio | None = None) -> None:
    """Execute a notebook in place, strip it, and put a picture beside the text of every widget.

    Parameters
    ----------
    pictures
        Makes them; None keeps the pictures that are still of the same source and text.

    Raises
    ------
    BadInput
        The file is no notebook, or a widget is not drawn.
    CellExecutionError
        A cell failed; the file is left as it was.
    """
    before, notebook = _read(path), _read(path)
    NotebookClient(
        notebook,
        timeout=TIMEOUT,
        kernel_name="python3",
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": path.parent}},
    ).execute()
    widgets = {
        index: [position for position, one in enumerate(shown) if WIDGET in one.get("data", {})]
        for index, cell in enumerate(notebook.cells)
        if cell.cell_type == "code" and (shown := _text_outputs(cell))
    }
    widgets = {index: positions for index, positions in widgets.items() if positions}
    strip(notebook)
    if pictures is None:
        take_over(before, notebook)
    elif widgets:
        made = pictures.pictures(path, list(widgets))
        for index, positions in widgets.items():
            if len(made[index]) != len(positions):
                raise BadInput(f"cell {index + 1} has {len(positions)} widgets and {len(made[index])} pictures")
            cell = notebook.cells[index]
            for position, picture in zip(positions, made[index], strict=True):
                mark(cell, cell.outputs[position], picture)
    nbformat.validate(notebook)
    write_atomically(path, nbformat.writes(notebook) + "\n")


def _text_outputs(cell: Any) -> list[Any]:
    """Return the outputs of which `strip` leaves something, in order."""
    return [one for one in cell.outputs if "data" not in one or any(mime in KEPT for mime in one.data)]


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
    """Run the notebooks given, or all; or check their pictures."""
    parser = argparse.ArgumentParser(prog=prog, description=(__doc__ or "").splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="notebooks to run (default: all)")
    parser.add_argument("--no-pictures", action="store_true", help="make none, and keep those that are up to date")
    parser.add_argument("--check", action="store_true", help="run nothing: are the pictures of what is there?")
    options = parser.parse_args(arguments)
    paths = options.notebooks or sorted(NOTEBOOKS.glob("*.ipynb"))
    if options.check:
        return _check(paths)
    for path in paths:  # before JupyterLab and Chromium are started for any
        try:
            _read(path)
        except (OSError, BadInput, nbformat.ValidationError) as error:
            print(f"{path}: {error}", file=sys.stderr)
            return 1
    try:
        with nullcontext() if options.no_pictures else studio() as pictures:
            for path in paths:
                try:
                    run(path, pictures)
                except (OSError, BadInput, CellExecutionError) as error:
                    print(f"{path}: {error}", file=sys.stderr)
                    return 1
                print(f"{path.name}: {path.stat().st_size / 1000:,.0f} kB", flush=True)
    except BadInput as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return 1
    return 0


def _check(paths: Sequence[Path]) -> int:
    """Print a line for each notebook with pictures of something else than it has."""
    found = 0
    for path in paths:
        try:
            cells = outdated(_read(path))
        except (OSError, BadInput) as error:
            print(f"{path}: {error}", file=sys.stderr)
            return 1
        if cells:
            found += 1
            print(f"{path.name}: outdated pictures in cell {', '.join(map(str, cells))}: run it again")
    print(f"{len(paths)} notebooks, {found} with outdated pictures")
    return int(found > 0)

"""The page or the slides of a notebook: executed again, with pictures and sliders that need no kernel.

The deck is a page of its own making (sections side by side that snap, keys, a page number) and not reveal.js: that
would be 150 KB more for transitions that are not needed, and its scaling disturbs Bokeh's pointer.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import mistune
import nbformat
from jupyter_client.kernelspec import NoSuchKernel
from markupsafe import Markup
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from workbook.lib.errors import BadInput

from .capture import MIME, SETUP
from .page import Component, page, versions
from .progress import Progress, silent

__all__ = ("notebook_page", "slides")

_nbformat: Any = nbformat  # half typed

TIMEOUT: Final = 300
"""Seconds for one cell."""
_TITLE: Final = re.compile(r"\A\s*# +(.+?)\s*(?:\n|\Z)")
_NEW_SLIDE: Final = re.compile(r"\A\s*##? ")
_LINK: Final = re.compile(r'<a href="(?!https?:|mailto:|#)[^"]*"[^>]*>(.*?)</a>', re.DOTALL)
_IMAGE: Final = re.compile(r'<img (?![^>]*src="data:)[^>]*?(?:alt="([^"]*)")?[^>]*/?>')
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class _Output:
    """An output of a cell as the page shows it.

    Attributes
    ----------
    html
        Markup of its own, of a table or a panel.
    words
        Text: all there is to see, or the picture in words.
    names
        Elements of the pictures.
    """

    kind: Literal["text", "table", "image", "markdown", "panel", "picture"]
    words: str = ""
    html: Markup = field(default_factory=Markup)
    source: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Cell:
    """A cell as the page shows it."""

    kind: str
    source: str
    prose: Markup = field(default_factory=Markup)
    outputs: tuple[_Output, ...] = ()


@dataclass
class _Parts:
    """What stands in the page beside the markup of its cells."""

    panels: dict[str, Any] = field(default_factory=dict)
    pictures: dict[str, Any] = field(default_factory=dict)
    components: set[str] = field(default_factory=set)
    positions: int = 0


def notebook_page(path: Path, *, command: str = "", title: str = "", progress: Progress = silent) -> tuple[str, int]:
    """Run a notebook and return its page, and how many positions were decided for it.

    Raises
    ------
    BadInput
        It cannot be read, or a cell fails.
    """
    cells = _run(path, progress)
    found, cells = _titled(cells, title or path.stem)
    parts = _Parts()
    shown = [_cell(one, parts) for one in cells]
    return _finished(path, title or found, command, parts, cells=shown), parts.positions


def slides(path: Path, *, command: str = "", title: str = "", progress: Progress = silent) -> tuple[str, int]:
    """Run a notebook and return its slides: a new one at every heading of the first two levels, or tag ``slide``.

    Cells with the tag ``skip`` are left out.

    Raises
    ------
    BadInput
        It cannot be read, or a cell fails.
    """
    cells = _run(path, progress)
    found, _ = _titled(cells, title or path.stem)
    parts = _Parts()
    groups: list[list[_Cell]] = []
    for cell in cells:
        tags = cell.metadata.get("tags", ())
        if "skip" in tags:
            continue
        is_heading = cell.cell_type == "markdown" and _NEW_SLIDE.match(cell.source)
        if not groups or "slide" in tags or is_heading:
            groups.append([])
        groups[-1].append(_cell(cell, parts))
    return _finished(path, title or found, command, parts, slides=groups), parts.positions


def _finished(
    path: Path,
    title: str,
    command: str,
    parts: _Parts,
    *,
    cells: Sequence[_Cell] = (),
    slides: Sequence[Sequence[_Cell]] = (),
) -> str:
    order: tuple[Component, ...] = ("bokeh", "bokeh-widgets", "bokeh-tables")
    # tables are built on widgets
    needed = parts.components | ({"bokeh-widgets"} if "bokeh-tables" in parts.components else set())
    facts = [("Notebook", f"{path.name}, run from top to bottom for this file.")]
    if parts.positions:
        decided = f"All {parts.positions:,} positions were decided beforehand by the workbook's model, in Python"
        facts.append(("Sliders", f"{decided}; the page picks one and draws it."))
    return page(
        "notebook.html.j2",
        title=title,
        command=command,
        cells=cells,
        slides=slides,
        facts=[*facts, versions()],
        data=parts.panels,
        pictures=parts.pictures,
        components=[one for one in order if one in needed],
        styles=("page.css", "deck.css") if slides else ("page.css",),
        scripts=("theme.js", "panel.js", "deck.js") if slides else ("theme.js", "panel.js"),
    )


# -- running ----------------------------------------------------------------------------------------------------------


def _run(path: Path, progress: Progress) -> list[Any]:
    """Run a copy of a notebook; return its cells with their outputs."""
    try:
        notebook = _nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except OSError as error:
        raise BadInput(f"--notebook {path}: cannot be read ({error.strerror}): give an .ipynb file") from None
    except (nbformat.reader.NotJSONError, nbformat.ValidationError, UnicodeDecodeError, KeyError, AttributeError):
        raise BadInput(f"--notebook {path}: is not a notebook: give an .ipynb file") from None
    notebook.cells.insert(0, _nbformat.v4.new_code_cell(SETUP))
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT,
        kernel_name="python3",
        store_widget_state=False,
        # a kernel of our own on this machine: its word about TCP without encryption frightens for nothing
        extra_arguments=["--log-level=ERROR"],
        on_cell_executed=lambda cell, cell_index, execute_reply: progress(cell_index + 1, len(notebook.cells), "cells"),  # noqa: ARG005 - nbclient gives them by name
        resources={"metadata": {"path": str(path.resolve().parent)}},
    )
    try:
        client.execute()
    except CellExecutionError as error:
        number = sum(1 for cell in notebook.cells[1:] if cell.get("execution_count"))
        raise BadInput(
            f"--notebook {path}: cell [{number}] fails ({error.ename}: {_first_line(error.evalue)}): correct it first"
        ) from None
    except CellTimeoutError:
        raise BadInput(f"--notebook {path}: a cell takes longer than {TIMEOUT} s: make it shorter") from None
    except (NoSuchKernel, DeadKernelError, RuntimeError) as error:
        raise BadInput(f"--notebook {path}: no Python kernel runs here ({_first_line(str(error))})") from None
    return list(notebook.cells[1:])


def _first_line(text: str) -> str:
    return _COLOURS.sub("", text).strip().partition("\n")[0][:200]


def _titled(cells: list[Any], otherwise: str) -> tuple[str, list[Any]]:
    """Return the notebook's title and its cells without it."""
    if cells and cells[0].cell_type == "markdown" and (match := _TITLE.match(cells[0].source)):
        first = _nbformat.v4.new_markdown_cell(cells[0].source[match.end() :])
        return match[1], [first, *cells[1:]]
    return otherwise, cells


# -- cells ------------------------------------------------------------------------------------------------------------


def _cell(cell: Any, parts: _Parts) -> _Cell:
    if cell.cell_type == "markdown":
        return _Cell("markdown", cell.source, prose=markdown(cell.source))
    if cell.cell_type != "code":
        return _Cell("raw", cell.source)
    return _Cell("code", cell.source, outputs=tuple(one for output in cell.outputs for one in _output(output, parts)))


def markdown(source: str) -> Markup:
    """Return Markdown as HTML; links into the repository and remote pictures become plain text."""
    text = str(mistune.create_markdown(escape=False, plugins=["table", "strikethrough"])(source))
    plain = _IMAGE.sub(lambda match: match[1] or "", _LINK.sub(r"\1", text))
    return Markup(plain)  # noqa: S704 - a notebook may hold HTML, and its author made it


def _output(output: Any, parts: _Parts) -> Iterator[_Output]:
    if output.output_type == "stream":
        yield _text(output.text)
        return
    data = output.get("data", {})
    if MIME in data:
        yield from _handed_over(data[MIME], data["text/plain"], parts)
    elif "text/html" in data:
        yield _Output("table", html=Markup(data["text/html"]))  # noqa: S704 - what the notebook shows
    elif "image/png" in data:
        picture = f"data:image/png;base64,{data['image/png']}"
        yield _Output("image", words=data.get("text/plain", "picture"), source=picture)
    elif "text/markdown" in data:
        yield _Output("markdown", html=markdown(data["text/markdown"]))
    elif "text/plain" in data:
        yield _text(data["text/plain"])


def _handed_over(content: Any, words: str, parts: _Parts) -> Iterator[_Output]:
    parts.components.update(content["components"])
    for one in content["panels"]:
        parts.panels[one["name"]] = one["data"]
        parts.positions += one["positions"]
        yield _Output("panel", html=Markup(one["html"]))  # noqa: S704 - of `workbook.report.panel`
    for one in content["pictures"]:
        parts.pictures[one["name"]] = {"document": one["document"], "roots": {"only": one["root"]}}
    if content["pictures"]:
        yield _Output("picture", words=words, names=tuple(one["name"] for one in content["pictures"]))
    elif not content["panels"]:
        yield _text(words)


def _text(text: str) -> _Output:
    return _Output("text", words=_COLOURS.sub("", text).rstrip())

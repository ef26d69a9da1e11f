"""The page or the slides of a notebook: executed again, with pictures and sliders that need no kernel.

The deck is a page of its own making (sections side by side that snap, keys, a page number) and not reveal.js: that
would be 150 KB more for transitions that are not needed, and its scaling disturbs Bokeh's pointer.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import mistune
import nbformat
from jupyter_client.kernelspec import NoSuchKernel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from workbook.lib.errors import BadInput

from .capture import MIME, SETUP
from .page import Component, how, page, top

__all__ = ("notebook_page", "slides")

_nbformat: Any = nbformat  # half typed

TIMEOUT: Final = 300
"""Seconds for one cell."""
_TITLE: Final = re.compile(r"\A\s*# +(.+?)\s*(?:\n|\Z)")
_NEW_SLIDE: Final = re.compile(r"\A\s*##? ")
_LINK: Final = re.compile(r'<a href="(?!https?:|mailto:|#)[^"]*"[^>]*>(.*?)</a>', re.DOTALL)
_IMAGE: Final = re.compile(r'<img (?![^>]*src="data:)[^>]*?(?:alt="([^"]*)")?[^>]*/?>')
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class _Parts:
    """Markup around the cells of a notebook."""

    panels: dict[str, Any] = field(default_factory=dict)
    pictures: dict[str, Any] = field(default_factory=dict)
    components: set[str] = field(default_factory=set)
    positions: int = 0


def notebook_page(path: Path, *, command: str = "", title: str = "") -> tuple[str, int]:
    """Run a notebook and return its page, and how many positions were decided for it.

    Raises
    ------
    BadInput
        It cannot be read, or a cell fails.
    """
    cells = _run(path)
    found, cells = _titled(cells, title or path.stem)
    parts = _Parts()
    inside = "".join(_cell(cell, parts) for cell in cells)
    body = (
        top(title or found, "A notebook of the memslot workbook, executed again for this page.")
        + f"<main>{inside}{how(command, _facts(path, parts))}</main>"
    )
    return _finished(title or found, body, parts, slides_too=False), parts.positions


def slides(path: Path, *, command: str = "", title: str = "") -> tuple[str, int]:
    """Run a notebook and return its slides: a new one at every heading of the first two levels, or tag ``slide``.

    Cells with the tag ``skip`` are left out.

    Raises
    ------
    BadInput
        It cannot be read, or a cell fails.
    """
    cells = _run(path)
    found, _ = _titled(cells, title or path.stem)
    parts = _Parts()
    groups: list[str] = []
    for cell in cells:
        tags = cell.metadata.get("tags", ())
        if "skip" in tags:
            continue
        is_heading = cell.cell_type == "markdown" and _NEW_SLIDE.match(cell.source)
        if not groups or "slide" in tags or is_heading:
            groups.append("")
        groups[-1] += _cell(cell, parts)
    groups.append(how(command, _facts(path, parts)))
    sections = "".join(
        f"<section class='slide' id='slide-{number}' tabindex='-1' aria-label='Slide {number} of {len(groups)}'>"
        f"<div>{one}</div></section>"
        for number, one in enumerate(groups, 1)
    )
    body = (
        f"<main class='deck'>{sections}</main><nav class='deck-bar' aria-label='Slides'>"
        "<button type='button' data-theme-button aria-pressed='false' hidden>Dark</button>"
        "<button type='button' data-turn='-1' aria-label='Previous slide'>&larr;</button>"
        "<span data-page role='status'></span>"
        "<button type='button' data-turn='1' aria-label='Next slide'>&rarr;</button></nav>"
    )
    return _finished(title or found, body, parts, slides_too=True), parts.positions


def _finished(title: str, body: str, parts: _Parts, *, slides_too: bool) -> str:
    order: tuple[Component, ...] = ("bokeh", "bokeh-widgets", "bokeh-tables")
    # tables are built on widgets
    needed = parts.components | ({"bokeh-widgets"} if "bokeh-tables" in parts.components else set())
    return page(
        title,
        body,
        data=parts.panels,
        pictures=parts.pictures,
        components=[one for one in order if one in needed],
        styles=("page.css", "deck.css") if slides_too else ("page.css",),
        scripts=("panel.js", "deck.js") if slides_too else ("panel.js",),
    )


def _facts(path: Path, parts: _Parts) -> list[tuple[str, str]]:
    facts = [("Notebook", f"{path.name}, run from top to bottom for this file.")]
    if parts.positions:
        decided = f"All {parts.positions:,} positions were decided beforehand by the workbook's model, in Python"
        facts.append(("Sliders", f"{decided}; the page picks one and draws it."))
    return facts


# -- running ----------------------------------------------------------------------------------------------------------


def _run(path: Path) -> list[Any]:
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


def _cell(cell: Any, parts: _Parts) -> str:
    if cell.cell_type == "markdown":
        return f"<div class='cell prose'>{markdown(cell.source)}</div>"
    if cell.cell_type != "code":
        return f"<pre class='cell'>{html.escape(cell.source)}</pre>"
    outputs = "".join(text for output in cell.outputs for text in _output(output, parts))
    code = (
        f"<details class='code'><summary>Code</summary><pre tabindex='0'><code>{html.escape(cell.source)}</code></pre>"
        "</details>"
    )
    return f"<div class='cell'>{code if cell.source.strip() else ''}{outputs}</div>"


def markdown(source: str) -> str:
    """Return Markdown as HTML; links into the repository and remote pictures become plain text."""
    text = str(mistune.create_markdown(escape=False, plugins=["table", "strikethrough"])(source))
    return _IMAGE.sub(lambda match: match[1] or "", _LINK.sub(r"\1", text))


def _output(output: Any, parts: _Parts) -> Iterator[str]:
    if output.output_type == "stream":
        yield _pre(output.text)
        return
    data = output.get("data", {})
    if MIME in data:
        yield from _handed_over(data[MIME], data["text/plain"], parts)
    elif "text/html" in data:
        yield f"<div class='scroll' tabindex='0' role='group' aria-label='Table'>{data['text/html']}</div>"
    elif "image/png" in data:
        words = html.escape(data.get("text/plain", "picture"))
        yield f"<img alt='{words}' src='data:image/png;base64,{data['image/png']}'>"
    elif "text/markdown" in data:
        yield f"<div class='prose'>{markdown(data['text/markdown'])}</div>"
    elif "text/plain" in data:
        yield _pre(data["text/plain"])


def _handed_over(content: Any, words: str, parts: _Parts) -> Iterator[str]:
    parts.components.update(content["components"])
    for one in content["panels"]:
        parts.panels[one["name"]] = one["data"]
        parts.positions += one["positions"]
        yield one["html"]
    for one in content["pictures"]:
        parts.pictures[one["name"]] = {"document": one["document"], "roots": {"only": one["root"]}}
        yield f"<figure id='{one['name']}' class='picture'><div class='chart' data-chart='only'></div></figure>"
    if content["pictures"]:
        yield f"<details class='in-words'><summary>The picture in words</summary><p>{html.escape(words)}</p></details>"
    elif not content["panels"]:
        yield _pre(words)


def _pre(text: str) -> str:
    return f"<pre tabindex='0'>{html.escape(_COLOURS.sub('', text).rstrip())}</pre>"

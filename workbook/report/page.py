"""The HTML file around everything: one document, all of it inside, nothing loaded."""

import html
import json
from collections.abc import Mapping, Sequence
from importlib import metadata, resources
from platform import python_version
from typing import Any, Final, Literal

import bokeh
import numpy as np
from bokeh.resources import Resources

__all__ = ("POLICY", "Component", "embedded", "how", "page")

Component = Literal["bokeh", "bokeh-widgets", "bokeh-tables"]
POLICY: Final = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:"
)
"""Content security policy of a page: run and draw what is inside, and load nothing.

Bokeh compiles the few lines with which charts place their labels: hence ``unsafe-eval``.
"""
_NO_SCRIPT: Final = (
    "<noscript><p class='nojs'>Scripts are off: texts and tables show the VM as it was given; pictures and sliders "
    "need scripts, which are all in this file.</p></noscript>"
)


def embedded(data: Any) -> str:
    """Return JSON that can stand inside a script element."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")


def page(
    title: str,
    body: str,
    *,
    data: Mapping[str, Any] | None = None,
    pictures: Mapping[str, Any] | None = None,
    components: Sequence[Component] = ("bokeh",),
    styles: Sequence[str] = ("page.css",),
    scripts: Sequence[str] = ("panel.js",),
) -> str:
    """Return a whole page.

    Parameters
    ----------
    body
        HTML of its inside.
    data, pictures
        Of panels and of pictures without sliders, by the id of their element.
    components
        Of BokehJS, that the pictures need.
    styles, scripts
        Files beside this module.
    """
    blocks = [
        *(
            _json(kind, name, one)
            for kind, all_ in (("panel", data), ("pictures", pictures))
            for name, one in (all_ or {}).items()
        )
    ]
    bokehjs = Resources("inline", components=list(components), log_level="warn").js_raw if data or pictures else []
    code = "".join(f"<script>{one}</script>\n" for one in (*bokehjs, *map(_part, scripts)))
    style = "".join(map(_part, styles))
    return (
        "<!DOCTYPE html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<link rel="icon" href="data:,">\n'
        f"<title>{html.escape(title)}</title>\n<style>\n{style}</style>\n</head>\n"
        f"<body>\n{body}\n{''.join(blocks)}{code}</body>\n</html>\n"
    )


def _json(kind: str, name: str, data: Any) -> str:
    return f'<script type="application/json" data-{kind}="{name}">{embedded(data)}</script>\n'


def _part(name: str) -> str:
    return (resources.files(__package__) / "page_parts" / name).read_text(encoding="utf-8")


def top(title: str, lead: str, source: str = "") -> str:
    """Return the head of a page: title, what it is about, and the button for the theme."""
    origin = f"<p class='source'>{html.escape(source)}</p>" if source else ""
    return (
        f"<header class='top'><div><h1>{html.escape(title)}</h1><p class='lead'>{html.escape(lead)}</p>{origin}</div>"
        f"<button type='button' data-theme-button aria-pressed='false' hidden>Dark</button></header>{_NO_SCRIPT}"
    )


def how(command: str, facts: Sequence[tuple[str, str]]) -> str:
    """Return how a page was computed: facts of its own, the versions, and the command that makes it again."""
    own = f"memslot-workbook {_own_version()}"
    versions = f"{own}, Python {python_version()}, numpy {np.__version__}, Bokeh {bokeh.__version__}"
    rows = (*facts, ("Versions", versions))
    items = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(text)}</dd>" for name, text in rows)
    return (
        f"<h2>How this was computed</h2><dl class='how'>{items}"
        f"<dt>Command</dt><dd><code>{html.escape(command)}</code></dd></dl>"
    )


def _own_version() -> str:
    try:
        return metadata.version("memslot-workbook")
    except metadata.PackageNotFoundError:
        return "(not installed)"

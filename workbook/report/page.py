"""The HTML file around everything: one document, all of it inside, nothing loaded."""

from collections.abc import Mapping, Sequence
from platform import python_version
from typing import Final, Literal

import bokeh
import numpy as np
from bokeh.resources import Resources
from markupsafe import Markup

from workbook import __version__
from workbook.page.templates import render

from .page_theme import COLOURS

__all__ = ("POLICY", "Component", "page", "versions")

Component = Literal["bokeh", "bokeh-widgets", "bokeh-tables"]
POLICY: Final = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:"
)
"""Content security policy of a page: run and draw what is inside, and load nothing.

Bokeh compiles the few lines with which charts place their labels: hence ``unsafe-eval``.
"""


def page(
    template: str,
    *,
    data: Mapping[str, object] | None = None,
    pictures: Mapping[str, object] | None = None,
    components: Sequence[Component] = ("bokeh",),
    styles: Sequence[str] = ("page.css",),
    scripts: Sequence[str] = ("theme.js", "panel.js"),
    **values: object,
) -> str:
    """Return a whole page.

    Parameters
    ----------
    template
        One that extends ``document.html.j2``.
    data, pictures
        Of panels and of pictures without sliders, by the id of their element.
    components
        Of BokehJS, that the pictures need.
    styles, scripts
        Files of `workbook.page`.
    values
        For the template; ``title`` is one that every document has.
    """
    blocks = [("panel", name, one) for name, one in (data or {}).items()]
    blocks += [("pictures", name, one) for name, one in (pictures or {}).items()]
    bokehjs = Resources("inline", components=list(components), log_level="warn").js_raw if blocks else []
    text = render(
        template,
        policy=POLICY,
        styles=styles,
        scripts=scripts,
        libraries=[Markup(one) for one in bokehjs],  # noqa: S704 - BokehJS
        data=[*blocks, ("colours", "themes", COLOURS)],
        **values,
    )
    return str(text)


def versions() -> tuple[str, str]:
    """Return a fact for `how this was computed`: the versions of what a page is made with."""
    own = f"memslot-workbook {__version__}"
    return "Versions", f"{own}, Python {python_version()}, numpy {np.__version__}, Bokeh {bokeh.__version__}"

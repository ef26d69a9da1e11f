"""Runs inside the kernel of a notebook that becomes a report: widgets are handed over as panels and pictures.

A widget lives only as long as its kernel. So an explorer becomes a panel, whose sliders need no kernel, and every other
widget the Bokeh figures in it. ``install`` tells IPython so; the notebook itself is not touched.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import count
from typing import Any, Final, Protocol, runtime_checkable

import ipywidgets as widgets
from bokeh.document import Document
from IPython.core.getipython import get_ipython
from jupyter_bokeh import BokehModel

from workbook.lib.explore.outcome import Outcome
from workbook.lib.rules import RuleSet
from workbook.lib.scenario import Scenario

from .bokeh_recorder import document_json
from .panel import panel
from .walkthrough import story_of_scenario

__all__ = ("MIME", "SETUP", "install")

MIME: Final = "application/vnd.memslot-workbook.report+json"
"""``{"panels": [...], "pictures": [...], "components": [...]}``: see `workbook.report.notebook_page`."""
SETUP: Final = "from workbook.report.capture import install; install()"
"""The cell that runs before all others."""
_COMPONENTS: Final = {
    "bokeh.models.widgets.tables": "bokeh-tables",
    "bokeh.models.widgets": "bokeh-widgets",
}
_names: Final = (f"shown-{number}" for number in count(1))


def install() -> None:
    """Make every widget of this kernel hand over what a page needs, from now on."""
    shell: Any = get_ipython()
    shell.display_formatter.mimebundle_formatter.for_type(widgets.Widget, _handed_over)


@runtime_checkable
class _Compared(Protocol):
    """An explorer: what it shows, and under which rules."""

    @property
    def compared(self) -> Sequence[tuple[Scenario, RuleSet]]:
        """One scenario, or two that are compared."""


@runtime_checkable
class _Decided(Protocol):
    """A widget with one outcome, such as that of a pasted command line."""

    outcome: Outcome


def _handed_over(widget: widgets.Widget) -> dict[str, object]:
    """Return a widget as a mime bundle: panels of what was decided, else the pictures in it."""
    match widget:
        case _Compared():
            panels = [_panel(scenario, rules) for scenario, rules in widget.compared]
        case _Decided():
            panels = [_panel(widget.outcome.scenario)] if widget.outcome.steps else []
        case _:
            return _bundle(widget, _pictures(widget))
    return _bundle(widget, {"panels": panels})


def _bundle(widget: widgets.Widget, content: Mapping[str, object]) -> dict[str, object]:
    return {MIME: {"panels": [], "pictures": [], "components": ["bokeh"], **content}, "text/plain": repr(widget)}


def _panel(scenario: Scenario, rules: RuleSet | None = None) -> dict[str, object]:
    story = story_of_scenario(scenario, rules)
    return asdict(panel(scenario, story, rules=rules, detail="brief", name=next(_names), level=3))


def _pictures(widget: widgets.Widget) -> dict[str, object]:
    pictures, components = [], {"bokeh"}
    for figure in _figures(widget):
        root = figure._model  # noqa: SLF001 - jupyter_bokeh has no public name for it
        document = root.document or Document()
        if root.document is None:
            document.add_root(root)
        name = next(_names)
        data, names = document_json(document, f"{name}-")
        pictures.append({"name": name, "document": data, "root": names[root.id]})
        components.update(_components(document))
    return {"pictures": pictures, "components": sorted(components)}


def _figures(widget: widgets.Widget) -> Iterator[BokehModel]:
    if isinstance(widget, BokehModel):
        yield widget
    for one in getattr(widget, "children", ()):
        yield from _figures(one)


def _components(document: Document) -> Iterator[str]:
    for model in document.models:
        for module, component in _COMPONENTS.items():
            if type(model).__module__.startswith(module):
                yield component

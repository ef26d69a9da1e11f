"""Runs inside the kernel of a notebook that becomes a report: widgets are handed over as panels and pictures.

A widget lives only as long as its kernel. So an explorer becomes a panel, whose sliders need no kernel, and every other
widget the Bokeh figures in it. ``install`` tells IPython so; the notebook itself is not touched.
"""

from collections.abc import Iterator
from dataclasses import asdict
from itertools import count
from typing import Any, Final

import ipywidgets as widgets
from bokeh.document import Document
from IPython.core.getipython import get_ipython
from jupyter_bokeh import BokehModel

from workbook.explorer import CommandLine, Explorer

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
    formatter = shell.display_formatter.mimebundle_formatter
    formatter.for_type(widgets.Widget, _of_widget)
    formatter.for_type(Explorer, _of_explorer)
    formatter.for_type(CommandLine, _of_command_line)


def _bundle(widget: Any, content: dict[str, Any]) -> dict[str, Any]:
    return {MIME: {"panels": [], "pictures": [], "components": ["bokeh"], **content}, "text/plain": repr(widget)}


def _of_explorer(explorer: Explorer) -> dict[str, Any]:
    panels = []
    for scenario, rules in explorer.compared:
        name = next(_names)
        made = panel(scenario, story_of_scenario(scenario, rules), rules=rules, detail="brief", name=name, level=3)
        panels.append({"name": name, **asdict(made)})
    return _bundle(explorer, {"panels": panels})


def _of_command_line(command: CommandLine) -> dict[str, Any]:
    outcome = command.outcome
    if not outcome.steps:
        return _bundle(command, {})
    name = next(_names)
    made = panel(outcome.scenario, story_of_scenario(outcome.scenario), detail="brief", name=name, level=3)
    return _bundle(command, {"panels": [{"name": name, **asdict(made)}]})


def _of_widget(widget: widgets.Widget) -> dict[str, Any]:
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
    return _bundle(widget, {"pictures": pictures, "components": sorted(components)})


def _figures(widget: Any) -> Iterator[BokehModel]:
    if isinstance(widget, BokehModel):
        yield widget
    for one in getattr(widget, "children", ()):
        yield from _figures(one)


def _components(document: Document) -> Iterator[str]:
    for model in document.models:
        for module, component in _COMPONENTS.items():
            if type(model).__module__.startswith(module):
                yield component

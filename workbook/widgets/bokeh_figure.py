"""A Bokeh figure as a widget that shows the newest data wherever and whenever it is displayed.

`jupyter_bokeh` sends changes to the views that exist and builds a new view from what the figure held when its
widget was made. A figure that changed before it was first shown, or before the page was loaded again, would show
old data; so the snapshot is taken again for every display.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from typing import Any

import ipywidgets as widgets
from bokeh.core.json_encoder import serialize_json
from bokeh.core.serialization import Serializer
from bokeh.document import Document
from bokeh.document.events import DocumentPatchedEvent
from bokeh.models import ColorMapper, ColumnDataSource, LayoutDOM
from bokeh.protocol.messages.patch_doc import patch_doc
from bokeh.resources import Resources
from IPython.core.getipython import get_ipython
from IPython.display import publish_display_data
from jupyter_bokeh import BokehModel

__all__ = ("Displayed", "Figure", "load_bokehjs")


@cache
def _script() -> str:
    """Return what loads BokehJS from the installed package, without a network, where the page has none."""
    bundles = Resources("inline", components=["bokeh", "bokeh-widgets"]).js_raw
    calls = "\n".join(f"(function() {{{bundle}\n}}).call(window);" for bundle in bundles)
    names = (files(__package__) / "js" / "accessible_names.js").read_text(encoding="utf-8")
    return f"if (window.Bokeh === undefined) {{\n{calls}\n}}\n{names}"


def load_bokehjs() -> None:
    """Let the page load BokehJS, once per cell that shows a figure.

    A figure that is shown before BokehJS is there fails with "Could not create a view for model id". Every cell
    brings it, because a page that was reloaded has lost what an earlier cell had loaded, while the kernel goes
    on; a page that has it passes it over.
    """
    shell = get_ipython()
    if shell is None or shell.execution_count == _loaded.get("execution_count"):
        return
    _loaded["execution_count"] = shell.execution_count
    publish_display_data({"application/javascript": _script()})  # type: ignore[no-untyped-call]  # half typed


_loaded: dict[str, int] = {}


class Figure(BokehModel):
    """A `BokehModel` whose snapshot can be renewed, and which sends what changes together in one patch.

    Parameters
    ----------
    page
        Colour of its ground; empty for the page's own.
    """

    _held: list[DocumentPatchedEvent] | None = None
    _outdated = True
    """Whether the figure changed since its last snapshot."""

    def __init__(self, model: Any, *, page: str = "", **more: Any) -> None:
        if page:
            # its own ground: the page around it may be dark while the picture is meant for a light one, or the reverse
            model.styles = {**model.styles, "background-color": page}
        # jupyter_bokeh sends all data that it gets back to the kernel, and it is not used here
        for one in model.references():
            if isinstance(one, ColumnDataSource | ColorMapper):
                one.syncable = False
        super().__init__(model, **more)

    def update_from_model(self, model: LayoutDOM) -> None:
        """Show another figure; its snapshot is taken when somebody asks for it: at first for the widget's channel."""
        self._model = model
        document = model.document or Document()
        if model.document is None:
            document.add_root(model)
        document.on_change_dispatch_to(self)
        self._outdated = True

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep changes back until the end of the ``with``, and send them as one patch.

        One by one, each is three messages or more to the page, which paints in between.
        """
        self._held = []
        try:
            yield
        finally:
            events, self._held = self._held, None
            if events:
                self._send_patch(events)

    def _document_patched(self, event: DocumentPatchedEvent) -> None:
        self._outdated = True
        if event.setter is self:
            return
        if self._held is not None:
            self._held.append(event)
        else:
            self._send_patch([event])

    def _send_patch(self, events: list[DocumentPatchedEvent]) -> None:
        """Send a patch in three messages, arrays and all: every buffer of its own would be two more."""
        assert self._document is not None
        models = self._document.models
        serializer = Serializer(references=models.synced_references, deferred=False)
        content = {"events": serializer.encode(events)}
        models.flush_synced(lambda model: not serializer.has_ref(model))
        for part in (patch_doc.create_header(), {}, content):
            self.send({"msg": "patch", "payload": serialize_json(part)})

    def refresh(self) -> None:
        """Take a new snapshot for views to come, if the figure has changed since the last one."""
        if self._outdated:
            self.render_bundle = self._model_to_traits(self._model)
            self._outdated = False

    def get_state(self, key: object = None, drop_defaults: bool = False) -> dict[str, Any]:
        """Hand the whole state to a front-end: with a new snapshot where the figure has changed since the last one.

        A page that was loaded again asks for the state of every widget of the kernel, and a snapshot takes long.
        """
        if key is None and self._outdated:
            self._trait_values["render_bundle"] = self._model_to_traits(self._model)
            self._outdated = False
        state: dict[str, Any] = super().get_state(key, drop_defaults)
        return state


_made: dict[str, tuple[str, list["Displayed"]]] = {}
"""What each cell of the notebook has made in its last run, by the cell's id: the run, and the widgets."""


def _this_run() -> tuple[str, str] | None:
    """Return the ids of the cell that runs, and of this run of it; None where the front-end says none."""
    kernel = getattr(get_ipython(), "kernel", None)
    if kernel is None:
        return None
    parent = kernel.get_parent()
    cell = parent.get("metadata", {}).get("cellId")
    return None if cell is None else (str(cell), str(parent.get("header", {}).get("msg_id")))


def _close(widget: widgets.Widget) -> None:
    """Close a widget and all that it is made of, so that the page and the kernel forget it."""
    for one in getattr(widget, "children", ()):
        _close(one)
    for one in (getattr(widget, "layout", None), getattr(widget, "style", None)):
        if isinstance(one, widgets.Widget):
            one.close()
    widget.close()


class Displayed(widgets.VBox):
    """A widget that ends a cell: its figures show the newest data, its text is the whole `repr`.

    ipywidgets itself cuts the text at 110 characters, and nbval would compare no more than that. What a cell has made
    is closed when it runs again: stale widgets would answer for their state whenever a page is loaded.
    """

    def __init__(self, children: Iterable[widgets.Widget] = (), **more: Any) -> None:
        if run := _this_run():
            cell, number = run
            last, former = _made.get(cell, (number, []))
            if last != number:
                for one in former:
                    _close(one)
                former = []
            _made[cell] = (number, [*former, self])
        super().__init__(children, **more)

    def figures_within(self) -> Iterable[Figure]:
        """Return the figures to renew before they are shown."""
        return ()

    def _repr_mimebundle_(self, **options: Any) -> Any:
        load_bokehjs()
        for figure in self.figures_within():
            figure.refresh()
        bundle = super()._repr_mimebundle_(**options)
        bundle["text/plain"] = repr(self)
        return bundle

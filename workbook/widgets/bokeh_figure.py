"""A Bokeh figure as a widget that shows the newest data wherever and whenever it is displayed.

`jupyter_bokeh` sends changes to the views that exist and builds a new view from what the figure held when its
widget was made. A figure that changed before it was first shown, or before the page was loaded again, would show
old data; so the snapshot is taken anew for every display.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import ipywidgets as widgets
from bokeh.core.json_encoder import serialize_json
from bokeh.core.serialization import Serializer
from bokeh.models import ColorMapper, ColumnDataSource
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
    return f"if (window.Bokeh === undefined) {{\n{calls}\n}}"


def load_bokehjs() -> None:
    """Let the page load BokehJS, once per cell that shows a figure.

    A figure that is shown before BokehJS is there fails with "Could not create a view for model id". Every cell
    brings it, because a page that was loaded anew has lost what an earlier cell had loaded, while the kernel goes
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

    _held: list[Any] | None = None

    def __init__(self, model: Any, *, page: str = "", **more: Any) -> None:
        if page:
            # its own ground: the page around it may be dark while the picture is meant for a light one, or the reverse
            model.styles = {**model.styles, "background-color": page}
        # jupyter_bokeh sends all data that it gets back to the kernel, and nobody here asks what a page made of them
        for one in model.references():
            if isinstance(one, ColumnDataSource | ColorMapper):
                one.syncable = False
        super().__init__(model, **more)

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

    def _document_patched(self, event: Any) -> None:
        if event.setter is self:
            return
        if self._held is not None:
            self._held.append(event)
        else:
            self._send_patch([event])

    def _send_patch(self, events: list[Any]) -> None:
        """Send a patch in three messages, arrays and all: every buffer of its own would be two more."""
        assert self._document is not None
        models = self._document.models
        serializer = Serializer(references=models.synced_references, deferred=False)
        content = {"events": serializer.encode(events)}
        models.flush_synced(lambda model: not serializer.has_ref(model))
        for part in (patch_doc.create_header(), {}, content):
            self.send({"msg": "patch", "payload": serialize_json(part)})

    def refresh(self) -> None:
        """Take a new snapshot for views to come."""
        self.render_bundle = self._model_to_traits(self._model)

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        """Hand the whole state to a front-end: with a new snapshot, as a page that was loaded again needs."""
        if key is None:
            self._trait_values["render_bundle"] = self._model_to_traits(self._model)
        state: dict[str, Any] = super().get_state(key, drop_defaults)
        return state


class Displayed(widgets.VBox):
    """A widget that ends a cell: its figures show the newest data, its text is the whole `repr`.

    ipywidgets itself cuts the text at 110 characters, and nbval would compare no more than that.
    """

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

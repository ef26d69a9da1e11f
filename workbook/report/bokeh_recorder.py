"""The charts of a report in both themes, and what changes in them from position to position.

A chart is built and updated by its own code; here Bokeh's change events are listened to, so that nothing of a
chart's inside is known, and a page replays the changes.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol, get_args

from bokeh.core.json_encoder import serialize_json
from bokeh.document import Document
from bokeh.models import ColumnDataSource

from workbook.charts.theme import ThemeName

from .frame_store import FrameStore

if TYPE_CHECKING:
    from bokeh.model import Model

__all__ = ("THEMES", "Chart", "Charts", "PropertyRecorder", "Snapshot", "document_json")

THEMES: Final[tuple[ThemeName, ...]] = get_args(ThemeName)
LIGHT, DARK = THEMES


class Chart(Protocol):
    """What is shown: a chart of `workbook.charts`."""

    root: Any

    def describe(self) -> str:
        """Return the picture's numbers in words."""


Charts = Mapping[str, Any]
"""Charts by name, each a `Chart` with an ``update`` of its own."""
Property = tuple[str, str]
"""Name of a model in the page, and of one of its properties."""
Snapshot = dict[Property, int]
"""Numbers of the values (for the data of a source: of the group of columns) in the frame store."""


class PropertyRecorder:
    """The same charts twice, light and dark, and a record of what every update changed.

    Parameters
    ----------
    build
        Makes the charts in a theme.
    frames
        Takes the values.
    prefix
        Of the models' names in the page, which keeps several recorders apart.

    Attributes
    ----------
    charts
        The charts by theme and name.
    documents
        The charts as they were built, as Bokeh's JSON by theme; both name their models alike.
    roots
        Name of the model that is a chart's root, by the chart's name.
    """

    def __init__(self, build: Callable[[ThemeName], Charts], frames: FrameStore, prefix: str) -> None:
        self._frames = frames
        self.charts: dict[ThemeName, Charts] = {theme: build(theme) for theme in THEMES}
        self.documents: dict[ThemeName, Any] = {}
        self._models: dict[ThemeName, dict[str, Model]] = {}
        self._built: dict[ThemeName, dict[Property, Any]] = {}
        self._columns: dict[str, tuple[str, ...]] = {}
        self._changed: dict[Property, None] = {}
        self._now: Snapshot = {}
        for theme, drawn in self.charts.items():
            self._open(theme, drawn, prefix)
        if self._kinds(LIGHT) != self._kinds(DARK):
            raise TypeError("a chart has other parts in the dark theme: it cannot change its theme in a page")
        by_model = {model.id: name for name, model in self._models[LIGHT].items()}
        self.roots = {name: by_model[chart.root.id] for name, chart in self.charts[LIGHT].items()}

    def _open(self, theme: ThemeName, drawn: Charts, prefix: str) -> None:
        document = Document()
        for chart in drawn.values():
            document.add_root(chart.root)
        self.documents[theme], names = document_json(document, prefix)
        self._models[theme] = {names[one.id]: one for one in document.models if one.id in names}
        self._built[theme] = {
            (name, attribute): _detached(value)
            for name, model in self._models[theme].items()
            for attribute, value in model.properties_with_values().items()
        }

        def note(event: Any) -> None:
            model, attribute = getattr(event, "model", None), getattr(event, "attr", None)
            if model is not None and attribute is not None and model.id in names:
                self._changed[names[model.id], attribute] = None

        document.on_change(note)

    def _kinds(self, theme: ThemeName) -> dict[str, type]:
        return {name: type(model) for name, model in self._models[theme].items()}

    def snapshot(self) -> Snapshot:
        """Return what differs now from the charts as they were built."""
        for which in self._changed:
            light, dark = (getattr(self._models[theme][which[0]], which[1]) for theme in THEMES)
            self._now[which] = self._number(which, light, dark)
        self._changed.clear()
        return dict(self._now)

    def as_built(self, which: Property) -> int:
        """Return the number of what a property was when the charts were built."""
        return self._number(which, *(self._built[theme][which] for theme in THEMES))

    def columns(self, which: Property) -> tuple[str, ...] | None:
        """Return the columns of a data source, in the order of their group; None for another property."""
        return self._columns.get(which[0]) if which[1] == "data" else None

    def _number(self, which: Property, light: Any, dark: Any) -> int:
        name, attribute = which
        if attribute != "data" or not isinstance(self._models[LIGHT][name], ColumnDataSource):
            try:
                return self._frames.value(light, dark)
            except TypeError:
                raise TypeError(f"{self._models[LIGHT][name]}.{attribute} cannot be replayed in a page") from None
        names = self._columns.setdefault(name, tuple(light))
        return self._frames.group([self._frames.column(light[one], dark[one]) for one in names])


def _detached(value: Any) -> Any:
    """Return a value that does not change with its model: columns of a source, and lists, change in place.

    A plain container: Bokeh's own tell their document of every entry of a copy.
    """
    if isinstance(value, dict):
        return dict(value)
    return list(value) if isinstance(value, list) else value


def document_json(document: Document, prefix: str) -> tuple[Any, dict[str, str]]:
    """Return a document as plain JSON data with names of its own for its models, and these names by Bokeh's ids.

    Bokeh numbers models over the life of a process; here the same charts get the same names every time.
    """
    data = json.loads(serialize_json(document.to_json(deferred=False)))
    data.pop("title", None)
    names = {id_: f"{prefix}{number}" for number, id_ in enumerate(dict.fromkeys((*_ids(data["roots"]), *_ids(data))))}
    return _renamed(data, names), names


def _ids(data: Any) -> Iterator[str]:
    if isinstance(data, list):
        for one in data:
            yield from _ids(one)
    elif isinstance(data, dict):
        if data.get("type") == "object" and "id" in data:
            yield data["id"]
        for one in data.values():
            yield from _ids(one)


def _renamed(data: Any, names: Mapping[str, str]) -> Any:
    if isinstance(data, list):
        return [_renamed(one, names) for one in data]
    if isinstance(data, dict):
        return {
            key: names.get(one, one) if key == "id" and isinstance(one, str) else _renamed(one, names)
            for key, one in data.items()
        }
    return data

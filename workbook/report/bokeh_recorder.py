"""The charts of a report, and what changes in them from position to position.

A chart is built and updated by its own code; here Bokeh's change events are listened to, so that nothing of a
chart's inside is known, and a page replays the changes.
"""

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from bokeh.core.json_encoder import serialize_json
from bokeh.document import Document
from bokeh.document.events import DocumentChangedEvent
from bokeh.models import ColumnDataSource

from workbook.lib.json_codec import Json

from .frame_store import FrameStore

if TYPE_CHECKING:
    from bokeh.model import Model

__all__ = ("Chart", "Charts", "PropertyRecorder", "Snapshot", "document_json")


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
    """A record of what every update of some charts changed.

    Parameters
    ----------
    charts
        As they were built.
    frames
        Takes the values.
    prefix
        Of the models' names in the page, which keeps several recorders apart.

    Attributes
    ----------
    document
        The charts as they were built, as Bokeh's JSON.
    roots
        Name of the model that is a chart's root, by the chart's name.
    """

    def __init__(self, charts: Charts, frames: FrameStore, prefix: str) -> None:
        self._frames = frames
        self._columns: dict[str, tuple[str, ...]] = {}
        self._numbered: dict[tuple[str, str], tuple[Any, int]] = {}
        self._changed: dict[Property, None] = {}
        self._now: Snapshot = {}
        document = Document()
        for chart in charts.values():
            document.add_root(chart.root)
        self.document, names = document_json(document, prefix)
        self._models: dict[str, Model] = {names[one.id]: one for one in document.models if one.id in names}
        self._built = {
            name: {
                attribute: _detached(value)
                for attribute, value in model.properties_with_values(include_defaults=False).items()
            }
            for name, model in self._models.items()
        }
        self.roots = {name: names[chart.root.id] for name, chart in charts.items()}

        def note(event: DocumentChangedEvent) -> None:
            model, attribute = getattr(event, "model", None), getattr(event, "attr", None)
            if model is not None and attribute is not None and model.id in names:
                self._changed[names[model.id], attribute] = None

        document.on_change(note)

    def snapshot(self) -> Snapshot:
        """Return what differs now from the charts as they were built."""
        for name, attribute in self._changed:
            self._now[name, attribute] = self._number(name, attribute, getattr(self._models[name], attribute))
        self._changed.clear()
        return dict(self._now)

    def as_built(self, which: Property) -> int:
        """Return the number of what a property was when the charts were built."""
        name, attribute = which
        built = self._built[name]
        model = self._models[name]
        value = built[attribute] if attribute in built else model.lookup(attribute).instance_default(model)
        return self._number(name, attribute, value)

    def columns(self, which: Property) -> tuple[str, ...] | None:
        """Return the columns of a data source, in the order of their group; None for another property."""
        return self._columns.get(which[0]) if which[1] == "data" else None

    def _number(self, name: str, attribute: str, value: Any) -> int:
        if attribute != "data" or not isinstance(self._models[name], ColumnDataSource):
            try:
                return self._frames.value(value)
            except TypeError:
                raise TypeError(f"{self._models[name]}.{attribute} cannot be replayed in a page") from None
        columns = self._columns.setdefault(name, tuple(value))
        return self._frames.group([self._column(name, one, value[one]) for one in columns])

    def _column(self, source: str, name: str, column: Any) -> int:
        """Store a column; one that is the same object as before is not looked at again."""
        before = self._numbered.get((source, name))
        if before is None or before[0] is not column:
            before = self._numbered[source, name] = (column, self._frames.column(column))
        return before[1]


def _detached(value: object) -> object:
    """Return a value that does not change with its model: columns of a source, and lists, change in place.

    A plain container: Bokeh's own tell their document of every entry of a copy.
    """
    if isinstance(value, dict):
        return dict(value)
    return list(value) if isinstance(value, list) else value


def document_json(document: Document, prefix: str) -> tuple[Json, dict[str, str]]:
    """Return a document as plain JSON data with names of its own for its models, and these names by Bokeh's ids.

    Bokeh numbers models over the life of a process; here the same charts get the same names every time.
    """
    data = json.loads(serialize_json(document.to_json(deferred=False)))
    data.pop("title", None)
    names = {id_: f"{prefix}{number}" for number, id_ in enumerate(dict.fromkeys((*_ids(data["roots"]), *_ids(data))))}
    return _renamed(data, names), names


def _ids(data: Json) -> Iterator[str]:
    if isinstance(data, list):
        for one in data:
            yield from _ids(one)
    elif isinstance(data, dict):
        if data.get("type") == "object" and "id" in data:
            yield data["id"]
        for one in data.values():
            yield from _ids(one)


def _renamed(data: Json, names: Mapping[str, str]) -> Json:
    if isinstance(data, list):
        return [_renamed(one, names) for one in data]
    if isinstance(data, dict):
        return {
            key: names.get(one, one) if key == "id" and isinstance(one, str) else _renamed(one, names)
            for key, one in data.items()
        }
    return data

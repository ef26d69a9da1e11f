"""Figures in a notebook: what changes together is one patch, with its arrays inside, and data do not come back."""

import json
from typing import Any

import numpy as np
import pytest
from bokeh.models import ColumnDataSource
from bokeh.plotting import figure

from workbook.explorer import Explorer
from workbook.lib.size import GiB
from workbook.widgets.bokeh_figure import Figure


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What figures send to the page: the content of every message."""
    messages: list[Any] = []

    def send(_self: Figure, content: dict[str, Any], buffers: object = None) -> None:
        assert buffers is None
        assert content["msg"] == "patch"
        messages.append(json.loads(content["payload"]))

    monkeypatch.setattr(Figure, "send", send)
    return messages


def test_a_turn_is_one_patch(sent: list[Any]) -> None:
    """A slider changes many columns of all charts: a header, nothing, and one list of events are sent."""
    explorer = Explorer("one-tib")
    sent.clear()
    explorer.turn("requested_size", 300 * GiB)
    header, metadata, content = sent
    assert header["msgtype"] == "PATCH-DOC"
    assert metadata == {}
    assert len(content["events"]) > 5
    columns = [data for event in content["events"] for data in event.get("data", {}).get("entries", [])]
    [state] = [value for name, value in columns if name == "state" and isinstance(value, dict)]
    assert state["dtype"] == "uint8"
    assert state["shape"] == [1024]
    assert isinstance(state["array"]["data"], str)


def test_what_is_equal_is_not_sent(sent: list[Any]) -> None:
    """A setting that no chart shows sends nothing to the figure."""
    explorer = Explorer("one-tib")
    sent.clear()
    explorer.turn("ram_slots", 0)
    assert sent == []


def test_held_sends_also_when_something_fails(sent: list[Any]) -> None:
    """What had changed before an error is sent: the page shows what the figure holds."""
    plot, source = figure(), ColumnDataSource({"x": np.arange(3.0)})
    plot.scatter(x="x", y="x", source=source)
    shown = Figure(plot)

    def fail() -> None:
        with shown.held():
            source.data = {"x": np.arange(4.0)}
            assert sent == []
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert len(sent) == 3
    source.data = {"x": np.arange(5.0)}
    assert len(sent) == 6


def test_data_do_not_come_back() -> None:
    """jupyter_bokeh would send every column that a page gets back to the kernel: sources say that they do not."""
    view = Explorer("one-tib").view
    sources = [one for one in view.charts.root.references() if isinstance(one, ColumnDataSource)]
    assert len(sources) > 8
    assert not any(one.syncable for one in sources)
    assert view.charts.memory_map.x_range.syncable

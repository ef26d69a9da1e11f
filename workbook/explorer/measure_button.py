"""A button that measures the host on which the notebook runs, and compares it with the prediction."""

import html
from collections.abc import Callable
from typing import Final, Protocol

import ipywidgets as widgets

from workbook.charts.predicted_measured import PredictedMeasured
from workbook.lib.cost.measurements import MeasuredHost
from workbook.lib.errors import WorkbookError
from workbook.lib.size import KiB, format_size
from workbook.tables.table import Table
from workbook.widgets.picture import Picture

__all__ = ("MeasureButton",)

_READY: Final = "Takes five to twenty seconds, longer while other VMs come and go; all memory is given back."


class Measurable(Protocol):
    """A host that can be measured, such as `workbook.live.kvm.HostMeasurement`."""

    @property
    def refusal(self) -> str | None:
        """Why not, in a line; None if it can."""

    @property
    def steps(self) -> int:
        """How often the progress function is called."""

    def measure(self, progress: Callable[[str], None]) -> tuple[MeasuredHost, tuple[str, ...]]:
        """Measure; return the host, and a line for each thing that was left out."""


class MeasureButton(widgets.VBox):
    """Measures when it is pressed, and not before.

    Parameters
    ----------
    host
        What to measure. Where that cannot be, the button is grey and says why.

    Attributes
    ----------
    measured
        What the last press has brought; None before.
    """

    def __init__(self, host: Measurable) -> None:
        self._host = host
        self.measured: MeasuredHost | None = None
        refusal = host.refusal
        self.button = widgets.Button(
            description="Measure this host now",
            icon="clock-o",
            disabled=refusal is not None,
            button_style="" if refusal else "primary",
            layout=widgets.Layout(width="auto", flex="0 0 auto"),
        )
        self.button.on_click(self._measure)
        self._bar = widgets.IntProgress(max=host.steps, layout=widgets.Layout(width="16em", display="none"))
        self._status = widgets.HTML(_said(refusal or _READY, bad=bool(refusal)))
        self._table = widgets.HTML()
        self._table.add_class("jp-RenderedHTMLCommon")  # tables look as in a cell's output
        self._chart = PredictedMeasured(height=320)
        self._picture = Picture(self._chart)
        self._picture.layout.display = "none"
        row = widgets.HBox([self.button, self._bar, self._status], layout=widgets.Layout(align_items="center"))
        super().__init__([row, self._table, self._picture])

    def _measure(self, _button: widgets.Button) -> None:
        self.button.disabled = True
        self._bar.value, self._bar.layout.display = 0, ""
        try:
            measured, left_out = self._host.measure(self._step)
        except WorkbookError as error:
            self._status.value = _said(str(error), bad=True)
        else:
            self._show(measured, left_out)
        finally:
            self._bar.layout.display = "none"
            self.button.disabled = False

    def _step(self, what: str) -> None:
        self._status.value = _said(what)
        self._bar.value += 1

    def _show(self, measured: MeasuredHost, left_out: tuple[str, ...]) -> None:
        self.measured = measured
        equal = sum(one.agrees for one in measured.layouts)
        text = f"Linux {measured.kernel}: {equal} of {len(measured.layouts)} layouts equal to the prediction."
        self._status.value = _said("<br>".join(map(html.escape, (text, *left_out))), escaped=True)
        self._table.value = "".join(table._repr_html_() for table in _tables(measured))
        self._chart.update([measured])
        self._picture.layout.display = ""

    def __repr__(self) -> str:
        return "MeasureButton: measures the host when it is pressed"


def _tables(measured: MeasuredHost) -> tuple[Table, Table]:
    """Return what the layouts cost, and how long memslots took."""
    costs = [
        (one.name, one.predicted.total // KiB, one.total // KiB, "equal" if one.agrees else "DIFFERENT")
        for one in measured.layouts
    ]
    times = [
        (f"{one.count:,} x {format_size(one.size)}", *(float(f"{1000 * seconds:.3g}") for seconds in both))
        for one in measured.timings
        for both in ((one.add_seconds, one.remove_seconds),)
    ]
    return (
        Table.of(("memslots", "predicted kB", "measured kB", "verdict"), costs),
        Table.of(("memslots", "added, ms", "removed, ms"), times),
    )


def _said(text: str, *, bad: bool = False, escaped: bool = False) -> str:
    shown = text if escaped else html.escape(text)
    return f"<span role='status'{' style=color:#B3261E' if bad else ''}>{shown}</span>"

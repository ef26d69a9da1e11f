"""The timeline: play, step and scrub through what happened to the VM."""

import html
from collections.abc import Callable

import ipywidgets as widgets

from workbook.lib.explore.timeline import Step
from workbook.lib.size import format_size
from workbook.widgets.change import Change
from workbook.widgets.styles import styled

__all__ = ("TimelineBar",)


class TimelineBar(widgets.VBox):
    """A slider over the steps of a scenario, a play button, and a table of what each step did.

    Parameters
    ----------
    moved
        Called with the number of actions to show.
    """

    def __init__(self, moved: Callable[[int], None]) -> None:
        self._moved, self._quiet = moved, False
        self._play = widgets.Play(
            interval=900, max=0, layout=widgets.Layout(width="auto"), tooltip="Play all steps, stop, repeat"
        )
        self._slider = self._slider_to(0)
        self._title = widgets.HTML(layout=widgets.Layout(flex="0 0 auto", min_width="200px", margin="2px 0 2px 14px"))
        self._table = styled(widgets.HTML(), "table")
        self._details = widgets.Accordion(children=[self._table], titles=["Details of every step"])
        self._details.observe(lambda _change: self._show_table(), "selected_index")
        # not linked in the browser: two widgets that answer each other there undo a quick second move
        self._play.observe(self._on_play, "value")
        self.steps: tuple[Step, ...] = ()
        self._row = widgets.HBox(
            [self._play, self._slider, self._title], layout=widgets.Layout(align_items="center", flex_flow="row wrap")
        )
        super().__init__([self._row, self._details])

    def _slider_to(self, last: int) -> widgets.IntSlider:
        slider = widgets.IntSlider(
            value=last,
            max=last,
            description="Step",
            readout=False,
            style={"description_width": "40px"},
            layout=widgets.Layout(flex="1 1 200px", width="auto"),
            tooltip="The step shown; arrow keys step, Home and End go to the first and the last",
        )
        slider.observe(self._on_slider, "value")
        return slider

    @property
    def position(self) -> int:
        """Number of actions that are shown."""
        position: int = self._slider.value
        return position

    def show(self, steps: tuple[Step, ...]) -> None:
        """Show the steps of an outcome, at its end."""
        self.steps = steps
        last = max(len(self.steps) - 1, 0)
        self._quiet = True
        try:
            if last != self._slider.max:
                # a slider whose end has moved goes to its old end with the End key (noUiSlider)
                self._slider.close()
                self._slider = self._slider_to(last)
                self._row.children = (self._play, self._slider, self._title)
            self._play.max = last
            self._play.value = self._slider.value = last
        finally:
            self._quiet = False
        self.layout.display = "" if last else "none"
        self._name_step()

    def _show_table(self) -> None:
        """Fill the table while it is open: a closed table would take time without being seen."""
        if self._details.selected_index is not None:
            self._table.value = _table(self.steps, self.position)

    def move(self, position: int) -> None:
        """Go to a step, as the slider does."""
        self._slider.value = position

    def _on_play(self, change: Change[int]) -> None:
        if not self._quiet:
            self._slider.value = change["new"]

    def _on_slider(self, change: Change[int]) -> None:
        if self._quiet:
            return
        self._quiet = True
        self._play.value = change["new"]
        self._quiet = False
        self._name_step()
        self._moved(change["new"])

    def _name_step(self) -> None:
        if self.steps:
            step = self.steps[min(self.position, len(self.steps) - 1)]
            self._title.value = f"{self.position} of {len(self.steps) - 1}: <b>{html.escape(step.title)}</b>"
        self._show_table()


def _table(steps: tuple[Step, ...], position: int) -> str:
    rows = []
    for number, step in enumerate(steps):
        mapped = sum(one.used for one in step.layout.devices)
        plugged = sum(one.plugged_size for one in step.layout.devices)
        said = step.problem.message if step.problem else ""
        cells = (
            number,
            step.title,
            mapped,
            format_size(plugged),
            f"+{format_size(step.added)}" if step.added else "",
            f"-{format_size(step.deleted)}" if step.deleted else "",
            len(step.changes) or "",
            said,
        )
        here = " aria-current='step'" if number == position else ""
        rows.append(f"<tr{here}>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in cells) + "</tr>")
    names = ("step", "what", "memslots", "plugged", "region_add", "region_del", "events", "QEMU says")
    head = "".join(f"<th style='text-align:left'>{name}</th>" for name in names)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"

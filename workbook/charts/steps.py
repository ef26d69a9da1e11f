"""What happened, step by step: memslots, plugged and exposed bytes and metadata as lines, listener events as marks."""

from typing import Final, TypeAlias

from bokeh.models import Column, ColumnDataSource, FixedTicker, Range1d, Scatter, Text
from bokeh.models.annotations import Span
from bokeh.models.glyphs import Step as StepLine

from workbook.columns.theme import Look, Theme, ThemeName, theme_of
from workbook.lib.explore.outcome import Outcome
from workbook.lib.size import format_size

from .drawing import draw, figure_in, hover, text_style
from .heading import Heading
from .sources import show

__all__ = ("StepsChart", "step_columns")

LANES: Final = ("memslots", "plugged", "exposed", "metadata")
"""From top to bottom, the last one at y = 0; below it the events."""
Columns: TypeAlias = dict[str, list[str] | list[int] | list[float] | list[str | float]]
TITLE: Final = "Over the steps"
NO_STEPS: Final = "QEMU does not start: no step."
_HEIGHT: Final = 0.78
"""Of the largest value in a lane, whose height is 1."""
_EVENTS: Final = -0.45


def _values(outcome: Outcome) -> list[tuple[int, int, int, int]]:
    """Return memslots, plugged, exposed and metadata bytes after each step."""
    after = [outcome.after(number) for number in range(len(outcome.steps))]
    return [(one.used, one.plugged, one.exposed, one.cost.total) for one in after]


def step_columns(outcome: Outcome) -> Columns:
    """Return one row per step: a place in each lane, texts, and how many region_add and region_del there were."""
    values = _values(outcome)
    most = [max((one[lane] for one in values), default=0) for lane in range(len(LANES))]
    columns: Columns = {"step": list(range(len(values)))}
    for lane, name in enumerate(LANES):
        base = len(LANES) - 1 - lane
        columns[name] = [base + _HEIGHT * one[lane] / (most[lane] or 1) for one in values]
        columns[f"{name}_text"] = [_text(lane, one[lane]) for one in values]
    steps = outcome.steps
    columns["title"] = [one.title for one in steps]
    columns["events"] = [_events(one.added, one.deleted) for one in steps]
    return columns


def _text(lane: int, value: int) -> str:
    return f"{value:,}" if lane == 0 else format_size(value, digits=1)


def _events(added: int, deleted: int) -> str:
    parts = [f"region_add {format_size(added)}"] if added else []
    parts += [f"region_del {format_size(deleted)}"] if deleted else []
    return ", ".join(parts) or "none"


class StepsChart:
    """Four lanes over the steps of an outcome, each to a scale of its own, and a line where the timeline stands.

    Parameters
    ----------
    height
        Pixels.
    theme
        ``light`` or ``dark``.

    Attributes
    ----------
    root
        What to embed.
    source, events
        One row per step, and one per step with listener events.
    """

    def __init__(self, *, height: int = 118, theme: ThemeName | Theme = "light") -> None:
        self.theme = theme_of(theme)
        self._outcome: Outcome | None = None
        empty: Columns = {"step": [], "title": [], "events": []}
        for name in LANES:
            empty |= {name: [], f"{name}_text": []}
        self.source = ColumnDataSource(empty)
        self.events = ColumnDataSource({"x": [], "y": [], "marker": [], "color": [], "text": []})
        self.names = ColumnDataSource({"x": [], "y": [], "text": []})
        self._range = Range1d(start=-0.05, end=1)
        self.figure = figure_in(
            self.theme, height=height, x_range=self._range, y_range=Range1d(start=-0.8, end=len(LANES) + 0.1)
        )
        lanes = self.figure.yaxis[0]
        lanes.ticker = FixedTicker(ticks=[_EVENTS, *(number + 0.4 for number in range(len(LANES)))])
        labels = [(number + 0.4, name) for number, name in enumerate(reversed(LANES))]
        lanes.major_label_overrides = {_EVENTS: "events", **dict(labels)}
        lanes.major_tick_line_color = lanes.axis_line_color = None
        self.figure.ygrid.visible = False
        self.figure.xaxis.visible = False
        self.figure.min_border_left, self.figure.min_border_right = 112, 24
        points = []
        for number, name in enumerate(LANES):
            colour = self.theme.series[number]
            line = StepLine(x="step", y=name, mode="after", line_color=colour, line_width=2)
            draw(self.figure, self.source, line)
            dots = Scatter(x="step", y=name, size=5, fill_color=colour, line_color=colour)
            points.append(draw(self.figure, self.source, dots))
        style = text_style(text_color=self.theme.text, text_align="left")
        draw(self.figure, self.names, Text(x="x", y="y", text="text", x_offset=8, **style))
        marks = Scatter(x="x", y="y", marker="marker", size=8, fill_color="color", line_color="color")
        draw(self.figure, self.events, marks)
        self._here = Span(location=0, dimension="height", line_color=self.theme.accent, line_width=1.5)
        self.figure.add_layout(self._here)
        rows = [("step", "@step: @title"), *((name, f"@{name}_text") for name in LANES), ("listener events", "@events")]
        self.figure.add_tools(hover(rows, renderers=points[:1], mode="vline"))
        looks = {
            "region_add": Look(self.theme.look("add").fill, self.theme.look("add").line, self.theme.text),
            "region_del": Look(self.theme.look("del").fill, self.theme.look("del").line, self.theme.text),
        }
        self._heading = Heading(self.figure, self.theme, "steps", TITLE, looks, compact=True)
        self.root = Column(children=[self._heading.root, self.figure], sizing_mode="stretch_width")

    def update(self, whole: Outcome, position: int) -> None:
        """Show the steps of an outcome, and stand at one of them."""
        if whole is not self._outcome:
            self._outcome = whole
            show(self.source, step_columns(whole))
            self._range.end = 1.25 * max(len(whole.steps) - 1, 1)
            show(self.events, self._marks(whole))
            self._heading.update(TITLE if whole.steps else NO_STEPS)
        self._here.location = position
        show(self.names, self._numbers(position))

    def say(self, details: str) -> None:
        """Say in a saved picture what it is of: settings and verdict."""
        self._heading.describe(details)

    def _marks(self, outcome: Outcome) -> Columns:
        rows = [
            (number, _EVENTS, marker, self.theme.look(role).fill, format_size(size))
            for number, one in enumerate(outcome.steps)
            for size, marker, role in ((one.added, "triangle", "add"), (one.deleted, "inverted_triangle", "del"))
            if size
        ]
        names = ("x", "y", "marker", "color", "text")
        return {name: list[str | float](row[at] for row in rows) for at, name in enumerate(names)}

    def _numbers(self, position: int) -> Columns:
        """Return the numbers of the step that is shown, behind the lines."""
        if not self.source.data["step"]:
            return {"x": [], "y": [], "text": []}
        at = min(position, len(self.source.data["step"]) - 1)
        texts = [self.source.data[f"{name}_text"][at] for name in LANES]
        heights = [number + 0.4 for number in reversed(range(len(LANES)))]
        return {"x": [float(max(len(self.source.data["step"]) - 1, 1))] * len(LANES), "y": heights, "text": texts}

    def describe(self) -> str:
        """Return one line per step."""
        data = self.source.data
        lines = []
        for number, title in enumerate(data["title"]):
            values = ", ".join(f"{name} {data[name + '_text'][number]}" for name in LANES)
            lines.append(f"Step {number}, {title}: {values}; events: {data['events'][number]}.")
        return "\n".join(lines) or NO_STEPS

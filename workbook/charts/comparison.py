"""Two outcomes in one picture: the maps on one axis, which bytes each maps, one cost chart, one budget."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Final

from bokeh.models import Column, ColumnDataSource, FixedTicker, Quad, Range1d, Row

from workbook.columns.broken_axis import BrokenAxis
from workbook.columns.memory_map import axis_of, hex_range
from workbook.columns.theme import NORMAL, Look, Theme, ThemeName, theme_of
from workbook.lib.cost.parts import Cost
from workbook.lib.explore.outcome import Outcome
from workbook.lib.machine.snapshot import Layout
from workbook.lib.size import shown_size

from .drawing import draw, draw_hatches, figure_in, hover, styled
from .heading import Heading
from .memory_map import MemoryMap
from .outcome_charts import ROOM
from .overhead import OverheadBars
from .slot_budget import SlotBudget
from .sources import show

__all__ = ("ComparisonCharts", "MergedMap", "merged_ranges")

SIDES: Final = {"both": "A and B", "a": "A only", "b": "B only"}
TITLE: Final = "Mapped by"
_A, _B, _BOTH = "a", "b", "both"


def _mapped(layout: Layout | None) -> Iterator[tuple[int, int]]:
    """Yield the guest-physical ranges [start, end) that memory devices have mapped."""
    for device in layout.devices if layout else ():
        for slot in device.memslots():
            size = min(slot.size, device.size - slot.offset)
            if slot.mapped and size > 0:
                yield device.start + slot.offset, device.start + slot.offset + size


def merged_ranges(a: Layout | None, b: Layout | None) -> list[tuple[int, int, str]]:
    """Return (start, end, side) of what memory devices map: by ``a``, ``b`` or ``both``; neighbours are joined."""
    edges: dict[int, list[int]] = {}
    for which, layout in enumerate((a, b)):
        for start, end in _mapped(layout):
            edges.setdefault(start, [0, 0])[which] += 1
            edges.setdefault(end, [0, 0])[which] -= 1
    found: list[tuple[int, int, str]] = []
    depth = [0, 0]
    for start, end in pairwise(sorted(edges)):
        depth = [old + change for old, change in zip(depth, edges[start], strict=True)]
        side = {(True, True): _BOTH, (True, False): _A, (False, True): _B}.get((depth[0] > 0, depth[1] > 0))
        if side is None:
            continue
        if found and found[-1][1:] == (start, side):
            found[-1] = (found[-1][0], end, side)
        else:
            found.append((start, end, side))
    return found


class MergedMap:
    """One lane of guest-physical memory: what both map, and what only one does.

    Parameters
    ----------
    x_range
        The map's, which it moves with.
    theme
        ``light`` or ``dark``.
    """

    def __init__(self, x_range: Range1d, *, theme: ThemeName | Theme = "light") -> None:
        self.theme = theme_of(theme)
        self.source = ColumnDataSource({name: [] for name in ("left", "right", "role", "size", "range", "what")})
        show(self.source, {**self.source.data, **self.theme.columns(())})
        self.figure = figure_in(self.theme, height=62, x_range=x_range, y_range=Range1d(start=-0.5, end=0.5))
        lane = self.figure.yaxis[0]
        lane.ticker, lane.major_label_overrides = FixedTicker(ticks=[0]), {0: "mapped"}
        lane.major_label_text_font_size = NORMAL
        lane.major_tick_line_color = lane.axis_line_color = None
        self.figure.grid.visible = False
        self.figure.xaxis.visible = False
        self.figure.min_border_left, self.figure.min_border_right = 112, 24
        place: dict[str, Any] = {"left": "left", "right": "right", "bottom": -0.42, "top": 0.42}
        areas = draw(self.figure, self.source, Quad(**place, **styled()))
        self._looks: dict[str, Look] = {role: self.theme.look(role) for role in SIDES}
        draw_hatches(self.figure, self.source, Quad, place, self._looks)
        self.figure.add_tools(
            hover([("mapped by", "@what"), ("size", "@size"), ("address", "@range")], renderers=[areas])
        )
        looks = {words: self._looks[side] for side, words in SIDES.items()}
        self._heading = Heading(self.figure, self.theme, "merged-map", TITLE, looks, compact=True)
        self.root = Column(children=[self._heading.root, self.figure], sizing_mode="stretch_width")

    def update(self, a: Layout | None, b: Layout | None, axis: BrokenAxis) -> None:
        """Show another pair, along an axis that holds both."""
        ranges = merged_ranges(a, b)
        roles = [side for _, _, side in ranges]
        total = {side: sum(end - start for start, end, one in ranges if one == side) for side in SIDES}
        show(
            self.source,
            {
                "left": axis.place([start for start, _, _ in ranges]).tolist(),
                "right": axis.place([end for _, end, _ in ranges]).tolist(),
                "role": roles,
                "size": [shown_size(end - start) for start, end, _ in ranges],
                "range": [hex_range(start, end - start) for start, end, _ in ranges],
                "what": [SIDES[side] for side in roles],
                **self.theme.columns(roles),
            },
        )
        self._total = total
        self._heading.update(self.describe())

    def say(self, details: str) -> None:
        """Say in a saved picture what it is of."""
        self._heading.describe(details)

    def describe(self) -> str:
        """Return in words how much is mapped by both, and by one only."""
        return f"{TITLE} {', '.join(f'{words}: {shown_size(self._total[side])}' for side, words in SIDES.items())}"


class ComparisonCharts:
    """Two outcomes: map above map on one axis with one zoom, what differs in a lane, costs and limits together.

    Parameters
    ----------
    theme
        ``light`` or ``dark``.
    """

    def __init__(self, *, theme: ThemeName | Theme = "light") -> None:
        self.a = MemoryMap(theme=theme, headline=False, height=150, compact=True, strip=False, cut_unmapped=True)
        self.b = MemoryMap(
            theme=theme,
            headline=False,
            height=172,
            compact=True,
            strip=False,
            x_range=self.a.x_range,
            cut_unmapped=True,
        )
        self.a.figure.xaxis.visible = False
        self.merged = MergedMap(self.a.x_range, theme=theme)
        self.overhead = OverheadBars(theme=theme, height=150, compact=True)
        self.budget = SlotBudget(theme=theme, height=150, compact=True)

    @property
    def by_name(self) -> dict[str, MemoryMap | MergedMap | OverheadBars | SlotBudget]:
        """The charts by a short name."""
        return {"a": self.a, "b": self.b, "merged": self.merged, "overhead": self.overhead, "budget": self.budget}

    @cached_property
    def root(self) -> Column:
        """All charts in one picture."""
        for one in (self.overhead, self.budget):
            one.root.styles = {"flex": ROOM, "min-width": "0"}
        below = Row(
            children=[self.overhead.root, self.budget.root],
            sizing_mode="stretch_width",
            styles={"flex-wrap": "wrap"},
            spacing=16,
        )
        maps = [self.a.root, self.b.root, self.merged.root]
        return Column(children=[*maps, below], sizing_mode="stretch_width", spacing=4)

    @property
    def memory_map(self) -> MemoryMap:
        """The first of both maps."""
        return self.a

    def update(self, a: Outcome, b: Outcome) -> None:
        """Show another pair."""
        details = f"A: {a.settings()}\n{a.summary()}\nB: {b.settings()}\n{b.summary()}"
        for one in self.by_name.values():
            one.say(details)
        layouts = [one.layout for one in (a, b) if one.layout is not None]
        axis = axis_of(*layouts, cut_unmapped=self.a.cut_unmapped)
        self.a.update(a.layout, axis=axis, title=f"A: {a.rules.name}")
        self.b.update(b.layout, axis=axis, title=f"B: {b.rules.name}")
        self.merged.update(a.layout, b.layout, axis)
        self.overhead.update(_costs(a, b))
        self.budget.update(
            replace(consumer, name=f"{name}, {consumer.name}")
            for name, one in (("A", a), ("B", b))
            for consumer in (one.layout.consumers if one.layout else ())
        )

    def describe(self) -> str:
        """Return what the charts show in words."""
        return "\n".join(one.describe() for one in self.by_name.values())


def _costs(a: Outcome, b: Outcome) -> list[tuple[str, Cost]]:
    """Return the bars: what one memslot for everything would cost, and A and B.

    Always as many: BokehJS 3.9 keeps the indices of rows that are gone, and complains of them at every repaint.
    """
    same = a.single_cost.total == b.single_cost.total
    reference = "one memslot" if same else "A, one memslot"
    return [(reference, a.single_cost), (f"A: {a.rules.name}", a.cost), (f"B: {b.rules.name}", b.cost)]

"""The charts of one outcome: the memory map, below it KVM's metadata and the memslot limits."""

from functools import cached_property
from typing import Final

from bokeh.models import Column, Row

from workbook.columns.theme import Theme, ThemeName
from workbook.lib.cost.kvm import KvmHost
from workbook.lib.explore.outcome import Outcome

from .memory_map import MemoryMap
from .overhead import OverheadBars
from .slot_budget import SlotBudget
from .steps import StepsChart

__all__ = ("OutcomeCharts",)

ROOM: Final = "1 1 250px"
_ROOM: Final = "1 1 330px"
"""How the charts below the map share its width (CSS ``flex``): compact ones, and others."""


class OutcomeCharts:
    """Three charts that show the same outcome.

    Parameters
    ----------
    theme
        ``light`` or ``dark``.
    compact
        Low enough that all of them stand on one screen beside controls; the steps stand below them.

    Attributes
    ----------
    memory_map, overhead, budget, steps
        The charts, each with a ``root`` of its own, where the page arranges them itself; `steps` is None where they are
        not compact.
    """

    def __init__(self, *, theme: ThemeName | Theme = "light", compact: bool = False) -> None:
        self._compact = compact
        self.memory_map = MemoryMap(theme=theme, headline=False, height=205 if compact else 310, compact=compact)
        self.overhead = OverheadBars(theme=theme, height=136 if compact else 160, compact=compact)
        # the legend is known before any outcome: a page that replays updates can give a chart new data, no new parts
        self.overhead.update({"single memslot": KvmHost().metadata(())})
        self.budget = SlotBudget(theme=theme, height=136 if compact else 180, compact=compact)
        self.steps = StepsChart(theme=theme) if compact else None

    @property
    def by_name(self) -> dict[str, MemoryMap | OverheadBars | SlotBudget]:
        """The charts by a short name."""
        return {"map": self.memory_map, "overhead": self.overhead, "budget": self.budget}

    @cached_property
    def root(self) -> Column:
        """All charts in one picture: what changes in them then reaches a notebook in one message."""
        for one in (self.overhead, self.budget):
            one.root.styles = {"flex": ROOM if self._compact else _ROOM, "min-width": "0"}
        below = Row(
            children=[self.overhead.root, self.budget.root],
            sizing_mode="stretch_width",
            styles={"flex-wrap": "wrap"},
            spacing=16,
        )
        steps = [self.steps.root] if self.steps else []
        gap = 2 if self._compact else 8
        return Column(children=[self.memory_map.root, below, *steps], sizing_mode="stretch_width", spacing=gap)

    def update(self, outcome: Outcome, whole: Outcome | None = None) -> None:
        """Show another outcome.

        Parameters
        ----------
        whole
            All of what happens, where `outcome` is a moment of it.
        """
        details = f"{outcome.settings()}\n{outcome.summary()}"
        for one in (self.memory_map, self.overhead, self.budget):
            one.say(details)
        self.memory_map.update(outcome.layout)
        self.budget.update(outcome.layout.consumers if outcome.layout else ())
        self.overhead.update((("single memslot", outcome.single_cost), (outcome.rules.name, outcome.cost)))
        if self.steps:
            self.steps.say(details)
            self.steps.update(whole or outcome, max(len(outcome.steps) - 1, 0))

    def describe(self) -> str:
        """Return what the charts show in words."""
        return "\n".join(one.describe() for one in self.by_name.values())

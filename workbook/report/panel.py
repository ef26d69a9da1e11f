"""A panel: sliders, charts and texts for one scenario, everything decided beforehand."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from bokeh.core.property.validation import validate

from workbook.charts import OutcomeCharts
from workbook.lib.actions import RequestSize, Settle
from workbook.lib.explore.advice import Advice, advise
from workbook.lib.explore.outcome import Outcome, Problem
from workbook.lib.explore.scenario_edits import virtio_mem_devices
from workbook.lib.explore.settings import SETTINGS
from workbook.lib.rules import RuleSet, get
from workbook.lib.scenario import Scenario
from workbook.page import outcome_text as words
from workbook.page.templates import render

from .bokeh_recorder import PropertyRecorder, Snapshot
from .frame_store import FrameStore
from .page_theme import PAGE_THEME
from .positions import Axis, Detail, Grid
from .progress import Progress, silent
from .walkthrough import Step

__all__ = ("Panel", "panel")

CHARTS: Final = {
    "map": "Memory map: guest-physical addresses",
    "overhead": "Overhead: what KVM keeps for the mapped memslots",
    "budget": "Budget: memslots used and reserved, per limit",
}
LINES: Final = {
    "mtree": "info mtree: device memory as QEMU's monitor prints it",
    "flat": "info mtree -f: the flat view",
    "argv": "QEMU command line",
    "xml": "libvirt domain",
    "state": "State: paste it into the explorer's field Share as text",
}
"""Texts of lines, with their headings."""
JOINED: Final = {"state": ","}
"""How the pieces of a text are joined where they are no lines."""
_OPEN: Final = ("mtree", "argv")
_MARKUP: Final = ("numbers", "verdict", "cells", "trace")
_WORDS: Final = ("vm", "sentence", "numbers", "verdict", "cells", "trace", *(f"{name}-words" for name in CHARTS))


@dataclass(frozen=True, slots=True)
class Panel:
    """A part of a page that works by itself.

    Attributes
    ----------
    name
        Of its element in the page, unlike any other.
    html
        What is seen before any script runs.
    data
        Plain JSON data for ``panel.js``.
    positions
        How many positions were decided.
    """

    name: str
    html: str
    data: dict[str, Any]
    positions: int


class _Recorder:
    """Plays scenarios and takes down everything that a page shows of them."""

    def __init__(self, name: str) -> None:
        self.frames = FrameStore()
        self._charts = OutcomeCharts(theme=PAGE_THEME)
        self.recorder = PropertyRecorder(self._charts.by_name, self.frames, f"{name}-")
        self._written: dict[tuple[Scenario, str], tuple[list[str], list[str]]] = {}
        self._advice: dict[tuple[Scenario, str, Problem | None], tuple[Advice, ...]] = {}
        self.taken: list[tuple[Snapshot, list[int]]] = []

    def _play(self, scenario: Scenario, rules: RuleSet | str) -> Outcome:
        """Play one scenario and show it."""
        outcome = Outcome.of(replace(scenario, rules=get(rules).name), rules)
        # values of our own charts: they are checked by the chart that shows them
        with validate(False):
            self._charts.update(outcome)
        return outcome

    def take(self, scenario: Scenario, rules: RuleSet | str) -> int:
        """Play one scenario; return the number of what was taken."""
        shown = self._words(self._play(scenario, rules))
        parts = [self.frames.value(shown[name]) for name in _WORDS]
        parts += [self.frames.column(shown[name]) for name in LINES]
        self.taken.append((self.recorder.snapshot(), parts))
        return len(self.taken) - 1

    def words_of(self, scenario: Scenario, rules: RuleSet | str) -> dict[str, Any]:
        """Return the texts alone, for the page before any script runs."""
        return self._words(self._play(scenario, rules))

    def _words(self, outcome: Outcome) -> dict[str, Any]:
        bare = replace(outcome.scenario, actions=())
        if (bare, outcome.rules.name) not in self._written:
            # neither knows actions: most positions share them
            self._written[bare, outcome.rules.name] = (words.command_line(outcome), words.domain_xml(outcome))
        argv, xml = self._written[bare, outcome.rules.name]
        return {
            "vm": words.vm_in_words(outcome.scenario),
            "sentence": words.sentence(outcome),
            "numbers": words.numbers(outcome),
            "verdict": words.verdict(outcome, self._advised(outcome, bare)),
            "cells": words.comparison_cells(outcome),
            "trace": words.traces(outcome),
            **{f"{name}-words": chart.describe() for name, chart in self._charts.by_name.items()},
            "mtree": outcome.info_mtree.splitlines(),
            "flat": outcome.info_mtree_flat.splitlines(),
            "argv": argv,
            "xml": xml,
            "state": outcome.scenario.to_json().split(JOINED["state"]),
        }

    def _advised(self, outcome: Outcome, bare: Scenario) -> tuple[Advice, ...]:
        """Return what helps; what decided at the start is the same for every request that follows."""
        follows = all(isinstance(one, RequestSize | Settle) for one in outcome.scenario.actions)
        if not follows or (outcome.problem is not None and outcome.refusal is None):
            return advise(outcome)
        key = (bare, outcome.rules.name, outcome.problem)
        if key not in self._advice:
            self._advice[key] = advise(outcome)
        return self._advice[key]

    def plain(self) -> dict[str, Any]:
        """Return the stored values, the frames in the order in which they were taken, and what a frame is made of."""
        tracked = sorted({which for snapshot, _ in self.taken for which in snapshot})
        built = {which: self.recorder.as_built(which) for which in tracked}
        frames = [
            self.frames.frame([*(snapshot.get(which, built[which]) for which in tracked), *parts])
            for snapshot, parts in self.taken
        ]
        return {
            "document": self.recorder.document,
            "roots": self.recorder.roots,
            "tracked": [[name, attribute, self.recorder.columns((name, attribute))] for name, attribute in tracked],
            "words": [[name, name in _MARKUP] for name in _WORDS],
            "lines": [[name, JOINED.get(name, "\n")] for name in LINES],
            "shown": frames,
            **self.frames.plain(),
        }


def panel(
    scenario: Scenario,
    story: Sequence[Step],
    *,
    rules: RuleSet | str | None = None,
    detail: Detail = "full",
    name: str = "panel",
    level: int = 2,
    progress: Progress = silent,
) -> Panel:
    """Decide every position of the sliders around `scenario`, and every step of the story under every rule set.

    Parameters
    ----------
    story
        What happens; one of its steps is the scenario itself.
    rules
        A rule set of your own, in place of the scenario's.
    name
        Of the panel in its page, unlike any other.
    level
        Of its headings.
    progress
        Is told how far it is.
    """
    grid = Grid.around(scenario, rules, detail=detail)
    recorder = _Recorder(name)
    offered = list(grid.positions())
    count = len(story) * len(grid.rules) + len(offered)

    def take(scenario: Scenario, one: RuleSet | str) -> int:
        number = recorder.take(scenario, one)
        progress(number + 1, count, "positions")
        return number

    steps = [[take(step.scenario, one) for one in grid.rules] for step in story]
    lengths = [len(axis.choices) for axis in grid.axes]
    positions = {_index(at, lengths): take(*grid.at(at)) for at in offered}
    start = next((index for index, step in enumerate(story) if step.scenario == scenario), len(story) - 1)
    data = {
        **recorder.plain(),
        "axes": [_plain_axis(axis) for axis in grid.axes],
        "grid": _runs_of_positions(positions),
        "steps": steps,
        "places": [_places(step.scenario, grid) for step in story],
        "start": start,
    }
    first = recorder.words_of(story[start].scenario, grid.rules[grid.axes[0].start])
    others = [recorder.words_of(story[start].scenario, one)["cells"] for one in grid.rules]
    return Panel(name, _html(grid, story, start, first, others, name, level), data, len(recorder.taken))


def _index(at: Sequence[int], lengths: Sequence[int]) -> int:
    index = 0
    for one, length in zip(at, lengths, strict=True):
        index = index * length + one
    return index


def _runs_of_positions(positions: dict[int, int]) -> list[list[int]]:
    """Return (first index, first frame, how many) of positions that follow each other."""
    runs: list[list[int]] = []
    for index, frame in positions.items():
        if runs and runs[-1][0] + runs[-1][2] == index and runs[-1][1] + runs[-1][2] == frame:
            runs[-1][2] += 1
        else:
            runs.append([index, frame, 1])
    return runs


def _plain_axis(axis: Axis) -> dict[str, Any]:
    values = [value if isinstance(value, int | str | None) else str(label) for label, value in axis.choices]
    return {"name": axis.name, "labels": [label for label, _ in axis.choices], "values": values, "start": axis.start}


def _places(scenario: Scenario, grid: Grid) -> list[int]:
    """Return where the sliders stand at a step of the story: at the nearest values that they have."""
    places = []
    for axis in grid.axes:
        values = [value for _, value in axis.choices]
        if axis.name == "rules" or (axis.name != "vhost_slots" and not virtio_mem_devices(scenario)):
            places.append(axis.start)
            continue
        own = SETTINGS[axis.name].get(scenario, None)
        near = [index for index, one in enumerate(values) if one == own]
        near = near or [index for index, one in enumerate(values) if one is not None and own is not None and one <= own]
        places.append(near[-1] if near else axis.start)
    return places


def _html(
    grid: Grid,
    story: Sequence[Step],
    start: int,
    first: dict[str, Any],
    others: Sequence[str],
    name: str,
    level: int,
) -> str:
    """Return what is seen before any script runs."""
    texts = [
        {"name": one, "title": title, "open": one in _OPEN, "text": JOINED.get(one, "\n").join(first[one])}
        for one, title in LINES.items()
    ]
    return render(
        "panel.html.j2",
        name=name,
        heading=f"h{level}",
        axes=grid.axes,
        story=story,
        start=start,
        first=first,
        others=others,
        charts=CHARTS,
        compared=words.COMPARED,
        texts=texts,
    )
